/* SPDX-License-Identifier: MIT */
/*
 * The segment buffer: sealed datagrams that wait to be sent, grouped into runs.
 *
 * A run holds datagrams for one destination. All have the same size, except that the last may be shorter: this is the
 * form that a send with UDP_SEGMENT requires. The buffer has two halves, so that one can be filled while the other is
 * being sent.
 *
 * A datagram may join an older run than the last one, even though it does not lie next to the run's other datagrams in
 * the buffer. So runs also form when flows, sizes and peers alternate. To keep a flow in order, its datagram never
 * joins a run that is older than the run that holds the flow's previous datagram.
 */
#ifndef ADIT_PACKET_BATCH_H
#define ADIT_PACKET_BATCH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/uio.h>

enum {
	BATCH_HALVES = 2,
	BATCH_HALF = 128 << 10,  /* bytes in a half */
	BATCH_HEADROOM = 64,     /* bytes before each half that the cipher may use */
	BATCH_TAILROOM = 512,    /* the same after each half */
	BATCH_PARTS = 16,        /* max contiguous pieces per run */
	BATCH_FLOWS = 256,       /* hash buckets that keep flows in order */
	BATCH_RUNS = 160,        /* max runs that wait to be sent */
	BATCH_RUN_BYTES = 65469, /* max payload per run: 65535 less the headers of IPv6, UDP and Ethernet with a VLAN tag */
};

/* Where a datagram goes. Datagrams in one run have the same destination and traffic class. */
struct batch_label {
	void *destination; /* chosen by the caller; compared, never dereferenced */
	uint32_t flow;     /* hash of the flow of the inner packet */
	uint8_t traffic_class;
};

struct batch_run {
	struct batch_label label; /* `flow` is that of the first datagram */
	struct iovec parts[BATCH_PARTS];
	uint16_t part_count;
	uint32_t bytes;
	uint16_t size;  /* bytes per datagram, except the last */
	uint16_t count; /* datagrams */
	bool closed;    /* the last datagram is shorter, so no other may follow */
};

struct batch {
	uint8_t *memory[BATCH_HALVES]; /* BATCH_HALF bytes each, with headroom and tailroom around them */
	uint32_t used[BATCH_HALVES];   /* bytes */
	int half;                      /* the half that is being filled */
	uint16_t run_segments;         /* max datagrams per run */
	int run_count;
	struct batch_run runs[BATCH_RUNS]; /* oldest first */
	uint8_t latest[BATCH_FLOWS];       /* per flow: 1 + index of the latest run with one of its datagrams; 0: none */
};

/* Allocates the buffer. `run_segments` is the number of datagrams that the socket accepts per send. 0 or -ENOMEM. */
int batch_init(struct batch *batch, uint16_t run_segments);
/* Frees the buffer. Accepts a zeroed struct. */
void batch_destroy(struct batch *batch);

/* Returns the number of unused bytes in both halves together. */
size_t batch_free_bytes(const struct batch *batch);

/*
 * Returns how many datagrams of `size` bytes can be added now. Switches to the other half if the current half is full
 * and the other is empty. If it returns 0, send the waiting runs and call batch_sent.
 */
uint32_t batch_room(struct batch *batch, size_t size);

/*
 * Returns the address at which the next datagram must be built. BATCH_TAILROOM bytes after the datagram may be
 * overwritten. BATCH_HEADROOM bytes before it may be used too, but hold the previous datagram and must be restored.
 */
static inline uint8_t *batch_slot(const struct batch *batch)
{
	return batch->memory[batch->half] + batch->used[batch->half];
}

/* Adds the sealed datagram of `size` bytes at batch_slot to a run. batch_room must have reported space for it. */
void batch_add(struct batch *batch, const struct batch_label *label, uint16_t size);

/* Returns the number of runs, not counting the last run if more datagrams may still join it. */
int batch_full_runs(const struct batch *batch);

/* Removes the first `bytes` bytes of a run, which have been sent: whole datagrams, but not all of them. */
void batch_run_advance(struct batch_run *run, uint32_t bytes);

/* Removes the first `count` runs, which have been sent. A half that holds no other run becomes free. */
void batch_sent(struct batch *batch, int count);

/* Drops every run to `destination`. Call it before the destination is freed. */
void batch_forget(struct batch *batch, const void *destination);

#endif
