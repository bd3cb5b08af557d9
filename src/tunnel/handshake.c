/* SPDX-License-Identifier: MIT */
#include "tunnel/handshake.h"

#include <errno.h>
#include <sodium.h>
#include <string.h>

#include "base/bytes.h"
#include "base/clock.h"
#include "crypto/message.h"

enum {
	TRAFFIC_CLASS = 0x88, /* AF41 (RFC 2597), as the kernel marks handshakes */
	LOAD_PER_WINDOW = 64, /* handshakes in LOAD_WINDOW that keep one core about a tenth busy */
};
#define LOAD_WINDOW (100 * NS_PER_MS)
#define LOAD_AFTER NS_PER_S

static int transmit(struct peer *peer, const struct endpoint *to, const void *message, size_t n, uint8_t traffic_class)
{
	struct device *device = peer->device;

	return device->ops->send(device->context, peer, to, message, n, traffic_class);
}

/* Stamps the MACs of a finished handshake message and sends it. */
static void send_handshake(struct peer *peer, void *message, size_t n, uint64_t now)
{
	cookie_stamp(&peer->cookies, peer->remote.public_key, message, n, now);
	peer->handshake_sent = now;
	peer->handshake_sent_known = true;
	device_count(peer->device, COUNT_HANDSHAKE_SENT, 1);
	if (!transmit(peer, &peer->endpoint, message, n, TRAFFIC_CLASS))
		peer->tx_bytes += n;
	timers_any_sent(peer, now);
}

/* Puts a new index in the place of the last handshake's. NULL without memory. */
static struct peer_index *renew_index(struct peer *peer)
{
	peer_index_destroy(peer->handshake_index);
	peer->handshake_index = peer_index_create(peer);
	return peer->handshake_index;
}

void handshake_initiate(struct peer *peer, uint64_t now, bool retry)
{
	struct device *device = peer->device;
	struct message_initiation message;
	uint8_t timestamp[NOISE_TIMESTAMP];
	int error;

	if (!retry)
		peer->timers.attempts = 0;
	if (peer->handshake_sent_known && now - peer->handshake_sent < REKEY_TIMEOUT)
		return;
	if (!device->up || !endpoint_known(&peer->endpoint) || !renew_index(peer))
		return;
	noise_timestamp(timestamp, device->realtime());
	error =
		noise_create_initiation(&device->identity, &peer->remote, peer->handshake_index->index, timestamp, &message);
	if (error) {
		if (log_allowed(&peer->log, now))
			log_info(peer->text, "no handshake: %s", strerror(-error));
		return;
	}
	if (log_allowed(&peer->log, now))
		log_debug(peer->text, "sending handshake initiation");
	send_handshake(peer, &message, sizeof message, now);
	timers_handshake_initiated(peer, now);
}

void handshake_keepalive(struct peer *peer, uint64_t now)
{
	struct session *session = peer_session(peer, now);
	uint8_t memory[AEAD_HEADROOM + DATA_HEADER + AEAD_TAILROOM], *slot = memory + AEAD_HEADROOM;
	uint64_t counter;

	if (session && staged_waiting(&peer->staged)) {
		device_peer_ready(peer->device, peer);
		return;
	}
	if (!session || !session_reserve(session, 1, &counter)) {
		handshake_initiate(peer, now, false);
		return;
	}
	session_seal(session, counter, slot, 0);
	if (!transmit(peer, &peer->endpoint, slot, DATA_OVERHEAD, 0))
		peer->tx_bytes += DATA_OVERHEAD;
	timers_any_sent(peer, now);
	if (session_rekey_on_send(session, now))
		handshake_initiate(peer, now, false);
}

/* Counts one handshake. Under load once a window held too many, and for LOAD_AFTER from then. */
static bool under_load(struct device *device, uint64_t now)
{
	if (now - device->load_since >= LOAD_WINDOW) {
		device->load_since = now;
		device->load_count = 0;
	}
	if (++device->load_count >= LOAD_PER_WINDOW || notices_waiting(device->notices) >= NOTICE_BUSY)
		device->load_until = now + LOAD_AFTER;
	return now < device->load_until;
}

static void send_cookie(struct device *device, const uint8_t *message, size_t n, const struct endpoint *from,
						const uint8_t *source, size_t source_length, uint64_t now)
{
	struct message_cookie reply;
	const uint8_t *mac1 = message + n - sizeof(struct message_macs);

	cookie_reply(&device->checker, &reply, message + offsetof(struct message_initiation, sender), mac1, source,
				 source_length, now);
	device->ops->send(device->context, NULL, from, &reply, sizeof reply, TRAFFIC_CLASS);
	device_count(device, COUNT_COOKIE_SENT, 1);
}

/* What stands before any curve work: mac1, and under load mac2 and the limit of the source. */
static bool admitted(struct device *device, const uint8_t *message, size_t n, const struct endpoint *from, uint64_t now)
{
	uint8_t source[ENDPOINT_BYTES];
	size_t length = endpoint_bytes(source, from);
	bool loaded = under_load(device, now);

	switch (cookie_check(&device->checker, message, n, source, length, loaded, now)) {
	case COOKIE_FORGED:
		device_count(device, DROP_MAC, 1);
		return false;
	case COOKIE_MAC1:
		if (!loaded)
			return true;
		device_count(device, COUNT_UNDER_LOAD, 1);
		send_cookie(device, message, n, from, source, length, now);
		return false;
	case COOKIE_MAC2:
		break;
	}
	if (ratelimit_allow(device->ratelimit, source, length - sizeof(in_port_t), now))
		return true;
	device_count(device, DROP_RATE, 1);
	return false;
}

static void refuse(struct device *device, const char *subject, struct log_limit *limit, const struct endpoint *from,
				   int error, uint64_t now)
{
	char text[ENDPOINT_TEXT];

	device_count(device, DROP_HANDSHAKE, 1);
	if (log_enabled(LOG_DEBUG) && log_allowed(limit, now))
		log_debug(subject, "handshake from %s refused: %s", endpoint_text(text, from), strerror(-error));
}

/* The one mistake that is easily made, and that neither end can see in its own file. */
static void hint_at_cipher(struct peer *peer, uint64_t now)
{
	if (log_allowed(&peer->log, now))
		log_info(peer->text, "its Cipher differs from what is set here, %s; both ends must say the same",
				 suite_name(peer->remote.suite));
}

static struct noise_remote *find_remote(void *context, const uint8_t public_key[NOISE_KEY])
{
	struct peer *peer = device_find_peer(context, public_key);

	return peer ? &peer->remote : NULL;
}

static struct peer *peer_of(struct noise_remote *remote)
{
	return (struct peer *)(void *)((char *)remote - offsetof(struct peer, remote));
}

static void receive_initiation(struct device *device, const struct message_initiation *message,
							   const struct endpoint *from, uint64_t now)
{
	struct message_response response;
	struct noise_remote *remote;
	struct peer *peer;
	int error = noise_consume_initiation(&device->identity, message, find_remote, device, now, &remote);

	if (error == -EPROTONOSUPPORT)
		hint_at_cipher(peer_of(remote), now);
	if (error) {
		refuse(device, device->name, &device->log, from, error, now);
		return;
	}
	peer = peer_of(remote);
	peer_set_endpoint(peer, from);
	peer_received(peer, sizeof *message, now);
	if (!renew_index(peer))
		return;
	error = noise_create_response(remote, peer->handshake_index->index, &response);
	if (!error)
		error = peer_begin_session(peer, now);
	if (error) {
		refuse(device, peer->text, &peer->log, from, error, now);
		return;
	}
	if (log_allowed(&peer->log, now))
		log_debug(peer->text, "answering handshake initiation");
	send_handshake(peer, &response, sizeof response, now);
}

static struct peer_index *find_index(struct device *device, const uint8_t receiver[4])
{
	return (struct peer_index *)(void *)map_first(&device->by_index, get_le32(receiver));
}

/* The handshake is over: its session is there, and what was staged goes before anything that comes now. */
static int complete(struct peer *peer, const struct endpoint *from, uint64_t now)
{
	int error;

	device_lock(peer->device);
	error = peer_begin_session(peer, now);
	if (!error) {
		peer_set_endpoint(peer, from);
		peer_received(peer, sizeof(struct message_response), now);
		peer_handshake_completed(peer);
		handshake_keepalive(peer, now); /* or an empty packet: the responder waits for the first */
	}
	device_unlock(peer->device);
	return error;
}

static void receive_response(struct device *device, const struct message_response *message, const struct endpoint *from,
							 uint64_t now)
{
	struct peer_index *index = find_index(device, message->receiver);
	struct peer *peer = index ? index->peer : NULL;
	int error = -ENOENT;

	if (index && !index->session)
		error = noise_consume_response(&device->identity, &peer->remote, message);
	if (!error)
		error = complete(peer, from, now);
	if (error)
		refuse(device, device->name, &device->log, from, error, now);
	else if (log_allowed(&peer->log, now))
		log_debug(peer->text, "handshake completed");
}

/* The endpoint stays: a cookie reply is authentic only as far as the message it answers was seen. */
static void receive_cookie(struct device *device, const struct message_cookie *message, const struct endpoint *from,
						   uint64_t now)
{
	struct peer_index *index = find_index(device, message->receiver);
	struct peer *peer = index ? index->peer : NULL;
	int error = peer ? cookie_consume(&peer->cookies, peer->remote.public_key, message, now) : -ENOENT;

	if (error)
		refuse(device, device->name, &device->log, from, error, now);
	else
		peer->rx_bytes += sizeof *message;
}

void handshake_receive(struct device *device, const uint8_t *message, size_t n, const struct endpoint *from,
					   uint64_t now)
{
	uint32_t type = n >= 4 ? get_le32(message) : 0;

	if (!device->identity.has_key) {
		device_count(device, DROP_HANDSHAKE, 1);
	} else if (type == MESSAGE_COOKIE && n == sizeof(struct message_cookie)) {
		receive_cookie(device, (const void *)message, from, now);
	} else if (type == MESSAGE_INITIATION && n == sizeof(struct message_initiation)) {
		if (admitted(device, message, n, from, now))
			receive_initiation(device, (const void *)message, from, now);
	} else if (type == MESSAGE_RESPONSE && n == sizeof(struct message_response)) {
		if (admitted(device, message, n, from, now))
			receive_response(device, (const void *)message, from, now);
	} else {
		device_count(device, DROP_MALFORMED, 1);
	}
}
