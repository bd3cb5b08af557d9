/* SPDX-License-Identifier: MIT */
/*
 * The coalescer: merges consecutive segments of a TCP or UDP flow into a super-packet, like generic receive offload in
 * the kernel. It copies no payload: a run holds pointers to the received packets, and is written as an iovec.
 */
#ifndef ADIT_PACKET_COALESCE_H
#define ADIT_PACKET_COALESCE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/uio.h>

#include "packet/virtio.h"

enum {
	COALESCE_SEGMENTS = 64,        /* max packets per run */
	COALESCE_FLOWS = 8,            /* max open runs */
	COALESCE_HEADER_MAX = 40 + 60, /* max header of a mergeable packet: IPv6, and TCP with all options */
	COALESCE_IOVECS = COALESCE_SEGMENTS + 2,
};

struct coalesce_packet {
	uint8_t *data;
	uint32_t length;
};

struct coalesce_shape;

/* Consecutive packets of one flow. A packet that cannot be merged is a run of one. */
struct coalesce_run {
	struct coalesce_packet packets[COALESCE_SEGMENTS];
	uint32_t count;
	uint32_t header; /* bytes of IP and transport header; 0 if the packet cannot be merged */
	/* private */
	const struct coalesce_shape *shape;
	uint32_t payload;       /* bytes in all packets */
	uint32_t gso_size;      /* payload bytes in the first packet */
	uint32_t next_sequence; /* TCP: the sequence number that continues the run */
	uint16_t next_id;       /* IPv4 without DF: the ID that continues the run */
};

/* The offloads that the device supports. Other packets are not merged. The caller may change them at any time. */
struct coalesce_limits {
	bool tcp, udp;
};

/*
 * Called for each finished run. The run and its packets are valid until the call returns. Write the run as
 * coalesce_iovec describes it. If the device rejects it, write run->packets one by one: they are unchanged.
 */
typedef void coalesce_emit(void *context, const struct coalesce_run *run);

struct coalescer {
	struct coalesce_limits limits;
	coalesce_emit *emit;
	void *context;
	/* private */
	uint32_t open;                  /* number of open runs */
	uint8_t order[COALESCE_FLOWS];  /* indices of `runs`: the open runs, oldest first, then the unused ones */
	uint64_t flows[COALESCE_FLOWS]; /* the flow hash of each run */
	struct coalesce_run runs[COALESCE_FLOWS];
	struct coalesce_run single; /* passes a packet that is not merged to `emit` */
};

/* Initializes the coalescer, which owns no memory. `context` is passed to `emit`. */
void coalesce_init(struct coalescer *c, struct coalesce_limits limits, coalesce_emit *emit, void *context);

/*
 * Adds an IP packet of `length` bytes, which is trimmed to its IP length and whose source has been checked. The packet
 * must stay valid until its run is emitted, so call coalesce_flush before the buffer is reused. Calls `emit` for each
 * run that the packet ends.
 */
void coalesce_add(struct coalescer *c, uint8_t *packet, size_t length);

/* Emits all open runs, oldest first. */
void coalesce_flush(struct coalescer *c);

/* The memory that an iovec of a run needs in addition to the packets. */
struct coalesce_frame {
	uint8_t virtio[VIRTIO_HEADER];
	uint8_t header[COALESCE_HEADER_MAX]; /* the merged header; a copy, so that the packets stay unchanged */
};

/*
 * Describes the run as one write: the virtio header, then either the unchanged single packet, or the merged header and
 * the payloads. The kernel completes the checksum of each segment of a merged run, even if the packets had no UDP
 * checksum. `iov` has room for COALESCE_IOVECS entries and refers to `frame` and the packets. Returns the number of
 * entries used.
 */
int coalesce_iovec(const struct coalesce_run *run, struct coalesce_frame *frame, struct iovec *iov);

#endif
