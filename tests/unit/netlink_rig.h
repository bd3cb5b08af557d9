/* SPDX-License-Identifier: MIT */
/* Test rig: a network namespace with a TUN device, and a netlink socket. Include <cmocka.h> first. */
#ifndef ADIT_TEST_NETLINK_RIG_H
#define ADIT_TEST_NETLINK_RIG_H

#include <net/if.h>
#include <stdlib.h>
#include <unistd.h>

#include "io/netlink_dump.h"
#include "sandbox.h"

struct state {
	struct netlink *netlink;
	int tun;
	uint32_t index;
};

static inline int netlink_rig_set_up(void **context)
{
	struct state *state = calloc(1, sizeof *state);

	if (!state)
		return -1;
	sandbox_need_tun();
	sandbox_enter();
	state->tun = sandbox_tun("tun0");
	state->index = if_nametoindex("tun0");
	state->netlink = netlink_open();
	*context = state;
	return state->tun >= 0 && state->netlink ? 0 : -1;
}

static inline int netlink_rig_tear_down(void **context)
{
	struct state *state = *context;

	netlink_close(state->netlink);
	close(state->tun);
	free(state);
	return 0;
}

static inline int change_link(const struct state *state, enum netlink_link_setting setting, uint32_t value)
{
	return netlink_link_change(state->netlink, state->index, setting, value);
}

#endif
