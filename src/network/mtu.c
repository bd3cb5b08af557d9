/* SPDX-License-Identifier: MIT */
/* The MTU of a tunnel, from the routes to its peers. */
#include "mtu.h"

#include <errno.h>

enum {
	OVERHEAD = 80, /* outer IPv6 40, UDP 8, our header 16, tag 16 */
	MTU_MIN = 68,  /* RFC 791, and the smallest of a TUN */
	LOOPBACK = 1,  /* the index of lo in every network namespace */
};

/* Returns 0 and sets *mtu to 0 if the endpoint does not limit the MTU. */
static int endpoint_mtu(struct netlink *netlink, uint32_t mark, uint32_t own, const struct endpoint *endpoint,
						uint32_t *mtu)
{
	struct ip_prefix to;
	uint32_t index;

	*mtu = 0;
	if (!endpoint_address(endpoint, &to))
		return -EAFNOSUPPORT;
	if (to.family == AF_INET6 && endpoint->to.v6.sin6_scope_id)
		return netlink_link_mtu(netlink, endpoint->to.v6.sin6_scope_id, mtu);
	if (netlink_route_interface(netlink, &to, mark, &index) == 0 && index == LOOPBACK)
		return 0;
	return netlink_route_mtu(netlink, &to, mark, own, mtu);
}

uint32_t path_mtu(struct netlink *netlink, uint32_t mark, uint32_t own, const struct endpoint *endpoints, size_t count)
{
	const struct ip_prefix anywhere = { 0 };
	uint32_t smallest = 0, mtu;

	for (size_t i = 0; i < count; i++)
		if (endpoint_mtu(netlink, mark, own, &endpoints[i], &mtu) == 0 && mtu && (!smallest || mtu < smallest))
			smallest = mtu;
	if (!smallest && (netlink_route_mtu(netlink, &anywhere, mark, own, &smallest) < 0 || !smallest))
		return 0;
	return smallest < OVERHEAD + MTU_MIN ? MTU_MIN : smallest - OVERHEAD;
}
