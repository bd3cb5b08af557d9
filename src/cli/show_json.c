/* SPDX-License-Identifier: MIT */
/* show: prints the state of interfaces as JSON (RFC 8259), one peer per line. */
#include <inttypes.h>

#include "base/json.h"
#include "show_state.h"

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
	fputs(", ", to);
	json_string_or_null(to, "name", peer->name);
	fputs(", ", to);
	json_string_or_null(to, "description", peer->description);
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
