/* SPDX-License-Identifier: MIT */
/* Asks rtnetlink for the number of attached queues (Linux 4.17). */
#include "tun_queues.h"

#include <linux/if_link.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <string.h>

#include "netlink_request.h"

static void get_attribute(const struct nlattr *parent, uint16_t type, const struct nlattr **found)
{
	const struct nlattr *attribute;

	*found = NULL;
	if (!parent)
		return;
	mnl_attr_for_each_nested(attribute, parent)
	{
		if (mnl_attr_get_type(attribute) == type)
			*found = attribute;
	}
}

static void read_queues(void *context, const struct nlmsghdr *message)
{
	const struct nlattr *attribute, *info = NULL, *data, *number;

	if (message->nlmsg_type != RTM_NEWLINK)
		return;
	mnl_attr_for_each(attribute, message, sizeof(struct ifinfomsg))
	{
		if (mnl_attr_get_type(attribute) == IFLA_LINKINFO)
			info = attribute;
	}
	get_attribute(info, IFLA_INFO_DATA, &data);
	get_attribute(data, IFLA_TUN_NUM_QUEUES, &number);
	if (number)
		*(int *)context = (int)netlink_get_u32(number);
}

int tun_attached_queues(const char *name)
{
	struct netlink *netlink = netlink_open();
	struct nlmsghdr *message;
	struct ifinfomsg *link;
	int queues = 0;

	if (!netlink)
		return 0;
	message = netlink_begin(netlink, RTM_GETLINK, 0);
	link = mnl_nlmsg_put_extra_header(message, sizeof *link);
	memset(link, 0, sizeof *link);
	link->ifi_index = (int)if_nametoindex(name);
	if (link->ifi_index)
		netlink_finish(netlink, read_queues, &queues);
	netlink_close(netlink);
	return queues;
}
