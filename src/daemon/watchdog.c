/* SPDX-License-Identifier: MIT */
/* The watchdog of the service manager. */
#include "daemon/watchdog.h"

#include <stdlib.h>
#include <unistd.h>

#include "daemon/notify.h"
#include "daemon/status.h"

static void on_watchdog(struct ev_loop *loop, struct ev_timer *timer, int events)
{
	struct watchdog *watchdog = timer->data;

	device_lock(watchdog->device); /* returns when all workers are asleep, so none of them hangs */
	device_unlock(watchdog->device);
	status_send(watchdog->device, "WATCHDOG=1\n");
}

void watchdog_start(struct watchdog *watchdog, struct device *device, struct ev_loop *loop)
{
	const char *interval = getenv("WATCHDOG_USEC"), *pid = getenv("WATCHDOG_PID");
	unsigned long long usec;
	char *end;

	if (!interval || !notify_is_possible())
		return;
	if (pid && strtoull(pid, NULL, 10) != (unsigned long long)getpid()) /* the watchdog of another process */
		return;
	usec = strtoull(interval, &end, 10);
	if (*interval == '-' || *end || !usec)
		return;
	*watchdog = (struct watchdog) { .loop = loop, .device = device };
	ev_timer_init(&watchdog->timer, on_watchdog, 0, (double)usec / 1e6 / 2);
	watchdog->timer.data = watchdog;
	ev_timer_start(loop, &watchdog->timer);
}

void watchdog_stop(struct watchdog *watchdog)
{
	if (watchdog->loop)
		ev_timer_stop(watchdog->loop, &watchdog->timer);
	watchdog->loop = NULL;
}
