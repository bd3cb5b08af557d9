/* SPDX-License-Identifier: MIT */
/*
 * The reconciler: makes the host match the desired state. Start, reload and repair use the same code.
 *
 * A run observes the host, finds the difference and applies it. It observes again if an operation has side effects:
 * with the last IPv4 address of an interface the kernel deletes all its IPv4 routes, with the link all its routes and
 * IPv6 addresses, and below an MTU of 1280 all of IPv6. The run ends when there is no difference. If there still is one
 * after the third pass, another program is undoing the changes, and the run reports a conflict.
 *
 * The host is a table of functions, so that tests can replace it by a model.
 */
#ifndef ADIT_NETWORK_RECONCILE_H
#define ADIT_NETWORK_RECONCILE_H

#include "base/reason.h"
#include "difference.h"

enum { RECONCILE_BATCH = 256 };

/* A host. All functions return 0 or negative errno. */
struct host_operations {
	/*
	 * Appends everything that is on the interface, and everything of ours elsewhere. Without `routes`, the routes of
	 * the interface are left out. -ENODEV: the interface is gone.
	 */
	int (*observe)(void *host, struct item_list *observed, bool routes);
	/*
	 * Applies up to RECONCILE_BATCH operations of one verb and kind; `status` receives 0 or a negative errno for each.
	 * `reason` receives the text of the last failure that errno does not describe, or "".
	 */
	void (*apply)(void *host, const struct operation *operations, size_t count, int *status, struct reason *reason);
	/*
	 * Describes the owner of an item that the host refused with -EEXIST, such as "already on dev wan". Returns 1 if the
	 * existing item is as good as ours.
	 */
	int (*owner)(void *host, const struct item *item, struct reason *reason);
	void *host;
};

struct reconcile {
	const struct host_operations *host;
	struct item_list desired;
	uint32_t own_table;                /* reserved for this tunnel; 0: none */
	bool v6_refused;                   /* IPv6 items are left out because the host refused them */
	char first_change[ITEM_TEXT + 16]; /* of the last run: "restored route 10.0.0.0/24"; "": nothing was changed */
	/* Called for each item that is left out and, in a repair, for each failure. */
	void (*warn)(void *context, const char *text);
	/* Called for each operation that has changed something. NULL: none. */
	void (*applied)(void *context, const struct operation *operation);
	void *context;
};

enum reconcile_mode {
	RECONCILE_PREPARE, /* additions only; the first refusal ends the run and is returned */
	RECONCILE_FULL,    /* everything; the first refusal ends the run */
	RECONCILE_REPAIR,  /* everything; failures are reported by `warn` and do not end the run */
};

/* After IPv6 has been switched on: the IPv6 items that the host refused are part of the desired state again. */
void reconcile_take_back_v6(struct reconcile *reconcile);

/*
 * Makes the host match the desired state. Returns the number of operations that changed something, or negative errno
 * and `reason`. -ENODEV: the interface is gone; -EBUSY: it still differs after three passes.
 */
int reconcile_run(struct reconcile *reconcile, enum reconcile_mode mode, struct reason *reason);

/*
 * The same, but assumes that the routes of the host are those of `before`, a sorted list. Listing 100,000 routes takes
 * 70 ms, which is too long for a reload that changes one peer.
 */
int reconcile_change(struct reconcile *reconcile, const struct item_list *before, enum reconcile_mode mode,
					 struct reason *reason);

#endif
