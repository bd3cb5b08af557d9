/* SPDX-License-Identifier: MIT */
/* Endpoints: comparison and text. */
#include "io/endpoint.h"

#include <arpa/inet.h>
#include <net/if.h>
#include <stdio.h>
#include <string.h>

#include "io/netlink.h"

bool endpoint_equal(const struct endpoint *a, const struct endpoint *b)
{
	if (a->to.any.sa_family != b->to.any.sa_family)
		return false;
	switch (a->to.any.sa_family) {
	case AF_INET:
		return a->to.v4.sin_addr.s_addr == b->to.v4.sin_addr.s_addr && a->to.v4.sin_port == b->to.v4.sin_port &&
			   a->local.v4.ipi_spec_dst.s_addr == b->local.v4.ipi_spec_dst.s_addr &&
			   a->local.v4.ipi_ifindex == b->local.v4.ipi_ifindex;
	case AF_INET6:
		return IN6_ARE_ADDR_EQUAL(&a->to.v6.sin6_addr, &b->to.v6.sin6_addr) &&
			   a->to.v6.sin6_port == b->to.v6.sin6_port && a->to.v6.sin6_scope_id == b->to.v6.sin6_scope_id &&
			   IN6_ARE_ADDR_EQUAL(&a->local.v6.ipi6_addr, &b->local.v6.ipi6_addr) &&
			   a->local.v6.ipi6_ifindex == b->local.v6.ipi6_ifindex;
	default:
		return true;
	}
}

bool endpoint_local_known(const struct endpoint *endpoint)
{
	switch (endpoint->to.any.sa_family) {
	case AF_INET:
		return endpoint->local.v4.ipi_spec_dst.s_addr != htonl(INADDR_ANY);
	case AF_INET6:
		return !IN6_IS_ADDR_UNSPECIFIED(&endpoint->local.v6.ipi6_addr);
	default:
		return false;
	}
}

void endpoint_clear_local(struct endpoint *endpoint)
{
	memset(&endpoint->local, 0, sizeof endpoint->local);
	endpoint->pinned = false;
}

bool endpoint_same_remote(const struct endpoint *a, const struct endpoint *b)
{
	struct endpoint remote_a = *a, remote_b = *b;

	endpoint_clear_local(&remote_a);
	endpoint_clear_local(&remote_b);
	return endpoint_equal(&remote_a, &remote_b);
}

bool endpoint_is_own(const struct endpoint *endpoint)
{
	if (!endpoint_local_known(endpoint))
		return false;
	if (endpoint->to.any.sa_family == AF_INET)
		return endpoint->to.v4.sin_addr.s_addr == endpoint->local.v4.ipi_spec_dst.s_addr;
	return IN6_ARE_ADDR_EQUAL(&endpoint->to.v6.sin6_addr, &endpoint->local.v6.ipi6_addr);
}

bool endpoint_unspecified(const struct endpoint *endpoint)
{
	switch (endpoint->to.any.sa_family) {
	case AF_INET:
		return endpoint->to.v4.sin_addr.s_addr == htonl(INADDR_ANY);
	case AF_INET6:
		return IN6_IS_ADDR_UNSPECIFIED(&endpoint->to.v6.sin6_addr);
	default:
		return true;
	}
}

bool endpoint_address(const struct endpoint *endpoint, struct ip_prefix *address)
{
	*address = (struct ip_prefix) { .family = (uint8_t)endpoint->to.any.sa_family };
	switch (address->family) {
	case AF_INET:
		address->length = 32;
		memcpy(address->address, &endpoint->to.v4.sin_addr, 4);
		return true;
	case AF_INET6:
		address->length = 128;
		memcpy(address->address, &endpoint->to.v6.sin6_addr, 16);
		return true;
	default:
		return false;
	}
}

in_port_t endpoint_get_port(const struct endpoint *endpoint)
{
	return endpoint->to.any.sa_family == AF_INET ? endpoint->to.v4.sin_port : endpoint->to.v6.sin6_port;
}

void endpoint_set_port(struct endpoint *endpoint, in_port_t port)
{
	if (endpoint->to.any.sa_family == AF_INET)
		endpoint->to.v4.sin_port = port;
	else if (endpoint->to.any.sa_family == AF_INET6)
		endpoint->to.v6.sin6_port = port;
}

void endpoint_unmap(struct endpoint *endpoint)
{
	struct sockaddr_in v4 = { .sin_family = AF_INET, .sin_port = endpoint->to.v6.sin6_port };

	if (endpoint->to.any.sa_family != AF_INET6 || !IN6_IS_ADDR_V4MAPPED(&endpoint->to.v6.sin6_addr))
		return;
	memcpy(&v4.sin_addr, &endpoint->to.v6.sin6_addr.s6_addr[12], sizeof v4.sin_addr);
	*endpoint = (struct endpoint) { .to.v4 = v4 };
}

const char *endpoint_text(char text[ENDPOINT_TEXT], const struct endpoint *endpoint)
{
	char address[INET6_ADDRSTRLEN], name[IF_NAMESIZE], zone[IF_NAMESIZE + 1] = "";
	const struct sockaddr_in6 *v6 = &endpoint->to.v6;

	switch (endpoint->to.any.sa_family) {
	case AF_INET:
		inet_ntop(AF_INET, &endpoint->to.v4.sin_addr, address, sizeof address);
		snprintf(text, ENDPOINT_TEXT, "%s:%u", address, ntohs(endpoint->to.v4.sin_port));
		break;
	case AF_INET6:
		/* RFC 4007, section 11: address%zone. The zone is the interface's name, or its index if it is gone. */
		inet_ntop(AF_INET6, &v6->sin6_addr, address, sizeof address);
		if (v6->sin6_scope_id && if_indextoname(v6->sin6_scope_id, name))
			snprintf(zone, sizeof zone, "%%%s", name);
		else if (v6->sin6_scope_id)
			snprintf(zone, sizeof zone, "%%%u", v6->sin6_scope_id);
		snprintf(text, ENDPOINT_TEXT, "[%s%s]:%u", address, zone, ntohs(v6->sin6_port));
		break;
	default:
		snprintf(text, ENDPOINT_TEXT, "(none)");
	}
	return text;
}

size_t endpoint_bytes(uint8_t bytes[ENDPOINT_BYTES], const struct endpoint *endpoint)
{
	const struct sockaddr_in *v4 = &endpoint->to.v4;
	const struct sockaddr_in6 *v6 = &endpoint->to.v6;

	switch (endpoint->to.any.sa_family) {
	case AF_INET:
		memcpy(bytes, &v4->sin_addr, sizeof v4->sin_addr);
		memcpy(bytes + sizeof v4->sin_addr, &v4->sin_port, sizeof v4->sin_port);
		return sizeof v4->sin_addr + sizeof v4->sin_port;
	case AF_INET6:
		memcpy(bytes, &v6->sin6_addr, sizeof v6->sin6_addr);
		memcpy(bytes + sizeof v6->sin6_addr, &v6->sin6_port, sizeof v6->sin6_port);
		return sizeof v6->sin6_addr + sizeof v6->sin6_port;
	default:
		return 0;
	}
}
