/* SPDX-License-Identifier: MIT */
/* Handover: stores descriptors and endpoints, and takes over those of an earlier process. */
#include "daemon/handover.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <net/if.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "daemon/notify.h"
#include "network/network.h"
#include "network/resolvconf.h"
#include "tunnel/control.h"
#include "tunnel/handshake.h"
#include "tunnel/peer.h"

#define GREET_INTERVAL 0.01 /* seconds */

enum {
	GREET_BATCH = 16, /* initiations per interval: 1,600 per second, about a fifth of a processor */
	BARRIER_MS = 1000,
	CLOSE_WAIT_US = 20000, /* systemd 253 and later close the descriptors in another process */
};

/* The names of the sets in the store. */
static const char tun_set[] = "tun", udp_set[] = "udp", table_set[] = "table", endpoints_set[] = "endpoints",
				  dns_set[] = "dns";

static_assert(WORKERS_MAX + WORKER_POOL_SOCKETS + 3 <= FD_STORE_MAX, "all sets fit into the store");

static void close_set(const char *name, const int *fds, size_t count)
{
	for (size_t i = 0; i < count; i++)
		close(fds[i]);
	if (count)
		fd_store_replace(name, NULL, 0);
}

/* Waits until the service manager has closed what was removed from its store. */
static void wait_until_closed(void)
{
	if (notify_is_possible() && !notify_barrier(BARRIER_MS))
		usleep(CLOSE_WAIT_US);
}

void handover_receive(struct handover *handover)
{
	int mark;

	*handover = (struct handover) { .possible = notify_is_possible(), .adopted_socket = -1 };
	fd_store_receive(&handover->store);
	handover->resumed = handover->store.count > 0;
	handover->name_servers = fd_store_take(&handover->store, dns_set, &mark, 1);
	if (handover->name_servers)
		close(mark);
}

/* --- name servers ----- */

/*
 * The mark is a descriptor of /dev/null in the store. Without it, a process whose file has no DNS could not know that
 * the process before it has left name servers.
 */
static void mark_name_servers(struct handover *handover, bool set)
{
	int fd = -1;

	if (handover->name_servers == set)
		return;
	if (set)
		fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
	fd_store_replace(dns_set, &fd, fd >= 0 ? 1 : 0);
	if (fd >= 0)
		close(fd);
	handover->name_servers = set;
}

/* --- the claim on the routing table ----- */

void handover_take_claim(struct handover *handover, struct table_claim *claim)
{
	int fd;

	if (fd_store_take(&handover->store, table_set, &fd, 1) && table_claim_adopt(claim, fd))
		close_set(table_set, &fd, 1);
	handover->stored_table = claim->table;
}

void handover_refuse_claim(struct handover *handover, struct table_claim *claim)
{
	if (!claim->table)
		return;
	table_claim_release(claim);
	handover->stored_table = 0;
	fd_store_replace(table_set, NULL, 0);
	wait_until_closed();
}

static void store_claim(struct handover *handover, const struct table_claim *claim)
{
	if (claim->table == handover->stored_table)
		return;
	fd_store_replace(table_set, &claim->fd, claim->table ? 1 : 0);
	handover->stored_table = claim->table;
}

/* --- the TUN ----- */

bool handover_take_tun(struct handover *handover, struct tun *queues, unsigned *count, const struct config *config)
{
	int fds[WORKERS_MAX], error = -EINVAL;
	size_t found = fd_store_take(&handover->store, tun_set, fds, WORKERS_MAX);

	if (!found)
		return false;
	if (found == *count)
		error = tun_adopt_queues(queues, *count, config->interface, fds);
	if (error) {
		log_info(config->interface, "the interface of the previous process does not fit the file; creating a new one");
		tun_delete(fds[0]);
		close_set(tun_set, fds, found);
		return false;
	}
	handover->adopted = true;
	return true;
}

/* --- the UDP sockets ----- */

static void on_store_sockets(struct ev_loop *loop, struct ev_timer *timer, int events)
{
	struct handover *handover = timer->data;
	int fds[WORKER_POOL_SOCKETS];
	size_t count = worker_pool_sockets(handover->pool, fds);

	fd_store_replace(udp_set, fds, count);
}

/* A worker pool holds the device lock here, so the message is sent later. */
static void on_sockets_changed(void *context)
{
	struct handover *handover = context;
	bool same = handover->adopted_socket >= 0 && handover->pool->udp.v4 == handover->adopted_socket;

	handover->adopted_socket = -1;
	if (!same)
		ev_timer_start(handover->loop, &handover->store_sockets);
}

/* The sockets in use are stored again later, because the port may be in use by another program. */
static void on_release_sockets(void *context)
{
	struct handover *handover = context;

	fd_store_replace(udp_set, NULL, 0);
	wait_until_closed();
	ev_timer_start(handover->loop, &handover->store_sockets);
}

/* Splits the sockets by family and takes over one of each as a pair. Returns 0 or negative errno. */
static int adopt_pairs(struct udp *udp, unsigned count, const int *fds, size_t found, const struct config *config)
{
	int v4[WORKER_POOL_SOCKETS], v6[WORKER_POOL_SOCKETS], error = 0;
	size_t v4_count = 0, v6_count = 0;

	for (size_t i = 0; i < found; i++) {
		int family = 0;
		socklen_t length = sizeof family;

		if (getsockopt(fds[i], SOL_SOCKET, SO_DOMAIN, &family, &length))
			return -errno;
		if (family == AF_INET6)
			v6[v6_count++] = fds[i];
		else
			v4[v4_count++] = fds[i];
	}
	if (v4_count != count || (v6_count && v6_count != count))
		return -EINVAL;
	for (unsigned i = 0; i < count && !error; i++) {
		error = udp_adopt(&udp[i], v4[i], v6_count ? v6[i] : -1, count > 1);
		if (!error && (udp[i].port != udp[0].port || (config->listen_port && udp[i].port != config->listen_port)))
			error = -EINVAL;
	}
	return error;
}

void handover_take_sockets(struct handover *handover, struct worker_pool *pool, const struct config *config,
						   struct ev_loop *loop)
{
	struct udp udp[WORKERS_MAX];
	int fds[WORKER_POOL_SOCKETS];
	size_t found = fd_store_take(&handover->store, udp_set, fds, WORKER_POOL_SOCKETS);

	if (found && adopt_pairs(udp, pool->count, fds, found, config)) {
		log_debug(config->interface, "the sockets of the previous process do not fit the file");
		close_set(udp_set, fds, found);
	} else if (found) {
		handover->adopted_socket = udp[0].v4;
		worker_pool_adopt(pool, udp);
	}
	if (!handover->possible)
		return;
	handover->pool = pool;
	handover->loop = loop;
	ev_timer_init(&handover->store_sockets, on_store_sockets, 0, 0);
	handover->store_sockets.data = handover;
	pool->owner = (struct socket_owner) { on_sockets_changed, on_release_sockets, handover };
}

/* --- endpoints ----- */

void handover_take_endpoints(struct handover *handover, const struct config *config)
{
	int fd, restored;

	if (!handover->pool || !fd_store_take(&handover->store, endpoints_set, &fd, 1))
		return;
	restored = saved_endpoints_restore(fd, config, handover->pool->device);
	close(fd);
	if (!handover->adopted) /* all hooks run again for a new interface */
		list_for_each (peer, &handover->pool->device->peers, struct peer, node)
			peer->state.announced = peer->state.inherited = false;
	if (restored < 0)
		log_warning(config->interface, "the saved endpoints cannot be used: %s", strerror(-restored));
	else
		log_debug(config->interface, "%d endpoint%s taken over from the previous process", restored,
				  restored == 1 ? "" : "s");
}

static void on_endpoint_changed(void *context, struct peer *peer)
{
	struct handover *handover = context;

	saved_endpoints_update(&handover->saved, peer->remote.public_key, &peer->endpoint, peer->state.announced);
}

static void store_endpoints(struct handover *handover, const struct config *config)
{
	struct device *device = handover->pool->device;
	int error = saved_endpoints_create(&handover->saved, config, device);

	if (error)
		log_warning(device->name, "endpoints are not saved for a restart: %s", strerror(-error));
	fd_store_replace(endpoints_set, &handover->saved.fd, error ? 0 : 1);
}

/* --- initiations ----- */

static void on_greet(struct ev_loop *loop, struct ev_timer *timer, int events)
{
	struct handover *handover = timer->data;
	uint64_t now = clock_boottime();
	struct peer *peer = peer_first(handover->pool->device);
	unsigned sent = 0;

	while (peer && peer->serial <= handover->greeted)
		peer = peer_next(peer);
	for (; peer && sent < GREET_BATCH; peer = peer_next(peer)) {
		handover->greeted = peer->serial;
		if (!endpoint_known(&peer->endpoint) || peer_session(peer, now))
			continue;
		handshake_initiate(peer, now, false);
		sent++;
	}
	if (!peer)
		ev_timer_stop(loop, timer);
}

/* --- start and end ----- */

void handover_start(struct handover *handover, const struct config *config, const struct table_claim *claim)
{
	int fds[WORKERS_MAX];
	struct device *device;
	size_t count;

	fd_store_discard(&handover->store);
	if (!handover->pool)
		return;
	device = handover->pool->device;
	if (!handover->adopted) {
		count = worker_pool_queues(handover->pool, fds);
		fd_store_replace(tun_set, fds, count);
	}
	store_claim(handover, claim);
	store_endpoints(handover, config);
	mark_name_servers(handover, config->dns_servers);
	device->endpoint_changed = on_endpoint_changed;
	device->endpoint_changed_context = handover;
	ev_timer_init(&handover->greet, on_greet, 0, GREET_INTERVAL);
	handover->greet.data = handover;
	if (!handover->resumed)
		return;
	control_recheck_locals(device); /* the saved local addresses have not been verified */
	ev_timer_start(handover->loop, &handover->greet);
}

void handover_reloaded(struct handover *handover, const struct config *config, const struct table_claim *claim)
{
	if (!handover->pool)
		return;
	store_claim(handover, claim);
	store_endpoints(handover, config);
	if (config->dns_servers) /* if not, they are still being removed */
		mark_name_servers(handover, true);
}

void handover_leave(struct handover *handover)
{
	struct worker_pool *pool = handover->pool;

	if (!pool)
		return;
	pool->owner = (struct socket_owner) { 0 };
	pool->device->endpoint_changed = NULL;
	ev_timer_stop(handover->loop, &handover->store_sockets);
	ev_timer_stop(handover->loop, &handover->greet);
	saved_endpoints_close(&handover->saved);
	handover->pool = NULL;
}

static void empty_store(void)
{
	static const char *const sets[] = { tun_set, udp_set, table_set, endpoints_set, dns_set };

	for (size_t i = 0; i < sizeof sets / sizeof *sets; i++)
		fd_store_replace(sets[i], NULL, 0);
}

void handover_stop(struct handover *handover)
{
	int queue = handover->pool ? worker_pool_tun(handover->pool) : -1;

	if (queue < 0)
		return;
	handover_leave(handover);
	empty_store();
	tun_delete(queue);
}

void handover_sweep(struct handover *handover)
{
	int fds[WORKERS_MAX];
	size_t found = fd_store_take(&handover->store, tun_set, fds, WORKERS_MAX);
	struct table_claim claim = { 0 };
	struct tun tun;

	if (found && tun_adopt(&tun, fds[0]) == 0) {
		handover_take_claim(handover, &claim);
		log_info(tun.name, "removing the network of the previous process");
		network_sweep(if_nametoindex(tun.name), &claim);
		tun_delete(fds[0]);
		if (handover->name_servers)
			resolvconf_remove(tun.name);
	}
	close_set(tun_set, fds, found);
	fd_store_discard(&handover->store);
	if (handover->possible && found)
		empty_store();
}
