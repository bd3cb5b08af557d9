/* SPDX-License-Identifier: MIT */
/*
 * Sending: runs become messages, either one per run (UDP_SEGMENT) or one per datagram, and sendmmsg sends them until
 * all are sent or the socket is full. An error of sendmmsg concerns the first message that was not sent.
 * handle_send_error handles it, and the loop continues. Each iteration sends a message, fails a run, or sets a flag of
 * a run, so the loop ends.
 */
#include <assert.h>
#include <errno.h>

#include "udp_control.h"

enum {
	MESSAGES = 128,    /* maximum per sendmmsg */
	STARVED_MAX = 8,   /* consecutive ENOBUFS errors until a run fails */
	ABSORBED_MAX = 16, /* errors of earlier datagrams per call */
};

/* The messages of one sendmmsg, which all leave through the same socket, and the run of each. */
struct send_batch {
	struct mmsghdr headers[MESSAGES];
	struct iovec parts[MESSAGES]; /* of messages that do not use the parts of the run */
	uint32_t lengths[MESSAGES];
	union udp_control controls[MESSAGES];
	struct udp_run *runs[MESSAGES];
	int count;
};

/* Returns -1 if there is no socket for the family. */
static int socket_of(const struct udp *udp, const struct udp_run *run)
{
	switch (run->to->to.any.sa_family) {
	case AF_INET:
		return udp->v4;
	case AF_INET6:
		return udp->v6;
	default:
		return -1;
	}
}

/* Returns the bytes sent or failed. Exact until the run is done, because only the last datagram may be shorter. */
static uint32_t bytes_done(const struct udp_run *run)
{
	return run->sent + (uint32_t)run->failed * run->size;
}

/* Returns the datagram at `offset` of the run. No datagram spans two parts. */
static const uint8_t *datagram_at(const struct udp_run *run, uint32_t offset)
{
	const struct iovec *part = run->parts;

	if (!part)
		return run->data + offset;
	for (; offset >= part->iov_len; part++)
		offset -= (uint32_t)part->iov_len;
	return (const uint8_t *)part->iov_base + offset;
}

static void add_message(struct send_batch *batch, struct udp_run *run, uint32_t offset, uint32_t length)
{
	int i = batch->count++;
	struct msghdr *message = &batch->headers[i].msg_hdr;
	bool whole = run->parts && length == run->bytes;

	batch->runs[i] = run;
	batch->lengths[i] = length;
	if (!whole)
		batch->parts[i] = (struct iovec) { (void *)datagram_at(run, offset), length };
	message->msg_name = (void *)&run->to->to;
	message->msg_namelen = run->to->to.any.sa_family == AF_INET ? sizeof run->to->to.v4 : sizeof run->to->to.v6;
	message->msg_iov = whole ? (struct iovec *)run->parts : &batch->parts[i];
	message->msg_iovlen = whole ? run->part_count : 1;
	message->msg_flags = 0;
	udp_control_write(message, &batch->controls[i], run, length);
}

/*
 * Adds runs that use the same socket as the first one, which it returns. The rest of a run becomes one message, or one
 * message per datagram until the batch is full.
 */
static int fill_batch(struct send_batch *batch, const struct udp *udp, struct udp_run *runs, int count)
{
	int fd = socket_of(udp, &runs[0]);

	batch->count = 0;
	for (int i = 0; i < count && batch->count < MESSAGES && socket_of(udp, &runs[i]) == fd; i++) {
		struct udp_run *run = &runs[i];
		bool no_gso = run->no_gso || run->gso_refused || !udp->gso;
		uint32_t offset = bytes_done(run);

		assert(run->size);
		while (offset < run->bytes && batch->count < MESSAGES) {
			uint32_t length = run->bytes - offset;

			/* A run in parts is sent whole or one by one, because the rest may start inside a part. */
			if ((no_gso || (run->parts && offset)) && length > run->size)
				length = run->size;
			add_message(batch, run, offset, length);
			offset += length;
		}
	}
	return fd;
}

/* Returns true if the run may be retried without its local address, which happens once per run. */
static bool retry_without_local(struct udp_run *run)
{
	if (run->local_gone || !endpoint_local_known(run->to))
		return false;
	run->local_gone = true;
	/* If nothing was sent yet, the local address may be the reason for gso_refused, so try GSO again without it. */
	if (!bytes_done(run))
		run->gso_refused = false;
	return true;
}

/* Handles the error of a message of `length` bytes. Returns false if the socket is full. */
static bool handle_send_error(struct udp *udp, struct udp_run *run, size_t length, int error)
{
	switch (error) {
	case EAGAIN:
		return false;
	case EINTR:
		return true;
	case ENOBUFS:
	case ENOMEM:
		if (++udp->starved < STARVED_MAX)
			return false;
		udp->starved = 0;
		break;
	case EIO: /* the device cannot compute checksums, or an xfrm policy applies */
	case EMSGSIZE:
	case EINVAL: /* a segment exceeds the route's MTU (before Linux 6.14), or an IPv6 local address is gone */
		if (length > run->size) {
			run->gso_refused = true;
			return true;
		}
		if (error == EINVAL && retry_without_local(run))
			return true;
		break;
	case ENETUNREACH: /* perhaps because an IPv4 local address is gone */
	case ENODEV:      /* perhaps because the interface of the local address is gone */
		if (retry_without_local(run))
			return true;
		break;
	}
	/* Fail all remaining datagrams, because they would meet the same error. */
	run->error = error;
	run->failed += (uint16_t)((run->bytes - bytes_done(run) + run->size - 1) / run->size);
	return true;
}

/*
 * While ICMP errors are watched: returns true if the error of the first message concerns an earlier datagram, or means
 * that a queueing discipline has dropped the message, which then counts as sent. The caller continues.
 */
static bool absorb_error(struct udp *udp, int fd, const struct send_batch *batch, int error)
{
	if (!atomic_load_explicit(&udp->watches_errors, memory_order_relaxed) || fd < 0 || error == EAGAIN)
		return false;
	if (error == ENOBUFS) {
		batch->runs[0]->sent += batch->lengths[0];
		return true;
	}
	return udp_take_errors(udp, fd);
}

int udp_send(struct udp *udp, struct udp_run *runs, int count)
{
	struct send_batch batch;
	int first = 0, absorbed = 0;

	udp->v4_blocked = udp->v6_blocked = false;
	for (;;) {
		int fd, sent, error;

		while (first < count && bytes_done(&runs[first]) >= runs[first].bytes)
			first++;
		if (first == count)
			return count;
		fd = fill_batch(&batch, udp, runs + first, count - first);
		sent = fd < 0 ? -1 : sendmmsg(fd, batch.headers, (unsigned)batch.count, 0);
		if (sent > 0) {
			for (int i = 0; i < sent; i++)
				batch.runs[i]->sent += batch.lengths[i];
			udp->starved = 0;
			continue;
		}
		error = fd < 0 ? EAFNOSUPPORT : errno;
		if (absorbed < ABSORBED_MAX && absorb_error(udp, fd, &batch, error))
			absorbed++;
		else if (!handle_send_error(udp, batch.runs[0], batch.lengths[0], error)) {
			udp->v4_blocked = fd == udp->v4;
			udp->v6_blocked = !udp->v4_blocked;
			return first;
		}
	}
}
