/* SPDX-License-Identifier: MIT */
/*
 * The name table: the peers whose endpoint is a host name or an address with an interface, and the state of each name.
 *
 * The table decides when a name is looked up and how the answer is used. It opens no sockets, reads no clock and sets
 * no timers: names.h provides those.
 */
#ifndef ADIT_DAEMON_NAME_TABLE_H
#define ADIT_DAEMON_NAME_TABLE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/heap.h"
#include "base/list.h"
#include "base/log.h"
#include "base/map.h"
#include "base/token_bucket.h"
#include "config/config.h"
#include "daemon/resolver.h"
#include "tunnel/device.h"

/* All times are ns of CLOCK_BOOTTIME. */
#define NAME_RETRY_MIN (1 * NS_PER_S)      /* after the first failure; doubles with each further one */
#define NAME_RETRY_MAX (60 * NS_PER_S)     /* both have up to a quarter of jitter added */
#define NAME_REFRESH_MIN (10 * NS_PER_S)   /* a younger answer is not refreshed */
#define NAME_GRACE (50 * NS_PER_MS)        /* time for the other family after the first address: RFC 8305, section 3 */
#define NAME_SLOW (250 * NS_PER_MS)        /* a name without an answer for this long no longer delays others */
#define NAME_EVENT_DELAY (100 * NS_PER_MS) /* from a change of the host's addresses or routes to the next lookup */

enum {
	NAME_FAST_MAX = 48,      /* lookups in flight, not counting slow ones; many forwarders accept 150 queries at once */
	NAME_QUERYING_MAX = 512, /* the same, with the slow ones */
};

/* Services that the owner of the table provides; tests provide their own. */
struct name_table_ops {
	/* Starts a query for the addresses in `family`. The answer arrives later, by name_table_answer. NULL: no memory. */
	struct resolver_query *(*lookup)(void *context, const char *host, int family, void *name);
	void (*abandon)(void *context, struct resolver_query *query);
	/* Returns a number that changes when the hosts file does. */
	uint64_t (*hosts_version)(void *context);
	/* Calls `handle` for each pair of name and address in the hosts file. */
	void (*read_hosts)(void *context, void (*handle)(void *to, const char *host, const struct endpoint *address),
					   void *to);
	/* Reports whether the host has a route to `to` outside of the tunnel. */
	bool (*reachable)(void *context, const struct endpoint *to);
	/* Reports whether the host has an IPv6 address outside of the tunnel. */
	bool (*has_ipv6)(void *context);
};

struct name_table {
	struct device *device;
	const struct name_table_ops *ops;
	void *context;
	struct list names;
	struct list queue; /* names that wait for a lookup, oldest first */
	struct map by_key, by_host;
	struct heap due;
	size_t count;
	unsigned querying, fast;    /* names with queries in flight; those of them that are not slow */
	size_t untried;             /* names without an answer or a failure so far */
	struct token_bucket events; /* limits how often changes of the host reset the back-off */
	struct log_limit log;
};

/* Prepares an empty table. Keeps `ops`. Returns 0 or -ENOMEM. */
int name_table_init(struct name_table *table, struct device *device, const struct name_table_ops *ops, void *context);
/* Abandons all queries and frees all names. Accepts a zeroed struct. */
void name_table_destroy(struct name_table *table);

/*
 * Reports whether the endpoint of the peer in the configuration must be looked up: it is a name, or an address with the
 * name of an interface.
 */
bool name_table_wants(const struct config_peer *peer);
/*
 * Loads the names of `config`: looks up new names, drops names that `config` does not contain, and keeps the state of
 * the others. If the control socket had set the endpoint of a peer, its name determines it again. Returns 0, or -ENOMEM
 * and changes nothing.
 */
int name_table_load(struct name_table *table, const struct config *config, uint64_t now);

/* Handles the answer to a query; `context` is the `name` that was passed to `lookup`. */
void name_table_answer(struct name_table *table, void *context, const struct resolver_answer *answer, uint64_t now);

/* Looks up the name of a peer that does not answer again, and moves the peer to its next address. */
void name_table_peer_silent(struct name_table *table, struct peer *peer, uint64_t now);
/* Call it when the control socket has set the endpoint of a peer: until the next load, its name does not move it. */
void name_table_peer_set(struct name_table *table, struct peer *peer);
/*
 * Addresses, routes, resolv.conf or the hosts file have changed, so names that failed before may resolve now: their
 * back-off ends. Returns false if no name waits, or if the host changes so often that this change is ignored.
 */
bool name_table_host_changed(struct name_table *table, uint64_t now);

/*
 * Reports whether a name determines the endpoint of the peer: the control socket has not set another one, or has set an
 * address of the name.
 */
bool name_table_follows(const struct name_table *table, struct peer *peer);

/*
 * Describes the lookup of the name of a peer without an endpoint. Returns false if no name determines the endpoint.
 */
bool name_table_describe(const struct name_table *table, const struct peer *peer, char *text, size_t size);

/* Handles all deadlines up to `now`. */
void name_table_run(struct name_table *table, uint64_t now);
/* Returns when name_table_run must be called next; 0: not before the next event. */
uint64_t name_table_next(const struct name_table *table);
/* Reports whether a query has been in flight for longer than NAME_SLOW. */
static inline bool name_table_has_slow(const struct name_table *table)
{
	return table->querying > table->fast;
}
/* Reports whether each name has had an answer or a failure since it was loaded. */
static inline bool name_table_all_tried(const struct name_table *table)
{
	return !table->untried;
}

#endif
