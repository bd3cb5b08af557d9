/*
 * Every provider against libsodium's one-shot functions, bit for bit, and within the bytes it may scribble on.
 *
 * The arena of a call: GUARD | AEAD_BEFORE | data | AEAD_BEHIND | GUARD.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#include "aead.h"

enum { LONGEST = 2048, GUARD = 128, DATA = GUARD + AEAD_BEFORE, ARENA = DATA + LONGEST + AEAD_BEHIND + GUARD };

#define COUNTER UINT64_C(0x8123456789abcdef)

static const uint8_t secret[AEAD_KEY] = "a key of exactly thirty-two byte";

struct fixture {
	const struct aead_provider *aead;
	void *key;
	uint8_t plain[LONGEST], expected[LONGEST + AEAD_TAG];
	uint8_t before[ARENA], in[ARENA], out[ARENA];
};

static void set_key(struct fixture *f, const uint8_t bytes[AEAD_KEY])
{
	f->aead->key_set(f->key, bytes);
}

static void make_nonce(uint8_t nonce[12], uint64_t counter)
{
	memset(nonce, 0, 4);
	for (int i = 0; i < 8; i++)
		nonce[4 + i] = (uint8_t)(counter >> 8 * i);
}

/* Fills plain with `length` bytes of something, and expected with what libsodium makes of them. */
static void prepare(struct fixture *f, size_t length)
{
	uint8_t nonce[12];

	randombytes_buf(f->plain, length);
	make_nonce(nonce, COUNTER);
	crypto_aead_chacha20poly1305_ietf_encrypt(f->expected, NULL, f->plain, length, NULL, 0, NULL, nonce, secret);
}

static void seal_equals_one_shot(void **state)
{
	struct fixture *f = *state;

	for (size_t length = 0; length <= LONGEST; length++) {
		size_t behind = DATA + length + AEAD_BEHIND;

		prepare(f, length);
		randombytes_buf(f->in, ARENA);
		memcpy(f->in + DATA, f->plain, length);
		memcpy(f->before, f->in, ARENA);
		f->aead->seal(f->key, COUNTER, f->in + DATA, length);
		assert_memory_equal(f->in + DATA, f->expected, length + AEAD_TAG);
		assert_memory_equal(f->in, f->before, DATA); /* the guard, and the front as it was */
		assert_memory_equal(f->in + behind, f->before + behind, ARENA - behind);
	}
}

/* Opens expected[0..length + tag) between random bytes. `in` must stay; `out` may change up to AEAD_BEHIND. */
static int open_in_arena(struct fixture *f, size_t length)
{
	size_t behind = DATA + length + AEAD_BEHIND;
	uint8_t outside[ARENA];
	int error;

	randombytes_buf(f->in, ARENA);
	memcpy(f->in + DATA, f->expected, length + AEAD_TAG);
	memcpy(f->before, f->in, ARENA);
	randombytes_buf(f->out, ARENA);
	memcpy(outside, f->out, ARENA);
	error = f->aead->open(f->key, COUNTER, f->out + DATA, f->in + DATA, length);
	assert_memory_equal(f->in, f->before, ARENA);
	assert_memory_equal(f->out, outside, GUARD);
	assert_memory_equal(f->out + behind, outside + behind, ARENA - behind);
	/* No one-time key is left in front: the bytes are as they were, or cleared. */
	if (memcmp(f->out + GUARD, outside + GUARD, AEAD_BEFORE) != 0)
		assert_true(sodium_is_zero(f->out + GUARD, AEAD_BEFORE));
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

static void every_byte_is_covered(void **state)
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

static void length_counter_and_key_are_covered(void **state)
{
	struct fixture *f = *state;
	uint8_t other[AEAD_KEY];

	prepare(f, 100);
	assert_int_equal(open_in_arena(f, 99), -EBADMSG);
	assert_int_equal(open_in_arena(f, 101), -EBADMSG);
	for (int bit = 0; bit < 64; bit++)
		assert_int_equal(f->aead->open(f->key, COUNTER ^ UINT64_C(1) << bit, f->out + DATA, f->in + DATA, 100),
						 -EBADMSG);
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

/* RFC 8439, appendix A.1, test vector 2: block 1 under a zero key is what 64 zero bytes are sealed to. */
static void rfc8439_block(void **state)
{
	static const uint8_t zeros[64];
	struct fixture *f = *state;
	uint8_t block[64];

	unhex(block, sizeof block,
		  "9f07e7be5551387a98ba977c732d080dcb0f29a048e3656912c6533e32ee7aed"
		  "29b721769ce64e43d57133b074d839d531ed1f28510afb45ace10a1f4b794d6f");
	memset(f->in, 0, ARENA);
	set_key(f, zeros);
	f->aead->seal(f->key, 0, f->in + DATA, sizeof zeros);
	set_key(f, secret);
	assert_memory_equal(f->in + DATA, block, sizeof block);
}

/*
 * RFC 8439, appendix A.5. Its nonce begins with 32 zero bits, as ours do. It has associated data, which counts in the
 * tag alone; the ciphertext must be the same.
 */
static void rfc8439_text(void **state)
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
	f->aead->seal(f->key, UINT64_C(0x0807060504030201), f->in + DATA, sizeof sealed);
	set_key(f, secret);
	assert_memory_equal(f->in + DATA, sealed, sizeof sealed);
}

static int setup(void **state)
{
	struct fixture *f = malloc(sizeof *f);

	if (!f)
		return -1;
	f->aead = *state;
	f->key = aligned_alloc(64, (f->aead->key_size + 63) / 64 * 64);
	set_key(f, secret);
	*state = f;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *f = *state;

	free(f->key);
	free(f);
	return 0;
}

static void names_and_providers_agree(void **state)
{
	char names[128], *rest = names;
	int count = 0;

	assert_true(strlen(aead_names()) < sizeof names);
	strcpy(names, aead_names());
	for (char *name; (name = strtok_r(rest, ", ", &rest)); count++) {
		const struct aead_provider *aead = aead_find(name);
		assert_non_null(aead);
		assert_string_equal(aead->name, count ? name : aead->name); /* "auto" is none by itself */
	}
	assert_true(count >= 2);
	assert_ptr_equal(aead_find("libsodium"), &aead_libsodium);
	assert_null(aead_find("rot13"));
	assert_null(aead_find(""));
}

int main(void)
{
	const struct CMUnitTest once[] = { cmocka_unit_test(names_and_providers_agree) };
	char names[128], *rest = names;
	int failed = sodium_init() < 0;

	failed += cmocka_run_group_tests(once, NULL, NULL);
	strncpy(names, aead_names(), sizeof names - 1);
	names[sizeof names - 1] = '\0';
	strtok_r(rest, ", ", &rest); /* "auto", which is one of the others */
	for (char *name; (name = strtok_r(rest, ", ", &rest));) {
		void *aead = (void *)aead_find(name);
		const struct CMUnitTest tests[] = {
			cmocka_unit_test_prestate_setup_teardown(seal_equals_one_shot, setup, teardown, aead),
			cmocka_unit_test_prestate_setup_teardown(open_equals_one_shot, setup, teardown, aead),
			cmocka_unit_test_prestate_setup_teardown(every_byte_is_covered, setup, teardown, aead),
			cmocka_unit_test_prestate_setup_teardown(length_counter_and_key_are_covered, setup, teardown, aead),
			cmocka_unit_test_prestate_setup_teardown(rfc8439_block, setup, teardown, aead),
			cmocka_unit_test_prestate_setup_teardown(rfc8439_text, setup, teardown, aead),
		};
		failed += cmocka_run_group_tests_name(name, tests, NULL, NULL);
	}
	return failed;
}
