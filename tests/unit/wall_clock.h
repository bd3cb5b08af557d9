/* SPDX-License-Identifier: MIT */
/* The wall clock of libev, which a test can set. Link with --wrap=ev_now. */
#ifndef ADIT_TEST_WALL_CLOCK_H
#define ADIT_TEST_WALL_CLOCK_H

#include <ev.h>

static ev_tstamp wall_clock_step; /* seconds by which the clock was changed */

ev_tstamp __real_ev_now(struct ev_loop *loop);
ev_tstamp __wrap_ev_now(struct ev_loop *loop);

ev_tstamp __wrap_ev_now(struct ev_loop *loop)
{
	return __real_ev_now(loop) + wall_clock_step;
}

#endif
