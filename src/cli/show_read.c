/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#include "show_state.h"
#include "uapi_client.h"

enum { PATIENCE = 10 }; /* seconds */

struct reader {
	struct show_interface *interface;
	struct show_peer *peer, **tail;
};

struct key {
	const char *name;
	int (*read)(struct reader *reader, const char *value);
};

static int read_number(const char *value, uint64_t *number)
{
	char *end;

	errno = 0;
	*number = strtoull(value, &end, 10);
	return *value >= '0' && *value <= '9' && !*end && !errno ? 0 : -EPROTO;
}

static int read_number32(const char *value, uint32_t *number)
{
	uint64_t wide;
	int error = read_number(value, &wide);

	*number = (uint32_t)wide;
	return error || wide > UINT32_MAX ? -EPROTO : 0;
}

static int read_private_key(struct reader *reader, const char *value)
{
	uint8_t private_key[KEY_BYTES], public_key[KEY_BYTES];
	bool valid = key_from_hex(private_key, value);

	if (valid && !sodium_is_zero(private_key, sizeof private_key)) {
		crypto_scalarmult_base(public_key, private_key);
		key_to_base64(reader->interface->public_key, public_key);
	}
	sodium_memzero(private_key, sizeof private_key);
	return valid ? 0 : -EPROTO;
}

static int read_port(struct reader *reader, const char *value)
{
	return read_number32(value, &reader->interface->port);
}

static int read_name(const char *value, char name[SHOW_LIBRARY])
{
	return snprintf(name, SHOW_LIBRARY, "%s", value) < SHOW_LIBRARY ? 0 : -EPROTO;
}

static int read_aead(struct reader *reader, const char *value)
{
	return read_name(value, reader->interface->aead);
}

static int read_backend(struct reader *reader, const char *value)
{
	return read_name(value, reader->interface->backend);
}

static int read_workers(struct reader *reader, const char *value)
{
	return read_number32(value, &reader->interface->workers);
}

static int read_mark(struct reader *reader, const char *value)
{
	return read_number32(value, &reader->interface->mark);
}

static int read_public_key(struct reader *reader, const char *value)
{
	struct show_peer *peer = calloc(1, sizeof *peer);
	uint8_t key[KEY_BYTES];

	if (!peer)
		return -ENOMEM;
	*reader->tail = peer;
	reader->tail = &peer->next;
	reader->peer = peer;
	peer->tail = &peer->allowed_ips;
	if (!key_from_hex(key, value))
		return -EPROTO;
	key_to_base64(peer->public_key, key);
	return 0;
}

/* Zeros are none. */
static int read_preshared_key(struct reader *reader, const char *value)
{
	reader->peer->preshared_key = value[strspn(value, "0")] != '\0';
	return 0;
}

/* The zone as the name of an interface, where there is such a one here. */
static int read_endpoint(struct reader *reader, const char *value)
{
	char host[ENDPOINT_HOST], port[ENDPOINT_PORT], text[ENDPOINT_TEXT];
	struct endpoint endpoint;

	if (!endpoint_split(value, host, port) && !endpoint_numeric(host, port, &endpoint))
		value = endpoint_text(text, &endpoint);
	if (strlen(value) >= sizeof reader->peer->endpoint)
		return -EPROTO;
	strcpy(reader->peer->endpoint, value);
	return 0;
}

static int read_handshake(struct reader *reader, const char *value)
{
	return read_number(value, &reader->peer->handshake);
}

static int read_received(struct reader *reader, const char *value)
{
	return read_number(value, &reader->peer->received);
}

static int read_sent(struct reader *reader, const char *value)
{
	return read_number(value, &reader->peer->sent);
}

static int read_keepalive(struct reader *reader, const char *value)
{
	return read_number32(value, &reader->peer->keepalive);
}

static int read_allowed_ip(struct reader *reader, const char *value)
{
	struct config_prefix *added = calloc(1, sizeof *added);

	if (!added)
		return -ENOMEM;
	*reader->peer->tail = added;
	reader->peer->tail = &added->next;
	return prefix_from_text(&added->prefix, value) ? 0 : -EPROTO;
}

static const struct key interface_keys[] = {
	{ "private_key", read_private_key }, { "listen_port", read_port }, { "fwmark", read_mark }, { "aead", read_aead },
	{ "backend", read_backend },         { "workers", read_workers },  { NULL, NULL },
};

static const struct key peer_keys[] = {
	{ "allowed_ip", read_allowed_ip },
	{ "preshared_key", read_preshared_key },
	{ "endpoint", read_endpoint },
	{ "last_handshake_time_sec", read_handshake },
	{ "rx_bytes", read_received },
	{ "tx_bytes", read_sent },
	{ "persistent_keepalive_interval", read_keepalive },
	{ NULL, NULL },
};

/* Keys that are not known are passed over: a later version may say more. */
static int take_line(void *context, char *name, char *value)
{
	struct reader *reader = context;
	const struct key *key = reader->peer ? peer_keys : interface_keys;

	if (!strcmp(name, "public_key"))
		return read_public_key(reader, value);
	for (; key->name; key++)
		if (!strcmp(key->name, name))
			return key->read(reader, value);
	return 0;
}

int show_read(struct show_interface *interface, const char *directory)
{
	struct reader reader = { .interface = interface, .tail = &interface->peers };

	return uapi_client_call(directory, interface->name, "get=1\n\n", PATIENCE, take_line, &reader);
}

void show_free(struct show_interface *interface)
{
	for (struct show_peer *peer = interface->peers, *next; peer; peer = next) {
		next = peer->next;
		config_prefixes_free(peer->allowed_ips);
		free(peer);
	}
	interface->peers = NULL;
}
