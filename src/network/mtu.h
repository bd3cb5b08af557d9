/* SPDX-License-Identifier: MIT */
/* The MTU of a tunnel whose configuration names none. */
#ifndef ADIT_NETWORK_MTU_H
#define ADIT_NETWORK_MTU_H

#include "io/endpoint.h"
#include "io/netlink.h"

/*
 * The smallest MTU of the routes to the endpoints, else that of the default route, less 80 bytes of outer headers. The
 * routes are those of datagrams with firewall mark `mark`. Routes that lead to the interface `own`, the tunnel itself,
 * do not count. 0: no route is known. An endpoint that is reached through the loopback is a local relay (udp2raw,
 * wstunnel), whose own path is not known, so it is ignored.
 */
uint32_t path_mtu(struct netlink *netlink, uint32_t mark, uint32_t own, const struct endpoint *endpoints, size_t count);

enum { PATH_MTU_DEFAULT = 1420 }; /* of a path of 1500 bytes */

#endif
