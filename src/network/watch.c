/* SPDX-License-Identifier: MIT */
/* The watch: schedules the looks. */
#include "watch.h"

#include <errno.h>
#include <net/if.h>
#include <stdio.h>
#include <string.h>
#include <sys/inotify.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "io/netfilter.h"
#include "ruleset.h"

static const double pause_min = 0.05, pause_max = 0.3; /* seconds */
static const double idle = 1.0;                        /* seconds from a change of ours to a look */
static const double calm = 2.0; /* seconds without a repair after which the pause is short again */

enum {
	PAUSE_PER_LOOK = 20, /* a look that uses a processor for t seconds is followed by a pause of 20 t */
	QUICK_REPAIRS = 4,   /* repairs in a row before the pause grows */
	CONTESTED = 12,      /* repairs in a row that are reported as a conflict */
};

static void watch_arm(struct watch *watch, double seconds, bool urgent)
{
	if (!watch->loop || (ev_is_active(&watch->look) && watch->urgent))
		return;
	ev_timer_stop(watch->loop, &watch->look);
	ev_timer_set(&watch->look, seconds, 0.0);
	ev_timer_start(watch->loop, &watch->look);
	watch->urgent = urgent;
}

/* The pause counts from the last look, so an event after a quiet time is followed by a look at once. */
void watch_look(struct watch *watch)
{
	double rest = watch->looked_at + watch->pause - clock_seconds();

	watch_arm(watch, rest > pause_min ? rest : pause_min, true);
}

void watch_look_when_idle(struct watch *watch)
{
	watch_arm(watch, watch->pause > idle ? watch->pause : idle, false);
}

/* Seconds of processor time. On a busy host, or while nft(8) runs, a look can last many times as long. */
static double cpu_time(void)
{
	struct timespec t;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static void on_look(struct ev_loop *loop, struct ev_timer *timer, int events)
{
	struct watch *watch = timer->data;
	double begin = clock_seconds(), used = cpu_time();
	int repairs = watch->repair(watch->context);

	used = cpu_time() - used;
	watch->looked_at = clock_seconds();
	if (repairs == -ENODEV) /* it can come back from another network namespace, with its index */
		return;
	if (repairs > 0) {
		if (begin - watch->repaired_at > calm + watch->pause) {
			watch->repairs = 0;
			watch->pause = pause_min;
		}
		watch->repaired_at = begin;
		watch->repairs++;
		if (watch->repairs > QUICK_REPAIRS)
			watch->pause = watch->pause * 2 < pause_max ? watch->pause * 2 : pause_max;
		if (watch->repairs == CONTESTED)
			watch->contested(watch->context);
	} else if (begin - watch->repaired_at > calm) {
		watch->pause = pause_min;
	}
	if (watch->pause < used * PAUSE_PER_LOOK)
		watch->pause = used * PAUSE_PER_LOOK;
	if (repairs > 0)
		watch_look_when_idle(watch);
}

static void watch_event(void *context, const struct netlink_event *event)
{
	struct watch *watch = context;

	if (watch->concerns(watch->context, event))
		watch_look(watch);
}

static void on_routes(struct ev_loop *loop, struct ev_io *io, int events)
{
	struct watch *watch = io->data;

	if (netlink_events_read(io->fd, watch_event, watch) == -ENOBUFS)
		watch_look(watch);
}

static void watch_table(void *context, const char *table)
{
	if (strncmp(table, RULESET_PREFIX, strlen(RULESET_PREFIX)) == 0)
		watch_look(context);
}

static void on_tables(struct ev_loop *loop, struct ev_io *io, int events)
{
	struct watch *watch = io->data;

	if (netfilter_watch_read(io->fd, watch_table, watch) == -ENOBUFS)
		watch_look(watch);
}

/* Which parameter it is does not matter, because a look reads them all. */
static void on_parameters(struct path_watch *parameters)
{
	watch_look(container_of(parameters, struct watch, parameters));
}

/* The folders of an interface are replaced when it is renamed, and those of IPv6 when the MTU passes 1280. */
void watch_parameters(struct watch *watch, const char *interface)
{
	const char *const names[PATH_WATCH_SLOTS][2] = { { "ipv4", "all" }, { "ipv4", interface }, { "ipv6", interface } };
	char path[sizeof "/proc/sys/net/ipv4/conf/" + IFNAMSIZ];

	for (unsigned i = 0; i < PATH_WATCH_SLOTS; i++) {
		snprintf(path, sizeof path, "/proc/sys/net/%s/conf/%s", names[i][0], names[i][1]);
		path_watch_set(&watch->parameters, i, path, IN_MODIFY | IN_ONLYDIR);
	}
}

static void start_io(struct watch *watch, struct ev_io *io, int fd,
					 void (*handle)(struct ev_loop *loop, struct ev_io *io, int events))
{
	ev_io_init(io, handle, fd, EV_READ);
	io->data = watch;
	ev_io_start(watch->loop, io);
}

int watch_start(struct watch *watch, struct ev_loop *loop, struct path_watches *paths, uint32_t port)
{
	const unsigned kinds = NETLINK_EVENT_LINK | NETLINK_EVENT_ADDRESS | NETLINK_EVENT_ROUTE | NETLINK_EVENT_RULE;
	int routes = netlink_events_open(kinds, port), tables;

	if (routes < 0)
		return routes;
	watch->loop = loop;
	watch->pause = pause_min;
	ev_timer_init(&watch->look, on_look, pause_min, 0.0);
	watch->look.data = watch;
	start_io(watch, &watch->routes, routes, on_routes);
	watch->tables.fd = -1;
	tables = netfilter_watch_open(); /* a kernel without nftables has no tables to watch */
	if (tables >= 0)
		start_io(watch, &watch->tables, tables, on_tables);
	watch->parameters = (struct path_watch) { .watches = paths, .changed = on_parameters };
	return 0;
}

static void stop_io(struct watch *watch, struct ev_io *io)
{
	int fd = io->fd;

	if (fd < 0)
		return;
	ev_io_stop(watch->loop, io);
	close(fd);
}

void watch_stop(struct watch *watch)
{
	if (!watch->loop)
		return;
	ev_timer_stop(watch->loop, &watch->look);
	stop_io(watch, &watch->routes);
	stop_io(watch, &watch->tables);
	path_watch_stop(&watch->parameters);
	watch->loop = NULL;
}
