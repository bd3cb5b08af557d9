/* SPDX-License-Identifier: MIT */
/*
 * metrics: writes the text that Prometheus reads.
 *
 * All samples of a family must follow each other, so each family is one pass over the interfaces.
 */
#include "metrics_text.h"

#include "metrics_counters.h"
#include "metrics_exposition.h"
#include "metrics_peers.h"

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

enum interface_value {
	INTERFACE_PEERS,
	INTERFACE_PORT,
	INTERFACE_WORKERS,
	INTERFACE_WARNINGS,
	INTERFACE_START_TIME,
	INTERFACE_RECEIVE_BYTES,
	INTERFACE_TRANSMIT_BYTES,
	INTERFACE_VALUES
};

/* Returns false if the interface has no such value. */
static bool find_interface_value(const struct metrics_interface *interface, enum interface_value kind, uint64_t *value)
{
	*value = 0;
	switch (kind) {
	case INTERFACE_PEERS:
		for (const struct show_peer *peer = interface->state.peers; peer; peer = peer->next)
			++*value;
		return true;
	case INTERFACE_PORT:
		*value = interface->state.port;
		return *value != 0;
	case INTERFACE_WORKERS:
		*value = interface->state.workers;
		return *value != 0;
	case INTERFACE_WARNINGS:
		for (const struct show_warning *warning = interface->state.warnings; warning; warning = warning->next)
			++*value;
		return true;
	case INTERFACE_START_TIME:
		return metrics_find_counter(&interface->state, "start_time_sec", value);
	case INTERFACE_RECEIVE_BYTES:
		*value = interface->receive_bytes;
		return interface->has_bytes;
	case INTERFACE_TRANSMIT_BYTES:
		*value = interface->transmit_bytes;
		return interface->has_bytes;
	case INTERFACE_VALUES:
		break;
	}
	return false;
}

static void write_interface_values(struct exposition *exposition)
{
	static const struct metric_family families[INTERFACE_VALUES] = {
		[INTERFACE_PEERS] = { "adit_interface_peers", METRIC_GAUGE, NULL, "Number of configured peers." },
		[INTERFACE_PORT] = { "adit_interface_listen_port", METRIC_GAUGE, NULL, "UDP port of the interface." },
		[INTERFACE_WORKERS] = { "adit_interface_workers", METRIC_GAUGE, NULL,
								"Number of threads that process packets." },
		[INTERFACE_WARNINGS] = { "adit_interface_warnings", METRIC_GAUGE, NULL,
								 "Number of warnings that adit show prints." },
		[INTERFACE_START_TIME] = { "adit_interface_start_time_seconds", METRIC_GAUGE, "seconds",
								   "Unix time at which the daemon of the interface started." },
		[INTERFACE_RECEIVE_BYTES] = { "adit_interface_receive_bytes", METRIC_COUNTER, "bytes",
									  "Bytes of inner packets received from peers, as the kernel counts them." },
		[INTERFACE_TRANSMIT_BYTES] = { "adit_interface_transmit_bytes", METRIC_COUNTER, "bytes",
									   "Bytes of inner packets routed to the interface, as the kernel counts them." },
	};

	for (unsigned kind = 0; kind < INTERFACE_VALUES; kind++) {
		for (size_t i = 0; i < exposition->count; i++) {
			const struct metrics_interface *interface = &exposition->interfaces[i];
			uint64_t value;

			if (interface->up && find_interface_value(interface, kind, &value))
				interface_sample(exposition, &families[kind], interface, value);
		}
	}
}

int metrics_text(FILE *to, const struct metrics_options *options, const struct metrics_interface *interfaces,
				 size_t count)
{
	static const struct metric_family build = { "adit_build", METRIC_INFO, NULL,
												"Version of the program that wrote this text." };
	struct exposition exposition = { .to = to, .options = options, .interfaces = interfaces, .count = count };
	int error = 0;

	sample_begin(&exposition, &build);
	sample_label(&exposition, "version", options->version);
	sample_end(&exposition, 1);
	write_interface_states(&exposition);
	write_interface_values(&exposition);
	metrics_write_counters(&exposition);
	if (!options->no_peers)
		error = metrics_write_peers(&exposition);
	if (options->format == METRICS_OPENMETRICS)
		fputs("# EOF\n", to);
	return error;
}
