/* SPDX-License-Identifier: MIT */
/* What every loop here wants of libev. */
#ifndef ADIT_TUNNEL_LOOP_H
#define ADIT_TUNNEL_LOOP_H

#include <ev.h>

/*
 * What a loop is made with: poll(2), not epoll(7). A set of epoll is told of each packet that comes to a descriptor of
 * it, also while the loop is awake and reading that very descriptor; who sits in poll is told, and else nobody. A loop
 * has about a dozen descriptors, so that to hand them over each time costs less. LIBEV_FLAGS still decides otherwise.
 *
 * A watcher is stopped before its descriptor is closed, and no other thread closes one that a loop sleeps on: libev
 * aborts when poll finds a descriptor that is not open.
 */
#define LOOP_FLAGS EVBACKEND_POLL

/*
 * libev wakes up each minute to see whether the clock was set, unless a periodic watcher makes it ask the kernel to be
 * told (a timerfd, from libev 4.33 on). An idle tunnel has nothing to wake up for. `never` is such a watcher, the
 * caller's, to be stopped before the loop is destroyed.
 */
void loop_sleep_without_end(struct ev_loop *loop, struct ev_periodic *never);

#endif
