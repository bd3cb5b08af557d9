/* SPDX-License-Identifier: MIT */
/*
 * top: an interface as samples show it: its peers with their rates, and its counters. The model reads no clock and no
 * socket; it computes from the samples that it gets.
 */
#ifndef ADIT_CLI_TOP_MODEL_H
#define ADIT_CLI_TOP_MODEL_H

#include "show_state.h"

enum {
	TOP_HISTORY = 120,     /* samples that graphs show */
	TOP_LOSS_SAMPLES = 30, /* the loss of a peer is that of 30 to 60 samples */
	TOP_COUNTERS_MAX = 128,
	TOP_COUNTER_NAME = 48,
	TOP_BATCH_BUCKETS = 8, /* batches of 1, 2-3, 4-7, ..., 128 and more packets */
};

enum top_batch_place { TOP_UDP_RECEIVE, TOP_TUN_WRITE, TOP_TUN_READ, TOP_UDP_SEND, TOP_BATCHES };

struct top_counter {
	char name[TOP_COUNTER_NAME]; /* as the daemon names it, such as "sealed" or "drop_no_peer" */
	uint64_t value;
	double rate; /* per second; negative: unknown */
};

/* The sizes of the batches that were read or written in one place. */
struct top_batch {
	bool reported;
	uint64_t buckets[TOP_BATCH_BUCKETS], packets; /* since the start of the daemon */
	float latest[TOP_BATCH_BUCKETS];              /* batches since the sample before */
	double mean;                                  /* packets per batch since the sample before; 0: there was none */
};

struct top_counters {
	struct top_counter list[TOP_COUNTERS_MAX];
	unsigned count;
	struct top_batch batches[TOP_BATCHES];
};

/* What a daemon has answered. */
struct top_sample {
	struct show_interface state; /* only the name is valid after an error */
	int error;                   /* 0 or a negative errno */
	uint64_t time;               /* of the request, in nanoseconds of the boot clock */
	uint64_t wall_time;          /* of the request, in seconds since the epoch */
};

struct top_peer {
	const struct show_peer *state;    /* as in the latest sample */
	double received, sent;            /* bytes per second; negative: unknown */
	float receive_rates[TOP_HISTORY]; /* the newest first; negative: unknown */
	float send_rates[TOP_HISTORY];    /* likewise */
	unsigned filled;                  /* entries of both */
	struct top_loss {
		uint64_t datagrams, lost;
	} loss[2]; /* totals at two earlier samples, the later one first; the loss is measured from the earlier one */
};

struct top_model {
	struct show_interface state; /* of the latest sample without an error; owns the peers */
	struct top_peer **peers;     /* sorted by public key */
	size_t peer_count;
	unsigned up_count; /* peers with a session that can be used */
	struct top_counters counters;
	double received, sent, dropped; /* sums per second; negative: unknown */
	float receive_rates[TOP_HISTORY], send_rates[TOP_HISTORY];
	unsigned filled;
	unsigned samples;         /* taken without an error */
	uint64_t time, wall_time; /* of the latest sample without an error, as there; 0: there is none */
	int error;                /* of the latest sample */
};

/*
 * Takes a sample, and leaves the sample without peers. After an error the model keeps the peers of the last answer if
 * the daemon may be slow (-EAGAIN), and forgets everything if there is no daemon. Returns 0, or -ENOMEM, after which
 * the model is as if there had been no sample.
 */
int top_model_update(struct top_model *model, struct top_sample *sample);
/* Leaves an empty model. Accepts a zeroed struct. */
void top_model_clear(struct top_model *model);

/*
 * How many datagrams the peer has sent to us in the last 30 to 60 samples, and how many of them were lost. Returns
 * false if that is unknown or the peer has sent none.
 */
bool top_peer_lost(const struct top_peer *peer, uint64_t *lost, uint64_t *sent);

#endif
