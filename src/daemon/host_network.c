/* SPDX-License-Identifier: MIT */
/* The network of the host as `adit run` needs it: its plan, its preparation and its warnings. */
#include "daemon/host_network.h"

#include <errno.h>
#include <net/if.h>
#include <stdlib.h>

#include "base/clock.h"
#include "tunnel/peer.h"

#define CONTEST_TIME (600 * NS_PER_S) /* how long `adit show` warns of another program */

int host_network_plan(struct handover *handover, const struct config *config, struct network_plan *plan,
					  struct table_claim *claim, struct reason *reason)
{
	struct table_claim adopted = { 0 };
	int error;

	handover_take_claim(handover, &adopted);
	error = network_plan(plan, &adopted, claim, config, reason);
	if (error) {
		table_claim_release(&adopted); /* the store keeps it */
		return error;
	}
	if (!claim->table && plan->table == adopted.table)
		*claim = adopted;
	else
		handover_refuse_claim(handover, &adopted);
	return 0;
}

static void on_network_warning(void *context, enum network_warning kind, const char *text)
{
	struct device *device = context;
	enum warning warning = kind == NETWORK_CONFLICT ? WARNING_CONFLICT : WARNING_LEFT_OUT;

	if (text)
		device_warn(device, warning, UINT64_MAX, clock_boottime(), "%s", text);
	else
		device_withdraw_warning(device, warning);
}

static void on_network_contested(void *context)
{
	uint64_t now = clock_boottime();

	device_warn(context, WARNING_CONTEST, now + CONTEST_TIME, now,
				"another program keeps changing the network of the tunnel");
}

int host_network_open(struct network **network, struct device *device, bool adopted, struct reason *reason)
{
	const struct network_options options = {
		.events = &device->events,
		.callbacks = { on_network_warning, on_network_contested, device },
		.adopted = adopted,
	};

	*network = network_open(if_nametoindex(device->name), &options);
	return *network ? 0 : reason_set_errno(reason, -errno, "rtnetlink");
}

int host_network_prepare(struct network *network, const struct device *device, const struct config *config,
						 const struct network_plan *plan, struct table_claim *claim, struct reason *reason)
{
	struct endpoint *endpoints = calloc(device->peer_count + 1, sizeof *endpoints);
	size_t count = 0;
	int error;

	for (const struct peer *peer = peer_first(device); endpoints && peer; peer = peer_next(peer))
		if (endpoint_known(&peer->endpoint))
			endpoints[count++] = peer->endpoint;
	error = network_prepare(network, plan, claim, config, endpoints, count, reason);
	free(endpoints);
	return error;
}

bool host_network_takes_most(const struct config *config)
{
	if (config->table == TABLE_OFF)
		return false;
	for (const struct config_peer *peer = config->peers; peer; peer = peer->next)
		for (const struct config_prefix *allowed = peer->allowed_ips; allowed; allowed = allowed->next)
			if (allowed->prefix.length <= 1)
				return true;
	return false;
}
