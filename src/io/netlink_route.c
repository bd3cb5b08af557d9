/* SPDX-License-Identifier: MIT */
/* Routes by rtnetlink. */
#include <errno.h>
#include <linux/rtnetlink.h>
#include <string.h>

#include "netlink_request.h"

static uint32_t metrics_mtu(const struct nlattr *metrics)
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

static uint32_t first_hop(const struct nlattr *multipath)
{
	struct rtnexthop hop;

	if (mnl_attr_get_payload_len(multipath) < sizeof hop)
		return 0;
	memcpy(&hop, mnl_attr_get_payload(multipath), sizeof hop);
	return (uint32_t)hop.rtnh_ifindex;
}

static struct netlink_route read_route(const struct nlmsghdr *message)
{
	const struct rtmsg *head = mnl_nlmsg_get_payload(message);
	struct netlink_route route = {
		.to = { .family = head->rtm_family, .length = head->rtm_dst_len },
		.table = head->rtm_table,
	};
	const struct nlattr *attribute;

	mnl_attr_for_each(attribute, message, sizeof *head)
	{
		switch (mnl_attr_get_type(attribute)) {
		case RTA_DST:
			netlink_get_address(attribute, &route.to);
			break;
		case RTA_TABLE:
			route.table = netlink_get_u32(attribute);
			break;
		case RTA_OIF:
			route.index = netlink_get_u32(attribute);
			break;
		case RTA_MULTIPATH:
			route.index = first_hop(attribute);
			break;
		case RTA_METRICS:
			route.mtu = metrics_mtu(attribute);
			break;
		}
	}
	return route;
}

struct route_visit {
	uint8_t family;
	uint32_t index, table;
	void (*handle)(void *context, const struct netlink_route *route);
	void *context;
};

/* Older kernels do not filter: they send all tables, and also cached IPv6 routes. */
static void visit_route(void *context, const struct nlmsghdr *message)
{
	const struct rtmsg *head = mnl_nlmsg_get_payload(message);
	const struct route_visit *visit = context;
	struct netlink_route route;

	if (message->nlmsg_type != RTM_NEWROUTE || head->rtm_family != visit->family || head->rtm_flags & RTM_F_CLONED)
		return;
	route = read_route(message);
	if (route.table == visit->table && (!visit->index || route.index == visit->index))
		visit->handle(visit->context, &route);
}

static int route_each(struct netlink *netlink, uint8_t family, uint32_t index, uint32_t table,
					  void (*handle)(void *context, const struct netlink_route *route), void *context)
{
	struct route_visit visit = { family, index, table ? table : RT_TABLE_MAIN, handle, context };
	struct nlmsghdr *message = netlink_begin(netlink, RTM_GETROUTE, NLM_F_DUMP);
	struct rtmsg *route = mnl_nlmsg_put_extra_header(message, sizeof *route);
	int status;

	route->rtm_family = family;
	mnl_attr_put_u32(message, RTA_TABLE, visit.table);
	if (index)
		mnl_attr_put_u32(message, RTA_OIF, index);
	status = netlink_finish(netlink, visit_route, &visit);
	/* -ENOENT: the table does not exist. -EOPNOTSUPP: the kernel does not support the family. */
	return status == -ENOENT || status == -EOPNOTSUPP ? 0 : status;
}

static void take_first_default(void *context, const struct netlink_route *route)
{
	struct netlink_route *first = context;

	if (route->to.length == 0 && route->index && !first->index)
		*first = *route;
}

static int default_route(struct netlink *netlink, struct netlink_route *route)
{
	int status = route_each(netlink, AF_INET, 0, RT_TABLE_MAIN, take_first_default, route);

	if (status == 0 && !route->index)
		status = route_each(netlink, AF_INET6, 0, RT_TABLE_MAIN, take_first_default, route);
	return status;
}

static void take_route(void *context, const struct nlmsghdr *message)
{
	if (message->nlmsg_type == RTM_NEWROUTE)
		*(struct netlink_route *)context = read_route(message);
}

static int query_route(struct netlink *netlink, const struct ip_prefix *to, uint32_t mark, struct netlink_route *route)
{
	struct nlmsghdr *message = netlink_begin(netlink, RTM_GETROUTE, 0);
	struct rtmsg *head = mnl_nlmsg_put_extra_header(message, sizeof *head);

	head->rtm_family = to->family;
	head->rtm_dst_len = (unsigned char)(8 * netlink_address_bytes(to->family));
	netlink_put_address(message, RTA_DST, to);
	if (mark)
		mnl_attr_put_u32(message, RTA_MARK, mark);
	return netlink_finish(netlink, take_route, route);
}

/* Finds the route to an address. If there is none, returns 0 and leaves `route` zero. */
static int find_route(struct netlink *netlink, const struct ip_prefix *to, struct netlink_route *route)
{
	int status = query_route(netlink, to, 0, route);

	return status == -ENETUNREACH || status == -EHOSTUNREACH ? 0 : status;
}

int netlink_route_interface(struct netlink *netlink, const struct ip_prefix *to, uint32_t mark, uint32_t *index)
{
	struct netlink_route route = { 0 };
	int status = query_route(netlink, to, mark, &route);

	*index = route.index;
	return status;
}

static struct nlmsghdr *begin_match(struct netlink *netlink, const struct ip_prefix *to)
{
	struct nlmsghdr *message = netlink_begin(netlink, RTM_GETROUTE, 0);
	struct rtmsg *head = mnl_nlmsg_put_extra_header(message, sizeof *head);

	head->rtm_family = to->family;
	head->rtm_dst_len = (unsigned char)(8 * netlink_address_bytes(to->family));
	head->rtm_flags = RTM_F_FIB_MATCH; /* the route itself, with all of its next hops */
	netlink_put_address(message, RTA_DST, to);
	return message;
}

/* Counts the next hops of a route, and those that lead to one interface. */
struct hop_count {
	uint32_t index;
	int all, there;
};

static void count_hop(struct hop_count *count, uint32_t index)
{
	count->all++;
	count->there += index == count->index;
}

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
		case RTA_OIF:
			count_hop(count, netlink_get_u32(attribute));
			break;
		case RTA_MULTIPATH:
			for (; RTNH_OK(hop, left); left -= (int)NLMSG_ALIGN(hop->rtnh_len), hop = RTNH_NEXT(hop))
				count_hop(count, (uint32_t)hop->rtnh_ifindex);
			break;
		}
	}
}

int netlink_flow_leaves(struct netlink *netlink, const struct netlink_flow *flow, uint32_t index)
{
	struct nlmsghdr *message = begin_match(netlink, &flow->to);
	struct rtmsg *head = mnl_nlmsg_get_payload(message);
	struct hop_count count = { .index = index };
	int status;

	if (flow->from.family) {
		head->rtm_src_len = head->rtm_dst_len;
		netlink_put_address(message, RTA_SRC, &flow->from);
	}
	if (flow->mark)
		mnl_attr_put_u32(message, RTA_MARK, flow->mark);
	mnl_attr_put_u8(message, RTA_IP_PROTO, IPPROTO_UDP);
	if (flow->from_port)
		mnl_attr_put_u16(message, RTA_SPORT, htons(flow->from_port));
	if (flow->to_port)
		mnl_attr_put_u16(message, RTA_DPORT, htons(flow->to_port));
	status = netlink_finish(netlink, count_hops, &count);
	if (status)
		return status;
	return !count.there ? 0 : count.all == 1 ? 1 : 2;
}

static void take_local(void *context, const struct nlmsghdr *message)
{
	const struct rtmsg *head = mnl_nlmsg_get_payload(message);

	if (message->nlmsg_type == RTM_NEWROUTE && head->rtm_type == RTN_LOCAL)
		*(struct netlink_route *)context = read_route(message);
}

int netlink_address_interface(struct netlink *netlink, const struct ip_prefix *address, uint32_t *index)
{
	struct netlink_route route = { 0 };
	int status;

	begin_match(netlink, address);
	status = netlink_finish(netlink, take_local, &route);
	*index = route.index;
	return status == -ENETUNREACH || status == -EHOSTUNREACH ? 0 : status;
}

int netlink_route_mtu(struct netlink *netlink, const struct ip_prefix *to, uint32_t *mtu)
{
	struct netlink_route route = { 0 };
	int status = to->family ? find_route(netlink, to, &route) : default_route(netlink, &route);

	*mtu = route.mtu;
	if (status == 0 && !route.mtu && route.index)
		status = netlink_link_mtu(netlink, route.index, mtu);
	return status;
}
