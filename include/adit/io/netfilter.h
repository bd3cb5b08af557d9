/* SPDX-License-Identifier: MIT */
/* Reads the nftables of the network namespace by nfnetlink. Changes are left to nft(8), which knows the expressions. */
#ifndef ADIT_IO_NETFILTER_H
#define ADIT_IO_NETFILTER_H

#include <stdbool.h>
#include <stdint.h>

struct netfilter;

/* Returns NULL and sets errno on failure. */
struct netfilter *netfilter_open(void);
/* Accepts NULL. */
void netfilter_close(struct netfilter *netfilter);

/*
 * Calls `handle` with the name and the flags (NFT_TABLE_F_*) of each table of `family` (NFPROTO_IPV4, NFPROTO_IPV6). 0
 * or negative errno. -EPERM or -EINVAL: nftables cannot be used here.
 */
int netfilter_dump_tables(struct netfilter *netfilter, uint8_t family,
						  void (*handle)(void *context, const char *table, uint32_t flags), void *context);

/* A chain without a hook has the type "". */
struct netfilter_chain {
	char name[128], type[16];
	uint32_t hook, policy;
	int32_t priority;
};

/* Calls `handle` with each chain of a table. A table that does not exist has none. */
int netfilter_dump_chains(struct netfilter *netfilter, uint8_t family, const char *table,
						  void (*handle)(void *context, const struct netfilter_chain *chain), void *context);

/*
 * Calls `handle` with the comment ("": none) of each rule of a table, and with a hash of what the rule does. A table
 * that does not exist has no rules.
 */
int netfilter_dump_rules(struct netfilter *netfilter, uint8_t family, const char *table,
						 void (*handle)(void *context, const char *comment, uint64_t hash), void *context);

/* A non-blocking descriptor that is readable after a change of the nftables, or negative errno. */
int netfilter_watch_open(void);
/* Calls `handle` with the name of each table that has changed, except for its sets. -ENOBUFS: events were lost. */
int netfilter_watch_read(int fd, void (*handle)(void *context, const char *table), void *context);

#endif
