/* SPDX-License-Identifier: MIT */
/* Routes by rtnetlink. */
#include <errno.h>
#include <linux/rtnetlink.h>
#include <string.h>

#include "netlink_request.h"

uint32_t netlink_get_mtu(const struct nlattr *metrics)
{
	const struct nlattr *attribute;
	uint32_t mtu = 0;

	mnl_attr_for_each_nested(attribute, metrics)
	{
		if (mnl_attr_get_type(attribute) == RTAX_MTU)
			mtu = netlink_get_u32(attribute);
	}
	return mtu;
}

struct route {
	uint32_t table;
	uint32_t index; /* of the first next hop; 0: none, for example a blackhole route */
	uint32_t mtu;   /* 0: the route has no MTU of its own */
};

static struct route read_route(const struct nlmsghdr *message)
{
	const struct rtmsg *head = mnl_nlmsg_get_payload(message);
	struct route route = { .table = head->rtm_table };
	const struct nlattr *attribute;
	struct rtnexthop hop;

	mnl_attr_for_each(attribute, message, sizeof *head)
	{
		switch (mnl_attr_get_type(attribute)) {
		case RTA_TABLE:
			route.table = netlink_get_u32(attribute);
			break;
		case RTA_OIF:
			route.index = netlink_get_u32(attribute);
			break;
		case RTA_MULTIPATH:
			if (mnl_attr_get_payload_len(attribute) < sizeof hop)
				break;
			memcpy(&hop, mnl_attr_get_payload(attribute), sizeof hop);
			route.index = (uint32_t)hop.rtnh_ifindex;
			break;
		case RTA_METRICS:
			route.mtu = netlink_get_mtu(attribute);
			break;
		}
	}
	return route;
}

struct default_search {
	struct route first;
	uint32_t except; /* an interface whose routes do not count */
};

/* Older kernels do not filter: they send all tables, and also cached IPv6 routes. */
static void take_first_default(void *context, const struct nlmsghdr *message)
{
	const struct rtmsg *head = mnl_nlmsg_get_payload(message);
	struct default_search *search = context;
	struct route route;

	if (search->first.index || message->nlmsg_type != RTM_NEWROUTE || head->rtm_dst_len ||
		head->rtm_flags & RTM_F_CLONED)
		return;
	route = read_route(message);
	if (route.table == RT_TABLE_MAIN && route.index && route.index != search->except)
		search->first = route;
}

/* Finds the default route, of IPv4 if there is one, else of IPv6. If there is none, `route` stays zero. */
static int find_default(struct netlink *netlink, uint32_t except, struct route *route)
{
	struct default_search search = { .except = except };
	static const uint8_t families[] = { AF_INET, AF_INET6 };
	int status = 0;

	for (size_t i = 0; i < sizeof families && status == 0 && !search.first.index; i++) {
		struct nlmsghdr *message = netlink_begin(netlink, RTM_GETROUTE, NLM_F_DUMP);
		struct rtmsg *head = mnl_nlmsg_put_extra_header(message, sizeof *head);

		head->rtm_family = families[i];
		mnl_attr_put_u32(message, RTA_TABLE, RT_TABLE_MAIN);
		status = netlink_finish(netlink, take_first_default, &search);
		/* -ENOENT: the table does not exist. -EOPNOTSUPP: the kernel does not support the family. */
		if (status == -ENOENT || status == -EOPNOTSUPP)
			status = 0;
	}
	*route = search.first;
	return status;
}

static void take_route(void *context, const struct nlmsghdr *message)
{
	if (message->nlmsg_type == RTM_NEWROUTE)
		*(struct route *)context = read_route(message);
}

struct nlmsghdr *netlink_begin_lookup(struct netlink *netlink, const struct ip_prefix *to, uint32_t mark)
{
	struct nlmsghdr *message = netlink_begin(netlink, RTM_GETROUTE, 0);
	struct rtmsg *head = mnl_nlmsg_put_extra_header(message, sizeof *head);

	head->rtm_family = to->family;
	head->rtm_dst_len = (unsigned char)(8 * netlink_address_bytes(to->family));
	netlink_put_address(message, RTA_DST, to);
	if (mark)
		mnl_attr_put_u32(message, RTA_MARK, mark);
	return message;
}

int netlink_route_interface(struct netlink *netlink, const struct ip_prefix *to, uint32_t mark, uint32_t *index)
{
	struct route route = { 0 };
	int status;

	netlink_begin_lookup(netlink, to, mark);
	status = netlink_finish(netlink, take_route, &route);
	*index = route.index;
	return status;
}

/* Counts the next hops of a route, and those that lead to one interface. */
struct hop_count {
	uint32_t index;
	int all, there;
	bool unlisted; /* a nexthop object, whose next hops the kernel does not list with nexthop_compat_mode = 0 */
};

static void count_hops(void *context, const struct nlmsghdr *message)
{
	struct hop_count *count = context;
	const struct nlattr *attribute;

	if (message->nlmsg_type != RTM_NEWROUTE)
		return;
	mnl_attr_for_each(attribute, message, sizeof(struct rtmsg))
	{
		const struct rtnexthop *hop = mnl_attr_get_payload(attribute);
		int left = (int)mnl_attr_get_payload_len(attribute);

		switch (mnl_attr_get_type(attribute)) {
		case RTA_NH_ID:
			count->unlisted = true;
			break;
		case RTA_OIF:
			count->all++;
			count->there += netlink_get_u32(attribute) == count->index;
			break;
		case RTA_MULTIPATH:
			for (; RTNH_OK(hop, left); left -= (int)NLMSG_ALIGN(hop->rtnh_len), hop = RTNH_NEXT(hop)) {
				count->all++;
				count->there += (uint32_t)hop->rtnh_ifindex == count->index;
			}
			break;
		}
	}
}

static struct nlmsghdr *begin_flow_match(struct netlink *netlink, const struct netlink_flow *flow)
{
	struct nlmsghdr *message = netlink_begin_lookup(netlink, &flow->to, flow->mark);
	struct rtmsg *head = mnl_nlmsg_get_payload(message);

	head->rtm_flags = RTM_F_FIB_MATCH; /* the route itself, with all of its next hops */
	if (flow->from.family) {
		head->rtm_src_len = head->rtm_dst_len;
		netlink_put_address(message, RTA_SRC, &flow->from);
	}
	mnl_attr_put_u8(message, RTA_IP_PROTO, IPPROTO_UDP);
	if (flow->from_port)
		mnl_attr_put_u16(message, RTA_SPORT, htons(flow->from_port));
	if (flow->to_port)
		mnl_attr_put_u16(message, RTA_DPORT, htons(flow->to_port));
	return message;
}

int netlink_flow_leaves(struct netlink *netlink, const struct netlink_flow *flow, uint32_t index)
{
	struct hop_count count = { .index = index };
	int status;

	begin_flow_match(netlink, flow);
	status = netlink_finish(netlink, count_hops, &count);
	if (status)
		return status;
	if (count.unlisted && !count.all && flow->to.family == AF_INET) {
		/* The kernel finds no route if no next hop leads there. For IPv6 it may ignore the interface. */
		mnl_attr_put_u32(begin_flow_match(netlink, flow), RTA_OIF, index);
		return netlink_finish(netlink, NULL, NULL) ? 0 : 2;
	}
	return !count.there ? 0 : count.all == 1 ? 1 : 2;
}

static void take_local(void *context, const struct nlmsghdr *message)
{
	const struct rtmsg *head = mnl_nlmsg_get_payload(message);

	if (message->nlmsg_type == RTM_NEWROUTE && head->rtm_type == RTN_LOCAL)
		*(struct route *)context = read_route(message);
}

int netlink_address_interface(struct netlink *netlink, const struct ip_prefix *address, uint32_t *index)
{
	struct nlmsghdr *message = netlink_begin_lookup(netlink, address, 0);
	struct rtmsg *head = mnl_nlmsg_get_payload(message);
	struct route route = { 0 };
	int status;

	head->rtm_flags = RTM_F_FIB_MATCH;
	status = netlink_finish(netlink, take_local, &route);
	*index = route.index;
	return status == -ENETUNREACH || status == -EHOSTUNREACH ? 0 : status;
}

int netlink_route_mtu(struct netlink *netlink, const struct ip_prefix *to, uint32_t mark, uint32_t except,
					  uint32_t *mtu)
{
	struct route route = { 0 };
	int status;

	if (to->family) {
		netlink_begin_lookup(netlink, to, mark);
		status = netlink_finish(netlink, take_route, &route);
		if (status == -ENETUNREACH || status == -EHOSTUNREACH)
			status = 0;
	} else {
		status = find_default(netlink, except, &route);
	}
	if (except && route.index == except)
		route = (struct route) { 0 };
	*mtu = route.mtu;
	if (status == 0 && !route.mtu && route.index)
		status = netlink_link_mtu(netlink, route.index, mtu);
	return status;
}
