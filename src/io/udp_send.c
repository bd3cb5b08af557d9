/* SPDX-License-Identifier: MIT */
/*
 * Sending. The runs are laid out as messages, one a run or one a datagram, and handed to sendmmsg until all are gone
 * or the socket is full. What the kernel says concerns the first message it did not take; it is settled there, and the
 * loop goes on. Each turn sends a message, gives a run up, or sets a flag of one, so the loop ends.
 */
#include <assert.h>
#include <errno.h>

#include "udp_control.h"

enum {
	MESSAGES = 128, /* in one sendmmsg */
	STARVED = 8,    /* ENOBUFS in a row before a run is given up */
};

/* What one sendmmsg takes: messages to one socket, and the run that each belongs to. */
struct batch {
	struct mmsghdr headers[MESSAGES];
	struct iovec parts[MESSAGES]; /* of messages that are not a whole run in parts of its own */
	uint32_t lengths[MESSAGES];
	union udp_control controls[MESSAGES];
	struct udp_run *runs[MESSAGES];
	int count;
};

/* -1 when there is no socket of the family. */
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

static socklen_t name_length(const struct endpoint *endpoint)
{
	return endpoint->to.any.sa_family == AF_INET ? sizeof endpoint->to.v4 : sizeof endpoint->to.v6;
}

/* Bytes settled, sent or not. Only the last datagram is shorter than `size`, so the sum is right up to it. */
static uint32_t settled(const struct udp_run *run)
{
	return run->sent + (uint32_t)run->failed * run->size;
}

static bool done(const struct udp_run *run)
{
	return settled(run) >= run->bytes;
}

/* All that is left of it: what the first datagram met, the others would meet too. */
static void give_up(struct udp_run *run, int error)
{
	uint32_t left = run->bytes - settled(run);

	run->error = error;
	run->failed += (uint16_t)((left + run->size - 1) / run->size);
}

/* Where the datagram at `offset` of the run lies: no datagram is in two parts. */
static const uint8_t *locate(const struct udp_run *run, uint32_t offset)
{
	const struct iovec *part = run->parts;

	if (!part)
		return run->data + offset;
	for (; offset >= part->iov_len; part++)
		offset -= (uint32_t)part->iov_len;
	return (const uint8_t *)part->iov_base + offset;
}

static void add_message(struct batch *batch, struct udp_run *run, uint32_t offset, uint32_t length)
{
	int i = batch->count++;
	struct msghdr *message = &batch->headers[i].msg_hdr;
	bool whole = run->parts && length == run->bytes;

	batch->runs[i] = run;
	batch->lengths[i] = length;
	if (!whole)
		batch->parts[i] = (struct iovec) { (void *)locate(run, offset), length };
	message->msg_name = (void *)&run->to->to;
	message->msg_namelen = name_length(run->to);
	message->msg_iov = whole ? (struct iovec *)run->parts : &batch->parts[i];
	message->msg_iovlen = whole ? run->part_count : 1;
	message->msg_flags = 0;
	udp_control_write(message, &batch->controls[i], run, length);
}

/* What is left of the run: one message, or as many datagrams as there is room for. */
static void add_run(struct batch *batch, struct udp_run *run, bool ungrouped)
{
	for (uint32_t offset = settled(run), length; offset < run->bytes && batch->count < MESSAGES; offset += length) {
		length = run->bytes - offset;
		if ((ungrouped || (run->parts && offset)) && length > run->size)
			length = run->size;
		add_message(batch, run, offset, length);
	}
}

/* The runs from the front on that leave by the same socket as the first. Returns that socket. */
static int fill(struct batch *batch, const struct udp *udp, struct udp_run *runs, int count)
{
	int fd = socket_of(udp, &runs[0]);

	batch->count = 0;
	for (int i = 0; i < count && batch->count < MESSAGES && socket_of(udp, &runs[i]) == fd; i++) {
		assert(runs[i].size);
		add_run(batch, &runs[i], runs[i].ungrouped || runs[i].refused_group || !udp->gso);
	}
	return fd;
}

static void commit(const struct batch *batch, int sent)
{
	for (int i = 0; i < sent; i++)
		batch->runs[i]->sent += batch->lengths[i];
}

static void set_blocked(struct udp *udp, int fd, bool blocked)
{
	if (fd == udp->v4)
		udp->v4_blocked = blocked;
	else
		udp->v6_blocked = blocked;
}

/* True when the run may try again without its source, which is only once. */
static bool lose_source(struct udp_run *run)
{
	if (run->lost_local || !endpoint_local_known(run->to))
		return false;
	run->lost_local = true;
	/* Nothing went out yet, so a group was refused for its source: without it the group has its chance again. */
	if (!settled(run))
		run->refused_group = false;
	return true;
}

/* Memory is short. True when that lasts. */
static bool starved(struct udp *udp)
{
	if (++udp->starved < STARVED)
		return false;
	udp->starved = 0;
	return true;
}

/* Settles what the kernel said of a message of `length` bytes. False: it stays where it is, the socket is full. */
static bool settle(struct udp *udp, struct udp_run *run, size_t length, int error)
{
	switch (error) {
	case EAGAIN:
		return false;
	case EINTR:
		return true;
	case ENOBUFS:
	case ENOMEM:
		if (!starved(udp))
			return false;
		break;
	case EIO: /* the device cannot do the checksums, or a transform wants whole packets */
	case EMSGSIZE:
	case EINVAL: /* longer than the route's MTU (before Linux 6.14), or a source of IPv6 that is gone */
		if (length > run->size) {
			run->refused_group = true;
			return true;
		}
		if (error == EINVAL && lose_source(run))
			return true;
		break;
	case ENETUNREACH: /* also a source of IPv4 that is gone */
	case ENODEV:      /* also a source whose interface is gone */
		if (lose_source(run))
			return true;
		break;
	}
	give_up(run, error);
	return true;
}

/* One sendmmsg. False when the socket is full. */
static bool send_batch(struct udp *udp, struct batch *batch, int fd)
{
	int sent = fd < 0 ? -1 : sendmmsg(fd, batch->headers, (unsigned)batch->count, 0);
	bool room = true;

	if (sent > 0) {
		commit(batch, sent);
		udp->starved = 0;
	} else {
		room = settle(udp, batch->runs[0], batch->lengths[0], fd < 0 ? EAFNOSUPPORT : errno);
	}
	if (fd >= 0)
		set_blocked(udp, fd, !room);
	return room;
}

int udp_send(struct udp *udp, struct udp_run *runs, int count)
{
	struct batch batch;

	for (int first = 0;;) {
		int fd;

		while (first < count && done(&runs[first]))
			first++;
		if (first == count)
			return count;
		fd = fill(&batch, udp, runs + first, count - first);
		if (!send_batch(udp, &batch, fd))
			return first;
	}
}
