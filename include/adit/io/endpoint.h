/* SPDX-License-Identifier: MIT */
/* Where a peer is on the internet, and from which of our own addresses we speak to it. */
#ifndef ADIT_IO_ENDPOINT_H
#define ADIT_IO_ENDPOINT_H

#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Zeroed memory is no endpoint. */
struct endpoint {
	union {
		struct sockaddr any; /* sa_family AF_UNSPEC: unknown */
		struct sockaddr_in v4;
		struct sockaddr_in6 v6;
	} to;
	union { /* our local address, the one that the peer sent to last; all zero: the route decides */
		struct in_pktinfo v4;
		struct in6_pktinfo v6;
	} local;
};

static inline bool endpoint_known(const struct endpoint *endpoint)
{
	return endpoint->to.any.sa_family != AF_UNSPEC;
}

/* Same address, port, scope and local address. */
bool endpoint_equal(const struct endpoint *a, const struct endpoint *b);
/* True when the local address is known; an interface index alone does not count. */
bool endpoint_local_known(const struct endpoint *endpoint);
void endpoint_clear_local(struct endpoint *endpoint);

enum { ENDPOINT_TEXT = 80, ENDPOINT_BYTES = 18 };
/* "192.0.2.1:51820", "[2001:db8::1]:51820" or, with its scope, "[fe80::1%eth0]:51820"; "(none)". Returns `text`. */
const char *endpoint_text(char text[ENDPOINT_TEXT], const struct endpoint *endpoint);
/*
 * Address and port in a fixed form, for a cookie: the 4 or 16 bytes of the address, then the port, both in network
 * order. Returns the length; 0 when the endpoint is unknown.
 */
size_t endpoint_bytes(uint8_t bytes[ENDPOINT_BYTES], const struct endpoint *endpoint);

#endif
