/* SPDX-License-Identifier: MIT */
/* metrics: the families of the counters and histograms of an interface. */
#include "metrics_counters.h"

#include <assert.h>
#include <string.h>

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

static bool is_drop(const char *counter)
{
	return !strncmp(counter, drop_prefix, strlen(drop_prefix));
}

bool metrics_has_counter(const char *name)
{
	for (size_t i = 0; i < COUNTER_FAMILIES; i++)
		if (!strcmp(counter_families[i].counter, name))
			return true;
	for (size_t i = 0; i < OUTCOMES; i++)
		if (!strcmp(outcomes[i].counter, name))
			return true;
	return is_drop(name);
}

/* Returns the counter of this name, or NULL if the daemon has none. */
static const struct metrics_counter *find_counter(const struct metrics_interface *interface, const char *name)
{
	for (unsigned i = 0; i < interface->counter_count; i++)
		if (!strcmp(interface->counters[i].name, name))
			return &interface->counters[i];
	return NULL;
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

static void write_handshakes(struct exposition *exposition)
{
	static const struct metric_family handshakes = { "adit_handshakes", METRIC_COUNTER, NULL,
													 "Handshakes with peers, and handshake messages that were dropped, "
													 "by outcome." };

	for (size_t i = 0; i < exposition->count; i++) {
		const struct metrics_interface *interface = &exposition->interfaces[i];
		for (size_t j = 0; j < OUTCOMES; j++) {
			const struct metrics_counter *counter = find_counter(interface, outcomes[j].counter);
			if (!counter)
				continue;
			sample_begin(exposition, &handshakes);
			sample_label(exposition, "interface", interface->state.name);
			sample_label(exposition, "outcome", outcomes[j].outcome);
			sample_end(exposition, counter->value);
		}
	}
}

/* --- histograms --- */

static const struct histogram_family {
	const char *name; /* as the daemon names it */
	struct metric_family family;
} histogram_families[METRICS_HISTOGRAMS] = {
	{ "batch_udp_send",
	  { "adit_udp_send_batch_datagrams", METRIC_HISTOGRAM, NULL,
		"Datagrams per UDP message sent; more than one with UDP GSO." } },
	{ "batch_udp_receive",
	  { "adit_udp_receive_batch_datagrams", METRIC_HISTOGRAM, NULL,
		"Datagrams per UDP message received; more than one with UDP GRO." } },
	{ "batch_tun_read",
	  { "adit_tun_read_batch_packets", METRIC_HISTOGRAM, NULL,
		"Packets per read from the TUN device; more than one in a GSO super-packet." } },
	{ "batch_tun_write",
	  { "adit_tun_write_batch_packets", METRIC_HISTOGRAM, NULL,
		"Packets per write to the TUN device; more than one in a GRO super-packet." } },
};

const char *metrics_histogram_name(unsigned histogram)
{
	return histogram_families[histogram].name;
}

/* The buckets of the text are cumulative. */
static void write_histogram(struct exposition *exposition, const struct metric_family *family,
							const struct metrics_interface *interface, const struct metrics_histogram *histogram)
{
	/* Written as OpenMetrics requires, in both formats: the label is part of the name of the time series. */
	static const char *const bounds[] = { "1.0", "3.0", "7.0", "15.0", "31.0", "63.0", "127.0", "+Inf" };
	static_assert(sizeof bounds / sizeof *bounds == METRICS_BUCKETS, "each bucket has a bound");
	uint64_t count = 0;

	for (unsigned i = 0; i < METRICS_BUCKETS; i++) {
		count += histogram->bucket[i];
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
	sample_end(exposition, histogram->sum);
}

/* --- all --- */

void metrics_write_counters(struct exposition *exposition)
{
	for (size_t i = 0; i < COUNTER_FAMILIES; i++) {
		for (size_t j = 0; j < exposition->count; j++) {
			const struct metrics_interface *interface = &exposition->interfaces[j];
			const struct metrics_counter *counter = find_counter(interface, counter_families[i].counter);
			if (counter)
				interface_sample(exposition, &counter_families[i].family, interface, counter->value);
		}
	}
	write_handshakes(exposition);
	write_drops(exposition);
	for (unsigned i = 0; i < METRICS_HISTOGRAMS; i++) {
		for (size_t j = 0; j < exposition->count; j++) {
			const struct metrics_interface *interface = &exposition->interfaces[j];
			if (interface->histograms[i].known)
				write_histogram(exposition, &histogram_families[i].family, interface, &interface->histograms[i]);
		}
	}
}
