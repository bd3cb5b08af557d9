/* SPDX-License-Identifier: MIT */
/*
 * The ruleset: the nftables table of a full tunnel, one for each family.
 *
 * An address of the tunnel is reached through the tunnel only. A packet to it that arrives by another interface was
 * sent by a neighbour who probes for the address or forges answers (CVE-2019-14899), so it is dropped, unless its
 * source is local. The rule matches the interface by its index, so a rename changes nothing.
 *
 * Answers to our own packets must pass a strict reverse path filter. The filter looks up the route to the source of the
 * answer, which without our mark leads into the tunnel. So the first rule saves the mark in the connection when a
 * packet leaves, and the second rule restores the mark when the answer arrives; net.ipv4.conf.all.src_valid_mark lets
 * the filter see the mark. wg-quick(8) does this for UDP only. The resolver also asks by TCP, when an answer does not
 * fit into a datagram. TCP connections of other programs may have marks of their own in the connection, so only our
 * mark is restored.
 *
 * Each rule has the comment "adit INDEX DIGEST COUNT", by which a later observation recognizes the table and detects
 * missing rules. The anonymous sets of the rules need no check, because the kernel refuses to change them.
 */
#ifndef ADIT_NETWORK_RULESET_H
#define ADIT_NETWORK_RULESET_H

#include "io/netfilter.h"
#include "item.h"

struct ruleset {
	uint32_t index; /* of the interface */
	uint8_t family;
	uint32_t mark;
	const struct item_list *list; /* the addresses in it are guarded; other items are ignored */
};

/* Returns a number that changes with the rules, or 0 if there is no memory. */
uint64_t ruleset_digest(const struct ruleset *ruleset);

/*
 * Returns a script for nft(8) that replaces the rules of `table` or, if `ruleset` is NULL, deletes the table. The
 * caller frees it. NULL: no memory.
 */
char *ruleset_script(uint8_t family, const char *table, const struct ruleset *ruleset);

enum { RULESET_TABLE = 64 };
#define RULESET_PREFIX "adit-"

/*
 * Sets `table` to the name of the table of an interface, such as "adit-site". nft(8) accepts no `=` and no `+`; they
 * are written as a slash and their code, which is unambiguous because names of interfaces have no slash. Returns false
 * if nft(8) does not accept the name.
 */
bool ruleset_table(char table[RULESET_TABLE], const char *interface);

enum { RULESET_CHAINS = 3 };
/* Returns true if a chain of the table is as the script makes it. */
bool ruleset_has_chain(const struct netfilter_chain *chain);

/* Parses the comment of a rule. Returns false if the rule is not ours. */
bool ruleset_comment(const char *comment, uint32_t *index, uint64_t *digest, unsigned *count);

#endif
