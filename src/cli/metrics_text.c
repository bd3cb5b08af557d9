/* SPDX-License-Identifier: MIT */
/*
 * metrics: writes the text that Prometheus reads, in one of two formats.
 *
 * OpenMetrics (prometheus.io/docs/specs/om/open_metrics_spec) and the older text format differ in four points: only
 * OpenMetrics has the line `# UNIT`, the type `info` and the end `# EOF`; and its metadata names a counter without the
 * suffix `_total` of the samples. Both require that all samples of a family follow each other, so each family is one
 * pass over the interfaces. The metadata of a family precedes its first sample; a family without samples is left out.
 */
#include "metrics_text.h"

#include <inttypes.h>
#include <string.h>

#include "base/utf8.h"

enum metric_type { METRIC_GAUGE, METRIC_COUNTER, METRIC_INFO };

struct metric_family {
	const char *name; /* without the suffix of its samples */
	enum metric_type type;
	const char *unit; /* NULL: none; else the name ends with it */
	const char *help; /* without characters that need escaping */
};

struct exposition {
	FILE *to;
	const struct metrics_options *options;
	const struct metrics_interface *interfaces;
	size_t count;
	const struct metric_family *family; /* the family whose metadata was written last */
	bool has_label;                     /* of the current sample */
};

/* --- one sample --- */

static void sample_metadata(struct exposition *exposition, const struct metric_family *family)
{
	static const char *const types[] = {
		[METRIC_GAUGE] = "gauge", [METRIC_COUNTER] = "counter", [METRIC_INFO] = "info"
	};
	static const char *const suffixes[] = { [METRIC_GAUGE] = "", [METRIC_COUNTER] = "_total", [METRIC_INFO] = "_info" };
	bool openmetrics = exposition->options->format == METRICS_OPENMETRICS;
	const char *suffix = openmetrics ? "" : suffixes[family->type];
	const char *type = !openmetrics && family->type == METRIC_INFO ? "gauge" : types[family->type];

	fprintf(exposition->to, "# HELP %s%s %s\n# TYPE %s%s %s\n", family->name, suffix, family->help, family->name,
			suffix, type);
	if (openmetrics && family->unit)
		fprintf(exposition->to, "# UNIT %s %s\n", family->name, family->unit);
	exposition->family = family;
}

static void sample_begin(struct exposition *exposition, const struct metric_family *family)
{
	if (exposition->family != family)
		sample_metadata(exposition, family);
	fputs(family->name, exposition->to);
	if (family->type == METRIC_COUNTER)
		fputs("_total", exposition->to);
	else if (family->type == METRIC_INFO)
		fputs("_info", exposition->to);
	exposition->has_label = false;
}

/* Replaces bytes that are not valid UTF-8 by U+FFFD, because parsers would reject the whole text. */
static void sample_value_text(FILE *to, const char *text)
{
	while (*text) {
		int length = utf8_length(text);
		if (!length)
			fputs("\xef\xbf\xbd", to);
		else if (*text == '\n')
			fputs("\\n", to);
		else
			fprintf(to, "%s%.*s", strchr("\"\\", *text) ? "\\" : "", length, text);
		text += length ? length : 1;
	}
}

/* Most values are printable ASCII without quotes. They are written at once, which matters with 10,000 peers. */
static bool is_plain(const char *text)
{
	while (*text >= ' ' && *text < 127 && *text != '"' && *text != '\\')
		text++;
	return !*text;
}

static void sample_label(struct exposition *exposition, const char *name, const char *value)
{
	FILE *to = exposition->to;

	fputc(exposition->has_label ? ',' : '{', to);
	fputs(name, to);
	fputs("=\"", to);
	if (is_plain(value))
		fputs(value, to);
	else
		sample_value_text(to, value);
	fputc('"', to);
	exposition->has_label = true;
}

/* An empty value is the same as no label, so it is left out. */
static void sample_label_if_set(struct exposition *exposition, const char *name, const char *value)
{
	if (value && *value)
		sample_label(exposition, name, value);
}

static void sample_end(struct exposition *exposition, uint64_t value)
{
	fprintf(exposition->to, "%s %" PRIu64 "\n", exposition->has_label ? "}" : "", value);
}

static void interface_sample(struct exposition *exposition, const struct metric_family *family,
							 const struct metrics_interface *interface, uint64_t value)
{
	sample_begin(exposition, family);
	sample_label(exposition, "interface", interface->state.name);
	sample_end(exposition, value);
}

/* --- interfaces --- */

static void write_interface_states(struct exposition *exposition)
{
	static const struct metric_family info = { "adit_interface", METRIC_INFO, NULL,
											   "Public key and implementation of the interface." };
	static const struct metric_family up = { "adit_up", METRIC_GAUGE, NULL,
											 "1 if the daemon of the interface answers, else 0." };

	for (size_t i = 0; i < exposition->count; i++)
		interface_sample(exposition, &up, &exposition->interfaces[i], exposition->interfaces[i].up);
	for (size_t i = 0; i < exposition->count; i++) {
		const struct show_interface *state = &exposition->interfaces[i].state;
		if (!exposition->interfaces[i].up)
			continue;
		sample_begin(exposition, &info);
		sample_label(exposition, "interface", state->name);
		sample_label_if_set(exposition, "public_key", state->public_key);
		sample_label_if_set(exposition, "crypto_provider", state->crypto_provider);
		sample_label_if_set(exposition, "tun_backend", state->tun_backend);
		sample_end(exposition, 1);
	}
}

/* Returns false if the interface has no such value. */
typedef bool interface_value(const struct metrics_interface *interface, uint64_t *value);

static bool value_peers(const struct metrics_interface *interface, uint64_t *value)
{
	*value = 0;
	for (const struct show_peer *peer = interface->state.peers; peer; peer = peer->next)
		++*value;
	return true;
}

static bool value_port(const struct metrics_interface *interface, uint64_t *value)
{
	*value = interface->state.port;
	return *value != 0;
}

static bool value_workers(const struct metrics_interface *interface, uint64_t *value)
{
	*value = interface->state.workers;
	return *value != 0;
}

static bool value_receive_bytes(const struct metrics_interface *interface, uint64_t *value)
{
	*value = interface->receive_bytes;
	return interface->has_bytes;
}

static bool value_transmit_bytes(const struct metrics_interface *interface, uint64_t *value)
{
	*value = interface->transmit_bytes;
	return interface->has_bytes;
}

static void write_interface_values(struct exposition *exposition)
{
	static const struct {
		struct metric_family family;
		interface_value *value;
	} table[] = {
		{ { "adit_interface_peers", METRIC_GAUGE, NULL, "Number of configured peers." }, value_peers },
		{ { "adit_interface_listen_port", METRIC_GAUGE, NULL, "UDP port of the interface." }, value_port },
		{ { "adit_interface_workers", METRIC_GAUGE, NULL, "Number of threads that process packets." }, value_workers },
		{ { "adit_interface_receive_bytes", METRIC_COUNTER, "bytes",
			"Bytes of inner packets received from peers, as the kernel counts them." },
		  value_receive_bytes },
		{ { "adit_interface_transmit_bytes", METRIC_COUNTER, "bytes",
			"Bytes of inner packets routed to the interface, as the kernel counts them." },
		  value_transmit_bytes },
	};

	for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
		for (size_t j = 0; j < exposition->count; j++) {
			const struct metrics_interface *interface = &exposition->interfaces[j];
			uint64_t value;
			if (interface->up && table[i].value(interface, &value))
				interface_sample(exposition, &table[i].family, interface, value);
		}
	}
}

/* --- counters --- */

static const char drop_prefix[] = "drop_";

/* The counters that are not drops, by the name that the daemon uses. */
static const struct counter_family {
	const char *counter;
	struct metric_family family;
} counter_families[] = {
	{ "tun_read",
	  { "adit_tun_read_packets", METRIC_COUNTER, NULL, "Packets and GSO super-packets read from the TUN device." } },
	{ "tun_written",
	  { "adit_tun_written_packets", METRIC_COUNTER, NULL,
		"Packets and GRO super-packets written to the TUN device." } },
	{ "sealed", { "adit_sealed_datagrams", METRIC_COUNTER, NULL, "Data datagrams encrypted." } },
	{ "sent", { "adit_sent_datagrams", METRIC_COUNTER, NULL, "Data datagrams that the UDP socket accepted." } },
	{ "received", { "adit_received_datagrams", METRIC_COUNTER, NULL, "Datagrams of any type received." } },
	{ "opened", { "adit_opened_datagrams", METRIC_COUNTER, NULL, "Data datagrams that were authentic and new." } },
	{ "handshake_sent",
	  { "adit_handshake_messages_sent", METRIC_COUNTER, NULL, "Handshake initiations and responses sent." } },
	{ "handshake_done", { "adit_handshakes_completed", METRIC_COUNTER, NULL, "Handshakes completed." } },
	{ "cookie_sent", { "adit_cookie_replies_sent", METRIC_COUNTER, NULL, "Cookie replies sent under load." } },
	{ "under_load",
	  { "adit_handshake_messages_under_load", METRIC_COUNTER, NULL,
		"Handshake messages without a cookie received under load." } },
	{ "group_refused",
	  { "adit_gso_refused_runs", METRIC_COUNTER, NULL,
		"Runs of datagrams sent one by one because the path refused UDP GSO." } },
	{ "merge_refused",
	  { "adit_gro_refused_packets", METRIC_COUNTER, NULL,
		"Super-packets written as single packets because the TUN device refused them." } },
	{ "source_lost",
	  { "adit_local_addresses_lost", METRIC_COUNTER, NULL, "Local addresses of endpoints that the host has lost." } },
	{ "unreachable_sent",
	  { "adit_icmp_errors_sent", METRIC_COUNTER, NULL, "ICMP errors sent to the sender of a packet without a peer." } },
	{ "unreachable_received",
	  { "adit_icmp_errors_received", METRIC_COUNTER, NULL, "ICMP errors received about sent datagrams." } },
	{ "handshake_unanswered",
	  { "adit_handshakes_unanswered", METRIC_COUNTER, NULL, "Handshake initiations that were not answered in time." } },
	{ "handshake_unconfirmed",
	  { "adit_handshakes_unconfirmed", METRIC_COUNTER, NULL,
		"Handshake responses after which no packet came, only another initiation." } },
};
enum { COUNTER_FAMILIES = sizeof counter_families / sizeof *counter_families };

static bool is_drop(const char *counter)
{
	return !strncmp(counter, drop_prefix, strlen(drop_prefix));
}

bool metrics_has_counter(const char *name)
{
	for (size_t i = 0; i < COUNTER_FAMILIES; i++)
		if (!strcmp(counter_families[i].counter, name))
			return true;
	return is_drop(name);
}

static void write_drops(struct exposition *exposition)
{
	static const struct metric_family drops = { "adit_dropped_packets", METRIC_COUNTER, NULL,
												"Packets and datagrams dropped, by cause." };

	for (size_t i = 0; i < exposition->count; i++) {
		const struct metrics_interface *interface = &exposition->interfaces[i];
		for (unsigned j = 0; j < interface->counter_count; j++) {
			const struct metrics_counter *counter = &interface->counters[j];
			if (!is_drop(counter->name))
				continue;
			sample_begin(exposition, &drops);
			sample_label(exposition, "interface", interface->state.name);
			sample_label(exposition, "cause", counter->name + strlen(drop_prefix));
			sample_end(exposition, counter->value);
		}
	}
}

static void write_counters(struct exposition *exposition)
{
	for (size_t i = 0; i < COUNTER_FAMILIES; i++) {
		for (size_t j = 0; j < exposition->count; j++) {
			const struct metrics_interface *interface = &exposition->interfaces[j];
			for (unsigned k = 0; k < interface->counter_count; k++)
				if (!strcmp(interface->counters[k].name, counter_families[i].counter))
					interface_sample(exposition, &counter_families[i].family, interface, interface->counters[k].value);
		}
	}
	write_drops(exposition);
}

/* --- peers --- */

static void peer_sample_begin(struct exposition *exposition, const struct metric_family *family,
							  const struct metrics_interface *interface, const struct show_peer *peer)
{
	sample_begin(exposition, family);
	sample_label(exposition, "interface", interface->state.name);
	sample_label(exposition, "public_key", peer->public_key);
	sample_label_if_set(exposition, "name", peer->name);
}

static uint64_t value_peer_receive(const struct show_peer *peer)
{
	return peer->rx_bytes;
}

static uint64_t value_peer_transmit(const struct show_peer *peer)
{
	return peer->tx_bytes;
}

static uint64_t value_peer_handshake(const struct show_peer *peer)
{
	return peer->handshake;
}

static uint64_t value_peer_info(const struct show_peer *peer)
{
	return 1;
}

static void write_peers(struct exposition *exposition)
{
	static const struct {
		struct metric_family family;
		uint64_t (*value)(const struct show_peer *peer);
	} table[] = {
		{ { "adit_peer", METRIC_INFO, NULL, "Endpoint of the peer, if it is known." }, value_peer_info },
		{ { "adit_peer_receive_bytes", METRIC_COUNTER, "bytes",
			"Bytes of UDP payload received from the peer, handshakes included." },
		  value_peer_receive },
		{ { "adit_peer_transmit_bytes", METRIC_COUNTER, "bytes",
			"Bytes of UDP payload sent to the peer, handshakes included." },
		  value_peer_transmit },
		{ { "adit_peer_latest_handshake_timestamp_seconds", METRIC_GAUGE, "seconds",
			"Unix time of the latest handshake with the peer; 0 if there was none." },
		  value_peer_handshake },
	};

	for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
		for (size_t j = 0; j < exposition->count; j++) {
			const struct metrics_interface *interface = &exposition->interfaces[j];
			for (const struct show_peer *peer = interface->state.peers; peer; peer = peer->next) {
				peer_sample_begin(exposition, &table[i].family, interface, peer);
				if (table[i].family.type == METRIC_INFO)
					sample_label_if_set(exposition, "endpoint", peer->endpoint);
				sample_end(exposition, table[i].value(peer));
			}
		}
	}
}

void metrics_text(FILE *to, const struct metrics_options *options, const struct metrics_interface *interfaces,
				  size_t count)
{
	static const struct metric_family build = { "adit_build", METRIC_INFO, NULL,
												"Version of the program that wrote this text." };
	struct exposition exposition = { .to = to, .options = options, .interfaces = interfaces, .count = count };

	sample_begin(&exposition, &build);
	sample_label(&exposition, "version", options->version);
	sample_end(&exposition, 1);
	write_interface_states(&exposition);
	write_interface_values(&exposition);
	write_counters(&exposition);
	if (!options->no_peers)
		write_peers(&exposition);
	if (options->format == METRICS_OPENMETRICS)
		fputs("# EOF\n", to);
}
