/* SPDX-License-Identifier: MIT */
/* An address list: the addresses of one name, all with the same port, without duplicates. */
#ifndef ADIT_DAEMON_ADDRESS_LIST_H
#define ADIT_DAEMON_ADDRESS_LIST_H

#include <stdbool.h>

#include "daemon/resolver.h"
#include "io/endpoint.h"

enum { FAMILIES = 2 };

struct address_list {
	unsigned count;
	/* IPv6 before IPv4 (RFC 6724), else in the order of arrival */
	struct endpoint items[FAMILIES * RESOLVER_ADDRESSES];
};

/* Adds the address, unless it is in the list or the list is full. */
void address_list_add(struct address_list *list, const struct endpoint *address);
/* Returns the position of the address, or -1. Local addresses are ignored. */
int address_list_find(const struct address_list *list, const struct endpoint *endpoint);
/* Reports whether both lists hold the same addresses, in any order. */
bool address_list_equal(const struct address_list *a, const struct address_list *b);

#endif
