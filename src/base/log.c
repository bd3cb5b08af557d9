/* SPDX-License-Identifier: MIT */
/* The log: formats a line on the stack and writes it with one system call. */
#include "base/log.h"

#include <assert.h>
#include <errno.h>
#include <poll.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/utf8.h"
#include "log_journal.h"

enum {
	LINE_MAX_BYTES = 1024,
	PRIORITY_MAX_BYTES = 64, /* of what precedes the line */
	LIMIT_BURST = 10,
};

static const struct {
	const char *name;
	int priority; /* of syslog(3) */
} levels[] = {
	[LOG_SILENT] = { "silent", 7 }, [LOG_ERROR] = { "error", 3 }, [LOG_WARNING] = { "warning", 4 },
	[LOG_INFO] = { "info", 6 },     [LOG_DEBUG] = { "debug", 7 },
};
static_assert(sizeof levels / sizeof *levels == LOG_DEBUG + 1, "one row per log level");

static _Atomic enum log_level max_level = LOG_INFO;
static _Atomic enum { STREAM_UNKNOWN, STREAM_JOURNAL, STREAM_SYSLOG, STREAM_OTHER } stream; /* what standard error is */
static _Atomic unsigned long lost; /* lines that could not be written, and that no line has reported yet */

/* --- levels ----- */

void log_set_level(enum log_level level)
{
	max_level = level;
}

enum log_level log_level(void)
{
	return atomic_load_explicit(&max_level, memory_order_relaxed);
}

bool log_enabled(enum log_level level)
{
	enum log_level max = log_level();

	return level <= max && max != LOG_SILENT;
}

const char *log_level_name(enum log_level level)
{
	return levels[level].name;
}

bool log_level_find(enum log_level *level, const char *name)
{
	for (unsigned i = LOG_ERROR; i <= LOG_DEBUG; i++) {
		if (strcasecmp(name, levels[i].name))
			continue;
		*level = i;
		return true;
	}
	return false;
}

/* --- the stream ----- */

void log_stream_changed(void)
{
	stream = STREAM_UNKNOWN;
}

/*
 * Connects to the socket of syslogd(8) or of the journal. A restarted syslogd has another socket, so this is repeated
 * after a failure.
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
 * Standard error is the journal if it is the stream that JOURNAL_STREAM names as "device:inode", see systemd.exec(5).
 */
static void find_stream(void)
{
	const char *text = getenv("JOURNAL_STREAM");
	char name[64] = "";
	struct stat status;

	if (!fstat(STDERR_FILENO, &status))
		snprintf(name, sizeof name, "%ju:%ju", (uintmax_t)status.st_dev, (uintmax_t)status.st_ino);
	stream = text && *name && !strcmp(text, name) ? STREAM_JOURNAL : STREAM_OTHER;
}

/* Writes without blocking. Returns false if nothing takes the bytes now. */
static bool write_stderr(const char *line, size_t length)
{
	struct pollfd ready = { .fd = STDERR_FILENO, .events = POLLOUT };

	if (send(STDERR_FILENO, line, length, MSG_DONTWAIT | MSG_NOSIGNAL) >= 0)
		return true;
	if (errno != ENOTSOCK)
		return false;
	/* A pipe that is ready has room for PIPE_BUF bytes, which is more than a line. */
	if (poll(&ready, 1, 0) != 1 || !(ready.revents & POLLOUT))
		return false;
	return write(STDERR_FILENO, line, length) >= 0;
}

/*
 * Writes a line of `length` bytes, and a newline. The priority precedes the line in the journal's stream, and the
 * priority and the name of the program in the system log.
 */
static bool write_log_line(enum log_level level, const struct log_subject *subject, const char *line, size_t length)
{
	enum { DAEMON = 3 << 3 }; /* the facility */
	char text[PRIORITY_MAX_BYTES + LINE_MAX_BYTES + 1] = "";
	int priority = levels[level].priority, head = 0;

	if (stream == STREAM_UNKNOWN)
		find_stream();
	if (stream == STREAM_JOURNAL) {
		if (!log_journal_send(priority, subject, line))
			return true;
		head = snprintf(text, PRIORITY_MAX_BYTES, "<%d>", priority);
	} else if (stream == STREAM_SYSLOG) {
		head = snprintf(text, PRIORITY_MAX_BYTES, "<%d>adit[%d]: ", DAEMON | priority, (int)getpid());
	}
	memcpy(text + head, line, length);
	length += (size_t)head;
	text[length++] = '\n';
	/* One write per line, so that lines of different threads do not mix. */
	if (write_stderr(text, length))
		return true;
	return stream == STREAM_SYSLOG && !connect_syslog(STDERR_FILENO) && write_stderr(text, length);
}

/* --- the line ----- */

/* Replaces what is not printable, so that a quoted text can neither begin another line nor confuse a terminal. */
static void clean_line(char *line)
{
	while (*line) {
		char one[5] = "";
		int length = utf8_length(line);

		memcpy(one, line, (size_t)length);
		if (!length || !utf8_printable(one))
			memset(line, length ? ' ' : '?', length ? (size_t)length : 1);
		line += length ? length : 1;
	}
}

static void report_lost(void)
{
	const struct log_subject program = { 0 };
	unsigned long count = atomic_exchange(&lost, 0);
	char line[128];
	int length;

	if (!count)
		return;
	length = snprintf(line, sizeof line, "adit: the log has lost %lu line%s, because nothing read it", count,
					  count == 1 ? "" : "s");
	if (!write_log_line(LOG_WARNING, &program, line, (size_t)length))
		lost += count;
}

static void __attribute__((format(printf, 3, 0)))
format_line(enum log_level level, const struct log_subject *subject, const char *format, va_list arguments)
{
	char line[LINE_MAX_BYTES];
	int head = snprintf(line, sizeof line, "%s: ", subject->text), body;

	if (head < 0 || head >= LINE_MAX_BYTES)
		return;
	body = vsnprintf(line + head, sizeof line - (size_t)head, format, arguments);
	if (body < 0)
		return;
	if (body >= LINE_MAX_BYTES - head) {
		size_t end = LINE_MAX_BYTES - sizeof "...";

		while (end && ((unsigned char)line[end] & 0xc0) == 0x80) /* keep the last character whole */
			end--;
		memcpy(line + end, "...", sizeof "...");
	}
	clean_line(line);
	report_lost();
	if (!write_log_line(level, subject, line, strlen(line)))
		lost++;
}

void log_line(enum log_level level, const char *subject, const char *format, ...)
{
	const struct log_subject interface = { .text = subject ? subject : "adit", .interface = subject };
	va_list arguments;

	if (!log_enabled(level))
		return;
	va_start(arguments, format);
	format_line(level, &interface, format, arguments);
	va_end(arguments);
}

void log_peer_line(enum log_level level, struct log_subject subject, const char *format, ...)
{
	va_list arguments;

	if (!log_enabled(level))
		return;
	va_start(arguments, format);
	format_line(level, &subject, format, arguments);
	va_end(arguments);
}

/* --- limits ----- */

bool log_allowed(struct log_limit *limit, uint64_t now)
{
	return token_bucket_take(&limit->bucket, LIMIT_BURST, NS_PER_S, now);
}

bool log_debug_allowed(struct log_limit *limit, uint64_t now)
{
	return log_enabled(LOG_DEBUG) && token_bucket_take(&limit->debug, LIMIT_BURST, NS_PER_S, now);
}
