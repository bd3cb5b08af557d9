/* SPDX-License-Identifier: MIT */
/* The list of hosts: its options, one row each, and the functions that parse their values. */
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "base/spelling.h"
#include "host_list_parser.h"

enum {
	MTU_MIN = 68, /* those of MTU in adit.conf(5) */
	MTU_MAX = 65475,
};

#define INTERFACE_CHARACTERS "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.-"

struct option_row {
	const char *name;
	void (*set)(struct host_parser *parser, const char *name, char *value);
};

static void reject_option(const struct host_parser *parser, const char *name, const char *value, const char *expected)
{
	char quoted[HOST_QUOTE];

	host_error(parser, parser->line, "%s: %s is not %s", name, host_quote(quoted, value), expected);
}

static void set_topology(struct host_parser *parser, const char *name, char *value)
{
	static const char *const names[] = {
		[TOPOLOGY_FULL] = "full", [TOPOLOGY_HUB] = "hub", [TOPOLOGY_TWO_HUBS] = "two-hubs"
	};

	for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
		if (strcasecmp(value, names[i]) == 0) {
			parser->list->topology = (enum mesh_topology)i;
			return;
		}
	}
	reject_option(parser, name, value, "full, hub or two-hubs");
}

static void set_hub(struct host_parser *parser, const char *name, char *value)
{
	for (char *item; (item = host_next_item(&value)) != NULL;) {
		struct hub_name *hub = &parser->hubs[parser->hub_count];

		if (!host_name_valid(item)) {
			reject_option(parser, name, item, "the name of a host");
		} else if (parser->hub_count == MESH_HUBS_MAX) {
			host_error(parser, parser->line, "%s: more than %d hubs", name, MESH_HUBS_MAX);
			return;
		} else {
			snprintf(hub->name, sizeof hub->name, "%s", item);
			hub->line = parser->line;
			parser->hub_count++;
		}
	}
}

static void set_network(struct host_parser *parser, const char *name, char *value)
{
	for (char *item; (item = host_next_item(&value)) != NULL;) {
		char text[PREFIX_TEXT], quoted[HOST_QUOTE];
		struct ip_prefix network, given;
		struct ip_prefix *known;

		if (!prefix_from_text(&network, item) || !strchr(item, '/') || network.length < 8) {
			reject_option(parser, name, item, "a network such as 10.9.0.0/24 or fd09::/64, with a length of 8 or more");
			continue;
		}
		given = network;
		prefix_mask(&network);
		prefix_to_text(text, &network);
		if (!prefix_equal(&given, &network))
			host_error(parser, parser->line, "%s: %s has bits set beyond its length; it means %s", name,
					   host_quote(quoted, item), text);
		known = &parser->list->network[host_family(&network)];
		if (known->family)
			host_error(parser, parser->line, "%s: %s is a second network of the same family; one is allowed", name,
					   text);
		*known = network;
	}
}

static void set_port(struct host_parser *parser, const char *name, char *value)
{
	uint32_t port;

	if (host_number(value, 1, UINT16_MAX, &port))
		parser->list->port = (uint16_t)port;
	else
		reject_option(parser, name, value, "a port from 1 to 65535");
}

/* The rule of adit.conf(5) for file names, without the characters that the unit adit@NAME cannot have. */
static void set_interface(struct host_parser *parser, const char *name, char *value)
{
	size_t length = strlen(value), room = sizeof parser->list->interface;

	if (length && length < room && value[strspn(value, INTERFACE_CHARACTERS)] == '\0' && *value != '.' && *value != '-')
		snprintf(parser->list->interface, room, "%s", value);
	else
		reject_option(
			parser, name, value,
			"the name of an interface: 1 to 15 characters of a-z A-Z 0-9 _ . -, starting with neither . nor -");
}

static void set_keepalive(struct host_parser *parser, const char *name, char *value)
{
	uint32_t seconds = 0;

	if (strcasecmp(value, "off") == 0 || host_number(value, 0, UINT16_MAX, &seconds))
		parser->list->keepalive = (uint16_t)seconds;
	else
		reject_option(parser, name, value, "off or a number of seconds up to 65535");
}

static void set_mtu(struct host_parser *parser, const char *name, char *value)
{
	if (!host_number(value, MTU_MIN, MTU_MAX, &parser->list->mtu))
		reject_option(parser, name, value, "a number from 68 to 65475");
}

static const struct option_row options[OPTION_COUNT] = {
	[OPTION_TOPOLOGY] = { "topology", set_topology },
	[OPTION_HUB] = { "hub", set_hub },
	[OPTION_NETWORK] = { "network", set_network },
	[OPTION_PORT] = { "port", set_port },
	[OPTION_INTERFACE] = { "interface", set_interface },
	[OPTION_KEEPALIVE] = { "keepalive", set_keepalive },
	[OPTION_MTU] = { "mtu", set_mtu },
};

static void report_unknown_option(const struct host_parser *parser, const char *name)
{
	char quoted[HOST_QUOTE];

	for (size_t i = 0; i < OPTION_COUNT; i++) {
		if (spelling_resembles(name, options[i].name)) {
			host_error(parser, parser->line, "unknown option %s; did you mean %s?", host_quote(quoted, name),
					   options[i].name);
			return;
		}
	}
	host_error(parser, parser->line,
			   "unknown option %s; the options are topology, hub, network, port, interface, keepalive and mtu",
			   host_quote(quoted, name));
}

void host_option_read(struct host_parser *parser, const char *name, char *value)
{
	size_t i = 0;

	while (i < OPTION_COUNT && strcasecmp(name, options[i].name) != 0)
		i++;
	if (i == OPTION_COUNT) {
		report_unknown_option(parser, name);
		return;
	}
	if (parser->option_line[i])
		host_error(parser, parser->line, "%s: already set on line %d", options[i].name, parser->option_line[i]);
	else if (!*value)
		host_error(parser, parser->line, "%s: the value is missing", options[i].name);
	else
		options[i].set(parser, options[i].name, value);
	parser->option_line[i] = parser->line;
}
