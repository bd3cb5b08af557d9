/* SPDX-License-Identifier: MIT */
/* The list of hosts: what the files of its parser share. */
#ifndef ADIT_MESH_HOST_LIST_PARSER_H
#define ADIT_MESH_HOST_LIST_PARSER_H

#include "mesh/host_list.h"

enum host_option {
	OPTION_TOPOLOGY,
	OPTION_HUB,
	OPTION_NETWORK,
	OPTION_PORT,
	OPTION_INTERFACE,
	OPTION_KEEPALIVE,
	OPTION_MTU,
	OPTION_COUNT,
};

/* The name of a hub, which the list may define further down. */
struct hub_name {
	char name[MESH_NAME];
	int line;
};

struct host_parser {
	struct host_list *list;
	struct ini_report *report;
	const char *file;              /* for findings */
	int line;                      /* the current line, from 1 */
	int status;                    /* negative errno: stop parsing */
	size_t room;                   /* of list->hosts */
	int option_line[OPTION_COUNT]; /* 0: not given */
	struct hub_name hubs[MESH_HUBS_MAX];
	size_t hub_count;
	struct hub_name *spoke_hubs; /* the word "hub=" of each host; line 0: none; `room` entries */
};

void host_error(const struct host_parser *parser, int line, const char *format, ...)
	__attribute__((format(printf, 3, 4)));
void host_warning(const struct host_parser *parser, int line, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

enum { HOST_QUOTE = 72 };
/* Quotes `text` for a finding, cut to fit, without control characters, and without keys. Returns `quoted`. */
const char *host_quote(char quoted[HOST_QUOTE], const char *text);

/* Parses the value of an option, which it modifies. Both strings are trimmed. */
void host_option_read(struct host_parser *parser, const char *name, char *value);
/* Parses the line of a host, whose words it separates by NUL bytes, and appends the host. */
void host_columns_read(struct host_parser *parser, char *line);
/* True if the text is the name of a host: 1 to 63 of a-z A-Z 0-9 . _ -, starting with a letter or a digit. */
bool host_name_valid(const char *name);
/* A decimal number without sign or blanks, from `min` to `max`. */
bool host_number(const char *text, uint32_t min, uint32_t max, uint32_t *number);
/*
 * Splits a list at its commas: returns the next item and moves *list past it, or returns NULL at the end. Modifies the
 * list.
 */
char *host_next_item(char **list);
enum mesh_family host_family(const struct ip_prefix *prefix);

/* Resolves the names of hubs, and checks the hosts against each other and against the options. */
void host_check(struct host_parser *parser);

#endif
