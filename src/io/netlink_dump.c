/* SPDX-License-Identifier: MIT */
/* Dumps and changes of links, addresses, routes and rules by rtnetlink. */
#include "io/netlink_dump.h"

#include <errno.h>
#include <linux/fib_rules.h>
#include <linux/if_addr.h>
#include <linux/if_link.h>
#include <linux/ip.h>
#include <linux/ipv6.h>
#include <linux/rtnetlink.h>
#include <string.h>

#include "io/tun.h"
#include "netlink_request.h"

/* Linux 5.18; older headers lack it. */
enum { ADDRESS_PROTOCOL = 11 };

/* --- link ----- */

/* Returns entry `number` of an array of 32-bit values in an attribute, or 0 if the array is shorter. */
static uint32_t conf_value(const struct nlattr *array, unsigned number)
{
	uint32_t value = 0;

	if (mnl_attr_get_payload_len(array) >= (number + 1) * sizeof value)
		memcpy(&value, (const char *)mnl_attr_get_payload(array) + number * sizeof value, sizeof value);
	return value;
}

static void read_family(const struct nlattr *family, struct netlink_link *link)
{
	uint16_t number = mnl_attr_get_type(family);
	const struct nlattr *attribute;

	mnl_attr_for_each_nested(attribute, family)
	{
		uint16_t type = mnl_attr_get_type(attribute);

		if (number == AF_INET && type == IFLA_INET_CONF) {
			link->send_redirects = conf_value(attribute, IPV4_DEVCONF_SEND_REDIRECTS - 1);
			link->promote_secondaries = conf_value(attribute, IPV4_DEVCONF_PROMOTE_SECONDARIES - 1);
		} else if (number == AF_INET6 && type == IFLA_INET6_CONF) {
			link->has_v6 = true;
			link->v6_disabled = conf_value(attribute, DEVCONF_DISABLE_IPV6);
			link->accept_ra = conf_value(attribute, DEVCONF_ACCEPT_RA);
		} else if (number == AF_INET6 && type == IFLA_INET6_ADDR_GEN_MODE && mnl_attr_get_payload_len(attribute) >= 1) {
			link->addr_gen_mode = mnl_attr_get_u8(attribute);
		}
	}
}

static void dump_link(void *context, const struct nlmsghdr *message)
{
	const struct ifinfomsg *head = mnl_nlmsg_get_payload(message);
	struct netlink_link *link = context;
	const struct nlattr *attribute, *family;

	if (message->nlmsg_type != RTM_NEWLINK)
		return;
	link->up = head->ifi_flags & IFF_UP;
	link->multicast = head->ifi_flags & IFF_MULTICAST;
	mnl_attr_for_each(attribute, message, sizeof *head)
	{
		if (mnl_attr_get_type(attribute) == IFLA_MTU) {
			link->mtu = netlink_get_u32(attribute);
		} else if (mnl_attr_get_type(attribute) == IFLA_TXQLEN) {
			link->queue = netlink_get_u32(attribute);
		} else if (mnl_attr_get_type(attribute) == IFLA_CARRIER && mnl_attr_get_payload_len(attribute) >= 1) {
			link->carrier = mnl_attr_get_u8(attribute);
		} else if (mnl_attr_get_type(attribute) == IFLA_IFNAME && mnl_attr_get_payload_len(attribute) <= IFNAMSIZ) {
			memcpy(link->name, mnl_attr_get_payload(attribute), mnl_attr_get_payload_len(attribute));
			link->name[IFNAMSIZ - 1] = '\0';
		} else if (mnl_attr_get_type(attribute) == IFLA_AF_SPEC) {
			mnl_attr_for_each_nested(family, attribute)
			{
				read_family(family, link);
			}
		}
	}
}

int netlink_link_read(struct netlink *netlink, uint32_t index, struct netlink_link *link)
{
	struct nlmsghdr *message = netlink_begin(netlink, RTM_GETLINK, 0);
	struct ifinfomsg *head = mnl_nlmsg_put_extra_header(message, sizeof *head);

	head->ifi_index = (int)index;
	mnl_attr_put_u32(message, IFLA_EXT_MASK, RTEXT_FILTER_SKIP_STATS);
	*link = (struct netlink_link) { 0 };
	return netlink_finish(netlink, dump_link, link);
}

int netlink_link_mtu(struct netlink *netlink, uint32_t index, uint32_t *mtu)
{
	struct netlink_link link;
	int status = netlink_link_read(netlink, index, &link);

	*mtu = link.mtu;
	return status;
}

int netlink_link_delete(struct netlink *netlink, uint32_t index)
{
	struct nlmsghdr *message = netlink_begin(netlink, RTM_DELLINK, 0);
	struct ifinfomsg *link = mnl_nlmsg_put_extra_header(message, sizeof *link);

	link->ifi_index = (int)index;
	return netlink_finish(netlink, NULL, NULL);
}

static void put_inet_conf(struct nlmsghdr *message, uint16_t number, uint32_t value)
{
	struct nlattr *spec = mnl_attr_nest_start(message, IFLA_AF_SPEC);
	struct nlattr *family = mnl_attr_nest_start(message, AF_INET);
	struct nlattr *conf = mnl_attr_nest_start(message, IFLA_INET_CONF);

	mnl_attr_put_u32(message, number, value);
	mnl_attr_nest_end(message, conf);
	mnl_attr_nest_end(message, family);
	mnl_attr_nest_end(message, spec);
}

static void put_addr_gen_mode(struct nlmsghdr *message, uint8_t mode)
{
	struct nlattr *spec = mnl_attr_nest_start(message, IFLA_AF_SPEC);
	struct nlattr *family = mnl_attr_nest_start(message, AF_INET6);

	mnl_attr_put_u8(message, IFLA_INET6_ADDR_GEN_MODE, mode);
	mnl_attr_nest_end(message, family);
	mnl_attr_nest_end(message, spec);
}

int netlink_link_change(struct netlink *netlink, uint32_t index, enum netlink_link_setting setting, uint32_t value)
{
	struct nlmsghdr *message = netlink_begin(netlink, RTM_NEWLINK, 0);
	struct ifinfomsg *head = mnl_nlmsg_put_extra_header(message, sizeof *head);

	head->ifi_index = (int)index;
	switch (setting) {
	case NETLINK_LINK_ADDR_GEN_MODE:
		put_addr_gen_mode(message, (uint8_t)value);
		break;
	case NETLINK_LINK_SEND_REDIRECTS:
		put_inet_conf(message, IPV4_DEVCONF_SEND_REDIRECTS, value);
		break;
	case NETLINK_LINK_PROMOTE_SECONDARIES:
		put_inet_conf(message, IPV4_DEVCONF_PROMOTE_SECONDARIES, value);
		break;
	case NETLINK_LINK_MULTICAST:
		head->ifi_change = IFF_MULTICAST;
		head->ifi_flags = value ? IFF_MULTICAST : 0;
		break;
	case NETLINK_LINK_CARRIER:
		mnl_attr_put_u8(message, IFLA_CARRIER, (uint8_t)value);
		break;
	case NETLINK_LINK_QUEUE:
		mnl_attr_put_u32(message, IFLA_TXQLEN, TUN_QUEUE);
		break;
	case NETLINK_LINK_MTU:
		mnl_attr_put_u32(message, IFLA_MTU, value);
		break;
	case NETLINK_LINK_UP:
		head->ifi_change = IFF_UP;
		head->ifi_flags = value ? IFF_UP : 0;
		break;
	}
	return netlink_finish(netlink, NULL, NULL);
}

/* --- addresses ----- */

struct address_dump {
	uint8_t family;
	uint32_t index;
	void (*handle)(void *context, const struct netlink_address_entry *entry);
	void *context;
};

/* IFA_ADDRESS is the other end of a point-to-point address; then IFA_LOCAL is ours. */
static void dump_address(void *context, const struct nlmsghdr *message)
{
	const struct ifaddrmsg *head = mnl_nlmsg_get_payload(message);
	const struct address_dump *dump = context;
	struct netlink_address_entry entry = { .prefix = { .family = dump->family } };
	const struct nlattr *attribute, *local = NULL;

	if (message->nlmsg_type != RTM_NEWADDR || head->ifa_family != dump->family || head->ifa_index != dump->index)
		return;
	entry.prefix.length = head->ifa_prefixlen;
	entry.tentative = head->ifa_flags & IFA_F_TENTATIVE;
	entry.expiring = head->ifa_flags & IFA_F_DEPRECATED || !(head->ifa_flags & IFA_F_PERMANENT);
	mnl_attr_for_each(attribute, message, sizeof *head)
	{
		if (mnl_attr_get_type(attribute) == IFA_LOCAL)
			local = attribute;
		else if (mnl_attr_get_type(attribute) == IFA_ADDRESS)
			netlink_get_address(attribute, &entry.prefix);
		else if (mnl_attr_get_type(attribute) == ADDRESS_PROTOCOL && mnl_attr_get_payload_len(attribute) >= 1)
			entry.protocol = mnl_attr_get_u8(attribute);
	}
	if (local)
		netlink_get_address(local, &entry.prefix);
	dump->handle(dump->context, &entry);
}

/* -ENOENT: the kernel has no such table. -EOPNOTSUPP and -EAFNOSUPPORT: it has no such family. */
static int empty_if_unknown(int status)
{
	return status == -ENOENT || status == -EOPNOTSUPP || status == -EAFNOSUPPORT ? 0 : status;
}

int netlink_dump_addresses(struct netlink *netlink, uint8_t family, uint32_t index,
						   void (*handle)(void *context, const struct netlink_address_entry *entry), void *context)
{
	struct address_dump dump = { family, index, handle, context };
	struct nlmsghdr *message = netlink_begin(netlink, RTM_GETADDR, NLM_F_DUMP);
	struct ifaddrmsg *head = mnl_nlmsg_put_extra_header(message, sizeof *head);

	head->ifa_family = family;
	head->ifa_index = index;
	return empty_if_unknown(netlink_finish(netlink, dump_address, &dump));
}

int netlink_change_address(struct netlink *netlink, enum netlink_address_verb verb, uint32_t index,
						   const struct ip_prefix *address)
{
	static const uint16_t flags[] = {
		[NETLINK_ADDRESS_ADD] = NLM_F_CREATE | NLM_F_EXCL,
		[NETLINK_ADDRESS_REPLACE] = NLM_F_CREATE | NLM_F_REPLACE,
		[NETLINK_ADDRESS_DELETE] = 0,
	};
	bool add = verb != NETLINK_ADDRESS_DELETE;
	struct nlmsghdr *message = netlink_begin(netlink, add ? RTM_NEWADDR : RTM_DELADDR, flags[verb]);
	struct ifaddrmsg *head = mnl_nlmsg_put_extra_header(message, sizeof *head);

	head->ifa_family = address->family;
	head->ifa_prefixlen = address->length;
	head->ifa_scope = RT_SCOPE_UNIVERSE;
	head->ifa_index = index;
	netlink_put_address(message, IFA_LOCAL, address);
	netlink_put_address(message, IFA_ADDRESS, address);
	if (add)
		mnl_attr_put_u8(message, ADDRESS_PROTOCOL, NETLINK_PROTOCOL_ADIT);
	return netlink_finish(netlink, NULL, NULL);
}

/* --- routes ----- */

void netlink_read_route(const struct nlmsghdr *message, struct netlink_route_entry *entry)
{
	const struct rtmsg *head = mnl_nlmsg_get_payload(message);
	const struct nlattr *attribute;

	*entry = (struct netlink_route_entry) {
		.to = { .family = head->rtm_family, .length = head->rtm_dst_len },
		.table = head->rtm_table,
		.protocol = head->rtm_protocol,
		.type = head->rtm_type,
		.partial = head->rtm_tos || head->rtm_src_len,
	};
	mnl_attr_for_each(attribute, message, sizeof *head)
	{
		switch (mnl_attr_get_type(attribute)) {
		case RTA_DST:
			netlink_get_address(attribute, &entry->to);
			break;
		case RTA_TABLE:
			entry->table = netlink_get_u32(attribute);
			break;
		case RTA_OIF:
			entry->index = netlink_get_u32(attribute);
			break;
		case RTA_PRIORITY:
			entry->metric = netlink_get_u32(attribute);
			break;
		case RTA_METRICS:
			entry->mtu = netlink_get_mtu(attribute);
			break;
		}
	}
}

static void take_matching_route(void *context, const struct nlmsghdr *message)
{
	if (message->nlmsg_type == RTM_NEWROUTE)
		netlink_read_route(message, context);
}

int netlink_match_route(struct netlink *netlink, const struct ip_prefix *to, struct netlink_route_entry *entry)
{
	struct nlmsghdr *message = netlink_begin_lookup(netlink, to, 0);
	struct rtmsg *head = mnl_nlmsg_get_payload(message);

	*entry = (struct netlink_route_entry) { 0 };
	head->rtm_flags = RTM_F_FIB_MATCH;
	if (to->family == AF_INET) /* IPv6 always reports the table, and refuses the flag */
		head->rtm_flags |= RTM_F_LOOKUP_TABLE;
	return netlink_finish(netlink, take_matching_route, entry);
}

static void take_source(void *context, const struct nlmsghdr *message)
{
	const struct rtmsg *head = mnl_nlmsg_get_payload(message);
	const struct nlattr *attribute;
	struct ip_prefix *source = context;

	if (message->nlmsg_type != RTM_NEWROUTE)
		return;
	mnl_attr_for_each(attribute, message, sizeof *head)
	{
		if (mnl_attr_get_type(attribute) != RTA_PREFSRC)
			continue;
		source->family = head->rtm_family;
		netlink_get_address(attribute, source);
	}
}

int netlink_route_source(struct netlink *netlink, const struct ip_prefix *to, struct ip_prefix *source)
{
	*source = (struct ip_prefix) { 0 };
	netlink_begin_lookup(netlink, to, 0);
	return netlink_finish(netlink, take_source, source);
}

struct route_dump {
	const struct netlink_route_filter *filter;
	void (*handle)(void *context, const struct netlink_route_entry *entry);
	void *context;
};

/* Before Linux 4.20 the kernel does not filter, and it sends the cached routes of IPv6 too. */
static void dump_route(void *context, const struct nlmsghdr *message)
{
	const struct rtmsg *head = mnl_nlmsg_get_payload(message);
	const struct route_dump *dump = context;
	const struct netlink_route_filter *filter = dump->filter;
	struct netlink_route_entry entry;

	if (message->nlmsg_type != RTM_NEWROUTE || head->rtm_family != filter->family || head->rtm_flags & RTM_F_CLONED)
		return;
	netlink_read_route(message, &entry);
	if (filter->index && filter->index != entry.index && !(filter->or_no_device && !entry.index))
		return;
	if ((!filter->table || filter->table == entry.table) && (!filter->protocol || filter->protocol == entry.protocol) &&
		(!filter->type || filter->type == entry.type))
		dump->handle(dump->context, &entry);
}

static void put_route_filter(struct netlink *netlink, const struct netlink_route_filter *filter)
{
	struct nlmsghdr *message = netlink_begin(netlink, RTM_GETROUTE, NLM_F_DUMP);
	struct rtmsg *head = mnl_nlmsg_put_extra_header(message, sizeof *head);

	head->rtm_family = filter->family;
	head->rtm_protocol = filter->protocol;
	head->rtm_type = filter->type;
	if (filter->table)
		mnl_attr_put_u32(message, RTA_TABLE, filter->table);
	if (filter->index)
		mnl_attr_put_u32(message, RTA_OIF, filter->index);
}

int netlink_dump_routes(struct netlink *netlink, const struct netlink_route_filter *filter,
						void (*handle)(void *context, const struct netlink_route_entry *entry), void *context)
{
	struct route_dump dump = { filter, handle, context };

	put_route_filter(netlink, filter);
	return empty_if_unknown(netlink_finish(netlink, dump_route, &dump));
}

int netlink_begin_route_dump(struct netlink *netlink, const struct netlink_route_filter *filter)
{
	put_route_filter(netlink, filter);
	return netlink_send(netlink);
}

int netlink_read_route_dump(struct netlink *netlink, const struct netlink_route_filter *filter,
							void (*handle)(void *context, const struct netlink_route_entry *entry), void *context)
{
	struct route_dump dump = { filter, handle, context };

	return empty_if_unknown(netlink_read_part(netlink, dump_route, &dump));
}

int netlink_fd(const struct netlink *netlink)
{
	return mnl_socket_get_fd(netlink->socket);
}

static void put_change(struct nlmsghdr *message, const struct netlink_route_change *change)
{
	struct rtmsg *head = mnl_nlmsg_put_extra_header(message, sizeof *head);

	head->rtm_family = change->to.family;
	head->rtm_dst_len = change->to.length;
	head->rtm_protocol = NETLINK_PROTOCOL_ADIT;
	head->rtm_type = change->type;
	/* IPv6 routes have no scope. */
	head->rtm_scope = change->to.family == AF_INET && change->type == RTN_UNICAST ? RT_SCOPE_LINK : RT_SCOPE_UNIVERSE;
	netlink_put_address(message, RTA_DST, &change->to);
	mnl_attr_put_u32(message, RTA_TABLE, change->table ? change->table : RT_TABLE_MAIN);
	if (change->index)
		mnl_attr_put_u32(message, RTA_OIF, change->index);
	if (change->metric)
		mnl_attr_put_u32(message, RTA_PRIORITY, change->metric);
	if (change->source)
		netlink_put_address(message, RTA_PREFSRC, change->source);
}

void netlink_change_routes(struct netlink *netlink, enum netlink_route_verb verb,
						   const struct netlink_route_change *changes, size_t count, int *status)
{
	static const uint16_t flags[] = {
		[NETLINK_ROUTE_ADD] = NLM_F_CREATE | NLM_F_EXCL,
		[NETLINK_ROUTE_PREPEND] = NLM_F_CREATE,
		[NETLINK_ROUTE_DELETE] = 0,
	};
	uint16_t type = verb == NETLINK_ROUTE_DELETE ? RTM_DELROUTE : RTM_NEWROUTE;

	for (size_t done = 0; done < count;) {
		struct nlmsghdr *message = netlink_begin(netlink, type, flags[verb]);
		size_t begun = 0;

		while (message) {
			put_change(message, &changes[done + begun++]);
			message = done + begun < count ? netlink_begin_another(netlink, type, flags[verb]) : NULL;
		}
		netlink_finish_all(netlink, status + done, begun);
		done += begun;
	}
}

/* --- rules ----- */

struct rule_dump {
	void (*handle)(void *context, const struct netlink_rule_entry *entry);
	void *context;
};

static void dump_rule(void *context, const struct nlmsghdr *message)
{
	const struct fib_rule_hdr *head = mnl_nlmsg_get_payload(message);
	const struct rule_dump *dump = context;
	const struct nlattr *attribute;
	struct netlink_rule_entry entry;
	bool simple;

	if (message->nlmsg_type != RTM_NEWRULE)
		return;
	simple = !head->src_len && !head->dst_len && !head->tos && !(head->flags & ~(uint32_t)FIB_RULE_INVERT);
	entry = (struct netlink_rule_entry) {
		.family = head->family,
		.inverted = head->flags & FIB_RULE_INVERT,
		.suppress = NETLINK_NOT_SUPPRESSED,
		.table = head->table,
	};
	mnl_attr_for_each(attribute, message, sizeof *head)
	{
		uint32_t value = netlink_get_u32(attribute);

		switch (mnl_attr_get_type(attribute)) {
		case FRA_TABLE:
			entry.table = value;
			break;
		case FRA_PRIORITY:
			entry.preference = value;
			break;
		case FRA_FWMARK:
			entry.mark = value;
			break;
		case FRA_FWMASK:
			simple &= value == UINT32_MAX;
			break;
		case FRA_SUPPRESS_PREFIXLEN:
			entry.suppress = (int32_t)value;
			break;
		case FRA_PROTOCOL:
			entry.protocol = mnl_attr_get_payload_len(attribute) ? mnl_attr_get_u8(attribute) : 0;
			break;
		default: /* a condition that the entry cannot represent */
			simple = false;
		}
	}
	entry.plain = simple && head->action == FR_ACT_TO_TBL;
	entry.rejects = simple && head->action >= FR_ACT_BLACKHOLE && head->action <= FR_ACT_PROHIBIT;
	dump->handle(dump->context, &entry);
}

int netlink_dump_rules(struct netlink *netlink, uint8_t family,
					   void (*handle)(void *context, const struct netlink_rule_entry *entry), void *context)
{
	struct rule_dump dump = { handle, context };
	struct nlmsghdr *message = netlink_begin(netlink, RTM_GETRULE, NLM_F_DUMP);
	struct fib_rule_hdr *head = mnl_nlmsg_put_extra_header(message, sizeof *head);

	head->family = family;
	return empty_if_unknown(netlink_finish(netlink, dump_rule, &dump));
}

int netlink_change_rule(struct netlink *netlink, bool add, const struct netlink_rule_entry *rule)
{
	struct nlmsghdr *message = netlink_begin(netlink, add ? RTM_NEWRULE : RTM_DELRULE, add ? NLM_F_CREATE : 0);
	struct fib_rule_hdr *head = mnl_nlmsg_put_extra_header(message, sizeof *head);

	head->family = rule->family;
	head->action = FR_ACT_TO_TBL;
	head->flags = rule->inverted ? FIB_RULE_INVERT : 0;
	mnl_attr_put_u32(message, FRA_TABLE, rule->table);
	mnl_attr_put_u32(message, FRA_PRIORITY, rule->preference);
	mnl_attr_put_u8(message, FRA_PROTOCOL, rule->protocol);
	if (rule->mark) {
		mnl_attr_put_u32(message, FRA_FWMARK, rule->mark);
		mnl_attr_put_u32(message, FRA_FWMASK, UINT32_MAX);
	}
	if (rule->suppress != NETLINK_NOT_SUPPRESSED)
		mnl_attr_put_u32(message, FRA_SUPPRESS_PREFIXLEN, (uint32_t)rule->suppress);
	return netlink_finish(netlink, NULL, NULL);
}

uint32_t netlink_port(const struct netlink *netlink)
{
	return mnl_socket_get_portid(netlink->socket);
}
