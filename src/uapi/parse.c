/* SPDX-License-Identifier: MIT */
/* Parses a set request of the control socket into a configuration. */
#include <arpa/inet.h>
#include <errno.h>
#include <net/if.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "text.h"

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

static int parse_number16(const char *value, uint16_t *number)
{
	uint32_t wide = 0;
	int error = parse_number(value, UINT16_MAX, &wide);

	*number = (uint16_t)wide;
	return error;
}

/* The protocol has no value for "false". */
static int parse_true(const char *value, bool *flag)
{
	*flag = true;
	return strcmp(value, "true") ? -EINVAL : 0;
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

/* A key of the interface. The first public_key ends them. */
static int parse_interface_key(struct uapi_parser *parser, const char *key, const char *value)
{
	struct config *config = parser->config;

	if (!strcmp(key, "public_key"))
		return parse_public_key(parser, value);
	if (!strcmp(key, "private_key")) {
		config->has_private_key = true;
		return key_from_hex(config->private_key, value) ? 0 : -EINVAL;
	}
	if (!strcmp(key, "listen_port")) {
		config->has_listen_port = true;
		return parse_number16(value, &config->listen_port);
	}
	if (!strcmp(key, "fwmark")) {
		config->has_fwmark = true;
		return parse_number(value, UINT32_MAX, &config->fwmark);
	}
	return strcmp(key, "replace_peers") ? -EINVAL : parse_true(value, &config->replace_peers);
}

/* A key of the current peer, the commonest one first. */
static int parse_peer_key(struct uapi_parser *parser, const char *key, const char *value)
{
	struct config_peer *peer = parser->peer;

	if (!strcmp(key, "allowed_ip"))
		return parse_allowed_ip(parser, value);
	if (!strcmp(key, "public_key"))
		return parse_public_key(parser, value);
	if (!strcmp(key, "preshared_key")) {
		peer->has_preshared_key = true;
		return key_from_hex(peer->preshared_key, value) ? 0 : -EINVAL;
	}
	if (!strcmp(key, "endpoint"))
		return parse_endpoint(parser, value);
	if (!strcmp(key, "persistent_keepalive_interval")) {
		peer->has_keepalive = true;
		return parse_number16(value, &peer->keepalive);
	}
	if (!strcmp(key, "replace_allowed_ips")) {
		/* The new list starts here, so allowed IPs that precede the key are discarded. */
		config_prefixes_free(peer->allowed_ips);
		peer->allowed_ips = NULL;
		parser->prefix_tail = &peer->allowed_ips;
		return parse_true(value, &peer->replace_allowed_ips);
	}
	if (!strcmp(key, "remove"))
		return parse_true(value, &peer->remove);
	if (!strcmp(key, "update_only"))
		return parse_true(value, &peer->update_only);
	return !strcmp(key, "protocol_version") && !strcmp(value, "1") ? 0 : -EINVAL;
}

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
		error = parser->peer ? parse_peer_key(parser, parser->text, equals + 1)
							 : parse_interface_key(parser, parser->text, equals + 1);
		if (error)
			return error;
		parser->text = newline + 1;
	}
	return 0;
}
