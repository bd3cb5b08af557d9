/* SPDX-License-Identifier: MIT */
/* Loop: how the event loops of this program are set up. */
#ifndef ADIT_TUNNEL_LOOP_H
#define ADIT_TUNNEL_LOOP_H

#include <ev.h>

/*
 * The flags for making a loop: poll(2), not epoll(7). The kernel notifies an epoll set of each packet that arrives on
 * one of its descriptors, even while the loop is awake and reads that descriptor; it notifies a poller only while it
 * sleeps. A loop has about a dozen descriptors, so passing them with each call costs less. LIBEV_FLAGS overrides this.
 *
 * A watcher must be stopped before its descriptor is closed, and no thread may close a descriptor on which another
 * thread's loop sleeps: libev aborts when poll(2) reports a descriptor that is not open.
 */
#define LOOP_FLAGS EVBACKEND_POLL

/*
 * libev wakes up once a minute to see whether the clock was set. With a periodic watcher it lets the kernel report that
 * (by a timerfd, from libev 4.33 on), and an idle tunnel never wakes up. `never` is such a watcher, supplied by the
 * caller; it must be stopped before the loop is destroyed.
 */
void loop_sleep_without_end(struct ev_loop *loop, struct ev_periodic *never);

#endif
