/* SPDX-License-Identifier: MIT */
/* Events of rtnetlink: the sockets, the filter in the kernel, and the parser of the messages. */
#include "io/netlink_events.h"

#include <errno.h>
#include <linux/fib_rules.h>
#include <linux/filter.h>
#include <linux/if_addr.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <stddef.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "netlink_request.h"

enum {
	EVENT_BYTES = 16384,
	EVENTS_READ_MAX = 128,    /* maximum of messages per call of netlink_events_read */
	EVENTS_DISCARD_MAX = 512, /* maximum of messages per call of netlink_events_discard */
	RECEIVE_BUFFER = 1 << 20,
	ACCEPT = 0xffff,
	/* Offsets in an event of a route. */
	TYPE_AT = offsetof(struct nlmsghdr, nlmsg_type),
	FLAGS_AT = offsetof(struct nlmsghdr, nlmsg_flags),
	PORT_AT = offsetof(struct nlmsghdr, nlmsg_pid),
	FAMILY_AT = sizeof(struct nlmsghdr) + offsetof(struct rtmsg, rtm_family),
	LENGTH_AT = sizeof(struct nlmsghdr) + offsetof(struct rtmsg, rtm_dst_len),
	PROTOCOL_AT = sizeof(struct nlmsghdr) + offsetof(struct rtmsg, rtm_protocol),
	ATTRIBUTES_AT = sizeof(struct nlmsghdr) + sizeof(struct rtmsg),
	/* In an event of an address. */
	INDEX_AT = sizeof(struct nlmsghdr) + offsetof(struct ifaddrmsg, ifa_index),
};

/* The filter computes the same sum of an address and its length, modulo 2^32. */
static uint32_t prefix_sum(const struct ip_prefix *prefix)
{
	uint32_t sum = prefix->length, word;

	for (size_t i = 0; i < netlink_address_bytes(prefix->family); i += sizeof word) {
		memcpy(&word, prefix->address + i, sizeof word);
		sum += ntohl(word);
	}
	return sum;
}

/* M[0] is the sum so far, and M[1] the offset of the attribute with the address. */
#define ADD_WORD(number)                                                                                               \
	BPF_STMT(BPF_LDX | BPF_MEM, 1),                                                                                    \
		BPF_STMT(BPF_LD | BPF_W | BPF_IND, sizeof(struct rtattr) + (number) * sizeof(uint32_t)),                       \
		BPF_STMT(BPF_LDX | BPF_MEM, 0), BPF_STMT(BPF_ALU | BPF_ADD | BPF_X, 0), BPF_STMT(BPF_ST, 0)

/*
 * SKF_AD_NLATTR loads the offset of the attribute of type X that follows the offset A, or 0 if there is none. BPF loads
 * numbers in network byte order, but netlink messages are in host byte order.
 */
int netlink_events_set_filter(int fd, uint32_t own_port, uint32_t table, const struct ip_prefix *prefixes, size_t count)
{
	const struct sock_filter head[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, PORT_AT),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, htonl(own_port), 18, 0),
		BPF_STMT(BPF_LD | BPF_H | BPF_ABS, TYPE_AT),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, htons(RTM_NEWROUTE), 1, 0),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, htons(RTM_DELROUTE), 0, 14),
		BPF_STMT(BPF_LD | BPF_B | BPF_ABS, LENGTH_AT),
		BPF_JUMP(BPF_JMP | BPF_JGE | BPF_K, NETLINK_NETWORK_MIN, 0, 12),
		BPF_STMT(BPF_LD | BPF_B | BPF_ABS, PROTOCOL_AT),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, NETLINK_PROTOCOL_ADIT, 10, 0),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, RTPROT_KERNEL, 9, 0),
		BPF_STMT(BPF_LD | BPF_H | BPF_ABS, FLAGS_AT),
		BPF_JUMP(BPF_JMP | BPF_JSET | BPF_K, htons(NLM_F_REPLACE), 7, 0),
		BPF_STMT(BPF_LD | BPF_IMM, ATTRIBUTES_AT),
		BPF_STMT(BPF_LDX | BPF_IMM, RTA_TABLE),
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, (uint32_t)SKF_AD_OFF + SKF_AD_NLATTR),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, 0, 5, 0),
		BPF_STMT(BPF_MISC | BPF_TAX, 0),
		BPF_STMT(BPF_LD | BPF_W | BPF_IND, sizeof(struct rtattr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, htonl(table), 0, 2),
		BPF_STMT(BPF_RET | BPF_K, ACCEPT),
		BPF_STMT(BPF_RET | BPF_K, 0),
		/* the sum of the prefix */
		BPF_STMT(BPF_LD | BPF_B | BPF_ABS, LENGTH_AT),
		BPF_STMT(BPF_ST, 0),
		BPF_STMT(BPF_LD | BPF_IMM, ATTRIBUTES_AT),
		BPF_STMT(BPF_LDX | BPF_IMM, RTA_DST),
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, (uint32_t)SKF_AD_OFF + SKF_AD_NLATTR),
		BPF_STMT(BPF_ST, 1),
		ADD_WORD(0),
		BPF_STMT(BPF_LD | BPF_B | BPF_ABS, FAMILY_AT),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, AF_INET6, 0, 15),
		ADD_WORD(1),
		ADD_WORD(2),
		ADD_WORD(3),
		BPF_STMT(BPF_LD | BPF_MEM, 0),
	};
	struct sock_filter code[sizeof head / sizeof head[0] + NETLINK_EVENTS_PREFIXES + 2];
	struct sock_fprog program = { sizeof head / sizeof head[0], code };

	memcpy(code, head, sizeof head);
	for (size_t i = 0; i < count; i++)
		code[program.len++] =
			(struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, prefix_sum(&prefixes[i]), (uint8_t)(count - i), 0);
	code[program.len++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, 0);
	code[program.len++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, ACCEPT);
	return setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, &program, sizeof program) == 0 ? 0 : -errno;
}

int netlink_events_open(unsigned kinds, uint32_t own_port)
{
	struct sockaddr_nl address = { .nl_family = AF_NETLINK };
	int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, NETLINK_ROUTE);
	int bytes = RECEIVE_BUFFER, error = 0;

	if (fd < 0)
		return -errno;
	if (kinds & NETLINK_EVENT_LINK)
		address.nl_groups |= RTMGRP_LINK;
	if (kinds & NETLINK_EVENT_ADDRESS)
		address.nl_groups |= RTMGRP_IPV4_IFADDR | RTMGRP_IPV6_IFADDR;
	if (kinds & NETLINK_EVENT_ROUTE)
		address.nl_groups |= RTMGRP_IPV4_ROUTE | RTMGRP_IPV6_ROUTE;
	if (kinds & NETLINK_EVENT_RULE)
		address.nl_groups |= RTMGRP_IPV4_RULE | 1u << (RTNLGRP_IPV6_RULE - 1);
	if (own_port) {
		error = netlink_events_set_filter(fd, own_port, 0, NULL, 0);
		/* If both calls fail, the buffer is smaller, and more events can be lost. */
		if (setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &bytes, sizeof bytes) < 0)
			setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &bytes, sizeof bytes);
	}
	if (!error && bind(fd, (struct sockaddr *)&address, sizeof address) < 0)
		error = -errno;
	if (error) {
		close(fd);
		return error;
	}
	return fd;
}

/* A route without RTA_OIF may have next hops on the interface. */
static int attach_mtu_filter(int fd, uint32_t index, bool removals)
{
	struct sock_filter code[] = {
		BPF_STMT(BPF_LD | BPF_H | BPF_ABS, TYPE_AT),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, htons(RTM_NEWROUTE), 5, 0),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, htons(RTM_DELROUTE), 4, 0),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, htons(RTM_NEWADDR), 17, 0),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, htons(RTM_DELADDR), 0, 15),
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, INDEX_AT),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, htonl(removals ? index : 0), 13, 14),
		/* a route */
		BPF_STMT(BPF_LD | BPF_H | BPF_ABS, FLAGS_AT),
		BPF_JUMP(BPF_JMP | BPF_JSET | BPF_K, removals ? htons(NLM_F_REPLACE) : 0, 11, 0),
		BPF_STMT(BPF_LD | BPF_IMM, ATTRIBUTES_AT),
		BPF_STMT(BPF_LDX | BPF_IMM, RTA_METRICS),
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, (uint32_t)SKF_AD_OFF + SKF_AD_NLATTR),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, 0, 8, 0),
		BPF_STMT(BPF_LD | BPF_IMM, ATTRIBUTES_AT),
		BPF_STMT(BPF_LDX | BPF_IMM, RTA_OIF),
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, (uint32_t)SKF_AD_OFF + SKF_AD_NLATTR),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, 0, 3, 0),
		BPF_STMT(BPF_MISC | BPF_TAX, 0),
		BPF_STMT(BPF_LD | BPF_W | BPF_IND, sizeof(struct rtattr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, htonl(index), 0, 1),
		BPF_STMT(BPF_RET | BPF_K, ACCEPT),
		BPF_STMT(BPF_RET | BPF_K, 0),
	};
	struct sock_fprog program = { sizeof code / sizeof code[0], code };

	return setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, &program, sizeof program) == 0 ? 0 : -errno;
}

int netlink_events_add_route_mtus(int fd, uint32_t index, bool removals)
{
	static const int groups[] = { RTNLGRP_IPV4_ROUTE, RTNLGRP_IPV6_ROUTE, RTNLGRP_IPV4_IFADDR };
	int error = attach_mtu_filter(fd, index, removals);

	for (size_t i = 0; i < sizeof groups / sizeof *groups && !error; i++)
		if (setsockopt(fd, SOL_NETLINK, NETLINK_ADD_MEMBERSHIP, &groups[i], sizeof groups[i]) < 0)
			error = -errno;
	return error;
}

bool netlink_events_discard(int fd)
{
	char unread[64];
	bool any = false;

	/* The content of the events does not matter. ENOBUFS means that events were lost. */
	for (int i = 0; i < EVENTS_DISCARD_MAX; i++) {
		ssize_t n = recv(fd, unread, sizeof unread, MSG_TRUNC);

		if (n >= 0 || errno == ENOBUFS)
			any = true;
		else if (errno != EINTR)
			break;
	}
	return any;
}

/* Bridges send the same messages for their ports, with family AF_BRIDGE. There RTM_DELLINK means leaving the bridge. */
static bool parse_link(const struct nlmsghdr *message, struct netlink_event *event)
{
	const struct ifinfomsg *head = mnl_nlmsg_get_payload(message);
	const struct nlattr *attribute;

	if (mnl_nlmsg_get_payload_len(message) < sizeof *head || head->ifi_family != AF_UNSPEC)
		return false;
	event->kind = NETLINK_EVENT_LINK;
	event->removed = message->nlmsg_type == RTM_DELLINK;
	event->index = (uint32_t)head->ifi_index;
	event->up = head->ifi_flags & IFF_UP;
	mnl_attr_for_each(attribute, message, sizeof *head)
	{
		if (mnl_attr_get_type(attribute) == IFLA_MTU)
			event->mtu = netlink_get_u32(attribute);
	}
	return true;
}

static bool parse_rule(const struct nlmsghdr *message, struct netlink_event *event)
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
		else if (mnl_attr_get_type(attribute) == FRA_TABLE)
			event->table = netlink_get_u32(attribute);
		else if (mnl_attr_get_type(attribute) == FRA_PROTOCOL && mnl_attr_get_payload_len(attribute) >= 1)
			event->protocol = mnl_attr_get_u8(attribute);
	}
	return true;
}

static bool parse_event(const struct nlmsghdr *message, struct netlink_event *event)
{
	size_t length = mnl_nlmsg_get_payload_len(message);
	const struct ifaddrmsg *address = mnl_nlmsg_get_payload(message);

	memset(event, 0, sizeof *event);
	switch (message->nlmsg_type) {
	case RTM_NEWLINK:
	case RTM_DELLINK:
		return parse_link(message, event);
	case RTM_NEWADDR:
	case RTM_DELADDR:
		if (length < sizeof *address)
			return false;
		event->kind = NETLINK_EVENT_ADDRESS;
		event->removed = message->nlmsg_type == RTM_DELADDR;
		event->index = address->ifa_index;
		return true;
	case RTM_NEWRULE:
	case RTM_DELRULE:
		return parse_rule(message, event);
	case RTM_NEWROUTE:
	case RTM_DELROUTE:
		if (length < sizeof(struct rtmsg))
			return false;
		event->kind = NETLINK_EVENT_ROUTE;
		event->removed = message->nlmsg_type == RTM_DELROUTE;
		netlink_read_route(message, &event->route);
		return true;
	default:
		return false;
	}
}

int netlink_events_read(int fd, void (*handle)(void *context, const struct netlink_event *event), void *context)
{
	_Alignas(struct nlmsghdr) char buffer[EVENT_BYTES];
	struct netlink_event event;

	for (int i = 0; i < EVENTS_READ_MAX; i++) {
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
