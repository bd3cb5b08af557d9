/* SPDX-License-Identifier: MIT */
/* Sessions: keys, counters, ages, sealing and opening, and the order in which sessions replace each other. */
#include "crypto/session.h"

#include <errno.h>
#include <sodium.h>
#include <stdlib.h>

#include "base/bytes.h"

static_assert(offsetof(struct session, send_counter) == SESSION_LINE, "the constant part fits one cache line");

static size_t round_to_line(size_t size)
{
	return (size + SESSION_LINE - 1) / SESSION_LINE * SESSION_LINE;
}

/* The size of the one allocation that holds the session and its two prepared keys. */
static size_t session_size(const struct aead_cipher *cipher)
{
	return round_to_line(sizeof(struct session)) + 2 * round_to_line(cipher->key_size);
}

struct session *session_create(const struct aead_provider *aead, const struct noise_keys *keys, uint64_t now)
{
	const struct aead_cipher *cipher = aead->cipher[keys->suite];
	struct session *session = cipher ? aligned_alloc(SESSION_LINE, session_size(cipher)) : NULL;

	if (!session)
		return NULL;
	*session = (struct session) {
		.aead = aead,
		.cipher = cipher,
		.send_key = (uint8_t *)session + round_to_line(sizeof *session),
		.receive_key = (uint8_t *)session + round_to_line(sizeof *session) + round_to_line(cipher->key_size),
		.local_index = keys->local_index,
		.remote_index = keys->remote_index,
		.created = now,
		.initiator = keys->initiator,
		.replay_lock = PTHREAD_MUTEX_INITIALIZER,
	};
	cipher->key_set(aead, session->send_key, keys->send);
	cipher->key_set(aead, session->receive_key, keys->receive);
	return session;
}

void session_destroy(struct session *session)
{
	if (!session)
		return;
	pthread_mutex_destroy(&session->replay_lock);
	sodium_memzero(session, session_size(session->cipher));
	free(session);
}

uint32_t session_reserve(struct session *session, uint32_t wanted, uint64_t *first)
{
	uint64_t counter = atomic_load_explicit(&session->send_counter, memory_order_relaxed);
	uint64_t left;

	do {
		left = REJECT_AFTER_MESSAGES - counter; /* cannot wrap: the counter never exceeds the limit */
		if (wanted > left)
			wanted = (uint32_t)left;
		if (!wanted)
			return 0;
	} while (!atomic_compare_exchange_weak_explicit(&session->send_counter, &counter, counter + wanted,
													memory_order_relaxed, memory_order_relaxed));
	*first = counter;
	return wanted;
}

/* A worker may have read `now` shortly before the session was created, so a difference could wrap; this sum cannot. */
static bool older_than(const struct session *session, uint64_t age, uint64_t now)
{
	return now >= session->created + age;
}

bool session_expired(const struct session *session, uint64_t now)
{
	return older_than(session, REJECT_AFTER_TIME, now);
}

bool session_rekey_on_send(const struct session *session, uint64_t now)
{
	uint64_t limit = session->cipher->suite == SUITE_AES256GCM ? REKEY_AFTER_MESSAGES_AES : REKEY_AFTER_MESSAGES;

	if (atomic_load_explicit(&session->send_counter, memory_order_relaxed) >= limit)
		return true;
	return session->initiator && older_than(session, REKEY_AFTER_TIME, now);
}

bool session_rekey_on_receive(const struct session *session, uint64_t now)
{
	return session->initiator && older_than(session, REJECT_AFTER_TIME - KEEPALIVE_TIMEOUT - REKEY_TIMEOUT, now);
}

void session_seal_by(const struct session *session, const struct aead_provider *aead, uint64_t counter, uint8_t *slot,
					 size_t length)
{
	put_le32(slot + offsetof(struct message_data, type), MESSAGE_DATA);
	put_le32(slot + offsetof(struct message_data, receiver), session->remote_index);
	put_le64(slot + offsetof(struct message_data, counter), counter);
	session->cipher->seal(aead, session->send_key, counter, slot + DATA_HEADER, length);
}

int session_open_by(struct session *session, const struct aead_provider *aead, uint8_t *out, const uint8_t *datagram,
					size_t n, uint64_t now)
{
	uint64_t counter = get_le64(datagram + offsetof(struct message_data, counter));
	const uint8_t *sealed = datagram + DATA_HEADER;
	int error = session->cipher->open(aead, session->receive_key, counter, out, sealed, n - DATA_OVERHEAD);
	bool fresh;

	if (error)
		return error;
	/* Only after the tag was checked, because otherwise a forged counter could move the window. */
	pthread_mutex_lock(&session->replay_lock);
	fresh = replay_accept(&session->replay, counter, now);
	pthread_mutex_unlock(&session->replay_lock);
	return fresh ? 0 : -EALREADY;
}

void session_count(struct session *session, uint64_t now, struct replay_counts *sum)
{
	pthread_mutex_lock(&session->replay_lock);
	replay_count(&session->replay, now, sum);
	pthread_mutex_unlock(&session->replay_lock);
}

bool session_began_in_order(struct session *session)
{
	bool in_order;

	pthread_mutex_lock(&session->replay_lock);
	in_order = replay_began_in_order(&session->replay);
	pthread_mutex_unlock(&session->replay_lock);
	return in_order;
}

void session_install(struct session_slots *slots, struct session *session,
					 void (*retire)(void *context, struct session *session), void *context)
{
	struct session_slots old = *slots;
	struct session *retired[] = { NULL, old.previous };

	if (!session->initiator) {
		/*
		 * Until the first packet arrives under this key, we do not know whether the remote has our response, so we keep
		 * sending under current. The initiator has started over, so it has given up an unconfirmed next and no longer
		 * uses previous: retire both.
		 */
		*slots = (struct session_slots) { .current = old.current, .next = session };
		retired[0] = old.next;
	} else if (old.next) {
		/*
		 * Both ends started a handshake at the same time. The remote initiated next, so next may already be its current
		 * session. Keep next to receive with, and retire current instead.
		 */
		*slots = (struct session_slots) { .current = session, .previous = old.next };
		retired[0] = old.current;
	} else {
		/*
		 * The response proves that the remote has the key, so send under it. Packets in flight still use the old one.
		 */
		*slots = (struct session_slots) { .current = session, .previous = old.current };
	}
	/* Only now, because `retire` may look at the slots. */
	for (size_t i = 0; i < sizeof retired / sizeof *retired; i++) {
		if (retired[i])
			retire(context, retired[i]);
	}
}

bool session_confirm(struct session_slots *slots, struct session *session,
					 void (*retire)(void *context, struct session *session), void *context)
{
	struct session_slots old = *slots;

	if (session != old.next || !session)
		return false;
	*slots = (struct session_slots) { .current = session, .previous = old.current };
	if (old.previous)
		retire(context, old.previous);
	return true;
}
