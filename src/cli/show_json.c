/* SPDX-License-Identifier: MIT */
/* show: prints the state of interfaces as JSON (RFC 8259), one peer per line. */
#include <inttypes.h>
#include <string.h>

#include "show_state.h"

/*
 * Returns the length of the UTF-8 character at `text` (RFC 3629, section 4), or 0 if it is invalid: overlong forms,
 * surrogates and anything beyond U+10FFFF are.
 */
static int utf8_length(const unsigned char *text)
{
	static const struct {
		unsigned char first_min, first_max, second_min, second_max; /* ranges of the first and second byte */
		int length;
	} forms[] = {
		{ 0x00, 0x7f, 0x00, 0xff, 1 }, { 0xc2, 0xdf, 0x80, 0xbf, 2 }, { 0xe0, 0xe0, 0xa0, 0xbf, 3 },
		{ 0xe1, 0xec, 0x80, 0xbf, 3 }, { 0xed, 0xed, 0x80, 0x9f, 3 }, { 0xee, 0xef, 0x80, 0xbf, 3 },
		{ 0xf0, 0xf0, 0x90, 0xbf, 4 }, { 0xf1, 0xf3, 0x80, 0xbf, 4 }, { 0xf4, 0xf4, 0x80, 0x8f, 4 },
	};
	size_t form = 0;

	while (form < sizeof forms / sizeof *forms && (*text < forms[form].first_min || *text > forms[form].first_max))
		form++;
	if (form == sizeof forms / sizeof *forms || text[1] < forms[form].second_min || text[1] > forms[form].second_max)
		return 0;
	for (int i = 2; i < forms[form].length; i++)
		if ((text[i] & 0xc0) != 0x80)
			return 0;
	return forms[form].length;
}

/* Replaces bytes that are not valid UTF-8 by U+FFFD, because JSON parsers would reject the document. */
static void json_string(FILE *to, const char *text)
{
	fputc('"', to);
	while (*text) {
		int length = utf8_length((const unsigned char *)text);
		if (!length)
			fputs("\\ufffd", to);
		else if ((unsigned char)*text < ' ' || *text == 127)
			fprintf(to, "\\u%04x", *text);
		else
			fprintf(to, "%s%.*s", strchr("\"\\", *text) ? "\\" : "", length, text);
		text += length ? length : 1;
	}
	fputc('"', to);
}

static void json_string_or_null(FILE *to, const char *name, const char *text)
{
	fprintf(to, "\"%s\": ", name);
	if (*text)
		json_string(to, text);
	else
		fputs("null", to);
}

static void json_number_or_null(FILE *to, const char *name, uint64_t number)
{
	if (number)
		fprintf(to, "\"%s\": %" PRIu64, name, number);
	else
		fprintf(to, "\"%s\": null", name);
}

static void json_peer(FILE *to, const struct show_peer *peer)
{
	char text[PREFIX_TEXT];

	fputs("      {", to);
	json_string_or_null(to, "public_key", peer->public_key);
	fprintf(to, ", \"preshared_key\": %s, ", peer->has_preshared_key ? "true" : "false");
	json_string_or_null(to, "endpoint", peer->endpoint);
	fputs(", \"allowed_ips\": [", to);
	for (const struct config_prefix *prefix = peer->allowed_ips; prefix; prefix = prefix->next) {
		prefix_to_text(text, &prefix->prefix);
		json_string(to, text);
		fputs(prefix->next ? ", " : "", to);
	}
	fputs("], ", to);
	json_number_or_null(to, "latest_handshake", peer->handshake);
	fprintf(to, ", \"transfer_rx\": %" PRIu64 ", \"transfer_tx\": %" PRIu64 ", ", peer->rx_bytes, peer->tx_bytes);
	json_number_or_null(to, "persistent_keepalive", peer->keepalive);
	fputs(peer->next ? "},\n" : "}\n", to);
}

void show_json(FILE *to, const struct show_interface *interfaces)
{
	fputs("{\"interfaces\": [\n", to);
	for (const struct show_interface *interface = interfaces; interface; interface = interface->next) {
		fputs("  {", to);
		json_string_or_null(to, "name", interface->name);
		fputs(", ", to);
		json_string_or_null(to, "public_key", interface->public_key);
		fputs(", ", to);
		json_number_or_null(to, "listen_port", interface->port);
		fputs(", ", to);
		json_number_or_null(to, "fwmark", interface->fwmark);
		fputs(", ", to);
		json_string_or_null(to, "crypto_provider", interface->crypto_provider);
		fputs(", ", to);
		json_string_or_null(to, "tun_backend", interface->tun_backend);
		fputs(", ", to);
		json_number_or_null(to, "workers", interface->workers);
		fputs(",\n    \"peers\": [\n", to);
		for (const struct show_peer *peer = interface->peers; peer; peer = peer->next)
			json_peer(to, peer);
		fputs(interface->next ? "    ]},\n" : "    ]}\n", to);
	}
	fputs("]}\n", to);
}
