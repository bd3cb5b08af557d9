/* SPDX-License-Identifier: MIT */
/* INI: names and descriptions of peers. */
#include <assert.h>
#include <errno.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/list.h"
#include "base/map.h"
#include "base/utf8.h"
#include "ini_parser.h"
#include "tunnel/peer_label.h"

static_assert((int)CONFIG_NAME_MAX == (int)PEER_NAME_MAX, "one limit for names");

struct named_peer {
	struct map_node by_name;
	const struct config_peer *peer;
};

void ini_set_label(struct ini_parser *parser, const struct ini_key_row *key, const char *value)
{
	bool is_name = key->target == KEY_NAME;
	char *text = is_name ? parser->peer_name : parser->peer_description;
	size_t max = is_name ? PEER_NAME_MAX : PEER_DESCRIPTION_MAX;
	uint8_t secret[KEY_BYTES];
	bool is_key = key_from_base64(secret, value);

	sodium_memzero(secret, sizeof secret);
	/* A key that was pasted after the wrong word must not end up in a log. */
	if (is_key)
		ini_error(parser, parser->line, "%s: the value is a key", key->name);
	else if (strlen(value) > max)
		ini_error(parser, parser->line, "%s: the value has %zu bytes; at most %zu are allowed", key->name,
				  strlen(value), max);
	else if (!utf8_printable(value))
		ini_error(parser, parser->line, "%s: the value is not UTF-8 text without control characters", key->name);
	else
		snprintf(text, max + 1, "%s", value);
}

void ini_make_label(struct ini_parser *parser)
{
	struct config_peer *peer = parser->peer;

	if (*parser->peer_name || *parser->peer_description) {
		peer->label =
			peer_label_create(parser->config->interface, peer->public_key, parser->peer_name, parser->peer_description);
		if (!peer->label)
			parser->status = -ENOMEM;
	}
	parser->peer_name[0] = parser->peer_description[0] = '\0';
}

int ini_merge_label(const struct ini_parser *parser, struct config_peer *to, const struct config_peer *from)
{
	const struct peer_label *old = to->label, *new = from->label;
	struct peer_label *label;

	if (!new)
		return 0;
	label = peer_label_create(parser->config->interface, to->public_key, old && !*new->name ? old->name : new->name,
							  old && !*new->description ? old->description : new->description);
	if (!label)
		return -ENOMEM;
	peer_label_release(to->label);
	to->label = label;
	return 0;
}

const char *ini_peer_text(char text[INI_PEER], const struct ini_parser *parser, const struct config_peer *peer,
						  const struct config_file *from)
{
	const char *name = config_peer_name(peer);
	int length = snprintf(text, INI_PEER, "the peer%s%s", *name ? " " : "", name);

	if (peer->file == from)
		snprintf(text + length, INI_PEER - (size_t)length, " on line %d", peer->line);
	else
		snprintf(text + length, INI_PEER - (size_t)length, " in %s:%d", peer->file ? peer->file->path : parser->name,
				 peer->line);
	return text;
}

const char *ini_peer_title(char text[INI_TITLE], const struct config_peer *peer)
{
	const char *name = config_peer_name(peer);

	snprintf(text, INI_TITLE, "[Peer]%s%s", *name ? " " : "", name);
	return text;
}

static const struct config_peer *find_namesake(const struct map *map, const char *name, uint64_t hash)
{
	for (struct map_node *node = map_first(map, hash); node; node = map_next(node)) {
		const struct named_peer *known = container_of(node, struct named_peer, by_name);
		if (strcmp(config_peer_name(known->peer), name) == 0)
			return known->peer;
	}
	return NULL;
}

int ini_check_names(const struct ini_parser *parser)
{
	struct named_peer *named = calloc(parser->config->peer_count + 1, sizeof *named), *next = named;
	struct map map = { 0 };
	int error = -ENOMEM;

	if (!named || map_init(&map) < 0)
		goto out;
	for (const struct config_peer *peer = parser->config->peers; peer; peer = peer->next) {
		const char *name = config_peer_name(peer);
		const struct config_peer *earlier;
		char text[INI_PEER];
		uint64_t hash;

		if (!*name)
			continue;
		hash = map_hash(name, strlen(name));
		earlier = find_namesake(&map, name, hash);
		if (earlier) {
			ini_warning_in(parser, peer->file, peer->line, "[Peer] %s: Name is also that of %s", name,
						   ini_peer_text(text, parser, earlier, peer->file));
			continue;
		}
		next->peer = peer;
		map_insert(&map, &next->by_name, hash);
		next++;
	}
	error = 0;
out:
	map_destroy(&map);
	free(named);
	return error;
}
