/* SPDX-License-Identifier: MIT */
/*
 * metrics: the families of peers. The labels of a peer are the same in all of them. They are written once, because
 * there may be 10,000 peers.
 */
#include "metrics_peers.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum peer_value {
	PEER_INFO,
	PEER_UP,
	PEER_STATE,
	PEER_RECEIVE_BYTES,
	PEER_TRANSMIT_BYTES,
	PEER_HANDSHAKE,
	PEER_DATAGRAMS,
	PEER_LOST,
	PEER_LATE,
	PEER_DUPLICATE,
	PEER_RTT, /* from here on, times in nanoseconds */
	PEER_RTT_MIN,
	PEER_JITTER,
	PEER_VALUES
};

static const struct metric_family peer_families[PEER_VALUES] = {
	[PEER_INFO] = { "adit_peer", METRIC_INFO, NULL, "Endpoint of the peer and how it was learned, if it is known." },
	[PEER_UP] = { "adit_peer_up", METRIC_GAUGE, NULL, "1 if the peer is in the state up, else 0." },
	[PEER_STATE] = { "adit_peer_state", METRIC_GAUGE, NULL,
					 "1 for the present state of the peer; others are left out." },
	[PEER_RECEIVE_BYTES] = { "adit_peer_receive_bytes", METRIC_COUNTER, "bytes",
							 "Bytes of UDP payload received from the peer, handshakes included." },
	[PEER_TRANSMIT_BYTES] = { "adit_peer_transmit_bytes", METRIC_COUNTER, "bytes",
							  "Bytes of UDP payload sent to the peer, handshakes included." },
	[PEER_HANDSHAKE] = { "adit_peer_latest_handshake_timestamp_seconds", METRIC_GAUGE, "seconds",
						 "Unix time of the latest handshake with the peer; 0 if there was none." },
	[PEER_DATAGRAMS] = { "adit_peer_receive_datagrams", METRIC_COUNTER, NULL,
						 "Data datagrams received from the peer." },
	[PEER_LOST] = { "adit_peer_receive_lost_datagrams", METRIC_COUNTER, NULL,
					"Data datagrams of the peer that did not arrive." },
	[PEER_LATE] = { "adit_peer_receive_late_datagrams", METRIC_COUNTER, NULL,
					"Data datagrams of the peer that arrived after a later one." },
	[PEER_DUPLICATE] = { "adit_peer_receive_duplicate_datagrams", METRIC_COUNTER, NULL,
						 "Data datagrams of the peer that had arrived before." },
	[PEER_RTT] = { "adit_peer_rtt_seconds", METRIC_GAUGE, "seconds",
				   "Round-trip time to the peer, measured by handshakes." },
	[PEER_RTT_MIN] = { "adit_peer_rtt_min_seconds", METRIC_GAUGE, "seconds", "Shortest round-trip time to the peer." },
	[PEER_JITTER] = { "adit_peer_jitter_seconds", METRIC_GAUGE, "seconds",
					  "Mean deviation of the round-trip time to the peer." },
};

/* Returns false if the peer has no such value. The jitter is unknown after a single handshake. */
static bool find_peer_value(const struct show_peer *peer, enum peer_value kind, uint64_t *value)
{
	const struct show_quality *quality = &peer->quality;
	const uint64_t values[PEER_VALUES] = {
		[PEER_INFO] = 1,
		[PEER_UP] = peer->state == SHOW_UP,
		[PEER_STATE] = 1,
		[PEER_RECEIVE_BYTES] = peer->rx_bytes,
		[PEER_TRANSMIT_BYTES] = peer->tx_bytes,
		[PEER_HANDSHAKE] = peer->handshake,
		[PEER_DATAGRAMS] = quality->datagrams,
		[PEER_LOST] = quality->lost,
		[PEER_LATE] = quality->late,
		[PEER_DUPLICATE] = quality->duplicate,
		[PEER_RTT] = quality->rtt_ns,
		[PEER_RTT_MIN] = quality->rtt_min_ns,
		[PEER_JITTER] = quality->jitter_ns,
	};

	*value = values[kind];
	if (kind == PEER_UP || kind == PEER_STATE)
		return peer->state != SHOW_STATE_UNKNOWN;
	if (kind >= PEER_DATAGRAMS && kind <= PEER_DUPLICATE)
		return quality->has_datagrams;
	if (kind == PEER_JITTER)
		return quality->jitter_ns != 0;
	return kind < PEER_RTT || quality->rtt_ns != 0;
}

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

static void write_peer_sample(struct exposition *exposition, enum peer_value kind, const struct show_peer *peer,
							  const char *labels)
{
	uint64_t value;

	if (!find_peer_value(peer, kind, &value))
		return;
	sample_begin(exposition, &peer_families[kind]);
	sample_ready_labels(exposition, labels);
	if (kind == PEER_INFO) {
		sample_label_if_set(exposition, "endpoint", peer->endpoint);
		sample_label_if_set(exposition, "endpoint_origin", show_origin_word(peer->endpoint_origin));
	}
	if (kind == PEER_STATE)
		sample_label(exposition, "state", show_state_word(peer->state));
	if (kind >= PEER_RTT)
		sample_end_seconds(exposition, value);
	else
		sample_end(exposition, value);
}

int metrics_write_peers(struct exposition *exposition)
{
	char *all_labels = make_peer_labels(exposition);

	if (!all_labels)
		return -ENOMEM;
	for (unsigned kind = 0; kind < PEER_VALUES; kind++) {
		const char *labels = all_labels;

		for (size_t i = 0; i < exposition->count; i++) {
			for (const struct show_peer *peer = exposition->interfaces[i].state.peers; peer; peer = peer->next) {
				write_peer_sample(exposition, kind, peer, labels);
				labels += strlen(labels) + 1;
			}
		}
	}
	free(all_labels);
	return 0;
}
