/* SPDX-License-Identifier: MIT */
/*
 * Names to addresses without blocking: getaddrinfo(3) in a thread of its own, its answers fetched by the loop through a
 * descriptor.
 */
#ifndef ADIT_IO_RESOLVE_H
#define ADIT_IO_RESOLVE_H

#include <stdint.h>

#include "io/udp.h"

struct resolver;

enum {
	RESOLVER_QUEUE = 64, /* questions that may be under way, answers not yet taken among them */
	ENDPOINT_HOST = 256,
	ENDPOINT_PORT = 32,
};

/* NULL and errno on failure. The thread starts with the first question, so a configuration without names has none. */
struct resolver *resolver_create(void);
/* Waits for nothing: an answer still under way is dropped. Takes NULL. */
void resolver_destroy(struct resolver *resolver);

/* Readable when answers wait. */
int resolver_fd(const struct resolver *resolver);

/*
 * Asks for the first address of `host` and `port`; both are copied. `id` comes back with the answer, and answers come
 * in the order of the questions. 0; -EAGAIN when the queue is full or no thread is to be had: ask again later; -EINVAL
 * for a host or port that is too long.
 */
int resolver_ask(struct resolver *resolver, uint64_t id, const char *host, const char *port);

/*
 * Takes one answer: 1 with *id, and *error 0 and *endpoint (source unknown), or with *error (EAI_*) not 0 when the name
 * did not resolve, and *endpoint all zero. 0: none waits.
 */
int resolver_take(struct resolver *resolver, uint64_t *id, struct endpoint *endpoint, int *error);

/*
 * "host:port" or "[host]:port" cut in two, by the rules of wg(8): without brackets the last colon ends the host, so
 * "2001:db8::1:51820" is an address and a port. A port is 1 to 65535 in digits; names of services, which wg(8) leaves
 * to getaddrinfo(3), are refused, so that a slip shows when the file is read. 0, or -EINVAL when the text is no
 * endpoint.
 */
int endpoint_split(const char *text, char host[ENDPOINT_HOST], char port[ENDPOINT_PORT]);
/*
 * 0 when host is a numeric address, with a scope id perhaps ("fe80::1%eth0"), and port as endpoint_split wants it;
 * -EINVAL when it is a name, or the interface of the scope does not exist (yet): both may be asked of a resolver. Never
 * blocks.
 */
int endpoint_numeric(const char *host, const char *port, struct endpoint *endpoint);

#endif
