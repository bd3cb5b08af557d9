/* SPDX-License-Identifier: MIT */
/* What a set on the control socket says, into a configuration. The keys stand in two tables, one row each. */
#include <arpa/inet.h>
#include <errno.h>
#include <net/if.h>
#include <stdlib.h>
#include <string.h>

#include "text.h"

struct parser {
	struct config *config;
	struct config_peer *peer; /* the one that the lines are about; NULL: the interface */
	struct config_peer **peer_tail;
	struct config_prefix **prefix_tail;
};

struct key {
	const char *name;
	int (*read)(struct parser *parser, const char *value);
};

/* Digits and nothing else. */
static int read_number(const char *value, uint32_t most, uint32_t *number)
{
	unsigned long long wide;

	if (!*value || value[strspn(value, "0123456789")])
		return -EINVAL;
	wide = strtoull(value, NULL, 10); /* what is too large even for it reads as its largest number */
	if (wide > most)
		return -EINVAL;
	*number = (uint32_t)wide;
	return 0;
}

/* A flag can be raised, and that is all. */
static int read_true(const char *value, bool *flag)
{
	*flag = true;
	return strcmp(value, "true") ? -EINVAL : 0;
}

static int read_key(const char *value, uint8_t key[KEY_BYTES])
{
	return key_from_hex(key, value) ? 0 : -EINVAL;
}

static int read_private_key(struct parser *parser, const char *value)
{
	parser->config->has_private_key = true;
	return read_key(value, parser->config->private_key);
}

static int read_listen_port(struct parser *parser, const char *value)
{
	uint32_t port = 0;
	int error = read_number(value, UINT16_MAX, &port);

	parser->config->listen_port = (uint16_t)port;
	parser->config->has_listen_port = true;
	return error;
}

static int read_fwmark(struct parser *parser, const char *value)
{
	parser->config->has_fwmark = true;
	return read_number(value, UINT32_MAX, &parser->config->fwmark);
}

static int read_replace_peers(struct parser *parser, const char *value)
{
	return read_true(value, &parser->config->replace_peers);
}

static int read_public_key(struct parser *parser, const char *value)
{
	struct config_peer *peer = calloc(1, sizeof *peer);

	if (!peer)
		return -ENOMEM;
	*parser->peer_tail = peer;
	parser->peer_tail = &peer->next;
	parser->prefix_tail = &peer->allowed_ips;
	parser->peer = peer;
	parser->config->peer_count++;
	peer->has_public_key = true;
	return read_key(value, peer->public_key);
}

static int read_remove(struct parser *parser, const char *value)
{
	return read_true(value, &parser->peer->remove);
}

static int read_update_only(struct parser *parser, const char *value)
{
	return read_true(value, &parser->peer->update_only);
}

static int read_preshared_key(struct parser *parser, const char *value)
{
	parser->peer->has_preshared_key = true;
	return read_key(value, parser->peer->preshared_key);
}

static int read_port(const char *value, in_port_t *port)
{
	uint32_t number;
	int error = read_number(value, UINT16_MAX, &number);

	if (error || !number) /* nothing can be sent to port 0 */
		return -EINVAL;
	*port = htons((uint16_t)number);
	return 0;
}

/* A zone (RFC 4007, section 11) is an interface's name or number. */
static int read_zone(const char *zone, uint32_t *index)
{
	*index = if_nametoindex(zone);
	return *index ? 0 : read_number(zone, INT32_MAX, index);
}

/* "[address]:port" or "[address%zone]:port"; `value` is behind the bracket. */
static int read_endpoint_v6(char *value, struct sockaddr_in6 *to)
{
	char *end = strstr(value, "]:"), *zone;
	int error;

	if (!end)
		return -EINVAL;
	*end = '\0';
	zone = strchr(value, '%');
	if (zone)
		*zone++ = '\0';
	to->sin6_family = AF_INET6;
	if (inet_pton(AF_INET6, value, &to->sin6_addr) != 1)
		return -EINVAL;
	error = zone ? read_zone(zone, &to->sin6_scope_id) : 0;
	return error ? error : read_port(end + 2, &to->sin6_port);
}

static int read_endpoint_v4(char *value, struct sockaddr_in *to)
{
	char *colon = strchr(value, ':');

	if (!colon)
		return -EINVAL;
	*colon = '\0';
	to->sin_family = AF_INET;
	if (inet_pton(AF_INET, value, &to->sin_addr) != 1)
		return -EINVAL;
	return read_port(colon + 1, &to->sin_port);
}

static int read_endpoint(struct parser *parser, const char *value)
{
	struct endpoint *endpoint = &parser->peer->endpoint;
	char text[ENDPOINT_TEXT];

	if (strlen(value) >= sizeof text)
		return -EINVAL;
	strcpy(text, value);
	*endpoint = (struct endpoint) { 0 };
	parser->peer->has_endpoint = true;
	return *text == '[' ? read_endpoint_v6(text + 1, &endpoint->to.v6) : read_endpoint_v4(text, &endpoint->to.v4);
}

static int read_keepalive(struct parser *parser, const char *value)
{
	uint32_t seconds = 0;
	int error = read_number(value, UINT16_MAX, &seconds);

	parser->peer->keepalive = (uint16_t)seconds;
	parser->peer->has_keepalive = true;
	return error;
}

/* It replaces with what follows, so what was said before is void. */
static int read_replace_allowed_ips(struct parser *parser, const char *value)
{
	struct config_peer *peer = parser->peer;

	config_prefixes_free(peer->allowed_ips);
	peer->allowed_ips = NULL;
	parser->prefix_tail = &peer->allowed_ips;
	return read_true(value, &peer->replace_allowed_ips);
}

static int read_allowed_ip(struct parser *parser, const char *value)
{
	bool remove = *value == '-';
	struct config_prefix *added;
	struct ip_prefix prefix;

	if (!prefix_from_text(&prefix, value + remove))
		return -EINVAL;
	added = calloc(1, sizeof *added);
	if (!added)
		return -ENOMEM;
	added->prefix = prefix;
	added->remove = remove;
	*parser->prefix_tail = added;
	parser->prefix_tail = &added->next;
	return 0;
}

static int read_protocol_version(struct parser *parser, const char *value)
{
	return strcmp(value, "1") ? -EINVAL : 0;
}

static const struct key interface_keys[] = {
	{ "private_key", read_private_key },     { "listen_port", read_listen_port }, { "fwmark", read_fwmark },
	{ "replace_peers", read_replace_peers }, { "public_key", read_public_key },   { NULL, NULL },
};

static const struct key peer_keys[] = {
	{ "allowed_ip", read_allowed_ip },
	{ "public_key", read_public_key },
	{ "remove", read_remove },
	{ "update_only", read_update_only },
	{ "preshared_key", read_preshared_key },
	{ "endpoint", read_endpoint },
	{ "persistent_keepalive_interval", read_keepalive },
	{ "replace_allowed_ips", read_replace_allowed_ips },
	{ "protocol_version", read_protocol_version },
	{ NULL, NULL },
};

static int read_line(struct parser *parser, char *line)
{
	const struct key *key = parser->peer ? peer_keys : interface_keys;
	char *equals = strchr(line, '=');

	if (!equals)
		return -EPROTO;
	*equals = '\0';
	for (; key->name; key++)
		if (!strcmp(key->name, line))
			return key->read(parser, equals + 1);
	return -EINVAL;
}

int uapi_parse(struct config *config, char *text, size_t length)
{
	struct parser parser = { .config = config, .peer_tail = &config->peers };
	char *const end = text + length;
	int error = 0;

	if (memchr(text, '\0', length)) /* lines are read as strings: it would hide what stands behind it */
		return -EINVAL;
	while (text < end && !error) {
		char *newline = memchr(text, '\n', (size_t)(end - text));
		if (!newline)
			return -EIO;
		*newline = '\0';
		error = read_line(&parser, text);
		text = newline + 1;
	}
	return error;
}
