/* SPDX-License-Identifier: MIT */
/*
 * show: draws interfaces as an SVG picture. Each is in the center of a ring of its peers; the line to a peer shows its
 * state. The interfaces are below each other.
 */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/amount.h"
#include "base/svg.h"
#include "show_output.h"

/* How the line to a peer looks. */
enum link_look { LINK_UNKNOWN, LINK_UP, LINK_LOSSY, LINK_IDLE, LINK_WAITING, LINK_DOWN, LINK_NONE, LINK_LOOKS };

enum {
	RADIUS_MIN = 150,
	LOSSY_PERCENT = 1,
	LABEL_COLUMNS = 40, /* longer lines of labels are cut */
	KEY_COLUMNS = 13,   /* likewise, for a public key in place of a name */
	LEGEND_WIDTH = 720,
};

static const struct {
	const char *class, *text;
} looks[LINK_LOOKS] = {
	[LINK_UNKNOWN] = { "unknown", "unknown" },
	[LINK_UP] = { "up", "up" },
	[LINK_LOSSY] = { "lossy", "up, more than 1 % lost" },
	[LINK_IDLE] = { "idle", "idle" },
	[LINK_WAITING] = { "waiting", "waiting" },
	[LINK_DOWN] = { "down", "not reachable" },
	[LINK_NONE] = { "none", "no endpoint" },
};

/* A state is a color and a pattern of dashes, because not everybody distinguishes the colors. */
static const char style[] = ".link{fill:none}\n"
							".node{stroke-width:2}\n"
							".self{fill:#1f6feb;stroke:#1f6feb}\n"
							".unknown{stroke:#7b8794}\n"
							".up{stroke:#1a7f37}\n"
							".lossy{stroke:#bc4c00}\n"
							".idle{stroke:#7b8794;stroke-dasharray:8 4}\n"
							".waiting{stroke:#9a6700;stroke-dasharray:6 3}\n"
							".down{stroke:#cf222e;stroke-dasharray:3 3}\n"
							".none{stroke:#7b8794;stroke-dasharray:1 4}\n"
							".node{fill:#ffffff;stroke-dasharray:none}\n"
							".node.up{fill:#1a7f37}\n"
							".node.lossy{fill:#bc4c00}\n"
							".node.down{fill:#cf222e}\n"
							".warning{fill:#9a6700}\n";
static const char dark_style[] = ".node{fill:#0d1117}\n"
								 ".up,.node.up{stroke:#3fb950}\n"
								 ".node.up{fill:#3fb950}\n"
								 ".lossy,.node.lossy{stroke:#f0883e}\n"
								 ".node.lossy{fill:#f0883e}\n"
								 ".waiting{stroke:#d29922}\n"
								 ".down,.node.down{stroke:#f85149}\n"
								 ".node.down{fill:#f85149}\n"
								 ".warning{fill:#d29922}\n";

struct svg_interface {
	const struct show_interface *interface;
	size_t count;
	struct svg_ring ring;
	size_t header_lines; /* the title and the warnings */
	double y;            /* of the top in the picture */
};

static enum link_look look_of(const struct show_peer *peer)
{
	uint64_t arrived, lost;
	bool lossy;

	switch (peer->state) {
	case SHOW_UP:
		lossy = show_loss(peer, &arrived, &lost) && lost * 100 > (arrived + lost) * LOSSY_PERCENT;
		return lossy ? LINK_LOSSY : LINK_UP;
	case SHOW_IDLE:
		return LINK_IDLE;
	case SHOW_WAITING:
		return LINK_WAITING;
	case SHOW_SILENT:
	case SHOW_UNREACHABLE:
		return LINK_DOWN;
	case SHOW_NO_ENDPOINT:
		return LINK_NONE;
	case SHOW_STATE_UNKNOWN:
	case SHOW_STATES:
		break;
	}
	return LINK_UNKNOWN;
}

/* --- labels ----- */

/* Writes "rtt 12.3 ms, lost 0.02 % in", or "" if neither is known. */
static void quality_text(const struct show_peer *peer, char text[4 * AMOUNT_TEXT])
{
	bool has_rtt = peer->quality.rtt_ns != 0;
	char rtt[AMOUNT_TEXT] = "", share[AMOUNT_TEXT] = "";
	uint64_t arrived, lost;
	bool has_loss = show_loss(peer, &arrived, &lost) && arrived + lost;

	if (has_rtt)
		amount_latency(rtt, peer->quality.rtt_ns);
	if (has_loss)
		amount_percent(share, lost, arrived + lost);
	snprintf(text, 4 * AMOUNT_TEXT, "%s%s%s%s%s%s", has_rtt ? "rtt " : "", rtt, has_rtt && has_loss ? ", " : "",
			 has_loss ? "lost " : "", share, has_loss ? " in" : "");
}

/* Adds a line, and cuts text that would make the whole picture wide. */
static void label_add(struct svg_label *label, const char *text, int columns)
{
	char line[SVG_LABEL_LINE] = "";
	struct terminal to = { .to = fmemopen(line, sizeof line, "w") };

	if (!to.to)
		return;
	terminal_text(&to, text, columns);
	fclose(to.to);
	svg_label_printf(label, "%s", line);
}

static void fill_show_label(struct svg_label *label, const struct show_peer *peer, bool radial)
{
	const char *state = show_state_text(peer->state), *title = show_peer_title(peer);
	int columns = title == peer->public_key ? KEY_COLUMNS : LABEL_COLUMNS;
	char quality[4 * AMOUNT_TEXT];

	label->count = 0;
	label_add(label, title, columns);
	quality_text(peer, quality);
	if (radial) {
		size_t length = strlen(label->lines[0]);
		bool has_quality = *quality && (peer->state == SHOW_UP || !state);

		snprintf(label->lines[0] + length, SVG_LABEL_LINE - length, "%s%s%s%s", state || has_quality ? ": " : "",
				 state ? state : "", has_quality && state ? ", " : "", has_quality ? quality : "");
		return;
	}
	if (*peer->endpoint)
		label_add(label, peer->endpoint, LABEL_COLUMNS);
	if (state)
		label_add(label, state, LABEL_COLUMNS);
	if (peer->state_reason)
		label_add(label, peer->state_reason, LABEL_COLUMNS);
	if (*quality)
		label_add(label, quality, LABEL_COLUMNS);
}

/* --- layout ----- */

static void measure_interface(struct svg_interface *drawn)
{
	double width = 0;
	struct svg_label label;

	drawn->header_lines = 2;
	for (const struct show_warning *warning = drawn->interface->warnings; warning; warning = warning->next) {
		width = fmax(width, 4 * SVG_GAP + svg_text_width(warning->text));
		drawn->header_lines++;
	}
	for (const struct show_peer *peer = drawn->interface->peers; peer; peer = peer->next)
		drawn->count++;
	svg_ring_begin(&drawn->ring, drawn->count);
	for (const struct show_peer *peer = drawn->interface->peers; peer; peer = peer->next) {
		fill_show_label(&label, peer, drawn->ring.radial);
		svg_ring_add_label(&drawn->ring, &label);
	}
	svg_ring_layout(&drawn->ring, RADIUS_MIN);
	drawn->ring.width = fmax(drawn->ring.width, width);
	drawn->ring.center_x = drawn->ring.width / 2;
	drawn->ring.center_y += (double)drawn->header_lines * SVG_LINE_HEIGHT;
	drawn->ring.height += (double)drawn->header_lines * SVG_LINE_HEIGHT;
}

static struct svg_position place_of(const struct svg_interface *drawn, size_t i)
{
	double turn = (double)i / (double)drawn->count;

	/* Two peers are left and right. */
	return svg_ring_position(&drawn->ring, drawn->count == 2 ? turn + 0.25 : turn);
}

/* --- drawing ----- */

static void draw_header(FILE *to, const struct svg_interface *drawn)
{
	struct terminal terminal = { .to = NULL };
	struct terminal_wrap wrap = { .terminal = &terminal };
	char *text = NULL;
	size_t size = 0;
	double y = 1.7 * SVG_LINE_HEIGHT;

	terminal.to = open_memstream(&text, &size);
	if (!terminal.to)
		return;
	fprintf(terminal.to, "%s: ", drawn->interface->name);
	show_peer_counts(&wrap, drawn->interface, drawn->count == 1 ? " peer" : " peers");
	fclose(terminal.to);
	text[strcspn(text, "\n")] = '\0';
	fprintf(to, "<text class=\"name\" x=\"%.1f\" y=\"%.1f\">", 2 * SVG_GAP, y);
	svg_text(to, text);
	fputs("</text>\n", to);
	free(text);
	for (const struct show_warning *warning = drawn->interface->warnings; warning; warning = warning->next) {
		y += SVG_LINE_HEIGHT;
		fprintf(to, "<text class=\"warning\" x=\"%.1f\" y=\"%.1f\">", 2 * SVG_GAP, y);
		svg_text(to, warning->text);
		fputs("</text>\n", to);
	}
}

/* A viewer shows this text when the mouse is over the node. */
static void draw_tooltip(FILE *to, const struct show_peer *peer)
{
	const char *state = show_state_text(peer->state), *origin = show_origin_word(peer->endpoint_origin);

	fputs("<title>", to);
	svg_text(to, show_peer_title(peer));
	fprintf(to, ", %s", peer->public_key);
	if (*peer->endpoint) {
		fputs(", ", to);
		svg_text(to, peer->endpoint);
		if (origin)
			fprintf(to, " (%s)", origin);
	}
	if (state)
		fprintf(to, ", %s", state);
	if (peer->state_reason) {
		fputs(": ", to);
		svg_text(to, peer->state_reason);
	}
	fputs("</title>", to);
}

static void draw_peers(FILE *to, const struct svg_interface *drawn)
{
	const struct svg_ring *ring = &drawn->ring;
	struct svg_label label;
	size_t i = 0;

	for (const struct show_peer *peer = drawn->interface->peers; peer; peer = peer->next) {
		struct svg_position at = place_of(drawn, i++);

		fprintf(to, "<path class=\"link %s\" stroke-width=\"%d\" d=\"M%.1f %.1fL%.1f %.1f\"/>\n",
				looks[look_of(peer)].class, ring->radial ? 1 : 2, ring->center_x, ring->center_y, at.x, at.y);
	}
	i = 0;
	for (const struct show_peer *peer = drawn->interface->peers; peer; peer = peer->next) {
		struct svg_position at = place_of(drawn, i++);

		fprintf(to, "<circle class=\"node %s\" cx=\"%.1f\" cy=\"%.1f\" r=\"%.1f\">", looks[look_of(peer)].class, at.x,
				at.y, SVG_NODE_RADIUS);
		draw_tooltip(to, peer);
		fputs("</circle>\n", to);
		fill_show_label(&label, peer, ring->radial);
		svg_ring_label(to, ring, &label, &at);
	}
}

static void draw_interface(FILE *to, const struct svg_interface *drawn)
{
	struct svg_position center = { drawn->ring.center_x, drawn->ring.center_y, 0, true };
	struct svg_label label = { .count = 0 };

	fprintf(to, "<g transform=\"translate(0 %.0f)\">\n", drawn->y);
	draw_header(to, drawn);
	draw_peers(to, drawn);
	fprintf(to, "<circle class=\"self\" cx=\"%.1f\" cy=\"%.1f\" r=\"%.1f\"/>\n", center.x, center.y,
			1.5 * SVG_NODE_RADIUS);
	label_add(&label, drawn->interface->name, LABEL_COLUMNS);
	svg_ring_label(to, &drawn->ring, &label, &center);
	fputs("</g>\n", to);
}

static void draw_show_legend(FILE *to, double y)
{
	double x = 2 * SVG_GAP;

	for (unsigned look = LINK_UP; look < LINK_LOOKS; look++) {
		fprintf(
			to,
			"<path class=\"link %s\" stroke-width=\"2\" d=\"M%.1f %.1fh24\"/><text x=\"%.1f\" y=\"%.1f\">%s</text>\n",
			looks[look].class, x, y - 4, x + 24 + SVG_GAP / 2, y, looks[look].text);
		x += 24 + 2 * SVG_GAP + svg_text_width(looks[look].text);
	}
}

void show_svg(FILE *to, const struct show_interface *interfaces)
{
	double width = LEGEND_WIDTH, height = 0;
	struct svg_interface *drawn;
	size_t count = 0, i = 0;

	for (const struct show_interface *interface = interfaces; interface; interface = interface->next)
		count++;
	drawn = calloc(count + 1, sizeof *drawn);
	if (!drawn)
		return;
	for (const struct show_interface *interface = interfaces; interface; interface = interface->next) {
		drawn[i].interface = interface;
		drawn[i].y = height;
		measure_interface(&drawn[i]);
		width = fmax(width, drawn[i].ring.width);
		height += drawn[i++].ring.height;
	}
	height += 2 * SVG_LINE_HEIGHT;
	svg_begin(to, width, height, count == 1 ? interfaces->name : "adit", style, dark_style);
	for (i = 0; i < count; i++)
		draw_interface(to, &drawn[i]);
	draw_show_legend(to, height - SVG_LINE_HEIGHT);
	svg_end(to);
	free(drawn);
}
