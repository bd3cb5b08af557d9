/* SPDX-License-Identifier: MIT */
/* show: prints the state of interfaces as JSON (RFC 8259), one peer per line. */
#include <inttypes.h>

#include "base/json.h"
#include "show_output.h"

/* Writes a member and a comma. */
static void json_text(FILE *to, const char *name, const char *text)
{
	json_string_or_null(to, name, text);
	fputs(", ", to);
}

/* Likewise. The value is null if `known` is false. */
static void json_count(FILE *to, const char *name, bool known, uint64_t number)
{
	if (known)
		fprintf(to, "\"%s\": %" PRIu64 ", ", name, number);
	else
		fprintf(to, "\"%s\": null, ", name);
}

static void json_quality(FILE *to, const struct show_quality *quality)
{
	json_count(to, "rtt_ns", quality->rtt_ns, quality->rtt_ns);
	json_count(to, "rtt_min_ns", quality->rtt_min_ns, quality->rtt_min_ns);
	json_count(to, "jitter_ns", quality->jitter_ns, quality->jitter_ns);
	json_count(to, "rx_datagrams", quality->has_datagrams, quality->datagrams);
	json_count(to, "rx_lost", quality->has_datagrams, quality->lost);
	json_count(to, "rx_late", quality->has_datagrams, quality->late);
	json_count(to, "rx_duplicate", quality->has_datagrams, quality->duplicate);
	fputs(quality->has_datagrams ? "\"rx_gaps\": [" : "\"rx_gaps\": null", to);
	for (int i = 0; quality->has_datagrams && i < SHOW_GAPS; i++)
		fprintf(to, "%s%" PRIu64, i ? ", " : "", quality->gaps[i]);
	fputs(quality->has_datagrams ? "]" : "", to);
}

static void json_peer(FILE *to, const struct show_peer *peer)
{
	char text[PREFIX_TEXT];

	fputs("      {", to);
	json_text(to, "public_key", peer->public_key);
	json_text(to, "name", peer->name);
	json_text(to, "description", peer->description);
	fprintf(to, "\"preshared_key\": %s, ", peer->has_preshared_key ? "true" : "false");
	json_text(to, "state", show_state_word(peer->state));
	json_count(to, "state_since", peer->state_since, peer->state_since);
	json_text(to, "state_reason", peer->state_reason);
	json_text(to, "endpoint", peer->endpoint);
	json_text(to, "endpoint_origin", show_origin_word(peer->endpoint_origin));
	fputs("\"allowed_ips\": [", to);
	for (const struct config_prefix *prefix = peer->allowed_ips; prefix; prefix = prefix->next) {
		prefix_to_text(text, &prefix->prefix);
		json_string(to, text);
		fputs(prefix->next ? ", " : "", to);
	}
	fputs("], ", to);
	json_count(to, "latest_handshake", peer->handshake, peer->handshake);
	json_count(to, "transfer_rx", true, peer->rx_bytes);
	json_count(to, "transfer_tx", true, peer->tx_bytes);
	json_count(to, "persistent_keepalive", peer->keepalive, peer->keepalive);
	json_quality(to, &peer->quality);
	fputs(peer->next ? "},\n" : "}\n", to);
}

/* A value is a number, or an array of numbers for the sizes of batches. */
static void json_counters(FILE *to, const struct show_counter *counters)
{
	fputs(",\n    \"counters\": {", to);
	for (const struct show_counter *counter = counters; counter; counter = counter->next) {
		json_string(to, counter->name);
		fputs(counter->count > 1 ? ": [" : ": ", to);
		for (unsigned i = 0; i < counter->count; i++)
			fprintf(to, "%s%" PRIu64, i ? ", " : "", counter->values[i]);
		fputs(counter->count > 1 ? "]" : "", to);
		fputs(counter->next ? ", " : "", to);
	}
	fputs("}", to);
}

void show_json(FILE *to, const struct show_interface *interfaces)
{
	fprintf(to, "{\"version\": %d, \"interfaces\": [\n", SHOW_JSON_VERSION);
	for (const struct show_interface *interface = interfaces; interface; interface = interface->next) {
		fputs("  {", to);
		json_text(to, "name", interface->name);
		fprintf(to, "\"up\": %s, ", interface->unreadable ? "false" : "true");
		json_text(to, "public_key", interface->public_key);
		json_count(to, "listen_port", interface->port, interface->port);
		json_count(to, "fwmark", interface->fwmark, interface->fwmark);
		json_text(to, "crypto_provider", interface->crypto_provider);
		json_text(to, "tun_backend", interface->tun_backend);
		json_count(to, "workers", interface->workers, interface->workers);
		json_text(to, "log_level", interface->log_level);
		fputs("\"warnings\": [", to);
		for (const struct show_warning *warning = interface->warnings; warning; warning = warning->next) {
			json_string(to, warning->text);
			fputs(warning->next ? ", " : "", to);
		}
		fputs("]", to);
		if (interface->has_counters)
			json_counters(to, interface->counters);
		fputs(",\n    \"peers\": [\n", to);
		for (const struct show_peer *peer = interface->peers; peer; peer = peer->next)
			json_peer(to, peer);
		fputs(interface->next ? "    ]},\n" : "    ]}\n", to);
	}
	fputs("]}\n", to);
}
