/* SPDX-License-Identifier: MIT */
/* rtnetlink requests: building, sending, and reading the answers. */
#include "io/netlink.h"

#include <errno.h>
#include <linux/netlink.h>
#include <stdlib.h>
#include <string.h>

#include "netlink_request.h"

enum { DUMP_ATTEMPTS = 8 };

struct netlink *netlink_open(void)
{
	struct netlink *netlink = calloc(1, sizeof *netlink);
	int on = 1;

	if (!netlink)
		return NULL;
	netlink->socket = mnl_socket_open2(NETLINK_ROUTE, SOCK_CLOEXEC);
	if (!netlink->socket)
		goto failed;
	/* Makes the kernel filter dumps (Linux 4.20). Older kernels send everything, so the handlers filter as well. */
	mnl_socket_setsockopt(netlink->socket, NETLINK_GET_STRICT_CHK, &on, sizeof on);
	if (mnl_socket_bind(netlink->socket, 0, MNL_SOCKET_AUTOPID) < 0)
		goto failed;
	return netlink;
failed:
	on = errno;
	netlink_close(netlink);
	errno = on;
	return NULL;
}

void netlink_close(struct netlink *netlink)
{
	if (netlink && netlink->socket)
		mnl_socket_close(netlink->socket);
	free(netlink);
}

/* Returns the size of all requests. */
static size_t request_bytes(const struct netlink *netlink)
{
	if (!netlink->last)
		return 0;
	return (size_t)((char *)netlink->last - netlink->request) + NLMSG_ALIGN(netlink->last->nlmsg_len);
}

struct nlmsghdr *netlink_begin_another(struct netlink *netlink, uint16_t type, uint16_t flags)
{
	size_t used = request_bytes(netlink);

	if (used + NETLINK_REQUEST_MAX > sizeof netlink->request)
		return NULL;
	if (netlink->last)
		netlink->last->nlmsg_flags &= (uint16_t)~NLM_F_ACK;
	netlink->last = mnl_nlmsg_put_header(netlink->request + used);
	netlink->last->nlmsg_type = type;
	netlink->last->nlmsg_flags = NLM_F_REQUEST | NLM_F_ACK | flags;
	return netlink->last;
}

struct nlmsghdr *netlink_begin(struct netlink *netlink, uint16_t type, uint16_t flags)
{
	netlink->last = NULL;
	return netlink_begin_another(netlink, type, flags);
}

/* Numbers the requests before it sends them. Afterwards netlink->sequence is the number of the last one. */
int netlink_send(struct netlink *netlink)
{
	size_t bytes = request_bytes(netlink);
	struct nlmsghdr *message;

	netlink->interrupted = false;
	for (size_t at = 0; at < bytes; at += NLMSG_ALIGN(message->nlmsg_len)) {
		message = (struct nlmsghdr *)(void *)(netlink->request + at);
		message->nlmsg_seq = ++netlink->sequence;
	}
	return mnl_socket_sendto(netlink->socket, netlink->request, bytes) < 0 ? -errno : 0;
}

/* Returns the errno in an NLMSG_ERROR (0: an acknowledgement) or in the NLMSG_DONE that ends a dump. */
static int final_status(const struct nlmsghdr *message)
{
	int status;

	if (mnl_nlmsg_get_payload_len(message) < sizeof status)
		return message->nlmsg_type == NLMSG_DONE ? 0 : -EBADMSG;
	memcpy(&status, mnl_nlmsg_get_payload(message), sizeof status);
	return status;
}

/* Reads the next part of an answer. Returns its size or a negative errno. */
static ssize_t receive_answer(struct netlink *netlink)
{
	ssize_t length;

	do
		length = mnl_socket_recvfrom(netlink->socket, netlink->answer, sizeof netlink->answer);
	while (length < 0 && errno == EINTR);
	return length < 0 ? -errno : length;
}

int netlink_read_part(struct netlink *netlink, netlink_handler *handle, void *context)
{
	const struct nlmsghdr *message = (const struct nlmsghdr *)(const void *)netlink->answer;
	ssize_t received = receive_answer(netlink);
	int length = (int)received;

	if (received < 0)
		return length;
	for (; mnl_nlmsg_ok(message, length); message = mnl_nlmsg_next(message, &length)) {
		/* Other numbers belong to an earlier request that was not read to the end. */
		if (message->nlmsg_seq != netlink->sequence)
			continue;
		if (message->nlmsg_flags & NLM_F_DUMP_INTR)
			netlink->interrupted = true;
		if (message->nlmsg_type == NLMSG_ERROR || message->nlmsg_type == NLMSG_DONE) {
			int status = final_status(message);
			return status == 0 && netlink->interrupted ? -EINTR : status;
		}
		if (handle)
			handle(context, message);
	}
	return 1;
}

int netlink_finish(struct netlink *netlink, netlink_handler *handle, void *context)
{
	int status = -EINTR;

	for (int attempt = 0; status == -EINTR && attempt < DUMP_ATTEMPTS; attempt++) {
		status = netlink_send(netlink);
		if (status == 0)
			do
				status = netlink_read_part(netlink, handle, context);
			while (status == 1);
	}
	return status;
}

void netlink_finish_all(struct netlink *netlink, int *status, size_t count)
{
	int error = netlink_send(netlink);
	bool done = false;

	memset(status, 0, count * sizeof *status);
	while (!error && !done) {
		const struct nlmsghdr *message = (const struct nlmsghdr *)(const void *)netlink->answer;
		ssize_t received = receive_answer(netlink);
		int length = (int)received;

		if (received < 0)
			error = length;
		for (; mnl_nlmsg_ok(message, length); message = mnl_nlmsg_next(message, &length)) {
			uint32_t from_last = netlink->sequence - message->nlmsg_seq;
			if (message->nlmsg_type != NLMSG_ERROR || from_last >= count)
				continue;
			status[count - 1 - from_last] = final_status(message);
			done |= from_last == 0; /* the kernel answers in order */
		}
	}
	for (size_t i = 0; error && i < count; i++)
		status[i] = error;
}

void netlink_put_address(struct nlmsghdr *message, uint16_t type, const struct ip_prefix *prefix)
{
	mnl_attr_put(message, type, netlink_address_bytes(prefix->family), prefix->address);
}

void netlink_get_address(const struct nlattr *attribute, struct ip_prefix *prefix)
{
	size_t bytes = netlink_address_bytes(prefix->family);

	if (mnl_attr_get_payload_len(attribute) == bytes)
		memcpy(prefix->address, mnl_attr_get_payload(attribute), bytes);
}

uint32_t netlink_get_u32(const struct nlattr *attribute)
{
	return mnl_attr_get_payload_len(attribute) < sizeof(uint32_t) ? 0 : mnl_attr_get_u32(attribute);
}
