#include "allowedips.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "bytes.h"
#include "peer.h"

/*
 * Theory of operation
 *
 * A node stands for a prefix: the first `length` bits of `bits`. Its children carry longer prefixes that begin with its
 * own; the next bit says which child. Nodes without a peer exist only where two branches part, so a table of n
 * prefixes has fewer than 2n nodes. A lookup goes down while the node's prefix covers the address and remembers the
 * last node that had a peer.
 *
 * Bits lie as two host-order words (an IPv4 address in the upper half of the first), so that comparing a prefix is an
 * exclusive-or and a shift.
 */
struct allowedip {
	uint64_t bits[2];
	struct allowedip *child[2];
	struct allowedip *parent;
	struct peer *peer;
	struct allowedip *previous, *next; /* in the peer's list */
	uint8_t length;
	bool v6, marked;
};

static uint64_t word(const uint8_t *bytes)
{
	return (uint64_t)get_be32(bytes) << 32 | get_be32(bytes + 4);
}

static void load(uint64_t bits[2], const uint8_t *address, bool v6)
{
	bits[0] = v6 ? word(address) : (uint64_t)get_be32(address) << 32;
	bits[1] = v6 ? word(address + 8) : 0;
}

/* The first `length` bits of a word; shifting a word by 64 is undefined, hence the two cases. */
static uint64_t head(uint64_t bits, unsigned length)
{
	return length ? bits & ~UINT64_C(0) << (64 - (length < 64 ? length : 64)) : 0;
}

static void mask(uint64_t bits[2], unsigned length)
{
	bits[0] = head(bits[0], length);
	bits[1] = length > 64 ? head(bits[1], length - 64) : 0;
}

static bool covers(const struct allowedip *node, const uint64_t bits[2])
{
	uint64_t differs = head(node->bits[0] ^ bits[0], node->length);

	if (node->length > 64)
		differs |= head(node->bits[1] ^ bits[1], node->length - 64u);
	return !differs;
}

static unsigned bit_at(const uint64_t bits[2], unsigned at)
{
	return bits[at / 64] >> (63 - at % 64) & 1;
}

/* How many leading bits two prefixes share, at most `limit`. */
static unsigned common(const uint64_t a[2], const uint64_t b[2], unsigned limit)
{
	unsigned n = 128;

	if (a[0] ^ b[0])
		n = (unsigned)__builtin_clzll(a[0] ^ b[0]);
	else if (a[1] ^ b[1])
		n = 64 + (unsigned)__builtin_clzll(a[1] ^ b[1]);
	return n < limit ? n : limit;
}

static struct peer *lookup(const struct allowedip *node, const uint64_t bits[2], unsigned width)
{
	struct peer *peer = NULL;

	while (node && covers(node, bits)) {
		if (node->peer)
			peer = node->peer;
		if (node->length == width)
			break;
		node = node->child[bit_at(bits, node->length)];
	}
	return peer;
}

struct peer *allowedips_lookup4(const struct allowedips *table, const uint8_t address[4])
{
	uint64_t bits[2];

	load(bits, address, false);
	return lookup(table->v4, bits, 32);
}

struct peer *allowedips_lookup6(const struct allowedips *table, const uint8_t address[16])
{
	uint64_t bits[2];

	load(bits, address, true);
	return lookup(table->v6, bits, 128);
}

static void list_add(struct peer *peer, struct allowedip *node)
{
	struct allowedip_list *list = &peer->allowed_ips;

	node->peer = peer;
	node->marked = false;
	node->previous = list->last;
	node->next = NULL;
	*(list->last ? &list->last->next : &list->first) = node;
	list->last = node;
	list->count++;
	list->changes++;
}

static void list_remove(struct allowedip *node)
{
	struct allowedip_list *list = &node->peer->allowed_ips;

	*(node->previous ? &node->previous->next : &list->first) = node->next;
	*(node->next ? &node->next->previous : &list->last) = node->previous;
	list->count--;
	list->changes++;
	node->peer = NULL;
}

static struct allowedip **root(struct allowedips *table, bool v6)
{
	return v6 ? &table->v6 : &table->v4;
}

/* The place that points at `node`. */
static struct allowedip **place_of(struct allowedips *table, const struct allowedip *node)
{
	if (!node->parent)
		return root(table, node->v6);
	return &node->parent->child[node->parent->child[1] == node];
}

/* Spare nodes hang together by their first child. */
static struct allowedip *take_spare(struct allowedips *table)
{
	struct allowedip *node = table->spare;

	table->spare = node->child[0];
	node->child[0] = NULL;
	return node;
}

static struct allowedip *node_create(struct allowedips *table, const uint64_t bits[2], unsigned length, bool v6)
{
	struct allowedip *node = table->spare ? take_spare(table) : calloc(1, sizeof *node);

	if (!node)
		return NULL;
	memcpy(node->bits, bits, sizeof node->bits);
	mask(node->bits, length);
	node->length = (uint8_t)length;
	node->v6 = v6;
	return node;
}

static void adopt(struct allowedip *parent, struct allowedip *child)
{
	parent->child[bit_at(child->bits, parent->length)] = child;
	child->parent = parent;
}

/* Finds or makes the node of exactly this prefix; NULL without memory, and then the trie is as it was. */
static struct allowedip *node_for(struct allowedips *table, const uint64_t bits[2], unsigned length, bool v6)
{
	struct allowedip **place = root(table, v6), *parent = NULL, *node, *made, *fork;
	unsigned shared;

	for (node = *place; node && node->length <= length && covers(node, bits); node = *place) {
		if (node->length == length)
			return node;
		parent = node;
		place = &node->child[bit_at(bits, node->length)];
	}
	made = node_create(table, bits, length, v6);
	if (!made)
		return NULL;
	made->parent = parent;
	if (!node) {
		*place = made;
		return made;
	}
	shared = common(node->bits, made->bits, node->length < length ? node->length : length);
	if (shared == length) { /* the new prefix covers the old node */
		*place = made;
		adopt(made, node);
		return made;
	}
	fork = node_create(table, bits, shared, v6);
	if (!fork) {
		free(made);
		return NULL;
	}
	fork->parent = parent;
	*place = fork;
	adopt(fork, node);
	adopt(fork, made);
	return made;
}

/* A node without a peer stays only where two branches part; its parent may have been waiting for it to go. */
static void prune(struct allowedips *table, struct allowedip *node)
{
	while (node && !node->peer && !(node->child[0] && node->child[1])) {
		struct allowedip *parent = node->parent, *child = node->child[0] ? node->child[0] : node->child[1];

		*place_of(table, node) = child;
		if (child)
			child->parent = parent;
		free(node);
		node = parent;
	}
}

static int parse(uint64_t bits[2], int family, const uint8_t *address, unsigned length)
{
	if (family != AF_INET && family != AF_INET6)
		return -EINVAL;
	if (length > (family == AF_INET ? 32 : 128))
		return -EINVAL;
	load(bits, address, family == AF_INET6);
	mask(bits, length);
	return 0;
}

int allowedips_insert(struct allowedips *table, int family, const uint8_t *address, uint8_t length, struct peer *peer)
{
	struct allowedip *node;
	uint64_t bits[2];
	int error = parse(bits, family, address, length);

	if (error)
		return error;
	node = node_for(table, bits, length, family == AF_INET6);
	if (!node)
		return -ENOMEM;
	if (node->peer)
		list_remove(node);
	list_add(peer, node);
	return 0;
}

int allowedips_remove(struct allowedips *table, int family, const uint8_t *address, uint8_t length, struct peer *peer)
{
	struct allowedip *node;
	uint64_t bits[2];
	int error = parse(bits, family, address, length);

	if (error)
		return error;
	node = *root(table, family == AF_INET6);
	while (node && node->length < length && covers(node, bits))
		node = node->child[bit_at(bits, node->length)];
	if (!node || node->length != length || !covers(node, bits) || node->peer != peer)
		return -ENOENT;
	list_remove(node);
	prune(table, node);
	return 0;
}

void allowedips_remove_peer(struct allowedips *table, struct peer *peer)
{
	for (struct allowedip *node; (node = peer->allowed_ips.first);) {
		list_remove(node);
		prune(table, node);
	}
}

void allowedips_mark(struct peer *peer)
{
	for (struct allowedip *node = peer->allowed_ips.first; node; node = node->next)
		node->marked = true;
}

void allowedips_sweep(struct allowedips *table, struct peer *peer)
{
	for (struct allowedip *node = peer->allowed_ips.first, *next; node; node = next) {
		next = node->next; /* pruning frees no node that has a peer */
		if (!node->marked)
			continue;
		list_remove(node);
		prune(table, node);
	}
}

/* A new prefix takes a node for itself and one where its branch parts. */
int allowedips_reserve(struct allowedips *table, size_t prefixes)
{
	for (size_t i = 0; i < 2 * prefixes; i++) {
		struct allowedip *node = calloc(1, sizeof *node);
		if (!node) {
			allowedips_unreserve(table);
			return -ENOMEM;
		}
		node->child[0] = table->spare;
		table->spare = node;
	}
	return 0;
}

void allowedips_unreserve(struct allowedips *table)
{
	while (table->spare)
		free(take_spare(table));
}

const struct allowedip *allowedip_tell(const struct allowedip *node, int *family, uint8_t address[16], uint8_t *length)
{
	put_be64(address, node->bits[0]);
	put_be64(address + 8, node->bits[1]);
	*family = node->v6 ? AF_INET6 : AF_INET;
	*length = node->length;
	return node->next;
}

void allowedip_list_walk(const struct allowedip_list *list,
						 void (*each)(void *context, int family, const uint8_t *address, uint8_t length), void *context)
{
	for (const struct allowedip *node = list->first; node;) {
		uint8_t address[16], length;
		int family;
		node = allowedip_tell(node, &family, address, &length);
		each(context, family, address, length);
	}
}

/* Depth is at most 129, one level a bit. */
static void destroy(struct allowedip *node)
{
	if (!node)
		return;
	destroy(node->child[0]);
	destroy(node->child[1]);
	free(node);
}

void allowedips_destroy(struct allowedips *table)
{
	destroy(table->v4);
	destroy(table->v6);
	allowedips_unreserve(table);
	*table = (struct allowedips) { 0 };
}
