/* SPDX-License-Identifier: MIT */
/*
 * The handshake: Noise IKpsk2 (WireGuard paper, section 5.4). Its message pattern is
 *
 *     <- s
 *     ...
 *     -> e, es, s, ss, {timestamp}
 *     <- e, ee, se, psk, {}
 *
 * The functions that create or consume a message process its tokens in order; a comment marks the lines of each token.
 * They work on a local copy of the handshake's state. They commit the copy once, on success, and wipe it on every path,
 * so a message that fails has changed nothing.
 */
#include "crypto/noise.h"

#include <assert.h>
#include <errno.h>
#include <sodium.h>
#include <string.h>

#include "base/bytes.h"
#include "base/keytext.h"
#include "crypto/hash.h"
#include "symmetric.h"

#define INITIATION_INTERVAL (20 * NS_PER_MS)

enum { TIMESTAMP_UNIT = 1 << 24 }; /* ns */

static_assert((int)NOISE_KEY == (int)KEY_BYTES, "one size of keys");

void noise_identity_set(struct noise_identity *local, const uint8_t *private_key)
{
	sodium_memzero(local, sizeof *local);
	if (!private_key)
		return;
	memcpy(local->private_key, private_key, NOISE_KEY);
	key_clamp(local->private_key);
	crypto_scalarmult_curve25519_base(local->public_key, local->private_key);
	local->has_key = true;
}

void noise_remote_init(struct noise_remote *remote, const uint8_t public_key[NOISE_KEY])
{
	sodium_memzero(remote, sizeof *remote);
	memcpy(remote->public_key, public_key, NOISE_KEY);
}

void noise_remote_set_psk(struct noise_remote *remote, const uint8_t *psk)
{
	if (psk)
		memcpy(remote->preshared_key, psk, NOISE_KEY);
	else
		sodium_memzero(remote->preshared_key, NOISE_KEY);
}

void noise_remote_set_suite(struct noise_remote *remote, enum suite suite)
{
	if (suite == remote->suite)
		return;
	remote->suite = suite;
	noise_handshake_clear(remote);
}

void noise_remote_reset(struct noise_remote *remote)
{
	remote->static_known = false;
	remote->static_rejected = false;
	sodium_memzero(remote->static_static, sizeof remote->static_static);
	noise_handshake_clear(remote);
}

void noise_handshake_clear(struct noise_remote *remote)
{
	sodium_memzero(&remote->handshake, sizeof remote->handshake);
}

void noise_remote_destroy(struct noise_remote *remote)
{
	sodium_memzero(remote, sizeof *remote);
}

void noise_timestamp(uint8_t stamp[NOISE_TIMESTAMP], uint64_t realtime)
{
	/* TAI64 is 2^62 at 1970-01-01 TAI, which was 10 s before 1970-01-01 UTC. */
	put_be64(stamp, (UINT64_C(1) << 62) + 10 + realtime / NS_PER_S);
	put_be32(stamp + 8, (uint32_t)(realtime % NS_PER_S) & ~(uint32_t)(TIMESTAMP_UNIT - 1));
}

static void generate_ephemeral(uint8_t private_key[NOISE_KEY], uint8_t public_key[NOISE_KEY])
{
	key_generate(private_key);
	crypto_scalarmult_curve25519_base(public_key, private_key);
}

static void mix_ephemeral(struct symmetric *symmetric, const uint8_t public_key[NOISE_KEY])
{
	symmetric_mix_key(symmetric, public_key); /* required by Noise in every pattern that has a psk token */
	symmetric_mix_hash(symmetric, public_key, NOISE_KEY);
}

/* Rejects a public key of low order: the DH gives zero then, a secret that everybody knows. */
static int mix_dh(struct symmetric *symmetric, const uint8_t private_key[NOISE_KEY],
				  const uint8_t public_key[NOISE_KEY])
{
	uint8_t secret[NOISE_KEY];
	int error = 0;

	if (crypto_scalarmult_curve25519(secret, private_key, public_key))
		error = -EKEYREJECTED;
	else
		symmetric_mix_key(symmetric, secret);
	sodium_memzero(secret, sizeof secret);
	return error;
}

/* The DH of both static keys is the same in all handshakes, so compute it once, at first use. */
static int mix_static_static(struct symmetric *symmetric, const struct noise_identity *local,
							 struct noise_remote *remote)
{
	if (!remote->static_known) {
		remote->static_rejected =
			crypto_scalarmult_curve25519(remote->static_static, local->private_key, remote->public_key) != 0;
		remote->static_known = true;
	}
	if (remote->static_rejected)
		return -EKEYREJECTED;
	symmetric_mix_key(symmetric, remote->static_static);
	return 0;
}

/* Loads the state after the last message. */
static void load_symmetric(struct symmetric *symmetric, const struct noise_remote *remote)
{
	symmetric->suite = remote->suite;
	memcpy(symmetric->hash, remote->handshake.hash, NOISE_HASH);
	memcpy(symmetric->chaining_key, remote->handshake.chaining_key, NOISE_HASH);
}

static void commit_symmetric(struct noise_handshake *handshake, const struct symmetric *symmetric,
							 enum noise_state state)
{
	memcpy(handshake->hash, symmetric->hash, NOISE_HASH);
	memcpy(handshake->chaining_key, symmetric->chaining_key, NOISE_HASH);
	handshake->state = state;
}

/* --- initiation ----- */

int noise_create_initiation(const struct noise_identity *local, struct noise_remote *remote, uint32_t index,
							const uint8_t timestamp[NOISE_TIMESTAMP], struct message_initiation *message)
{
	struct noise_handshake *handshake = &remote->handshake;
	struct symmetric symmetric;
	uint8_t ephemeral_private[NOISE_KEY];
	int error;

	if (!local->has_key)
		return -ENOKEY;
	*message = (struct message_initiation) { 0 };
	put_le32(message->type, MESSAGE_INITIATION);
	put_le32(message->sender, index);
	symmetric_init(&symmetric, remote->suite, remote->public_key);

	/* e */
	generate_ephemeral(ephemeral_private, message->ephemeral);
	mix_ephemeral(&symmetric, message->ephemeral);

	/* es */
	error = mix_dh(&symmetric, ephemeral_private, remote->public_key);
	if (error)
		goto wipe;

	/* s */
	symmetric_encrypt_and_hash(&symmetric, message->encrypted_static, local->public_key, NOISE_KEY);

	/* ss */
	error = mix_static_static(&symmetric, local, remote);
	if (error)
		goto wipe;

	/* {timestamp} */
	symmetric_encrypt_and_hash(&symmetric, message->encrypted_timestamp, timestamp, NOISE_TIMESTAMP);

	noise_handshake_clear(remote);
	commit_symmetric(handshake, &symmetric, NOISE_INITIATION_SENT);
	memcpy(handshake->ephemeral_private, ephemeral_private, NOISE_KEY);
	handshake->local_index = index;
wipe:
	sodium_memzero(&symmetric, sizeof symmetric);
	sodium_memzero(ephemeral_private, sizeof ephemeral_private);
	return error;
}

/*
 * Reads the initiation up to the sender's static key, with whichever suite decrypts it. The sender, and with it the
 * configured suite, is unknown until then. This also tries suites that no peer of ours has, so that a `Cipher` that
 * differs at the two ends can be reported. The DH is nearly all of the work and is done only once.
 */
static int read_static(struct symmetric *symmetric, const struct noise_identity *local,
					   const struct message_initiation *message, uint8_t remote_static[NOISE_KEY])
{
	uint8_t secret[NOISE_KEY]; /* the DH of the es token */
	int error = -EBADMSG;

	if (crypto_scalarmult_curve25519(secret, local->private_key, message->ephemeral))
		return -EKEYREJECTED;
	for (int suite = 0; suite < SUITES && error; suite++) {
		if (!suite_available((enum suite)suite))
			continue;
		symmetric_init(symmetric, (enum suite)suite, local->public_key);

		/* e */
		mix_ephemeral(symmetric, message->ephemeral);

		/* es */
		symmetric_mix_key(symmetric, secret);

		/* s */
		error = symmetric_decrypt_and_hash(symmetric, remote_static, message->encrypted_static, NOISE_KEY);
	}
	sodium_memzero(secret, sizeof secret);
	return error;
}

/* Records an authentic initiation, or rejects it if it is a replay or follows the last one too soon. */
static int admit_initiation(struct noise_remote *remote, const uint8_t timestamp[NOISE_TIMESTAMP], uint64_t now)
{
	/* Timestamps are big endian, so memcmp orders them by time. They are not secret. */
	int order = remote->timestamp_known ? memcmp(timestamp, remote->timestamp, NOISE_TIMESTAMP) : 1;

	if (!order)
		return -EALREADY;
	if (order < 0) {
		remote->seconds_late = get_be64(remote->timestamp) - get_be64(timestamp);
		return -ESTALE;
	}
	if (remote->consumed_known && now < remote->consumed + INITIATION_INTERVAL)
		return -EBUSY;
	remote->timestamp_known = true;
	memcpy(remote->timestamp, timestamp, NOISE_TIMESTAMP);
	remote->consumed_known = true;
	remote->consumed = now;
	return 0;
}

int noise_consume_initiation(const struct noise_identity *local, const struct message_initiation *message,
							 noise_find *find, void *context, uint64_t now, struct noise_remote **remote)
{
	uint8_t remote_static[NOISE_KEY], timestamp[NOISE_TIMESTAMP];
	struct noise_remote *found;
	struct symmetric symmetric;
	int error;

	*remote = NULL;
	if (!local->has_key)
		return -ENOKEY;

	/* e, es, s */
	error = read_static(&symmetric, local, message, remote_static);
	if (error)
		goto wipe;
	found = find(context, remote_static);
	error = found ? 0 : -ENOENT;
	if (error)
		goto wipe;

	/* ss */
	error = mix_static_static(&symmetric, local, found);
	if (error)
		goto wipe;

	/* {timestamp} */
	error = symmetric_decrypt_and_hash(&symmetric, timestamp, message->encrypted_timestamp, NOISE_TIMESTAMP);
	if (error)
		goto wipe;

	*remote = found;
	error = symmetric.suite == found->suite ? admit_initiation(found, timestamp, now) : -EPROTONOSUPPORT;
	if (error)
		goto wipe;
	commit_symmetric(&found->handshake, &symmetric, NOISE_INITIATION_CONSUMED);
	/* This aborts our own initiation, if any. Keep its local_index, so that the caller can release the index. */
	sodium_memzero(found->handshake.ephemeral_private, NOISE_KEY);
	memcpy(found->handshake.remote_ephemeral, message->ephemeral, NOISE_KEY);
	found->handshake.remote_index = get_le32(message->sender);
wipe:
	sodium_memzero(&symmetric, sizeof symmetric);
	return error;
}

/* --- response ----- */

int noise_create_response(struct noise_remote *remote, uint32_t index, struct message_response *message)
{
	struct noise_handshake *handshake = &remote->handshake;
	struct symmetric symmetric;
	uint8_t ephemeral_private[NOISE_KEY];
	int error;

	if (handshake->state != NOISE_INITIATION_CONSUMED)
		return -ENOENT;
	*message = (struct message_response) { 0 };
	put_le32(message->type, MESSAGE_RESPONSE);
	put_le32(message->sender, index);
	put_le32(message->receiver, handshake->remote_index);
	load_symmetric(&symmetric, remote);

	/* e */
	generate_ephemeral(ephemeral_private, message->ephemeral);
	mix_ephemeral(&symmetric, message->ephemeral);

	/* ee */
	error = mix_dh(&symmetric, ephemeral_private, handshake->remote_ephemeral);
	if (error)
		goto wipe;

	/* se */
	error = mix_dh(&symmetric, ephemeral_private, remote->public_key);
	if (error)
		goto wipe;

	/* psk */
	symmetric_mix_key_and_hash(&symmetric, remote->preshared_key);

	/* {} */
	symmetric_encrypt_and_hash(&symmetric, message->encrypted_nothing, NULL, 0);

	commit_symmetric(handshake, &symmetric, NOISE_RESPONSE_SENT);
	handshake->local_index = index;
wipe:
	sodium_memzero(&symmetric, sizeof symmetric);
	sodium_memzero(ephemeral_private, sizeof ephemeral_private);
	return error;
}

int noise_consume_response(const struct noise_identity *local, struct noise_remote *remote,
						   const struct message_response *message)
{
	struct noise_handshake *handshake = &remote->handshake;
	struct symmetric symmetric;
	int error;

	if (!local->has_key)
		return -ENOKEY;
	if (handshake->state != NOISE_INITIATION_SENT || get_le32(message->receiver) != handshake->local_index)
		return -ENOENT;
	load_symmetric(&symmetric, remote);

	/* e */
	mix_ephemeral(&symmetric, message->ephemeral);

	/* ee */
	error = mix_dh(&symmetric, handshake->ephemeral_private, message->ephemeral);
	if (error)
		goto wipe;

	/* se */
	error = mix_dh(&symmetric, local->private_key, message->ephemeral);
	if (error)
		goto wipe;

	/* psk */
	symmetric_mix_key_and_hash(&symmetric, remote->preshared_key);

	/* {} */
	error = symmetric_decrypt_and_hash(&symmetric, NULL, message->encrypted_nothing, 0);
	if (error)
		goto wipe;

	commit_symmetric(handshake, &symmetric, NOISE_RESPONSE_CONSUMED);
	handshake->remote_index = get_le32(message->sender);
	sodium_memzero(handshake->ephemeral_private, NOISE_KEY);
wipe:
	sodium_memzero(&symmetric, sizeof symmetric);
	return error;
}

int noise_derive(struct noise_remote *remote, struct noise_keys *keys)
{
	struct noise_handshake *handshake = &remote->handshake;
	bool initiator = handshake->state == NOISE_RESPONSE_CONSUMED;

	if (!initiator && handshake->state != NOISE_RESPONSE_SENT)
		return -ENOENT;
	keys->suite = remote->suite;
	keys->initiator = initiator;
	keys->local_index = handshake->local_index;
	keys->remote_index = handshake->remote_index;
	/* The initiator sends with the first key. */
	hash_kdf(initiator ? keys->send : keys->receive, initiator ? keys->receive : keys->send, NULL,
			 handshake->chaining_key, NULL, 0);
	noise_handshake_clear(remote);
	return 0;
}
