/* SPDX-License-Identifier: MIT */
/*
 * The network of a tunnel: the link, addresses, routes, policy rules and firewall that a configuration requires on the
 * host of the daemon. No other part of the program changes the host's network. It needs CAP_NET_ADMIN and, for a full
 * tunnel, nft(8).
 *
 * The result is that of wg-quick(8), except that the MTU follows the smallest route MTU towards a peer rather than the
 * largest, and that both rules carry the mark, so that each tunnel recognizes its own. The state of the kernel is
 * compared and corrected at start, on each reload, and after each event that concerns it.
 *
 * A change has two steps. network_prepare makes the changes that the kernel can refuse, and undoes them if it refuses
 * one. Then network_commit deletes the items that are no longer needed, or network_revert restores the previous state.
 */
#ifndef ADIT_NETWORK_NETWORK_H
#define ADIT_NETWORK_NETWORK_H

#include <ev.h>

#include "base/event.h"
#include "io/endpoint.h"
#include "io/path_watch.h"
#include "network/plan.h"
#include "network/warnings.h"

struct network;

/* Zeroed: none of these. */
struct network_options {
	const struct event_bus *events; /* repairs are events on this bus, which outlives the network; NULL: none */
	struct network_callbacks callbacks;
	/*
	 * The interface comes from an earlier process of this daemon, and its network is still there. Its MTU stays if the
	 * first configuration sets none: the routes to the peers may lead through the tunnel by now.
	 */
	bool adopted;
};

/*
 * Creates the network of the interface with this index, without any change yet. Returns NULL and sets errno on failure.
 * Only the calling thread may use it.
 */
struct network *network_open(uint32_t index, const struct network_options *options);

/* Returns the claim on the table in use, for network_plan. */
const struct table_claim *network_claim(const struct network *network);

/*
 * Adds everything that `config` and `plan` require, and changes the settings of the link. Takes ownership of the claim.
 * `endpoints` are the known addresses of the peers; if the configuration sets no MTU, the routes to them determine it.
 * Returns 0; or negative errno with `reason`, and changes nothing.
 */
int network_prepare(struct network *network, const struct network_plan *plan, struct table_claim *claim,
					const struct config *config, const struct endpoint *endpoints, size_t endpoint_count,
					struct reason *reason);
/*
 * After network_prepare: calls `change` for each address, route and MTU that differs, with a text such as "route
 * 10.2.0.0/16" and with "added", "removed" or "set". The text is valid during the call.
 */
void network_changes(const struct network *network, void (*change)(void *context, const char *text, const char *verb),
					 void *context);
/* Deletes the items that the prepared configuration does not contain. Failures are logged. */
void network_commit(struct network *network);
/* Restores the network of the configuration before the prepared one. Failures are logged. */
void network_revert(struct network *network);

/*
 * Gives an interface the settings of the kernel's WireGuard and nothing else: no link-local address, no multicast, no
 * Router Advertisements, no redirects. Failures are logged at debug level.
 */
void network_set_link_defaults(uint32_t index);

/* Follows events from now on and repairs what other programs change. 0 or negative errno. */
int network_watch(struct network *network, struct ev_loop *loop, struct path_watches *paths);

/*
 * Removes all our items, except those of FailClosed, takes the link down, and frees the memory. If the start failed,
 * those of FailClosed are what an earlier process left. Failures are logged, except for items that no longer exist.
 * Accepts NULL.
 */
void network_close(struct network *network);
/* Frees the memory only: everything stays for the next process. Accepts NULL. */
void network_leave(struct network *network);

/*
 * Removes everything that an earlier process left on interface `index`, except the policy rules and the unreachable
 * default route of `FailClosed`. `claim` is the claim of that process; takes ownership of it.
 */
void network_sweep(uint32_t index, struct table_claim *claim);

/*
 * Removes what a killed daemon of `interface` has left: policy rules and unreachable default routes of tables that no
 * process claims, its firewall tables, and the addresses of a persistent interface. What `FailClosed` keeps stays, and
 * so does everything if a process, or the store of the service manager, has the interface open. The caller holds the
 * lock of the interface. Returns the number of items removed, or negative errno.
 */
int network_remove_remains(const char *interface);

#endif
