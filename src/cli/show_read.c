/* SPDX-License-Identifier: MIT */
/* show: reads the state of an interface from the reply to a get request. */
#include <errno.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "show_state.h"
#include "uapi_client.h"

enum { LINES_PER_CLOCK = 64 }; /* reading the clock costs more than reading a line */

struct show_reader {
	struct show_interface *interface;
	struct show_peer *peer, **peer_tail; /* the current peer, NULL before the first; where to link the next one */
	uint64_t deadline;                   /* of the whole reply, by clock_boottime */
	unsigned lines;
};

static int show_read_u64(const char *value, uint64_t *number)
{
	char *end;

	errno = 0;
	*number = strtoull(value, &end, 10);
	return *value >= '0' && *value <= '9' && !*end && !errno ? 0 : -EPROTO;
}

static int show_read_u32(const char *value, uint32_t *number)
{
	uint64_t wide;
	int error = show_read_u64(value, &wide);

	*number = (uint32_t)wide;
	return error || wide > UINT32_MAX ? -EPROTO : 0;
}

static int show_read_name(const char *value, char name[SHOW_NAME])
{
	return snprintf(name, SHOW_NAME, "%s", value) < SHOW_NAME ? 0 : -EPROTO;
}

/* The last line counts, if a daemon sends several. */
static int show_read_text(const char *value, char **text)
{
	free(*text);
	*text = strdup(value);
	return *text ? 0 : -ENOMEM;
}

/* Keeps the public key only. */
static int show_read_private_key(struct show_interface *interface, const char *value)
{
	uint8_t private_key[KEY_BYTES], public_key[KEY_BYTES];
	bool valid = key_from_hex(private_key, value);

	if (valid && !sodium_is_zero(private_key, sizeof private_key)) {
		crypto_scalarmult_base(public_key, private_key);
		key_to_base64(interface->public_key, public_key);
	}
	sodium_memzero(private_key, sizeof private_key);
	return valid ? 0 : -EPROTO;
}

/* Converts a numeric zone to the name of the interface, if there is one in our network namespace. */
static int show_read_endpoint(struct show_peer *peer, const char *value)
{
	char host[ENDPOINT_HOST], port[ENDPOINT_PORT], text[ENDPOINT_TEXT];
	struct endpoint endpoint;

	if (!endpoint_split(value, host, port) && !endpoint_numeric(host, port, &endpoint))
		value = endpoint_text(text, &endpoint);
	if (snprintf(peer->endpoint, sizeof peer->endpoint, "%s", value) >= (int)sizeof peer->endpoint)
		return -EPROTO;
	return 0;
}

static int show_read_allowed_ip(struct show_peer *peer, const char *value)
{
	struct config_prefix *added = calloc(1, sizeof *added);

	if (!added)
		return -ENOMEM;
	*peer->allowed_ip_tail = added;
	peer->allowed_ip_tail = &added->next;
	return prefix_from_text(&added->prefix, value) ? 0 : -EPROTO;
}

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
	peer->allowed_ip_tail = &peer->allowed_ips;
	if (!key_from_hex(key, value))
		return -EPROTO;
	key_to_base64(peer->public_key, key);
	return 0;
}

static int show_read_peer_line(struct show_peer *peer, const char *key, const char *value)
{
	if (!strcmp(key, "allowed_ip"))
		return show_read_allowed_ip(peer, value);
	if (!strcmp(key, "endpoint"))
		return show_read_endpoint(peer, value);
	if (!strcmp(key, "last_handshake_time_sec"))
		return show_read_u64(value, &peer->handshake);
	if (!strcmp(key, "rx_bytes"))
		return show_read_u64(value, &peer->rx_bytes);
	if (!strcmp(key, "tx_bytes"))
		return show_read_u64(value, &peer->tx_bytes);
	if (!strcmp(key, "persistent_keepalive_interval"))
		return show_read_u32(value, &peer->keepalive);
	if (!strcmp(key, "name"))
		return show_read_text(value, &peer->name);
	if (!strcmp(key, "description"))
		return show_read_text(value, &peer->description);
	if (!strcmp(key, "preshared_key"))
		peer->has_preshared_key = value[strspn(value, "0")] != '\0'; /* all zeros: none */
	return 0;
}

/* Skips unknown keys, because other implementations and later versions have more of them. */
static int show_read_line(void *context, char *key, char *value)
{
	struct show_reader *reader = context;
	struct show_interface *interface = reader->interface;

	if (++reader->lines % LINES_PER_CLOCK == 0 && clock_boottime() > reader->deadline)
		return -EAGAIN;
	if (!strcmp(key, "public_key"))
		return show_read_public_key(reader, value);
	if (reader->peer)
		return show_read_peer_line(reader->peer, key, value);
	if (!strcmp(key, "private_key"))
		return show_read_private_key(interface, value);
	if (!strcmp(key, "listen_port"))
		return show_read_u32(value, &interface->port);
	if (!strcmp(key, "fwmark"))
		return show_read_u32(value, &interface->fwmark);
	/* Earlier versions of adit send "aead" and "backend". */
	if (!strcmp(key, "crypto_provider") || !strcmp(key, "aead"))
		return show_read_name(value, interface->crypto_provider);
	if (!strcmp(key, "tun_backend") || !strcmp(key, "backend"))
		return show_read_name(value, interface->tun_backend);
	if (!strcmp(key, "workers"))
		return show_read_u32(value, &interface->workers);
	return 0;
}

int show_read(struct show_interface *interface, const char *directory, int timeout)
{
	struct show_reader reader = { .interface = interface,
								  .peer_tail = &interface->peers,
								  .deadline = clock_boottime() + (uint64_t)timeout * NS_PER_S };

	return uapi_client_call(directory, interface->name, "get=1\n\n", timeout, show_read_line, &reader);
}

void show_free(struct show_interface *interface)
{
	for (struct show_peer *peer = interface->peers, *next; peer; peer = next) {
		next = peer->next;
		config_prefixes_free(peer->allowed_ips);
		free(peer->name);
		free(peer->description);
		free(peer);
	}
	interface->peers = NULL;
}
