/* SPDX-License-Identifier: MIT */
/* INI: checks that concern the whole file, peers against each other and against our own key. */
#include <errno.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#include "base/list.h"
#include "base/map.h"
#include "ini_parser.h"

/* A prefix in the AllowedIPs of a peer. The claims of a file are an array, ordered by peer. */
struct claim {
	struct map_node by_prefix;
	struct config_peer *peer;
	struct config_prefix *entry;
	bool lost; /* a claim on the same prefix further down in the file takes precedence */
};

struct known_peer {
	struct map_node by_key;
	struct config_peer *peer;
	struct config_prefix **tail; /* end of the peer's AllowedIPs; NULL: not known yet */
};

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

const struct config_prefix *ini_find_claim(const struct map *claims, const struct ip_prefix *prefix)
{
	const struct claim *claim = find_claim(claims, prefix, map_hash(prefix, sizeof *prefix));

	return claim ? claim->entry : NULL;
}

/* The included files follow the main file, in the order of reading. */
static bool is_further_down(const struct config_prefix *a, const struct config_prefix *b)
{
	unsigned file_a = a->file ? a->file->number : 0, file_b = b->file ? b->file->number : 0;

	return file_a != file_b ? file_a > file_b : a->line > b->line;
}

/*
 * The map holds one claim per prefix, the last in the files. Because merged peers have claims from several places, a
 * claim may be entered before one that is further up.
 */
static void enter_claim(const struct ini_parser *parser, struct map *map, struct claim *claim)
{
	uint64_t hash = map_hash(&claim->entry->prefix, sizeof claim->entry->prefix);
	struct claim *known = find_claim(map, &claim->entry->prefix, hash);
	bool known_is_last = known && is_further_down(known->entry, claim->entry);
	struct claim *last = known_is_last ? known : claim, *other = known_is_last ? claim : known;
	char text[PREFIX_TEXT], place[INI_PEER];

	if (other) {
		prefix_to_text(text, &last->entry->prefix);
		if (other->peer == last->peer)
			ini_warning_in(parser, last->entry->file, last->entry->line, "AllowedIPs: %s is listed twice for this peer",
						   text);
		else
			ini_warning_in(parser, last->entry->file, last->entry->line,
						   "AllowedIPs: %s is also listed for %s; only the last peer gets it", text,
						   ini_peer_text(place, parser, other->peer, last->entry->file));
		other->lost = true;
	}
	if (last != claim)
		return;
	if (known)
		map_remove(map, &known->by_prefix);
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
	ini_advise(parser, &map);
	error = 0;
out:
	map_destroy(&map);
	free(claims);
	return error;
}

static struct known_peer *find_known_peer(const struct map *map, uint64_t hash, const uint8_t public_key[KEY_BYTES])
{
	for (struct map_node *node = map_first(map, hash); node; node = map_next(node)) {
		struct known_peer *known = container_of(node, struct known_peer, by_key);
		if (memcmp(known->peer->public_key, public_key, KEY_BYTES) == 0)
			return known;
	}
	return NULL;
}

/*
 * Adds the settings of `from`. Where both peers have one, that of `from` counts, because it is further down. Returns 0
 * or -ENOMEM.
 */
static int merge_peer(const struct ini_parser *parser, struct known_peer *known, struct config_peer *from)
{
	struct config_peer *to = known->peer;

	if (!known->tail)
		known->tail = &to->allowed_ips;
	while (*known->tail)
		known->tail = &(*known->tail)->next;
	*known->tail = from->allowed_ips;
	from->allowed_ips = NULL;
	if (from->has_preshared_key) {
		memcpy(to->preshared_key, from->preshared_key, sizeof to->preshared_key);
		to->has_preshared_key = true;
	}
	if (from->has_endpoint) {
		memcpy(to->endpoint_host, from->endpoint_host, sizeof to->endpoint_host);
		memcpy(to->endpoint_port, from->endpoint_port, sizeof to->endpoint_port);
		to->has_endpoint = true;
	}
	if (from->has_keepalive) {
		to->keepalive = from->keepalive;
		to->has_keepalive = true;
	}
	for (int hook = 0; hook < PEER_HOOKS; hook++) {
		struct config_line **tail = &to->hooks[hook];

		while (*tail)
			tail = &(*tail)->next;
		*tail = from->hooks[hook];
		from->hooks[hook] = NULL;
	}
	if (from->has_cipher) {
		to->cipher = from->cipher;
		to->has_cipher = true;
	}
	return ini_merge_label(parser, to, from);
}

static int merge_same_peers(const struct ini_parser *parser)
{
	struct known_peer *known = calloc(parser->config->peer_count + 1, sizeof *known);
	struct known_peer *next = known;
	struct config_peer **link = &parser->config->peers;
	struct map map = { 0 };
	/* The administrator writes the file, but the peers choose their keys: as in tunnel/peer.c, the hash is secret. */
	uint8_t hash_key[crypto_shorthash_KEYBYTES];
	char title[INI_TITLE], place[INI_PEER];
	int error = -ENOMEM;

	if (!known || map_init(&map) < 0)
		goto out;
	error = 0;
	randombytes_buf(hash_key, sizeof hash_key);
	while (*link && !error) {
		struct config_peer *peer = *link;
		struct known_peer *earlier;
		uint64_t hash;

		crypto_shorthash((uint8_t *)&hash, peer->public_key, KEY_BYTES, hash_key);
		earlier = peer->has_public_key ? find_known_peer(&map, hash, peer->public_key) : NULL;
		if (earlier) {
			ini_warning_in(parser, peer->file, peer->line, "%s: PublicKey is also that of %s; both sections are merged",
						   ini_peer_title(title, peer), ini_peer_text(place, parser, earlier->peer, peer->file));
			error = merge_peer(parser, earlier, peer);
			*link = peer->next;
			config_peer_free(peer);
			parser->config->peer_count--;
			continue;
		}
		if (peer->has_public_key) {
			next->peer = peer;
			map_insert(&map, &next->by_key, hash);
			next++;
		}
		link = &peer->next;
	}
out:
	map_destroy(&map);
	free(known);
	return error;
}

/*
 * Hosts may share a file of peers. The networks of the own peer are behind this host, and get no route. Its default
 * route stays: if the key is a mistake, other traffic must not leave in the clear.
 */
static void ignore_own_peer(const struct ini_parser *parser)
{
	const struct config *config = parser->config;
	uint8_t own[KEY_BYTES];
	char title[INI_TITLE];

	if (!config->has_private_key || crypto_scalarmult_base(own, config->private_key) != 0)
		return;
	for (struct config_peer *peer = config->peers; peer; peer = peer->next) {
		if (!peer->has_public_key || memcmp(peer->public_key, own, KEY_BYTES) != 0)
			continue;
		ini_warning_in(parser, peer->file, peer->line,
					   "%s: PublicKey is the public key of this interface; the peer is ignored",
					   ini_peer_title(title, peer));
		for (struct config_prefix **link = &peer->allowed_ips; *link;) {
			struct config_prefix *entry = *link;

			if (entry->prefix.length == 0) {
				link = &entry->next;
				continue;
			}
			*link = entry->next;
			free(entry);
		}
	}
}

int ini_check(struct ini_parser *parser)
{
	const struct config *config = parser->config;
	int error = merge_same_peers(parser);

	if (error)
		return error;
	ignore_own_peer(parser);
	if (config->dns_search && !config->dns_servers)
		ini_advice_in(parser, NULL, config->dns_search->line,
					  "DNS: search domains have no effect without a name server");
	error = ini_check_names(parser);
	return error ? error : check_allowed_ips(parser);
}
