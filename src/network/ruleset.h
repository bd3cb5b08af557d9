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
 * Each rule has the comment "adit INDEX DIGEST COUNT", by which a later look recognises the table and sees whether all
 * of its rules are there.
 */
#ifndef ADIT_NETWORK_RULESET_H
#define ADIT_NETWORK_RULESET_H

#include "item.h"

struct ruleset {
	uint32_t index; /* of the interface */
	uint8_t family;
	uint32_t mark;
	const struct item_list *list; /* its addresses are guarded; everything else in it is ignored */
};

/* A number that changes with the rules; 0 without memory. */
uint64_t ruleset_digest(const struct ruleset *ruleset);

/*
 * A script for nft(8) that puts the rules into `table`, in place of those that are there; without `ruleset`, one that
 * deletes the table. The caller frees it. NULL: no memory.
 */
char *ruleset_script(uint8_t family, const char *table, const struct ruleset *ruleset);

enum { RULESET_TABLE = 64 };
#define RULESET_PREFIX "adit-"

/*
 * The name of the table of an interface: "adit-site". nft(8) takes no `=` and no `+`; they are written as a slash and
 * their code, which is unambiguous because the name of an interface has no slash. False if nft(8) cannot take the name.
 */
bool ruleset_table(char table[RULESET_TABLE], const char *interface);

/* Reads the comment of a rule. False: it is not ours. */
bool ruleset_comment(const char *comment, uint32_t *index, uint64_t *digest, unsigned *count);

#endif
