/* SPDX-License-Identifier: MIT */
/* The messages of a reload. */
#include "daemon/reload_report.h"

#include <stdio.h>
#include <string.h>

#include "base/log.h"
#include "tunnel/device.h"
#include "tunnel/worker_pool.h"

void reload_report_message(void *context, const char *text)
{
	struct reload_report *report = context;

	log_warning(report->interface, "reload: %s", text);
	if (!report->error[0] && strstr(text, ": error: "))
		snprintf(report->error, sizeof report->error, "%s", text);
	if (report->reply)
		uapi_reply_line(report->reply, "message", text);
}

struct start_settings reload_report_settings(const struct config *config)
{
	struct start_settings settings = {
		.tun_backend = config->tun_backend,
		.udp_options = config->udp_options,
		.no_tun_offload = config->no_tun_offload,
		.workers = config->workers ? config->workers : worker_pool_auto(),
	};

	snprintf(settings.crypto_provider, sizeof settings.crypto_provider, "%s", config_crypto_provider(config));
	return settings;
}

void reload_report_deferred(struct reload_report *report, const struct start_settings *running,
							const struct config *wanted)
{
	const struct start_settings next = reload_report_settings(wanted);
	const struct {
		const char *key;
		bool differs;
	} settings[] = {
		{ "CryptoProvider", strcmp(running->crypto_provider, next.crypto_provider) != 0 },
		{ "TunBackend", running->tun_backend != next.tun_backend },
		{ "UdpGso", running->udp_options.no_gso != next.udp_options.no_gso },
		{ "UdpGro", running->udp_options.no_gro != next.udp_options.no_gro },
		{ "TunOffload", running->no_tun_offload != next.no_tun_offload },
		{ "Workers", running->workers != next.workers },
	};

	for (size_t i = 0; i < sizeof settings / sizeof *settings; i++) {
		char text[64];

		snprintf(text, sizeof text, "%s: the change takes effect at the next start", settings[i].key);
		if (settings[i].differs)
			reload_report_message(report, text);
	}
}

void reload_report_result(const struct device *device, const char *refusal)
{
	struct event event = { .kind = EVENT_RELOAD_APPLIED, .interface = device->name, .reason = refusal };

	if (refusal)
		event.kind = EVENT_RELOAD_REFUSED;
	else
		event.peers = (uint32_t)device->peer_count;
	event_emit(&device->events, &event);
}
