/* SPDX-License-Identifier: MIT */
/* Loop: a periodic watcher that never fires. */
#include "tunnel/loop.h"

#define FAR_FUTURE 1e10 /* seconds since the epoch */

static void on_never(struct ev_loop *loop, struct ev_periodic *watcher, int events)
{
}

void loop_sleep_without_end(struct ev_loop *loop, struct ev_periodic *never)
{
	ev_periodic_init(never, on_never, FAR_FUTURE, 0., NULL);
	ev_periodic_start(loop, never);
}
