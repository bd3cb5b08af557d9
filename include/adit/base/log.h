/* SPDX-License-Identifier: MIT */
/*
 * The log: one line a call on standard error. The level is the one mutable global of the program.
 *
 * Every line says what it concerns: `subject` is the interface, or interface and peer ("wg0: peer abcd…wxyz="). Lines
 * that a packet can cause go through a struct log_limit.
 */
#ifndef ADIT_BASE_LOG_H
#define ADIT_BASE_LOG_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

enum log_level { LOG_SILENT, LOG_ERROR, LOG_WARNING, LOG_INFO, LOG_DEBUG };

/* Lines above this level are not written. INFO at start. */
void log_set_level(enum log_level level);
bool log_enabled(enum log_level level);

/* Writes "subject: text". Under systemd (JOURNAL_STREAM is set) the line carries its syslog priority. */
void log_line(enum log_level level, const char *subject, const char *format, ...) __attribute__((format(printf, 3, 4)));

#define log_error(...) log_line(LOG_ERROR, __VA_ARGS__)
#define log_warning(...) log_line(LOG_WARNING, __VA_ARGS__)
#define log_info(...) log_line(LOG_INFO, __VA_ARGS__)
#define log_debug(...) log_line(LOG_DEBUG, __VA_ARGS__)

/*
 * A token bucket of one line a second with bursts of ten; zeroed memory is a full bucket. Threads that meet at one may
 * write a line too many.
 */
struct log_limit {
	_Atomic uint64_t since; /* ns of CLOCK_BOOTTIME at which the bucket was last filled */
	_Atomic uint32_t used;  /* lines written since */
};

/* True when a line may be written at `now`. */
bool log_allowed(struct log_limit *limit, uint64_t now);

#endif
