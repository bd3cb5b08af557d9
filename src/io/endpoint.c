/* SPDX-License-Identifier: MIT */
/* Endpoints: comparison and text. */
#include "io/endpoint.h"

#include <arpa/inet.h>
#include <net/if.h>
#include <stdio.h>
#include <string.h>

static bool equal_v4(const struct endpoint *a, const struct endpoint *b)
{
	return a->to.v4.sin_addr.s_addr == b->to.v4.sin_addr.s_addr && a->to.v4.sin_port == b->to.v4.sin_port &&
		   a->local.v4.ipi_spec_dst.s_addr == b->local.v4.ipi_spec_dst.s_addr &&
		   a->local.v4.ipi_ifindex == b->local.v4.ipi_ifindex;
}

static bool equal_v6(const struct endpoint *a, const struct endpoint *b)
{
	return IN6_ARE_ADDR_EQUAL(&a->to.v6.sin6_addr, &b->to.v6.sin6_addr) && a->to.v6.sin6_port == b->to.v6.sin6_port &&
		   a->to.v6.sin6_scope_id == b->to.v6.sin6_scope_id &&
		   IN6_ARE_ADDR_EQUAL(&a->local.v6.ipi6_addr, &b->local.v6.ipi6_addr) &&
		   a->local.v6.ipi6_ifindex == b->local.v6.ipi6_ifindex;
}

bool endpoint_equal(const struct endpoint *a, const struct endpoint *b)
{
	if (a->to.any.sa_family != b->to.any.sa_family)
		return false;
	switch (a->to.any.sa_family) {
	case AF_INET:
		return equal_v4(a, b);
	case AF_INET6:
		return equal_v6(a, b);
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

static void text_v4(char text[ENDPOINT_TEXT], const struct sockaddr_in *to)
{
	char address[INET_ADDRSTRLEN];

	inet_ntop(AF_INET, &to->sin_addr, address, sizeof address);
	snprintf(text, ENDPOINT_TEXT, "%s:%u", address, ntohs(to->sin_port));
}

/* RFC 4007, section 11: address%zone. The zone is the interface's name, or its index if the interface is gone. */
static void text_v6(char text[ENDPOINT_TEXT], const struct sockaddr_in6 *to)
{
	char address[INET6_ADDRSTRLEN], name[IF_NAMESIZE], zone[IF_NAMESIZE + 1] = "";

	inet_ntop(AF_INET6, &to->sin6_addr, address, sizeof address);
	if (to->sin6_scope_id && if_indextoname(to->sin6_scope_id, name))
		snprintf(zone, sizeof zone, "%%%s", name);
	else if (to->sin6_scope_id)
		snprintf(zone, sizeof zone, "%%%u", to->sin6_scope_id);
	snprintf(text, ENDPOINT_TEXT, "[%s%s]:%u", address, zone, ntohs(to->sin6_port));
}

const char *endpoint_text(char text[ENDPOINT_TEXT], const struct endpoint *endpoint)
{
	switch (endpoint->to.any.sa_family) {
	case AF_INET:
		text_v4(text, &endpoint->to.v4);
		break;
	case AF_INET6:
		text_v6(text, &endpoint->to.v6);
		break;
	default:
		snprintf(text, ENDPOINT_TEXT, "(none)");
	}
	return text;
}

static size_t join_address_port(uint8_t *bytes, const void *address, size_t length, const in_port_t *port)
{
	memcpy(bytes, address, length);
	memcpy(bytes + length, port, sizeof *port);
	return length + sizeof *port;
}

size_t endpoint_bytes(uint8_t bytes[ENDPOINT_BYTES], const struct endpoint *endpoint)
{
	switch (endpoint->to.any.sa_family) {
	case AF_INET:
		return join_address_port(bytes, &endpoint->to.v4.sin_addr, sizeof endpoint->to.v4.sin_addr,
								 &endpoint->to.v4.sin_port);
	case AF_INET6:
		return join_address_port(bytes, &endpoint->to.v6.sin6_addr, sizeof endpoint->to.v6.sin6_addr,
								 &endpoint->to.v6.sin6_port);
	default:
		return 0;
	}
}
