/* SPDX-License-Identifier: MIT */
/*
 * The resolver: binds c-ares(3) to the libev loop.
 *
 * Theory of operation
 *
 * c-ares reports which of its sockets to watch (on_socket_state) and when its next timeout is due (arm_timer). Its
 * callbacks may run inside ares_getaddrinfo and must not destroy the channel. So the callback of a query only moves the
 * query to the list `finished`, and process_channel passes the answers to their owners later, from the loop.
 *
 * c-ares reads resolv.conf(5) when a channel is opened, and releases before 1.22 cannot read it again. Therefore a
 * changed file gets a new channel. The old channel cancels its queries, and the new one repeats them.
 *
 * The stub of systemd-resolved on 127.0.0.53 or .54 queries its own servers without our mark. When all traffic is
 * routed into the tunnel, so are the queries of the stub, and a tunnel that has lost its peer could never find it
 * again. Therefore, if sockets have a mark, the resolver bypasses the stub and queries the servers behind it.
 *
 * The key DNS of a tunnel has a similar effect: the servers that it sets in resolv.conf may be reachable only through
 * the tunnel. So these servers are not queried (choose_servers).
 *
 * c-ares is used for the DNS only: release 1.18 would parse the hosts file once per query.
 */
#include "daemon/resolver.h"

#include <ares.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#include "base/list.h"
#include "base/log.h"

enum {
	TIMEOUT_MS = 2000, /* of the first try; c-ares doubles it after each round of all servers */
	TRIES = 3,         /* per server */
	SERVERS_TEXT = 512,
	SERVERS_MAX = 8,
};

struct resolver_query {
	struct list_node node; /* in `pending` or `finished` */
	struct resolver *resolver;
	void *owner; /* NULL: abandoned */
	char host[ENDPOINT_HOST];
	struct resolver_answer answer;
};

/* A socket of c-ares that the loop watches. */
struct resolver_socket {
	struct list_node node;
	struct ev_io watcher;
	struct resolver *resolver;
};

struct resolver {
	struct ev_loop *loop;
	struct resolver_options options;
	ares_channel channel;
	uint32_t mark;                /* when the channel was opened */
	struct stat config, upstream; /* the files when the channel was opened; zeroed: no such file */
	int config_error;             /* of stat(2); 0: none */
	char servers[SERVERS_TEXT];   /* the last ones that are not the tunnel's, separated by commas; empty: not known */
	const struct config_line *tunnel_servers; /* when the channel was opened */
	bool reopening;                           /* the queries that are being cancelled will be repeated */
	struct endpoint scoped[SERVERS_MAX];      /* the servers of the channel with a link-local address */
	unsigned scoped_count;
	bool warned; /* the warning about the missing resolv.conf has been logged */
	struct list pending, finished, sockets;
	struct ev_timer timer;
};

/* --- callbacks of c-ares ----- */

/* Runs before the socket is connected, so the route to the server is chosen by the mark. */
static int mark_socket(ares_socket_t fd, int type, void *context)
{
	const struct resolver *resolver = context;
	uint32_t mark = *resolver->options.mark;

	return mark && setsockopt(fd, SOL_SOCKET, SO_MARK, &mark, sizeof mark) ? -1 : 0;
}

static void process_channel(struct resolver *resolver, ares_socket_t readable, ares_socket_t writable);

static void on_socket_ready(struct ev_loop *loop, struct ev_io *watcher, int events)
{
	struct resolver *resolver = watcher->data;
	ares_socket_t fd = watcher->fd; /* c-ares may close the socket, and so free the watcher */

	process_channel(resolver, events & EV_READ ? fd : ARES_SOCKET_BAD, events & EV_WRITE ? fd : ARES_SOCKET_BAD);
}

static void unwatch_socket(struct resolver_socket *entry)
{
	ev_io_stop(entry->resolver->loop, &entry->watcher);
	list_remove(&entry->node);
	free(entry);
}

static void on_socket_state(void *context, ares_socket_t fd, int readable, int writable)
{
	struct resolver *resolver = context;
	struct resolver_socket *entry = NULL;

	list_for_each (watched, &resolver->sockets, struct resolver_socket, node)
		if (watched->watcher.fd == fd)
			entry = watched;
	if (!readable && !writable) {
		if (entry)
			unwatch_socket(entry);
		return;
	}
	if (!entry) {
		entry = calloc(1, sizeof *entry);
		if (!entry) /* the queries on this socket will time out */
			return;
		entry->resolver = resolver;
		ev_init(&entry->watcher, on_socket_ready);
		entry->watcher.data = resolver;
		list_append(&resolver->sockets, &entry->node);
	}
	ev_io_stop(resolver->loop, &entry->watcher);
	ev_io_set(&entry->watcher, fd, (readable ? EV_READ : 0) | (writable ? EV_WRITE : 0));
	ev_io_start(resolver->loop, &entry->watcher);
}

static const char *describe_ares_status(int status)
{
	switch (status) {
	case ARES_ENOTFOUND:
		return "the name does not exist";
	case ARES_ENODATA:
		return "the name has no address";
	case ARES_ETIMEOUT:
		return "the DNS servers do not answer";
	case ARES_ECONNREFUSED:
		return "no DNS server can answer"; /* all are unreachable or report failures */
	case ARES_ESERVFAIL:
		return "the DNS server reports a failure";
	case ARES_EREFUSED:
		return "the DNS server refuses to answer";
	case ARES_EBADNAME:
		return "this is not a valid host name";
	default:
		return ares_strerror(status);
	}
}

static void on_addresses(void *context, int status, int timeouts, struct ares_addrinfo *info)
{
	struct resolver_query *query = context;
	struct resolver *resolver = query->resolver;
	struct resolver_answer *answer = &query->answer;
	const struct ares_addrinfo_node *node = status == ARES_SUCCESS && info ? info->nodes : NULL;

	for (; node && answer->count < RESOLVER_ADDRESSES; node = node->ai_next) {
		struct endpoint *address = &answer->addresses[answer->count];

		if (node->ai_family != answer->family || node->ai_addrlen > sizeof address->to)
			continue;
		*address = (struct endpoint) { 0 };
		memcpy(&address->to, node->ai_addr, node->ai_addrlen);
		endpoint_unmap(address);
		answer->count += !endpoint_unspecified(address);
	}
	if (info)
		ares_freeaddrinfo(info);
	if (resolver->reopening && (status == ARES_EDESTRUCTION || status == ARES_ECANCELLED))
		return; /* stays in `pending` */
	if (status == ARES_SUCCESS)
		status = ARES_ENODATA; /* if no address is left */
	if (!answer->count) {
		answer->failure = describe_ares_status(status);
		answer->no_address = status == ARES_ENODATA;
	}
	list_remove(&query->node);
	list_append(&resolver->finished, &query->node);
}

/* --- calls of c-ares ----- */

/* Sets the timer to c-ares' next timeout, or to now if answers wait for delivery. Without queries it stops. */
static void arm_timer(struct resolver *resolver)
{
	struct timeval left, *next = ares_timeout(resolver->channel, NULL, &left);

	ev_timer_stop(resolver->loop, &resolver->timer);
	if (!list_empty(&resolver->finished))
		ev_timer_set(&resolver->timer, 0., 0.);
	else if (next)
		ev_timer_set(&resolver->timer, (double)next->tv_sec + (double)next->tv_usec / 1e6, 0.);
	else
		return;
	ev_timer_start(resolver->loop, &resolver->timer);
}

static void process_channel(struct resolver *resolver, ares_socket_t readable, ares_socket_t writable)
{
	struct list_node *node;

	ares_process_fd(resolver->channel, readable, writable);
	while ((node = list_take_first(&resolver->finished))) {
		struct resolver_query *query = container_of(node, struct resolver_query, node);

		if (query->owner)
			resolver->options.answered(resolver->options.context, query->owner, &query->answer);
		free(query);
	}
	arm_timer(resolver);
}

static void on_timer(struct ev_loop *loop, struct ev_timer *watcher, int events)
{
	process_channel(watcher->data, ARES_SOCKET_BAD, ARES_SOCKET_BAD);
}

static const struct config_line *tunnel_servers(const struct resolver *resolver)
{
	return resolver->options.tunnel_servers ? *resolver->options.tunnel_servers : NULL;
}

bool file_differs(const struct stat *a, const struct stat *b)
{
	return a->st_dev != b->st_dev || a->st_ino != b->st_ino || a->st_size != b->st_size ||
		   a->st_mtim.tv_sec != b->st_mtim.tv_sec || a->st_mtim.tv_nsec != b->st_mtim.tv_nsec;
}

/*
 * Records the state of the files, the mark and the servers of the tunnel, which determine the servers. Returns whether
 * it differs from the state that the channel was opened with.
 */
static bool config_changed(struct resolver *resolver)
{
	struct stat config, upstream;
	bool changed;

	resolver->config_error = stat(resolver->options.path, &config) ? errno : 0;
	if (resolver->config_error)
		config = (struct stat) { 0 };
	else
		resolver->warned = false;
	if (stat(resolver->options.upstream, &upstream))
		upstream = (struct stat) { 0 };
	changed = file_differs(&config, &resolver->config) || file_differs(&upstream, &resolver->upstream) ||
			  *resolver->options.mark != resolver->mark || tunnel_servers(resolver) != resolver->tunnel_servers;
	resolver->tunnel_servers = tunnel_servers(resolver);
	resolver->mark = *resolver->options.mark;
	resolver->config = config;
	resolver->upstream = upstream;
	return changed;
}

/*
 * Returns the resolv.conf(5) of the servers to query. With a mark, or if the tunnel has set servers, it is that of the
 * servers behind the stub.
 */
static const char *choose_config(const struct resolver *resolver)
{
	const struct resolver_options *options = &resolver->options;
	char line[256], server[256];
	bool stub = false;
	FILE *file;

	if ((!*options->mark && !resolver->tunnel_servers) || !resolver->upstream.st_ino)
		return options->path;
	file = fopen(options->path, "re");
	while (file && fgets(line, sizeof line, file))
		stub |= sscanf(line, " nameserver %255s", server) == 1 &&
				(!strcmp(server, "127.0.0.53") || !strcmp(server, "127.0.0.54"));
	if (file)
		fclose(file);
	return stub ? options->upstream : options->path;
}

static bool is_tunnel_server(const struct resolver *resolver, const char *server)
{
	struct endpoint theirs, own;

	for (const struct config_line *item = resolver->tunnel_servers; item; item = item->next)
		if (!strcmp(item->text, server) ||
			(!endpoint_numeric(item->text, NULL, &own) && !endpoint_numeric(server, NULL, &theirs) &&
			 endpoint_same_remote(&own, &theirs)))
			return true;
	return false;
}

/* --- servers with a scope ID ----- */

#if ARES_VERSION < 0x011600 /* 1.22 */
/*
 * The library ignores a server such as fe80::1%eth0. It accepts the address alone, and these functions, which make its
 * system calls, add the scope ID.
 */
static ares_socket_t open_scoped_socket(int family, int type, int protocol, void *context)
{
	return socket(family, type | SOCK_NONBLOCK | SOCK_CLOEXEC, protocol);
}

static int close_socket(ares_socket_t fd, void *context)
{
	return close(fd);
}

static int connect_socket(ares_socket_t fd, const struct sockaddr *to, ares_socklen_t length, void *context)
{
	const struct sockaddr_in6 *to6 = (const void *)to;
	const struct resolver *resolver = context;
	struct sockaddr_in6 scoped;

	for (unsigned i = 0; to->sa_family == AF_INET6 && i < resolver->scoped_count; i++) {
		scoped = resolver->scoped[i].to.v6;
		if (memcmp(&scoped.sin6_addr, &to6->sin6_addr, sizeof scoped.sin6_addr) != 0)
			continue;
		scoped.sin6_port = to6->sin6_port;
		return connect(fd, (const struct sockaddr *)&scoped, sizeof scoped);
	}
	return connect(fd, to, length);
}

static ares_ssize_t receive_from_socket(ares_socket_t fd, void *buffer, size_t size, int flags, struct sockaddr *from,
										ares_socklen_t *from_length, void *context)
{
	return recvfrom(fd, buffer, size, flags, from, from_length);
}

static ares_ssize_t send_to_socket(ares_socket_t fd, const struct iovec *iov, int count, void *context)
{
	return writev(fd, iov, count);
}

static void set_servers(struct resolver *resolver, const char *servers)
{
	static const struct ares_socket_functions functions = { open_scoped_socket, close_socket, connect_socket,
															receive_from_socket, send_to_socket };
	struct ares_addr_node nodes[SERVERS_MAX];
	char list[SERVERS_TEXT], *rest = NULL;
	unsigned count = 0;

	resolver->scoped_count = 0;
	snprintf(list, sizeof list, "%s", servers);
	for (char *word = strtok_r(list, ",", &rest); word && count < SERVERS_MAX; word = strtok_r(NULL, ",", &rest)) {
		struct ares_addr_node *node = &nodes[count];
		struct endpoint server;

		if (endpoint_numeric(word, NULL, &server)) /* the interface does not exist */
			continue;
		*node = (struct ares_addr_node) { .family = server.to.any.sa_family };
		if (node->family == AF_INET)
			node->addr.addr4 = server.to.v4.sin_addr;
		else
			memcpy(&node->addr.addr6, &server.to.v6.sin6_addr, sizeof node->addr.addr6);
		if (node->family == AF_INET6 && server.to.v6.sin6_scope_id)
			resolver->scoped[resolver->scoped_count++] = server;
		if (count++)
			node[-1].next = node;
	}
	if (count)
		ares_set_servers(resolver->channel, nodes);
	if (resolver->scoped_count)
		ares_set_socket_functions(resolver->channel, &functions, resolver);
}
#else
static void set_servers(struct resolver *resolver, const char *servers)
{
	ares_set_servers_csv(resolver->channel, servers);
}
#endif

/*
 * Keeps the tunnel's own servers out of the channel: sets the other ones of the file, or those that the file had
 * before. If it never had others, the tunnel's own servers are better than none. Servers with a scope ID are set, too,
 * because old releases of the library have ignored them.
 */
static void choose_servers(struct resolver *resolver, const char *path)
{
	char line[256], server[256], found[SERVERS_TEXT] = "";
	FILE *file = fopen(path, "re");
	bool own = false, scoped = false;
	size_t length = 0;

	while (file && fgets(line, sizeof line, file)) {
		if (sscanf(line, " nameserver %255s", server) != 1)
			continue;
		scoped |= strchr(server, '%') != NULL;
		if (is_tunnel_server(resolver, server))
			own = true;
		else if (length + strlen(server) + 2 < sizeof found)
			length += (size_t)sprintf(found + length, "%s%s", length ? "," : "", server);
	}
	if (file)
		fclose(file);
	if (*found && (own || !resolver->tunnel_servers)) /* if not, the tool has not written our servers yet */
		memcpy(resolver->servers, found, sizeof found);
	if (own && *resolver->servers)
		set_servers(resolver, resolver->servers);
	else if (scoped && *found)
		set_servers(resolver, found);
}

static int open_channel(struct resolver *resolver)
{
	char lookups[] = "b", path[4096];
	struct ares_options options = {
		.timeout = TIMEOUT_MS,
		.tries = TRIES,
		.lookups = lookups,
		.sock_state_cb = on_socket_state,
		.sock_state_cb_data = resolver,
		.resolvconf_path = path,
	};
	int mask = ARES_OPT_TIMEOUTMS | ARES_OPT_TRIES | ARES_OPT_LOOKUPS | ARES_OPT_SOCK_STATE_CB | ARES_OPT_RESOLVCONF;
	int status;

#ifdef ARES_OPT_QUERY_CACHE /* since 1.31; a repeated query needs a new answer, because the peer did not respond at    \
							   the old one */
	options.qcache_max_ttl = 0;
	mask |= ARES_OPT_QUERY_CACHE;
#endif
	strncpy(path, choose_config(resolver), sizeof path - 1);
	path[sizeof path - 1] = '\0';
	status = ares_init_options(&resolver->channel, &options, mask);
	if (status != ARES_SUCCESS) {
		resolver->channel = NULL;
		return status == ARES_ENOMEM ? -ENOMEM : -EIO;
	}
	ares_set_socket_configure_callback(resolver->channel, mark_socket, resolver);
	choose_servers(resolver, path);
	return 0;
}

static void send_query(struct resolver *resolver, struct resolver_query *query)
{
	const struct ares_addrinfo_hints hints = {
		.ai_flags = ARES_AI_NOSORT, /* to sort, c-ares would look up routes without the mark */
		.ai_family = query->answer.family,
		.ai_socktype = SOCK_DGRAM,
	};

	ares_getaddrinfo(resolver->channel, query->host, NULL, &hints, on_addresses, query);
}

/* Moves all queries to a channel that has read resolv.conf again. Keeps the old channel if there is no memory. */
static void reopen_channel(struct resolver *resolver)
{
	ares_channel old = resolver->channel;
	struct list again = { 0 };
	struct list_node *node;

	if (open_channel(resolver)) {
		resolver->channel = old;
		return;
	}
	resolver->reopening = true;
	ares_destroy(old);
	resolver->reopening = false;
	while ((node = list_take_first(&resolver->pending)))
		list_append(&again, node);
	while ((node = list_take_first(&again))) {
		list_append(&resolver->pending, node);
		send_query(resolver, container_of(node, struct resolver_query, node));
	}
}

void resolver_restart(struct resolver *resolver)
{
	config_changed(resolver);
	reopen_channel(resolver);
	arm_timer(resolver);
}

void resolver_refresh(struct resolver *resolver)
{
	if (!config_changed(resolver))
		return;
	reopen_channel(resolver);
	arm_timer(resolver);
}

struct resolver_query *resolver_lookup(struct resolver *resolver, const char *host, int family, void *owner)
{
	struct resolver_query *query = calloc(1, sizeof *query);

	if (!query)
		return NULL;
	query->resolver = resolver;
	query->owner = owner;
	query->answer.family = family;
	strncpy(query->host, host, sizeof query->host - 1);
	if (config_changed(resolver))
		reopen_channel(resolver);
	if (resolver->config_error && !resolver->warned) {
		log_warning(resolver->options.log_name, "%s: %s; using the DNS server at 127.0.0.1 for endpoint names",
					resolver->options.path, strerror(resolver->config_error));
		resolver->warned = true;
	}
	list_append(&resolver->pending, &query->node);
	send_query(resolver, query);
	arm_timer(resolver);
	return query;
}

void resolver_abandon(struct resolver_query *query)
{
	query->owner = NULL;
}

struct resolver *resolver_create(struct ev_loop *loop, const struct resolver_options *options)
{
	struct resolver *resolver = calloc(1, sizeof *resolver);
	int error = resolver ? 0 : -ENOMEM;

	if (error)
		goto fail;
	resolver->loop = loop;
	resolver->options = *options;
	ev_init(&resolver->timer, on_timer);
	resolver->timer.data = resolver;
	error = ares_library_init(ARES_LIB_INIT_ALL) == ARES_SUCCESS ? 0 : -ENOMEM;
	if (error)
		goto free_resolver;
	config_changed(resolver);
	error = open_channel(resolver);
	if (error)
		goto cleanup_library;
	return resolver;
cleanup_library:
	ares_library_cleanup();
free_resolver:
	free(resolver);
fail:
	errno = -error;
	return NULL;
}

static void free_queries(struct list *list)
{
	struct list_node *node;

	while ((node = list_take_first(list)))
		free(container_of(node, struct resolver_query, node));
}

void resolver_destroy(struct resolver *resolver)
{
	struct list_node *node;

	if (!resolver)
		return;
	ares_destroy(resolver->channel); /* finishes all queries and unwatches all sockets */
	ev_timer_stop(resolver->loop, &resolver->timer);
	while ((node = list_take_first(&resolver->sockets)))
		unwatch_socket(container_of(node, struct resolver_socket, node));
	free_queries(&resolver->pending);
	free_queries(&resolver->finished);
	ares_library_cleanup();
	free(resolver);
}
