/* SPDX-License-Identifier: MIT */
/* The keys of a network. */
#include "secrets.h"

#include <errno.h>
#include <netinet/in.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#include "base/keytext.h"
#include "base/list.h"
#include "base/map.h"

/* A host in the map of public keys. */
struct key_owner {
	struct map_node node;
	size_t host;
};

int secrets_init(struct secrets *secrets, size_t count)
{
	secrets->hosts = calloc(count + 1, sizeof *secrets->hosts);
	secrets->addresses = calloc(count * MESH_FAMILIES + 1, sizeof *secrets->addresses);
	if (!secrets->hosts || !secrets->addresses)
		return -ENOMEM;
	secrets->count = count;
	return 0;
}

static void forget_earlier_peers(struct mesh_secret *host)
{
	if (host->peers)
		sodium_memzero(host->peers, host->peer_count * sizeof *host->peers);
	free(host->peers);
	host->peers = NULL;
	host->peer_count = 0;
}

void secrets_destroy(struct secrets *secrets)
{
	for (size_t i = 0; i < secrets->count; i++) {
		forget_earlier_peers(&secrets->hosts[i]);
		secret_text_destroy(&secrets->hosts[i].kept);
	}
	if (secrets->hosts)
		sodium_memzero(secrets->hosts, secrets->count * sizeof *secrets->hosts);
	free(secrets->hosts);
	free(secrets->addresses);
	*secrets = (struct secrets) { 0 };
}

/* Keeps the first error of the parser. Its warnings do not matter here. */
static void keep_first_error(void *context, const char *text)
{
	struct reason *reason = context;

	if (!*reason->text && strstr(text, ": error: "))
		reason_set(reason, 0, "%s", text);
}

static int copy_peers(struct mesh_secret *host, const struct config *config)
{
	host->peers = calloc(config->peer_count + 1, sizeof *host->peers);
	if (!host->peers)
		return -ENOMEM;
	for (const struct config_peer *peer = config->peers; peer; peer = peer->next) {
		struct earlier_peer *earlier = &host->peers[host->peer_count++];

		memcpy(earlier->public_key, peer->public_key, KEY_BYTES);
		memcpy(earlier->psk, peer->preshared_key, KEY_BYTES);
		earlier->has_psk = peer->has_preshared_key;
	}
	return 0;
}

int secrets_read(struct secrets *secrets, size_t i, const char *path, struct reason *reason)
{
	struct ini_report report = { .line = keep_first_error, .context = reason };
	struct mesh_secret *host = &secrets->hosts[i];
	struct config config = { 0 };
	int error;

	*reason = (struct reason) { 0 };
	error = ini_load(&config, path, &report);
	if (error && !*reason->text)
		reason_set_errno(reason, error, "%s", path);
	if (!error && !config.has_private_key)
		error = reason_set(reason, -EINVAL, "%s: error: the file has no PrivateKey", path);
	if (!error && copy_peers(host, &config) < 0)
		error = reason_set_errno(reason, -ENOMEM, "%s", path);
	if (!error) {
		memcpy(host->private_key, config.private_key, KEY_BYTES);
		host->has_private_key = true;
		for (const struct config_prefix *entry = config.addresses; entry; entry = entry->next) {
			bool v6 = entry->prefix.family == AF_INET6;
			struct ip_prefix *address = &secrets->addresses[i * MESH_FAMILIES + (v6 ? MESH_IPV6 : MESH_IPV4)];

			*address = entry->prefix;
			address->length = v6 ? 128 : 32;
		}
	}
	config_destroy(&config);
	return error;
}

/* The public keys are our own, so their first bytes are as good as a hash. */
static uint64_t hash_of_key(const uint8_t public_key[KEY_BYTES])
{
	uint64_t hash;

	memcpy(&hash, public_key, sizeof hash);
	return hash;
}

/* Returns the host with this public key, or secrets->count. */
static size_t find_key_owner(const struct secrets *secrets, const struct map *map, const uint8_t public_key[KEY_BYTES])
{
	struct map_node *node = map_first(map, hash_of_key(public_key));

	for (; node; node = map_next(node)) {
		size_t host = container_of(node, struct key_owner, node)->host;
		if (memcmp(secrets->hosts[host].public_key, public_key, KEY_BYTES) == 0)
			return host;
	}
	return secrets->count;
}

/* Takes the preshared keys that the file of a host contains. The first file that has one for a link decides. */
static void keep_preshared_keys(const struct secrets *secrets, struct topology *topology, const struct map *map,
								size_t i)
{
	const struct mesh_secret *host = &secrets->hosts[i];

	for (size_t k = 0; k < host->peer_count; k++) {
		const struct earlier_peer *peer = &host->peers[k];
		size_t other = find_key_owner(secrets, map, peer->public_key);
		struct mesh_link *link = other < secrets->count && other != i ? topology_link(topology, i, other) : NULL;

		if (!link || !peer->has_psk || link->has_psk || host->rotate || secrets->hosts[other].rotate)
			continue;
		memcpy(link->psk, peer->psk, KEY_BYTES);
		link->has_psk = true;
	}
}

/* The primary hub is the first peer in the file of a spoke. */
static void keep_primary_hub(const struct secrets *secrets, struct topology *topology, const struct map *map, size_t i)
{
	const struct mesh_secret *host = &secrets->hosts[i];
	const struct host_list *list = topology->list;
	size_t first = host->peer_count ? find_key_owner(secrets, map, host->peers[0].public_key) : secrets->count;

	for (size_t hub = 0; hub < list->hub_count; hub++) {
		if (list->hubs[hub] == first)
			topology->primary[i] = (int)hub;
	}
}

/* Enters the public keys of the hosts that have a file. Their order in the list decides who is named first. */
static int enter_earlier_keys(struct secrets *secrets, const struct topology *topology, struct map *map,
							  struct key_owner *owners, struct reason *reason)
{
	for (size_t i = 0; i < secrets->count; i++) {
		struct mesh_secret *host = &secrets->hosts[i];
		size_t other;

		if (!host->has_private_key)
			continue;
		crypto_scalarmult_base(host->public_key, host->private_key);
		other = find_key_owner(secrets, map, host->public_key);
		if (other < secrets->count)
			return reason_set(
				reason, -EEXIST,
				"hosts %s and %s have the same private key; remove the folder of one of them to make a new key",
				topology->list->hosts[other].name, topology->list->hosts[i].name);
		owners[i].host = i;
		map_insert(map, &owners[i].node, hash_of_key(host->public_key));
	}
	return 0;
}

int secrets_complete(struct secrets *secrets, struct topology *topology, struct reason *reason)
{
	struct key_owner *owners = calloc(secrets->count + 1, sizeof *owners);
	struct map map = { 0 };
	int error = -ENOMEM;

	if (!owners || map_init(&map) < 0) {
		reason_set_errno(reason, error, "keys");
		goto out;
	}
	error = enter_earlier_keys(secrets, topology, &map, owners, reason);
	if (error)
		goto out;
	for (size_t i = 0; i < secrets->count; i++) {
		keep_preshared_keys(secrets, topology, &map, i);
		keep_primary_hub(secrets, topology, &map, i);
	}
	for (size_t i = 0; i < secrets->count; i++) {
		struct mesh_secret *host = &secrets->hosts[i];

		if (!host->has_private_key || host->rotate) {
			key_generate(host->private_key);
			crypto_scalarmult_base(host->public_key, host->private_key);
		}
		forget_earlier_peers(host);
	}
	for (size_t i = 0; i < topology->link_count; i++) {
		if (!topology->links[i].has_psk)
			randombytes_buf(topology->links[i].psk, KEY_BYTES);
	}
	topology_assign_hubs(topology);
out:
	map_destroy(&map);
	free(owners);
	return error;
}
