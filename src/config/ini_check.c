/* SPDX-License-Identifier: MIT */
/* What only the whole configuration shows: peers against each other, and against ourselves. */
#include <errno.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "base/map.h"
#include "ini_parser.h"

/* One AllowedIPs entry, in the order of the file. */
struct claim {
	struct map_node node; /* by prefix; first, so that a node is a claim */
	struct config_peer *peer;
	struct config_prefix *entry;
	bool lost; /* to a later peer, or said twice */
};

struct known_peer {
	struct map_node node; /* by public key; first, so that a node is a known_peer */
	const struct config_peer *peer;
};

/* FNV-1a. The file is the administrator's own, so a plain hash will do. */
static uint64_t prefix_hash(const struct ip_prefix *prefix)
{
	uint64_t hash = UINT64_C(0xcbf29ce484222325);

	hash = (hash ^ prefix->family) * UINT64_C(0x100000001b3);
	hash = (hash ^ prefix->length) * UINT64_C(0x100000001b3);
	for (size_t i = 0; i < sizeof prefix->address; i++)
		hash = (hash ^ prefix->address[i]) * UINT64_C(0x100000001b3);
	return hash;
}

static bool prefix_equal(const struct ip_prefix *a, const struct ip_prefix *b)
{
	return a->family == b->family && a->length == b->length && memcmp(a->address, b->address, sizeof a->address) == 0;
}

static size_t claims_collect(const struct config *config, struct claim *claims)
{
	size_t count = 0;

	for (struct config_peer *peer = config->peers; peer; peer = peer->next) {
		for (struct config_prefix *entry = peer->allowed_ips; entry; entry = entry->next, count++) {
			if (claims)
				claims[count] = (struct claim) { .peer = peer, .entry = entry };
		}
	}
	return count;
}

static struct claim *claim_find(const struct map *map, const struct ip_prefix *prefix, uint64_t hash)
{
	for (struct map_node *node = map_first(map, hash); node; node = map_next(node)) {
		struct claim *claim = (struct claim *)node;
		if (prefix_equal(&claim->entry->prefix, prefix))
			return claim;
	}
	return NULL;
}

/* Only one claim on a prefix stands in the map: the last. */
static void claim_enter(const struct ini_parser *parser, struct map *map, struct claim *claim)
{
	uint64_t hash = prefix_hash(&claim->entry->prefix);
	struct claim *other = claim_find(map, &claim->entry->prefix, hash);
	char text[PREFIX_TEXT];

	if (other) {
		prefix_to_text(text, &claim->entry->prefix);
		if (other->peer == claim->peer)
			ini_warning(parser, claim->entry->line, "AllowedIPs: %s twice for one peer; once is enough", text);
		else
			ini_warning(
				parser, claim->entry->line,
				"AllowedIPs: %s is also the peer's of line %d; only one can have it, and this one, the last, does",
				text, other->peer->line);
		other->lost = true;
		map_remove(map, &other->node);
	}
	map_insert(map, &claim->node, hash);
}

/* Rebuilds the lists of all peers from the claims that stand. */
static void claims_settle(struct config *config, const struct claim *claims, size_t count)
{
	size_t i = 0;

	for (struct config_peer *peer = config->peers; peer; peer = peer->next) {
		struct config_prefix **tail = &peer->allowed_ips;

		for (; i < count && claims[i].peer == peer; i++) {
			if (claims[i].lost) {
				free(claims[i].entry);
				continue;
			}
			*tail = claims[i].entry;
			tail = &claims[i].entry->next;
		}
		*tail = NULL;
	}
}

static int check_allowed_ips(const struct ini_parser *parser)
{
	size_t count = claims_collect(parser->config, NULL);
	struct claim *claims = calloc(count + 1, sizeof *claims);
	struct map map = { 0 };
	int status = -ENOMEM;

	if (!claims || map_init(&map) < 0)
		goto out;
	claims_collect(parser->config, claims);
	for (size_t i = 0; i < count; i++)
		claim_enter(parser, &map, &claims[i]);
	claims_settle(parser->config, claims, count);
	status = 0;
out:
	map_destroy(&map);
	free(claims);
	return status;
}

static const struct config_peer *peer_find(const struct map *map, const uint8_t public_key[KEY_BYTES])
{
	for (struct map_node *node = map_first(map, get_le64(public_key)); node; node = map_next(node)) {
		const struct config_peer *peer = ((struct known_peer *)node)->peer;
		if (memcmp(peer->public_key, public_key, KEY_BYTES) == 0)
			return peer;
	}
	return NULL;
}

static void peer_enter(const struct ini_parser *parser, struct map *map, struct known_peer *known)
{
	const struct config_peer *peer = known->peer;
	const struct config_peer *other = peer_find(map, peer->public_key);

	if (other)
		ini_error(parser, peer->line, "the PublicKey of this peer is that of the peer of line %d; make it one section",
				  other->line);
	else
		map_insert(map, &known->node, get_le64(peer->public_key));
}

static int check_public_keys(const struct ini_parser *parser)
{
	struct known_peer *known = calloc(parser->config->peer_count + 1, sizeof *known);
	struct known_peer *next = known;
	struct map map = { 0 };
	int status = -ENOMEM;

	if (!known || map_init(&map) < 0)
		goto out;
	for (const struct config_peer *peer = parser->config->peers; peer; peer = peer->next) {
		if (!peer->has_public_key)
			continue;
		next->peer = peer;
		peer_enter(parser, &map, next++);
	}
	status = 0;
out:
	map_destroy(&map);
	free(known);
	return status;
}

static void check_own_key(const struct ini_parser *parser)
{
	const struct config *config = parser->config;
	uint8_t own[KEY_BYTES];

	if (!config->has_private_key || crypto_scalarmult_base(own, config->private_key) < 0)
		return;
	for (const struct config_peer *peer = config->peers; peer; peer = peer->next) {
		if (peer->has_public_key && memcmp(peer->public_key, own, KEY_BYTES) == 0)
			ini_warning(parser, peer->line, "the PublicKey of this peer is our own; the peer is ignored");
	}
}

int ini_check(struct ini_parser *parser)
{
	int status = check_public_keys(parser);

	if (status < 0)
		return status;
	check_own_key(parser);
	return check_allowed_ips(parser);
}
