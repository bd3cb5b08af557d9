/* SPDX-License-Identifier: MIT */
/* show: prints the state of interfaces as JSON (RFC 8259), one peer per line. */
#include <inttypes.h>

#include "base/json.h"
#include "show_output.h"

static void json_number_or_null(FILE *to, const char *name, uint64_t number)
{
	if (number)
		fprintf(to, "\"%s\": %" PRIu64, name, number);
	else
		fprintf(to, "\"%s\": null", name);
}

/* Ends with a comma. The values are null if `known` is false. */
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

static void json_state(FILE *to, const struct show_peer *peer)
{
	json_string_or_null(to, "state", show_state_word(peer->state));
	fputs(", ", to);
	json_number_or_null(to, "state_since", peer->state_since);
	fputs(", ", to);
	json_string_or_null(to, "state_reason", peer->state_reason);
	fputs(", ", to);
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
	json_state(to, peer);
	json_string_or_null(to, "endpoint", peer->endpoint);
	fputs(", ", to);
	json_string_or_null(to, "endpoint_origin", *peer->endpoint ? show_origin_word(peer->endpoint_origin) : NULL);
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
	fputs(", ", to);
	json_quality(to, &peer->quality);
	fputs(peer->next ? "},\n" : "}\n", to);
}

static void json_warnings(FILE *to, const struct show_warning *warnings)
{
	fputs("\"warnings\": [", to);
	for (const struct show_warning *warning = warnings; warning; warning = warning->next) {
		json_string(to, warning->text);
		fputs(warning->next ? ", " : "", to);
	}
	fputs("]", to);
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
		fputs(", ", to);
		json_string_or_null(to, "log_level", interface->log_level);
		fputs(", ", to);
		json_warnings(to, interface->warnings);
		if (interface->has_counters)
			json_counters(to, interface->counters);
		fputs(",\n    \"peers\": [\n", to);
		for (const struct show_peer *peer = interface->peers; peer; peer = peer->next)
			json_peer(to, peer);
		fputs(interface->next ? "    ]},\n" : "    ]}\n", to);
	}
	fputs("]}\n", to);
}
