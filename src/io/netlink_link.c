/* SPDX-License-Identifier: MIT */
/* Links and addresses by rtnetlink. */
#include <errno.h>
#include <linux/if_addr.h>
#include <linux/rtnetlink.h>
#include <net/if.h>

#include "netlink_request.h"

int netlink_link_set(struct netlink *netlink, uint32_t index, uint32_t mtu, bool up)
{
	struct nlmsghdr *message = netlink_begin(netlink, RTM_NEWLINK, 0);
	struct ifinfomsg *link = mnl_nlmsg_put_extra_header(message, sizeof *link);

	link->ifi_index = (int)index;
	link->ifi_change = IFF_UP;
	link->ifi_flags = up ? IFF_UP : 0;
	if (mtu)
		mnl_attr_put_u32(message, IFLA_MTU, mtu);
	return netlink_finish(netlink, NULL, NULL);
}

static void take_mtu(void *context, const struct nlmsghdr *message)
{
	const struct nlattr *attribute;
	uint32_t *mtu = context;

	mnl_attr_for_each(attribute, message, sizeof(struct ifinfomsg))
	{
		if (mnl_attr_get_type(attribute) == IFLA_MTU)
			*mtu = netlink_get_u32(attribute);
	}
}

int netlink_link_mtu(struct netlink *netlink, uint32_t index, uint32_t *mtu)
{
	struct nlmsghdr *message = netlink_begin(netlink, RTM_GETLINK, 0);
	struct ifinfomsg *link = mnl_nlmsg_put_extra_header(message, sizeof *link);

	link->ifi_index = (int)index;
	*mtu = 0;
	return netlink_finish(netlink, take_mtu, mtu);
}

static int request_address(struct netlink *netlink, uint16_t type, uint16_t flags, uint32_t index,
						   const struct ip_prefix *address)
{
	struct nlmsghdr *message = netlink_begin(netlink, type, flags);
	struct ifaddrmsg *head = mnl_nlmsg_put_extra_header(message, sizeof *head);

	head->ifa_family = address->family;
	head->ifa_prefixlen = address->length;
	head->ifa_scope = RT_SCOPE_UNIVERSE;
	head->ifa_index = index;
	netlink_put_address(message, IFA_LOCAL, address);
	netlink_put_address(message, IFA_ADDRESS, address);
	return netlink_finish(netlink, NULL, NULL);
}

int netlink_address_add(struct netlink *netlink, uint32_t index, const struct ip_prefix *address)
{
	return request_address(netlink, RTM_NEWADDR, NLM_F_CREATE | NLM_F_EXCL, index, address);
}

int netlink_address_del(struct netlink *netlink, uint32_t index, const struct ip_prefix *address)
{
	return request_address(netlink, RTM_DELADDR, 0, index, address);
}

struct address_visit {
	uint32_t index;
	uint8_t family;
	void (*handle)(void *context, const struct ip_prefix *address);
	void *context;
};

/*
 * IFA_LOCAL is our own address. IFA_ADDRESS is the remote end of a point-to-point link, or our own address if there is
 * no remote end; IPv6 omits IFA_LOCAL then.
 */
static void visit_address(void *context, const struct nlmsghdr *message)
{
	const struct ifaddrmsg *head = mnl_nlmsg_get_payload(message);
	const struct address_visit *visit = context;
	struct ip_prefix address = { .family = visit->family };
	const struct nlattr *attribute, *local = NULL;

	if (message->nlmsg_type != RTM_NEWADDR || head->ifa_family != visit->family || head->ifa_index != visit->index)
		return;
	address.length = head->ifa_prefixlen;
	mnl_attr_for_each(attribute, message, sizeof *head)
	{
		if (mnl_attr_get_type(attribute) == IFA_LOCAL)
			local = attribute;
		else if (mnl_attr_get_type(attribute) == IFA_ADDRESS)
			netlink_get_address(attribute, &address);
	}
	if (local)
		netlink_get_address(local, &address);
	visit->handle(visit->context, &address);
}

int netlink_address_each(struct netlink *netlink, uint32_t index, uint8_t family,
						 void (*handle)(void *context, const struct ip_prefix *address), void *context)
{
	struct address_visit visit = { index, family, handle, context };
	struct nlmsghdr *message = netlink_begin(netlink, RTM_GETADDR, NLM_F_DUMP);
	struct ifaddrmsg *head = mnl_nlmsg_put_extra_header(message, sizeof *head);

	head->ifa_family = family;
	head->ifa_index = index;
	return netlink_finish(netlink, visit_address, &visit);
}
