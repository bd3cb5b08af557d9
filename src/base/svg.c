/* SPDX-License-Identifier: MIT */
/* SVG: pictures of nodes on a ring. */
#include "base/svg.h"

#include <math.h>
#include <stdarg.h>
#include <string.h>

#include "base/terminal.h"
#include "base/utf8.h"

enum { RADIAL_MIN = 13 };

static const double character_width = 7.3;

/* --- document ----- */

/*
 * XML has no control characters and no U+FFFE and U+FFFF, not even as references (XML 1.0, section 2.2). Characters
 * that could confuse a terminal are left out, too, because a picture may be printed on one.
 */
static bool is_drawable(const char *text, int length)
{
	char character[5] = "";

	if (length == 0 || length >= (int)sizeof character)
		return false;
	memcpy(character, text, (size_t)length);
	return utf8_printable(character) && strcmp(character, "\xef\xbf\xbe") != 0 &&
		   strcmp(character, "\xef\xbf\xbf") != 0;
}

void svg_text(FILE *to, const char *text)
{
	while (*text) {
		int length = utf8_length(text);

		if (!is_drawable(text, length))
			fputs("\xef\xbf\xbd", to);
		else if (*text == '<')
			fputs("&lt;", to);
		else if (*text == '>')
			fputs("&gt;", to);
		else if (*text == '&')
			fputs("&amp;", to);
		else if (*text == '"')
			fputs("&quot;", to);
		else
			fprintf(to, "%.*s", length, text);
		text += length ? length : 1;
	}
}

void svg_begin(FILE *to, double width, double height, const char *title, const char *style, const char *dark_style)
{
	fprintf(to,
			"<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"%.0f\" height=\"%.0f\" viewBox=\"0 0 %.0f %.0f\">\n"
			"<title>",
			width, height, width, height);
	svg_text(to, title);
	fprintf(to,
			"</title>\n<style>\n"
			"text{font:12px 'DejaVu Sans Mono',Menlo,Consolas,monospace;fill:#1c2430;stroke:#ffffff;"
			"stroke-width:3px;stroke-linejoin:round;paint-order:stroke}\n"
			".name{font-weight:bold}\n"
			".page{fill:#ffffff}\n"
			"%s"
			"@media (prefers-color-scheme: dark){\n"
			"text{fill:#e6edf3;stroke:#0d1117}\n"
			".page{fill:#0d1117}\n"
			"%s"
			"}\n"
			"</style>\n"
			"<rect class=\"page\" width=\"100%%\" height=\"100%%\"/>\n",
			style, dark_style);
}

void svg_end(FILE *to)
{
	fputs("</svg>\n", to);
}

/* --- labels ----- */

void svg_label_printf(struct svg_label *label, const char *format, ...)
{
	va_list arguments;

	if (label->count == SVG_LABEL_LINES)
		return;
	va_start(arguments, format);
	vsnprintf(label->lines[label->count++], SVG_LABEL_LINE, format, arguments);
	va_end(arguments);
}

double svg_text_width(const char *text)
{
	return terminal_width(text) * character_width;
}

double svg_label_width(const struct svg_label *label)
{
	double widest = 0;

	for (int line = 0; line < label->count; line++)
		widest = fmax(widest, svg_text_width(label->lines[line]));
	return widest;
}

/* --- the ring ----- */

void svg_ring_begin(struct svg_ring *ring, size_t count)
{
	*ring = (struct svg_ring) { .count = count, .radial = count >= RADIAL_MIN };
}

void svg_ring_add_label(struct svg_ring *ring, const struct svg_label *label)
{
	if (label->count > ring->lines)
		ring->lines = label->count;
	ring->label_width = fmax(ring->label_width, svg_label_width(label));
}

void svg_ring_layout(struct svg_ring *ring, double radius_min)
{
	double needed = ring->radial ? (double)ring->count * (SVG_LINE_HEIGHT + 2) / (2 * M_PI)
								 : (double)ring->count * ring->lines * SVG_LINE_HEIGHT / 3.5;
	double margin_y = ring->radial ? ring->label_width + SVG_GAP : ring->lines * SVG_LINE_HEIGHT + SVG_GAP;

	ring->radius = fmax(radius_min, needed);
	ring->width = fmax(560, 2 * (ring->radius + ring->label_width + 3 * SVG_GAP));
	ring->height = 2 * (ring->radius + margin_y + 2 * SVG_GAP) + 4 * SVG_LINE_HEIGHT;
	ring->center_x = ring->width / 2;
	ring->center_y = ring->height / 2;
}

struct svg_position svg_ring_position(const struct svg_ring *ring, double turn)
{
	double angle = turn * 2 * M_PI - M_PI / 2;

	return (struct svg_position) {
		.x = ring->center_x + ring->radius * cos(angle),
		.y = ring->center_y + ring->radius * sin(angle),
		.angle = angle,
	};
}

static void draw_radial_label(FILE *to, const struct svg_label *label, const struct svg_position *at)
{
	bool left = cos(at->angle) < -1e-9;
	double degrees = at->angle * 180 / M_PI + (left ? 180 : 0);

	fprintf(to, "<text transform=\"translate(%.1f %.1f) rotate(%.2f)\" x=\"%.1f\" y=\"4\" text-anchor=\"%s\">", at->x,
			at->y, degrees, left ? -SVG_GAP : SVG_GAP, left ? "end" : "start");
	svg_text(to, label->lines[0]);
	fputs("</text>\n", to);
}

void svg_ring_label(FILE *to, const struct svg_ring *ring, const struct svg_label *label, const struct svg_position *at)
{
	double x = at->x, y = at->y, side = cos(at->angle), up = sin(at->angle);
	const char *anchor = "middle";

	if (ring->radial && !at->inside) {
		draw_radial_label(to, label, at);
		return;
	}
	if (at->inside || fabs(side) < 0.2) {
		bool above = !at->inside && up < 0;
		y += above ? -SVG_GAP - (label->count - 1) * SVG_LINE_HEIGHT : SVG_GAP + SVG_LINE_HEIGHT;
	} else {
		x += side > 0 ? SVG_GAP : -SVG_GAP;
		y += 4 - (label->count - 1) * SVG_LINE_HEIGHT / 2;
		anchor = side > 0 ? "start" : "end";
	}
	if (at->inside) /* lines to the nodes of the ring would run through the text */
		fprintf(to,
				"<rect class=\"page\" fill-opacity=\"0.85\" x=\"%.1f\" y=\"%.1f\" width=\"%.1f\" height=\"%.1f\"/>\n",
				x - svg_label_width(label) / 2, y - SVG_LINE_HEIGHT + 3, svg_label_width(label),
				label->count * SVG_LINE_HEIGHT);
	for (int line = 0; line < label->count; line++) {
		fprintf(to, "<text%s x=\"%.1f\" y=\"%.1f\" text-anchor=\"%s\">", line ? "" : " class=\"name\"", x,
				y + line * SVG_LINE_HEIGHT, anchor);
		svg_text(to, label->lines[line]);
		fputs("</text>\n", to);
	}
}
