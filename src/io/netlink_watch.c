/* SPDX-License-Identifier: MIT */
/* Netlink events: changes of links, addresses, routes and rules. */
#include <errno.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <sys/socket.h>
#include <unistd.h>

#include "netlink_request.h"

enum {
	WATCH_BYTES = 16384,
	WATCH_MESSAGES = 64,   /* maximum per call of netlink_watch_read */
	EVENTS_READ_MAX = 512, /* maximum per call of netlink_routes_watch_read */
};

static int open_groups(uint32_t groups)
{
	struct sockaddr_nl address = { .nl_family = AF_NETLINK, .nl_groups = groups };
	int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, NETLINK_ROUTE);
	int status;

	if (fd < 0)
		return -errno;
	if (bind(fd, (struct sockaddr *)&address, sizeof address) == 0)
		return fd;
	status = -errno;
	close(fd);
	return status;
}

int netlink_watch_open(void)
{
	return open_groups(RTMGRP_LINK);
}

int netlink_routes_watch_open(void)
{
	return open_groups(RTMGRP_IPV4_IFADDR | RTMGRP_IPV6_IFADDR | RTMGRP_IPV4_ROUTE | RTMGRP_IPV6_ROUTE |
					   RTMGRP_IPV4_RULE | 1u << (RTNLGRP_IPV6_RULE - 1));
}

bool netlink_routes_watch_read(int fd)
{
	char unread[64];
	bool any = false;

	/* The content of the events does not matter. ENOBUFS means that events were lost. */
	for (int i = 0; i < EVENTS_READ_MAX; i++) {
		ssize_t n = recv(fd, unread, sizeof unread, MSG_TRUNC);

		if (n >= 0 || errno == ENOBUFS)
			any = true;
		else if (errno != EINTR)
			break;
	}
	return any;
}

/*
 * Bridges send the same messages for their ports, with family AF_BRIDGE. An RTM_DELLINK of these means that the device
 * has left the bridge, not that it was deleted.
 */
static bool read_event(const struct nlmsghdr *message, struct netlink_event *event)
{
	const struct ifinfomsg *link = mnl_nlmsg_get_payload(message);
	const struct nlattr *attribute;

	if ((message->nlmsg_type != RTM_NEWLINK && message->nlmsg_type != RTM_DELLINK) ||
		mnl_nlmsg_get_payload_len(message) < sizeof *link || link->ifi_family != AF_UNSPEC)
		return false;
	*event = (struct netlink_event) {
		.index = (uint32_t)link->ifi_index,
		.up = link->ifi_flags & IFF_UP,
		.gone = message->nlmsg_type == RTM_DELLINK,
	};
	mnl_attr_for_each(attribute, message, sizeof *link)
	{
		if (mnl_attr_get_type(attribute) == IFLA_MTU)
			event->mtu = netlink_get_u32(attribute);
	}
	return true;
}

/*
 * Reads one datagram. Returns its size, 0 if it did not come from the kernel, or a negative errno; -ENOBUFS if it was
 * too long.
 */
static int receive_events(int fd, char *buffer)
{
	struct sockaddr_nl from = { 0 };
	struct iovec iov = { buffer, WATCH_BYTES };
	struct msghdr head = { .msg_name = &from, .msg_namelen = sizeof from, .msg_iov = &iov, .msg_iovlen = 1 };
	ssize_t length = recvmsg(fd, &head, 0);

	if (length < 0)
		return -errno;
	if (head.msg_flags & MSG_TRUNC)
		return -ENOBUFS;
	return from.nl_pid == 0 ? (int)length : 0;
}

int netlink_watch_read(int fd, uint32_t index, void (*handle)(void *context, const struct netlink_event *event),
					   void *context)
{
	_Alignas(struct nlmsghdr) char buffer[WATCH_BYTES];

	for (int i = 0; i < WATCH_MESSAGES; i++) {
		const struct nlmsghdr *message = (const struct nlmsghdr *)(const void *)buffer;
		int length = receive_events(fd, buffer);
		struct netlink_event event;

		if (length == -EINTR)
			continue;
		if (length < 0)
			return length == -EAGAIN ? 0 : length;
		for (; mnl_nlmsg_ok(message, length); message = mnl_nlmsg_next(message, &length))
			if (read_event(message, &event) && event.index == index)
				handle(context, &event);
	}
	return 0;
}
