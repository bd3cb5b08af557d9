/* SPDX-License-Identifier: MIT */
/* Reads the nftables of the network namespace by nfnetlink. Changes are left to nft(8), which knows the expressions. */
#ifndef ADIT_IO_NETFILTER_H
#define ADIT_IO_NETFILTER_H

#include <stdint.h>

struct netfilter;

/* Returns NULL and sets errno on failure. */
struct netfilter *netfilter_open(void);
/* Accepts NULL. */
void netfilter_close(struct netfilter *netfilter);

/*
 * Calls `handle` with the name of each table of `family` (NFPROTO_IPV4, NFPROTO_IPV6). 0 or negative errno. -EPERM or
 * -EINVAL: nftables cannot be used here.
 */
int netfilter_dump_tables(struct netfilter *netfilter, uint8_t family, void (*handle)(void *context, const char *table),
						  void *context);

/* Calls `handle` with the comment ("": none) of each rule of a table. A table that does not exist has no rules. */
int netfilter_dump_comments(struct netfilter *netfilter, uint8_t family, const char *table,
							void (*handle)(void *context, const char *comment), void *context);

/* A non-blocking descriptor that is readable after a change of the nftables, or negative errno. */
int netfilter_watch_open(void);
/* Calls `handle` with the name of each table that has lost an object or got a rule. -ENOBUFS: events were lost. */
int netfilter_watch_read(int fd, void (*handle)(void *context, const char *table), void *context);

#endif
