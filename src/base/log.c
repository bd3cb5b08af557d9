/* SPDX-License-Identifier: MIT */
/* The log: formats a line on the stack and writes it with one system call. */
#include "base/log.h"

#include <assert.h>
#include <errno.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/clock.h"

enum { LINE_MAX_BYTES = 1024, LIMIT_BURST = 10 };

static _Atomic enum log_level max_level = LOG_INFO;
static _Atomic enum { STREAM_UNKNOWN, STREAM_JOURNAL, STREAM_SYSLOG, STREAM_OTHER } stream; /* what standard error is */

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

/* The socket of syslogd(8) or of the journal. A restarted syslogd has another one, so connect again for each failure.
 */
static int connect_syslog(int fd)
{
	const struct sockaddr_un to = { .sun_family = AF_UNIX, .sun_path = "/dev/log" };

	return connect(fd, (const struct sockaddr *)&to, sizeof to);
}

bool log_to_syslog(void)
{
	int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	bool connected = fd >= 0 && !connect_syslog(fd) && dup2(fd, STDERR_FILENO) >= 0;
	int error = errno;

	if (fd >= 0)
		close(fd);
	if (connected)
		stream = STREAM_SYSLOG;
	errno = error;
	return connected;
}

/*
 * Writes what precedes the subject: in the journal the priority, in the system log also the name of the program.
 * Standard error is the journal if it is the stream that JOURNAL_STREAM names as "device:inode", see systemd.exec(5).
 */
static int write_priority(char *line, size_t room, enum log_level level)
{
	static const int priorities[] = {
		[LOG_SILENT] = 7, [LOG_ERROR] = 3, [LOG_WARNING] = 4, [LOG_INFO] = 6, [LOG_DEBUG] = 7,
	};
	static_assert(sizeof priorities / sizeof *priorities == LOG_DEBUG + 1, "one priority per log level");
	enum { DAEMON = 3 << 3 }; /* the facility */

	if (stream == STREAM_UNKNOWN) {
		const char *text = getenv("JOURNAL_STREAM");
		char name[64] = "";
		struct stat status;

		if (!fstat(STDERR_FILENO, &status))
			snprintf(name, sizeof name, "%ju:%ju", (uintmax_t)status.st_dev, (uintmax_t)status.st_ino);
		stream = text && *name && !strcmp(text, name) ? STREAM_JOURNAL : STREAM_OTHER;
	}
	if (stream == STREAM_JOURNAL)
		return snprintf(line, room, "<%d>", priorities[level]);
	if (stream == STREAM_SYSLOG)
		return snprintf(line, room, "<%d>adit[%d]: ", DAEMON | priorities[level], (int)getpid());
	return 0;
}

void log_line(enum log_level level, const char *subject, const char *format, ...)
{
	char line[LINE_MAX_BYTES];
	va_list arguments;
	int head, body;

	if (!log_enabled(level))
		return;
	head = write_priority(line, sizeof line, level);
	head += snprintf(line + head, sizeof line - (size_t)head, "%s: ", subject);
	if (head >= LINE_MAX_BYTES - 1)
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
	if (write(STDERR_FILENO, line, (size_t)(head + body) + 1) >= 0 || stream != STREAM_SYSLOG)
		return;
	if (!connect_syslog(STDERR_FILENO) && write(STDERR_FILENO, line, (size_t)(head + body) + 1) < 0)
		return;
}

bool log_allowed(struct log_limit *limit, uint64_t now)
{
	return token_bucket_take(&limit->bucket, LIMIT_BURST, NS_PER_S, now);
}
