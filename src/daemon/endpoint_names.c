/* SPDX-License-Identifier: MIT */
/*
 * Endpoints that are host names.
 *
 * Theory of operation
 *
 * Every peer with a host name has a struct endpoint_name. Its id accompanies the question to the resolver and comes
 * back with the answer, which is ignored if the name no longer exists. A name is pending until it resolves, and again
 * when it must be refreshed: its peer does not answer handshakes, or a reload has changed it. One timer retries all
 * pending names, with a delay that doubles up to RETRY_MAX.
 *
 * The first answer does not replace a known endpoint: the peer has sent from there, which is more recent. The answer to
 * a refresh does.
 */
#include "daemon/endpoint_names.h"

#include <errno.h>
#include <netdb.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "tunnel/handshake.h"

#define RETRY_MIN 1.0 /* seconds */
#define RETRY_MAX 60.0

struct endpoint_name {
	struct list_node node;
	uint64_t id;
	uint8_t public_key[KEY_BYTES]; /* of the peer */
	char host[ENDPOINT_HOST], port[ENDPOINT_PORT];
	bool resolved;
	bool refresh; /* the next answer replaces a known endpoint */
	bool failure_logged;
};

static void schedule_retry(struct endpoint_names *names)
{
	if (ev_is_active(&names->retry))
		return;
	ev_timer_set(&names->retry, names->retry_delay, 0.);
	ev_timer_start(names->loop, &names->retry);
}

static void resolve_name(struct endpoint_names *names, const struct endpoint_name *name)
{
	if (resolver_ask(names->resolver, name->id, name->host, name->port))
		schedule_retry(names); /* the queue is full */
}

static void resolve_pending(struct endpoint_names *names)
{
	list_for_each (name, &names->names, struct endpoint_name, node)
		if (!name->resolved || name->refresh)
			resolve_name(names, name);
}

static bool same_remote(const struct endpoint *a, const struct endpoint *b)
{
	struct endpoint without_local = *a;

	endpoint_clear_local(&without_local);
	return endpoint_equal(&without_local, b);
}

static void name_resolved(struct endpoint_names *names, struct endpoint_name *name, const struct endpoint *endpoint)
{
	struct peer *peer = peer_lookup(names->device, name->public_key);
	bool replace = name->refresh;

	name->resolved = true;
	name->refresh = false;
	if (!peer || (!replace && endpoint_known(&peer->endpoint)) || same_remote(&peer->endpoint, endpoint))
		return;
	peer_set_endpoint(peer, endpoint);
	if (peer->timers.keepalive || staged_waiting(&peer->staged))
		handshake_keepalive(peer, clock_boottime());
}

/* Logs the first failure only, because retries are frequent. */
static void name_failed(struct endpoint_names *names, struct endpoint_name *name, int error)
{
	if (!name->failure_logged)
		log_warning(names->device->name, "cannot resolve endpoint %s: %s; retrying", name->host, gai_strerror(error));
	name->failure_logged = true;
	schedule_retry(names);
}

static struct endpoint_name *find_name(struct endpoint_names *names, uint64_t id)
{
	list_for_each (name, &names->names, struct endpoint_name, node)
		if (name->id == id)
			return name;
	return NULL;
}

static void on_answers(struct ev_loop *loop, struct ev_io *watcher, int events)
{
	struct endpoint_names *names = watcher->data;
	struct endpoint endpoint;
	uint64_t id;
	int error;

	while (resolver_take(names->resolver, &id, &endpoint, &error) > 0) {
		struct endpoint_name *name = find_name(names, id);
		if (name && error)
			name_failed(names, name, error);
		else if (name)
			name_resolved(names, name, &endpoint);
	}
}

static void on_retry(struct ev_loop *loop, struct ev_timer *watcher, int events)
{
	struct endpoint_names *names = watcher->data;

	names->retry_delay = names->retry_delay * 2 < RETRY_MAX ? names->retry_delay * 2 : RETRY_MAX;
	resolve_pending(names);
}

/* Called every 5 s while the peer does not answer handshakes: its address may have changed. */
static void on_unanswered(void *context, struct peer *peer)
{
	struct endpoint_names *names = context;

	list_for_each (name, &names->names, struct endpoint_name, node) {
		if (name->refresh || memcmp(name->public_key, peer->remote.public_key, sizeof name->public_key))
			continue;
		name->refresh = true;
		resolve_name(names, name);
	}
}

static void free_names(struct list *list)
{
	while (!list_empty(list))
		free(container_of(list_take_first(list), struct endpoint_name, node));
}

/* Fills an empty list with the names in `config`, with new ids. 0, or -ENOMEM and the list is empty. */
static int list_config_names(struct endpoint_names *names, const struct config *config, struct list *list)
{
	struct endpoint unused;

	for (const struct config_peer *peer = config->peers; peer; peer = peer->next) {
		struct endpoint_name *name;
		if (!peer->has_endpoint || !endpoint_numeric(peer->endpoint_host, peer->endpoint_port, &unused))
			continue;
		name = calloc(1, sizeof *name);
		if (!name) {
			free_names(list);
			return -ENOMEM;
		}
		name->id = names->next_id++;
		memcpy(name->public_key, peer->public_key, sizeof name->public_key);
		memcpy(name->host, peer->endpoint_host, sizeof name->host);
		memcpy(name->port, peer->endpoint_port, sizeof name->port);
		list_append(list, &name->node);
	}
	return 0;
}

static int start_resolver(struct endpoint_names *names)
{
	names->resolver = resolver_create();
	if (!names->resolver)
		return -errno;
	ev_io_init(&names->answer_watcher, on_answers, resolver_fd(names->resolver), EV_READ);
	ev_timer_init(&names->retry, on_retry, names->retry_delay, 0.);
	names->answer_watcher.data = names->retry.data = names;
	ev_io_start(names->loop, &names->answer_watcher);
	names->device->unanswered = on_unanswered;
	names->device->unanswered_context = names;
	return 0;
}

static bool same_name(const struct endpoint_name *a, const struct endpoint_name *b)
{
	return !memcmp(a->public_key, b->public_key, sizeof a->public_key) && !strcmp(a->host, b->host) &&
		   !strcmp(a->port, b->port);
}

/* Copies the state of the same name in the old list. A name that is not there gets `refresh`. */
static void inherit_state(struct endpoint_name *name, const struct endpoint_names *names, bool refresh)
{
	name->refresh = refresh;
	list_for_each (old, &names->names, struct endpoint_name, node) {
		if (!same_name(name, old))
			continue;
		name->id = old->id; /* of a question that may be pending */
		name->resolved = old->resolved;
		name->refresh = old->refresh;
		name->failure_logged = old->failure_logged;
		return;
	}
}

/* Replaces the names by those in `config`. `refresh`: a name that is new may replace a known endpoint. */
static int replace_names(struct endpoint_names *names, const struct config *config, bool refresh)
{
	struct list list = { 0 };
	int error = list_config_names(names, config, &list);

	if (!error && !list_empty(&list) && !names->resolver)
		error = start_resolver(names);
	if (error) {
		free_names(&list);
		return error;
	}
	list_for_each (name, &list, struct endpoint_name, node)
		inherit_state(name, names, refresh);
	free_names(&names->names);
	while (!list_empty(&list))
		list_append(&names->names, list_take_first(&list));
	resolve_pending(names);
	return 0;
}

int endpoint_names_start(struct endpoint_names *names, const struct config *config, struct device *device,
						 struct ev_loop *loop)
{
	*names = (struct endpoint_names) { .device = device, .loop = loop, .retry_delay = RETRY_MIN };
	return replace_names(names, config, false);
}

int endpoint_names_reload(struct endpoint_names *names, const struct config *config)
{
	return replace_names(names, config, true);
}

void endpoint_names_stop(struct endpoint_names *names)
{
	if (names->resolver) {
		names->device->unanswered = NULL;
		ev_io_stop(names->loop, &names->answer_watcher);
		ev_timer_stop(names->loop, &names->retry);
		resolver_destroy(names->resolver);
	}
	free_names(&names->names);
	*names = (struct endpoint_names) { 0 };
}
