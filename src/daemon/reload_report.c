/* SPDX-License-Identifier: MIT */
/* The messages of a reload. */
#include "daemon/reload_report.h"

#include <stdio.h>
#include <string.h>

#include "base/log.h"
#include "tunnel/device.h"

void reload_report_message(void *context, const char *text)
{
	struct reload_report *report = context;

	log_warning(report->interface, "reload: %s", text);
	if (!report->error[0] && strstr(text, ": error: "))
		snprintf(report->error, sizeof report->error, "%s", text);
	if (report->reply)
		uapi_reply_line(report->reply, "message", text);
}

void reload_report_deferred(struct reload_report *report, const struct config *current, const struct config *wanted)
{
	if (strcmp(config_crypto_provider(current), config_crypto_provider(wanted)) != 0)
		reload_report_message(report, "CryptoProvider: the change takes effect at the next start");
	if (current->tun_backend != wanted->tun_backend)
		reload_report_message(report, "TunBackend: the change takes effect at the next start");
	if (current->udp_options.no_gso != wanted->udp_options.no_gso)
		reload_report_message(report, "UdpGso: the change takes effect at the next start");
	if (current->udp_options.no_gro != wanted->udp_options.no_gro)
		reload_report_message(report, "UdpGro: the change takes effect at the next start");
	if (current->no_tun_offload != wanted->no_tun_offload)
		reload_report_message(report, "TunOffload: the change takes effect at the next start");
	if (current->workers != wanted->workers)
		reload_report_message(report, "Workers: the change takes effect at the next start");
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
