/* SPDX-License-Identifier: MIT */
/*
 * Generates the answer to `get=1`.
 *
 * Theory of operation
 *
 * The answer for ten thousand peers is megabytes of text, and the client may read it slowly or never. It is therefore
 * generated in parts, as the client makes room for them, and the device may change between two parts. The cursor,
 * struct uapi_get, identifies the current peer by key and serial number. The next peer is the successor of the current
 * one; if the current peer has been removed, it is the first peer with a greater serial, because the device keeps its
 * peers in the order of their serials. Within a peer, the cursor's list entry is valid until the list of prefixes
 * changes. After a change, the cursor skips as many prefixes as it has already written.
 */
#include <arpa/inet.h>
#include <sodium.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "text.h"
#include "tunnel/peer.h"

struct uapi_answer {
	char *text;
	size_t room, length;
};

static void answer_printf(struct uapi_answer *answer, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* The caller has checked that there is room. */
static void answer_printf(struct uapi_answer *answer, const char *format, ...)
{
	va_list arguments;
	int written;

	va_start(arguments, format);
	written = vsnprintf(answer->text + answer->length, answer->room - answer->length, format, arguments);
	va_end(arguments);
	if (written > 0)
		answer->length += (size_t)written;
}

static void answer_key(struct uapi_answer *answer, const char *name, const uint8_t key[KEY_BYTES])
{
	char hex[KEY_HEX];

	key_to_hex(hex, key);
	answer_printf(answer, "%s=%s\n", name, hex);
	sodium_memzero(hex, sizeof hex);
}

static void answer_interface(struct uapi_answer *answer, const struct device *device)
{
	if (device->identity.has_key)
		answer_key(answer, "private_key", device->identity.private_key);
	if (device->listen_port)
		answer_printf(answer, "listen_port=%u\n", device->listen_port);
	if (device->mark)
		answer_printf(answer, "fwmark=%u\n", device->mark);
	if (device->backend) /* not in the protocol, which lets clients ignore unknown keys */
		answer_printf(answer, "crypto_provider=%s\ntun_backend=%s\nworkers=%u\nlog_level=%s\n", device->aead->name,
					  device->backend, device->workers, log_level_name(log_level()));
}

/* Writes the zone as a number: in the client's network namespace, its name may belong to no or another interface. */
static void answer_endpoint(struct uapi_answer *answer, const struct endpoint *endpoint)
{
	char address[INET6_ADDRSTRLEN], zone[12] = "";

	if (endpoint->to.any.sa_family == AF_INET) {
		inet_ntop(AF_INET, &endpoint->to.v4.sin_addr, address, sizeof address);
		answer_printf(answer, "endpoint=%s:%u\n", address, ntohs(endpoint->to.v4.sin_port));
	} else if (endpoint->to.any.sa_family == AF_INET6) {
		if (endpoint->to.v6.sin6_scope_id)
			snprintf(zone, sizeof zone, "%%%u", endpoint->to.v6.sin6_scope_id);
		inet_ntop(AF_INET6, &endpoint->to.v6.sin6_addr, address, sizeof address);
		answer_printf(answer, "endpoint=[%s%s]:%u\n", address, zone, ntohs(endpoint->to.v6.sin6_port));
	}
}

/* NULL: none yet, or it has been removed. */
static const struct peer *cursor_peer(const struct uapi_get *get, const struct device *device)
{
	const struct peer *peer = get->serial ? peer_lookup(device, get->public_key) : NULL;

	return peer && peer->serial == get->serial ? peer : NULL;
}

/* Writes the peer that follows the current one, and makes it the current one. */
static void get_peer(struct uapi_get *get, const struct device *device, struct uapi_answer *answer)
{
	const struct peer *current = cursor_peer(get, device);
	const struct peer *peer = current ? peer_next(current) : peer_first(device);
	const struct noise_remote *remote;
	uint64_t last_handshake;

	while (peer && peer->serial <= get->serial)
		peer = peer_next(peer);
	if (!peer) {
		get->stage = GET_END;
		return;
	}
	remote = &peer->remote;
	last_handshake = peer_last_handshake(peer, clock_boottime());
	answer_key(answer, "public_key", remote->public_key);
	if (!sodium_is_zero(remote->preshared_key, sizeof remote->preshared_key))
		answer_key(answer, "preshared_key", remote->preshared_key);
	answer_endpoint(answer, &peer->endpoint);
	answer_printf(answer, "last_handshake_time_sec=%llu\n", (unsigned long long)(last_handshake / NS_PER_S));
	answer_printf(answer, "last_handshake_time_nsec=%llu\n", (unsigned long long)(last_handshake % NS_PER_S));
	answer_printf(answer, "tx_bytes=%llu\n", (unsigned long long)peer->tx_bytes);
	answer_printf(answer, "rx_bytes=%llu\n", (unsigned long long)peer->rx_bytes);
	answer_printf(answer, "persistent_keepalive_interval=%u\n", peer->timers.keepalive);
	memcpy(get->public_key, remote->public_key, sizeof get->public_key);
	get->serial = peer->serial;
	get->prefixes_written = 0;
	get->next_prefix = peer->allowed_ips.first;
	get->changes = peer->allowed_ips.changes;
	get->stage = GET_STATE;
}

/*
 * A session expires without an event. So the condition is that of this moment, and idle began with the end of the
 * session.
 */
static void get_state(struct uapi_get *get, const struct device *device, struct uapi_answer *answer)
{
	const struct peer *peer = cursor_peer(get, device);
	uint64_t now = clock_boottime(), wall = device->realtime(), since;
	enum peer_condition condition;
	struct peer_facts facts;

	get->stage = GET_QUALITY;
	if (!peer || !device->backend)
		return;
	facts = peer_facts(peer, now);
	condition = peer_state_condition(&peer->state, &facts);
	since = condition == peer->state.condition ? peer->state.since : 0;
	if (condition == PEER_IDLE && peer->sessions.current)
		since = peer->sessions.current->created + REJECT_AFTER_TIME;
	answer_printf(answer, "state=%s\n", peer_condition_name(condition));
	if (since && wall > now - since) /* a clock that was never set may be younger than the state */
		answer_printf(answer, "state_since_time_sec=%llu\n", (unsigned long long)((wall - (now - since)) / NS_PER_S));
	if (peer->origin)
		answer_printf(answer, "endpoint_origin=%s\n", endpoint_origin_name(peer->origin));
}

/* The warnings of the device, which are not in the protocol. */
static void get_warnings(struct uapi_get *get, const struct device *device, struct uapi_answer *answer)
{
	char text[WARNING_TEXT];

	for (; get->warnings_written < WARNINGS; get->warnings_written++) {
		if (answer->room - answer->length < UAPI_GET_ROOM)
			return;
		if (device_warning(device, (enum warning)get->warnings_written, text, clock_boottime()))
			answer_printf(answer, "warning=%s\n", text);
	}
	get->stage = GET_PEER;
}

/* Why the peer is not up is not in the protocol. */
static void get_problem(struct uapi_get *get, const struct device *device, struct uapi_answer *answer)
{
	const struct peer *peer = cursor_peer(get, device);
	char text[PROBLEM_TEXT];

	if (peer && peer_problem_text(peer, text, clock_boottime()))
		answer_printf(answer, "state_reason=%s\n", text);
	get->stage = GET_LABEL;
}

/* The quality of the link is not in the protocol, either. What has not been measured is left out. */
static void get_quality(struct uapi_get *get, const struct device *device, struct uapi_answer *answer)
{
	const struct peer *peer = cursor_peer(get, device);
	const struct quality *quality = peer ? &peer->quality : NULL;
	struct replay_counts counts = { 0 };

	get->stage = GET_PROBLEM;
	if (!quality)
		return;
	quality_counts(quality, &peer->sessions, clock_boottime(), &counts);
	if (counts.accepted) {
		answer_printf(answer, "rx_datagrams=%llu\n", (unsigned long long)counts.accepted);
		answer_printf(answer, "rx_lost=%llu\n", (unsigned long long)counts.lost);
		answer_printf(answer, "rx_late=%llu\n", (unsigned long long)counts.late);
		answer_printf(answer, "rx_duplicate=%llu\n", (unsigned long long)counts.duplicate);
		for (int i = 0; i < REPLAY_GAPS; i++)
			answer_printf(answer, "%s%llu", i ? "," : "rx_gaps=", (unsigned long long)counts.gaps[i]);
		answer_printf(answer, "\n");
	}
	if (quality->samples)
		answer_printf(answer, "rtt_ns=%llu\nrtt_min_ns=%llu\n", (unsigned long long)quality->rtt,
					  (unsigned long long)quality->rtt_min);
	if (quality->samples > 1)
		answer_printf(answer, "jitter_ns=%llu\n", (unsigned long long)quality->jitter);
}

/* Nor are name and description. */
static void get_label(struct uapi_get *get, const struct device *device, struct uapi_answer *answer)
{
	const struct peer *peer = cursor_peer(get, device);
	const struct peer_label *label = peer ? peer->label : NULL;

	if (label && *label->name)
		answer_printf(answer, "name=%s\n", label->name);
	if (label && *label->description)
		answer_printf(answer, "description=%s\n", label->description);
	get->stage = GET_PREFIXES;
}

static void get_prefixes(struct uapi_get *get, const struct device *device, struct uapi_answer *answer)
{
	const struct peer *peer = cursor_peer(get, device);
	char address[INET6_ADDRSTRLEN];
	uint8_t bytes[16], length;
	int family;

	get->stage = GET_PEER;
	if (!peer)
		return;
	if (get->changes != peer->allowed_ips.changes) {
		get->next_prefix = peer->allowed_ips.first;
		get->changes = peer->allowed_ips.changes;
		for (size_t i = 0; i < get->prefixes_written && get->next_prefix; i++)
			get->next_prefix = allowedips_entry(&device->allowed_ips, get->next_prefix, &family, bytes, &length);
	}
	while (get->next_prefix) {
		if (answer->room - answer->length < UAPI_GET_ROOM) {
			get->stage = GET_PREFIXES;
			return;
		}
		get->next_prefix = allowedips_entry(&device->allowed_ips, get->next_prefix, &family, bytes, &length);
		get->prefixes_written++;
		answer_printf(answer, "allowed_ip=%s/%u\n", inet_ntop(family, bytes, address, sizeof address), length);
	}
	answer_printf(answer, "protocol_version=1\n");
}

size_t uapi_get_next(struct uapi_get *get, const struct device *device, char *text, size_t room)
{
	struct uapi_answer answer = { .text = text, .room = room };

	while (get->stage != GET_DONE && answer.room - answer.length >= UAPI_GET_ROOM) {
		switch (get->stage) {
		case GET_INTERFACE:
			answer_interface(&answer, device);
			get->stage = GET_WARNINGS;
			break;
		case GET_WARNINGS:
			get_warnings(get, device, &answer);
			break;
		case GET_PEER:
			get_peer(get, device, &answer);
			break;
		case GET_STATE:
			get_state(get, device, &answer);
			break;
		case GET_QUALITY:
			get_quality(get, device, &answer);
			break;
		case GET_PROBLEM:
			get_problem(get, device, &answer);
			break;
		case GET_LABEL:
			get_label(get, device, &answer);
			break;
		case GET_PREFIXES:
			get_prefixes(get, device, &answer);
			break;
		case GET_END:
			answer_printf(&answer, "errno=0\n\n");
			get->stage = GET_DONE;
			break;
		case GET_DONE:
			break;
		}
	}
	return answer.length;
}
