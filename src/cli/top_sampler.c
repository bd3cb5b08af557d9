/* SPDX-License-Identifier: MIT */
/* top: takes samples in a thread. */
#include "top_sampler.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "uapi/uapi.h"
#include "uapi_client.h"

enum {
	ANSWER_SECONDS = 5, /* for a whole answer */
	SHARE = 20,         /* the daemon spends at most 1/20 of its time on answers to us */
};

struct top_sampler {
	pthread_mutex_t lock; /* of the fields up to `reading` */
	pthread_cond_t changed;
	char name[IFNAMSIZ];
	bool selected; /* `name` has changed since the latest sample began */
	bool paused;
	bool has_reading;
	struct top_reading reading;
	uint64_t interval;
	void (*wake)(void);
};

/* --- a sample ----- */

/* `name` is empty for the first interface. */
static void take_reading(struct top_reading *reading, const char *name, uint64_t interval)
{
	struct top_sample *sample = &reading->sample;
	uint64_t begin = clock_boottime(), spent;

	/* On failure there are fewer interfaces to choose from. */
	uapi_client_names(UAPI_DIRECTORY, &reading->names, &reading->name_count);
	if (!*name && reading->name_count)
		name = reading->names[0];
	memcpy(sample->state.name, name, strlen(name) + 1);
	sample->time = clock_boottime();
	sample->wall_time = clock_realtime() / NS_PER_S;
	sample->error = *name ? show_read(&sample->state, UAPI_DIRECTORY, ANSWER_SECONDS) : -ENOENT;
	/* Only adit names its provider. wireguard-go would log an error. Without counters, the peers are still of use. */
	if (!sample->error && *sample->state.crypto_provider)
		show_read_counters(&sample->state, UAPI_DIRECTORY, ANSWER_SECONDS);
	spent = clock_boottime() - begin;
	reading->pause = interval;
	if (!sample->error && spent * SHARE > interval)
		reading->pause = spent * SHARE;
}

void top_reading_free(struct top_reading *reading)
{
	show_free(&reading->sample.state);
	free(reading->names);
	*reading = (struct top_reading) { 0 };
}

/* --- the thread ----- */

/* Waits until `due`, for another interface, or for the end of a pause. The caller holds the lock. */
static void wait_until(struct top_sampler *sampler, uint64_t due)
{
	struct timespec time = { (time_t)(due / NS_PER_S), (long)(due % NS_PER_S) };

	while (!sampler->selected) {
		if (sampler->paused)
			pthread_cond_wait(&sampler->changed, &sampler->lock);
		else if (pthread_cond_timedwait(&sampler->changed, &sampler->lock, &time) == ETIMEDOUT)
			break;
	}
}

static uint64_t monotonic_time(void)
{
	struct timespec time;

	clock_gettime(CLOCK_MONOTONIC, &time); /* which conditions can wait for, unlike the boot clock */
	return (uint64_t)time.tv_sec * NS_PER_S + (uint64_t)time.tv_nsec;
}

static void *run_sampler(void *context)
{
	struct top_sampler *sampler = context;

	pthread_mutex_lock(&sampler->lock);
	for (;;) {
		struct top_reading reading = { 0 };
		uint64_t begin = monotonic_time();
		char name[IFNAMSIZ];

		memcpy(name, sampler->name, sizeof name);
		sampler->selected = false;
		pthread_mutex_unlock(&sampler->lock);
		take_reading(&reading, name, sampler->interval);
		pthread_mutex_lock(&sampler->lock);
		top_reading_free(&sampler->reading);
		sampler->reading = reading;
		sampler->has_reading = true;
		if (!sampler->selected) /* stay with the first interface */
			memcpy(sampler->name, reading.sample.state.name, sizeof sampler->name);
		sampler->wake();
		wait_until(sampler, begin + reading.pause);
	}
	return NULL;
}

static int init_locks(struct top_sampler *sampler)
{
	pthread_condattr_t attributes;
	int error = pthread_condattr_init(&attributes);

	if (error)
		return -error;
	pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
	error = pthread_cond_init(&sampler->changed, &attributes);
	if (!error)
		error = pthread_mutex_init(&sampler->lock, NULL);
	pthread_condattr_destroy(&attributes);
	return -error;
}

struct top_sampler *top_sampler_start(const char *name, uint64_t interval, void (*wake)(void))
{
	struct top_sampler *sampler = calloc(1, sizeof *sampler);
	sigset_t all, before;
	pthread_t thread;
	int error;

	if (!sampler)
		return NULL;
	snprintf(sampler->name, sizeof sampler->name, "%s", name);
	sampler->interval = interval;
	sampler->wake = wake;
	error = init_locks(sampler);
	sigfillset(&all);
	if (!error)
		error = pthread_sigmask(SIG_SETMASK, &all, &before);
	if (!error) {
		error = pthread_create(&thread, NULL, run_sampler, sampler);
		pthread_sigmask(SIG_SETMASK, &before, NULL);
	}
	if (!error) {
		pthread_detach(thread);
		return sampler;
	}
	free(sampler);
	return NULL;
}

void top_sampler_select(struct top_sampler *sampler, const char *name)
{
	pthread_mutex_lock(&sampler->lock);
	snprintf(sampler->name, sizeof sampler->name, "%s", name);
	sampler->selected = true;
	pthread_cond_signal(&sampler->changed);
	pthread_mutex_unlock(&sampler->lock);
}

void top_sampler_pause(struct top_sampler *sampler, bool paused)
{
	pthread_mutex_lock(&sampler->lock);
	sampler->paused = paused;
	pthread_cond_signal(&sampler->changed);
	pthread_mutex_unlock(&sampler->lock);
}

bool top_sampler_take(struct top_sampler *sampler, struct top_reading *reading)
{
	bool taken;

	pthread_mutex_lock(&sampler->lock);
	taken = sampler->has_reading;
	if (taken) {
		*reading = sampler->reading;
		memset(&sampler->reading, 0, sizeof sampler->reading);
		sampler->has_reading = false;
	}
	pthread_mutex_unlock(&sampler->lock);
	return taken;
}
