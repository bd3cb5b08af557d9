/* SPDX-License-Identifier: MIT */
/*
 * The plan: the firewall mark and the routing table of a tunnel, which must be known before its sockets are opened.
 *
 * With `Table = auto` and a default route among the allowed IPs, all traffic goes through a table of its own, except
 * datagrams that carry the tunnel's mark. Mark and table are the same number.
 */
#ifndef ADIT_NETWORK_PLAN_H
#define ADIT_NETWORK_PLAN_H

#include "base/reason.h"
#include "config/config.h"

struct network_plan {
	uint32_t mark;         /* of our UDP sockets; 0: none */
	uint32_t table;        /* of the default routes; 0: none of ours */
	bool full_v4, full_v6; /* all traffic of the family goes into the tunnel */
};

/*
 * A claim on a table: an abstract Unix socket that is named after the table. The name is unique in a network namespace,
 * and the kernel releases it when the process ends. So two tunnels that start together cannot claim the same table, and
 * a rule whose table has no claim was left by a daemon that died. Zeroed memory is no claim.
 */
struct table_claim {
	uint32_t table; /* 0: none */
	int fd;
};

/* 0, -EADDRINUSE if another process holds the claim, or another negative errno. */
int table_claim_take(struct table_claim *claim, uint32_t table);
/* Takes over the socket of a claim of an earlier process. Returns 0; -EINVAL if it is none, and the caller keeps it. */
int table_claim_adopt(struct table_claim *claim, int fd);
/* Accepts a zeroed struct. */
void table_claim_release(struct table_claim *claim);

/*
 * Chooses mark and table. The table is the configuration's FwMark, or the table of `current`, the claim that is already
 * held, unless it was that of a FwMark, or else the first table from 51820 on that is empty and not claimed. Two
 * tunnels with a default route cannot have the same mark. `claim`, zeroed by the caller, receives a claim on a table
 * that `current` does not cover. 0, or negative errno and `reason`.
 */
int network_plan(struct network_plan *plan, const struct table_claim *current, struct table_claim *claim,
				 const struct config *config, struct reason *reason);

#endif
