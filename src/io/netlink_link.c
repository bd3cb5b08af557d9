/* SPDX-License-Identifier: MIT */
/* The MTU of a link by rtnetlink. */
#include <linux/rtnetlink.h>

#include "netlink_request.h"

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
