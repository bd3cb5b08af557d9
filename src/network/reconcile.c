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
	bool warned_of_v6;
};

/* --- results of operations ------------------------------------------------------------------------------------- */

/* Returns true if a deletion failed because the item does not exist. -ENXIO and -EADDRNOTAVAIL occur for addresses. */
static bool is_gone(int status)
{
	return status == -ESRCH || status == -ENOENT || status == -EADDRNOTAVAIL || status == -ENXIO;
}

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

/* Skips the item until the next reload. If the host refuses IPv6, reports only the first item. */
static void leave_out(struct run *run, const struct item *item, int status, const struct reason *why)
{
	struct reconcile *reconcile = run->reconcile;
	char text[REASON_BYTES + 32];
	struct reason reason;

	mark_desired(reconcile, item, ITEM_LEFT_OUT);
	if (no_v6(item, status)) {
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

/*
 * Handles a route of another program that has replaced one in our own table: keeps it, and adds ours in front of it.
 * Only a repair does this, because at the start such a route means that two tunnels use the same table.
 */
static int prepend(struct run *run, const struct operation *operation)
{
	const struct host_operations *host = run->reconcile->host;
	struct operation again = { OPERATION_PREPEND, operation->item };
	struct reason why = { 0 };
	int status = -EEXIST;

	if (run->mode == RECONCILE_REPAIR && operation->item.kind == ITEM_ROUTE &&
		operation->item.table == run->reconcile->own_table)
		host->apply(host->host, &again, 1, &status, &why);
	return status;
}

static int judge_result(struct run *run, const struct operation *operation, int status, const struct reason *why)
{
	const struct host_operations *host = run->reconcile->host;
	struct reason owner = { 0 };

	if (status == 0) {
		run->changes += !(operation->item.flags & ITEM_BRIEF);
		return 0;
	}
	if (operation->verb == OPERATION_DELETE && is_gone(status))
		return 0;
	if (operation->verb == OPERATION_ADD && status == -EEXIST) {
		if (host->owner(host->host, &operation->item, &owner) == 1)
			return 0;
		if (prepend(run, operation) == 0) {
			run->changes++;
			return 0;
		}
		why = &owner;
	}
	return judge_failure(run, operation, status, why);
}

/* --- applying -------------------------------------------------------------------------------------------------- */

/* Returns true for an operation that can change more than its item. */
static bool has_side_effect(const struct operation *operation)
{
	if (operation->item.kind == ITEM_ADDRESS)
		return operation->verb == OPERATION_DELETE;
	return operation->item.kind == ITEM_LINK && operation->item.length == LINK_MTU;
}

static size_t batch_length(const struct operation *operations, size_t count)
{
	size_t length = 1;

	while (length < count && length < RECONCILE_BATCH && operations[length].verb == operations->verb &&
		   operations[length].item.kind == operations->item.kind)
		length++;
	return length;
}

/*
 * A change of the MTU can add or remove IPv6 with all its settings, so the host must be observed again. That is cheap
 * before the routes are added.
 */
static bool must_stop(const struct operation *operations, size_t count)
{
	for (size_t i = 0; i < count; i++)
		if (operations[i].item.kind == ITEM_LINK && operations[i].item.length == LINK_MTU)
			return true;
	return false;
}

static int apply_all(struct run *run, const struct operation_list *list)
{
	const struct host_operations *host = run->reconcile->host;
	int status[RECONCILE_BATCH], error = 0;

	run->observe_again = false;
	for (size_t done = 0; done < list->count && !error;) {
		const struct operation *batch = list->operations + done;
		size_t length = batch_length(batch, list->count - done);
		struct reason why = { 0 };

		host->apply(host->host, batch, length, status, &why);
		for (size_t i = 0; i < length && !error; i++) {
			error = judge_result(run, &batch[i], status[i], &why);
			run->observe_again |= has_side_effect(&batch[i]);
		}
		done += length;
		if (must_stop(batch, length))
			break;
	}
	return error;
}

/* --- passes ---------------------------------------------------------------------------------------------------- */

/* Routes are the last kind, and those of `before` are sorted, so `observed` stays sorted. */
static int append_routes(struct item_list *observed, const struct item_list *before)
{
	int error = 0;

	for (size_t i = 0; i < before->count && !error; i++) {
		struct item item = before->items[i];

		if (item.kind != ITEM_ROUTE || item.flags & ITEM_LEFT_OUT)
			continue;
		item.flags = item.flags & ITEM_CONNECTED ? 0 : ITEM_OURS;
		error = item_push(observed, &item);
	}
	return error;
}

static int find_operations(struct run *run, struct operation_list *list)
{
	const struct host_operations *host = run->reconcile->host;
	struct item_list observed = { 0 };
	int error = host->observe(host->host, &observed, !run->routes);

	if (!error)
		item_list_sort(&observed);
	if (!error && run->routes)
		error = append_routes(&observed, run->routes);
	if (!error) {
		error = difference_find(list, &run->reconcile->desired, &observed,
								run->mode == RECONCILE_PREPARE ? DIFFERENCE_ADDITIONS : DIFFERENCE_ALL);
	}
	item_list_destroy(&observed);
	return error;
}

static int report_conflict(struct run *run, const struct operation *operation)
{
	char text[ITEM_TEXT];

	item_text(text, &operation->item);
	return reason_set(run->reason, -EBUSY, "%s: %s again and again by another program or by the host", text,
					  operation->verb == OPERATION_ADD ? "removed" : "added");
}

/* Runs one pass. Returns 1 if another one is needed, 0 if not, or a negative errno. */
static int reconcile_pass(struct run *run, bool last)
{
	struct operation_list list = { 0 };
	int error = find_operations(run, &list);

	run->observe_again = false;
	if (!error && list.count && last)
		error = report_conflict(run, &list.operations[0]);
	else if (!error && list.count)
		error = apply_all(run, &list);
	operation_list_destroy(&list);
	return error ? error : run->observe_again;
}

static int run_passes(struct run *run)
{
	int status = 1;

	run->reason->text[0] = '\0';
	for (size_t i = 0; i < run->reconcile->desired.count; i++)
		run->reconcile->desired.items[i].flags &= (uint8_t)~ITEM_FAILED;
	for (int number = 0; status == 1 && number <= PASSES_MAX; number++) {
		status = reconcile_pass(run, number == PASSES_MAX);
		/* Side effects may have deleted routes, so later passes observe those of the host. */
		run->routes = NULL;
	}
	if (status < 0 && !run->reason->text[0])
		reason_set_errno(run->reason, status, "network");
	return status < 0 ? status : (int)run->changes;
}

int reconcile_run(struct reconcile *reconcile, enum reconcile_mode mode, struct reason *reason)
{
	struct run run = { .reconcile = reconcile, .mode = mode, .reason = reason };

	return run_passes(&run);
}

int reconcile_change(struct reconcile *reconcile, const struct item_list *before, enum reconcile_mode mode,
					 struct reason *reason)
{
	struct run run = { .reconcile = reconcile, .routes = before, .mode = mode, .reason = reason };

	return run_passes(&run);
}
