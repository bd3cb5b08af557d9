/* SPDX-License-Identifier: MIT */
/*
 * The UDP sockets: IPv4 and IPv6 on one port, in batches, with segmentation and receive offload (UDP_SEGMENT, UDP_GRO;
 * udp(7)) where the kernel has them.
 */
#ifndef ADIT_IO_UDP_H
#define ADIT_IO_UDP_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/uio.h>

#include "io/endpoint.h"

struct udp {
	int v4, v6;                  /* -1: not there (a host without IPv6) */
	uint16_t port;               /* host order; outlives udp_close, so that a random port can be asked for again */
	bool gso;                    /* runs may leave as one message; cleared, every datagram leaves by itself */
	bool gro;                    /* messages may hold several datagrams */
	uint16_t run_segments;       /* full segments in one UDP_SEGMENT send at most, as probed */
	bool v4_blocked, v6_blocked; /* the last send said EAGAIN (or ENOBUFS, see udp_send) */
	uint8_t starved;             /* ENOBUFS in a row, with nothing sent in between */
};

/*
 * Opens both sockets on `port` (0: a random one, the same for both), with firewall mark `mark` (0: none). 0;
 * -EADDRINUSE; another errno, and then nothing is open. A host without IPv6 gets the IPv4 socket alone.
 */
int udp_open(struct udp *udp, uint16_t port, uint32_t mark);
/*
 * Opens another pair on the port of `first`, which gets SO_REUSEPORT only now: so the first found out whether the port
 * was free. The kernel gives all datagrams of one sender to one of the pairs. 0 or negative errno.
 */
int udp_open_like(struct udp *udp, const struct udp *first, uint32_t mark);
/* Takes a zeroed struct, and one that is closed already. */
void udp_close(struct udp *udp);
/* Sets the mark of both sockets. 0 or a negative errno (-EPERM). */
int udp_set_mark(struct udp *udp, uint32_t mark);

enum {
	UDP_RUN_SEGMENTS = 64,
	/* With the headers of IPv6, UDP and tagged Ethernet the most that the kernel hands to a device in one piece. */
	UDP_RUN_BYTES = 65535 - 40 - 8 - 18,
};

/*
 * Datagrams to one endpoint, back to back: all of `size` bytes but the last, which may be shorter. At most
 * udp->run_segments of them and UDP_RUN_BYTES in all, or the kernel refuses the group and they leave one by one.
 */
struct udp_run {
	const struct endpoint *to;
	const uint8_t *data;       /* back to back, when parts is NULL */
	const struct iovec *parts; /* or in several places, no datagram in two of them */
	uint16_t part_count;
	uint32_t bytes;
	uint16_t size;         /* at least 1 */
	uint8_t traffic_class; /* ToS or traffic class of the outer header */
	bool ungrouped;        /* in: the peer's path refuses groups, send the datagrams one by one */

	/* out, zero before the first udp_send, complete when udp_send has passed the run */
	uint32_t sent;      /* bytes handed over: progress inside a run sent apart */
	bool refused_group; /* EIO, EMSGSIZE, EINVAL: it was sent apart instead; remember that for the peer */
	bool lost_local;    /* the source address is gone: forget it */
	int error;          /* the last errno (positive) of datagrams that could not be sent; 0: all went */
	uint16_t failed;    /* how many */
};

/*
 * Sends runs in order, by as few sendmmsg as can be. Returns how many are done, from the front: sent, or given up with
 * their error set and the rest of their datagrams failed, which never stops the runs behind. Fewer than `count` means
 * that the socket is full: v4_blocked or v6_blocked tells which; call again with the rest, unchanged, when it can be
 * written.
 *
 * Both families may be mixed in one call; a full socket stops the call also when the other has room. Memory that is
 * short (ENOBUFS, ENOMEM) counts as a full socket, but no socket event ends it: after 8 calls without progress the
 * run in front is given up, so that a caller that comes back each time does not turn for ever.
 */
int udp_send(struct udp *udp, struct udp_run *runs, int count);

enum {
	UDP_BATCH = 8,      /* messages one udp_receive takes at most */
	UDP_HEADROOM = 64,  /* readable bytes in front of each message */
	UDP_TAILROOM = 512, /* and behind it, for a cipher that reads over the edge */
	UDP_MESSAGE = 65536,
};

/* One received message: one datagram, or with UDP_GRO several of one sender, each `size` bytes but the last. */
struct udp_message {
	uint8_t *data;
	uint32_t length;
	uint32_t size;        /* at least 1 */
	struct endpoint from; /* source filled in from PKTINFO */
	uint8_t traffic_class;
};

/* Room for a batch; allocated once. NULL and errno on failure; destroy takes NULL. */
struct udp_batch;
struct udp_batch *udp_batch_create(void);
void udp_batch_destroy(struct udp_batch *batch);

/*
 * Receives from `fd` (udp->v4 or udp->v6) without waiting. Returns how many messages (0: none), or negative errno.
 * Truncated ones are left out and counted in *truncated. messages[i] stay valid until the next call.
 */
int udp_receive(struct udp *udp, int fd, struct udp_batch *batch, struct udp_message messages[UDP_BATCH],
				uint64_t *truncated);

#endif
