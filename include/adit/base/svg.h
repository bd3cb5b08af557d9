/* SPDX-License-Identifier: MIT */
/*
 * SVG: self-contained pictures of nodes on a ring, each with a label outside the ring.
 *
 * With few nodes, labels have several horizontal lines. With many nodes, labels have one line, which continues the
 * radius, and the ring is large enough for one line per node. The font has a fixed width, so the size of each label is
 * known. A picture has a background of its own, light or dark as the viewer prefers, so it is readable on any page.
 */
#ifndef ADIT_BASE_SVG_H
#define ADIT_BASE_SVG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

enum { SVG_LABEL_LINES = 5, SVG_LABEL_LINE = 512 /* bytes */ };

#define SVG_LINE_HEIGHT 15.0
#define SVG_GAP 12.0 /* between a node and its label */
#define SVG_NODE_RADIUS 6.0

struct svg_label {
	char lines[SVG_LABEL_LINES][SVG_LABEL_LINE];
	int count;
};

struct svg_ring {
	size_t count;                 /* nodes on the ring */
	bool radial;                  /* labels of one line */
	int lines;                    /* of the label with most lines */
	double label_width;           /* of the widest label */
	double radius, width, height; /* width and height are those of the ring with its labels and margins */
	double center_x, center_y;
};

struct svg_position {
	double x, y, angle;
	bool inside; /* a node inside the ring; its angle has no meaning */
};

/* Writes text with the characters of XML escaped. Invalid and unprintable ones become U+FFFD. */
void svg_text(FILE *to, const char *text);

/*
 * Starts a picture with the classes "name", for bold text, and "page", for the background. `style` contains further
 * rules, and `dark_style` those for viewers that prefer dark pages.
 */
void svg_begin(FILE *to, double width, double height, const char *title, const char *style, const char *dark_style);
void svg_end(FILE *to);

/* Appends a line to the label, and cuts it to SVG_LABEL_LINE. Without room for another line, does nothing. */
void svg_label_printf(struct svg_label *label, const char *format, ...) __attribute__((format(printf, 2, 3)));
double svg_text_width(const char *text);
double svg_label_width(const struct svg_label *label);

/* Starts a ring of `count` nodes, and decides whether its labels are radial. */
void svg_ring_begin(struct svg_ring *ring, size_t count);
/* Makes room for this label outside the ring. */
void svg_ring_add_label(struct svg_ring *ring, const struct svg_label *label);
/* Computes radius, which is at least `radius_min`, size and center. The center of the ring is that of the picture. */
void svg_ring_layout(struct svg_ring *ring, double radius_min);

/* The position at `turn` of the ring, clockwise from the top: 0.25 is on the right. */
struct svg_position svg_ring_position(const struct svg_ring *ring, double turn);
/* Draws the label of a node: outside the ring, or below a node inside it. */
void svg_ring_label(FILE *to, const struct svg_ring *ring, const struct svg_label *label,
					const struct svg_position *at);

#endif
