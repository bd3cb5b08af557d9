/* SPDX-License-Identifier: MIT */
/* The addresses of a tunnel's networks that no peer has yet. */
#ifndef ADIT_CLI_ADDRESS_POOL_H
#define ADIT_CLI_ADDRESS_POOL_H

#include <stdbool.h>

#include "config/config.h"

/*
 * Finds the lowest free address in `network`, one of config->addresses, and stores it with the length of a host: /32 or
 * /128. Free are the host addresses of the network (RFC 3021 and RFC 6164 for networks of two addresses), except our
 * own and those in AllowedIPs that are longer than the network. Returns 0; -ENOSPC if there is none, or if the network
 * is a single address; or -ENOMEM.
 */
int address_pool_next(const struct config *config, const struct ip_prefix *network, struct ip_prefix *address);

enum address_place { ADDRESS_OF_HOST, ADDRESS_OF_NETWORK, ADDRESS_BROADCAST };
/*
 * Reports whether a host can have `address` in `network`, which has the same family. An address outside of the network
 * is ADDRESS_OF_HOST, and so are both addresses of a network of two.
 */
enum address_place address_pool_place(const struct ip_prefix *network, const struct ip_prefix *address);

#endif
