/* SPDX-License-Identifier: MIT */
/* Events of rtnetlink: a socket with a filter in the kernel, and the parser of its messages. */
#include "io/netlink_events.h"

#include <errno.h>
#include <linux/fib_rules.h>
#include <linux/filter.h>
#include <linux/if_addr.h>
#include <linux/rtnetlink.h>
#include <stddef.h>
#include <sys/socket.h>
#include <unistd.h>

#include "netlink_request.h"

enum {
	EVENT_BYTES = 16384,
	EVENTS_AT_ONCE = 128,
	RECEIVE_BUFFER = 1 << 20,
	ACCEPT = 0xffff,
	/* Offsets in an event of a route. */
	TYPE_AT = offsetof(struct nlmsghdr, nlmsg_type),
	FLAGS_AT = offsetof(struct nlmsghdr, nlmsg_flags),
	PORT_AT = offsetof(struct nlmsghdr, nlmsg_pid),
	PROTOCOL_AT = sizeof(struct nlmsghdr) + offsetof(struct rtmsg, rtm_protocol),
};

/* BPF loads numbers in network byte order, but netlink messages are in host byte order. */
static int attach_filter(int fd, uint32_t own_port)
{
	struct sock_filter code[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, PORT_AT),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, htonl(own_port), 9, 0),
		BPF_STMT(BPF_LD | BPF_H | BPF_ABS, TYPE_AT),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, htons(RTM_NEWROUTE), 1, 0),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, htons(RTM_DELROUTE), 0, 5),
		BPF_STMT(BPF_LD | BPF_B | BPF_ABS, PROTOCOL_AT),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, NETLINK_PROTOCOL_ADIT, 3, 0),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, RTPROT_KERNEL, 2, 0),
		BPF_STMT(BPF_LD | BPF_H | BPF_ABS, FLAGS_AT),
		BPF_JUMP(BPF_JMP | BPF_JSET | BPF_K, htons(NLM_F_REPLACE), 0, 1),
		BPF_STMT(BPF_RET | BPF_K, ACCEPT),
		BPF_STMT(BPF_RET | BPF_K, 0),
	};
	struct sock_fprog program = { sizeof code / sizeof code[0], code };

	return setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, &program, sizeof program) == 0 ? 0 : -errno;
}

static int set_up_socket(int fd, uint32_t own_port)
{
	struct sockaddr_nl address = {
		.nl_family = AF_NETLINK,
		.nl_groups = RTMGRP_LINK | RTMGRP_IPV4_IFADDR | RTMGRP_IPV6_IFADDR | RTMGRP_IPV4_ROUTE | RTMGRP_IPV6_ROUTE |
					 RTMGRP_IPV4_RULE | 1u << (RTNLGRP_IPV6_RULE - 1),
	};
	int bytes = RECEIVE_BUFFER, error = attach_filter(fd, own_port);

	if (error)
		return error;
	/* If both calls fail, the buffer is smaller, and more events can be lost. */
	if (setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &bytes, sizeof bytes) < 0)
		setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &bytes, sizeof bytes);
	return bind(fd, (struct sockaddr *)&address, sizeof address) == 0 ? 0 : -errno;
}

int netlink_events_open(uint32_t own_port)
{
	int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, NETLINK_ROUTE), error;

	if (fd < 0)
		return -errno;
	error = set_up_socket(fd, own_port);
	if (error) {
		close(fd);
		return error;
	}
	return fd;
}

static bool parse_link(const struct nlmsghdr *message, struct netlink_state_event *event)
{
	const struct ifinfomsg *head = mnl_nlmsg_get_payload(message);

	event->kind = NETLINK_EVENT_LINK;
	event->removed = message->nlmsg_type == RTM_DELLINK;
	event->index = (uint32_t)head->ifi_index;
	/* Bridges send the same messages for their ports, with family AF_BRIDGE. */
	return mnl_nlmsg_get_payload_len(message) >= sizeof *head && head->ifi_family == AF_UNSPEC;
}

static bool parse_address(const struct nlmsghdr *message, struct netlink_state_event *event)
{
	const struct ifaddrmsg *head = mnl_nlmsg_get_payload(message);

	event->kind = NETLINK_EVENT_ADDRESS;
	event->removed = message->nlmsg_type == RTM_DELADDR;
	event->index = head->ifa_index;
	return mnl_nlmsg_get_payload_len(message) >= sizeof *head;
}

static bool parse_rule(const struct nlmsghdr *message, struct netlink_state_event *event)
{
	const struct nlattr *attribute;

	event->kind = NETLINK_EVENT_RULE;
	event->removed = message->nlmsg_type == RTM_DELRULE;
	if (mnl_nlmsg_get_payload_len(message) < sizeof(struct fib_rule_hdr))
		return false;
	mnl_attr_for_each(attribute, message, sizeof(struct fib_rule_hdr))
	{
		if (mnl_attr_get_type(attribute) == FRA_FWMARK)
			event->mark = netlink_get_u32(attribute);
		else if (mnl_attr_get_type(attribute) == FRA_PROTOCOL && mnl_attr_get_payload_len(attribute) >= 1)
			event->protocol = mnl_attr_get_u8(attribute);
	}
	return true;
}

static bool parse_route(const struct nlmsghdr *message, struct netlink_state_event *event)
{
	if (mnl_nlmsg_get_payload_len(message) < sizeof(struct rtmsg))
		return false;
	event->kind = NETLINK_EVENT_ROUTE;
	event->removed = message->nlmsg_type == RTM_DELROUTE;
	netlink_read_route(message, &event->route);
	return true;
}

static bool parse_event(const struct nlmsghdr *message, struct netlink_state_event *event)
{
	*event = (struct netlink_state_event) { 0 };
	switch (message->nlmsg_type) {
	case RTM_NEWLINK:
	case RTM_DELLINK:
		return parse_link(message, event);
	case RTM_NEWADDR:
	case RTM_DELADDR:
		return parse_address(message, event);
	case RTM_NEWRULE:
	case RTM_DELRULE:
		return parse_rule(message, event);
	case RTM_NEWROUTE:
	case RTM_DELROUTE:
		return parse_route(message, event);
	default:
		return false;
	}
}

int netlink_events_read(int fd, void (*handle)(void *context, const struct netlink_state_event *event), void *context)
{
	_Alignas(struct nlmsghdr) char buffer[EVENT_BYTES];
	struct netlink_state_event event;

	for (int i = 0; i < EVENTS_AT_ONCE; i++) {
		const struct nlmsghdr *message = (const struct nlmsghdr *)(const void *)buffer;
		struct sockaddr_nl from = { 0 };
		socklen_t from_length = sizeof from;
		ssize_t received = recvfrom(fd, buffer, sizeof buffer, MSG_TRUNC, (struct sockaddr *)&from, &from_length);
		int length = (int)received;

		if (received < 0 && errno == EINTR)
			continue;
		if (received < 0)
			return errno == EAGAIN ? 0 : -errno;
		if ((size_t)received > sizeof buffer)
			return -ENOBUFS;
		if (from.nl_pid != 0) /* another process sent it, not the kernel */
			continue;
		for (; mnl_nlmsg_ok(message, length); message = mnl_nlmsg_next(message, &length))
			if (parse_event(message, &event))
				handle(context, &event);
	}
	return 0;
}
