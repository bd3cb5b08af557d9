/* SPDX-License-Identifier: MIT */
/*
 * Tests of the AEAD: compares each cipher with libsodium's one-shot functions and Python's `cryptography`, checks that
 * it writes only to its scratch bytes, and checks which ciphers a provider chooses.
 *
 * The buffer of a call: GUARD | AEAD_HEADROOM | data | AEAD_TAILROOM | GUARD.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <malloc.h>
#include <pthread.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../vectors/aead.h"

#include "base/bytes.h"
#include "crypto/aead.h"

enum { LONGEST = 2048, GUARD = 128, DATA = GUARD + AEAD_HEADROOM, ARENA = DATA + LONGEST + AEAD_TAILROOM + GUARD };

#define COUNTER UINT64_C(0x8123456789abcdef)

static const uint8_t secret[AEAD_KEY] = "a key that is of use to nobody";

/* One suite of one provider. */
struct fixture {
	struct aead_provider aead;
	const struct aead_cipher *cipher;
	void *key;
	uint8_t plain[LONGEST], expected[LONGEST + AEAD_TAG];
	uint8_t before[ARENA], in[ARENA], out[ARENA];
};

static void set_key(struct fixture *f, const uint8_t bytes[AEAD_KEY])
{
	f->cipher->key_set(&f->aead, f->key, bytes);
}

static void seal(struct fixture *f, uint64_t counter, uint8_t *data, size_t length)
{
	f->cipher->seal(&f->aead, f->key, counter, data, length);
}

static int open_one(struct fixture *f, uint64_t counter, uint8_t *out, const uint8_t *in, size_t length)
{
	return f->cipher->open(&f->aead, f->key, counter, out, in, length);
}

/* Seals plain[0..length) with libsodium. */
static void one_shot(enum suite suite, uint8_t *sealed, uint64_t counter, const uint8_t *plain, size_t length)
{
	uint8_t nonce[12] = { 0 };

	if (suite == SUITE_AES256GCM) {
		put_be64(nonce + 4, counter);
		crypto_aead_aes256gcm_encrypt(sealed, NULL, plain, length, NULL, 0, NULL, nonce, secret);
	} else {
		put_le64(nonce + 4, counter);
		crypto_aead_chacha20poly1305_ietf_encrypt(sealed, NULL, plain, length, NULL, 0, NULL, nonce, secret);
	}
}

/* Fills f->plain with `length` random bytes and f->expected with the result of sealing them. */
static void prepare(struct fixture *f, size_t length)
{
	randombytes_buf(f->plain, length);
	one_shot(f->cipher->suite, f->expected, COUNTER, f->plain, length);
}

static void seal_equals_one_shot(void **state)
{
	struct fixture *f = *state;

	for (size_t length = 0; length <= LONGEST; length++) {
		size_t end = DATA + length + AEAD_TAILROOM;

		prepare(f, length);
		randombytes_buf(f->in, ARENA);
		memcpy(f->in + DATA, f->plain, length);
		memcpy(f->before, f->in, ARENA);
		seal(f, COUNTER, f->in + DATA, length);
		assert_memory_equal(f->in + DATA, f->expected, length + AEAD_TAG);
		assert_memory_equal(f->in, f->before, DATA); /* the guard and the headroom are unchanged */
		assert_memory_equal(f->in + end, f->before + end, ARENA - end);
	}
}

/* Opens f->expected between random bytes. f->in must not change; f->out may change up to AEAD_TAILROOM. */
static int open_in_arena(struct fixture *f, size_t length)
{
	size_t end = DATA + length + AEAD_TAILROOM;
	uint8_t outside[ARENA];
	int error;

	randombytes_buf(f->in, ARENA);
	memcpy(f->in + DATA, f->expected, length + AEAD_TAG);
	memcpy(f->before, f->in, ARENA);
	randombytes_buf(f->out, ARENA);
	memcpy(outside, f->out, ARENA);
	error = open_one(f, COUNTER, f->out + DATA, f->in + DATA, length);
	assert_memory_equal(f->in, f->before, ARENA);
	assert_memory_equal(f->out, outside, GUARD);
	assert_memory_equal(f->out + end, outside + end, ARENA - end);
	/* The one-time key must not remain in the headroom, which is either unchanged or cleared. */
	if (memcmp(f->out + GUARD, outside + GUARD, AEAD_HEADROOM) != 0)
		assert_true(sodium_is_zero(f->out + GUARD, AEAD_HEADROOM));
	return error;
}

static void open_equals_one_shot(void **state)
{
	struct fixture *f = *state;

	for (size_t length = 0; length <= LONGEST; length++) {
		prepare(f, length);
		assert_int_equal(open_in_arena(f, length), 0);
		assert_memory_equal(f->out + DATA, f->plain, length);
	}
}

/* Received datagrams are contiguous, so nothing around the packet may change, even if it is forged. */
static void open_in_place_writes_only_the_packet(void **state)
{
	struct fixture *f = *state;

	for (size_t length = 0; f->cipher->in_place && length <= LONGEST; length++) {
		size_t end = DATA + length;

		prepare(f, length);
		randombytes_buf(f->in, ARENA);
		memcpy(f->in + DATA, f->expected, length + AEAD_TAG);
		memcpy(f->before, f->in, ARENA);
		assert_int_equal(open_one(f, COUNTER, f->in + DATA, f->in + DATA, length), 0);
		assert_memory_equal(f->in + DATA, f->plain, length);
		assert_memory_equal(f->in, f->before, DATA);
		assert_memory_equal(f->in + end, f->before + end, ARENA - end);

		memcpy(f->in, f->before, ARENA);
		f->in[end] ^= 1;
		assert_int_equal(open_one(f, COUNTER, f->in + DATA, f->in + DATA, length), -EBADMSG);
		f->in[end] ^= 1;
		assert_memory_equal(f->in, f->before, DATA);
		assert_memory_equal(f->in + end, f->before + end, ARENA - end);
	}
	/* Only libsodium's ChaCha20 needs the headroom of its output. */
	assert_int_equal(f->cipher->in_place,
					 strcmp(f->cipher->library, "libsodium") || f->cipher->suite == SUITE_AES256GCM);
}

static void every_byte_is_authenticated(void **state)
{
	static const size_t lengths[] = { 0, 1, 15, 16, 17, 64, 191, 192, 193, 256, 257, 512, 1420, 1424, 2048 };
	struct fixture *f = *state;

	for (size_t i = 0; i < sizeof lengths / sizeof *lengths; i++) {
		prepare(f, lengths[i]);
		for (size_t at = 0; at < lengths[i] + AEAD_TAG; at++) {
			uint8_t bit = (uint8_t)(1 << random() % 8);

			f->expected[at] ^= bit;
			assert_int_equal(open_in_arena(f, lengths[i]), -EBADMSG);
			f->expected[at] ^= bit;
		}
		assert_int_equal(open_in_arena(f, lengths[i]), 0);
	}
}

static void length_counter_and_key_are_authenticated(void **state)
{
	struct fixture *f = *state;
	uint8_t other[AEAD_KEY];

	prepare(f, 100);
	assert_int_equal(open_in_arena(f, 99), -EBADMSG);
	assert_int_equal(open_in_arena(f, 101), -EBADMSG);
	for (int bit = 0; bit < 64; bit++)
		assert_int_equal(open_one(f, COUNTER ^ UINT64_C(1) << bit, f->out + DATA, f->in + DATA, 100), -EBADMSG);
	memcpy(other, secret, sizeof other);
	other[31] ^= 1;
	set_key(f, other);
	assert_int_equal(open_in_arena(f, 100), -EBADMSG);
	set_key(f, secret);
	assert_int_equal(open_in_arena(f, 100), 0);
}

static void unhex(uint8_t *bytes, size_t n, const char *hex)
{
	size_t length;

	assert_int_equal(sodium_hex2bin(bytes, n, hex, strlen(hex), NULL, &length, NULL), 0);
	assert_int_equal(length, n);
}

/* RFC 8439, appendix A.1, test vector 2: sealing 64 zero bytes under a zero key gives block 1 of the stream. */
static void rfc8439_block_matches(void **state)
{
	static const uint8_t zeros[64];
	struct fixture *f = *state;
	uint8_t block[64];

	unhex(block, sizeof block,
		  "9f07e7be5551387a98ba977c732d080dcb0f29a048e3656912c6533e32ee7aed"
		  "29b721769ce64e43d57133b074d839d531ed1f28510afb45ace10a1f4b794d6f");
	memset(f->in, 0, ARENA);
	set_key(f, zeros);
	seal(f, 0, f->in + DATA, sizeof zeros);
	set_key(f, secret);
	assert_memory_equal(f->in + DATA, block, sizeof block);
}

/*
 * RFC 8439, appendix A.5. Its nonce starts with 32 zero bits, like ours. It has associated data, which changes only the
 * tag, so only the ciphertext can be compared.
 */
static void rfc8439_text_matches(void **state)
{
	static const char text[] =
		"Internet-Drafts are draft documents valid for a maximum of six months and may be updated, replaced, or "
		"obsoleted by other documents at any time. It is inappropriate to use Internet-Drafts as reference material "
		"or to cite them other than as /\xe2\x80\x9cwork in progress./\xe2\x80\x9d";
	struct fixture *f = *state;
	uint8_t key[AEAD_KEY], sealed[sizeof text - 1];

	unhex(key, sizeof key, "1c9240a5eb55d38af333888604f6b5f0473917c1402b80099dca5cbc207075c0");
	unhex(sealed, sizeof sealed,
		  "64a0861575861af460f062c79be643bd5e805cfd345cf389f108670ac76c8cb24c6cfc18755d43eea09ee94e382d26b0"
		  "bdb7b73c321b0100d4f03b7f355894cf332f830e710b97ce98c8a84abd0b948114ad176e008d33bd60f982b1ff37c855"
		  "9797a06ef4f0ef61c186324e2b3506383606907b6a7c02b0f9f6157b53c867e4b9166c767b804d46a59b5216cde7a4e9"
		  "9040c5a40433225ee282a1b0a06c523eaf4534d7f83fa1155b0047718cbc546a0d072b04b3564eea1b422273f548271a"
		  "0bb2316053fa76991955ebd63159434ecebb4e466dae5a1073a6727627097a1049e617d91d361094fa68f0ff77987130"
		  "305beaba2eda04df997b714d6c6f2c29a6ad5cb4022b02709b");
	memcpy(f->in + DATA, text, sizeof sealed);
	set_key(f, key);
	seal(f, UINT64_C(0x0807060504030201), f->in + DATA, sizeof sealed);
	set_key(f, secret);
	assert_memory_equal(f->in + DATA, sealed, sizeof sealed);
}

/*
 * McGrew and Viega, "The Galois/Counter Mode of Operation (GCM)", appendix B, test cases 13 and 14: an empty packet and
 * 16 zero bytes, under a zero key and a zero nonce.
 */
static void gcm_zeros_match(void **state)
{
	static const uint8_t zeros[AEAD_KEY];
	struct fixture *f = *state;
	uint8_t sealed[16 + AEAD_TAG];

	set_key(f, zeros);
	unhex(sealed, AEAD_TAG, "530f8afbc74536b9a963b4f1c4cb738b");
	seal(f, 0, f->in + DATA, 0);
	assert_memory_equal(f->in + DATA, sealed, AEAD_TAG);
	unhex(sealed, sizeof sealed, "cea7403d4d606b6e074ec5d3baf39d18d0d1c8a799996bf0265b98b5d48ab919");
	memset(f->in + DATA, 0, 16);
	seal(f, 0, f->in + DATA, 16);
	assert_memory_equal(f->in + DATA, sealed, sizeof sealed);
	set_key(f, secret);
}

/* Python's `cryptography` is independent of libsodium. */
static void every_length_matches_python(void **state)
{
	const struct aead_vector *v = aead_vectors;
	struct fixture *f = *state;
	crypto_generichash_state hash;
	uint8_t digest[sizeof v->digest];

	while (v->suite != f->cipher->suite)
		v++;
	assert_int_equal(v->longest, LONGEST);
	set_key(f, v->key);
	crypto_generichash_init(&hash, NULL, 0, sizeof digest);
	for (size_t length = 0; length <= LONGEST; length++) {
		for (size_t i = 0; i < length; i++)
			f->in[DATA + i] = (uint8_t)(length + 7 * i);
		seal(f, length * UINT64_C(0x0007000500030001), f->in + DATA, length);
		crypto_generichash_update(&hash, f->in + DATA, length + AEAD_TAG);
	}
	crypto_generichash_final(&hash, digest, sizeof digest);
	assert_memory_equal(digest, v->digest, sizeof digest);
	set_key(f, secret);
}

/* --- runs: contiguous datagrams, as in the segment buffer ----- */

enum { RUN = 64, HEADER = 16, SLOT_MAX = HEADER + 1440 + AEAD_TAG, GAP = AEAD_HEADROOM };

struct run {
	size_t count, length[RUN], at[RUN]; /* offset of the data in `sealed` */
	uint8_t sealed[AEAD_HEADROOM + RUN * SLOT_MAX + AEAD_TAILROOM];
	uint8_t expected[AEAD_HEADROOM + RUN * SLOT_MAX + AEAD_TAILROOM];
	uint8_t opened[GAP + 1440 + AEAD_TAILROOM];
};

/* Builds and seals one slot after another. Slots that are already sealed must not change. */
static void check_run(struct fixture *f, struct run *run)
{
	size_t end = AEAD_HEADROOM;

	for (size_t i = 0; i < run->count; i++) {
		uint8_t *header = run->sealed + end, *data = header + HEADER;

		run->at[i] = end + HEADER;
		memset(header, (int)i, HEADER);
		randombytes_buf(data, run->length[i]);
		memcpy(run->expected + end, header, HEADER);
		one_shot(f->cipher->suite, run->expected + run->at[i], COUNTER + i, data, run->length[i]);
		seal(f, COUNTER + i, data, run->length[i]);
		end = run->at[i] + run->length[i] + AEAD_TAG;
		assert_memory_equal(run->sealed + AEAD_HEADROOM, run->expected + AEAD_HEADROOM, end - AEAD_HEADROOM);
	}
}

/* Changes one byte of one datagram. Only that datagram may be rejected. */
static void check_tampering(struct fixture *f, struct run *run, size_t victim)
{
	size_t byte = run->at[victim] + randombytes_uniform((uint32_t)(run->length[victim] + AEAD_TAG));

	run->sealed[byte] ^= 0x10;
	for (size_t i = 0; i < run->count; i++) {
		int error = open_one(f, COUNTER + i, run->opened + GAP, run->sealed + run->at[i], run->length[i]);
		assert_int_equal(error, i == victim ? -EBADMSG : 0);
	}
	run->sealed[byte] ^= 0x10;
}

static void runs_are_sealed_and_opened(void **state)
{
	static const size_t sizes[] = { 0, 36, 64, 100, 512, 1420 };
	struct run *run = calloc(1, sizeof *run);

	assert_non_null(run);
	for (run->count = 1; run->count <= RUN; run->count += 1 + run->count / 4) {
		for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
			for (size_t j = 0; j < run->count; j++)
				run->length[j] = sizes[i];
			run->length[run->count - 1] -= run->length[run->count - 1] / 3; /* the last one is shorter */
			check_run(*state, run);
			check_tampering(*state, run, randombytes_uniform((uint32_t)run->count));
		}
	}
	free(run);
}

static void runs_of_unequal_datagrams_are_sealed_and_opened(void **state)
{
	struct run *run = calloc(1, sizeof *run);

	assert_non_null(run);
	for (run->count = 1; run->count <= RUN; run->count++) {
		for (size_t j = 0; j < run->count; j++)
			run->length[j] = randombytes_uniform(1441);
		check_run(*state, run);
		check_tampering(*state, run, run->count - 1);
		check_tampering(*state, run, 0);
	}
	free(run);
}

/* --- threads: one key, but a provider per thread ----- */

struct thread {
	pthread_t id;
	const struct fixture *model;
	struct aead_provider aead;
	int wrong;
};

static void *seal_many(void *context)
{
	struct thread *thread = context;
	const struct fixture *f = thread->model;
	uint8_t buffer[AEAD_HEADROOM + 1420 + AEAD_TAILROOM], *data = buffer + AEAD_HEADROOM;

	for (int round = 0; round < 2000; round++) {
		memcpy(data, f->plain, 1420);
		f->cipher->seal(&thread->aead, f->key, COUNTER, data, 1420);
		thread->wrong += memcmp(data, f->expected, 1420 + AEAD_TAG) != 0;
	}
	return NULL;
}

static void threads_share_a_key_and_have_their_own_provider(void **state)
{
	struct fixture *f = *state;
	struct thread threads[2] = { { .model = f }, { .model = f } };

	prepare(f, 1420);
	for (int i = 0; i < 2; i++) {
		assert_int_equal(aead_init_like(&threads[i].aead, &f->aead), 0);
		assert_int_equal(pthread_create(&threads[i].id, NULL, seal_many, &threads[i]), 0);
	}
	for (int i = 0; i < 2; i++) {
		assert_int_equal(pthread_join(threads[i].id, NULL), 0);
		assert_int_equal(threads[i].wrong, 0);
		assert_true(!threads[i].aead.ipsec_mb || threads[i].aead.ipsec_mb != f->aead.ipsec_mb);
		aead_destroy(&threads[i].aead);
	}
}

/* --- choice of the cipher ----- */

/* Every available suite has a cipher, of the library `name` or, for "auto", of any library. */
static void check_provider(const struct aead_provider *aead, const char *name)
{
	for (int suite = 0; suite < SUITES; suite++) {
		const struct aead_cipher *cipher = aead->cipher[suite];

		assert_int_equal(cipher != NULL, suite_available((enum suite)suite));
		if (!cipher)
			continue;
		assert_int_equal(cipher->suite, suite);
		if (strcmp(name, "auto") != 0)
			assert_string_equal(cipher->library, name);
	}
	assert_string_equal(aead->name, aead->cipher[SUITE_CHACHA20POLY1305]->library);
}

/* IPsec-MB does not run on old processors, which lack AES instructions too. */
static bool too_old_for(const char *library, int error)
{
	return !strcmp(library, "ipsec-mb") && error == -ENOTSUP && !suite_available(SUITE_AES256GCM);
}

static void names_and_providers_agree(void **state)
{
	char names[] = AEAD_NAMES, *rest;
	int count = 0;

	for (char *name = strtok_r(names, ", ", &rest); name; name = strtok_r(NULL, ", ", &rest)) {
		struct aead_provider aead;
		int error;

		count++;
		assert_true(aead_known(name));
		if (!aead_built_in(name)) {
			assert_int_equal(aead_init(&aead, name), -ENOTSUP);
			continue;
		}
		error = aead_init(&aead, name);
		if (too_old_for(name, error))
			continue;
		assert_int_equal(error, 0);
		check_provider(&aead, name);
		aead_destroy(&aead);
	}
	assert_int_equal(count, 3);
	assert_true(aead_built_in("auto") && aead_built_in("libsodium"));
}

static void libsodium_is_ready_without_init(void **state)
{
	assert_string_equal(aead_libsodium.name, "libsodium");
	for (int suite = 0; suite < SUITES; suite++) {
		assert_int_equal(aead_libsodium.cipher[suite]->suite, suite);
		assert_string_equal(aead_libsodium.cipher[suite]->library, "libsodium");
	}
}

static void other_names_are_unknown(void **state)
{
	static const struct aead_provider none;
	static const char *const names[] = { "", "rot13", "Auto", "libsodium ", "chacha20poly1305" };

	for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
		struct aead_provider aead;

		memset(&aead, 0xff, sizeof aead);
		assert_false(aead_known(names[i]) || aead_built_in(names[i]));
		assert_int_equal(aead_init(&aead, names[i]), -EINVAL);
		assert_memory_equal(&aead, &none, sizeof none);
		aead_destroy(&aead);
	}
}

/* For AES-256-GCM IPsec-MB is several times faster, so the result does not depend on the load of the machine. */
static void auto_chooses_the_faster_library(void **state)
{
	struct aead_provider aead;
	const char *expected = aead_built_in("ipsec-mb") ? "ipsec-mb" : "libsodium";

	assert_int_equal(aead_init(&aead, "auto"), 0);
	if (aead.cipher[SUITE_AES256GCM])
		assert_string_equal(aead.cipher[SUITE_AES256GCM]->library, expected);
	aead_destroy(&aead);
}

/* The linker replaces free by __wrap_free, in the code under test too. */
void __real_free(void *memory);
void __wrap_free(void *memory);

enum { LARGE = 50000 };

static struct {
	bool watching;
	int freed, dirty; /* blocks of LARGE bytes or more */
} frees;

void __wrap_free(void *memory)
{
	if (memory && frees.watching && malloc_usable_size(memory) >= LARGE) {
		frees.freed++;
		frees.dirty += !sodium_is_zero(memory, LARGE);
	}
	__real_free(memory);
}

static void scratch_is_wiped(void **state)
{
	static const struct aead_provider none;
	struct fixture *f = *state;
	struct aead_provider aead;
	uint8_t buffer[AEAD_HEADROOM + AEAD_TAILROOM];

	assert_int_equal(aead_init_like(&aead, &f->aead), 0);
	f->cipher->seal(&aead, f->key, COUNTER, buffer + AEAD_HEADROOM, 0);
	frees.watching = true;
	aead_destroy(&aead);
	frees.watching = false;
	assert_int_equal(frees.dirty, 0);
	assert_int_equal(frees.freed, f->aead.ipsec_mb != NULL);
	assert_memory_equal(&aead, &none, sizeof none);
	frees.freed = 0;
}

/* --- groups ----- */

/* The provider and suite of a group of tests. */
struct subject {
	const char *provider;
	enum suite suite;
};

static int setup(void **state)
{
	const struct subject *subject = *state;
	struct fixture *f = malloc(sizeof *f);

	if (!f || aead_init(&f->aead, subject->provider))
		return -1;
	f->cipher = f->aead.cipher[subject->suite];
	f->key = aligned_alloc(64, (f->cipher->key_size + 63) / 64 * 64);
	set_key(f, secret);
	*state = f;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *f = *state;

	aead_destroy(&f->aead);
	free(f->key);
	free(f);
	return 0;
}

#define TEST(name, subject) cmocka_unit_test_prestate_setup_teardown(name, setup, teardown, subject)

static int test_cipher(const char *provider, enum suite suite)
{
	struct subject subject = { provider, suite };
	bool aes = suite == SUITE_AES256GCM;
	const struct CMUnitTest tests[] = {
		TEST(seal_equals_one_shot, &subject),
		TEST(open_equals_one_shot, &subject),
		TEST(every_length_matches_python, &subject),
		TEST(open_in_place_writes_only_the_packet, &subject),
		TEST(every_byte_is_authenticated, &subject),
		TEST(length_counter_and_key_are_authenticated, &subject),
		TEST(runs_are_sealed_and_opened, &subject),
		TEST(runs_of_unequal_datagrams_are_sealed_and_opened, &subject),
		TEST(threads_share_a_key_and_have_their_own_provider, &subject),
		TEST(scratch_is_wiped, &subject),
	};
	const struct CMUnitTest chacha[] = { TEST(rfc8439_block_matches, &subject), TEST(rfc8439_text_matches, &subject) };
	const struct CMUnitTest gcm[] = { TEST(gcm_zeros_match, &subject) };
	char name[64];
	int failed;

	snprintf(name, sizeof name, "%s %s", provider, suite_name(suite));
	failed = cmocka_run_group_tests_name(name, tests, NULL, NULL);
	snprintf(name, sizeof name, "%s %s, vectors", provider, suite_name(suite));
	return failed + (aes ? cmocka_run_group_tests_name(name, gcm, NULL, NULL)
						 : cmocka_run_group_tests_name(name, chacha, NULL, NULL));
}

int main(void)
{
	static const char *const libraries[] = { "libsodium", "ipsec-mb" };
	const struct CMUnitTest once[] = {
		cmocka_unit_test(names_and_providers_agree),
		cmocka_unit_test(libsodium_is_ready_without_init),
		cmocka_unit_test(other_names_are_unknown),
		cmocka_unit_test(auto_chooses_the_faster_library),
	};
	int failed = sodium_init() < 0;

	failed += cmocka_run_group_tests_name("providers", once, NULL, NULL);
	for (size_t i = 0; i < sizeof libraries / sizeof *libraries; i++) {
		struct aead_provider aead;

		if (!aead_built_in(libraries[i]) || too_old_for(libraries[i], aead_init(&aead, libraries[i])))
			continue;
		aead_destroy(&aead);
		for (int suite = 0; suite < SUITES; suite++) {
			if (suite_available((enum suite)suite))
				failed += test_cipher(libraries[i], (enum suite)suite);
		}
	}
	return failed;
}
