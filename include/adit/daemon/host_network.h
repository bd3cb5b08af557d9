/* SPDX-License-Identifier: MIT */
/* The network of the host as `adit run` needs it: joins the device, the handover and the folder network. */
#ifndef ADIT_DAEMON_HOST_NETWORK_H
#define ADIT_DAEMON_HOST_NETWORK_H

#include <stdbool.h>

#include "base/reason.h"
#include "config/config.h"
#include "daemon/handover.h"
#include "network/network.h"
#include "tunnel/device.h"

/*
 * Chooses mark and table, and uses the claim of the previous process if it fits. `claim` receives the claim in either
 * case.
 */
int host_network_plan(struct handover *handover, const struct config *config, struct network_plan *plan,
					  struct table_claim *claim, struct reason *reason);
/*
 * Opens the network of the interface of the device. From now on it reports its warnings and events to the device, which
 * must outlive it. `adopted`: the interface comes from the previous process. The caller closes or leaves the network.
 */
int host_network_open(struct network **network, struct device *device, bool adopted, struct reason *reason);
/* Makes the part of the network that can be refused; the caller commits or reverts it. Takes the claim over. */
int host_network_prepare(struct network *network, const struct device *device, const struct config *config,
						 const struct network_plan *plan, struct table_claim *claim, struct reason *reason);
/* Returns whether the routes lead a default route, or one half of it, into the tunnel. */
bool host_network_takes_most(const struct config *config);

#endif
