/* SPDX-License-Identifier: MIT */
/* INI: lists of addresses and networks. */
#include <arpa/inet.h>
#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "ini_parser.h"

enum { ITEM_ROOM = 128 }; /* more than a prefix can need */

/* One item of a list. If it does not fit, `text` holds its beginning. */
struct list_item {
	char text[ITEM_ROOM];
	size_t length;
	bool fits;
};

static void item_append(struct list_item *item, char c)
{
	item->fits = item->length < sizeof item->text - 1;
	if (!item->fits)
		return;
	item->text[item->length++] = c;
	item->text[item->length] = '\0';
}

/* The length of a netmask such as 255.255.255.0, in which no zero precedes a one. */
static bool length_from_netmask(uint8_t *length, const char *text)
{
	struct in_addr mask;
	uint32_t host_bits;

	if (inet_pton(AF_INET, text, &mask) != 1)
		return false;
	host_bits = ~ntohl(mask.s_addr);
	*length = (uint8_t)(32 - __builtin_popcount(host_bits));
	return (host_bits & (host_bits + 1)) == 0;
}

/* Accepts what prefix_from_text() accepts and, after the '/', a netmask for IPv4 and leading zeros. */
static bool prefix_from_item(struct ip_prefix *prefix, const struct list_item *item)
{
	char text[ITEM_ROOM];
	char *length_text = text + strcspn(item->text, "/") + 1;
	uint8_t length;

	if (!item->fits)
		return false;
	memcpy(text, item->text, sizeof text);
	if (!strchr(text, '/'))
		return prefix_from_text(prefix, text);
	if (length_from_netmask(&length, length_text)) {
		length_text[-1] = '\0';
		if (!prefix_from_text(prefix, text) || prefix->family != AF_INET)
			return false;
		prefix->length = length;
		return true;
	}
	while (length_text[0] == '0' && isdigit((unsigned char)length_text[1]))
		memmove(length_text, length_text + 1, strlen(length_text));
	return prefix_from_text(prefix, text);
}

static void append_prefix(struct ini_parser *parser, const struct ip_prefix *prefix, struct config_prefix ***tail)
{
	struct config_prefix *added = calloc(1, sizeof *added);

	if (!added) {
		parser->status = -ENOMEM;
		return;
	}
	added->prefix = *prefix;
	added->line = parser->line;
	added->file = parser->file;
	**tail = added;
	*tail = &added->next;
}

/* Takes the next item of a list without commas. Blanks around a '/' do not end an item. */
static struct list_item next_item(struct ini_slice *list)
{
	struct list_item item = { .fits = true };
	bool after_blank = false;

	for (; list->length; list->at++, list->length--) {
		char c = *list->at;
		if (ini_is_blank(c)) {
			after_blank = true;
			continue;
		}
		if (after_blank && item.length && c != '/' && item.text[item.length - 1] != '/')
			break;
		after_blank = false;
		item_append(&item, c);
	}
	return item;
}

/* Appends the items between two commas: one item if that is possible, or several separated by blanks. */
static void append_items(struct ini_parser *parser, const char *name, struct ini_slice list,
						 struct config_prefix ***tail)
{
	struct list_item whole = { .fits = true };
	struct ip_prefix prefix;
	char quoted[INI_QUOTE];

	for (size_t i = 0; i < list.length && whole.fits; i++) {
		if (!ini_is_blank(list.at[i]))
			item_append(&whole, list.at[i]);
	}
	if (!whole.length)
		return;
	if (prefix_from_item(&prefix, &whole)) {
		append_prefix(parser, &prefix, tail);
		return;
	}
	while (list.length) {
		struct list_item item = next_item(&list);
		if (prefix_from_item(&prefix, &item))
			append_prefix(parser, &prefix, tail);
		else if (item.length)
			ini_error(parser, parser->line, "%s: %s is not an address or a network such as 10.0.0.0/24 or fd00::/64",
					  name, ini_quote(quoted, item.text));
	}
}

void ini_append_prefixes(struct ini_parser *parser, const char *name, const char *value, struct config_prefix ***tail)
{
	while (*value) {
		size_t length = strcspn(value, ",");

		append_items(parser, name, (struct ini_slice) { value, length }, tail);
		value += length;
		value += *value == ',';
	}
}
