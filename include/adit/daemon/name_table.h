/* SPDX-License-Identifier: MIT */
/*
 * The name table: the peers whose endpoint is a host name, and the state of each name.
 *
 * It decides when a name is looked up and what is done with the answer. It asks no server, reads no clock and has no
 * timer: names.h gives it those.
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
#define NAME_REFRESH_MIN (10 * NS_PER_S)   /* an answer younger than this is not asked for again */
#define NAME_GRACE (50 * NS_PER_MS)        /* time for the other family after the first address: RFC 8305, section 3 */
#define NAME_SLOW (250 * NS_PER_MS)        /* a question without an answer for so long no longer holds up others */
#define NAME_EVENT_DELAY (100 * NS_PER_MS) /* from a change of the host's addresses or routes to the next question */

enum {
	NAME_FAST_MAX = 48,    /* names that are asked at once, without the slow ones; many forwarders take 150 questions */
	NAME_ASKING_MAX = 512, /* with the slow ones */
};

/* Services that the owner of the table provides, or a test. */
struct name_table_ops {
	/* Asks for the addresses in `family`; the answer comes by name_table_answer, and not from within. NULL: cannot. */
	struct resolver_question *(*ask)(void *context, const char *host, int family, void *name);
	void (*abandon)(void *context, struct resolver_question *question);
	/* A number that changes with the hosts file. */
	uint64_t (*hosts_version)(void *context);
	/* Hands all pairs of the hosts file to `handle`. */
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
	struct list queue; /* names that wait to be asked, longest first */
	struct map by_key, by_host;
	struct heap due;
	size_t count;
	unsigned asking, fast;      /* names with questions in flight; those that are not slow */
	size_t unsettled;           /* names that have had neither an answer nor a failure yet */
	struct token_bucket events; /* limits how often changes of the host reset the back-off */
	struct log_limit log;
};

/* Prepares an empty table. Keeps `ops`. Returns 0 or -ENOMEM. */
int name_table_init(struct name_table *table, struct device *device, const struct name_table_ops *ops, void *context);
/* Abandons all questions. Accepts a zeroed struct. */
void name_table_destroy(struct name_table *table);

/*
 * Takes over the names of `config`: new names are looked up, names that it does not contain are dropped, and the other
 * names keep their state. A peer that was moved away by the control socket returns to its name. Returns 0, or -ENOMEM
 * and nothing has changed.
 */
int name_table_load(struct name_table *table, const struct config *config, uint64_t now);

/* Takes the answer to a question that was asked for `name`. */
void name_table_answer(struct name_table *table, void *name, const struct resolver_answer *answer, uint64_t now);

/* A peer does not answer: its name is looked up again, and its next address is tried. */
void name_table_peer_silent(struct name_table *table, struct peer *peer, uint64_t now);
/* The control socket has set the endpoint of a peer: its name does not move it until the next load. */
void name_table_peer_set(struct name_table *table, struct peer *peer);
/*
 * Addresses, routes, resolv.conf or the hosts file have changed, so names that failed before may resolve now: their
 * back-off ends. Returns false if nothing waits, or if the host changes so often that this change is ignored.
 */
bool name_table_host_changed(struct name_table *table, uint64_t now);

/* Does what is due at `now`. */
void name_table_run(struct name_table *table, uint64_t now);
/* Returns when name_table_run must be called next; 0: not before the next event. */
uint64_t name_table_next(const struct name_table *table);
/* Reports whether a question has been in flight for longer than NAME_SLOW. */
static inline bool name_table_has_slow(const struct name_table *table)
{
	return table->asking > table->fast;
}
/* Reports whether each name has had an answer or a failure since it was loaded. */
static inline bool name_table_settled(const struct name_table *table)
{
	return !table->unsettled;
}

#endif
