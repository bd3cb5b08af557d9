/* SPDX-License-Identifier: MIT */
/*
 * Render: the picture as SVG, without Graphviz.
 *
 * The hosts are on a ring; hubs are inside it if every tunnel ends at a hub. The label of a host is outside the ring.
 * Up to RADIAL_MIN hosts have labels of several horizontal lines. More hosts have labels of one line, which continue
 * the radius, and the ring is large enough for one line per host. The font has a fixed width, so the size of each label
 * is known. The picture has a background of its own, so it is readable on any page.
 */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "render.h"

enum {
	RADIAL_MIN = 13,
	LABEL_LINES_MAX = 5,
	LABEL_LINE = 2 * MESH_NAME + RENDER_ADDRESSES,
	LINKS_DRAWN_MAX = 20000,
};

static const double line_height = 15, character_width = 7.3, gap = 12, node_radius = 6;

struct label {
	char lines[LABEL_LINES_MAX][LABEL_LINE];
	int count;
};

struct position {
	double x, y, angle;
	bool inside; /* a hub inside the ring */
};

struct drawing {
	struct secret_text *to;
	const struct network *network;
	const struct host_list *list;
	bool hubs_inside, radial;
	size_t ring_count;
	int lines;           /* of the tallest label */
	double radius, side; /* side: the width of the widest label */
	double width, height, center_x, center_y;
};

static void fill_label(const struct drawing *drawing, struct label *label, size_t i, bool radial)
{
	const struct mesh_host *host = &drawing->list->hosts[i];
	char addresses[RENDER_ADDRESSES], text[PREFIX_TEXT];

	*label = (struct label) { 0 };
	if (radial) {
		render_addresses(addresses, host);
		addresses[strcspn(addresses, ",")] = '\0';
		snprintf(label->lines[label->count++], LABEL_LINE, "%s  %s", host->name, addresses);
		return;
	}
	snprintf(label->lines[label->count++], LABEL_LINE, "%s", host->name);
	for (int family = 0; family < MESH_FAMILIES; family++) {
		if (!host->address[family].family)
			continue;
		prefix_to_text(text, &host->address[family]);
		text[strcspn(text, "/")] = '\0';
		snprintf(label->lines[label->count++], LABEL_LINE, "%s", text);
	}
	for (const struct config_prefix *entry = host->networks; entry; entry = entry->next) {
		prefix_to_text(text, &entry->prefix);
		if (label->count == LABEL_LINES_MAX - 1 && entry->next)
			strcpy(text, "more networks");
		snprintf(label->lines[label->count++], LABEL_LINE, "%s", text);
		if (label->count == LABEL_LINES_MAX)
			break;
	}
}

static double label_width(const struct label *label)
{
	size_t longest = 0;

	for (int line = 0; line < label->count; line++) {
		if (strlen(label->lines[line]) > longest)
			longest = strlen(label->lines[line]);
	}
	return (double)longest * character_width;
}

static void measure_drawing(struct drawing *drawing)
{
	const struct host_list *list = drawing->list;
	double margin_y, needed, hub_label = 0;

	drawing->hubs_inside = list->topology != TOPOLOGY_FULL;
	drawing->ring_count = list->count - (drawing->hubs_inside ? list->hub_count : 0);
	drawing->radial = drawing->ring_count >= RADIAL_MIN;
	for (size_t i = 0; i < list->count; i++) {
		struct label label;

		fill_label(drawing, &label, i, drawing->radial);
		if (label.count > drawing->lines)
			drawing->lines = label.count;
		drawing->side = fmax(drawing->side, label_width(&label));
	}
	needed = drawing->radial ? (double)drawing->ring_count * (line_height + 2) / (2 * M_PI)
							 : (double)drawing->ring_count * drawing->lines * line_height / 3.5;
	for (size_t i = 0; i < list->hub_count; i++) {
		struct label label;

		fill_label(drawing, &label, list->hubs[i], false);
		hub_label = fmax(hub_label, label_width(&label));
	}
	if (list->topology == TOPOLOGY_TWO_HUBS)
		needed = fmax(needed, (hub_label + gap) / 0.9);
	drawing->radius = fmax(drawing->radial || drawing->hubs_inside ? 180 : 110, needed);
	margin_y = drawing->radial ? drawing->side + gap : drawing->lines * line_height + gap;
	drawing->width = fmax(560, 2 * (drawing->radius + drawing->side + 3 * gap));
	drawing->height = 2 * (drawing->radius + margin_y + 2 * gap) + 4 * line_height;
	drawing->center_x = drawing->width / 2;
	drawing->center_y = drawing->height / 2;
}

/* The place of the host on the ring, clockwise from the top: with two hubs, first the spokes of the right one. */
static size_t ring_place(const struct drawing *drawing, size_t host)
{
	const struct topology *topology = drawing->network->topology;
	size_t place = 0;

	for (size_t i = 0; i < drawing->list->count; i++) {
		if (drawing->hubs_inside && host_is_hub(drawing->list, i))
			continue;
		if (topology->primary[i] > topology->primary[host] ||
			(i < host && topology->primary[i] == topology->primary[host]))
			place++;
	}
	return place;
}

static struct position position_of(const struct drawing *drawing, size_t host)
{
	const struct host_list *list = drawing->list;
	struct position position = { drawing->center_x, drawing->center_y, 0, false };
	double part = drawing->ring_count ? 1.0 / (double)drawing->ring_count : 0, turn;

	if (drawing->hubs_inside && host_is_hub(list, host)) {
		position.inside = true;
		if (list->hub_count > 1)
			position.x += drawing->radius * (list->hubs[0] == host ? -0.45 : 0.45);
		return position;
	}
	/* Two hosts, and the halves of two hubs, are left and right. */
	turn = (double)ring_place(drawing, host) * part;
	if (list->hub_count > 1 || drawing->ring_count == 2)
		turn += part / 2;
	position.angle = turn * 2 * M_PI - M_PI / 2;
	position.x += drawing->radius * cos(position.angle);
	position.y += drawing->radius * sin(position.angle);
	return position;
}

static void draw_links(const struct drawing *drawing, const struct position *positions, bool secondary)
{
	const struct topology *topology = drawing->network->topology;
	bool started = false;

	for (size_t i = 0; i < topology->link_count; i++) {
		const struct mesh_link *link = &topology->links[i];
		size_t spoke = host_is_hub(drawing->list, link->a) ? link->b : link->a;
		size_t hub = spoke == link->a ? link->b : link->a;
		bool is_secondary =
			topology->primary[spoke] != MESH_NO_HUB && drawing->list->hubs[topology->primary[spoke]] != hub;

		if (is_secondary != secondary)
			continue;
		if (!started)
			secret_text_printf(drawing->to, "<path class=\"%s\" d=\"", secondary ? "link second" : "link");
		started = true;
		secret_text_printf(drawing->to, "M%.1f %.1fL%.1f %.1f", positions[link->a].x, positions[link->a].y,
						   positions[link->b].x, positions[link->b].y);
	}
	if (started)
		secret_text_printf(drawing->to, "\"/>\n");
}

static void draw_label(const struct drawing *drawing, size_t i, const struct position *at)
{
	double x = at->x, y = at->y, side = cos(at->angle), up = sin(at->angle);
	const char *anchor = "middle";
	struct label label;

	fill_label(drawing, &label, i, drawing->radial && !at->inside);
	if (drawing->radial && !at->inside) {
		bool left = side < -1e-9;
		double degrees = at->angle * 180 / M_PI + (left ? 180 : 0);

		secret_text_printf(drawing->to,
						   "<text transform=\"translate(%.1f %.1f) rotate(%.2f)\" x=\"%.1f\" y=\"4\" "
						   "text-anchor=\"%s\">%s</text>\n",
						   x, y, degrees, left ? -gap : gap, left ? "end" : "start", label.lines[0]);
		return;
	}
	if (at->inside || fabs(side) < 0.2) {
		bool above = !at->inside && up < 0;
		y += above ? -gap - (label.count - 1) * line_height : gap + line_height;
	} else {
		x += side > 0 ? gap : -gap;
		y += 4 - (label.count - 1) * line_height / 2;
		anchor = side > 0 ? "start" : "end";
	}
	if (at->inside) /* the tunnels would run through the text */
		secret_text_printf(drawing->to,
						   "<rect class=\"page\" fill-opacity=\"0.85\" x=\"%.1f\" y=\"%.1f\" width=\"%.1f\" "
						   "height=\"%.1f\"/>\n",
						   x - label_width(&label) / 2, y - line_height + 3, label_width(&label),
						   label.count * line_height);
	for (int line = 0; line < label.count; line++)
		secret_text_printf(drawing->to, "<text%s x=\"%.1f\" y=\"%.1f\" text-anchor=\"%s\">%s</text>\n",
						   line ? "" : " class=\"name\"", x, y + line * line_height, anchor, label.lines[line]);
}

static void draw_node(const struct drawing *drawing, size_t i, const struct position *at)
{
	if (host_is_hub(drawing->list, i))
		secret_text_printf(drawing->to, "<circle class=\"ring\" cx=\"%.1f\" cy=\"%.1f\" r=\"%.1f\"/>\n", at->x, at->y,
						   node_radius + 4);
	secret_text_printf(drawing->to, "<circle class=\"%s\" cx=\"%.1f\" cy=\"%.1f\" r=\"%.1f\"/>\n",
					   drawing->list->hosts[i].has_endpoint ? "host" : "host nat", at->x, at->y, node_radius);
}

/* The title at the top and the legend at the bottom. */
static void draw_legend(const struct drawing *drawing)
{
	const struct topology *topology = drawing->network->topology;
	double y = drawing->height - line_height, x = 2 * gap;
	bool drawn = topology->link_count <= LINKS_DRAWN_MAX;

	secret_text_printf(
		drawing->to, "<text class=\"name\" x=\"%.1f\" y=\"%.1f\">%s: %zu host%s, %zu tunnel%s%s</text>\n", x,
		1.7 * line_height, drawing->list->interface, drawing->list->count, drawing->list->count == 1 ? "" : "s",
		topology->link_count, topology->link_count == 1 ? "" : "s", drawn ? "" : ", too many to draw");
	secret_text_printf(drawing->to,
					   "<circle class=\"host\" cx=\"%.1f\" cy=\"%.1f\" r=\"6\"/><text x=\"%.1f\" y=\"%.1f\">has an "
					   "endpoint</text>\n",
					   x, y - 4, x + gap, y);
	x += 150;
	secret_text_printf(
		drawing->to,
		"<circle class=\"host nat\" cx=\"%.1f\" cy=\"%.1f\" r=\"6\"/><text x=\"%.1f\" y=\"%.1f\">behind a "
		"NAT</text>\n",
		x, y - 4, x + gap, y);
	x += 135;
	if (drawing->list->hub_count)
		secret_text_printf(
			drawing->to,
			"<circle class=\"ring\" cx=\"%.1f\" cy=\"%.1f\" r=\"10\"/><circle class=\"host\" cx=\"%.1f\" "
			"cy=\"%.1f\" r=\"6\"/><text x=\"%.1f\" y=\"%.1f\">hub</text>\n",
			x, y - 4, x, y - 4, x + gap + 3, y);
	x += 70;
	if (drawing->list->topology == TOPOLOGY_TWO_HUBS)
		secret_text_printf(drawing->to,
						   "<path class=\"link second\" d=\"M%.1f %.1fh30\"/><text x=\"%.1f\" y=\"%.1f\">second "
						   "hub</text>\n",
						   x, y - 4, x + 30 + gap / 2, y);
}

static void draw_style(const struct drawing *drawing)
{
	size_t links = drawing->network->topology->link_count;
	const char *width = links > 2000 ? "0.1" : links > 200 ? "0.3" : "1.2";

	secret_text_printf(drawing->to,
					   "<style>\n"
					   "text{font:12px 'DejaVu Sans Mono',Menlo,Consolas,monospace;fill:#1c2430;stroke:#ffffff;"
					   "stroke-width:3px;stroke-linejoin:round;paint-order:stroke}\n"
					   ".name{font-weight:bold}\n"
					   ".page{fill:#ffffff}\n"
					   ".link{fill:none;stroke:#7b8794;stroke-width:%s}\n"
					   ".second{stroke-dasharray:2 4}\n"
					   ".host{fill:#1f6feb;stroke:#1f6feb;stroke-width:2}\n"
					   ".nat{fill:#ffffff}\n"
					   ".ring{fill:#ffffff;stroke:#1f6feb;stroke-width:2}\n"
					   "@media (prefers-color-scheme: dark){\n"
					   "text{fill:#e6edf3;stroke:#0d1117}\n"
					   ".page,.nat,.ring{fill:#0d1117}\n"
					   "}\n"
					   "</style>\n",
					   width);
}

void render_svg(struct secret_text *to, const struct network *network)
{
	struct drawing drawing = { .to = to, .network = network, .list = network->topology->list };
	const struct host_list *list = drawing.list;
	struct position *positions = calloc(list->count + 1, sizeof *positions);

	if (!positions) {
		to->failed = true;
		return;
	}
	measure_drawing(&drawing);
	secret_text_printf(
		to,
		"<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"%.0f\" height=\"%.0f\" viewBox=\"0 0 %.0f %.0f\">\n"
		"<title>%s</title>\n",
		drawing.width, drawing.height, drawing.width, drawing.height, list->interface);
	draw_style(&drawing);
	secret_text_printf(to, "<rect class=\"page\" width=\"100%%\" height=\"100%%\"/>\n");
	for (size_t i = 0; i < list->count; i++)
		positions[i] = position_of(&drawing, i);
	if (network->topology->link_count <= LINKS_DRAWN_MAX) {
		draw_links(&drawing, positions, true);
		draw_links(&drawing, positions, false);
	}
	for (size_t i = 0; i < list->count; i++)
		draw_node(&drawing, i, &positions[i]);
	for (size_t i = 0; i < list->count; i++)
		draw_label(&drawing, i, &positions[i]);
	draw_legend(&drawing);
	secret_text_printf(to, "</svg>\n");
	free(positions);
}
