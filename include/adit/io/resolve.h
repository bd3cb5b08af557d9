/* SPDX-License-Identifier: MIT */
/* The resolver: runs getaddrinfo(3) in a thread, so that the event loop never blocks on a name lookup. */
#ifndef ADIT_IO_RESOLVE_H
#define ADIT_IO_RESOLVE_H

#include <stdint.h>

#include "io/udp.h"

struct resolver;

enum {
	RESOLVER_QUEUE = 64, /* maximum of queries in progress and answers not yet taken */
	ENDPOINT_HOST = 256,
	ENDPOINT_PORT = 32,
};

/* Returns NULL and sets errno on failure. The first query starts the thread. */
struct resolver *resolver_create(void);
/* Does not wait for a lookup in progress; its answer is dropped. Accepts NULL. */
void resolver_destroy(struct resolver *resolver);

/* Returns a descriptor that is readable while answers are pending. */
int resolver_fd(const struct resolver *resolver);

/*
 * Queues a query for the first address of `host` and `port`, which are copied. The answer carries `id`; answers arrive
 * in the order of the queries. Returns 0; -EAGAIN if the queue is full or a thread cannot be started, so try again
 * later; -EINVAL if the host or port is too long.
 */
int resolver_ask(struct resolver *resolver, uint64_t id, const char *host, const char *port);

/*
 * Takes one answer. Returns 1 and sets *id, *error and *endpoint, or returns 0 if there is none. *error is 0 or, if the
 * lookup failed, an EAI_* code; *endpoint is zero then. The endpoint's local address is unknown.
 */
int resolver_take(struct resolver *resolver, uint64_t *id, struct endpoint *endpoint, int *error);

/*
 * Splits "host:port" or "[host]:port" by the rules of wg(8): without brackets the last colon ends the host, so
 * "2001:db8::1:51820" is an address and a port. A port is a number from 1 to 65535. Service names, which wg(8) accepts,
 * are rejected, so that a typing error is found when the file is read. Returns 0, or -EINVAL if the text is not an
 * endpoint.
 */
int endpoint_split(const char *text, char host[ENDPOINT_HOST], char port[ENDPOINT_PORT]);
/*
 * Parses a numeric host, optionally with a scope ID ("fe80::1%eth0"), and a port as above. Never blocks. Returns 0, or
 * -EINVAL if the host is a name or its scope names an interface that does not exist. The resolver accepts both, and the
 * interface may exist later.
 */
int endpoint_numeric(const char *host, const char *port, struct endpoint *endpoint);

#endif
