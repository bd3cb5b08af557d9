/* SPDX-License-Identifier: MIT */
/* Interfaces without a control socket. */
#include "absent.h"

#include <errno.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "base/service_unit.h"
#include "network/network.h"
#include "network/process.h"
#include "network/resolvconf.h"
#include "uapi/interface_lock.h"
#include "uapi/socket.h"

/* The service manager closes the descriptors in its store one after the other. */
enum { STORE_MS = 5000, REST_MS = 200, POLL_MS = 10 };

/* systemd kills a unit after 90 s, unless the unit sets another time. */
enum { SHOW_UNIT_MS = 5000, STOP_UNIT_MS = 120000 };

/*
 * A process that ends before it is ready has failed, so systemd would start it again after a signal. If systemctl(1)
 * fails, the caller sends one.
 */
bool absent_stop_unit(const char *command, const char *name)
{
	char unit[SERVICE_NAME], output[PROCESS_OUTPUT];
	const char *const show[] = { "systemctl", "--property=MainPID", "--value", "show", unit, NULL };
	const char *const stop[] = { "systemctl", "stop", unit, NULL };
	struct interface_holder holder;

	if (!interface_lock_find(&holder, UAPI_DIRECTORY, name) || holder.phase != INTERFACE_STARTING || !holder.process ||
		!service_unit_find(holder.process, unit))
		return false;
	if (process_run(show, NULL, 0, output, SHOW_UNIT_MS) != 0 || strtol(output, NULL, 10) != holder.process ||
		process_run(stop, NULL, 0, output, STOP_UNIT_MS) != 0)
		return false;
	fprintf(stderr, "%s: `%s' was still starting; stopped %s\n", command, name, unit);
	return true;
}

/* Asks the holder of the lock to end. It may have ended meanwhile, and another process may have got its number. */
static int end_holder(const char *command, struct stop_wait *wait, const struct interface_holder *holder)
{
	struct interface_holder now;
	long result = 0;

	if (!holder->process) {
		fprintf(stderr, "%s: `%s' belongs to a process in another PID namespace\n", command, wait->name);
		return -EIO;
	}
	wait->process = (int)syscall(SYS_pidfd_open, holder->process, 0);
	if (holder->phase == INTERFACE_ENDING)
		return -EBUSY;
	/* Without pidfd_open(2), which is newer than Linux 5.2, the number of the process has to do. */
	if (interface_lock_find(&now, UAPI_DIRECTORY, wait->name) && now.process == holder->process)
		result = wait->process >= 0 ? syscall(SYS_pidfd_send_signal, wait->process, SIGTERM, NULL, 0)
									: kill(holder->process, SIGTERM);
	if (result)
		fprintf(stderr, "%s: `%s': process %d: %s\n", command, wait->name, (int)holder->process, strerror(errno));
	else if (holder->phase == INTERFACE_STARTING)
		fprintf(stderr, "%s: `%s' was still starting; its start has been ended\n", command, wait->name);
	else
		fprintf(stderr, "%s: `%s' has no control socket; its process has been ended\n", command, wait->name);
	return result ? -EIO : 0;
}

/*
 * A killed daemon leaves the file of its lock. Without it, this interface was none of adit, and the rules without an
 * owner belong to another one. If the interface is still open, the service manager keeps it for the next process, and
 * nothing changes. Returns true if something was removed.
 */
static bool remove_remains(const char *command, const char *name)
{
	struct interface_lock lock = { 0 };
	bool killed, socket = false;
	int removed = 0;

	if (interface_lock_take(&lock, UAPI_DIRECTORY, name, INTERFACE_ENDING, 0))
		return false;
	killed = lock.left;
	if (killed)
		removed = network_remove_remains(name);
	if (removed > 0 || !if_nametoindex(name)) {
		socket = uapi_remove_dead_socket(UAPI_DIRECTORY, name);
		if (killed)
			resolvconf_remove(name);
		lock.left = false;
	}
	interface_lock_release(&lock);
	if (removed > 0)
		fprintf(stderr, "%s: `%s' was killed; removed its network: %d item%s\n", command, name, removed,
				removed == 1 ? "" : "s");
	else if (socket)
		fprintf(stderr, "%s: `%s' was killed; removed its control socket\n", command, name);
	return removed > 0 || socket;
}

int absent_end(const char *command, struct stop_wait *wait)
{
	struct interface_holder holder;

	if (interface_lock_find(&holder, UAPI_DIRECTORY, wait->name))
		return end_holder(command, wait, &holder);
	return remove_remains(command, wait->name) ? 0 : -ENOENT;
}

bool absent_has_foreign_socket(const struct stop_wait *wait)
{
	struct interface_holder holder;

	return wait->is_elsewhere || (wait->listener && interface_lock_find(&holder, UAPI_DIRECTORY, wait->name) &&
								  holder.process && holder.process != wait->listener);
}

bool absent_closes_connections(const char *name)
{
	struct interface_holder holder;

	if (interface_lock_find(&holder, UAPI_DIRECTORY, name))
		return holder.phase != INTERFACE_UP;
	return !if_nametoindex(name);
}

void absent_remove_remains(const char *command, const char *name)
{
	const struct timespec pause = { .tv_nsec = POLL_MS * 1000000L }, rest = { .tv_nsec = REST_MS * 1000000L };
	struct interface_holder holder;
	int waited = 0;

	while (if_nametoindex(name) && !interface_lock_find(&holder, UAPI_DIRECTORY, name) && waited < STORE_MS) {
		nanosleep(&pause, NULL);
		waited += POLL_MS;
	}
	if (waited)
		nanosleep(&rest, NULL);
	remove_remains(command, name);
}
