/* SPDX-License-Identifier: MIT */
#include "daemon/endpoint_names.h"

#include <errno.h>
#include <netdb.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "tunnel/handshake.h"

#define WAIT_FIRST 1.0
#define WAIT_MAX 60.0

struct endpoint_name {
	struct endpoint_name *next;
	uint64_t id;
	uint8_t public_key[KEY_BYTES];
	char host[ENDPOINT_HOST], port[ENDPOINT_PORT];
	bool resolved;
	bool failed; /* and that was logged */
	bool again;  /* asked for anew because the peer is silent */
};

static void ask_later(struct endpoint_names *names)
{
	if (ev_is_active(&names->again))
		return;
	ev_timer_set(&names->again, names->wait, 0.);
	ev_timer_start(names->loop, &names->again);
}

static void ask(struct endpoint_names *names, const struct endpoint_name *name)
{
	if (resolver_ask(names->resolver, name->id, name->host, name->port))
		ask_later(names); /* its queue is full */
}

static bool same_place(const struct endpoint *a, const struct endpoint *b)
{
	struct endpoint plain = *a;

	endpoint_clear_local(&plain);
	return endpoint_equal(&plain, b);
}

static void found(struct endpoint_names *names, struct endpoint_name *name, const struct endpoint *endpoint)
{
	struct peer *peer = device_find_peer(names->device, name->public_key);

	bool wanted = peer && (name->again || !endpoint_known(&peer->endpoint)); /* where it spoke to us from is newer */

	name->resolved = true;
	name->again = false;
	if (!wanted || same_place(&peer->endpoint, endpoint))
		return;
	peer_set_endpoint(peer, endpoint);
	if (peer->keepalive || staged_waiting(&peer->staged))
		handshake_keepalive(peer, clock_boottime());
}

/* Said once a name, not once a try. */
static void missed(struct endpoint_names *names, struct endpoint_name *name, int error)
{
	if (!name->failed)
		log_warning(names->device->name, "cannot resolve endpoint %s: %s; will go on trying", name->host,
					gai_strerror(error));
	name->failed = true;
	ask_later(names);
}

static void on_answers(struct ev_loop *loop, struct ev_io *watcher, int events)
{
	struct endpoint_names *names = watcher->data;
	struct endpoint endpoint;
	uint64_t id;
	int error;

	while (resolver_take(names->resolver, &id, &endpoint, &error) > 0) {
		struct endpoint_name *name = names->first;
		while (name && name->id != id)
			name = name->next;
		if (!name)
			continue;
		if (error)
			missed(names, name, error);
		else
			found(names, name, &endpoint);
	}
}

static void on_again(struct ev_loop *loop, struct ev_timer *watcher, int events)
{
	struct endpoint_names *names = watcher->data;

	names->wait = names->wait * 2 < WAIT_MAX ? names->wait * 2 : WAIT_MAX;
	for (struct endpoint_name *name = names->first; name; name = name->next)
		if (!name->resolved || name->again)
			ask(names, name);
}

/* Handshakes go unanswered, one every 5 s: the name may mean another address by now. */
static void on_unanswered(void *context, struct peer *peer)
{
	struct endpoint_names *names = context;

	for (struct endpoint_name *name = names->first; name; name = name->next) {
		if (name->again || memcmp(name->public_key, peer->remote.public_key, sizeof name->public_key))
			continue;
		name->again = true;
		ask(names, name);
	}
}

static struct endpoint_name *name_of(const struct config_peer *peer, uint64_t id)
{
	struct endpoint_name *name = calloc(1, sizeof *name);

	if (!name)
		return NULL;
	name->id = id;
	memcpy(name->public_key, peer->public_key, sizeof name->public_key);
	memcpy(name->host, peer->endpoint_host, sizeof name->host);
	memcpy(name->port, peer->endpoint_port, sizeof name->port);
	return name;
}

static void free_list(struct endpoint_name *first)
{
	for (struct endpoint_name *name = first, *next; name; name = next) {
		next = name->next;
		free(name);
	}
}

/* The names of `config` as a list, numbered on from names->next_id. 0, or -ENOMEM and no list. */
static int collect(struct endpoint_names *names, const struct config *config, struct endpoint_name **first)
{
	struct endpoint unused;

	*first = NULL;
	for (const struct config_peer *peer = config->peers; peer; peer = peer->next) {
		struct endpoint_name *name;
		if (!peer->has_endpoint || !endpoint_numeric(peer->endpoint_host, peer->endpoint_port, &unused))
			continue;
		name = name_of(peer, names->next_id++);
		if (!name) {
			free_list(*first);
			return -ENOMEM;
		}
		name->next = *first;
		*first = name;
	}
	return 0;
}

/* What begins with the first name: a thread and its descriptor. */
static int open_resolver(struct endpoint_names *names)
{
	names->resolver = resolver_create();
	if (!names->resolver)
		return -errno;
	ev_io_init(&names->answers, on_answers, resolver_fd(names->resolver), EV_READ);
	ev_timer_init(&names->again, on_again, names->wait, 0.);
	names->answers.data = names->again.data = names;
	ev_io_start(names->loop, &names->answers);
	names->device->unanswered = on_unanswered;
	names->device->unanswered_context = names;
	return 0;
}

static bool same_name(const struct endpoint_name *a, const struct endpoint_name *b)
{
	return !memcmp(a->public_key, b->public_key, sizeof a->public_key) && !strcmp(a->host, b->host) &&
		   !strcmp(a->port, b->port);
}

/* What is known of a name goes over from the old list; one that is not in it `moves` its peer, or only finds it. */
static void inherit(struct endpoint_name *name, const struct endpoint_name *old, bool moves)
{
	while (old && !same_name(name, old))
		old = old->next;
	name->again = old ? old->again : moves;
	if (old) {
		name->id = old->id; /* the answer to a question under way */
		name->resolved = old->resolved;
		name->failed = old->failed;
	}
}

static int take_names(struct endpoint_names *names, const struct config *config, bool moves)
{
	struct endpoint_name *list;
	int error = collect(names, config, &list);

	if (!error && list && !names->resolver)
		error = open_resolver(names);
	if (error) {
		free_list(list);
		return error;
	}
	for (struct endpoint_name *name = list; name; name = name->next)
		inherit(name, names->first, moves);
	free_list(names->first);
	names->first = list;
	for (struct endpoint_name *name = list; name; name = name->next)
		if (!name->resolved || name->again)
			ask(names, name);
	return 0;
}

int endpoint_names_start(struct endpoint_names *names, const struct config *config, struct device *device,
						 struct ev_loop *loop)
{
	*names = (struct endpoint_names) { .device = device, .loop = loop, .wait = WAIT_FIRST };
	return take_names(names, config, false);
}

int endpoint_names_reload(struct endpoint_names *names, const struct config *config)
{
	return take_names(names, config, true);
}

void endpoint_names_stop(struct endpoint_names *names)
{
	if (names->resolver) {
		names->device->unanswered = NULL;
		ev_io_stop(names->loop, &names->answers);
		ev_timer_stop(names->loop, &names->again);
		resolver_destroy(names->resolver);
	}
	free_list(names->first);
	*names = (struct endpoint_names) { 0 };
}
