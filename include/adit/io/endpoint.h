/* Where a peer is on the internet, and from which of our own addresses we speak to it. */
#ifndef ADIT_ENDPOINT_H
#define ADIT_ENDPOINT_H

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
	union { /* the source that the peer spoke to last; all zero: leave it to the route */
		struct in_pktinfo v4;
		struct in6_pktinfo v6;
	} source;
};

static inline bool endpoint_known(const struct endpoint *endpoint)
{
	return endpoint->to.any.sa_family != AF_UNSPEC;
}

/* Same address, port, scope and source. */
bool endpoint_equal(const struct endpoint *a, const struct endpoint *b);
/* The source counts as known by its address; an interface index alone is none. */
bool endpoint_source_known(const struct endpoint *endpoint);
void endpoint_clear_source(struct endpoint *endpoint);

enum { ENDPOINT_TEXT = 80, ENDPOINT_BYTES = 18 };
/* "192.0.2.1:51820", "[2001:db8::1]:51820" or, with its scope, "[fe80::1%eth0]:51820"; "(none)". Returns `text`. */
const char *endpoint_text(char text[ENDPOINT_TEXT], const struct endpoint *endpoint);
/*
 * Address and port in a fixed form, for a cookie: the 4 or 16 bytes of the address, then the port, both in network
 * order. Returns the length; 0 when the endpoint is unknown.
 */
size_t endpoint_bytes(uint8_t bytes[ENDPOINT_BYTES], const struct endpoint *endpoint);

#endif
