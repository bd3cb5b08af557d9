/* SPDX-License-Identifier: MIT */
/* The MTU of a tunnel whose configuration names none. */
#ifndef ADIT_NETWORK_MTU_H
#define ADIT_NETWORK_MTU_H

#include "io/netlink.h"
#include "io/udp.h"

/*
 * The smallest MTU of the routes to the endpoints, else that of the default route, else 1500, less 80 bytes of outer
 * headers. An endpoint that is reached through the loopback is a local relay (udp2raw, wstunnel), whose own path is not
 * known, so it is ignored.
 */
uint32_t path_mtu(struct netlink *netlink, const struct endpoint *endpoints, size_t count);

#endif
