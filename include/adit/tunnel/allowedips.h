/*
 * Allowed IPs: the cryptokey routing table (WireGuard paper, section 2). A path-compressed binary trie for each IP
 * version, longest match first.
 */
#ifndef ADIT_ALLOWEDIPS_H
#define ADIT_ALLOWEDIPS_H

#include <stddef.h>
#include <stdint.h>

struct peer;
struct allowedip;

/* Zeroed memory is an empty table. */
struct allowedips {
	struct allowedip *v4, *v6;
};

/* What a peer was given, in no particular order. Zeroed memory is an empty list. */
struct allowedip_list {
	struct allowedip *first;
	size_t count;
};

/*
 * Gives `address`/`length` (4 or 16 bytes for family AF_INET or AF_INET6, bits behind `length` ignored) to `peer`,
 * whose list it joins; whoever had exactly this prefix loses it. 0, -EINVAL or -ENOMEM.
 */
int allowedips_insert(struct allowedips *table, int family, const uint8_t *address, uint8_t length, struct peer *peer);

/* Takes the prefix away if it belongs to `peer`. 0, -EINVAL or -ENOENT. */
int allowedips_remove(struct allowedips *table, int family, const uint8_t *address, uint8_t length, struct peer *peer);

/* Takes all away from `peer`. */
void allowedips_remove_peer(struct allowedips *table, struct peer *peer);

/* The peer with the longest prefix that covers the address, or NULL. */
struct peer *allowedips_lookup4(const struct allowedips *table, const uint8_t address[4]);
struct peer *allowedips_lookup6(const struct allowedips *table, const uint8_t address[16]);

/* Calls `each` for every prefix of the list: the address masked, 4 or 16 bytes. */
void allowedip_list_walk(const struct allowedip_list *list,
						 void (*each)(void *context, int family, const uint8_t *address, uint8_t length),
						 void *context);

void allowedips_destroy(struct allowedips *table);

#endif
