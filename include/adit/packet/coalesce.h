/* SPDX-License-Identifier: MIT */
/*
 * The coalescer: consecutive segments of one TCP or UDP flow become one super-packet, as generic receive offload does
 * in the kernel. Nothing is copied: a run keeps pointers to the opened packets, and is emitted as an iovec over them.
 */
#ifndef ADIT_PACKET_COALESCE_H
#define ADIT_PACKET_COALESCE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/uio.h>

#include "packet/virtio.h"

enum {
	COALESCE_SEGMENTS = 64,    /* packets in one run at most */
	COALESCE_FLOWS = 8,        /* runs open at once */
	COALESCE_HEADER = 40 + 60, /* the longest header of a packet that can join: IPv6 and a full TCP header */
	COALESCE_IOVECS = COALESCE_SEGMENTS + 2,
};

struct coalesce_packet {
	uint8_t *data;
	uint32_t length;
};

struct coalesce_shape;

/* Packets of one flow in order; one packet alone is a run of one. */
struct coalesce_run {
	struct coalesce_packet packets[COALESCE_SEGMENTS];
	uint32_t count;
	uint32_t header; /* bytes of IP and transport header; 0 when the packet cannot join */
	/* ... the rest is the module's own */
	const struct coalesce_shape *shape;
	uint32_t payload;  /* bytes in all packets */
	uint32_t size;     /* bytes in the first: gso_size */
	uint32_t sequence; /* what TCP goes on with */
	uint16_t id;       /* what IPv4 goes on with, where DF is clear */
};

/* What the device takes, as tun_open and later refusals found: a run of what it does not take stays a run of one. */
struct coalesce_limits {
	bool tcp, udp;
};

/*
 * Called for each finished run. The run and its packets are valid until the call returns. Write it by coalesce_iovec;
 * when the device refuses that, write run->packets one by one: they are unchanged.
 */
typedef void coalesce_emit(void *context, const struct coalesce_run *run);

struct coalescer {
	struct coalesce_limits limits;
	coalesce_emit *emit;
	void *context;
	/* ... the rest is the module's own */
	uint32_t open;                  /* runs open now */
	uint8_t places[COALESCE_FLOWS]; /* indices of `runs`: the open ones, oldest first, then the free ones */
	uint64_t flows[COALESCE_FLOWS]; /* hash of the flow of each run */
	struct coalesce_run runs[COALESCE_FLOWS];
	struct coalesce_run lone; /* what cannot join anything, on its way through */
};

void coalesce_init(struct coalescer *c, struct coalesce_limits limits, coalesce_emit *emit, void *context);

/*
 * Takes one IP packet of `length` bytes (trimmed to its IP length, source already checked). It stays where it is until
 * its run is emitted: flush before the buffer is used again.
 */
void coalesce_add(struct coalescer *c, uint8_t *packet, size_t length);

/* Emits every open run, oldest first. */
void coalesce_flush(struct coalescer *c);

/* What one write of a run needs beside the packets themselves. */
struct coalesce_frame {
	uint8_t virtio[VIRTIO_HEADER];
	uint8_t header[COALESCE_HEADER]; /* the merged header: a copy, so that the packets stay as they came */
};

/*
 * Describes the run as one write: iov[0] is the virtio header, then the merged header and payloads, or the one packet
 * as it came. `iov` has room for COALESCE_IOVECS. Returns how many were filled.
 */
int coalesce_iovec(const struct coalesce_run *run, struct coalesce_frame *frame, struct iovec *iov);

#endif
