/* SPDX-License-Identifier: MIT */
/* The handshake with a peer. */
#include "tunnel/handshake.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "base/clock.h"
#include "base/keytext.h"
#include "crypto/message.h"

enum { RESPONSE_JITTER = 4 };           /* times the jitter that follows a response */
enum { REFUSED_BURST = 20 };            /* events of refused handshakes at once, and then */
#define REFUSED_INTERVAL (NS_PER_S / 5) /* one per interval */

/* --- sending ----- */

/* The timers come first, because a worker may receive the answer before the system call returns. */
static void send_to_peer(struct peer *peer, const void *message, size_t n, uint8_t traffic_class, uint64_t now)
{
	const struct device *device = peer->device;
	int error;

	timers_any_sent(&peer->device->timers, &peer->timers, now);
	error = device->ops->send(device->ops_context, peer, &peer->endpoint, message, n, traffic_class);
	if (!error)
		peer->tx_bytes += n;
	if (error != -EAGAIN && atomic_exchange(&peer->state.send_error, -error) != -error)
		peer_update_state(peer, now);
}

/* A handshake message leaves at `now`, and for the time `pause` no initiation follows it. */
static void close_gate(struct peer *peer, uint64_t pause, uint64_t now)
{
	peer->handshake_sent = now;
	peer->handshake_gate = now + pause;
}

static bool is_gate_closed(const struct peer *peer, uint64_t now)
{
	return now < peer->handshake_gate;
}

/* `step` is followed by the endpoint. */
static void log_step(struct peer *peer, const char *step, uint64_t now)
{
	char text[ENDPOINT_TEXT];

	if (log_debug_allowed(&peer->log, now))
		log_debug(peer_text(peer), "%s %s", step, endpoint_text(text, &peer->endpoint));
}

/* Adds the MACs to a handshake message and sends it. */
static void send_handshake(struct peer *peer, void *message, size_t n, uint64_t now)
{
	cookie_stamp(&peer->cookies, peer->remote.public_key, message, n, now);
	device_count(peer->device, COUNT_HANDSHAKE_SENT, 1);
	send_to_peer(peer, message, n, HANDSHAKE_TRAFFIC_CLASS, now);
}

void handshake_unanswered(struct peer *peer, uint64_t now)
{
	struct device *device = peer->device;
	struct peer_facts facts = peer_facts(peer, now);

	device_count(device, COUNT_UNANSWERED, 1);
	/* While the last session works, only a message was lost. */
	if (!peer->problem.bad_answer && peer_state_condition(&peer->state, &facts) != PEER_UP)
		peer_report_problem(peer, &(struct problem) { .kind = PROBLEM_SILENT, .endpoint = peer->endpoint }, now);
	if (device->ops->watch_errors)
		device->ops->watch_errors(device->ops_context);
	device_lock(device);
	peer_clear_local(peer);
	device_unlock(device);
	if (device->unanswered)
		device->unanswered(device->unanswered_context, peer);
}

/* Creates an initiation under a new index. Returns 0 or negative errno. */
static int create_initiation(struct peer *peer, struct message_initiation *message, uint64_t now)
{
	struct device *device = peer->device;
	uint8_t timestamp[NOISE_TIMESTAMP];
	struct peer_index *index = peer_index_create(peer);
	int error;

	if (!index)
		return -ENOMEM;
	noise_timestamp(timestamp, device_stamp_time(device, now));
	error = noise_create_initiation(&device->identity, &peer->remote, index->index, timestamp, message);
	if (error) {
		free(index);
		return error;
	}
	device_lock(device);
	peer_set_handshake_index(peer, index);
	device_unlock(device);
	peer->problem.bad_answer = false;
	return 0;
}

static void report_no_initiation(struct peer *peer, int error, uint64_t now)
{
	switch (error) {
	case -ENOKEY:
		peer_report_problem(peer, &(struct problem) { .kind = PROBLEM_NO_KEY }, now);
		break;
	case -EKEYREJECTED:
		peer_report_problem(peer, &(struct problem) { .kind = PROBLEM_BAD_KEY }, now);
		break;
	default:
		if (log_allowed(&peer->log, now))
			log_info(peer_text(peer), "no handshake: %s", strerror(-error));
	}
}

/*
 * An initiation that cannot be created closes the gate and sets the timer like one that is sent. Otherwise each packet
 * would try again, and staged packets would wait for ever.
 */
void handshake_initiate(struct peer *peer, uint64_t now, bool retry)
{
	struct device *device = peer->device;
	struct message_initiation message;
	struct peer_facts facts;
	int error;

	if (!retry)
		peer->timers.attempts = 0;
	if (is_gate_closed(peer, now)) {
		/* A response has closed it. If it is lost, and the peer does not initiate again, it is our turn. */
		if (!timers_handshake_pending(&peer->timers) && !peer_session(peer, now))
			timers_handshake_initiated(&device->timers, &peer->timers, peer->handshake_gate - REKEY_TIMEOUT);
		return;
	}
	/* Under traffic, a packet triggers the retry before the timer does, because the timer adds jitter. */
	facts = peer_facts(peer, now);
	if (!retry && peer->handshake_index) {
		peer_state_unanswered(&peer->state, &facts, now);
		handshake_unanswered(peer, now);
	}
	if (!device->up || !endpoint_known(&peer->endpoint) || is_gate_closed(peer, now)) {
		peer_update_state(peer, now);
		return;
	}
	if (peer_state_initiated(&peer->state, &facts, now))
		peer_emit(peer, &(struct event) { .kind = EVENT_HANDSHAKE_BEGUN });
	error = create_initiation(peer, &message, now);
	close_gate(peer, REKEY_TIMEOUT, now);
	if (error) {
		report_no_initiation(peer, error, now);
	} else {
		log_step(peer, peer->timers.attempts ? "handshake initiation repeated to" : "handshake initiation sent to",
				 now);
		peer->quality.initiation_sent = device->boottime();
		send_handshake(peer, &message, sizeof message, now);
	}
	timers_handshake_initiated(&device->timers, &peer->timers, now);
	peer_update_state(peer, now);
}

void handshake_keepalive(struct peer *peer, uint64_t now)
{
	struct session *session = peer_session(peer, now);
	uint8_t memory[AEAD_HEADROOM + DATA_HEADER + AEAD_TAILROOM], *slot = memory + AEAD_HEADROOM;
	uint64_t counter;

	if (session && peer_send_staged(peer))
		return;
	if (!session || !session_reserve(session, 1, &counter)) {
		handshake_initiate(peer, now, false);
		return;
	}
	session_seal(session, counter, slot, 0);
	log_step(peer, "keepalive sent to", now);
	send_to_peer(peer, slot, DATA_OVERHEAD, 0, now);
	if (session_rekey_on_send(session, now))
		handshake_initiate(peer, now, false);
}

void handshake_resume(struct peer *peer, uint64_t now)
{
	bool keepalive = peer->timers.keepalive && !peer_session(peer, now);

	if (peer->device->up && (keepalive || staged_waiting(&peer->staged)))
		handshake_keepalive(peer, now);
}

/* --- receiving ----- */

static const char *refusal_reason(int error)
{
	switch (error) {
	case -ENOENT:
		return "it is from an unknown peer, or answers nothing that we sent";
	case -EBADMSG:
		return "it is not authentic, or the preshared keys differ";
	case -EPROTONOSUPPORT:
		return "the peer uses another Cipher";
	case -EALREADY:
		return "it is a replay";
	case -ESTALE:
		return "it is a replay, or the clock of the peer was set back";
	case -EBUSY:
		return "it came too soon after the last one";
	default:
		return strerror(-error);
	}
}

/* `peer`: NULL if it is not known. */
static void emit_refusal(struct device *device, const struct peer *peer, const struct endpoint *from, int error,
						 uint64_t now)
{
	char text[ENDPOINT_TEXT];
	struct event refused = { .kind = EVENT_HANDSHAKE_REFUSED, .interface = device->name };

	if (!event_wanted(&device->events) ||
		!token_bucket_take(&device->refused_events, REFUSED_BURST, REFUSED_INTERVAL, now))
		return;
	refused.endpoint = endpoint_text(text, from);
	refused.reason = refusal_reason(error);
	if (peer)
		peer_emit(peer, &refused);
	else
		event_emit(&device->events, &refused);
}

/* `peer` is NULL if it is not known. */
static void reject_handshake(struct device *device, struct peer *peer, const struct endpoint *from, enum counter cause,
							 int error, uint64_t now)
{
	char text[ENDPOINT_TEXT];

	device_count(device, cause, 1);
	if (!log_debug_allowed(peer ? &peer->log : &device->log, now))
		return;
	endpoint_text(text, from);
	if (peer)
		log_debug(peer_text(peer), "handshake from %s rejected: %s", text, refusal_reason(error));
	else
		log_debug(device->name, "handshake from %s rejected: %s", text, refusal_reason(error));
}

struct search {
	const struct device *device;
	uint8_t public_key[NOISE_KEY]; /* that was looked for */
};

static struct noise_remote *find_remote(void *context, const uint8_t public_key[NOISE_KEY])
{
	struct search *search = context;
	struct peer *peer = peer_lookup(search->device, public_key);

	memcpy(search->public_key, public_key, NOISE_KEY);
	return peer ? &peer->remote : NULL;
}

/* The sender claims that key, but has not proved that it has the private one. */
static void report_unknown_sender(struct device *device, const uint8_t public_key[NOISE_KEY],
								  const struct endpoint *from, uint64_t now)
{
	struct problem problem = { .kind = PROBLEM_OTHER_KEY, .endpoint = *from };
	char text[ENDPOINT_TEXT], key[KEY_BASE64];
	struct peer *peer;

	if (!token_bucket_take(&device->strangers, NOTICE_BURST, NS_PER_S, now))
		return;
	peer = peer_find_at(device, from);
	if (peer) {
		memcpy(problem.key, public_key, NOISE_KEY);
		peer_report_problem(peer, &problem, now);
		return;
	}
	key_to_base64(key, public_key);
	endpoint_text(text, from);
	device_notice(device, WARNING_UNKNOWN_KEY, from, now,
				  "a handshake from %s is rejected: no peer has its public key %s", text, key);
}

void handshake_misdirected(struct device *device, uint32_t sender, const struct endpoint *from, uint64_t now)
{
	const struct peer_index *index = peer_index_find(device, sender);
	const bool pending = index && !index->session;
	struct peer *peer = pending ? index->peer : peer_find_at(device, from);
	char text[ENDPOINT_TEXT], key[KEY_BASE64];

	if (!device->identity.has_key || !device->up)
		return;
	if (pending || (endpoint_is_own(from) && endpoint_get_port(from) == htons(device->listen_port))) {
		if (peer && (pending || endpoint_same_remote(&peer->endpoint, from)))
			peer_report_problem(peer, &(struct problem) { .kind = PROBLEM_OWN_ENDPOINT, .endpoint = peer->endpoint },
								now);
		return;
	}
	if (peer) {
		peer_report_problem(peer, &(struct problem) { .kind = PROBLEM_WRONG_RECIPIENT, .endpoint = *from }, now);
		return;
	}
	key_to_base64(key, device->identity.public_key);
	endpoint_text(text, from);
	device_notice(device, WARNING_WRONG_RECIPIENT, from, now,
				  "a handshake from %s is for another public key than that of this interface, %s", text, key);
}

/* Reports the common mistakes, because the file of neither end shows them. Returns the counter of the drop. */
static enum counter report_rejection(struct device *device, const struct search *search, struct noise_remote *remote,
									 const struct endpoint *from, int error, uint64_t now)
{
	switch (error) {
	case -ENOENT:
		report_unknown_sender(device, search->public_key, from, now);
		return DROP_UNKNOWN_KEY;
	case -EPROTONOSUPPORT:
		peer_report_problem(container_of(remote, struct peer, remote), &(struct problem) { .kind = PROBLEM_CIPHER },
							now);
		return DROP_CIPHER;
	case -ESTALE:
		peer_sent_stale(container_of(remote, struct peer, remote), now);
		return DROP_STALE;
	default:
		return DROP_HANDSHAKE;
	}
}

/*
 * Creates the response and the session under a new index; only when both have succeeded, the lock is taken and both are
 * installed.
 */
static int respond(struct peer *peer, struct message_response *response, uint64_t now)
{
	struct peer_index *index = peer_index_create(peer);
	struct session *session;
	int error;

	if (!index)
		return -ENOMEM;
	error = noise_create_response(&peer->remote, index->index, response);
	if (!error)
		error = peer_derive_session(peer, now, &session);
	if (error) {
		free(index);
		return error;
	}
	device_lock(peer->device);
	peer_set_handshake_index(peer, index);
	peer_install_session(peer, session);
	device_unlock(peer->device);
	return 0;
}

static void receive_initiation(struct device *device, const struct message_initiation *message,
							   const struct endpoint *from, uint64_t now)
{
	struct search search = { .device = device };
	struct message_response response;
	struct noise_remote *remote;
	struct peer *peer;
	int error = noise_consume_initiation(&device->identity, message, find_remote, &search, now, &remote);

	if (error) {
		enum counter cause = report_rejection(device, &search, remote, from, error, now);

		emit_refusal(device, remote ? container_of(remote, struct peer, remote) : NULL, from, error, now);
		reject_handshake(device, NULL, from, cause, error, now);
		return;
	}
	peer = container_of(remote, struct peer, remote);
	peer_set_endpoint(peer, from, ORIGIN_ROAMED);
	peer_received(peer, sizeof *message, now);
	error = respond(peer, &response, now);
	if (error) {
		emit_refusal(device, peer, from, error, now);
		reject_handshake(device, peer, from, DROP_HANDSHAKE, error, now);
		return;
	}
	log_step(peer, "handshake initiation answered to", now);
	peer->quality.response_sent = device->boottime();
	peer_answered(peer, now);
	/*
	 * The response voids an initiation of ours. When both ends initiate at once, neither response is accepted. Without
	 * jitter the next two initiations would cross again, as long as both ends have packets to send. The jitter has to
	 * exceed the delay of the path.
	 */
	close_gate(peer, REKEY_TIMEOUT + RESPONSE_JITTER * timers_jitter(&device->timers), now);
	send_handshake(peer, &response, sizeof response, now);
}

static void receive_response(struct device *device, const struct message_response *message, const struct endpoint *from,
							 uint64_t now)
{
	struct peer_index *index = peer_index_find(device, get_le32(message->receiver));
	struct peer *peer = index ? index->peer : NULL;
	uint64_t received = device->boottime(); /* before the curve operations */
	struct session *session;
	enum counter cause = DROP_HANDSHAKE;
	int error = -ENOENT;
	bool staged;

	if (index && !index->session)
		error = noise_consume_response(&device->identity, &peer->remote, message);
	if (error == -EBADMSG) { /* keys, cipher and index are right, as far as they can be checked */
		cause = DROP_PRESHARED_KEY;
		peer->problem.bad_answer = true;
		peer_report_problem(peer, &(struct problem) { .kind = PROBLEM_PRESHARED_KEY }, now);
	}
	if (!error)
		error = peer_derive_session(peer, now, &session);
	if (error) {
		emit_refusal(device, peer, from, error, now);
		reject_handshake(device, NULL, from, cause, error, now);
		return;
	}
	quality_response_received(&peer->quality, received);
	peer_set_endpoint(peer, from, ORIGIN_ROAMED);
	/* Staged packets become ready under the same lock as the session, so that no worker sends a newer packet first. */
	device_lock(device);
	peer_install_session(peer, session);
	staged = peer_send_staged(peer);
	device_unlock(device);
	peer_received(peer, sizeof *message, now);
	peer_handshake_completed(peer, now);
	if (!staged) /* the responder waits for the first packet */
		handshake_keepalive(peer, now);
}

/* The endpoint is not changed: a cookie reply only proves that its sender has seen our message. */
static void receive_cookie(struct device *device, const struct message_cookie *message, const struct endpoint *from,
						   uint64_t now)
{
	struct peer_index *index = peer_index_find(device, get_le32(message->receiver));
	struct peer *peer = index ? index->peer : NULL;
	int error = peer ? cookie_consume(&peer->cookies, peer->remote.public_key, message, now) : -ENOENT;

	if (error) {
		reject_handshake(device, NULL, from, DROP_HANDSHAKE, error, now);
		return;
	}
	peer->rx_bytes += sizeof *message;
	peer->cookie_bytes += sizeof *message;
	log_step(peer, "cookie for the next handshake initiation received from", now);
}

bool handshake_receive(struct device *device, const uint8_t *message, size_t n, const struct endpoint *from,
					   enum admission tag, uint64_t now)
{
	uint32_t type = n >= sizeof(uint32_t) ? get_le32(message) : 0;

	if (!device->identity.has_key || !device->up) {
		device_count(device, device->up ? DROP_NO_KEY : DROP_HANDSHAKE, 1);
		return false;
	}
	if (type == MESSAGE_COOKIE && n == sizeof(struct message_cookie)) {
		receive_cookie(device, (const void *)message, from, now);
		return false;
	}
	if (!admission_allow(device, tag, message, n, from, now))
		return false;
	if (type == MESSAGE_INITIATION && n == sizeof(struct message_initiation)) {
		receive_initiation(device, (const void *)message, from, now);
		return true;
	}
	if (type == MESSAGE_RESPONSE && n == sizeof(struct message_response)) {
		receive_response(device, (const void *)message, from, now);
		return true;
	}
	device_count(device, DROP_MALFORMED, 1);
	return false;
}
