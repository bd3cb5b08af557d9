/* SPDX-License-Identifier: MIT */
/*
 * The resolver: asks the DNS servers of resolv.conf(5) for addresses, by c-ares(3) on the libev loop.
 *
 * Its sockets carry the firewall mark of the tunnel, so that questions never enter the tunnel that they are meant to
 * bring up. It has no sockets and no timer while it has no questions.
 */
#ifndef ADIT_DAEMON_RESOLVER_H
#define ADIT_DAEMON_RESOLVER_H

#include <ev.h>
#include <stdint.h>

#include "io/host_port.h"

enum { RESOLVER_ADDRESSES = 4 }; /* more addresses of one answer are ignored */

struct resolver;
struct resolver_question;

/* The addresses of one family, in the order of the server and with port 0, or the reason why there are none. */
struct resolver_answer {
	int family;
	const char *failure; /* NULL: none. In plain English, for the log */
	unsigned count;
	struct endpoint addresses[RESOLVER_ADDRESSES];
};

struct resolver_options {
	const char *path;     /* of resolv.conf */
	const char *upstream; /* the same for the servers behind the stub of systemd-resolved; see resolver.c */
	const char *log_name; /* the subject of log lines */
	const uint32_t *mark; /* the firewall mark for new sockets; 0: none */
	/* Receives the answer to each question. Never called from within resolver_ask. */
	void (*answered)(void *context, void *asker, const struct resolver_answer *answer);
	void *context;
};

/* Keeps `options`, whose pointers must stay valid. Returns NULL and sets errno on failure. */
struct resolver *resolver_create(struct ev_loop *loop, const struct resolver_options *options);
/* Drops all questions without an answer. Accepts NULL. */
void resolver_destroy(struct resolver *resolver);

/*
 * Asks for the addresses of `host` in `family`, AF_INET or AF_INET6. A resolv.conf that has changed is read first, and
 * all questions in flight are asked again with it. The answer carries `asker`. The question is freed after its
 * answer. Returns NULL without memory.
 */
struct resolver_question *resolver_ask(struct resolver *resolver, const char *host, int family, void *asker);
/*
 * Asks all questions in flight again, by new sockets: a socket keeps the source address and the route that it had when
 * it was opened.
 */
void resolver_restart(struct resolver *resolver);
/* The same if resolv.conf or the mark has changed since the last question. */
void resolver_refresh(struct resolver *resolver);
/* Drops the answer: the asker no longer exists. */
void resolver_abandon(struct resolver_question *question);

#endif
