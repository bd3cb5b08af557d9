/* SPDX-License-Identifier: MIT */
/* The resolver: runs getaddrinfo(3) in a thread, so that the event loop never blocks on a name lookup. */
#ifndef ADIT_IO_RESOLVE_H
#define ADIT_IO_RESOLVE_H

#include <stdint.h>

#include "io/host_port.h"

struct resolver;

enum {
	RESOLVER_QUEUE = 64, /* maximum of queries in progress and answers not yet taken */
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

#endif
