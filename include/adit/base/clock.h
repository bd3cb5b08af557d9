/* SPDX-License-Identifier: MIT */
/*
 * Clocks. All protocol deadlines are in nanoseconds of CLOCK_BOOTTIME, which includes suspend, so a resumed host rekeys
 * at once. A worker reads the clock once per wake-up and passes the value down; lower layers do not read the clock.
 */
#ifndef ADIT_BASE_CLOCK_H
#define ADIT_BASE_CLOCK_H

#include <stdint.h>
#include <time.h>

#define NS_PER_MS UINT64_C(1000000)
#define NS_PER_S UINT64_C(1000000000)

/* Nanoseconds since boot, including suspend. */
static inline uint64_t clock_boottime(void)
{
	struct timespec t;
	clock_gettime(CLOCK_BOOTTIME, &t);
	return (uint64_t)t.tv_sec * NS_PER_S + (uint64_t)t.tv_nsec;
}

/*
 * The same in seconds, for the pauses of libev's timers. ev_now(3) and ev_time(3) return the time of day: when that is
 * set back, a pause that is measured with them lasts as much longer.
 */
static inline double clock_seconds(void)
{
	return (double)clock_boottime() / (double)NS_PER_S;
}

/* Nanoseconds since the Unix epoch, for TAI64N timestamps and for display. Never use it for deadlines. */
static inline uint64_t clock_realtime(void)
{
	struct timespec t;
	clock_gettime(CLOCK_REALTIME, &t);
	return (uint64_t)t.tv_sec * NS_PER_S + (uint64_t)t.tv_nsec;
}

/* Milliseconds until `deadline`, a time of clock_boottime, for poll(2). Never less than are left; 0: it has passed. */
static inline int clock_ms_until(uint64_t deadline)
{
	uint64_t now = clock_boottime();
	return now < deadline ? (int)((deadline - now) / NS_PER_MS) + 1 : 0;
}

#endif
