/* SPDX-License-Identifier: MIT */
/*
 * Render: the picture as SVG, without Graphviz. The hosts are on a ring; hubs are inside it if every tunnel ends at a
 * hub.
 */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/svg.h"
#include "render.h"

enum { LINKS_DRAWN_MAX = 20000 };

struct drawing {
	FILE *to;
	const struct network *network;
	const struct host_list *list;
	bool hubs_inside;
	struct svg_ring ring;
};

static void fill_label(const struct drawing *drawing, struct svg_label *label, size_t i, bool radial)
{
	const struct mesh_host *host = &drawing->list->hosts[i];
	char addresses[RENDER_ADDRESSES], text[PREFIX_TEXT];

	label->count = 0;
	if (radial) {
		render_addresses(addresses, host);
		addresses[strcspn(addresses, ",")] = '\0';
		svg_label_printf(label, "%s  %s", host->name, addresses);
		return;
	}
	svg_label_printf(label, "%s", host->name);
	for (int family = 0; family < MESH_FAMILIES; family++) {
		if (!host->address[family].family)
			continue;
		prefix_to_text(text, &host->address[family]);
		text[strcspn(text, "/")] = '\0';
		svg_label_printf(label, "%s", text);
	}
	for (const struct config_prefix *entry = host->networks; entry; entry = entry->next) {
		prefix_to_text(text, &entry->prefix);
		if (label->count == SVG_LABEL_LINES - 1 && entry->next)
			strcpy(text, "more networks");
		svg_label_printf(label, "%s", text);
	}
}

static void measure_drawing(struct drawing *drawing)
{
	const struct host_list *list = drawing->list;
	double radius_min, hub_label = 0;
	struct svg_label label;

	drawing->hubs_inside = list->topology != TOPOLOGY_FULL;
	svg_ring_begin(&drawing->ring, list->count - (drawing->hubs_inside ? list->hub_count : 0));
	for (size_t i = 0; i < list->count; i++) {
		fill_label(drawing, &label, i, drawing->ring.radial);
		svg_ring_add_label(&drawing->ring, &label);
	}
	for (size_t i = 0; i < list->hub_count; i++) {
		fill_label(drawing, &label, list->hubs[i], false);
		hub_label = fmax(hub_label, svg_label_width(&label));
	}
	radius_min = drawing->ring.radial || drawing->hubs_inside ? 180 : 110;
	if (list->topology == TOPOLOGY_TWO_HUBS)
		radius_min = fmax(radius_min, (hub_label + SVG_GAP) / 0.9);
	svg_ring_layout(&drawing->ring, radius_min);
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

static struct svg_position position_of(const struct drawing *drawing, size_t host)
{
	const struct host_list *list = drawing->list;
	const struct svg_ring *ring = &drawing->ring;
	struct svg_position position = { ring->center_x, ring->center_y, 0, true };
	double part = ring->count ? 1.0 / (double)ring->count : 0, turn;

	if (drawing->hubs_inside && host_is_hub(list, host)) {
		if (list->hub_count > 1)
			position.x += ring->radius * (list->hubs[0] == host ? -0.45 : 0.45);
		return position;
	}
	/* Two hosts, and the halves of two hubs, are left and right. */
	turn = (double)ring_place(drawing, host) * part;
	if (list->hub_count > 1 || ring->count == 2)
		turn += part / 2;
	return svg_ring_position(ring, turn);
}

static void draw_links(const struct drawing *drawing, const struct svg_position *positions, bool secondary)
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
			fprintf(drawing->to, "<path class=\"%s\" d=\"", secondary ? "link second" : "link");
		started = true;
		fprintf(drawing->to, "M%.1f %.1fL%.1f %.1f", positions[link->a].x, positions[link->a].y, positions[link->b].x,
				positions[link->b].y);
	}
	if (started)
		fprintf(drawing->to, "\"/>\n");
}

/* The title at the top and the legend at the bottom. */
static void draw_legend(const struct drawing *drawing)
{
	const struct topology *topology = drawing->network->topology;
	double y = drawing->ring.height - SVG_LINE_HEIGHT, x = 2 * SVG_GAP;
	bool drawn = topology->link_count <= LINKS_DRAWN_MAX;

	fprintf(drawing->to, "<text class=\"name\" x=\"%.1f\" y=\"%.1f\">%s: %zu host%s, %zu tunnel%s%s</text>\n", x,
			1.7 * SVG_LINE_HEIGHT, drawing->list->interface, drawing->list->count, drawing->list->count == 1 ? "" : "s",
			topology->link_count, topology->link_count == 1 ? "" : "s", drawn ? "" : ", too many to draw");
	fprintf(drawing->to,
			"<circle class=\"host\" cx=\"%.1f\" cy=\"%.1f\" r=\"6\"/><text x=\"%.1f\" y=\"%.1f\">has an "
			"endpoint</text>\n",
			x, y - 4, x + SVG_GAP, y);
	x += 150;
	fprintf(drawing->to,
			"<circle class=\"host nat\" cx=\"%.1f\" cy=\"%.1f\" r=\"6\"/><text x=\"%.1f\" y=\"%.1f\">behind a "
			"NAT</text>\n",
			x, y - 4, x + SVG_GAP, y);
	x += 135;
	if (drawing->list->hub_count)
		fprintf(drawing->to,
				"<circle class=\"ring\" cx=\"%.1f\" cy=\"%.1f\" r=\"10\"/><circle class=\"host\" cx=\"%.1f\" "
				"cy=\"%.1f\" r=\"6\"/><text x=\"%.1f\" y=\"%.1f\">hub</text>\n",
				x, y - 4, x, y - 4, x + SVG_GAP + 3, y);
	x += 70;
	if (drawing->list->topology == TOPOLOGY_TWO_HUBS)
		fprintf(drawing->to,
				"<path class=\"link second\" d=\"M%.1f %.1fh30\"/><text x=\"%.1f\" y=\"%.1f\">second "
				"hub</text>\n",
				x, y - 4, x + 30 + SVG_GAP / 2, y);
}

/* The more tunnels, the thinner they are. */
static void draw_begin(const struct drawing *drawing)
{
	size_t links = drawing->network->topology->link_count;
	char style[512];

	snprintf(style, sizeof style,
			 ".link{fill:none;stroke:#7b8794;stroke-width:%s}\n"
			 ".second{stroke-dasharray:2 4}\n"
			 ".host{fill:#1f6feb;stroke:#1f6feb;stroke-width:2}\n"
			 ".nat{fill:#ffffff}\n"
			 ".ring{fill:#ffffff;stroke:#1f6feb;stroke-width:2}\n",
			 links > 2000  ? "0.1"
			 : links > 200 ? "0.3"
						   : "1.2");
	svg_begin(drawing->to, drawing->ring.width, drawing->ring.height, drawing->list->interface, style,
			  ".nat,.ring{fill:#0d1117}\n");
}

static void draw_network(struct drawing *drawing, struct svg_position *positions)
{
	const struct host_list *list = drawing->list;
	struct svg_label label;

	measure_drawing(drawing);
	draw_begin(drawing);
	for (size_t i = 0; i < list->count; i++)
		positions[i] = position_of(drawing, i);
	if (drawing->network->topology->link_count <= LINKS_DRAWN_MAX) {
		draw_links(drawing, positions, true);
		draw_links(drawing, positions, false);
	}
	for (size_t i = 0; i < list->count; i++) {
		if (host_is_hub(list, i))
			fprintf(drawing->to, "<circle class=\"ring\" cx=\"%.1f\" cy=\"%.1f\" r=\"%.1f\"/>\n", positions[i].x,
					positions[i].y, SVG_NODE_RADIUS + 4);
		fprintf(drawing->to, "<circle class=\"%s\" cx=\"%.1f\" cy=\"%.1f\" r=\"%.1f\"/>\n",
				list->hosts[i].has_endpoint ? "host" : "host nat", positions[i].x, positions[i].y, SVG_NODE_RADIUS);
	}
	for (size_t i = 0; i < list->count; i++) {
		fill_label(drawing, &label, i, drawing->ring.radial && !positions[i].inside);
		svg_ring_label(drawing->to, &drawing->ring, &label, &positions[i]);
	}
	draw_legend(drawing);
	svg_end(drawing->to);
}

void render_svg(struct secret_text *to, const struct network *network)
{
	struct drawing drawing = { .network = network, .list = network->topology->list };
	struct svg_position *positions = calloc(drawing.list->count + 1, sizeof *positions);
	char *text = NULL;
	size_t length;

	drawing.to = open_memstream(&text, &length);
	if (positions && drawing.to)
		draw_network(&drawing, positions);
	else
		to->failed = true;
	if (drawing.to && fclose(drawing.to))
		to->failed = true;
	if (!to->failed)
		secret_text_append(to, text, length);
	free(text);
	free(positions);
}
