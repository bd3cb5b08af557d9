/* SPDX-License-Identifier: MIT */
/* The messages of a reload: they go to the log, and to the client that has requested it. */
#ifndef ADIT_DAEMON_RELOAD_REPORT_H
#define ADIT_DAEMON_RELOAD_REPORT_H

#include "base/reason.h"
#include "config/config.h"
#include "tunnel/device.h"
#include "uapi/uapi.h"

struct reload_report {
	const char *interface;
	struct uapi_reply *reply; /* of the client that requested the reload; NULL: it was SIGHUP */
	char error[REASON_BYTES]; /* the first error in the file; "": none yet */
};

/* The settings that only a start applies, as the running process has them. */
struct start_settings {
	char crypto_provider[sizeof((struct config *)NULL)->crypto_provider];
	enum backend_kind tun_backend;
	struct udp_options udp_options;
	bool no_tun_offload;
	unsigned workers; /* never 0 */
};

/* Returns these settings of a configuration. Replaces `auto` workers by their number on this machine. */
struct start_settings reload_report_settings(const struct config *config);

/* Reports a line. `context` is the struct reload_report. */
void reload_report_message(void *context, const char *text);
/* Reports each setting that takes effect only at the next start, and in which the file differs from what runs. */
void reload_report_deferred(struct reload_report *report, const struct start_settings *running,
							const struct config *wanted);
/* Reports the result of a reload to the clients of `adit monitor`. `refusal` is NULL if it was applied. */
void reload_report_result(const struct device *device, const char *refusal);

#endif
