/* SPDX-License-Identifier: MIT */
/* The status of a tunnel. */
#include "daemon/status.h"

#include <stdio.h>

#include "base/clock.h"
#include "daemon/notify.h"
#include "tunnel/peer.h"

#define STATUS_DELAY 0.1     /* seconds after a handshake, so that one message covers several peers */
#define STATUS_INTERVAL 10.0 /* seconds between two messages */

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

void status_send(const struct device *device, const char *lines)
{
	char text[STATUS_TEXT], state[STATUS_TEXT + 32];

	snprintf(state, sizeof state, "%sSTATUS=%s", lines, status_text(text, device, clock_boottime()));
	notify_service(state);
}

static void on_status_due(struct ev_loop *loop, struct ev_timer *timer, int events)
{
	struct status *status = timer->data;

	status->sent_at = clock_seconds();
	status_send(status->device, "");
}

static void on_handshake_completed(void *context, struct peer *peer)
{
	struct status *status = context;
	double wait = status->sent_at + STATUS_INTERVAL - clock_seconds();

	if (ev_is_active(&status->timer))
		return;
	ev_timer_set(&status->timer, wait > STATUS_DELAY ? wait : STATUS_DELAY, 0);
	ev_timer_start(status->loop, &status->timer);
}

void status_start(struct status *status, struct device *device, struct ev_loop *loop)
{
	if (!notify_is_possible())
		return;
	*status = (struct status) { .device = device, .loop = loop, .sent_at = -STATUS_INTERVAL };
	ev_init(&status->timer, on_status_due);
	status->timer.data = status;
	device->handshake_completed = on_handshake_completed;
	device->handshake_completed_context = status;
}

void status_stop(struct status *status)
{
	if (!status->loop)
		return;
	status->device->handshake_completed = NULL;
	ev_timer_stop(status->loop, &status->timer);
	status->loop = NULL;
}
