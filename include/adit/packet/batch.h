/* SPDX-License-Identifier: MIT */
/*
 * The segment buffer: sealed datagrams on their way out, and the runs they form. Two halves, so that one can be filled
 * while the other is still being sent. A run is datagrams for one destination, all of one size but the last, which may
 * be shorter: what UDP_SEGMENT takes in one send.
 *
 * Packets that come alone and mixed, several flows, sizes and peers in one drain, form runs too: a datagram may join an
 * older run than the last, where it lies apart from the others in the buffer, as long as no datagram of its own flow
 * stands in a younger run: so a flow keeps its order.
 */
#ifndef ADIT_PACKET_BATCH_H
#define ADIT_PACKET_BATCH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/uio.h>

enum {
	BATCH_HALVES = 2,
	BATCH_HALF = 128 << 10,
	BATCH_HEADROOM = 64,     /* scratch in front of each half, for the cipher */
	BATCH_TAILROOM = 512,    /* ... and behind it */
	BATCH_PARTS = 16,        /* pieces of the buffer that one run can be made of */
	BATCH_FLOWS = 256,       /* buckets of flows whose order is kept */
	BATCH_RUNS = 160,        /* runs that can wait to be sent */
	BATCH_RUN_BYTES = 65469, /* of payload in one run: with the headers of IPv6, UDP and tagged Ethernet 64 KiB */
};

/* Whose datagram it is. Destination and traffic class must be equal for two to leave in one run. */
struct batch_label {
	void *destination; /* the caller's own; compared, never followed */
	uint32_t flow;     /* a hash of the flow inside */
	uint8_t traffic_class;
};

struct batch_run {
	struct batch_label label; /* its flow is the first datagram's */
	struct iovec parts[BATCH_PARTS];
	uint16_t part_count;
	uint32_t bytes;
	uint16_t size;  /* of each datagram but the last */
	uint16_t count; /* datagrams */
	bool closed;    /* the last was shorter: nothing can follow it */
};

struct batch {
	uint8_t *memory[BATCH_HALVES]; /* each BATCH_HALF bytes, with its scratch around it */
	uint32_t used[BATCH_HALVES];
	int half;              /* being filled */
	uint16_t run_segments; /* datagrams in one run at most */
	int runs;
	struct batch_run run[BATCH_RUNS];
	uint8_t youngest[BATCH_FLOWS]; /* by flow: 1 + the last run that holds a datagram of it; 0: none */
};

/* 0 or -ENOMEM. `run_segments` is what the socket takes in one send. */
int batch_init(struct batch *batch, uint16_t run_segments);
void batch_destroy(struct batch *batch);

/* Bytes that are free in both halves together. */
size_t batch_free(const struct batch *batch);

/*
 * How many slots of `size` bytes can be filled now, going over to the other half when this one is full and that one
 * empty. 0: send what waits (batch_runs), then batch_reset.
 */
uint32_t batch_room(struct batch *batch, size_t size);

/* Where the next datagram is to be built. Its cipher may scribble BATCH_HEADROOM in front and BATCH_TAILROOM behind. */
static inline uint8_t *batch_slot(const struct batch *batch)
{
	return batch->memory[batch->half] + batch->used[batch->half];
}

/* The datagram of `size` bytes in batch_slot is sealed: it joins the last run or begins another. After batch_room said
 * so. */
void batch_add(struct batch *batch, const struct batch_label *label, uint16_t size);

/* How many runs, from the first on, there are without the last, if more datagrams may join that one. */
int batch_full_runs(const struct batch *batch);

/* The first `bytes` of a run, whole datagrams and not all of them, have been sent. */
void batch_run_advance(struct batch_run *run, uint32_t bytes);

/* The first `count` runs have been sent. A half in which no other lies is free. */
void batch_sent(struct batch *batch, int count);

/* Drops every run to `destination`, which is going away. */
void batch_forget(struct batch *batch, const void *destination);

#endif
