/* SPDX-License-Identifier: MIT */
/* Does the same for several items at once. */
#include "parallel.h"

#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>

struct parallel_job {
	void *item;
	void (*handle)(void *item);
	pthread_t thread;
	bool has_thread;
};

static void *parallel_run(void *context)
{
	struct parallel_job *job = context;

	job->handle(job->item);
	return NULL;
}

void parallel_each(void *items, size_t size, size_t count, void (*handle)(void *item))
{
	struct parallel_job *jobs = calloc(count + 1, sizeof *jobs);

	for (size_t i = 0; i < count; i++) {
		void *item = (char *)items + i * size;

		if (jobs && i + 1 < count) {
			jobs[i] = (struct parallel_job) { .item = item, .handle = handle };
			jobs[i].has_thread = !pthread_create(&jobs[i].thread, NULL, parallel_run, &jobs[i]);
		}
		if (!jobs || !jobs[i].has_thread)
			handle(item);
	}
	for (size_t i = 0; jobs && i < count; i++) {
		if (jobs[i].has_thread)
			pthread_join(jobs[i].thread, NULL);
	}
	free(jobs);
}
