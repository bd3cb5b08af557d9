/* SPDX-License-Identifier: MIT */
/* The native protocol of the journal: a datagram with one field per line (systemd.io/JOURNAL_NATIVE_PROTOCOL). */
#ifndef ADIT_BASE_LOG_JOURNAL_H
#define ADIT_BASE_LOG_JOURNAL_H

#include "base/log.h"

/*
 * Sends a line, which has no line end, with its priority of syslog(3). Of the subject, `interface`, `peer` and
 * `public_key` may be NULL. Never blocks. Returns 0, or a negative errno if the journal has not taken the line:
 * -ENOENT, -ECONNREFUSED, -EAGAIN if its queue is full, ...
 */
int log_journal_send(int priority, const struct log_subject *subject, const char *line);

#endif
