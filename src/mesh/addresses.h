/* SPDX-License-Identifier: MIT */
/* Addresses for the hosts whose column says "auto". */
#ifndef ADIT_MESH_ADDRESSES_H
#define ADIT_MESH_ADDRESSES_H

#include "mesh/host_list.h"

/*
 * Fills the addresses of these hosts, one of each family of list->network. `kept` has MESH_FAMILIES entries per host:
 * the addresses of an earlier run, family 0 if there is none. An earlier address stays if it is in the network and no
 * other host has it; the other hosts get the lowest free addresses. Returns 0; -ENOMEM; or -ENOSPC if a network is
 * full, and *full is then the host that got no address.
 */
int addresses_assign(struct host_list *list, const struct ip_prefix *kept, size_t *full);

#endif
