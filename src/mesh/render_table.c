/* SPDX-License-Identifier: MIT */
/* Render: the table of hosts, aligned for people. */
#include <stdio.h>
#include <string.h>

#include "render.h"

enum { TABLE_NAME, TABLE_ENDPOINT, TABLE_ADDRESS, TABLE_TUNNELS, TABLE_KEY, TABLE_NETWORKS };
enum { CELL_ROOM = ENDPOINT_HOST + ENDPOINT_PORT + 4 };

static const char *const topology_names[] = {
	[TOPOLOGY_FULL] = "full", [TOPOLOGY_HUB] = "hub", [TOPOLOGY_TWO_HUBS] = "two hubs"
};

/* The last column, which needs no alignment, is not a cell: a host may have any number of networks. */
static void fill_cells(char cells[TABLE_NETWORKS][CELL_ROOM], const struct network *network, size_t i)
{
	const struct topology *topology = network->topology;
	const struct mesh_host *host = &topology->list->hosts[i];
	bool v6 = strchr(host->endpoint_host, ':') != NULL;
	size_t tunnels = 0;

	for (size_t other = 0; other < topology->list->count; other++)
		tunnels += other != i && topology_link(topology, i, other);
	snprintf(cells[TABLE_NAME], CELL_ROOM, "%s", host->name);
	if (host->has_endpoint)
		snprintf(cells[TABLE_ENDPOINT], CELL_ROOM, v6 ? "[%s]:%s" : "%s:%s", host->endpoint_host, host->endpoint_port);
	else
		strcpy(cells[TABLE_ENDPOINT], "-");
	render_addresses(cells[TABLE_ADDRESS], host);
	snprintf(cells[TABLE_TUNNELS], CELL_ROOM, "%zu", tunnels);
	key_to_base64(cells[TABLE_KEY], network->secrets->hosts[i].public_key);
}

static void append_row(struct secret_text *to, const size_t widths[TABLE_NETWORKS],
					   char cells[TABLE_NETWORKS][CELL_ROOM])
{
	for (int column = 0; column < TABLE_NETWORKS; column++)
		secret_text_printf(to, "%-*s  ", (int)widths[column], cells[column]);
}

void render_table(struct secret_text *to, const struct network *network)
{
	const struct topology *topology = network->topology;
	const struct host_list *list = topology->list;
	char titles[TABLE_NETWORKS][CELL_ROOM] = { "NAME", "ENDPOINT", "ADDRESS", "TUNNELS", "PUBLIC KEY" };
	char cells[TABLE_NETWORKS][CELL_ROOM];
	size_t widths[TABLE_NETWORKS];

	for (int column = 0; column < TABLE_NETWORKS; column++)
		widths[column] = strlen(titles[column]);
	for (size_t i = 0; i < list->count; i++) {
		fill_cells(cells, network, i);
		for (int column = 0; column < TABLE_NETWORKS; column++) {
			if (strlen(cells[column]) > widths[column])
				widths[column] = strlen(cells[column]);
		}
	}
	secret_text_printf(to, RENDER_MARK " from %s: network \"%s\", topology %s, %zu hosts, %zu tunnels.\n\n",
					   network->source, list->interface, topology_names[list->topology], list->count,
					   topology->link_count);
	append_row(to, widths, titles);
	secret_text_printf(to, "NETWORKS\n");
	for (size_t i = 0; i < list->count; i++) {
		const struct config_prefix *entry = list->hosts[i].networks;

		fill_cells(cells, network, i);
		append_row(to, widths, cells);
		secret_text_printf(to, "%s", entry ? "" : "-");
		for (; entry; entry = entry->next) {
			char text[PREFIX_TEXT];

			prefix_to_text(text, &entry->prefix);
			secret_text_printf(to, "%s%s", text, entry->next ? "," : "");
		}
		secret_text_printf(to, "\n");
	}
}
