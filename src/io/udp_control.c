/* SPDX-License-Identifier: MIT */
/* Control messages of a UDP socket. */
#include "udp_control.h"

#include <netinet/udp.h>
#include <string.h>

static void put_cmsg(struct msghdr *message, int level, int type, const void *value, size_t bytes)
{
	struct cmsghdr head = { .cmsg_len = CMSG_LEN(bytes), .cmsg_level = level, .cmsg_type = type };
	uint8_t *at = (uint8_t *)message->msg_control + message->msg_controllen;

	memset(at, 0, CMSG_SPACE(bytes));
	memcpy(at, &head, sizeof head);
	memcpy(at + CMSG_LEN(0), value, bytes);
	message->msg_controllen += CMSG_SPACE(bytes);
}

/*
 * Sets the address, but the interface only if necessary. The interface would override the routing table: if it has no
 * route to the peer, the kernel would assume that the peer is directly attached to it. A pinned endpoint and a
 * link-local address need their interface.
 */
static void put_local(struct msghdr *message, const struct endpoint *to)
{
	if (to->to.any.sa_family == AF_INET) {
		struct in_pktinfo info = { .ipi_spec_dst = to->local.v4.ipi_spec_dst };

		if (to->pinned)
			info.ipi_ifindex = to->local.v4.ipi_ifindex;
		put_cmsg(message, IPPROTO_IP, IP_PKTINFO, &info, sizeof info);
	} else {
		struct in6_pktinfo info = { .ipi6_addr = to->local.v6.ipi6_addr };

		if (IN6_IS_ADDR_LINKLOCAL(&info.ipi6_addr))
			info.ipi6_ifindex = to->local.v6.ipi6_ifindex;
		put_cmsg(message, IPPROTO_IPV6, IPV6_PKTINFO, &info, sizeof info);
	}
}

void udp_control_write(struct msghdr *message, union udp_control *control, const struct udp_run *run, uint32_t length)
{
	int traffic_class = run->traffic_class;

	message->msg_control = control->bytes;
	message->msg_controllen = 0;
	if (!run->local_gone && endpoint_local_known(run->to))
		put_local(message, run->to);
	if (traffic_class && run->to->to.any.sa_family == AF_INET)
		put_cmsg(message, IPPROTO_IP, IP_TOS, &traffic_class, sizeof traffic_class);
	else if (traffic_class)
		put_cmsg(message, IPPROTO_IPV6, IPV6_TCLASS, &traffic_class, sizeof traffic_class);
	if (length > run->size)
		put_cmsg(message, IPPROTO_UDP, UDP_SEGMENT, &run->size, sizeof run->size);
}

static void read_cmsg(struct udp_message *into, const struct cmsghdr *head, const uint8_t *data, size_t bytes)
{
	struct in_pktinfo info;
	int value;

	if (head->cmsg_level == IPPROTO_IP && head->cmsg_type == IP_PKTINFO) {
		if (bytes < sizeof info)
			return;
		memcpy(&info, data, sizeof info);
		into->from.local.v4.ipi_spec_dst = info.ipi_spec_dst;
		into->from.local.v4.ipi_ifindex = info.ipi_ifindex;
	} else if (head->cmsg_level == IPPROTO_IPV6 && head->cmsg_type == IPV6_PKTINFO) {
		if (bytes >= sizeof into->from.local.v6)
			memcpy(&into->from.local.v6, data, sizeof into->from.local.v6);
	} else if ((head->cmsg_level == IPPROTO_IP && head->cmsg_type == IP_TOS) ||
			   (head->cmsg_level == IPPROTO_IPV6 && head->cmsg_type == IPV6_TCLASS)) {
		/* IPv4 passes one byte (ip(7)), IPv6 an int (RFC 3542, section 6.5). */
		if (bytes >= sizeof value) {
			memcpy(&value, data, sizeof value);
			into->traffic_class = (uint8_t)value;
		} else if (bytes >= 1) {
			into->traffic_class = data[0];
		}
	} else if (head->cmsg_level == IPPROTO_UDP && head->cmsg_type == UDP_GRO && bytes >= sizeof value) {
		memcpy(&value, data, sizeof value);
		if (value > 0 && (uint32_t)value < into->size)
			into->size = into->length <= (uint64_t)UDP_MESSAGE_SEGMENTS * (uint32_t)value ? (uint32_t)value : 0;
	}
}

void udp_control_read(const struct msghdr *message, struct udp_message *into)
{
	const uint8_t *at = message->msg_control;
	size_t left = message->msg_controllen;
	struct cmsghdr head;

	into->traffic_class = 0;
	into->size = into->length ? into->length : 1;
	endpoint_clear_local(&into->from);
	while (left >= sizeof head) {
		size_t step;

		memcpy(&head, at, sizeof head);
		if (head.cmsg_len < CMSG_LEN(0) || head.cmsg_len > left)
			break;
		read_cmsg(into, &head, at + CMSG_LEN(0), head.cmsg_len - CMSG_LEN(0));
		step = CMSG_ALIGN(head.cmsg_len);
		if (step > left) /* the last one may lack its padding */
			break;
		at += step;
		left -= step;
	}
}
