/* SPDX-License-Identifier: MIT */
/*
 * Theory of operation
 *
 * The timers of a peer, and what moves them:
 *
 *   retransmit handshake: 5 s and up to 333 ms
 *       set by an initiation sent, cancelled by a session made; sends another initiation, until 90 s have passed
 *   send keepalive: 10 s
 *       set by data received, cancelled by anything sent; set again when more data came meanwhile
 *   new handshake: 15 s and up to 333 ms
 *       set by data sent, cancelled by anything received
 *   zero keys: 540 s
 *       set by a session made, and by giving up
 *   persistent keepalive: as configured
 *       set by anything sent or received
 *
 * Traffic moves three of them with every packet, so moving is cheap: `due` is what counts, and the heap holds a
 * deadline that may be too early. When that passes, a timer that is no longer pending is dropped, one that is due later
 * is put back.
 *
 * Workers set `due` and look at `queued`; control, which owns the heap, clears `queued` and looks at `due`. Each does
 * its write before its look, so that one of them sees the other and no deadline is lost between the two.
 */
#include "tunnel/timers.h"

#include <errno.h>
#include <stddef.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include <sodium.h>

#include "base/clock.h"
#include "crypto/message.h"
#include "tunnel/device.h"
#include "tunnel/notice.h"
#include "tunnel/peer.h"

enum { ATTEMPTS_MAX = REKEY_ATTEMPT_TIME / REKEY_TIMEOUT };

static void set_alarm(struct timers *timers)
{
	const struct heap_node *top = heap_top(&timers->heap);
	uint64_t at = top ? top->key : 0;
	struct itimerspec when = { .it_value = { (time_t)(at / NS_PER_S), (long)(at % NS_PER_S) } };

	if (at == timers->alarm)
		return;
	timers->alarm = at;
	if (timers->fd >= 0)
		timerfd_settime(timers->fd, TFD_TIMER_ABSTIME, &when, NULL);
}

static struct timers *timers_of(const struct peer *peer)
{
	return &peer->device->timers;
}

static struct timer *timer_of(struct peer *peer, enum timer_kind kind)
{
	return &peer->timers.timer[kind];
}

static uint64_t due_of(const struct timer *timer)
{
	return atomic_load_explicit(&timer->due, memory_order_relaxed);
}

static void queue(struct timers *timers, struct timer *timer)
{
	uint64_t due = atomic_load(&timer->due), queued = atomic_load_explicit(&timer->queued, memory_order_relaxed);

	if (!due || (queued && queued <= due))
		return;
	heap_set(&timers->heap, &timer->node, due);
	atomic_store(&timer->queued, due);
}

void timers_queue(struct peer *peer)
{
	for (int kind = 0; kind < TIMERS; kind++)
		queue(timers_of(peer), timer_of(peer, kind));
	set_alarm(timers_of(peer));
}

static void arm(struct peer *peer, enum timer_kind kind, uint64_t due)
{
	struct timer *timer = timer_of(peer, kind);
	uint64_t queued;

	atomic_store(&timer->due, due);
	queued = atomic_load(&timer->queued);
	if (!queued || queued > due)
		notice_peer(peer, NOTICE_TIMER, 0);
}

static void cancel(struct peer *peer, enum timer_kind kind)
{
	atomic_store_explicit(&timer_of(peer, kind)->due, 0, memory_order_relaxed);
}

/* Up to REKEY_TIMEOUT_JITTER, so that two ends do not keep in step. No secret: xorshift64 will do. */
static uint64_t jitter(struct timers *timers)
{
	uint64_t random = atomic_load_explicit(&timers->random, memory_order_relaxed);

	random ^= random << 13;
	random ^= random >> 7;
	random ^= random << 17;
	atomic_store_explicit(&timers->random, random, memory_order_relaxed);
	return random % REKEY_TIMEOUT_JITTER;
}

static void retransmit_expired(struct peer *peer, uint64_t now)
{
	const struct timer_actions *actions = timers_of(peer)->actions;

	if (peer->timers.attempts >= ATTEMPTS_MAX) {
		cancel(peer, TIMER_SEND_KEEPALIVE);
		actions->give_up(peer);
		if (!due_of(timer_of(peer, TIMER_ZERO_KEYS)))
			arm(peer, TIMER_ZERO_KEYS, now + 3 * REJECT_AFTER_TIME);
		return;
	}
	peer->timers.attempts++;
	actions->unanswered(peer);
	actions->initiate(peer, now, true);
}

static void keepalive_expired(struct peer *peer, uint64_t now)
{
	bool again = peer->timers.need_another_keepalive; /* sending clears it */

	timers_of(peer)->actions->keepalive(peer, now);
	if (again)
		arm(peer, TIMER_SEND_KEEPALIVE, now + KEEPALIVE_TIMEOUT);
}

static void expired(struct peer *peer, enum timer_kind kind, uint64_t now)
{
	const struct timer_actions *actions = timers_of(peer)->actions;

	switch (kind) {
	case TIMER_RETRANSMIT_HANDSHAKE:
		retransmit_expired(peer, now);
		break;
	case TIMER_SEND_KEEPALIVE:
		keepalive_expired(peer, now);
		break;
	case TIMER_NEW_HANDSHAKE:
		actions->unanswered(peer);
		actions->initiate(peer, now, false);
		break;
	case TIMER_ZERO_KEYS:
		actions->zero_keys(peer);
		break;
	case TIMER_PERSISTENT_KEEPALIVE:
		if (peer->keepalive)
			actions->keepalive(peer, now);
		break;
	case TIMERS:
		break;
	}
}

static struct peer *peer_of(struct timer *timer)
{
	struct timer *first = timer - timer->kind;
	return (struct peer *)(void *)((char *)first - offsetof(struct peer, timers.timer));
}

/* Takes the timer out of the heap. True when it has gone off: it is due, and from now on no longer pending. */
static bool lapse(struct timers *timers, struct timer *timer, uint64_t now)
{
	uint64_t due;

	heap_remove(&timers->heap, &timer->node);
	atomic_store(&timer->queued, 0);
	due = atomic_load(&timer->due);
	if (due && due <= now && atomic_compare_exchange_strong(&timer->due, &due, 0))
		return true;
	queue(timers, timer);
	return false;
}

void timers_expire(struct timers *timers, uint64_t now)
{
	for (struct heap_node *top; (top = heap_top(&timers->heap)) && top->key <= now;) {
		struct timer *timer = (struct timer *)(void *)top; /* the node is its first member */

		if (lapse(timers, timer, now))
			expired(peer_of(timer), timer->kind, now);
	}
	set_alarm(timers);
}

static void on_alarm(struct ev_loop *loop, struct ev_io *watcher, int events)
{
	struct timers *timers = watcher->data;
	uint64_t times;

	if (read(timers->fd, &times, sizeof times) < 0 && errno != EAGAIN)
		return;
	timers->alarm = 0; /* it has gone off: whatever is next must be set anew */
	timers_expire(timers, clock_boottime());
}

int timers_init(struct timers *timers, const struct timer_actions *actions, struct ev_loop *loop)
{
	*timers = (struct timers) { .actions = actions, .fd = -1 };
	timers->random = (uint64_t)randombytes_random() | 1;
	if (!loop)
		return 0;
	timers->fd = timerfd_create(CLOCK_BOOTTIME, TFD_NONBLOCK | TFD_CLOEXEC);
	if (timers->fd < 0)
		return -errno;
	ev_io_init(&timers->watcher, on_alarm, timers->fd, EV_READ);
	timers->watcher.data = timers;
	ev_io_start(loop, &timers->watcher);
	return 0;
}

void timers_destroy(struct timers *timers, struct ev_loop *loop)
{
	if (timers->fd >= 0 && loop) {
		ev_io_stop(loop, &timers->watcher);
		close(timers->fd);
	}
	heap_destroy(&timers->heap);
	timers->fd = -1;
}

int timers_reserve(struct timers *timers, size_t peers)
{
	return heap_reserve(&timers->heap, peers * TIMERS);
}

void timers_peer_init(struct peer *peer)
{
	peer->timers = (struct peer_timers) { 0 };
	for (int kind = 0; kind < TIMERS; kind++)
		peer->timers.timer[kind].kind = (uint8_t)kind;
}

void timers_peer_stop(struct peer *peer)
{
	for (int kind = 0; kind < TIMERS; kind++) {
		cancel(peer, kind);
		heap_remove(&timers_of(peer)->heap, &timer_of(peer, kind)->node);
		atomic_store(&timer_of(peer, kind)->queued, 0);
	}
	peer->timers.attempts = 0;
	peer->timers.need_another_keepalive = false;
	peer->timers.late_rekey_sent = false;
}

void timers_data_sent(struct peer *peer, uint64_t now)
{
	if (!due_of(timer_of(peer, TIMER_NEW_HANDSHAKE)))
		arm(peer, TIMER_NEW_HANDSHAKE, now + KEEPALIVE_TIMEOUT + REKEY_TIMEOUT + jitter(timers_of(peer)));
}

void timers_data_received(struct peer *peer, uint64_t now)
{
	if (due_of(timer_of(peer, TIMER_SEND_KEEPALIVE)))
		atomic_store_explicit(&peer->timers.need_another_keepalive, true, memory_order_relaxed);
	else
		arm(peer, TIMER_SEND_KEEPALIVE, now + KEEPALIVE_TIMEOUT);
}

static void any_traffic(struct peer *peer, uint64_t now)
{
	if (peer->keepalive)
		arm(peer, TIMER_PERSISTENT_KEEPALIVE, now + peer->keepalive * NS_PER_S);
}

void timers_any_sent(struct peer *peer, uint64_t now)
{
	cancel(peer, TIMER_SEND_KEEPALIVE);
	atomic_store_explicit(&peer->timers.need_another_keepalive, false, memory_order_relaxed);
	any_traffic(peer, now);
}

void timers_any_received(struct peer *peer, uint64_t now)
{
	cancel(peer, TIMER_NEW_HANDSHAKE);
	any_traffic(peer, now);
}

void timers_handshake_initiated(struct peer *peer, uint64_t now)
{
	arm(peer, TIMER_RETRANSMIT_HANDSHAKE, now + REKEY_TIMEOUT + jitter(timers_of(peer)));
}

void timers_handshake_completed(struct peer *peer)
{
	cancel(peer, TIMER_RETRANSMIT_HANDSHAKE);
	peer->timers.attempts = 0;
	peer->timers.late_rekey_sent = false;
}

void timers_session_derived(struct peer *peer, uint64_t now)
{
	arm(peer, TIMER_ZERO_KEYS, now + 3 * REJECT_AFTER_TIME);
}

void timers_keepalive_changed(struct peer *peer, uint64_t now)
{
	cancel(peer, TIMER_PERSISTENT_KEEPALIVE);
	any_traffic(peer, now);
}
