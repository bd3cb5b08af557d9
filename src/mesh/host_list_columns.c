/* SPDX-License-Identifier: MIT */
/* The list of hosts: the columns of a host. */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "host_list_parser.h"

enum { COLUMN_NAME, COLUMN_ENDPOINT, COLUMN_ADDRESS, COLUMN_NETWORKS, COLUMN_GROUPS, COLUMN_COUNT };

#define BLANKS " \t\r\v\f"
#define NAME_CHARACTERS "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-"

bool host_name_valid(const char *name)
{
	size_t length = strlen(name);

	return length && length < MESH_NAME && !name[strspn(name, NAME_CHARACTERS)] && !strchr("._-", *name);
}

bool host_number(const char *text, uint32_t min, uint32_t max, uint32_t *number)
{
	size_t digits = strspn(text, "0123456789");
	unsigned long long value;

	if (!digits || digits > 10 || text[digits])
		return false;
	value = strtoull(text, NULL, 10);
	if (value < min || value > max)
		return false;
	*number = (uint32_t)value;
	return true;
}

char *host_next_item(char **list)
{
	char *item;

	*list += strspn(*list, BLANKS ",");
	if (!**list)
		return NULL;
	item = *list;
	*list += strcspn(item, BLANKS ",");
	if (**list)
		*(*list)++ = '\0';
	return item;
}

enum mesh_family host_family(const struct ip_prefix *prefix)
{
	return prefix->family == AF_INET6 ? MESH_IPV6 : MESH_IPV4;
}

static void reject_column(const struct host_parser *parser, const char *column, const char *value, const char *expected)
{
	char quoted[HOST_QUOTE];

	host_error(parser, parser->line, "%s: %s is not %s", column, host_quote(quoted, value), expected);
}

/* The files that are not folders of hosts have names, too. */
static void set_name(struct host_parser *parser, struct mesh_host *host, const char *value)
{
	static const char *const reserved[] = { "removed", "mesh.txt", "mesh.dot", "mesh.svg" };

	if (!host_name_valid(value)) {
		reject_column(parser, "name", value,
					  "1 to 63 characters of a-z A-Z 0-9 . _ -, starting with a letter or a digit");
		return;
	}
	for (size_t i = 0; i < sizeof reserved / sizeof *reserved; i++) {
		if (strcmp(value, reserved[i]) == 0)
			host_error(parser, parser->line, "name: \"%s\" is reserved for a file of adit mesh", value);
	}
	snprintf(host->name, sizeof host->name, "%s", value);
}

/*
 * True for a name or an IPv4 address and, in brackets, an IPv6 address, whose scope need not exist on this host. A name
 * whose last label consists of digits is a mistyped address.
 */
static bool endpoint_host_valid(const char *name, bool bracket)
{
	const char *last = strrchr(name, '.'), *scope = strchr(name, '%');
	char address[INET6_ADDRSTRLEN];
	struct endpoint endpoint;
	struct in6_addr v6;

	if (bracket) {
		snprintf(address, sizeof address, "%.*s", (int)strcspn(name, "%"), name);
		return inet_pton(AF_INET6, address, &v6) == 1 &&
			   (!scope || (scope[1] && !scope[1 + strspn(scope + 1, NAME_CHARACTERS)]));
	}
	last = last ? last + 1 : name;
	if (!last[strspn(last, "0123456789")])
		return endpoint_numeric(name, "1", &endpoint) == 0;
	return !name[strspn(name, NAME_CHARACTERS)] && !strchr("._-", *name);
}

/* "HOST", "HOST:PORT", "[IPV6]" or "[IPV6]:PORT". */
static void set_endpoint(struct host_parser *parser, struct mesh_host *host, const char *value)
{
	char text[ENDPOINT_HOST + ENDPOINT_PORT];
	bool bracket = *value == '[';
	const char *colon = bracket ? strstr(value, "]:") : strchr(value, ':');

	if (strcmp(value, "-") == 0)
		return;
	if (!bracket && colon && strchr(colon + 1, ':')) {
		reject_column(parser, "endpoint", value, "HOST or HOST:PORT; an IPv6 address needs brackets: [2001:db8::1]");
		return;
	}
	snprintf(text, sizeof text, colon ? "%s" : "%s:%u", value, parser->list->port);
	if (strlen(value) >= ENDPOINT_HOST || endpoint_split(text, host->endpoint_host, host->endpoint_port) < 0 ||
		!endpoint_host_valid(host->endpoint_host, bracket))
		reject_column(parser, "endpoint", value,
					  "HOST, HOST:PORT or [IPV6]:PORT with a port from 1 to 65535, or - for a host behind a NAT");
	else
		host->has_endpoint = true;
}

static void set_host_address(struct host_parser *parser, struct mesh_host *host, char *value)
{
	if (strcmp(value, "auto") == 0) {
		host->automatic_address = true;
		return;
	}
	for (char *item; (item = host_next_item(&value)) != NULL;) {
		struct ip_prefix address, *known;

		if (!prefix_from_text(&address, item) || strchr(item, '/')) {
			reject_column(parser, "address", item, "auto or an address such as 10.9.0.1 or fd09::1");
			continue;
		}
		known = &host->address[host_family(&address)];
		if (known->family)
			host_error(parser, parser->line, "address: %s is a second address of the same family; one is allowed",
					   item);
		*known = address;
	}
}

static void set_networks(struct host_parser *parser, struct mesh_host *host, char *value)
{
	struct config_prefix **tail = &host->networks;

	if (strcmp(value, "-") == 0)
		return;
	for (char *item; (item = host_next_item(&value)) != NULL;) {
		struct config_prefix *added;
		struct ip_prefix network, given;
		char text[PREFIX_TEXT], quoted[HOST_QUOTE];

		if (!prefix_from_text(&network, item) || !strchr(item, '/')) {
			reject_column(parser, "networks", item, "a network such as 192.168.1.0/24 or fd00::/64, or - for none");
			continue;
		}
		given = network;
		prefix_mask(&network);
		prefix_to_text(text, &network);
		if (!prefix_equal(&given, &network))
			host_error(parser, parser->line, "networks: %s has bits set beyond its length; it means %s",
					   host_quote(quoted, item), text);
		added = calloc(1, sizeof *added);
		if (!added) {
			parser->status = -ENOMEM;
			return;
		}
		added->prefix = network;
		added->line = parser->line;
		*tail = added;
		tail = &added->next;
	}
}

static void set_groups(struct host_parser *parser, struct mesh_host *host, char *value)
{
	struct host_list *list = parser->list;

	if (strcmp(value, "-") == 0)
		return;
	for (char *item; (item = host_next_item(&value)) != NULL;) {
		size_t i = 0;

		if (strcmp(item, "*") == 0) {
			host->in_all_groups = true;
			continue;
		}
		if (!host_name_valid(item)) {
			reject_column(parser, "groups", item,
						  "1 to 63 characters of a-z A-Z 0-9 . _ -, starting with a letter or a digit, * for all "
						  "groups, or - for none");
			continue;
		}
		while (i < list->group_count && strcmp(list->groups[i], item) != 0)
			i++;
		if (i == MESH_GROUPS_MAX) {
			host_error(parser, parser->line, "groups: \"%s\" is one group too many; the limit is %d", item,
					   MESH_GROUPS_MAX);
			return;
		}
		if (i == list->group_count)
			snprintf(list->groups[list->group_count++], MESH_NAME, "%s", item);
		host->groups |= UINT64_C(1) << i;
	}
}

/* Parses "ssh=DESTINATION" or "hub=NAME". */
static void set_host_word(struct host_parser *parser, struct mesh_host *host, struct hub_name *hub, const char *word)
{
	const char *value = strchr(word, '=') + 1;

	if (strncmp(word, "ssh=", 4) == 0) {
		/* ssh(1) takes a leading '-' for an option. */
		if (!*value || strlen(value) >= sizeof host->ssh || (*value == '-' && value[1]))
			reject_column(parser, "ssh", value, "a destination for ssh(1) such as root@host, or - for none");
		else
			snprintf(host->ssh, sizeof host->ssh, "%s", value);
	} else if (strncmp(word, "hub=", 4) == 0) {
		if (!host_name_valid(value)) {
			reject_column(parser, "hub", value, "the name of a hub");
			return;
		}
		snprintf(hub->name, sizeof hub->name, "%s", value);
		hub->line = parser->line;
	} else {
		reject_column(parser, "host", word, "a column or one of ssh=DESTINATION and hub=NAME");
	}
}

/* Removes the blanks around commas, so that "10.9.0.1, fd09::1" is one column. */
static void join_lists(char *line)
{
	char *to = line;

	for (const char *from = line; *from; from++) {
		size_t blanks = strspn(from, BLANKS);

		if (blanks && from[blanks] == ',')
			from += blanks;
		*to++ = *from;
		if (*from == ',')
			from += strspn(from + 1, BLANKS);
	}
	*to = '\0';
}

/* Makes room for one more host and zeroes it. Returns false if that fails, which is noted or reported. */
static bool reserve_host(struct host_parser *parser)
{
	struct host_list *list = parser->list;
	struct mesh_host *hosts;
	struct hub_name *hubs;
	size_t room = parser->room ? parser->room * 2 : 64;

	if (list->count == MESH_HOSTS_MAX) {
		host_error(parser, parser->line, "more than %d hosts", MESH_HOSTS_MAX);
		return false;
	}
	if (list->count == parser->room) {
		hosts = realloc(list->hosts, room * sizeof *hosts);
		if (hosts)
			list->hosts = hosts;
		hubs = realloc(parser->spoke_hubs, room * sizeof *hubs);
		if (hubs)
			parser->spoke_hubs = hubs;
		if (!hosts || !hubs) {
			parser->status = -ENOMEM;
			return false;
		}
		parser->room = room;
	}
	list->hosts[list->count] = (struct mesh_host) { .line = parser->line, .hub = MESH_NO_HUB };
	parser->spoke_hubs[list->count] = (struct hub_name) { 0 };
	return true;
}

void host_columns_read(struct host_parser *parser, char *line)
{
	char dash[] = "-", automatic[] = "auto";
	char *columns[COLUMN_COUNT] = { NULL, NULL, automatic, dash, dash };
	struct mesh_host *host;
	size_t count = 0;

	if (!reserve_host(parser))
		return;
	host = &parser->list->hosts[parser->list->count];
	join_lists(line);
	for (char *rest = NULL, *word = strtok_r(line, BLANKS, &rest); word; word = strtok_r(NULL, BLANKS, &rest)) {
		if (strchr(word, '=')) {
			set_host_word(parser, host, &parser->spoke_hubs[parser->list->count], word);
		} else if (count < COLUMN_COUNT) {
			columns[count++] = word;
		} else {
			host_error(parser, parser->line,
					   "too many columns; they are name, endpoint, address, networks and groups, and lists are "
					   "separated by commas");
			break;
		}
	}
	parser->list->count++;
	if (!columns[COLUMN_NAME])
		columns[COLUMN_NAME] = dash;
	set_name(parser, host, columns[COLUMN_NAME]);
	if (columns[COLUMN_ENDPOINT])
		set_endpoint(parser, host, columns[COLUMN_ENDPOINT]);
	else
		host_error(parser, parser->line, "endpoint: the column is missing; it is HOST, HOST:PORT, or - behind a NAT");
	set_host_address(parser, host, columns[COLUMN_ADDRESS]);
	set_networks(parser, host, columns[COLUMN_NETWORKS]);
	set_groups(parser, host, columns[COLUMN_GROUPS]);
}
