/* SPDX-License-Identifier: MIT */
/*
 * The log: each call writes one line to standard error. Its level and the kind of stream are the
 * only mutable globals of the program.
 *
 * Every line starts with its subject: the interface, or the interface and the peer ("wg0: peer abcd…wxyz="). Lines that
 * a packet can cause are rate-limited by a struct log_limit.
 */
#ifndef ADIT_BASE_LOG_H
#define ADIT_BASE_LOG_H

#include <stdbool.h>
#include <stdint.h>

#include "base/token_bucket.h"

enum log_level { LOG_SILENT, LOG_ERROR, LOG_WARNING, LOG_INFO, LOG_DEBUG };

/* Drops lines above this level. The initial level is LOG_INFO; LOG_SILENT drops all lines. */
void log_set_level(enum log_level level);
/* Reports whether lines of this level are written. */
bool log_enabled(enum log_level level);

/*
 * Writes "subject: text". Long lines are truncated. If standard error is the journal's stream, the line starts with its
 * syslog priority, as sd-daemon(3) describes. Any thread may call it.
 */
void log_line(enum log_level level, const char *subject, const char *format, ...) __attribute__((format(printf, 3, 4)));

#define log_error(...) log_line(LOG_ERROR, __VA_ARGS__)
#define log_warning(...) log_line(LOG_WARNING, __VA_ARGS__)
#define log_info(...) log_line(LOG_INFO, __VA_ARGS__)
#define log_debug(...) log_line(LOG_DEBUG, __VA_ARGS__)

/*
 * Replaces standard error by the system log, /dev/log, to which each line goes with facility daemon. Returns false and
 * sets errno if there is none.
 */
bool log_to_syslog(void);

/* The next line checks again whether standard error is the journal. The caller has replaced it. */
void log_stream_changed(void);

/* The limit for one kind of line: bursts of ten lines, then one line per second. Zeroed memory is an unused limit. */
struct log_limit {
	struct token_bucket bucket;
};

/* Reports whether a line may be written at `now`, in ns of CLOCK_BOOTTIME, and counts it. */
bool log_allowed(struct log_limit *limit, uint64_t now);

#endif
