/* SPDX-License-Identifier: MIT */
/*
 * The resolver: queries the DNS servers of resolv.conf(5) for addresses, by c-ares(3) on the libev loop.
 *
 * The sockets have the firewall mark of the tunnel, so that queries never enter the tunnel whose endpoint they look up.
 * While no query is in flight, the resolver has no sockets and no timer.
 */
#ifndef ADIT_DAEMON_RESOLVER_H
#define ADIT_DAEMON_RESOLVER_H

#include <ev.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/stat.h>

#include "config/config.h"
#include "io/host_port.h"

#define RESOLV_CONF "/etc/resolv.conf"
/* The servers behind the stub of systemd-resolved. */
#define RESOLV_CONF_UPSTREAM "/run/systemd/resolve/resolv.conf"

enum { RESOLVER_ADDRESSES = 4 }; /* more addresses of one answer are ignored */

struct resolver;
struct resolver_query;

/* The addresses of one family, in the order of the server and with port 0, or the reason why there are none. */
struct resolver_answer {
	int family;
	const char *failure; /* NULL: none. In plain English, for the log */
	bool no_address;     /* the failure: the name exists, but has no address of this family */
	unsigned count;
	struct endpoint addresses[RESOLVER_ADDRESSES];
};

struct resolver_options {
	const char *path;     /* of resolv.conf */
	const char *upstream; /* resolv.conf of the servers behind the stub of systemd-resolved; see resolver.c */
	const char *log_name; /* the subject of log lines */
	const uint32_t *mark; /* the firewall mark for new sockets; 0: none */
	/*
	 * The servers that the tunnel itself has set, as text. They are not queried, because they may be reachable only
	 * through the tunnel that waits for the answer. If the file has no others, those that it had before are queried.
	 * NULL, or a pointer to NULL: none.
	 */
	const struct config_line *const *tunnel_servers;
	/* Receives the answer to each query. resolver_lookup never calls it directly. */
	void (*answered)(void *context, void *owner, const struct resolver_answer *answer);
	void *context;
};

/* Keeps `options`, whose pointers must stay valid. Returns NULL and sets errno on failure. */
struct resolver *resolver_create(struct ev_loop *loop, const struct resolver_options *options);
/* Drops all queries without an answer. Accepts NULL. */
void resolver_destroy(struct resolver *resolver);

/*
 * Starts a query for the addresses of `host` in `family`, AF_INET or AF_INET6. If resolv.conf has changed, it is read
 * first, and all queries in flight are repeated. `owner` is passed to `answered`. The query is freed after its answer.
 * Returns NULL if there is no memory.
 */
struct resolver_query *resolver_lookup(struct resolver *resolver, const char *host, int family, void *owner);
/*
 * Repeats all queries in flight on new sockets, because a socket keeps the source address and the route that it had
 * when it was opened.
 */
void resolver_restart(struct resolver *resolver);
/* Does what resolver_restart does, but only if resolv.conf or the mark has changed since the last query. */
void resolver_refresh(struct resolver *resolver);
/* Discards the answer when it arrives, because the owner no longer exists. */
void resolver_abandon(struct resolver_query *query);

/* Returns whether two results of stat(2) are about different files, or about different contents of one. */
bool file_differs(const struct stat *a, const struct stat *b);

#endif
