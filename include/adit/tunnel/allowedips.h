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
	struct allowedip *spare; /* see allowedips_reserve */
};

/* What a peer was given, in the order it was given last. Zeroed memory is an empty list. */
struct allowedip_list {
	struct allowedip *first, *last;
	size_t count;
	uint64_t changes; /* grows with every change: while it stays, so do the pointers into the list */
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

/*
 * Replaces what a peer has without a moment in which what it keeps is gone: all it has is marked, what is then inserted
 * loses the mark, and sweeping takes away what still has it.
 */
void allowedips_mark(struct peer *peer);
void allowedips_sweep(struct allowedips *table, struct peer *peer);

/* Allocates ahead, so that the next `prefixes` insertions cannot fail. 0, or -ENOMEM and nothing is kept. */
int allowedips_reserve(struct allowedips *table, size_t prefixes);
/* Frees what is left of it. */
void allowedips_unreserve(struct allowedips *table);

/* The peer with the longest prefix that covers the address, or NULL. */
struct peer *allowedips_lookup4(const struct allowedips *table, const uint8_t address[4]);
struct peer *allowedips_lookup6(const struct allowedips *table, const uint8_t address[16]);

/* Calls `each` for every prefix of the list: the address masked, 4 or 16 bytes. */
void allowedip_list_walk(const struct allowedip_list *list,
						 void (*each)(void *context, int family, const uint8_t *address, uint8_t length),
						 void *context);
/* Tells one prefix of a list, the address masked (4 bytes or 16), and returns the next or NULL. */
const struct allowedip *allowedip_tell(const struct allowedip *node, int *family, uint8_t address[16], uint8_t *length);

void allowedips_destroy(struct allowedips *table);

#endif
