/* SPDX-License-Identifier: MIT */
/*
 * The network of a tunnel: the link, addresses, routes, policy rules and firewall that a configuration asks for, on the
 * host of the daemon. No other part of the program changes the host's network. It needs CAP_NET_ADMIN and, for a full
 * tunnel, nft(8).
 *
 * The result is that of wg-quick(8), except that the MTU follows the smallest route MTU towards a peer rather than the
 * largest, and that both rules carry the mark, so that each tunnel knows its own. All of it is kept as it should be: it
 * is compared with the kernel's state at start, on each reload, and after each event that concerns it.
 *
 * A change has two steps. network_prepare makes everything that can be refused, and takes it back if something is
 * refused. network_commit then deletes the rest, or network_revert restores what was there before.
 */
#ifndef ADIT_NETWORK_NETWORK_H
#define ADIT_NETWORK_NETWORK_H

#include <ev.h>

#include "io/udp.h"
#include "network/plan.h"

struct network;

/*
 * Makes the network of the interface with this index; nothing is changed yet. NULL and errno on failure. It
 * belongs to the thread that opens it.
 */
struct network *network_open(uint32_t index);

/* The claim that network_plan needs: that of the table which is in use. */
const struct table_claim *network_claim(const struct network *network);

/*
 * Adds whatever `config` and `plan` ask for and changes the settings of the link. Takes the claim over. `endpoints` are
 * the known addresses of the peers: a first configuration without `MTU =` has its MTU from the routes to them. 0; or
 * negative errno with `reason`, and everything is as it was before.
 */
int network_prepare(struct network *network, const struct network_plan *plan, struct table_claim *claim,
					const struct config *config, const struct endpoint *endpoints, size_t endpoint_count,
					struct reason *reason);
/* Deletes what the prepared configuration no longer has. Failures are logged. */
void network_commit(struct network *network);
/* Restores the network of the configuration before the prepared one. Failures are logged. */
void network_revert(struct network *network);

/*
 * Gives an interface the settings of the kernel's WireGuard and nothing else: no link-local address, no multicast, no
 * Router Advertisements, no redirects. What cannot be set is logged at debug level.
 */
void network_set_link_defaults(uint32_t index);

/* Follows events from now on and repairs what other programs change. 0 or negative errno. */
int network_watch(struct network *network, struct ev_loop *loop);

/*
 * Removes everything of ours and takes the link down. Whatever is gone already is no error, everything else is logged.
 * Frees the memory. Takes NULL.
 */
void network_close(struct network *network);

#endif
