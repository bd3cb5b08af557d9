/* SPDX-License-Identifier: MIT */
/*
 * Time. All protocol deadlines are nanoseconds of CLOCK_BOOTTIME, so that a suspended host rekeys when it wakes. The
 * worker reads the clock once a wake-up and hands the value down: nothing below it asks for the time itself.
 */
#ifndef ADIT_BASE_CLOCK_H
#define ADIT_BASE_CLOCK_H

#include <stdint.h>
#include <time.h>

#define NS_PER_MS UINT64_C(1000000)
#define NS_PER_S UINT64_C(1000000000)

/* Nanoseconds since boot, suspend included. */
static inline uint64_t clock_boottime(void)
{
	struct timespec t;
	clock_gettime(CLOCK_BOOTTIME, &t);
	return (uint64_t)t.tv_sec * NS_PER_S + (uint64_t)t.tv_nsec;
}

/* Nanoseconds since the Unix epoch: for TAI64N stamps and for what people read, never for deadlines. */
static inline uint64_t clock_realtime(void)
{
	struct timespec t;
	clock_gettime(CLOCK_REALTIME, &t);
	return (uint64_t)t.tv_sec * NS_PER_S + (uint64_t)t.tv_nsec;
}

#endif
