/* SPDX-License-Identifier: MIT */
/* The desired state: a pure function of the configuration, the plan and a few facts about the host. */
#ifndef ADIT_NETWORK_DESIRED_H
#define ADIT_NETWORK_DESIRED_H

#include "item.h"
#include "network/plan.h"

struct desired_facts {
	uint32_t index;   /* of the interface */
	bool v6;          /* the interface has IPv6, or can have it */
	bool v6_on_host;  /* other interfaces may have it */
	bool strict;      /* a strict reverse path filter is set, so the firewall must restore the mark */
	uint32_t mtu;     /* to set; 0: leave the MTU unchanged */
	bool fail_closed; /* FailClosed: keep the guards until the next run of this tunnel */
};

/*
 * Fills an empty list, sorted. If the configuration uses IPv6 and sets no MTU, the MTU is at least 1280. If the
 * interface cannot have IPv6 now, the IPv6 items have ITEM_LEFT_OUT, and below an MTU of 1280 there are none. Then
 * `left_out` receives the first of them as text; otherwise it is "". A default route that is left out has a guard that
 * stays, so that its traffic does not leave in the clear. Returns 0 or -ENOMEM.
 */
int desired_build(struct item_list *list, const struct config *config, const struct network_plan *plan,
				  const struct desired_facts *facts, char left_out[PREFIX_TEXT]);

/* Appends the link settings that are independent of the configuration, unsorted. Returns 0 or -ENOMEM. */
int desired_link_defaults(struct item_list *list);

#endif
