/* SPDX-License-Identifier: MIT */
#include "tunnel/device.h"

#include <errno.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "base/clock.h"
#include "tunnel/handshake.h"

static void give_up(struct peer *peer)
{
	uint32_t dropped = staged_clear(&peer->device->staged, &peer->staged);

	device_count(peer->device, DROP_STAGED_TIMEOUT, dropped);
	log_info(peer->text, "handshake not answered for 90 s, giving up until there is something to send");
}

static void unanswered(struct peer *peer)
{
	struct device *device = peer->device;

	peer_clear_local(peer);
	if (device->unanswered)
		device->unanswered(device->unanswered_context, peer);
}

static const struct timer_actions actions = {
	.initiate = handshake_initiate,
	.keepalive = handshake_keepalive,
	.give_up = give_up,
	.zero_keys = peer_forget_keys,
	.unanswered = unanswered,
};

/* A writer does not wait behind readers that keep coming. */
static void make_locks(struct device *device)
{
	pthread_rwlockattr_t attributes;

	pthread_rwlockattr_init(&attributes);
	pthread_rwlockattr_setkind_np(&attributes, PTHREAD_RWLOCK_PREFER_WRITER_NONRECURSIVE_NP);
	pthread_rwlock_init(&device->lock, &attributes);
	pthread_rwlockattr_destroy(&attributes);
	pthread_mutex_init(&device->ready_lock, NULL);
}

void device_lock(struct device *device)
{
	if (device->notices && !device->locked++)
		pthread_rwlock_wrlock(&device->lock);
}

void device_unlock(struct device *device)
{
	if (device->notices && !--device->locked)
		pthread_rwlock_unlock(&device->lock);
}

int device_init(struct device *device, const char *name, const struct aead_provider *aead, struct ev_loop *loop)
{
	int error;

	*device = (struct device) { .aead = aead, .realtime = clock_realtime };
	make_locks(device);
	snprintf(device->name, sizeof device->name, "%s", name);
	error = timers_init(&device->timers, &actions, loop);
	if (error)
		return error;
	error = map_init(&device->by_index);
	if (!error)
		error = map_init(&device->by_key);
	if (!error)
		error = staged_pool_init(&device->staged);
	if (!error && !(device->ratelimit = ratelimit_create()))
		error = -ENOMEM;
	if (error)
		device_destroy(device, loop);
	return error;
}

void device_destroy(struct device *device, struct ev_loop *loop)
{
	while (device->first)
		device_remove_peer(device, device->first);
	device_unreserve(device);
	allowedips_destroy(&device->allowed_ips);
	ratelimit_destroy(device->ratelimit);
	staged_pool_destroy(&device->staged);
	map_destroy(&device->by_key);
	map_destroy(&device->by_index);
	timers_destroy(&device->timers, loop);
	pthread_rwlock_destroy(&device->lock);
	pthread_mutex_destroy(&device->ready_lock);
	sodium_memzero(device, sizeof *device);
}

static uint64_t key_hash(const uint8_t public_key[NOISE_KEY])
{
	return get_le64(public_key);
}

struct peer *device_find_peer(const struct device *device, const uint8_t public_key[NOISE_KEY])
{
	struct map_node *node = map_first(&device->by_key, key_hash(public_key));

	for (; node; node = map_next(node)) {
		struct peer *peer = (struct peer *)(void *)((char *)node - offsetof(struct peer, by_key));
		if (!memcmp(peer->remote.public_key, public_key, NOISE_KEY))
			return peer;
	}
	return NULL;
}

static bool is_ourselves(const struct device *device, const uint8_t public_key[NOISE_KEY])
{
	return device->identity.has_key && !memcmp(device->identity.public_key, public_key, NOISE_KEY);
}

struct peer *device_add_peer(struct device *device, const uint8_t public_key[NOISE_KEY])
{
	struct peer *peer;

	if (is_ourselves(device, public_key))
		return errno = EADDRINUSE, NULL;
	if (device_find_peer(device, public_key))
		return errno = EEXIST, NULL;
	if (timers_reserve(&device->timers, device->peer_count + 1))
		return errno = ENOMEM, NULL;
	peer = peer_create(device, public_key);
	if (!peer)
		return errno = ENOMEM, NULL;
	map_insert(&device->by_key, &peer->by_key, key_hash(public_key));
	peer->serial = ++device->serial;
	peer->previous = device->last;
	*(device->last ? &device->last->next : &device->first) = peer;
	device->last = peer;
	device->peer_count++;
	return peer;
}

static int reserve_peer(struct device *device)
{
	struct peer *peer = malloc(sizeof *peer);

	if (!peer)
		return -ENOMEM;
	peer->next = device->spare;
	device->spare = peer;
	return 0;
}

int device_reserve(struct device *device, size_t peers, size_t prefixes)
{
	int error = timers_reserve(&device->timers, device->peer_count + peers);

	for (; peers && !error; peers--)
		error = reserve_peer(device);
	device_lock(device);
	if (!error)
		error = allowedips_reserve(&device->allowed_ips, prefixes); /* it may move the table */
	device_unlock(device);
	if (error)
		device_unreserve(device);
	return error;
}

void device_unreserve(struct device *device)
{
	for (struct peer *peer; (peer = device->spare);) {
		device->spare = peer->next;
		free(peer);
	}
}

void device_remove_peer(struct device *device, struct peer *peer)
{
	device_lock(device);
	/* First, nothing finds it: no route, no key, no index, no timer, no list. */
	allowedips_remove_peer(&device->allowed_ips, peer);
	map_remove(&device->by_key, &peer->by_key);
	*(peer->previous ? &peer->previous->next : &device->first) = peer->next;
	*(peer->next ? &peer->next->previous : &device->last) = peer->previous;
	device->peer_count--;
	device_peer_unready(device, peer);
	timers_peer_stop(peer);
	notices_forget(device->notices, peer);
	if (device->ops)
		device->ops->peer_gone(device->context, peer);
	/* Then it goes: no worker is awake, so none holds anything but what peer_gone took. */
	peer_destroy(peer);
	device_unlock(device);
}

void device_set_private_key(struct device *device, const uint8_t *private_key)
{
	struct peer *ourselves;

	noise_identity_set(&device->identity, private_key);
	ourselves = device->identity.has_key ? device_find_peer(device, device->identity.public_key) : NULL;
	if (ourselves)
		device_remove_peer(device, ourselves);
	for (struct peer *peer = device->first; peer; peer = peer->next) {
		peer_forget_keys(peer);
		noise_remote_reset(&peer->remote);
	}
	if (device->identity.has_key)
		cookie_checker_set(&device->checker, device->identity.public_key);
}

void device_recheck_locals(struct device *device)
{
	for (struct peer *peer = device->first; peer; peer = peer->next)
		peer_recheck_local(peer);
}

void device_clear_locals(struct device *device)
{
	for (struct peer *peer = device->first; peer; peer = peer->next)
		peer_clear_local(peer);
}

static int go_up(struct device *device, uint64_t now)
{
	int error = device->ops->bind(device->context, &device->listen_port, device->mark);

	if (error)
		return error;
	device->up = true;
	for (struct peer *peer = device->first; peer; peer = peer->next)
		if (peer->keepalive)
			handshake_keepalive(peer, now);
	return 0;
}

static void go_down(struct device *device)
{
	device->up = false;
	for (struct peer *peer = device->first; peer; peer = peer->next) {
		timers_peer_stop(peer);
		device_peer_unready(device, peer);
		staged_clear(&device->staged, &peer->staged);
		peer_forget_keys(peer);
	}
	device_clear_locals(device);
	device->ops->unbind(device->context);
}

int device_set_up(struct device *device, bool up, uint64_t now)
{
	int error = 0;

	if (up == device->up)
		return 0;
	device_lock(device);
	if (up)
		error = go_up(device, now);
	else
		go_down(device);
	device_unlock(device);
	return error;
}

int device_set_port(struct device *device, uint16_t port)
{
	int error = 0;

	if (port && port == device->listen_port)
		return 0;
	device_lock(device);
	if (device->up)
		error = device->ops->bind(device->context, &port, device->mark);
	if (!error)
		device->listen_port = port;
	device_unlock(device);
	if (error)
		return error;
	device_clear_locals(device);
	return 0;
}

int device_set_mark(struct device *device, uint32_t mark)
{
	int error = 0;

	if (mark == device->mark)
		return 0;
	if (device->up)
		error = device->ops->set_mark(device->context, mark);
	if (error)
		return error;
	device->mark = mark;
	device_clear_locals(device);
	return 0;
}

/* --- staged packets that can go ----------------------------------------------------------------------------------- */

void device_peer_ready(struct device *device, struct peer *peer)
{
	pthread_mutex_lock(&device->ready_lock);
	if (!peer->ready) {
		peer->ready = true;
		peer->next_ready = device->ready;
		device->ready = peer;
	}
	pthread_mutex_unlock(&device->ready_lock);
	if (device->ops && device->ops->wake)
		device->ops->wake(device->context, staged_waiting(&peer->staged));
}

/* Under ready_lock. */
static void unready(struct device *device, struct peer *peer)
{
	struct peer *before = device->ready;

	if (!peer->ready)
		return;
	peer->ready = false;
	if (before == peer) {
		device->ready = peer->next_ready;
		return;
	}
	while (before->next_ready != peer)
		before = before->next_ready;
	before->next_ready = peer->next_ready;
}

void device_peer_unready(struct device *device, struct peer *peer)
{
	pthread_mutex_lock(&device->ready_lock);
	unready(device, peer);
	pthread_mutex_unlock(&device->ready_lock);
}

struct peer *device_next_ready(struct device *device, unsigned worker)
{
	struct peer *peer, *next;

	pthread_mutex_lock(&device->ready_lock);
	for (peer = device->ready; peer; peer = next) {
		uint32_t waiting = staged_waiting(&peer->staged);
		next = peer->next_ready;
		if (waiting & UINT32_C(1) << worker)
			break;
		if (!waiting)
			unready(device, peer);
	}
	pthread_mutex_unlock(&device->ready_lock);
	return peer;
}

/* --- counters ------------------------------------------------------------------------------------------------------
 */

void device_counters(struct device *device, struct counters *sum)
{
	device_lock(device);
	*sum = device->counters;
	if (device->ops && device->ops->add_counters)
		device->ops->add_counters(device->context, sum);
	device_unlock(device);
}
