/* What every loop here wants of libev. */
#ifndef ADIT_LOOP_H
#define ADIT_LOOP_H

#include <ev.h>

/*
 * libev wakes up each minute to see whether the clock was set, unless a periodic watcher makes it ask the kernel to be
 * told (a timerfd, from libev 4.33 on). An idle tunnel has nothing to wake up for. `never` is such a watcher, the
 * caller's, to be stopped before the loop is destroyed.
 */
void loop_sleep_without_end(struct ev_loop *loop, struct ev_periodic *never);

#endif
