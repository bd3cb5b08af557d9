/* SPDX-License-Identifier: MIT */
/* The log: formats a line on the stack and writes it with one system call. */
#include "base/log.h"

#include <assert.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"

enum { LINE_MAX_BYTES = 1024, LIMIT_BURST = 10 };

static _Atomic enum log_level max_level = LOG_INFO;
static _Atomic enum { STREAM_UNKNOWN, STREAM_JOURNAL, STREAM_OTHER } stream; /* what standard error is */

void log_set_level(enum log_level level)
{
	max_level = level;
}

bool log_enabled(enum log_level level)
{
	enum log_level max = atomic_load_explicit(&max_level, memory_order_relaxed);

	return level <= max && max != LOG_SILENT;
}

void log_stream_changed(void)
{
	stream = STREAM_UNKNOWN;
}

/*
 * Returns the prefix that gives a line its priority in the journal. Standard error is the journal if it is the stream
 * that JOURNAL_STREAM names as "device:inode", see systemd.exec(5).
 */
static const char *journal_priority(enum log_level level)
{
	static const char *const priorities[] = {
		[LOG_SILENT] = "", [LOG_ERROR] = "<3>", [LOG_WARNING] = "<4>", [LOG_INFO] = "<6>", [LOG_DEBUG] = "<7>",
	};
	static_assert(sizeof priorities / sizeof *priorities == LOG_DEBUG + 1, "one priority per log level");

	if (stream == STREAM_UNKNOWN) {
		const char *text = getenv("JOURNAL_STREAM");
		char name[64] = "";
		struct stat status;

		if (!fstat(STDERR_FILENO, &status))
			snprintf(name, sizeof name, "%ju:%ju", (uintmax_t)status.st_dev, (uintmax_t)status.st_ino);
		stream = text && *name && !strcmp(text, name) ? STREAM_JOURNAL : STREAM_OTHER;
	}
	return stream == STREAM_JOURNAL ? priorities[level] : "";
}

void log_line(enum log_level level, const char *subject, const char *format, ...)
{
	char line[LINE_MAX_BYTES];
	va_list arguments;
	int head, body;

	if (!log_enabled(level))
		return;
	head = snprintf(line, sizeof line, "%s%s: ", journal_priority(level), subject);
	if (head < 0 || head >= LINE_MAX_BYTES - 1)
		return;
	va_start(arguments, format);
	body = vsnprintf(line + head, sizeof line - (size_t)head - 1, format, arguments);
	va_end(arguments);
	if (body < 0)
		return;
	if (body > LINE_MAX_BYTES - head - 2)
		body = LINE_MAX_BYTES - head - 2;
	line[head + body] = '\n';
	/* One write per line, so that lines of different threads do not mix. A failed write cannot be reported anywhere. */
	if (write(STDERR_FILENO, line, (size_t)(head + body) + 1) < 0)
		return;
}

bool log_allowed(struct log_limit *limit, uint64_t now)
{
	return token_bucket_take(&limit->bucket, LIMIT_BURST, NS_PER_S, now);
}
