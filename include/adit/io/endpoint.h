/* SPDX-License-Identifier: MIT */
/* Endpoints: a peer's address and port on the underlay, and the local address from which we send to it. */
#ifndef ADIT_IO_ENDPOINT_H
#define ADIT_IO_ENDPOINT_H

#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Zeroed memory is an unknown endpoint. */
struct endpoint {
	union {
		struct sockaddr any; /* sa_family is AF_UNSPEC if the endpoint is unknown */
		struct sockaddr_in v4;
		struct sockaddr_in6 v6;
	} to;
	union { /* the local address to which the peer sent last; zero: the routing table decides */
		struct in_pktinfo v4;
		struct in6_pktinfo v6;
	} local;
	bool pinned; /* IPv4: name the interface in `local` when sending, see udp_control.c; not compared */
};

static inline bool endpoint_known(const struct endpoint *endpoint)
{
	return endpoint->to.any.sa_family != AF_UNSPEC;
}

/* Compares address, port, scope and local address. */
bool endpoint_equal(const struct endpoint *a, const struct endpoint *b);
/* Returns true if the local address is set. An interface index without an address does not count. */
bool endpoint_local_known(const struct endpoint *endpoint);
void endpoint_clear_local(struct endpoint *endpoint);

/* Same address, port and scope; the local addresses may differ. */
bool endpoint_same_remote(const struct endpoint *a, const struct endpoint *b);
/* Both addresses are the same, so this host is there. False if the local address is not known. */
bool endpoint_is_own(const struct endpoint *endpoint);
/* In network order. */
in_port_t endpoint_get_port(const struct endpoint *endpoint);
/* True for 0.0.0.0, :: and an unknown endpoint. */
bool endpoint_unspecified(const struct endpoint *endpoint);
struct ip_prefix;
/* Stores the address as a prefix of full length. Returns false if the endpoint is unknown. */
bool endpoint_address(const struct endpoint *endpoint, struct ip_prefix *address);
/* Sets the port, in network order. */
void endpoint_set_port(struct endpoint *endpoint, in_port_t port);
/* Turns an IPv4-mapped IPv6 address (RFC 4291, section 2.5.5.2) into the IPv4 address. Only IPv4 sockets send to it. */
void endpoint_unmap(struct endpoint *endpoint);

enum { ENDPOINT_TEXT = 80, ENDPOINT_BYTES = 18 };
/*
 * Writes "192.0.2.1:51820", "[2001:db8::1]:51820", "[fe80::1%eth0]:51820" or, for an unknown endpoint, "(none)".
 * Returns `text`.
 */
const char *endpoint_text(char text[ENDPOINT_TEXT], const struct endpoint *endpoint);
/*
 * Writes the address (4 or 16 bytes) and the port, both in network byte order: the form that cookies cover. Returns the
 * length, 0 for an unknown endpoint.
 */
size_t endpoint_bytes(uint8_t bytes[ENDPOINT_BYTES], const struct endpoint *endpoint);

#endif
