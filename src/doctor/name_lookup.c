/* SPDX-License-Identifier: MIT */
/* Looks up names: the hosts file, then the resolver of the daemon on a loop of its own. */
#include "name_lookup.h"

#include <ev.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/log.h"
#include "daemon/hosts_file.h"
#include "daemon/resolver.h"

struct lookup {
	struct endpoint_facts *list;
	size_t count;
	size_t pending; /* queries */
	struct ev_loop *loop;
};

static void set_address(struct endpoint_facts *entry, const struct endpoint *address)
{
	entry->address = *address;
	endpoint_set_port(&entry->address, htons((uint16_t)strtoul(entry->port, NULL, 10)));
	entry->failure = NULL;
}

static void on_hosts_line(void *context, const char *host, const struct endpoint *address)
{
	struct lookup *lookup = context;

	for (size_t i = 0; i < lookup->count; i++) {
		struct endpoint_facts *entry = &lookup->list[i];

		if (entry->is_name && !endpoint_known(&entry->address) && strcasecmp(entry->host, host) == 0)
			set_address(entry, address);
	}
}

static void on_lookup_answer(void *context, void *owner, const struct resolver_answer *answer)
{
	struct lookup *lookup = context;
	struct endpoint_facts *entry = owner;

	if (answer->count && !endpoint_known(&entry->address))
		set_address(entry, &answer->addresses[0]);
	else if (!endpoint_known(&entry->address))
		entry->failure = answer->failure ? answer->failure : "the name has no address";
	if (--lookup->pending == 0)
		ev_break(lookup->loop, EVBREAK_ALL);
}

static void on_lookup_timeout(struct ev_loop *loop, struct ev_timer *timer, int events)
{
	ev_break(loop, EVBREAK_ALL);
}

/* Queries both families for each name that the hosts file does not contain. */
static void query_names(struct lookup *lookup, struct resolver *resolver, double seconds)
{
	static const int families[] = { AF_INET, AF_INET6 };
	struct ev_timer timer;

	for (size_t i = 0; i < lookup->count; i++) {
		struct endpoint_facts *entry = &lookup->list[i];

		if (!entry->is_name || endpoint_known(&entry->address))
			continue;
		entry->failure = "no answer in time";
		for (int f = 0; f < 2; f++)
			if (resolver_lookup(resolver, entry->host, families[f], entry))
				lookup->pending++;
	}
	if (!lookup->pending)
		return;
	ev_timer_init(&timer, on_lookup_timeout, seconds, 0);
	ev_timer_start(lookup->loop, &timer);
	ev_run(lookup->loop, 0);
	ev_timer_stop(lookup->loop, &timer);
}

void lookup_names(struct endpoint_facts *list, size_t count, double seconds)
{
	static const uint32_t no_mark;
	struct lookup lookup = { .list = list, .count = count };
	const struct resolver_options options = {
		.path = RESOLV_CONF,
		.upstream = RESOLV_CONF_UPSTREAM,
		.log_name = "doctor",
		.mark = &no_mark,
		.answered = on_lookup_answer,
		.context = &lookup,
	};
	struct resolver *resolver = NULL;

	hosts_file_read(HOSTS_FILE, on_hosts_line, &lookup);
	log_set_level(LOG_SILENT); /* the findings contain the same */
	lookup.loop = ev_loop_new(EVFLAG_AUTO);
	if (lookup.loop)
		resolver = resolver_create(lookup.loop, &options);
	if (resolver)
		query_names(&lookup, resolver, seconds);
	for (size_t i = 0; i < count && !resolver; i++)
		if (list[i].is_name && !endpoint_known(&list[i].address))
			list[i].failure = "the resolver could not be started";
	resolver_destroy(resolver);
	if (lookup.loop)
		ev_loop_destroy(lookup.loop);
}
