/* SPDX-License-Identifier: MIT */
/*
 * The UDP sockets, for IPv4 and IPv6 on one port. They send and receive in batches, with segmentation and receive
 * offload (UDP_SEGMENT, UDP_GRO; udp(7)) if the kernel supports them.
 */
#ifndef ADIT_IO_UDP_H
#define ADIT_IO_UDP_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/uio.h>

#include "io/endpoint.h"

/* An ICMP error about a datagram of ours. */
struct udp_error {
	struct endpoint to;                    /* where the datagram was sent */
	int error;                             /* errno, positive */
	uint8_t reporter[16], reporter_length; /* address of the sender of the error: 4 or 16 bytes; 0: unknown */
};

struct udp {
	int v4, v6;                  /* -1: no socket, for example on a host without IPv6 */
	uint16_t port;               /* host byte order; kept by udp_close, so that a random port can be opened again */
	bool gso;                    /* a run may be sent as one message; if cleared, each datagram is its own message */
	bool gro;                    /* received messages may hold several datagrams */
	uint16_t run_segments;       /* maximum of full segments in a UDP_SEGMENT send, as probed */
	bool v4_blocked, v6_blocked; /* the socket that stopped the last udp_send; at most one of them */
	uint8_t starved;             /* consecutive ENOBUFS errors without a successful send in between */
	_Atomic bool watches_errors; /* see udp_watch_errors */
	unsigned error_count;        /* ICMP errors taken since the caller has cleared this number */
	struct udp_error error;      /* the last one, if there was any */
};

/*
 * Opens both sockets on `port` (0: a random port, the same for both) with firewall mark `mark` (0: none). On a host
 * without IPv6 opens only the IPv4 socket. Returns 0; -EADDRINUSE; or another negative errno, and then nothing is open.
 */
int udp_open(struct udp *udp, uint16_t port, uint32_t mark);
/*
 * Opens another pair of sockets on the port of `first`. Sets SO_REUSEPORT on the first pair only now, so that udp_open
 * could detect a port in use. The kernel delivers all datagrams of one sender to the same pair. Returns 0 or a negative
 * errno.
 */
int udp_open_like(struct udp *udp, const struct udp *first, uint32_t mark);
/*
 * Takes over a pair of sockets that udp_open or udp_open_like opened in an earlier process; `v6` is -1 if there is
 * none. `shared`: other pairs have the same port. Returns 0; or -EINVAL if the sockets are not such a pair, differ in
 * their port, belong to another network namespace, or lack IPv6 that the host has by now; or another negative errno. On
 * failure the caller keeps the sockets. The mark is not changed.
 */
int udp_adopt(struct udp *udp, int v4, int v6, bool shared);

/* Offloads that the user has turned off, for a kernel or a device that corrupts data with them. */
struct udp_options {
	bool no_gso, no_gro;
};
/* Turns these offloads off, after udp_open or udp_open_like. */
void udp_limit(struct udp *udp, const struct udp_options *options);
/* Accepts a zeroed struct and a closed one. */
void udp_close(struct udp *udp);
/* Sets the firewall mark of both sockets. Returns 0 or a negative errno (-EPERM). */
int udp_set_mark(struct udp *udp, uint32_t mark);

/*
 * Makes the kernel report ICMP errors about datagrams of these sockets, or stops that. Any thread may call it while
 * another one uses the sockets.
 */
void udp_watch_errors(struct udp *udp, bool on);
/*
 * Takes the ICMP errors that wait at `fd`, 16 at most, and stores the last one in udp->error. Call it when udp_receive
 * has returned no message, because poll(2) reports a socket with errors as readable. Returns how many it took, 0 if
 * errors are not watched.
 */
unsigned udp_take_errors(struct udp *udp, int fd);

/* The size of the socket buffers that udp_open requests. The usual default holds only three messages of 64 KiB. */
enum { UDP_BUFFER_BYTES = 7 << 20 };

enum {
	UDP_RUN_SEGMENTS = 64,
	/* With the headers of IPv6, UDP and tagged Ethernet, the kernel can still pass a run to a device in one piece. */
	UDP_RUN_BYTES = 65535 - 40 - 8 - 18,
};

/*
 * A run: datagrams to one endpoint, all of `size` bytes except that the last may be shorter. It has at most
 * udp->run_segments datagrams and UDP_RUN_BYTES bytes; the kernel rejects a larger one, and the datagrams are then sent
 * one by one.
 */
struct udp_run {
	const struct endpoint *to;
	const uint8_t *data;       /* contiguous datagrams; used if parts is NULL */
	const struct iovec *parts; /* or the datagrams in several pieces; no datagram spans two of them */
	uint16_t part_count;
	uint32_t bytes;        /* of all datagrams */
	uint16_t size;         /* at least 1 */
	uint8_t traffic_class; /* ToS or traffic class of the outer header */
	bool no_gso;           /* send the datagrams one by one, because the path to the peer does not support GSO */

	/* Results. Zero before the first udp_send, and complete when udp_send has passed the run. */
	uint32_t sent;    /* bytes sent so far */
	bool gso_refused; /* EIO, EMSGSIZE or EINVAL: the datagrams were sent one by one; remember this for the peer */
	bool local_gone;  /* the endpoint's local address is no longer valid; clear it */
	int error;        /* the last errno (positive) of datagrams that were not sent; 0: all were sent */
	uint16_t failed;  /* datagrams that were not sent */
};

/*
 * Sends runs in order, with as few sendmmsg calls as possible. A run is done when all of its datagrams were sent or it
 * has failed: then `error` is set, its remaining datagrams count as failed, and the next run follows. Returns the
 * number of runs that are done, from the first one on. If that is less than `count`, a socket is full: v4_blocked or
 * v6_blocked is set. When the socket is writable, call again with the remaining runs, unchanged.
 *
 * A call may mix both families. A full socket stops the call even if the other socket has room. Lack of memory
 * (ENOBUFS, ENOMEM) counts as a full socket, but no socket event announces the end of it. After 8 consecutive calls
 * without progress the first run therefore fails, so that a caller that retries immediately does not loop forever.
 */
int udp_send(struct udp *udp, struct udp_run *runs, int count);

enum {
	UDP_BATCH = 8,      /* maximum of messages per udp_receive */
	UDP_HEADROOM = 64,  /* readable bytes in front of each message, for the cipher (AEAD_HEADROOM) */
	UDP_TAILROOM = 512, /* readable bytes after it (AEAD_TAILROOM) */
	UDP_MESSAGE = 65536,
	UDP_MESSAGE_SEGMENTS = 128, /* maximum of datagrams in a message; the kernel has the same limit (64 before 6.9) */
};

/* A received message: one datagram or, with UDP_GRO, several of one sender, all of `size` bytes except the last. */
struct udp_message {
	uint8_t *data;
	uint32_t length;
	uint32_t size;        /* at least 1 */
	struct endpoint from; /* with the local address that received it (PKTINFO) */
	uint8_t traffic_class;
};

/* Messages that udp_receive dropped. */
struct udp_dropped {
	uint64_t truncated; /* the message or its control messages did not fit */
	uint64_t segments;  /* more than UDP_MESSAGE_SEGMENTS datagrams */
};

/* Buffers for udp_receive. udp_batch_create returns NULL and sets errno on failure; udp_batch_destroy accepts NULL. */
struct udp_batch;
struct udp_batch *udp_batch_create(void);
void udp_batch_destroy(struct udp_batch *batch);

/*
 * Receives from `fd`, a socket of a struct udp, without blocking. Returns the number of messages (0: none) or a
 * negative errno. Adds the messages that it drops to *dropped. The messages are valid until the next call.
 */
int udp_receive(int fd, struct udp_batch *batch, struct udp_message messages[UDP_BATCH], struct udp_dropped *dropped);

#endif
