/* SPDX-License-Identifier: MIT */
/*
 * metrics: the families of peers. The labels of a peer are the same in all of them. They are written once, because
 * there may be 10,000 peers.
 */
#include "metrics_peers.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* Returns false if the peer has no such value. */
typedef bool peer_value(const struct show_peer *peer, uint64_t *value);

static bool value_peer_one(const struct show_peer *peer, uint64_t *value)
{
	*value = 1;
	return true;
}

static bool value_peer_up(const struct show_peer *peer, uint64_t *value)
{
	*value = peer->state == SHOW_UP;
	return peer->state != SHOW_STATE_UNKNOWN;
}

static bool value_peer_state(const struct show_peer *peer, uint64_t *value)
{
	*value = 1;
	return peer->state != SHOW_STATE_UNKNOWN;
}

static bool value_peer_receive(const struct show_peer *peer, uint64_t *value)
{
	*value = peer->rx_bytes;
	return true;
}

static bool value_peer_transmit(const struct show_peer *peer, uint64_t *value)
{
	*value = peer->tx_bytes;
	return true;
}

static bool value_peer_handshake(const struct show_peer *peer, uint64_t *value)
{
	*value = peer->handshake;
	return true;
}

static bool value_peer_datagrams(const struct show_peer *peer, uint64_t *value)
{
	*value = peer->quality.datagrams;
	return peer->quality.has_datagrams;
}

static bool value_peer_lost(const struct show_peer *peer, uint64_t *value)
{
	*value = peer->quality.lost;
	return peer->quality.has_datagrams;
}

static bool value_peer_late(const struct show_peer *peer, uint64_t *value)
{
	*value = peer->quality.late;
	return peer->quality.has_datagrams;
}

static bool value_peer_duplicate(const struct show_peer *peer, uint64_t *value)
{
	*value = peer->quality.duplicate;
	return peer->quality.has_datagrams;
}

static bool value_peer_rtt(const struct show_peer *peer, uint64_t *value)
{
	*value = peer->quality.rtt_ns;
	return *value != 0;
}

static bool value_peer_rtt_min(const struct show_peer *peer, uint64_t *value)
{
	*value = peer->quality.rtt_min_ns;
	return peer->quality.rtt_ns != 0;
}

static bool value_peer_jitter(const struct show_peer *peer, uint64_t *value)
{
	*value = peer->quality.jitter_ns;
	return *value != 0; /* unknown after a single handshake */
}

static void label_endpoint(struct exposition *exposition, const struct show_peer *peer)
{
	sample_label_if_set(exposition, "endpoint", peer->endpoint);
	sample_label_if_set(exposition, "endpoint_origin", show_origin_word(peer->endpoint_origin));
}

static void label_state(struct exposition *exposition, const struct show_peer *peer)
{
	sample_label(exposition, "state", show_state_word(peer->state));
}

static const struct peer_family {
	struct metric_family family;
	peer_value *value;
	bool nanoseconds;                                                                 /* the value is a time in ns */
	void (*more_labels)(struct exposition *exposition, const struct show_peer *peer); /* NULL: none */
} peer_families[] = {
	{ .family = { "adit_peer", METRIC_INFO, NULL, "Endpoint of the peer and how it was learned, if it is known." },
	  .value = value_peer_one,
	  .more_labels = label_endpoint },
	{ .family = { "adit_peer_up", METRIC_GAUGE, NULL, "1 if the peer is in the state up, else 0." },
	  .value = value_peer_up },
	{ .family = { "adit_peer_state", METRIC_GAUGE, NULL, "1 for the present state of the peer; others are left out." },
	  .value = value_peer_state,
	  .more_labels = label_state },
	{ .family = { "adit_peer_receive_bytes", METRIC_COUNTER, "bytes",
				  "Bytes of UDP payload received from the peer, handshakes included." },
	  .value = value_peer_receive },
	{ .family = { "adit_peer_transmit_bytes", METRIC_COUNTER, "bytes",
				  "Bytes of UDP payload sent to the peer, handshakes included." },
	  .value = value_peer_transmit },
	{ .family = { "adit_peer_latest_handshake_timestamp_seconds", METRIC_GAUGE, "seconds",
				  "Unix time of the latest handshake with the peer; 0 if there was none." },
	  .value = value_peer_handshake },
	{ .family = { "adit_peer_receive_datagrams", METRIC_COUNTER, NULL, "Data datagrams received from the peer." },
	  .value = value_peer_datagrams },
	{ .family = { "adit_peer_receive_lost_datagrams", METRIC_COUNTER, NULL,
				  "Data datagrams of the peer that did not arrive." },
	  .value = value_peer_lost },
	{ .family = { "adit_peer_receive_late_datagrams", METRIC_COUNTER, NULL,
				  "Data datagrams of the peer that arrived after a later one." },
	  .value = value_peer_late },
	{ .family = { "adit_peer_receive_duplicate_datagrams", METRIC_COUNTER, NULL,
				  "Data datagrams of the peer that had arrived before." },
	  .value = value_peer_duplicate },
	{ .family = { "adit_peer_rtt_seconds", METRIC_GAUGE, "seconds",
				  "Round-trip time to the peer, measured by handshakes." },
	  .value = value_peer_rtt,
	  .nanoseconds = true },
	{ .family = { "adit_peer_rtt_min_seconds", METRIC_GAUGE, "seconds", "Shortest round-trip time to the peer." },
	  .value = value_peer_rtt_min,
	  .nanoseconds = true },
	{ .family = { "adit_peer_jitter_seconds", METRIC_GAUGE, "seconds",
				  "Mean deviation of the round-trip time to the peer." },
	  .value = value_peer_jitter,
	  .nanoseconds = true },
};
enum { PEER_FAMILIES = sizeof peer_families / sizeof *peer_families };

/* Returns the labels that all families share: a string per peer, one after the other. The caller frees it. */
static char *make_peer_labels(const struct exposition *exposition)
{
	char *labels = NULL;
	size_t length;
	struct exposition to = { .to = open_memstream(&labels, &length) };
	bool failed;

	if (!to.to)
		return NULL;
	for (size_t i = 0; i < exposition->count; i++) {
		const struct metrics_interface *interface = &exposition->interfaces[i];
		for (const struct show_peer *peer = interface->state.peers; peer; peer = peer->next) {
			to.has_label = false;
			sample_label(&to, "interface", interface->state.name);
			sample_label(&to, "public_key", peer->public_key);
			sample_label_if_set(&to, "name", peer->name);
			putc_unlocked('\0', to.to);
		}
	}
	failed = ferror(to.to);
	if (fclose(to.to) || failed) {
		free(labels);
		return NULL;
	}
	return labels;
}

static void write_peer_sample(struct exposition *exposition, const struct peer_family *family,
							  const struct show_peer *peer, const char *labels)
{
	uint64_t value;

	if (!family->value(peer, &value))
		return;
	sample_begin(exposition, &family->family);
	sample_ready_labels(exposition, labels);
	if (family->more_labels)
		family->more_labels(exposition, peer);
	if (family->nanoseconds)
		sample_end_seconds(exposition, value);
	else
		sample_end(exposition, value);
}

int metrics_write_peers(struct exposition *exposition)
{
	char *all_labels = make_peer_labels(exposition);

	if (!all_labels)
		return -ENOMEM;
	for (size_t i = 0; i < PEER_FAMILIES; i++) {
		const char *labels = all_labels;
		for (size_t j = 0; j < exposition->count; j++) {
			for (const struct show_peer *peer = exposition->interfaces[j].state.peers; peer; peer = peer->next) {
				write_peer_sample(exposition, &peer_families[i], peer, labels);
				labels += strlen(labels) + 1;
			}
		}
	}
	free(all_labels);
	return 0;
}
