/* SPDX-License-Identifier: MIT */
/*
 * Tests of sessions: counters, rekeying and expiry by age, seal and open, and the order in which sessions replace each
 * other.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../vectors/handshake.h"

#include "base/bytes.h"
#include "crypto/session.h"

#define CREATED (1000 * NS_PER_S)

enum { ROOM = 2048 };

/* The provider and suite of the current group of tests. */
static struct aead_provider aead;
static enum suite suite;

/* A packet buffer with headroom and tailroom. */
struct arena {
	uint8_t headroom[AEAD_HEADROOM], bytes[ROOM], tailroom[AEAD_TAILROOM];
};

static struct session *make_session(bool initiator)
{
	struct noise_keys keys = { .suite = suite, .initiator = initiator, .local_index = 11, .remote_index = 22 };
	struct session *session;

	memset(keys.send, initiator ? 1 : 2, NOISE_KEY);
	memset(keys.receive, initiator ? 2 : 1, NOISE_KEY);
	session = session_create(&aead, &keys, CREATED);
	assert_non_null(session);
	return session;
}

/* --- counters ----- */

static void counters_are_consecutive(void **state)
{
	struct session *session = make_session(true);
	uint64_t first = 99;

	assert_int_equal(session_reserve(session, 1, &first), 1);
	assert_int_equal(first, 0);
	assert_int_equal(session_reserve(session, 64, &first), 64);
	assert_int_equal(first, 1);
	assert_int_equal(session_reserve(session, 0, &first), 0);
	assert_int_equal(session_reserve(session, 1, &first), 1);
	assert_int_equal(first, 65);
	session_destroy(session);
}

static void counters_end_at_the_limit(void **state)
{
	static const struct {
		uint64_t left;
		uint32_t wanted, granted;
	} cases[] = {
		{ 0, 1, 0 }, { 0, UINT32_MAX, 0 }, { 1, 1, 1 }, { 1, 2, 1 },
		{ 5, 4, 4 }, { 5, 5, 5 },          { 5, 6, 5 }, { 64, UINT32_MAX, 64 },
	};
	struct session *session = make_session(true);

	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		uint64_t at = REJECT_AFTER_MESSAGES - cases[i].left, first = 0;

		atomic_store(&session->send_counter, at);
		assert_int_equal(session_reserve(session, cases[i].wanted, &first), cases[i].granted);
		assert_true(first == (cases[i].granted ? at : 0));
		assert_true(atomic_load(&session->send_counter) == at + cases[i].granted);
	}
	session_destroy(session);
}

enum { THREADS = 2, ROUNDS = 20000, COUNTERS = THREADS * ROUNDS * 4 };

struct crowd {
	struct session *session, *sender;
	_Atomic uint8_t seen[COUNTERS];
	atomic_int arrived, accepted, miscounted;
};

static void *reserve_many(void *context)
{
	struct crowd *crowd = context;
	uint64_t first;

	for (uint32_t i = 0; i < ROUNDS; i++) {
		uint32_t n = session_reserve(crowd->session, i % 4 + 1, &first);
		for (uint32_t j = 0; j < n; j++)
			crowd->seen[first + j]++;
	}
	return NULL;
}

static void run_threads(void *work(void *context), struct crowd *crowd)
{
	pthread_t threads[THREADS];

	for (int i = 0; i < THREADS; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, work, crowd), 0);
	for (int i = 0; i < THREADS; i++)
		assert_int_equal(pthread_join(threads[i], NULL), 0);
}

static void threads_never_share_a_counter(void **state)
{
	struct crowd *crowd = calloc(1, sizeof *crowd);
	uint64_t sent;

	assert_non_null(crowd);
	crowd->session = make_session(true);
	run_threads(reserve_many, crowd);
	sent = atomic_load(&crowd->session->send_counter);
	assert_int_equal(sent, THREADS * (uint64_t)ROUNDS * 10 / 4);
	for (uint64_t i = 0; i < COUNTERS; i++)
		assert_int_equal(crowd->seen[i], i < sent);
	session_destroy(crowd->session);
	free(crowd);
}

/*
 * Makes both threads open each packet at nearly the same time, because a race would last only a few instructions. Each
 * of them also counts.
 */
static void *open_all(void *context)
{
	struct crowd *crowd = context;
	struct replay_counts counts = { 0 };
	struct arena in = { 0 }, out;
	struct aead_provider own;

	if (aead_init_like(&own, &aead))
		return NULL;
	for (int i = 0; i < ROUNDS; i++) {
		session_seal_by(crowd->sender, &own, (uint64_t)i, in.bytes, 0);
		crowd->arrived++;
		while (crowd->arrived < THREADS * (i + 1))
			sched_yield();
		crowd->accepted += !session_open_by(crowd->session, &own, out.bytes, in.bytes, DATA_OVERHEAD, CREATED);
		counts = (struct replay_counts) { 0 };
		session_count(crowd->session, CREATED, &counts);
		crowd->miscounted += counts.accepted <= (uint64_t)i || counts.lost;
	}
	aead_destroy(&own);
	return NULL;
}

static void threads_accept_a_packet_once(void **state)
{
	struct crowd *crowd = calloc(1, sizeof *crowd);

	assert_non_null(crowd);
	crowd->session = make_session(true);
	crowd->sender = make_session(false);
	run_threads(open_all, crowd);
	assert_int_equal(crowd->accepted, ROUNDS);
	assert_int_equal(crowd->miscounted, 0);
	assert_int_equal(crowd->session->replay.next, ROUNDS);
	session_destroy(crowd->session);
	session_destroy(crowd->sender);
	free(crowd);
}

static void a_session_counts_what_its_window_has_seen(void **state)
{
	struct session *from = make_session(true), *to = make_session(false);
	struct replay_counts sum = { .accepted = 10, .lost = 10 };
	struct arena sent = { 0 }, opened;

	for (uint64_t counter = 0; counter < 10; counter += counter == 2 ? 3 : 1) { /* without 3 and 4 */
		session_seal(from, counter, sent.bytes, 16);
		assert_int_equal(session_open(to, opened.bytes, sent.bytes, DATA_OVERHEAD + 16, CREATED), 0);
	}
	sent.bytes[DATA_HEADER] ^= 1; /* a forgery counts as nothing */
	assert_int_equal(session_open(to, opened.bytes, sent.bytes, DATA_OVERHEAD + 16, CREATED), -EBADMSG);
	session_count(to, CREATED, &sum);
	assert_int_equal(sum.accepted, 18);
	assert_int_equal(sum.lost, 10);
	session_count(to, CREATED + REPLAY_HOLD, &sum);
	assert_int_equal(sum.accepted, 26);
	assert_int_equal(sum.lost, 12);
	assert_int_equal(sum.duplicate, 0);
	session_destroy(from);
	session_destroy(to);
}

/* --- rekey_and_expiry_by_age ----- */

static void rekey_and_expiry_by_age(void **state)
{
	static const struct {
		uint64_t age;
		bool rekey_on_send, rekey_on_receive, expired; /* for the initiator */
	} cases[] = {
		{ 0, false, false, false },
		{ 120 * NS_PER_S - 1, false, false, false },
		{ 120 * NS_PER_S, true, false, false },
		{ 165 * NS_PER_S - 1, true, false, false },
		{ 165 * NS_PER_S, true, true, false },
		{ 180 * NS_PER_S - 1, true, true, false },
		{ 180 * NS_PER_S, true, true, true },
		{ 540 * NS_PER_S, true, true, true },
	};
	struct session *initiator = make_session(true), *responder = make_session(false);

	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		uint64_t now = CREATED + cases[i].age;

		assert_int_equal(session_rekey_on_send(initiator, now), cases[i].rekey_on_send);
		assert_int_equal(session_rekey_on_receive(initiator, now), cases[i].rekey_on_receive);
		assert_int_equal(session_expired(initiator, now), cases[i].expired);
		assert_false(session_rekey_on_send(responder, now));
		assert_false(session_rekey_on_receive(responder, now));
		assert_int_equal(session_expired(responder, now), cases[i].expired);
	}
	session_destroy(initiator);
	session_destroy(responder);
}

static void a_clock_read_before_creation_does_not_expire_it(void **state)
{
	struct session *session = make_session(true);

	assert_false(session_expired(session, CREATED - 1));
	assert_false(session_rekey_on_send(session, CREATED - 1));
	assert_false(session_rekey_on_receive(session, 0));
	session_destroy(session);
}

static void both_ends_rekey_by_count(void **state)
{
	uint64_t limit = suite == SUITE_AES256GCM ? UINT64_C(1) << 28 : UINT64_C(1) << 60;

	for (int initiator = 0; initiator < 2; initiator++) {
		struct session *session = make_session(initiator);

		atomic_store(&session->send_counter, limit - 1);
		assert_false(session_rekey_on_send(session, CREATED));
		atomic_store(&session->send_counter, limit);
		assert_true(session_rekey_on_send(session, CREATED));
		session_destroy(session);
	}
}

/* --- seal and open ----- */

static struct session *from_vector(const struct handshake_vector *v, bool initiator)
{
	struct noise_keys keys = { .suite = v->suite, .initiator = initiator };

	memcpy(keys.send, initiator ? v->initiator_sends : v->responder_sends, NOISE_KEY);
	memcpy(keys.receive, initiator ? v->responder_sends : v->initiator_sends, NOISE_KEY);
	keys.local_index = initiator ? v->initiator_index : v->responder_index;
	keys.remote_index = initiator ? v->responder_index : v->initiator_index;
	return session_create(&aead, &keys, CREATED);
}

/* Seals the packet with `counter`, compares it with the vector and opens it at the other end. */
static void check_packet(struct session *from, struct session *to, uint64_t counter, const uint8_t *packet,
						 size_t length, const uint8_t *datagram)
{
	struct arena sent = { 0 }, opened = { 0 };

	memcpy(sent.bytes + DATA_HEADER, packet, length);
	session_seal(from, counter, sent.bytes, length);
	assert_memory_equal(sent.bytes, datagram, DATA_OVERHEAD + length);
	assert_int_equal(session_open(to, opened.bytes, sent.bytes, DATA_OVERHEAD + length, CREATED), 0);
	assert_memory_equal(opened.bytes, packet, length);
}

static void packets_match_the_vectors(void **state)
{
	for (size_t i = 0; i < sizeof handshake_vectors / sizeof *handshake_vectors; i++) {
		const struct handshake_vector *v = &handshake_vectors[i];
		struct session *initiator, *responder;

		if (v->suite != suite)
			continue;
		initiator = from_vector(v, true);
		responder = from_vector(v, false);
		check_packet(initiator, responder, 0, v->packet, 0, v->keepalive_of_initiator);
		check_packet(initiator, responder, 1, v->packet, sizeof v->packet, v->data_of_initiator);
		check_packet(responder, initiator, 0, v->packet, sizeof v->packet, v->data_of_responder);
		session_destroy(initiator);
		session_destroy(responder);
	}
}

static void replays_and_forgeries_are_rejected(void **state)
{
	struct session *from = make_session(true), *to = make_session(false);
	struct arena sent = { 0 }, opened;

	session_seal(from, 5, sent.bytes, 100);
	assert_int_equal(session_open(to, opened.bytes, sent.bytes, DATA_OVERHEAD + 100, CREATED), 0);
	assert_int_equal(session_open(to, opened.bytes, sent.bytes, DATA_OVERHEAD + 100, CREATED), -EALREADY);

	/* A forged counter must not move the window. */
	put_le64(sent.bytes + 8, UINT64_C(1) << 40);
	assert_int_equal(session_open(to, opened.bytes, sent.bytes, DATA_OVERHEAD + 100, CREATED), -EBADMSG);
	assert_int_equal(to->replay.next, 6);
	session_seal(from, 4, sent.bytes, 100);
	sent.bytes[DATA_HEADER] ^= 1;
	assert_int_equal(session_open(to, opened.bytes, sent.bytes, DATA_OVERHEAD + 100, CREATED), -EBADMSG);
	sent.bytes[DATA_HEADER] ^= 1;
	assert_int_equal(session_open(to, opened.bytes, sent.bytes, DATA_OVERHEAD + 100, CREATED), 0);
	/* Our own packet, reflected to us. */
	assert_int_equal(session_open(from, opened.bytes, sent.bytes, DATA_OVERHEAD + 100, CREATED), -EBADMSG);
	session_destroy(from);
	session_destroy(to);
}

static void counters_have_64_bits_and_a_limit(void **state)
{
	static const struct {
		uint64_t counter;
		int error;
	} cases[] = {
		{ UINT64_C(1) << 32, 0 },         { (UINT64_C(1) << 32) - 1, 0 },
		{ REJECT_AFTER_MESSAGES - 1, 0 }, { REJECT_AFTER_MESSAGES, -EALREADY },
		{ UINT64_MAX, -EALREADY },
	};
	struct session *from = make_session(true), *to = make_session(false);
	struct arena sent = { 0 }, opened;

	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		session_seal(from, cases[i].counter, sent.bytes, 16);
		assert_true(get_le64(sent.bytes + 8) == cases[i].counter);
		assert_int_equal(session_open(to, opened.bytes, sent.bytes, DATA_OVERHEAD + 16, CREATED), cases[i].error);
	}
	session_destroy(from);
	session_destroy(to);
}

/* The linker replaces free by __wrap_free, in the code under test too. */
void __real_free(void *memory);
void __wrap_free(void *memory);

static struct {
	const void *memory;
	size_t length;
	bool freed, wiped;
} watched;

void __wrap_free(void *memory)
{
	if (memory && memory == watched.memory) {
		watched.freed = true;
		watched.wiped = sodium_is_zero(memory, watched.length);
	}
	__real_free(memory);
}

static void keys_are_aligned_and_wiped(void **state)
{
	struct session *session = make_session(true);
	const uint8_t *send = session->send_key, *receive = session->receive_key;
	size_t key_size = aead.cipher[suite]->key_size;

	assert_int_equal((uintptr_t)send % 64, 0);
	assert_int_equal((uintptr_t)receive % 64, 0);
	assert_true(receive >= send + key_size);
	assert_memory_not_equal(send, receive, AEAD_KEY);
	assert_false(sodium_is_zero(receive, key_size));
	watched.memory = session;
	watched.length = (size_t)(receive + key_size - (const uint8_t *)session);
	watched.freed = false;
	session_destroy(session);
	assert_true(watched.freed && watched.wiped);
	watched.memory = NULL;
	session_destroy(NULL);
}

/*
 * Every peer has up to three sessions, so their size matters. The size of a prepared key depends on the library: 1264
 * bytes for AES-GCM with IPsec-MB 2.0.
 */
static void sessions_are_small(void **state)
{
	struct session *session = make_session(true);
	const uint8_t *end = (const uint8_t *)session->receive_key + aead.cipher[suite]->key_size;
	size_t key_lines = (aead.cipher[suite]->key_size + SESSION_LINE - 1) / SESSION_LINE;

	assert_true((size_t)(end - (const uint8_t *)session) <= 1344 + 2 * key_lines * SESSION_LINE);
	session_destroy(session);
}

/* --- the slots ----- */

struct retired {
	struct session *sessions[4];
	size_t count;
};

static void record_retired(void *context, struct session *session)
{
	struct retired *retired = context;

	assert_non_null(session);
	assert_true(retired->count < 4);
	retired->sessions[retired->count++] = session;
}

enum { CURRENT = 1, PREVIOUS = 2, NEXT = 4 };

/* The session in a slot afterwards: none, the one that was current, previous or next, or the new one. */
enum was { NONE, WAS_CURRENT, WAS_PREVIOUS, WAS_NEXT, NEW };

struct transition {
	int filled; /* the slots that hold a session before */
	enum was current, previous, next;
};

/* Calls `change` and compares the slots with the table. Sessions that lost their slot must be retired exactly once. */
static void check_transition(const struct transition *t, bool initiator,
							 void change(struct session_slots *, struct session *, struct retired *))
{
	struct session a = { .initiator = true }, b = { .initiator = true }, c = { 0 }, new = { .initiator = initiator };
	struct session *was[] = {
		[WAS_CURRENT] = t->filled & CURRENT ? &a : NULL,
		[WAS_PREVIOUS] = t->filled & PREVIOUS ? &b : NULL,
		[WAS_NEXT] = t->filled & NEXT ? &c : NULL,
		[NEW] = &new,
	};
	struct session_slots slots = { was[WAS_CURRENT], was[WAS_PREVIOUS], was[WAS_NEXT] };
	struct retired retired = { 0 };

	change(&slots, &new, &retired);
	assert_ptr_equal(slots.current, was[t->current]);
	assert_ptr_equal(slots.previous, was[t->previous]);
	assert_ptr_equal(slots.next, was[t->next]);
	for (size_t i = WAS_CURRENT; i <= NEW; i++) {
		int places = was[i] == slots.current || was[i] == slots.previous || was[i] == slots.next;
		for (size_t j = 0; j < retired.count; j++)
			places += retired.sessions[j] == was[i];
		if (was[i] && i != NEW)
			assert_int_equal(places, 1);
	}
}

static void install(struct session_slots *slots, struct session *session, struct retired *retired)
{
	session_install(slots, session, record_retired, retired);
}

static void an_initiators_session_becomes_current(void **state)
{
	static const struct transition table[] = {
		{ 0, NEW, NONE, NONE },
		{ CURRENT, NEW, WAS_CURRENT, NONE },
		{ PREVIOUS, NEW, NONE, NONE },
		{ CURRENT | PREVIOUS, NEW, WAS_CURRENT, NONE },
		{ NEXT, NEW, WAS_NEXT, NONE },
		{ CURRENT | NEXT, NEW, WAS_NEXT, NONE },
		{ PREVIOUS | NEXT, NEW, WAS_NEXT, NONE },
		{ CURRENT | PREVIOUS | NEXT, NEW, WAS_NEXT, NONE },
	};
	for (size_t i = 0; i < sizeof table / sizeof *table; i++)
		check_transition(&table[i], true, install);
}

static void a_responders_session_becomes_next(void **state)
{
	static const struct transition table[] = {
		{ 0, NONE, NONE, NEW },
		{ CURRENT, WAS_CURRENT, NONE, NEW },
		{ PREVIOUS, NONE, NONE, NEW },
		{ CURRENT | PREVIOUS, WAS_CURRENT, NONE, NEW },
		{ NEXT, NONE, NONE, NEW },
		{ CURRENT | NEXT, WAS_CURRENT, NONE, NEW },
		{ PREVIOUS | NEXT, NONE, NONE, NEW },
		{ CURRENT | PREVIOUS | NEXT, WAS_CURRENT, NONE, NEW },
	};
	for (size_t i = 0; i < sizeof table / sizeof *table; i++)
		check_transition(&table[i], false, install);
}

static void confirm_next(struct session_slots *slots, struct session *session, struct retired *retired)
{
	assert_true(session_confirm(slots, slots->next, record_retired, retired));
}

static void the_first_packet_confirms_next(void **state)
{
	static const struct transition table[] = {
		{ NEXT, WAS_NEXT, NONE, NONE },
		{ CURRENT | NEXT, WAS_NEXT, WAS_CURRENT, NONE },
		{ PREVIOUS | NEXT, WAS_NEXT, NONE, NONE },
		{ CURRENT | PREVIOUS | NEXT, WAS_NEXT, WAS_CURRENT, NONE },
	};
	for (size_t i = 0; i < sizeof table / sizeof *table; i++)
		check_transition(&table[i], false, confirm_next);
}

static void other_packets_confirm_nothing(void **state)
{
	struct session current = { 0 }, previous = { 0 }, next = { 0 }, gone = { 0 };
	struct session_slots slots = { &current, &previous, &next }, before = slots;
	struct retired retired = { 0 };

	assert_false(session_confirm(&slots, &current, record_retired, &retired));
	assert_false(session_confirm(&slots, &previous, record_retired, &retired));
	assert_false(session_confirm(&slots, &gone, record_retired, &retired));
	assert_memory_equal(&slots, &before, sizeof before);
	assert_true(session_confirm(&slots, &next, record_retired, &retired));
	assert_false(session_confirm(&slots, &next, record_retired, &retired)); /* it is already current */
	assert_int_equal(retired.count, 1);
	assert_ptr_equal(retired.sessions[0], &previous);
	slots = (struct session_slots) { 0 };
	assert_false(session_confirm(&slots, NULL, record_retired, &retired));
}

static int test_suite(const char *library)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(counters_are_consecutive),
		cmocka_unit_test(counters_end_at_the_limit),
		cmocka_unit_test(threads_never_share_a_counter),
		cmocka_unit_test(threads_accept_a_packet_once),
		cmocka_unit_test(a_session_counts_what_its_window_has_seen),
		cmocka_unit_test(rekey_and_expiry_by_age),
		cmocka_unit_test(a_clock_read_before_creation_does_not_expire_it),
		cmocka_unit_test(both_ends_rekey_by_count),
		cmocka_unit_test(packets_match_the_vectors),
		cmocka_unit_test(replays_and_forgeries_are_rejected),
		cmocka_unit_test(counters_have_64_bits_and_a_limit),
		cmocka_unit_test(keys_are_aligned_and_wiped),
		cmocka_unit_test(sessions_are_small),
		cmocka_unit_test(an_initiators_session_becomes_current),
		cmocka_unit_test(a_responders_session_becomes_next),
		cmocka_unit_test(the_first_packet_confirms_next),
		cmocka_unit_test(other_packets_confirm_nothing),
	};
	char name[64];

	snprintf(name, sizeof name, "%s %s", library, suite_name(suite));
	return cmocka_run_group_tests_name(name, tests, NULL, NULL);
}

int main(void)
{
	static const char *const libraries[] = { "libsodium", "ipsec-mb" };
	int failed = sodium_init() < 0, error;

	for (size_t i = 0; i < sizeof libraries / sizeof *libraries; i++) {
		if (!aead_built_in(libraries[i]))
			continue;
		error = aead_init(&aead, libraries[i]);
		if (error == -ENOTSUP && !suite_available(SUITE_AES256GCM))
			continue; /* IPsec-MB does not run on such an old processor */
		failed += error != 0;
		for (suite = 0; suite < SUITES; suite++)
			failed += suite_available(suite) ? test_suite(libraries[i]) : 0;
		aead_destroy(&aead);
	}
	return failed;
}
