/* SPDX-License-Identifier: MIT */
/*
 * The log: each call writes one line, to standard error or to the journal. Its level, the kind of stream and the number
 * of lost lines are the only mutable globals of the program.
 *
 * Every line starts with its subject: the interface, or the interface and the peer ("wg0: peer abcd…wxyz="). Lines that
 * a packet can cause are rate-limited by a struct log_limit.
 *
 * A line is one line of valid UTF-8, whatever the texts are that it quotes: control characters become spaces. Secrets
 * are not logged. A text that may contain them, because others wrote it, goes through key_mask first.
 *
 * A call never blocks. If nothing reads the log, lines are lost, and the next line that can be written follows one with
 * their number.
 */
#ifndef ADIT_BASE_LOG_H
#define ADIT_BASE_LOG_H

#include <stdbool.h>
#include <stdint.h>

#include "base/token_bucket.h"

enum log_level { LOG_SILENT, LOG_ERROR, LOG_WARNING, LOG_INFO, LOG_DEBUG };

/* Drops lines above this level. The initial level is LOG_INFO; LOG_SILENT drops all lines. */
void log_set_level(enum log_level level);
enum log_level log_level(void);
/* Reports whether lines of this level are written. */
bool log_enabled(enum log_level level);

/* The names of the levels from "error" to "debug", and "silent". */
const char *log_level_name(enum log_level level);
/* Finds the level with that name, in upper or lower case, except "silent". Returns false if there is none. */
bool log_level_find(enum log_level *level, const char *name);
/* For messages. */
#define LOG_LEVEL_NAMES "error, warning, info, debug"

/* A peer as the subject of a line. The strings and the key must stay during the call. */
struct log_subject {
	const char *text; /* the start of the line */
	const char *interface;
	const char *peer;          /* its name; "": it has none */
	const uint8_t *public_key; /* 32 bytes */
};

/*
 * Writes "subject: text". Long lines are truncated. Any thread may call it.
 *
 * The subject is the name of the interface, or NULL for the program itself. log_peer_line takes that of a peer; the
 * macros below accept both, and do not evaluate their arguments if the level is off.
 *
 * If standard error is the journal's stream, the line goes to the journal by its native protocol, with the fields
 * ADIT_INTERFACE, ADIT_PEER (the name, or the key of a peer without one) and ADIT_PEER_KEY. If the journal does not
 * take it, it goes to standard error with its syslog priority, as sd-daemon(3) describes.
 */
void log_line(enum log_level level, const char *subject, const char *format, ...) __attribute__((format(printf, 3, 4)));
void log_peer_line(enum log_level level, struct log_subject subject, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

#define log_at(level, subject, ...)                                                                                    \
	do {                                                                                                               \
		if (log_enabled(level))                                                                                        \
			_Generic((subject), struct log_subject : log_peer_line, default : log_line)(level, subject, __VA_ARGS__);  \
	} while (0)
#define log_error(subject, ...) log_at(LOG_ERROR, subject, __VA_ARGS__)
#define log_warning(subject, ...) log_at(LOG_WARNING, subject, __VA_ARGS__)
#define log_info(subject, ...) log_at(LOG_INFO, subject, __VA_ARGS__)
#define log_debug(subject, ...) log_at(LOG_DEBUG, subject, __VA_ARGS__)

/*
 * Replaces standard error by the system log, /dev/log, to which each line goes with facility daemon. Returns false and
 * sets errno if there is none.
 */
bool log_to_syslog(void);

/* The next line checks again whether standard error is the journal. The caller has replaced it. */
void log_stream_changed(void);

/* The limit for one kind of line: bursts of ten lines, then one line per second. Zeroed memory is an unused limit. */
struct log_limit {
	struct token_bucket bucket, debug;
};

/* Reports whether a line may be written at `now`, in ns of CLOCK_BOOTTIME, and counts it. */
bool log_allowed(struct log_limit *limit, uint64_t now);
/* The same for a line of LOG_DEBUG, which uses none of the others' tokens. False if this level is off. */
bool log_debug_allowed(struct log_limit *limit, uint64_t now);

#endif
