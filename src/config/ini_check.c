/* SPDX-License-Identifier: MIT */
/* INI: checks that concern the whole file, peers against each other and against our own key. */
#include <errno.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "base/list.h"
#include "base/map.h"
#include "ini_parser.h"

/* A prefix in the AllowedIPs of a peer. The claims of a file are an array in the order of the file. */
struct claim {
	struct map_node by_prefix;
	struct config_peer *peer;
	struct config_prefix *entry;
	bool lost; /* a later claim on the same prefix took its place */
};

struct known_peer {
	struct map_node by_key;
	const struct config_peer *peer;
};

/* FNV-1a. Nobody floods this map: the administrator writes the file. */
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

/* Fills `claims`, unless it is NULL, and returns their number. */
static size_t collect_claims(const struct config *config, struct claim *claims)
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

static struct claim *find_claim(const struct map *map, const struct ip_prefix *prefix, uint64_t hash)
{
	for (struct map_node *node = map_first(map, hash); node; node = map_next(node)) {
		struct claim *claim = container_of(node, struct claim, by_prefix);
		if (prefix_equal(&claim->entry->prefix, prefix))
			return claim;
	}
	return NULL;
}

/* The map holds one claim per prefix, the last so far. */
static void enter_claim(const struct ini_parser *parser, struct map *map, struct claim *claim)
{
	uint64_t hash = prefix_hash(&claim->entry->prefix);
	struct claim *earlier = find_claim(map, &claim->entry->prefix, hash);
	char text[PREFIX_TEXT];

	if (earlier) {
		prefix_to_text(text, &claim->entry->prefix);
		if (earlier->peer == claim->peer)
			ini_warning(parser, claim->entry->line, "AllowedIPs: %s is listed twice for this peer", text);
		else
			ini_warning(parser, claim->entry->line,
						"AllowedIPs: %s is also listed for the peer on line %d; only the last peer gets it", text,
						earlier->peer->line);
		earlier->lost = true;
		map_remove(map, &earlier->by_prefix);
	}
	map_insert(map, &claim->by_prefix, hash);
}

/* Rebuilds the lists of all peers without the lost claims. */
static void drop_lost_claims(struct config *config, const struct claim *claims, size_t count)
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
	size_t count = collect_claims(parser->config, NULL);
	struct claim *claims = calloc(count + 1, sizeof *claims);
	struct map map = { 0 };
	int error = -ENOMEM;

	if (!claims || map_init(&map) < 0)
		goto out;
	collect_claims(parser->config, claims);
	for (size_t i = 0; i < count; i++)
		enter_claim(parser, &map, &claims[i]);
	drop_lost_claims(parser->config, claims, count);
	error = 0;
out:
	map_destroy(&map);
	free(claims);
	return error;
}

static const struct config_peer *find_known_peer(const struct map *map, const uint8_t public_key[KEY_BYTES])
{
	for (struct map_node *node = map_first(map, get_le64(public_key)); node; node = map_next(node)) {
		const struct config_peer *peer = container_of(node, struct known_peer, by_key)->peer;
		if (memcmp(peer->public_key, public_key, KEY_BYTES) == 0)
			return peer;
	}
	return NULL;
}

static int check_public_keys(const struct ini_parser *parser)
{
	struct known_peer *known = calloc(parser->config->peer_count + 1, sizeof *known);
	struct known_peer *next = known;
	struct map map = { 0 };
	int error = -ENOMEM;

	if (!known || map_init(&map) < 0)
		goto out;
	for (const struct config_peer *peer = parser->config->peers; peer; peer = peer->next) {
		const struct config_peer *earlier;
		if (!peer->has_public_key)
			continue;
		earlier = find_known_peer(&map, peer->public_key);
		if (earlier) {
			ini_error(parser, peer->line,
					  "[Peer]: PublicKey is also that of the peer on line %d; merge the two sections", earlier->line);
			continue;
		}
		next->peer = peer;
		map_insert(&map, &next->by_key, get_le64(peer->public_key));
		next++;
	}
	error = 0;
out:
	map_destroy(&map);
	free(known);
	return error;
}

static void check_own_key(const struct ini_parser *parser)
{
	const struct config *config = parser->config;
	uint8_t own[KEY_BYTES];

	if (!config->has_private_key || crypto_scalarmult_base(own, config->private_key) < 0)
		return;
	for (const struct config_peer *peer = config->peers; peer; peer = peer->next) {
		if (peer->has_public_key && memcmp(peer->public_key, own, KEY_BYTES) == 0)
			ini_warning(parser, peer->line,
						"[Peer]: PublicKey is the public key of this interface; the peer is ignored");
	}
}

int ini_check(struct ini_parser *parser)
{
	int error = check_public_keys(parser);

	if (error)
		return error;
	check_own_key(parser);
	return check_allowed_ips(parser);
}
