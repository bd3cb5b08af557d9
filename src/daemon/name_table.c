/* SPDX-License-Identifier: MIT */
/*
 * The name table: decides when names are looked up, and moves peers to the addresses.
 *
 * Theory of operation
 *
 * The states of a name:
 *
 *   unresolved   no answer yet; retried when its back-off ends
 *   queued       waits because too many lookups are in flight
 *   querying     queries for A and AAAA are in flight
 *   fresh        has addresses, and nothing is due
 *   stale        has addresses, but the last lookup failed; retried like an unresolved name
 *
 * A lookup needs a reason (needed): the peer has no endpoint, or does not answer. The reason ends as soon as an
 * authentic packet arrives from the peer (needed_at_bytes), or when the control socket sets the endpoint (overridden).
 * A name without a reason is not retried, and an answer that arrives after the reason has ended is stored but does not
 * move the peer.
 *
 * Each lookup is two queries, one per family. An address is used when the other family has answered too, or NAME_GRACE
 * after the first address, so a server that ignores AAAA queries delays a lookup by NAME_GRACE only. Addresses without
 * a route outside of the tunnel are skipped; the tunnel's own route does not count, because with `::/0` in the tunnel
 * every IPv6 address would seem reachable.
 *
 * While handshakes go unanswered, the peer moves to the next address of the list after each one. If the peer has roamed
 * to an endpoint that is not in the list, this endpoint is a candidate too (roamed).
 */
#include "daemon/name_table.h"

#include <ctype.h>
#include <errno.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "address_list.h"
#include "base/bytes.h"
#include "base/clock.h"
#include "crypto/message.h"
#include "tunnel/handshake.h"

enum { EVENT_BURST = 5 };
#define EVENT_INTERVAL (5 * NS_PER_S)

enum name_state { NAME_UNRESOLVED, NAME_QUEUED, NAME_QUERYING, NAME_FRESH, NAME_STALE };

struct name {
	struct list_node node, queued;
	struct heap_node due;
	struct map_node by_key, by_host;
	uint8_t public_key[KEY_BYTES];
	char host[ENDPOINT_HOST], port[ENDPOINT_PORT];

	enum name_state state;
	bool loaded;     /* by the configuration that is being loaded */
	bool tried;      /* a lookup has succeeded or failed since the name was loaded */
	bool needed;     /* there is a reason for a lookup */
	bool overridden; /* by the control socket */
	bool slow;
	bool failure_logged;
	const char *failed;       /* why the last lookup failed; NULL: it did not */
	uint64_t needed_at_bytes; /* authentic bytes received from the peer when `needed` was set */
	uint64_t moved_at;        /* when the table last changed the peer's endpoint */
	uint64_t answered_at;
	uint64_t backoff;       /* 0: the last lookup succeeded */
	uint64_t hosts_version; /* of the hosts file that `hosts` was read from */

	struct resolver_query *queries[FAMILIES]; /* AF_INET, AF_INET6 */
	uint64_t grace_until;                     /* 0: no address yet */
	const char *failure;                      /* of the queries in flight */
	struct address_list found;                /* by the queries in flight */
	struct address_list hosts;                /* by the hosts file */
	struct address_list addresses;
	struct endpoint roamed; /* the endpoint to which the peer roamed, if it is none of `addresses` */
};

static const int families[FAMILIES] = { AF_INET, AF_INET6 };

static uint64_t hash_host(const char *host)
{
	uint64_t hash = UINT64_C(0xcbf29ce484222325); /* FNV-1a */

	for (; *host; host++)
		hash = (hash ^ (uint8_t)tolower((uint8_t)*host)) * UINT64_C(0x100000001b3);
	return hash;
}

static struct name *find_by_key(const struct name_table *table, const uint8_t public_key[KEY_BYTES])
{
	struct map_node *node = map_first(&table->by_key, get_le64(public_key));

	for (; node; node = map_next(node)) {
		struct name *name = container_of(node, struct name, by_key);
		if (!memcmp(name->public_key, public_key, KEY_BYTES))
			return name;
	}
	return NULL;
}

/* --- addresses ----- */

static bool is_reachable(const struct name_table *table, const struct endpoint *address)
{
	return table->ops->reachable(table->context, address);
}

/*
 * Returns the first address with a route. If no address has a route, returns the first IPv4 address, so that it can be
 * used as soon as a route appears.
 */
static const struct endpoint *choose_address(const struct name_table *table, const struct address_list *list)
{
	for (unsigned i = 0; i < list->count; i++)
		if (is_reachable(table, &list->items[i]))
			return &list->items[i];
	for (unsigned i = 0; i < list->count; i++)
		if (list->items[i].to.any.sa_family == AF_INET)
			return &list->items[i];
	return &list->items[0];
}

/* --- the peer ----- */

/* Cookie replies do not prove that the peer is alive: anyone who sees an initiation can forge one. */
static uint64_t authentic_bytes(const struct peer *peer)
{
	return peer->rx_bytes - peer->cookie_bytes;
}

static void need_addresses(struct name *name, const struct peer *peer)
{
	name->needed = true;
	name->needed_at_bytes = peer ? authentic_bytes(peer) : 0;
}

/* Returns the peer if its name may move it, or else NULL. */
static struct peer *peer_in_need(const struct name_table *table, struct name *name)
{
	struct peer *peer = peer_lookup(table->device, name->public_key);

	if (!peer || name->overridden || !name->needed)
		return NULL;
	if (authentic_bytes(peer) == name->needed_at_bytes)
		return peer;
	name->needed = false;
	return NULL;
}

static void move_peer(struct name *name, struct peer *peer, const struct endpoint *to, uint64_t now)
{
	if (endpoint_same_remote(&peer->endpoint, to))
		return;
	peer_set_endpoint(peer, to, ORIGIN_RESOLVED);
	name->moved_at = now;
}

/* --- deadlines ----- */

static void enqueue_name(struct name_table *table, struct name *name)
{
	heap_remove(&table->due, &name->due);
	name->state = NAME_QUEUED;
	list_append(&table->queue, &name->queued);
}

/* --- answers ----- */

static void release_slot(struct name_table *table, struct name *name)
{
	if (!name->slow)
		table->fast--;
	name->slow = true;
}

static void abandon_queries(struct name_table *table, struct name *name)
{
	for (int i = 0; i < FAMILIES; i++) {
		if (name->queries[i])
			table->ops->abandon(table->context, name->queries[i]);
		name->queries[i] = NULL;
	}
	if (name->state != NAME_QUERYING)
		return;
	release_slot(table, name);
	table->querying--;
}

static void mark_tried(struct name_table *table, struct name *name)
{
	if (!name->tried)
		table->untried--;
	name->tried = true;
}

static void name_resolved(struct name_table *table, struct name *name, const struct address_list *list, uint64_t now)
{
	bool changed = !address_list_equal(list, &name->addresses), first = !name->tried;
	struct peer *peer = peer_lookup(table->device, name->public_key), *in_need = peer_in_need(table, name);
	char text[ENDPOINT_TEXT];

	heap_remove(&table->due, &name->due);
	name->addresses = *list;
	name->state = NAME_FRESH;
	name->failed = NULL;
	name->backoff = 0;
	name->answered_at = now;
	mark_tried(table, name);
	if (name->failure_logged || log_enabled(LOG_DEBUG))
		log_at(name->failure_logged ? LOG_INFO : LOG_DEBUG, table->device->name, "endpoint %s: resolved to %s",
			   name->host, endpoint_text(text, choose_address(table, list)));
	name->failure_logged = false;
	if (first && peer && !name->overridden && !in_need && address_list_find(list, &peer->endpoint) < 0 &&
		log_allowed(&table->log, now))
		log_info(peer_text(peer), "stays at %s, where it responds, and not at the address of %s",
				 endpoint_text(text, &peer->endpoint), name->host);
	name->needed = false;
	if (!in_need)
		return;
	/* If the addresses are the same as before, try_next_address alone moves the peer. */
	if (endpoint_known(&in_need->endpoint) && (!changed || address_list_find(list, &in_need->endpoint) >= 0))
		return;
	move_peer(name, in_need, choose_address(table, list), now);
	if (in_need->timers.keepalive || staged_waiting(&in_need->staged))
		handshake_keepalive(in_need, now);
}

/* Logs the first failure only, because retries are frequent. */
static void name_failed(struct name_table *table, struct name *name, const char *failure, uint64_t now)
{
	uint32_t jitter_max_ms;

	name->state = name->addresses.count ? NAME_STALE : NAME_UNRESOLVED;
	name->failed = failure;
	mark_tried(table, name);
	name->backoff = name->backoff ? 2 * name->backoff : NAME_RETRY_MIN;
	if (name->backoff > NAME_RETRY_MAX)
		name->backoff = NAME_RETRY_MAX;
	jitter_max_ms = (uint32_t)(name->backoff / 4 / NS_PER_MS);
	heap_set(&table->due, &name->due, now + name->backoff + randombytes_uniform(jitter_max_ms + 1) * NS_PER_MS);
	if (name->failure_logged || !log_allowed(&table->log, now))
		return;
	log_warning(table->device->name, "endpoint %s: cannot resolve: %s; retrying", name->host, failure);
	name->failure_logged = true;
}

/* Both families have answered, or enough time has passed since the first address. */
static void conclude_name(struct name_table *table, struct name *name, uint64_t now)
{
	release_slot(table, name);
	table->querying--;
	if (name->found.count)
		name_resolved(table, name, &name->found, now);
	else
		name_failed(table, name, name->failure, now);
}

void name_table_answer(struct name_table *table, void *context, const struct resolver_answer *answer, uint64_t now)
{
	struct name *name = context;
	in_port_t port = htons((in_port_t)strtoul(name->port, NULL, 10));

	name->queries[answer->family == AF_INET6] = NULL;
	if (answer->failure && !(answer->no_address && name->failure))
		name->failure = answer->failure;
	for (unsigned i = 0; i < answer->count; i++) {
		struct endpoint address = answer->addresses[i];
		endpoint_set_port(&address, port);
		address_list_add(&name->found, &address);
	}
	if (name->state == NAME_FRESH) {
		/* An answer of the second family after NAME_GRACE adds candidates, but does not move the peer. */
		for (unsigned i = 0; i < name->found.count; i++)
			address_list_add(&name->addresses, &name->found.items[i]);
	} else if (name->state == NAME_QUERYING && !name->queries[0] && !name->queries[1]) {
		conclude_name(table, name, now);
	} else if (name->state == NAME_QUERYING && answer->count && !name->grace_until) {
		name->grace_until = now + NAME_GRACE;
		heap_set(&table->due, &name->due, name->grace_until);
	}
	name_table_run(table, now);
}

/* --- lookups ----- */

static void note_hosts_line(void *context, const char *host, const struct endpoint *found)
{
	struct name_table *table = context;
	struct map_node *node = map_first(&table->by_host, hash_host(host));

	for (; node; node = map_next(node)) {
		struct name *name = container_of(node, struct name, by_host);
		struct endpoint address = *found;

		if (strcasecmp(name->host, host))
			continue;
		endpoint_set_port(&address, htons((in_port_t)strtoul(name->port, NULL, 10)));
		address_list_add(&name->hosts, &address);
	}
}

static void query_servers(struct name_table *table, struct name *name, uint64_t now)
{
	abandon_queries(table, name); /* a late family of the previous lookup */
	name->state = NAME_QUERYING;
	name->slow = false;
	name->grace_until = 0;
	name->failure = NULL;
	name->found.count = 0;
	table->querying++;
	table->fast++;
	heap_set(&table->due, &name->due, now + NAME_SLOW);
	for (int i = 0; i < FAMILIES; i++)
		if (families[i] == AF_INET || table->ops->has_ipv6(table->context))
			name->queries[i] = table->ops->lookup(table->context, name->host, families[i], name);
	if (!name->queries[0] && !name->queries[1]) {
		name->failure = strerror(ENOMEM);
		conclude_name(table, name, now);
	}
}

static void look_up_name(struct name_table *table, struct name *name, uint64_t now)
{
	uint64_t version = table->ops->hosts_version(table->context);
	struct address_list list = { .count = 1 };

	/* If the hosts file has changed since the last lookup of this name, read it for all names at once. */
	if (name->hosts_version != version) {
		list_for_each (other, &table->names, struct name, node) {
			other->hosts.count = 0;
			other->hosts_version = version;
		}
		table->ops->read_hosts(table->context, note_hosts_line, table);
	}
	if (endpoint_numeric(name->host, name->port, &list.items[0])) /* 0: an address whose interface exists by now */
		list = name->hosts;
	if (list.count) {
		abandon_queries(table, name);
		name_resolved(table, name, &list, now);
	} else if (strchr(name->host, ':')) {
		name_failed(table, name,
					strchr(name->host, '%') ? "the interface of this address does not exist"
											: "this is neither an IP address nor a host name",
					now);
	} else {
		query_servers(table, name, now);
	}
}

static void look_up_queued(struct name_table *table, uint64_t now)
{
	while (table->fast < NAME_FAST_MAX && table->querying < NAME_QUERYING_MAX) {
		struct list_node *node = list_take_first(&table->queue);
		if (!node)
			return;
		look_up_name(table, container_of(node, struct name, queued), now);
	}
}

void name_table_run(struct name_table *table, uint64_t now)
{
	struct heap_node *top = heap_top(&table->due);

	while (top && top->key <= now) {
		struct name *name = container_of(top, struct name, due);

		heap_remove(&table->due, &name->due);
		if (name->state == NAME_QUERYING && name->grace_until && now >= name->grace_until &&
			is_reachable(table, choose_address(table, &name->found)))
			conclude_name(table, name, now);
		else if (name->state == NAME_QUERYING)
			release_slot(table, name);
		else if (peer_in_need(table, name))
			enqueue_name(table, name);
		top = heap_top(&table->due);
	}
	look_up_queued(table, now);
}

uint64_t name_table_next(const struct name_table *table)
{
	const struct heap_node *top = heap_top(&table->due);

	return top ? top->key : 0;
}

/* --- events ----- */

static bool is_waiting(const struct name *name)
{
	return name->state == NAME_UNRESOLVED || name->state == NAME_STALE;
}

/*
 * Moves the peer to the candidate after its current endpoint: the addresses are candidates in their order, then
 * `roamed`. The handshake timer sends the next initiation right after this call, so it goes to the new address.
 */
static void try_next_address(const struct name_table *table, struct name *name, struct peer *peer, uint64_t now)
{
	const struct address_list *list = &name->addresses;
	unsigned count = list->count + endpoint_known(&name->roamed);
	int at = address_list_find(list, &peer->endpoint);
	unsigned present = at >= 0 ? (unsigned)at : list->count;

	if (!peer->handshake_index || now - peer->handshake_sent < REKEY_TIMEOUT || peer->handshake_sent < name->moved_at)
		return; /* the current address has not been tried for long enough */
	for (unsigned step = 1; step < count; step++) {
		unsigned i = (present + step) % count;
		const struct endpoint *candidate = i < list->count ? &list->items[i] : &name->roamed;
		if (is_reachable(table, candidate)) {
			move_peer(name, peer, candidate, now);
			return;
		}
	}
}

void name_table_peer_silent(struct name_table *table, struct peer *peer, uint64_t now)
{
	struct name *name = find_by_key(table, peer->remote.public_key);

	if (!name || name->overridden)
		return;
	if (address_list_find(&name->addresses, &peer->endpoint) < 0 && endpoint_known(&peer->endpoint)) {
		name->roamed = peer->endpoint;
		endpoint_clear_local(&name->roamed);
	} else if (authentic_bytes(peer) != name->needed_at_bytes) {
		name->roamed = (struct endpoint) { 0 }; /* the peer has responded at one of its addresses since */
	}
	need_addresses(name, peer);
	try_next_address(table, name, peer, now);
	if ((name->state == NAME_FRESH && now - name->answered_at >= NAME_REFRESH_MIN) ||
		(is_waiting(name) && !name->due.index))
		enqueue_name(table, name);
	look_up_queued(table, now);
}

void name_table_peer_set(struct name_table *table, struct peer *peer)
{
	struct name *name = find_by_key(table, peer->remote.public_key);

	if (name)
		name->overridden = true;
}

bool name_table_follows(const struct name_table *table, struct peer *peer)
{
	const struct name *name = find_by_key(table, peer->remote.public_key);

	return name && (!name->overridden || address_list_find(&name->addresses, &peer->endpoint) >= 0);
}

bool name_table_describe(const struct name_table *table, const struct peer *peer, char *text, size_t size)
{
	const struct name *name = find_by_key(table, peer->remote.public_key);

	if (!name || name->overridden)
		return false;
	if (name->failed) /* the name may be longer than the text */
		snprintf(text, size, "cannot resolve its endpoint %.150s: %s", name->host, name->failed);
	else
		snprintf(text, size, "looking up its endpoint %.150s", name->host);
	return true;
}

bool name_table_host_changed(struct name_table *table, uint64_t now)
{
	if (!heap_top(&table->due) && !table->querying)
		return false;
	if (!token_bucket_take(&table->events, EVENT_BURST, EVENT_INTERVAL, now))
		return false;
	list_for_each (name, &table->names, struct name, node) {
		if (!is_waiting(name) || !name->due.index)
			continue;
		name->backoff = 0;
		if (name->due.key > now + NAME_EVENT_DELAY)
			heap_set(&table->due, &name->due, now + NAME_EVENT_DELAY);
	}
	return true;
}

/* --- load ----- */

static void remove_name(struct name_table *table, struct name *name)
{
	abandon_queries(table, name);
	mark_tried(table, name);
	list_remove(&name->node);
	list_remove(&name->queued);
	heap_remove(&table->due, &name->due);
	map_remove(&table->by_key, &name->by_key);
	map_remove(&table->by_host, &name->by_host);
	table->count--;
	free(name);
}

/* The file has another name for the endpoint of the peer, for the summary of a reload. */
static void mark_changed(const struct name_table *table, const struct name *name)
{
	struct peer *peer = peer_lookup(table->device, name->public_key);

	if (peer)
		peer->changed |= PEER_SETTING_ENDPOINT;
}

static void add_name(struct name_table *table, struct name *name)
{
	list_append(&table->names, &name->node);
	map_insert(&table->by_key, &name->by_key, get_le64(name->public_key));
	map_insert(&table->by_host, &name->by_host, hash_host(name->host));
	table->count++;
	table->untried++;
	mark_changed(table, name);
	need_addresses(name, peer_lookup(table->device, name->public_key));
	enqueue_name(table, name);
}

bool name_table_wants(const struct config_peer *peer)
{
	struct endpoint unused;

	if (!peer->has_endpoint || endpoint_known(&peer->endpoint))
		return false;
	/* An interface that is made again has another index, which is the scope ID of the endpoint. */
	return strchr(peer->endpoint_host, '%') || endpoint_numeric(peer->endpoint_host, peer->endpoint_port, &unused);
}

static struct name *find_same(const struct name_table *table, const struct config_peer *peer)
{
	struct name *name = find_by_key(table, peer->public_key);

	if (!name || strcasecmp(name->host, peer->endpoint_host) || strcmp(name->port, peer->endpoint_port))
		return NULL;
	return name;
}

/* After a reload, the file determines the endpoint again, even if the control socket had set another one. */
static void end_override(struct name_table *table, struct name *name)
{
	if (!name->overridden)
		return;
	name->overridden = false;
	name->addresses.count = 0;
	name->roamed = (struct endpoint) { 0 };
	need_addresses(name, peer_lookup(table->device, name->public_key));
	if (name->state != NAME_QUEUED && name->state != NAME_QUERYING)
		enqueue_name(table, name);
}

/* Creates the names of `config` that the table lacks, and makes room for their deadlines. */
static int create_missing(struct name_table *table, const struct config *config, struct list *made)
{
	size_t count = table->count;

	for (const struct config_peer *peer = config->peers; peer; peer = peer->next) {
		struct name *name;

		if (!name_table_wants(peer) || find_same(table, peer))
			continue;
		name = calloc(1, sizeof *name);
		if (!name)
			return -ENOMEM;
		name->loaded = true;
		memcpy(name->public_key, peer->public_key, sizeof name->public_key);
		memcpy(name->host, peer->endpoint_host, sizeof name->host);
		memcpy(name->port, peer->endpoint_port, sizeof name->port);
		list_append(made, &name->node);
		count++;
	}
	return heap_reserve(&table->due, count);
}

int name_table_load(struct name_table *table, const struct config *config, uint64_t now)
{
	struct list made = { 0 };
	struct list_node *node;

	if (create_missing(table, config, &made)) {
		while ((node = list_take_first(&made)))
			free(container_of(node, struct name, node));
		return -ENOMEM;
	}
	list_for_each (name, &table->names, struct name, node)
		name->loaded = false;
	for (const struct config_peer *peer = config->peers; peer; peer = peer->next) {
		struct name *name = name_table_wants(peer) ? find_same(table, peer) : NULL;

		if (name) {
			name->loaded = true;
			end_override(table, name);
		}
	}
	for (struct name *name = list_first_entry(&table->names, struct name, node), *next; name; name = next) {
		next = list_next_entry(&table->names, name, struct name, node);
		if (name->loaded)
			continue;
		mark_changed(table, name);
		remove_name(table, name);
	}
	while ((node = list_take_first(&made)))
		add_name(table, container_of(node, struct name, node));
	look_up_queued(table, now);
	return 0;
}

int name_table_init(struct name_table *table, struct device *device, const struct name_table_ops *ops, void *context)
{
	*table = (struct name_table) { .device = device, .ops = ops, .context = context };
	if (map_init(&table->by_key))
		return -ENOMEM;
	if (map_init(&table->by_host)) {
		map_destroy(&table->by_key);
		return -ENOMEM;
	}
	return 0;
}

void name_table_destroy(struct name_table *table)
{
	struct list_node *node = list_first(&table->names);

	while (node) {
		remove_name(table, container_of(node, struct name, node));
		node = list_first(&table->names);
	}
	heap_destroy(&table->due);
	map_destroy(&table->by_key);
	map_destroy(&table->by_host);
	*table = (struct name_table) { 0 };
}
