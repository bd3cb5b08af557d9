/* SPDX-License-Identifier: MIT */
/*
 * Theory of operation
 *
 * A device of ten thousand peers is megabytes of text, and whoever asked may read it slowly or never. So the answer is
 * made part by part as there is room for it, and between two parts the device goes on living. The cursor names the peer
 * told last by key and serial: its successor is the next. When that peer has gone meanwhile, the next is the first with
 * a later serial, for the list is in the order of serials. Within a peer a place in its list of prefixes is good
 * while the list counts no change; after one, as many are skipped as were told.
 */
#include <arpa/inet.h>
#include <sodium.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "text.h"

struct text {
	char *at;
	size_t room, used;
};

static void put(struct text *text, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* The caller has seen to the room. */
static void put(struct text *text, const char *format, ...)
{
	va_list arguments;
	int written;

	va_start(arguments, format);
	written = vsnprintf(text->at + text->used, text->room - text->used, format, arguments);
	va_end(arguments);
	if (written > 0)
		text->used += (size_t)written;
}

static void put_key(struct text *text, const char *name, const uint8_t key[KEY_BYTES])
{
	char hex[KEY_HEX];

	key_to_hex(hex, key);
	put(text, "%s=%s\n", name, hex);
	sodium_memzero(hex, sizeof hex);
}

static void put_interface(struct text *text, const struct device *device)
{
	if (device->identity.has_key)
		put_key(text, "private_key", device->identity.private_key);
	if (device->listen_port)
		put(text, "listen_port=%u\n", device->listen_port);
	if (device->mark)
		put(text, "fwmark=%u\n", device->mark);
	if (device->backend) /* not of the protocol, whose clients pass over what they do not know */
		put(text, "crypto_provider=%s\ntun_backend=%s\nworkers=%u\n", device->aead->name, device->backend,
			device->workers);
}

/* The zone is a number: a name may mean another interface, or none, in the network namespace of the reader. */
static void put_endpoint(struct text *text, const struct endpoint *endpoint)
{
	char address[INET6_ADDRSTRLEN], zone[12] = "";

	if (endpoint->to.any.sa_family == AF_INET) {
		inet_ntop(AF_INET, &endpoint->to.v4.sin_addr, address, sizeof address);
		put(text, "endpoint=%s:%u\n", address, ntohs(endpoint->to.v4.sin_port));
	} else if (endpoint->to.any.sa_family == AF_INET6) {
		if (endpoint->to.v6.sin6_scope_id)
			snprintf(zone, sizeof zone, "%%%u", endpoint->to.v6.sin6_scope_id);
		inet_ntop(AF_INET6, &endpoint->to.v6.sin6_addr, address, sizeof address);
		put(text, "endpoint=[%s%s]:%u\n", address, zone, ntohs(endpoint->to.v6.sin6_port));
	}
}

static void put_peer(struct text *text, const struct peer *peer)
{
	const struct noise_remote *remote = &peer->remote;

	put_key(text, "public_key", remote->public_key);
	if (!sodium_is_zero(remote->preshared_key, sizeof remote->preshared_key))
		put_key(text, "preshared_key", remote->preshared_key);
	put_endpoint(text, &peer->endpoint);
	put(text, "last_handshake_time_sec=%llu\n", (unsigned long long)(peer->handshake_completed / NS_PER_S));
	put(text, "last_handshake_time_nsec=%llu\n", (unsigned long long)(peer->handshake_completed % NS_PER_S));
	put(text, "tx_bytes=%llu\n", (unsigned long long)peer->tx_bytes);
	put(text, "rx_bytes=%llu\n", (unsigned long long)peer->rx_bytes);
	put(text, "persistent_keepalive_interval=%u\n", peer->keepalive);
}

/* The peer told last, or NULL when it is gone. */
static const struct peer *current_peer(const struct uapi_get *get, const struct device *device)
{
	const struct peer *peer = get->serial ? device_find_peer(device, get->public_key) : NULL;

	return peer && peer->serial == get->serial ? peer : NULL;
}

static const struct peer *next_peer(const struct uapi_get *get, const struct device *device)
{
	const struct peer *peer = current_peer(get, device);

	if (peer)
		return peer->next;
	for (peer = device->first; peer && peer->serial <= get->serial;)
		peer = peer->next;
	return peer;
}

static void tell_peer(struct uapi_get *get, const struct device *device, struct text *text)
{
	const struct peer *peer = next_peer(get, device);

	if (!peer) {
		get->stage = GET_END;
		return;
	}
	put_peer(text, peer);
	memcpy(get->public_key, peer->remote.public_key, sizeof get->public_key);
	get->serial = peer->serial;
	get->told = 0;
	get->next = peer->allowed_ips.first;
	get->changes = peer->allowed_ips.changes;
	get->stage = GET_PREFIXES;
}

static void find_place_again(struct uapi_get *get, const struct device *device, const struct allowedip_list *list)
{
	struct ip_prefix skipped;
	int family;

	get->next = list->first;
	get->changes = list->changes;
	for (size_t i = 0; i < get->told && get->next; i++)
		get->next = allowedips_entry(&device->allowed_ips, get->next, &family, skipped.address, &skipped.length);
}

static void tell_prefixes(struct uapi_get *get, const struct device *device, struct text *text)
{
	const struct peer *peer = current_peer(get, device);
	char address[INET6_ADDRSTRLEN];

	get->stage = GET_PEER;
	if (!peer)
		return;
	if (get->changes != peer->allowed_ips.changes)
		find_place_again(get, device, &peer->allowed_ips);
	while (get->next) {
		uint8_t bytes[16], length;
		int family;
		if (text->room - text->used < UAPI_GET_ROOM) {
			get->stage = GET_PREFIXES;
			return;
		}
		get->next = allowedips_entry(&device->allowed_ips, get->next, &family, bytes, &length);
		get->told++;
		put(text, "allowed_ip=%s/%u\n", inet_ntop(family, bytes, address, sizeof address), length);
	}
	put(text, "protocol_version=1\n");
}

static void tell(struct uapi_get *get, const struct device *device, struct text *text)
{
	switch (get->stage) {
	case GET_INTERFACE:
		put_interface(text, device);
		get->stage = GET_PEER;
		break;
	case GET_PEER:
		tell_peer(get, device, text);
		break;
	case GET_PREFIXES:
		tell_prefixes(get, device, text);
		break;
	case GET_END:
		put(text, "errno=0\n\n");
		get->stage = GET_DONE;
		break;
	case GET_DONE:
		break;
	}
}

size_t uapi_get_next(struct uapi_get *get, const struct device *device, char *buffer, size_t room)
{
	struct text text = { .at = buffer, .room = room };

	while (get->stage != GET_DONE && text.room - text.used >= UAPI_GET_ROOM)
		tell(get, device, &text);
	return text.used;
}
