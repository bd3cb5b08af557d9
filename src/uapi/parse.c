/* SPDX-License-Identifier: MIT */
/* Parses a set request of the control socket into a configuration. */
#include <arpa/inet.h>
#include <errno.h>
#include <net/if.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "text.h"

struct set_key {
	const char *name;
	int (*parse)(struct uapi_parser *parser, const char *value);
};

/* Accepts digits only, unlike strtoull(3). */
static int parse_number(const char *value, uint32_t max, uint32_t *number)
{
	unsigned long long wide;

	if (!*value || value[strspn(value, "0123456789")])
		return -EINVAL;
	wide = strtoull(value, NULL, 10); /* ULLONG_MAX on overflow */
	if (wide > max)
		return -EINVAL;
	*number = (uint32_t)wide;
	return 0;
}

/* The protocol has no value for "false". */
static int parse_true(const char *value, bool *flag)
{
	*flag = true;
	return strcmp(value, "true") ? -EINVAL : 0;
}

static int parse_private_key(struct uapi_parser *parser, const char *value)
{
	parser->config->has_private_key = true;
	return key_from_hex(parser->config->private_key, value) ? 0 : -EINVAL;
}

static int parse_listen_port(struct uapi_parser *parser, const char *value)
{
	uint32_t port = 0;
	int error = parse_number(value, UINT16_MAX, &port);

	parser->config->listen_port = (uint16_t)port;
	parser->config->has_listen_port = true;
	return error;
}

static int parse_fwmark(struct uapi_parser *parser, const char *value)
{
	parser->config->has_fwmark = true;
	return parse_number(value, UINT32_MAX, &parser->config->fwmark);
}

static int parse_replace_peers(struct uapi_parser *parser, const char *value)
{
	return parse_true(value, &parser->config->replace_peers);
}

static int parse_public_key(struct uapi_parser *parser, const char *value)
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
	return key_from_hex(peer->public_key, value) ? 0 : -EINVAL;
}

static int parse_remove(struct uapi_parser *parser, const char *value)
{
	return parse_true(value, &parser->peer->remove);
}

static int parse_update_only(struct uapi_parser *parser, const char *value)
{
	return parse_true(value, &parser->peer->update_only);
}

static int parse_preshared_key(struct uapi_parser *parser, const char *value)
{
	parser->peer->has_preshared_key = true;
	return key_from_hex(parser->peer->preshared_key, value) ? 0 : -EINVAL;
}

/* "address:port", "[address]:port" or "[address%zone]:port". */
static int parse_endpoint(struct uapi_parser *parser, const char *value)
{
	struct endpoint *endpoint = &parser->peer->endpoint;
	bool bracket = *value == '[';
	char text[ENDPOINT_TEXT], *end, *zone;
	uint32_t port;

	if (snprintf(text, sizeof text, "%s", value) >= (int)sizeof text)
		return -EINVAL;
	*endpoint = (struct endpoint) { 0 };
	parser->peer->has_endpoint = true;
	end = bracket ? strstr(text, "]:") : strchr(text, ':');
	if (!end || parse_number(end + 1 + bracket, UINT16_MAX, &port) || !port) /* port 0 cannot be a destination */
		return -EINVAL;
	*end = '\0';
	if (!bracket) {
		endpoint->to.v4.sin_family = AF_INET;
		endpoint->to.v4.sin_port = htons((uint16_t)port);
		return inet_pton(AF_INET, text, &endpoint->to.v4.sin_addr) == 1 ? 0 : -EINVAL;
	}
	zone = strchr(text, '%');
	if (zone)
		*zone++ = '\0';
	endpoint->to.v6.sin6_family = AF_INET6;
	endpoint->to.v6.sin6_port = htons((uint16_t)port);
	if (inet_pton(AF_INET6, text + 1, &endpoint->to.v6.sin6_addr) != 1)
		return -EINVAL;
	if (zone) { /* the name or the index of an interface: RFC 4007, section 11 */
		endpoint->to.v6.sin6_scope_id = if_nametoindex(zone);
		if (!endpoint->to.v6.sin6_scope_id && parse_number(zone, INT32_MAX, &endpoint->to.v6.sin6_scope_id))
			return -EINVAL;
	}
	endpoint_unmap(endpoint);
	return 0;
}

static int parse_keepalive(struct uapi_parser *parser, const char *value)
{
	uint32_t seconds = 0;
	int error = parse_number(value, UINT16_MAX, &seconds);

	parser->peer->keepalive = (uint16_t)seconds;
	parser->peer->has_keepalive = true;
	return error;
}

/* The new list starts here, so allowed IPs that precede the key are discarded. */
static int parse_replace_allowed_ips(struct uapi_parser *parser, const char *value)
{
	struct config_peer *peer = parser->peer;

	config_prefixes_free(peer->allowed_ips);
	peer->allowed_ips = NULL;
	parser->prefix_tail = &peer->allowed_ips;
	return parse_true(value, &peer->replace_allowed_ips);
}

static int parse_allowed_ip(struct uapi_parser *parser, const char *value)
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

static int parse_protocol_version(struct uapi_parser *parser, const char *value)
{
	return strcmp(value, "1") ? -EINVAL : 0;
}

static const struct set_key interface_keys[] = {
	{ "private_key", parse_private_key },     { "listen_port", parse_listen_port }, { "fwmark", parse_fwmark },
	{ "replace_peers", parse_replace_peers }, { "public_key", parse_public_key },   { NULL, NULL },
};

static const struct set_key peer_keys[] = {
	{ "allowed_ip", parse_allowed_ip },
	{ "public_key", parse_public_key },
	{ "remove", parse_remove },
	{ "update_only", parse_update_only },
	{ "preshared_key", parse_preshared_key },
	{ "endpoint", parse_endpoint },
	{ "persistent_keepalive_interval", parse_keepalive },
	{ "replace_allowed_ips", parse_replace_allowed_ips },
	{ "protocol_version", parse_protocol_version },
	{ NULL, NULL },
};

void uapi_parse_start(struct uapi_parser *parser, struct config *config, char *text, size_t length)
{
	*parser =
		(struct uapi_parser) { .config = config, .text = text, .end = text + length, .peer_tail = &config->peers };
	/* Lines are parsed as strings, so a NUL would hide the rest of the line. */
	parser->has_nul = memchr(text, '\0', length);
}

int uapi_parse_part(struct uapi_parser *parser, size_t lines)
{
	if (parser->has_nul)
		return -EINVAL;
	for (; parser->text < parser->end; lines--) {
		char *newline = memchr(parser->text, '\n', (size_t)(parser->end - parser->text)), *equals;
		const struct set_key *key = parser->peer ? peer_keys : interface_keys;
		int error;

		if (!newline)
			return -EIO;
		if (!lines)
			return 1;
		*newline = '\0';
		equals = strchr(parser->text, '=');
		if (!equals)
			return -EPROTO;
		*equals = '\0';
		while (key->name && strcmp(key->name, parser->text))
			key++;
		error = key->name ? key->parse(parser, equals + 1) : -EINVAL;
		if (error)
			return error;
		parser->text = newline + 1;
	}
	return 0;
}

int uapi_parse(struct config *config, char *text, size_t length)
{
	struct uapi_parser parser;

	uapi_parse_start(&parser, config, text, length);
	return uapi_parse_part(&parser, SIZE_MAX);
}
