/* SPDX-License-Identifier: MIT */
/*
 * A worker: a loop, a TUN queue, UDP sockets, buffers and what is under way in them. The two ways of the data are
 * egress.h and ingress.h; this is what they share, and the watchers that drive them.
 */
#ifndef ADIT_TUNNEL_WORKER_H
#define ADIT_TUNNEL_WORKER_H

#include <ev.h>
#include <stdbool.h>
#include <stdint.h>

#include "io/backend.h"
#include "io/tun.h"
#include "io/udp.h"
#include "packet/batch.h"
#include "packet/coalesce.h"
#include "packet/segment.h"
#include "tunnel/device.h"

enum {
	EGRESS_READS = 64,          /* TUN reads in one drain at most */
	EGRESS_SENDS = 3,           /* of full runs in the middle of it at most, to make room */
	EGRESS_RESERVE = 72 << 10,  /* and none with less than this free in the segment buffer */
	INGRESS_OPENED = 192 << 10, /* room for opened packets */
};

/* The packet being cut. It outlives a drain when the socket is full; then its peer is looked up by pointer, its session
 * anew. */
struct egress {
	const uint8_t *packet; /* with its virtio header; in a buffer of the backend, or in `popped` */
	size_t length;         /* of the packet being cut, virtio header included */
	uint8_t *popped;       /* TUN_READ bytes: one that was staged */
	struct segmenter cut;
	struct peer *peer; /* NULL: nothing is being cut */
	struct batch batch;
	uint64_t icmp_since; /* ICMP errors sent since: icmp_used */
	uint32_t icmp_used;
	bool blocked; /* the socket is full: the TUN is not read until it can be written */
};

struct ingress {
	struct udp_batch *received;
	uint8_t *opened; /* INGRESS_OPENED bytes */
	size_t used;
	struct coalescer coalescer;
};

struct worker {
	struct device *device;
	struct ev_loop *loop;
	unsigned number; /* from 0 on */
	const struct aead_provider *aead;
	struct counters *counters;
	struct tun tun;
	struct backend backend; /* reads the TUN */
	struct udp udp;
	struct egress egress;
	struct ingress ingress;
	uint64_t now; /* of this wake-up */
	struct ev_io tun_read, v4_read, v6_read, v4_write, v6_write;
	struct ev_prepare ready; /* sends what became sendable during the wake-up */
	void (*device_gone)(void *context);
	void *context;
};

/*
 * Begins to move packets for `device`: takes the open `tun` over, to be read by `kind`, and watches it in `loop`; the
 * sockets come with device_set_up. `device_gone` is called when the TUN was deleted. 0 or negative errno, and then
 * `tun` is still the caller's.
 */
int worker_start(struct worker *worker, struct device *device, struct ev_loop *loop, const struct tun *tun,
				 enum backend_kind kind, void (*device_gone)(void *context), void *context);
/* Takes over open sockets in the place of those there are, and moves packets through them. */
void worker_bind(struct worker *worker, const struct udp *udp);
/* Closes the sockets; what was under way is dropped. */
void worker_unbind(struct worker *worker);
/* Stops, closes the sockets and the TUN, frees the buffers. */
void worker_stop(struct worker *worker);

static inline void worker_count(struct worker *worker, unsigned counter, uint64_t n)
{
	worker->counters->value[counter] += n;
}

/* Stops or resumes reading the TUN, as the sockets are full or not; what was read ahead goes on at once. */
void worker_watch_writable(struct worker *worker);

#endif
