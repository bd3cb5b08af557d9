/* SPDX-License-Identifier: MIT */
/* The reconciler: passes of observation, difference and application. */
#include "reconcile.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

enum { PASSES_MAX = 3 };

/* One run. */
struct run {
	struct reconcile *reconcile;
	const struct item_list *routes; /* of an earlier desired state; NULL: observe the host's */
	enum reconcile_mode mode;
	struct reason *reason;
	unsigned changes;
	bool observe_again; /* an operation had a side effect */
	bool had_addresses; /* so that the place of a new one can be wrong */
	bool warned_of_v6;
};

/* --- results of operations ----- */

/* Returns true for the errors with which the kernel refuses IPv6 where it is switched off. */
static bool no_v6(const struct item *item, int status)
{
	return item->family == AF_INET6 && (status == -EACCES || status == -EAFNOSUPPORT || status == -EOPNOTSUPP);
}

static void describe_failure(const struct item *item, int status, const struct reason *why, struct reason *reason)
{
	char text[ITEM_TEXT];

	item_text(text, item);
	if (why->text[0])
		reason_set(reason, status, "%s: %s", text, why->text);
	else
		reason_set_errno(reason, status, "%s", text);
}

static void mark_desired(struct reconcile *reconcile, const struct item *item, uint8_t flag)
{
	struct item *desired = item_find(&reconcile->desired, item);

	if (desired)
		desired->flags |= flag;
}

/*
 * Without IPv6 on the interface, the table of a full tunnel has no IPv6 route, and the lookup continues in the main
 * table, where other interfaces may have one. A guard that stays prevents that.
 */
static void close_v6(struct run *run)
{
	struct item_list *desired = &run->reconcile->desired;

	run->reconcile->v6_refused = true;
	for (size_t i = 0; i < desired->count && desired->items[i].kind == ITEM_GUARD; i++) {
		struct item *guard = &desired->items[i];

		if (guard->family != AF_INET6 || !(guard->flags & ITEM_BRIEF))
			continue;
		guard->flags &= (uint8_t)~ITEM_BRIEF;
		run->observe_again = true;
	}
}

void reconcile_take_back_v6(struct reconcile *reconcile)
{
	struct item_list *desired = &reconcile->desired;
	bool any = false;

	reconcile->v6_refused = false;
	for (size_t i = 0; i < desired->count; i++) {
		struct item *item = &desired->items[i];

		if (item->family != AF_INET6 || (item->kind != ITEM_ADDRESS && item->kind != ITEM_ROUTE))
			continue;
		any |= item->flags & ITEM_LEFT_OUT;
		item->flags &= (uint8_t)~ITEM_LEFT_OUT;
	}
	for (size_t i = 0; any && i < desired->count && desired->items[i].kind == ITEM_GUARD; i++) {
		struct item *guard = &desired->items[i];

		if (guard->family == AF_INET6 && guard->value == guard_brief_metric)
			guard->flags |= ITEM_BRIEF;
	}
}

/*
 * Skips the item until the next reload, or until the next run if an item of another program is in its place, because
 * that one may be deleted. If the host refuses IPv6, reports only the first item.
 */
static void leave_out(struct run *run, const struct item *item, int status, const struct reason *why)
{
	struct reconcile *reconcile = run->reconcile;
	char text[REASON_BYTES + 32];
	struct reason reason;

	mark_desired(reconcile, item, status == -EEXIST ? ITEM_FAILED : ITEM_LEFT_OUT);
	if (no_v6(item, status)) {
		close_v6(run);
		if (run->warned_of_v6)
			return;
		run->warned_of_v6 = true;
	}
	describe_failure(item, status, why, &reason);
	snprintf(text, sizeof text, "%s; leaving it out", reason.text);
	reconcile->warn(reconcile->context, text);
}

/* Returns 0 if the run can continue. */
static int judge_failure(struct run *run, const struct operation *operation, int status, const struct reason *why)
{
	struct reconcile *reconcile = run->reconcile;
	struct reason reason;

	if (status == -ENODEV)
		return status;
	if (operation->verb == OPERATION_ADD &&
		(operation->item.flags & ITEM_OPTIONAL || no_v6(&operation->item, status))) {
		leave_out(run, &operation->item, status, why);
		return 0;
	}
	describe_failure(&operation->item, status, why, &reason);
	if (operation->verb == OPERATION_ADD && run->mode != RECONCILE_REPAIR) {
		*run->reason = reason;
		return status;
	}
	/* Other items do not depend on a deletion or repair, so continue. */
	mark_desired(reconcile, &operation->item, ITEM_FAILED);
	reconcile->warn(reconcile->context, reason.text);
	return 0;
}

static void count_change(struct run *run, const struct operation *operation)
{
	struct reconcile *reconcile = run->reconcile;
	char text[ITEM_TEXT];

	if (reconcile->applied)
		reconcile->applied(reconcile->context, operation);
	if (operation->item.flags & ITEM_BRIEF)
		return;
	run->changes++;
	if (reconcile->first_change[0])
		return;
	item_text(text, &operation->item);
	snprintf(reconcile->first_change, sizeof reconcile->first_change, "%s %s",
			 operation->verb == OPERATION_DELETE ? "removed" : "restored", text);
}

static int judge_result(struct run *run, const struct operation *operation, int status, const struct reason *why)
{
	const struct host_operations *host = run->reconcile->host;
	const struct item *item = &operation->item;
	struct reason owner = { 0 };

	if (status == 0) {
		count_change(run, operation);
		return 0;
	}
	/* The item that was to be deleted does not exist. -ENXIO and -EADDRNOTAVAIL occur for addresses. */
	if (operation->verb == OPERATION_DELETE &&
		(status == -ESRCH || status == -ENOENT || status == -EADDRNOTAVAIL || status == -ENXIO))
		return 0;
	if (operation->verb == OPERATION_ADD && status == -EEXIST) {
		if (host->owner(host->host, item, &owner) == 1)
			return 0;
		/*
		 * A route of another program has replaced one in our own table: keep it, and add ours in front of it. Only a
		 * repair does this, because at the start such a route means that two tunnels use the same table.
		 */
		if (run->mode == RECONCILE_REPAIR && item->kind == ITEM_ROUTE && item->table == run->reconcile->own_table) {
			struct operation again = { OPERATION_PREPEND, *item };
			struct reason ignored = { 0 };
			int prepended = -EEXIST;

			host->apply(host->host, &again, 1, &prepended, &ignored);
			if (prepended == 0) {
				count_change(run, &again);
				return 0;
			}
		}
		why = &owner;
	}
	return judge_failure(run, operation, status, why);
}

/* --- applying ----- */

static bool sets_mtu(const struct item *item)
{
	return item->kind == ITEM_LINK && item->length == LINK_MTU;
}

static int apply_all(struct run *run, const struct operation_list *list)
{
	const struct host_operations *host = run->reconcile->host;
	int status[RECONCILE_BATCH], error = 0;
	bool mtu_changed = false;

	run->observe_again = false;
	/*
	 * A change of the MTU can add or remove IPv6 with all its settings, so the host must be observed again. That is
	 * cheap before the routes are added.
	 */
	for (size_t done = 0; done < list->count && !error && !mtu_changed;) {
		const struct operation *batch = list->operations + done;
		size_t length = 1, left = list->count - done;
		struct reason why = { 0 };

		while (length < left && length < RECONCILE_BATCH && batch[length].verb == batch->verb &&
			   batch[length].item.kind == batch->item.kind && !sets_mtu(&batch[length - 1].item))
			length++;
		host->apply(host->host, batch, length, status, &why);
		for (size_t i = 0; i < length && !error; i++) {
			const struct item *item = &batch[i].item;

			error = judge_result(run, &batch[i], status[i], &why);
			if (sets_mtu(item))
				mtu_changed = true;
			/* These can change more than their item. */
			if (mtu_changed || (item->kind == ITEM_ADDRESS && (batch->verb == OPERATION_DELETE || run->had_addresses)))
				run->observe_again = true;
		}
		done += length;
	}
	return error;
}

/* --- passes ----- */

static int find_operations(struct run *run, struct operation_list *list)
{
	const struct host_operations *host = run->reconcile->host;
	const struct item_list *routes = run->routes;
	struct item_list observed = { 0 };
	int error = host->observe(host->host, &observed, !routes);

	if (!error)
		item_list_sort(&observed);
	run->had_addresses = false;
	for (size_t i = 0; i < observed.count && observed.items[i].kind <= ITEM_ADDRESS; i++)
		run->had_addresses |= observed.items[i].kind == ITEM_ADDRESS && observed.items[i].flags & ITEM_OURS;
	/* Routes are the last kind, and those of an earlier desired state are sorted, so `observed` stays sorted. */
	for (size_t i = 0; routes && i < routes->count && !error; i++) {
		struct item item = routes->items[i];

		if (item.kind != ITEM_ROUTE || item.flags & ITEM_LEFT_OUT)
			continue;
		item.flags = item.flags & ITEM_CONNECTED ? 0 : ITEM_OURS;
		error = item_push(&observed, &item);
	}
	if (!error) {
		error = difference_find(list, &run->reconcile->desired, &observed,
								run->mode == RECONCILE_PREPARE ? DIFFERENCE_ADDITIONS : DIFFERENCE_ALL);
	}
	item_list_destroy(&observed);
	return error;
}

/* Runs one pass. Returns 1 if another one is needed, 0 if not, or a negative errno. */
static int reconcile_pass(struct run *run, bool last)
{
	struct operation_list list = { 0 };
	int error = find_operations(run, &list);
	char text[ITEM_TEXT];

	run->observe_again = false;
	if (!error && list.count && last) {
		item_text(text, &list.operations[0].item);
		error = reason_set(run->reason, -EBUSY, "%s: %s again and again by another program or by the host", text,
						   list.operations[0].verb == OPERATION_ADD ? "removed" : "added");
	} else if (!error && list.count) {
		error = apply_all(run, &list);
	}
	operation_list_destroy(&list);
	return error ? error : run->observe_again;
}

int reconcile_change(struct reconcile *reconcile, const struct item_list *before, enum reconcile_mode mode,
					 struct reason *reason)
{
	struct run run = { .reconcile = reconcile, .routes = before, .mode = mode, .reason = reason };
	int status = 1;

	reason->text[0] = '\0';
	reconcile->first_change[0] = '\0';
	for (size_t i = 0; i < reconcile->desired.count; i++)
		reconcile->desired.items[i].flags &= (uint8_t)~ITEM_FAILED;
	for (int number = 0; status == 1 && number <= PASSES_MAX; number++) {
		status = reconcile_pass(&run, number == PASSES_MAX);
		/* Side effects may have deleted routes, so later passes observe those of the host. */
		run.routes = NULL;
	}
	if (status < 0 && !reason->text[0])
		reason_set_errno(reason, status, "network");
	return status < 0 ? status : (int)run.changes;
}

int reconcile_run(struct reconcile *reconcile, enum reconcile_mode mode, struct reason *reason)
{
	return reconcile_change(reconcile, NULL, mode, reason);
}
