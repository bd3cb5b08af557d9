/* SPDX-License-Identifier: MIT */
/* show: reads the state of an interface from the reply to a get request. */
#include <assert.h>
#include <errno.h>
#include <sodium.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/wg_state.h"
#include "show_state.h"
#include "uapi_client.h"

struct show_reader {
	struct show_interface *interface;
	struct show_peer *peer, **peer_tail; /* the current peer, NULL before the first; where to link the next one */
	size_t expected;                     /* the key of a peer that probably follows */
};

/* --- words ----- */

static const char *const state_words[] = {
	[SHOW_UP] = "up",
	[SHOW_IDLE] = "idle",
	[SHOW_WAITING] = "waiting",
	[SHOW_SILENT] = "silent",
	[SHOW_NO_ENDPOINT] = "no-endpoint",
	[SHOW_UNREACHABLE] = "unreachable",
};
static_assert(sizeof state_words / sizeof *state_words == SHOW_STATES, "each state has a word");

static const char *const origin_words[] = {
	[SHOW_CONFIGURED] = "configured", [SHOW_RESOLVED] = "resolved", [SHOW_ROAMED] = "roamed", [SHOW_SET] = "set",
	[SHOW_SAVED] = "saved",
};
static_assert(sizeof origin_words / sizeof *origin_words == SHOW_ORIGINS, "each origin has a word");

const char *show_state_word(enum show_peer_state state)
{
	return state_words[state];
}

const char *show_origin_word(enum show_origin origin)
{
	return origin_words[origin];
}

const char *show_drop_cause(const char *counter)
{
	static const char prefix[] = "drop_";

	return strncmp(counter, prefix, sizeof prefix - 1) ? NULL : counter + sizeof prefix - 1;
}

/* Returns the index of `value`, or 0, the unknown one. */
static unsigned find_word(const char *const *words, unsigned count, const char *value)
{
	for (unsigned i = 1; i < count; i++) {
		if (!strcmp(words[i], value))
			return i;
	}
	return 0;
}

/* --- values: each function converts the text of a line and stores it in a member of the struct ----- */

static int show_read_u64(void *member, const char *value)
{
	uint64_t *number = member;
	char *end;

	errno = 0;
	*number = strtoull(value, &end, 10);
	return *value >= '0' && *value <= '9' && !*end && !errno ? 0 : -EPROTO;
}

static int show_read_u32(void *member, const char *value)
{
	uint32_t *number = member;
	uint64_t wide;
	int error = show_read_u64(&wide, value);

	*number = (uint32_t)wide;
	return error || wide > UINT32_MAX ? -EPROTO : 0;
}

/* Reads SHOW_GAPS numbers that commas separate. */
static int show_read_gaps(void *member, const char *value)
{
	uint64_t *gaps = member;

	for (int i = 0; i < SHOW_GAPS; i++) {
		char *end;

		errno = 0;
		gaps[i] = strtoull(value, &end, 10);
		if (*value < '0' || *value > '9' || errno || *end != (i + 1 < SHOW_GAPS ? ',' : '\0'))
			return -EPROTO;
		value = end + 1;
	}
	return 0;
}

static int show_read_name(void *member, const char *value)
{
	return snprintf(member, SHOW_NAME, "%s", value) < SHOW_NAME ? 0 : -EPROTO;
}

/* The last line counts, if a daemon sends several. */
static int show_read_text(void *member, const char *value)
{
	char **text = member;

	free(*text);
	*text = *value ? strdup(value) : NULL;
	return *text || !*value ? 0 : -ENOMEM;
}

static int show_read_state(void *member, const char *value)
{
	enum show_peer_state *state = member;

	*state = find_word(state_words, SHOW_STATES, value);
	return 0;
}

static int show_read_origin(void *member, const char *value)
{
	enum show_origin *origin = member;

	*origin = find_word(origin_words, SHOW_ORIGINS, value);
	return 0;
}

/* Converts a numeric zone to the name of the interface, if there is one in our network namespace. */
static int show_read_endpoint(void *member, const char *value)
{
	char host[ENDPOINT_HOST], port[ENDPOINT_PORT], text[ENDPOINT_TEXT];
	struct endpoint endpoint;

	if (!endpoint_split(value, host, port) && !endpoint_numeric(host, port, &endpoint))
		value = endpoint_text(text, &endpoint);
	return snprintf(member, SHOW_ENDPOINT, "%s", value) < SHOW_ENDPOINT ? 0 : -EPROTO;
}

/* Stores whether there is a key, not the key itself. All zeros mean that there is none. */
static int show_read_preshared_key(void *member, const char *value)
{
	bool *has_preshared_key = member;

	*has_preshared_key = value[strspn(value, "0")] != '\0';
	return 0;
}

static int show_read_datagrams(void *member, const char *value)
{
	struct show_quality *quality = member;

	quality->has_datagrams = true;
	return show_read_u64(&quality->datagrams, value);
}

static int show_read_allowed_ip(void *member, const char *value)
{
	struct show_peer *peer = member;
	struct config_prefix *added = calloc(1, sizeof *added);

	if (!added)
		return -ENOMEM;
	*peer->allowed_ip_tail = added;
	peer->allowed_ip_tail = &added->next;
	return prefix_from_text(&added->prefix, value) ? 0 : -EPROTO;
}

/* Keeps the public key only. */
static int show_read_private_key(void *member, const char *value)
{
	struct show_interface *interface = member;
	uint8_t private_key[KEY_BYTES], public_key[KEY_BYTES];
	bool valid = key_from_hex(private_key, value);

	if (valid && !sodium_is_zero(private_key, sizeof private_key)) {
		crypto_scalarmult_base(public_key, private_key);
		key_to_base64(interface->public_key, public_key);
	}
	sodium_memzero(private_key, sizeof private_key);
	return valid ? 0 : -EPROTO;
}

int show_add_warning(struct show_warning **tail, const char *value)
{
	struct show_warning *added = calloc(1, sizeof *added + strlen(value) + 1);

	if (!added)
		return -ENOMEM;
	memcpy(added->text, value, strlen(value) + 1);
	while (*tail)
		tail = &(*tail)->next;
	*tail = added;
	return 0;
}

static int show_read_warning(void *member, const char *value)
{
	return show_add_warning(member, value);
}

/* --- lines ----- */

struct show_key {
	const char *key;
	int (*read)(void *member, const char *value);
	size_t member; /* offset */
};

/* Earlier versions of adit send "aead" and "backend". */
static const struct show_key interface_keys[] = {
	{ "private_key", show_read_private_key, 0 },
	{ "listen_port", show_read_u32, offsetof(struct show_interface, port) },
	{ "fwmark", show_read_u32, offsetof(struct show_interface, fwmark) },
	{ "crypto_provider", show_read_name, offsetof(struct show_interface, crypto_provider) },
	{ "aead", show_read_name, offsetof(struct show_interface, crypto_provider) },
	{ "tun_backend", show_read_name, offsetof(struct show_interface, tun_backend) },
	{ "backend", show_read_name, offsetof(struct show_interface, tun_backend) },
	{ "workers", show_read_u32, offsetof(struct show_interface, workers) },
	{ "log_level", show_read_name, offsetof(struct show_interface, log_level) },
	{ "warning", show_read_warning, offsetof(struct show_interface, warnings) },
};
enum { INTERFACE_KEYS = sizeof interface_keys / sizeof *interface_keys };

/* In the order in which adit sends them. */
static const struct show_key peer_keys[] = {
	{ "preshared_key", show_read_preshared_key, offsetof(struct show_peer, has_preshared_key) },
	{ "endpoint", show_read_endpoint, offsetof(struct show_peer, endpoint) },
	{ "last_handshake_time_sec", show_read_u64, offsetof(struct show_peer, handshake) },
	{ "tx_bytes", show_read_u64, offsetof(struct show_peer, tx_bytes) },
	{ "rx_bytes", show_read_u64, offsetof(struct show_peer, rx_bytes) },
	{ "persistent_keepalive_interval", show_read_u32, offsetof(struct show_peer, keepalive) },
	{ "state", show_read_state, offsetof(struct show_peer, state) },
	{ "state_since_time_sec", show_read_u64, offsetof(struct show_peer, state_since) },
	{ "endpoint_origin", show_read_origin, offsetof(struct show_peer, endpoint_origin) },
	{ "state_reason", show_read_text, offsetof(struct show_peer, state_reason) },
	{ "rx_datagrams", show_read_datagrams, offsetof(struct show_peer, quality) },
	{ "rx_lost", show_read_u64, offsetof(struct show_peer, quality.lost) },
	{ "rx_late", show_read_u64, offsetof(struct show_peer, quality.late) },
	{ "rx_duplicate", show_read_u64, offsetof(struct show_peer, quality.duplicate) },
	{ "rx_gaps", show_read_gaps, offsetof(struct show_peer, quality.gaps) },
	{ "rtt_ns", show_read_u64, offsetof(struct show_peer, quality.rtt_ns) },
	{ "rtt_min_ns", show_read_u64, offsetof(struct show_peer, quality.rtt_min_ns) },
	{ "jitter_ns", show_read_u64, offsetof(struct show_peer, quality.jitter_ns) },
	{ "name", show_read_text, offsetof(struct show_peer, name) },
	{ "description", show_read_text, offsetof(struct show_peer, description) },
	{ "allowed_ip", show_read_allowed_ip, 0 },
};
enum { PEER_KEYS = sizeof peer_keys / sizeof *peer_keys };

/* Starts the next peer. */
static int show_read_public_key(struct show_reader *reader, const char *value)
{
	struct show_peer *peer = calloc(1, sizeof *peer);
	uint8_t key[KEY_BYTES];

	if (!peer)
		return -ENOMEM;
	*reader->peer_tail = peer;
	reader->peer_tail = &peer->next;
	reader->peer = peer;
	reader->expected = 0;
	peer->allowed_ip_tail = &peer->allowed_ips;
	if (!key_from_hex(key, value))
		return -EPROTO;
	key_to_base64(peer->public_key, key);
	return 0;
}

/* Starts at the expected key, because an answer with 10,000 peers has 200,000 lines. */
static int show_read_peer_line(struct show_reader *reader, const char *key, const char *value)
{
	for (size_t i = 0; i < PEER_KEYS; i++) {
		size_t candidate = (reader->expected + i) % PEER_KEYS;
		const struct show_key *known = &peer_keys[candidate];

		if (strcmp(key, known->key) != 0)
			continue;
		reader->expected = candidate + (known->read != show_read_allowed_ip);
		return known->read((char *)reader->peer + known->member, value);
	}
	return 0;
}

/* Skips unknown keys, because other implementations and later versions have more of them. */
static int show_read_line(void *context, char *key, char *value)
{
	struct show_reader *reader = context;

	if (!strcmp(key, "public_key"))
		return show_read_public_key(reader, value);
	if (reader->peer)
		return show_read_peer_line(reader, key, value);
	for (size_t i = 0; i < INTERFACE_KEYS; i++) {
		if (!strcmp(key, interface_keys[i].key))
			return interface_keys[i].read((char *)reader->interface + interface_keys[i].member, value);
	}
	return 0;
}

/*
 * Sets the states that the daemon has not reported, or has reported by a word of a later version. Clears the origins of
 * endpoints that are not known any more.
 */
static void derive_states(struct show_interface *interface)
{
	uint64_t now = clock_realtime() / NS_PER_S;

	for (struct show_peer *peer = interface->peers; peer; peer = peer->next) {
		struct wg_values values = { .has_endpoint = *peer->endpoint,
									.has_keepalive = peer->keepalive,
									.handshake = peer->handshake,
									.sent = peer->tx_bytes };

		if (!*peer->endpoint)
			peer->endpoint_origin = SHOW_ORIGIN_UNKNOWN;
		if (peer->state == SHOW_STATE_UNKNOWN)
			peer->state = find_word(state_words, SHOW_STATES, wg_state_word(&values, now));
	}
}

int show_read(struct show_interface *interface, const char *directory, int timeout)
{
	struct show_reader reader = { .interface = interface, .peer_tail = &interface->peers };
	int error = uapi_client_call(directory, interface->name, "get=1\n\n", timeout, show_read_line, &reader);

	derive_states(interface);
	return error;
}

/* --- counters ----- */

/*
 * Reads a number, or several that commas separate. Skips other lines and counters with more numbers, which are those of
 * a later version.
 */
static int show_read_counter(void *context, char *key, char *value)
{
	struct show_counter ***tail = context;
	size_t size = strlen(key) + 1;
	struct show_counter *counter = calloc(1, sizeof *counter + size);
	const char *number;

	if (!counter)
		return -ENOMEM;
	memcpy(counter->name, key, size);
	while ((number = strsep(&value, ","))) {
		if (counter->count == SHOW_COUNTER_VALUES || show_read_u64(&counter->values[counter->count], number)) {
			free(counter);
			return 0;
		}
		counter->count++;
	}
	**tail = counter;
	*tail = &counter->next;
	return 0;
}

static void free_counters(struct show_interface *interface)
{
	for (struct show_counter *counter = interface->counters, *next; counter; counter = next) {
		next = counter->next;
		free(counter);
	}
	interface->counters = NULL;
}

int show_read_counters(struct show_interface *interface, const char *directory, int timeout)
{
	struct show_counter **tail = &interface->counters;
	int error = uapi_client_call(directory, interface->name, "counters=1\n\n", timeout, show_read_counter, &tail);

	if (error)
		free_counters(interface);
	interface->has_counters = !error;
	return error;
}

void show_free_peers(struct show_interface *interface)
{
	for (struct show_peer *peer = interface->peers, *next; peer; peer = next) {
		next = peer->next;
		config_prefixes_free(peer->allowed_ips);
		free(peer->name);
		free(peer->description);
		free(peer->state_reason);
		free(peer);
	}
	interface->peers = NULL;
}

void show_free(struct show_interface *interface)
{
	show_free_peers(interface);
	for (struct show_warning *warning = interface->warnings, *next; warning; warning = next) {
		next = warning->next;
		free(warning);
	}
	interface->warnings = NULL;
	free_counters(interface);
}
