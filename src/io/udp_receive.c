/* SPDX-License-Identifier: MIT */
/* Receiving: one recvmmsg(2) per batch. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "udp_control.h"

struct udp_batch {
	struct mmsghdr headers[UDP_BATCH];
	struct iovec parts[UDP_BATCH];
	struct sockaddr_in6 names[UDP_BATCH]; /* large enough for both families */
	union udp_control controls[UDP_BATCH];
	struct {
		uint8_t headroom[UDP_HEADROOM];
		uint8_t data[UDP_MESSAGE];
		uint8_t tailroom[UDP_TAILROOM];
	} buffers[UDP_BATCH];
};

struct udp_batch *udp_batch_create(void)
{
	struct udp_batch *batch = calloc(1, sizeof *batch);

	if (!batch)
		return NULL;
	for (int i = 0; i < UDP_BATCH; i++) {
		batch->parts[i] = (struct iovec) { batch->buffers[i].data, UDP_MESSAGE };
		batch->headers[i].msg_hdr = (struct msghdr) {
			.msg_name = &batch->names[i],
			.msg_iov = &batch->parts[i],
			.msg_iovlen = 1,
			.msg_control = &batch->controls[i],
		};
	}
	return batch;
}

void udp_batch_destroy(struct udp_batch *batch)
{
	free(batch);
}

/* Returns false if the message has too many datagrams. */
static bool fill_message(struct udp_message *message, const struct mmsghdr *received)
{
	const struct msghdr *header = &received->msg_hdr;
	size_t name = header->msg_namelen;

	message->data = header->msg_iov->iov_base;
	message->length = received->msg_len;
	message->from = (struct endpoint) { 0 };
	memcpy(&message->from.to, header->msg_name, name < sizeof message->from.to ? name : sizeof message->from.to);
	udp_control_read(header, message);
	return message->size;
}

int udp_receive(int fd, struct udp_batch *batch, struct udp_message messages[UDP_BATCH], struct udp_dropped *dropped)
{
	int received, count = 0;

	/* The kernel has overwritten the buffer sizes with the sizes of the last messages. */
	for (int i = 0; i < UDP_BATCH; i++) {
		batch->headers[i].msg_hdr.msg_namelen = sizeof batch->names[i];
		batch->headers[i].msg_hdr.msg_controllen = sizeof batch->controls[i];
		batch->headers[i].msg_hdr.msg_flags = 0;
	}
	received = recvmmsg(fd, batch->headers, UDP_BATCH, MSG_DONTWAIT, NULL);
	if (received < 0)
		return errno == EAGAIN || errno == EINTR ? 0 : -errno;
	for (int i = 0; i < received; i++) {
		/* If control messages are missing, the segment size may be among them, and the message cannot be split. */
		if (batch->headers[i].msg_hdr.msg_flags & (MSG_TRUNC | MSG_CTRUNC))
			dropped->truncated++;
		else if (fill_message(&messages[count], &batch->headers[i]))
			count++;
		else
			dropped->segments++;
	}
	return count;
}
