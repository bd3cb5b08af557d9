/* SPDX-License-Identifier: MIT */
/*
 * The reconciler: makes the host what the desired state says. Start, reload and repair are one code.
 *
 * A run observes, finds the difference, applies it and observes again where an operation has side effects: the last
 * IPv4 address of an interface takes all its IPv4 routes along, a link that goes down takes all routes and IPv6
 * addresses, and an MTU below 1280 takes IPv6. The run ends when there is no difference. If the third pass still finds
 * one, somebody or something works against us, and what differs is reported as a conflict.
 *
 * The host is behind a table of functions, so that the tests can put a model in its place.
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
	 * `reasons`: the text of the last failure that errno does not describe, or "".
	 */
	void (*apply)(void *host, const struct operation *operations, size_t count, int *status, struct reason *reason);
	/*
	 * Describes who keeps us from adding an item that the host refused with -EEXIST: "already on dev wan". 1: the item
	 * is there after all, and as good as ours.
	 */
	int (*owner)(void *host, const struct item *item, struct reason *reason);
	void *host;
};

struct reconcile {
	const struct host_operations *host;
	struct item_list desired;
	uint32_t own_table; /* of which no other program has a business; 0: none */
	/* Called with each thing that is left out, and in a repair with each failure. */
	void (*warn)(void *context, const char *text);
	void *context;
};

enum reconcile_mode {
	RECONCILE_PREPARE, /* additions only; the first refusal ends the run and is returned */
	RECONCILE_FULL,    /* everything; the first refusal ends the run */
	RECONCILE_REPAIR,  /* everything; failures are reported by `warn` and do not end the run */
};

/*
 * Makes the host match the desired state. The number of operations that changed something, or negative errno and
 * `reason`. -ENODEV: the interface is gone; -EBUSY: it still differs after three passes.
 */
int reconcile_run(struct reconcile *reconcile, enum reconcile_mode mode, struct reason *reason);

/*
 * The same, but the routes of the host are taken to be those of `before`, a sorted list. A host needs 70 ms to list
 * 100,000 routes, which a reload that changes one peer cannot spend.
 */
int reconcile_change(struct reconcile *reconcile, const struct item_list *before, enum reconcile_mode mode,
					 struct reason *reason);

#endif
