/* SPDX-License-Identifier: MIT */
/* metrics: the families of the counters and histograms of an interface. */
#include "metrics_counters.h"

#include <assert.h>
#include <string.h>

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
	  { "adit_icmp_errors_received", METRIC_COUNTER, NULL, "ICMP errors received about datagrams sent." } },
};
enum { COUNTER_FAMILIES = sizeof counter_families / sizeof *counter_families };

/* Each counter of a handshake that ended, and the outcome that it counts. */
static const struct {
	const char *counter, *outcome;
} outcomes[] = {
	{ "handshake_done", "completed" },
	{ "handshake_unanswered", "unanswered" },
	{ "handshake_unconfirmed", "unconfirmed" },
	{ "drop_handshake", "rejected" },
	{ "drop_no_key", "no_private_key" },
	{ "drop_unknown_key", "unknown_peer" },
	{ "drop_cipher", "other_cipher" },
	{ "drop_stale", "old_timestamp" },
	{ "drop_preshared_key", "other_preshared_key" },
	{ "drop_mac", "wrong_mac" },
	{ "drop_rate", "rate_limited" },
	{ "drop_handshake_queue", "queue_full" },
};
enum { OUTCOMES = sizeof outcomes / sizeof *outcomes };

bool metrics_has_counter(const char *name)
{
	for (size_t i = 0; i < COUNTER_FAMILIES; i++)
		if (!strcmp(counter_families[i].counter, name))
			return true;
	for (size_t i = 0; i < OUTCOMES; i++)
		if (!strcmp(outcomes[i].counter, name))
			return true;
	return show_drop_cause(name);
}

/* Returns the counter with this name and number of values, or NULL if the daemon has none. */
static const struct show_counter *find_counter(const struct show_interface *interface, const char *name, unsigned count)
{
	const struct show_counter *counter = interface->counters;

	while (counter && (counter->count != count || strcmp(counter->name, name) != 0))
		counter = counter->next;
	return counter;
}

bool metrics_find_counter(const struct show_interface *interface, const char *name, uint64_t *value)
{
	const struct show_counter *counter = find_counter(interface, name, 1);

	if (counter)
		*value = counter->values[0];
	return counter;
}

static void write_drops(struct exposition *exposition)
{
	static const struct metric_family drops = { "adit_dropped_packets", METRIC_COUNTER, NULL,
												"Packets and datagrams dropped, by cause." };

	for (size_t i = 0; i < exposition->count; i++) {
		const struct metrics_interface *interface = &exposition->interfaces[i];
		for (const struct show_counter *counter = interface->state.counters; counter; counter = counter->next) {
			const char *cause = show_drop_cause(counter->name);

			if (!cause || counter->count != 1)
				continue;
			sample_begin(exposition, &drops);
			sample_label(exposition, "interface", interface->state.name);
			sample_label(exposition, "cause", cause);
			sample_end(exposition, counter->values[0]);
		}
	}
}

static void write_handshakes(struct exposition *exposition)
{
	static const struct metric_family handshakes = { "adit_handshakes", METRIC_COUNTER, NULL,
													 "Handshakes with peers, and handshake messages that were dropped, "
													 "by outcome." };

	for (size_t i = 0; i < exposition->count; i++) {
		const struct metrics_interface *interface = &exposition->interfaces[i];
		for (size_t j = 0; j < OUTCOMES; j++) {
			uint64_t value;

			if (!metrics_find_counter(&interface->state, outcomes[j].counter, &value))
				continue;
			sample_begin(exposition, &handshakes);
			sample_label(exposition, "interface", interface->state.name);
			sample_label(exposition, "outcome", outcomes[j].outcome);
			sample_end(exposition, value);
		}
	}
}

/* --- histograms ----- */

static const struct histogram_family {
	const char *buckets, *sum; /* as the daemon names them */
	struct metric_family family;
} histogram_families[] = {
	{ "batch_udp_send",
	  "batch_udp_send_sum",
	  { "adit_udp_send_batch_datagrams", METRIC_HISTOGRAM, NULL,
		"Datagrams per UDP message sent; more than one with UDP GSO." } },
	{ "batch_udp_receive",
	  "batch_udp_receive_sum",
	  { "adit_udp_receive_batch_datagrams", METRIC_HISTOGRAM, NULL,
		"Datagrams per UDP message received; more than one with UDP GRO." } },
	{ "batch_tun_read",
	  "batch_tun_read_sum",
	  { "adit_tun_read_batch_packets", METRIC_HISTOGRAM, NULL,
		"Packets per read from the TUN device; more than one in a GSO super-packet." } },
	{ "batch_tun_write",
	  "batch_tun_write_sum",
	  { "adit_tun_write_batch_packets", METRIC_HISTOGRAM, NULL,
		"Packets per write to the TUN device; more than one in a GRO super-packet." } },
};
enum { HISTOGRAM_FAMILIES = sizeof histogram_families / sizeof *histogram_families };

/* The buckets of the text are cumulative. Writes nothing if the daemon does not report the histogram. */
static void write_histogram(struct exposition *exposition, const struct histogram_family *histogram,
							const struct metrics_interface *interface)
{
	/* Written as OpenMetrics requires, in both formats: the label is part of the name of the time series. */
	static const char *const bounds[] = { "1.0", "3.0", "7.0", "15.0", "31.0", "63.0", "127.0", "+Inf" };
	enum { BUCKETS = sizeof bounds / sizeof *bounds };
	const struct show_counter *buckets = find_counter(&interface->state, histogram->buckets, BUCKETS);
	const struct metric_family *family = &histogram->family;
	uint64_t count = 0, sum;

	static_assert((int)BUCKETS <= (int)SHOW_COUNTER_VALUES, "a counter has room for all buckets");
	if (!buckets || !metrics_find_counter(&interface->state, histogram->sum, &sum))
		return;
	for (unsigned i = 0; i < BUCKETS; i++) {
		count += buckets->values[i];
		sample_begin_part(exposition, family, "_bucket");
		sample_label(exposition, "interface", interface->state.name);
		sample_label(exposition, "le", bounds[i]);
		sample_end(exposition, count);
	}
	sample_begin_part(exposition, family, "_count");
	sample_label(exposition, "interface", interface->state.name);
	sample_end(exposition, count);
	sample_begin_part(exposition, family, "_sum");
	sample_label(exposition, "interface", interface->state.name);
	sample_end(exposition, sum);
}

/* --- all ----- */

void metrics_write_counters(struct exposition *exposition)
{
	for (size_t i = 0; i < COUNTER_FAMILIES; i++) {
		for (size_t j = 0; j < exposition->count; j++) {
			const struct metrics_interface *interface = &exposition->interfaces[j];
			uint64_t value;

			if (metrics_find_counter(&interface->state, counter_families[i].counter, &value))
				interface_sample(exposition, &counter_families[i].family, interface, value);
		}
	}
	write_handshakes(exposition);
	write_drops(exposition);
	for (unsigned i = 0; i < HISTOGRAM_FAMILIES; i++)
		for (size_t j = 0; j < exposition->count; j++)
			write_histogram(exposition, &histogram_families[i], &exposition->interfaces[j]);
}
