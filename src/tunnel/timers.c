/* SPDX-License-Identifier: MIT */
/*
 * Timers of the peers.
 *
 *   timer                  after             set by                     cancelled by      on expiry
 *   retransmit handshake   5 s + jitter      initiation sent            session made      sends another, for 90 s
 *   send keepalive         10 s              data received              anything sent     sends a keepalive
 *   new handshake          15 s + jitter     data sent                  anything received sends an initiation
 *   zero keys              540 s             session made, giving up    -                 wipes the keys
 *   persistent keepalive   as configured     anything sent or received  -                 sends a keepalive
 *
 * "Send keepalive" is set again on expiry if more data was received in the meantime. "Retransmit handshake" is also set
 * when a first initiation has to wait after a response (handshake_initiate). The jitter is at most 333 ms.
 *
 * Theory of operation
 *
 * Every packet moves some of these timers, so setting one must be cheap. `due` is the deadline; the heap may hold an
 * earlier one. When the heap's deadline passes, a timer that is no longer pending leaves the heap, and a timer that is
 * due later is queued again. So only a deadline that is earlier than the heap's needs control: needs_queueing reports
 * it.
 *
 * A worker stores `due`, then loads `queued`. Control, which owns the heap, stores `queued`, then loads `due`. Each
 * side stores before it loads, so at least one of them sees the other's store and no deadline is lost.
 */
#include "tunnel/timers.h"

#include <errno.h>
#include <stddef.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include <sodium.h>

#include "base/clock.h"
#include "base/list.h"
#include "crypto/message.h"

enum {
	ATTEMPTS_MAX = REKEY_ATTEMPT_TIME / REKEY_TIMEOUT,
	EXPIRED_PER_WAKEUP = 8, /* each may cost a handshake's curve operations; then other watchers of the loop run */
};

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

static bool timer_pending(const struct peer_timers *peer, enum timer_kind kind)
{
	return atomic_load_explicit(&peer->timer[kind].due, memory_order_relaxed);
}

static void timer_queue(struct timers *timers, struct timer *timer)
{
	uint64_t due = atomic_load(&timer->due), queued = atomic_load_explicit(&timer->queued, memory_order_relaxed);

	if (!due || (queued && queued <= due))
		return;
	heap_set(&timers->heap, &timer->node, due);
	atomic_store(&timer->queued, due);
}

void timers_queue(struct timers *timers, struct peer_timers *peer)
{
	for (int kind = 0; kind < TIMERS; kind++)
		timer_queue(timers, &peer->timer[kind]);
	set_alarm(timers);
}

static void timer_set(struct timers *timers, struct peer_timers *peer, enum timer_kind kind, uint64_t due)
{
	struct timer *timer = &peer->timer[kind];
	uint64_t queued;

	atomic_store(&timer->due, due);
	queued = atomic_load(&timer->queued);
	if (!queued || queued > due)
		timers->ops->needs_queueing(peer);
}

static void timer_cancel(struct peer_timers *peer, enum timer_kind kind)
{
	atomic_store_explicit(&peer->timer[kind].due, 0, memory_order_relaxed);
}

/* Not secret, so xorshift64 is good enough. */
uint64_t timers_jitter(struct timers *timers)
{
	uint64_t random = atomic_load_explicit(&timers->random, memory_order_relaxed);

	random ^= random << 13;
	random ^= random >> 7;
	random ^= random << 17;
	atomic_store_explicit(&timers->random, random, memory_order_relaxed);
	return random % REKEY_TIMEOUT_JITTER;
}

/* --- expiry ----- */

static void timer_expired(struct timers *timers, struct peer_timers *peer, enum timer_kind kind, uint64_t now)
{
	const struct timer_ops *ops = timers->ops;
	bool again = peer->need_another_keepalive; /* sending the keepalive clears it */

	switch (kind) {
	case TIMER_RETRANSMIT_HANDSHAKE:
		if (peer->attempts < ATTEMPTS_MAX) {
			peer->attempts++;
			ops->initiate(peer, now, true);
			break;
		}
		timer_cancel(peer, TIMER_SEND_KEEPALIVE);
		ops->give_up(peer);
		if (!timer_pending(peer, TIMER_ZERO_KEYS))
			timer_set(timers, peer, TIMER_ZERO_KEYS, now + 3 * REJECT_AFTER_TIME);
		break;
	case TIMER_SEND_KEEPALIVE:
		ops->keepalive(peer, now);
		if (again)
			timer_set(timers, peer, TIMER_SEND_KEEPALIVE, now + KEEPALIVE_TIMEOUT);
		break;
	case TIMER_NEW_HANDSHAKE:
		ops->initiate(peer, now, false);
		break;
	case TIMER_ZERO_KEYS:
		ops->zero_keys(peer);
		break;
	case TIMER_PERSISTENT_KEEPALIVE:
		if (peer->keepalive)
			ops->keepalive(peer, now);
		break;
	case TIMERS:
		break;
	}
}

/* Takes expired timers out of the heap. */
void timers_expire(struct timers *timers, uint64_t now, unsigned max)
{
	struct heap_node *top = heap_top(&timers->heap);

	while (top && top->key <= now && max) {
		struct timer *timer = container_of(top, struct timer, node);
		struct peer_timers *peer = container_of(timer - timer->kind, struct peer_timers, timer);
		uint64_t due;

		heap_remove(&timers->heap, &timer->node);
		atomic_store(&timer->queued, 0);
		due = atomic_load(&timer->due);
		if (due && due <= now && atomic_compare_exchange_strong(&timer->due, &due, 0)) {
			timer_expired(timers, peer, timer->kind, now);
			max--;
		} else {
			timer_queue(timers, timer); /* cancelled, or due later */
		}
		top = heap_top(&timers->heap);
	}
	set_alarm(timers);
}

static void on_alarm(struct ev_loop *loop, struct ev_io *watcher, int events)
{
	struct timers *timers = watcher->data;
	uint64_t times;

	if (read(timers->fd, &times, sizeof times) < 0 && errno != EAGAIN)
		return;
	timers->alarm = 0; /* the timerfd has expired and must be set again */
	timers_expire(timers, clock_boottime(), EXPIRED_PER_WAKEUP);
}

/* --- set-up ----- */

int timers_init(struct timers *timers, const struct timer_ops *ops, struct ev_loop *loop)
{
	*timers = (struct timers) { .ops = ops, .fd = -1 };
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
	if (timers->ops && timers->fd >= 0) {
		ev_io_stop(loop, &timers->watcher);
		close(timers->fd);
	}
	heap_destroy(&timers->heap);
	*timers = (struct timers) { .fd = -1 };
}

int timers_reserve(struct timers *timers, size_t peers)
{
	return heap_reserve(&timers->heap, peers * TIMERS);
}

void timers_peer_init(struct peer_timers *peer)
{
	*peer = (struct peer_timers) { 0 };
	for (int kind = 0; kind < TIMERS; kind++)
		peer->timer[kind].kind = (uint8_t)kind;
}

void timers_peer_stop(struct timers *timers, struct peer_timers *peer)
{
	for (int kind = 0; kind < TIMERS; kind++) {
		timer_cancel(peer, kind);
		heap_remove(&timers->heap, &peer->timer[kind].node);
		atomic_store(&peer->timer[kind].queued, 0);
	}
	peer->attempts = 0;
	peer->need_another_keepalive = false;
	peer->late_rekey_sent = false;
}

/* --- events ----- */

void timers_data_sent(struct timers *timers, struct peer_timers *peer, uint64_t now)
{
	if (!timer_pending(peer, TIMER_NEW_HANDSHAKE))
		timer_set(timers, peer, TIMER_NEW_HANDSHAKE, now + KEEPALIVE_TIMEOUT + REKEY_TIMEOUT + timers_jitter(timers));
}

void timers_data_received(struct timers *timers, struct peer_timers *peer, uint64_t now)
{
	if (timer_pending(peer, TIMER_SEND_KEEPALIVE))
		atomic_store_explicit(&peer->need_another_keepalive, true, memory_order_relaxed);
	else
		timer_set(timers, peer, TIMER_SEND_KEEPALIVE, now + KEEPALIVE_TIMEOUT);
}

static void any_traffic(struct timers *timers, struct peer_timers *peer, uint64_t now)
{
	if (peer->keepalive)
		timer_set(timers, peer, TIMER_PERSISTENT_KEEPALIVE, now + peer->keepalive * NS_PER_S);
}

void timers_any_sent(struct timers *timers, struct peer_timers *peer, uint64_t now)
{
	timer_cancel(peer, TIMER_SEND_KEEPALIVE);
	atomic_store_explicit(&peer->need_another_keepalive, false, memory_order_relaxed);
	any_traffic(timers, peer, now);
}

void timers_any_received(struct timers *timers, struct peer_timers *peer, uint64_t now)
{
	timer_cancel(peer, TIMER_NEW_HANDSHAKE);
	any_traffic(timers, peer, now);
}

bool timers_handshake_pending(const struct peer_timers *peer)
{
	return timer_pending(peer, TIMER_RETRANSMIT_HANDSHAKE);
}

void timers_handshake_initiated(struct timers *timers, struct peer_timers *peer, uint64_t now)
{
	timer_set(timers, peer, TIMER_RETRANSMIT_HANDSHAKE, now + REKEY_TIMEOUT + timers_jitter(timers));
}

void timers_handshake_completed(struct peer_timers *peer)
{
	timer_cancel(peer, TIMER_RETRANSMIT_HANDSHAKE);
	peer->attempts = 0;
	peer->late_rekey_sent = false;
}

void timers_session_derived(struct timers *timers, struct peer_timers *peer, uint64_t now)
{
	timer_set(timers, peer, TIMER_ZERO_KEYS, now + 3 * REJECT_AFTER_TIME);
}

void timers_set_keepalive(struct timers *timers, struct peer_timers *peer, uint16_t seconds, uint64_t now)
{
	peer->keepalive = seconds;
	timer_cancel(peer, TIMER_PERSISTENT_KEEPALIVE);
	any_traffic(timers, peer, now);
}
