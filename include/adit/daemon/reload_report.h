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
	char error[REASON_BYTES]; /* the first one in the file */
};

/* Reports a line. `context` is the struct reload_report. */
void reload_report_message(void *context, const char *text);
/* Reports the changes that take effect at the next start only. */
void reload_report_deferred(struct reload_report *report, const struct config *current, const struct config *wanted);
/* Reports the result of a reload to the clients of `adit monitor`. `refusal` is NULL if it was applied. */
void reload_report_result(const struct device *device, const char *refusal);

#endif
