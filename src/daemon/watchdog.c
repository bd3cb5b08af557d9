/* SPDX-License-Identifier: MIT */
/* The watchdog, and the state of the tunnel for `systemctl status`. */
#include "daemon/watchdog.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/clock.h"
#include "daemon/notify.h"
#include "tunnel/peer.h"

/* Writes an age with one unit, as systemctl(1) does. */
static void write_age(char *text, size_t size, uint64_t seconds)
{
	if (seconds < 120)
		snprintf(text, size, "%llu s", (unsigned long long)seconds);
	else if (seconds < 2 * 3600)
		snprintf(text, size, "%llu min", (unsigned long long)(seconds / 60));
	else if (seconds < 2 * 86400)
		snprintf(text, size, "%llu h", (unsigned long long)(seconds / 3600));
	else
		snprintf(text, size, "%llu days", (unsigned long long)(seconds / 86400));
}

const char *status_text(char text[STATUS_TEXT], const struct device *device, uint64_t now)
{
	uint64_t last = 0;
	size_t up = 0;
	char age[32];
	int length;

	for (const struct peer *peer = peer_first(device); peer; peer = peer_next(peer)) {
		up += peer_session(peer, now) != NULL;
		if (peer->handshake_wall && (!last || peer->handshake_completed > last))
			last = peer->handshake_completed;
	}
	length =
		snprintf(text, STATUS_TEXT, "%zu peer%s, %zu up", device->peer_count, device->peer_count == 1 ? "" : "s", up);
	if (!last)
		return text;
	write_age(age, sizeof age, (now - last) / NS_PER_S);
	snprintf(text + length, STATUS_TEXT - (size_t)length, ", last handshake %s ago", age);
	return text;
}

static void on_watchdog(struct ev_loop *loop, struct ev_timer *timer, int events)
{
	struct watchdog *watchdog = timer->data;
	char text[STATUS_TEXT], state[STATUS_TEXT + 32];

	device_lock(watchdog->device); /* returns when all workers are asleep, so none of them hangs */
	device_unlock(watchdog->device);
	snprintf(state, sizeof state, "WATCHDOG=1\nSTATUS=%s", status_text(text, watchdog->device, clock_boottime()));
	notify_service(state);
}

/* Returns the interval in seconds, or 0 if there is no watchdog for this process. */
static double watchdog_interval(void)
{
	const char *interval = getenv("WATCHDOG_USEC"), *pid = getenv("WATCHDOG_PID");
	char *end;
	unsigned long long usec;

	if (!interval || (pid && strtoull(pid, NULL, 10) != (unsigned long long)getpid()))
		return 0;
	usec = strtoull(interval, &end, 10);
	return *interval == '-' || *end ? 0 : (double)usec / 1e6;
}

void watchdog_start(struct watchdog *watchdog, struct device *device, struct ev_loop *loop)
{
	double half = watchdog_interval() / 2;

	if (half <= 0 || !notify_is_possible())
		return;
	*watchdog = (struct watchdog) { .loop = loop, .device = device };
	ev_timer_init(&watchdog->timer, on_watchdog, 0, half);
	watchdog->timer.data = watchdog;
	ev_timer_start(loop, &watchdog->timer);
}

void watchdog_stop(struct watchdog *watchdog)
{
	if (watchdog->loop)
		ev_timer_stop(watchdog->loop, &watchdog->timer);
	watchdog->loop = NULL;
}
