/* SPDX-License-Identifier: MIT */
/* The desired state: a pure function of the configuration, the plan and a few facts about the host. */
#ifndef ADIT_NETWORK_DESIRED_H
#define ADIT_NETWORK_DESIRED_H

#include "item.h"
#include "network/plan.h"

struct desired_facts {
	uint32_t index;   /* of the interface */
	bool v6;          /* the interface can have IPv6 */
	bool strict;      /* a strict reverse path filter drops the peers' answers unless the firewall restores the mark */
	uint32_t mtu;     /* to set; 0: leave it */
	bool fail_closed; /* the guards stay for as long as no `adit` removes them */
};

/*
 * Fills an empty list, sorted. The MTU is raised to 1280 where IPv6 is used and the configuration names none. Items of
 * IPv6 are left out if the interface cannot have it; `left_out` then receives the first of them as text, else "".
 * 0 or -ENOMEM.
 */
int desired_build(struct item_list *list, const struct config *config, const struct network_plan *plan,
				  const struct desired_facts *facts, char left_out[PREFIX_TEXT]);

/* Appends the settings of the link that do not depend on a configuration, unsorted. 0 or -ENOMEM. */
int desired_link_defaults(struct item_list *list, bool v6);

#endif
