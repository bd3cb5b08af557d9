/* SPDX-License-Identifier: MIT */
/*
 * top: a thread that asks a daemon again and again, so that a daemon that does not answer holds up neither the keys nor
 * the screen. Only the latest answer is kept.
 */
#ifndef ADIT_CLI_TOP_SAMPLER_H
#define ADIT_CLI_TOP_SAMPLER_H

#include "top_model.h"

struct top_sampler;

struct top_reading {
	struct top_sample sample; /* state.name: the interface that was asked; "": there is none */
	char (*names)[IFNAMSIZ];  /* of all interfaces with a control socket, sorted */
	unsigned name_count;
	uint64_t pause; /* nanoseconds until the next sample */
};

/*
 * Starts the thread, which asks the daemon of `name`, or of the first interface if `name` is empty. A sample is taken
 * each `interval` nanoseconds; less often if an answer takes so long that the daemon would spend more than a twentieth
 * of its time on it. After each sample, `wake` is called in the thread. The thread blocks all signals, and ends with
 * the process. NULL on failure.
 */
struct top_sampler *top_sampler_start(const char *name, uint64_t interval, void (*wake)(void));
/* Asks another daemon from now on, at once. */
void top_sampler_select(struct top_sampler *sampler, const char *name);
void top_sampler_pause(struct top_sampler *sampler, bool paused);
/* Takes the latest sample, which the caller frees. False if there is no new one. */
bool top_sampler_take(struct top_sampler *sampler, struct top_reading *reading);
void top_reading_free(struct top_reading *reading);

#endif
