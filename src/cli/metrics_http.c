/* SPDX-License-Identifier: MIT */
/*
 * metrics: answers one HTTP request.
 *
 * systemd accepts the connection and starts one process for it. All that a client can do is to hold that process for a
 * bounded time and with a bounded buffer: the head has a maximum length, and reading and writing have deadlines.
 */
#include "metrics_http.h"

#include <errno.h>
#include <poll.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"

/* --- input and output with deadlines ----- */

/* Returns 0, -ETIMEDOUT or the error of poll(2). */
static int wait_until_ready(int fd, short events, uint64_t deadline)
{
	for (;;) {
		uint64_t now = clock_boottime();
		struct pollfd poll_fd = { .fd = fd, .events = events };
		int count;

		if (now >= deadline)
			return -ETIMEDOUT;
		count = poll(&poll_fd, 1, (int)((deadline - now) / NS_PER_MS) + 1);
		if (count > 0)
			return 0;
		if (count < 0 && errno != EINTR)
			return -errno;
	}
}

/* Does not block on a socket, even if the descriptor is blocking. */
static int write_until(int fd, const char *text, size_t length, uint64_t deadline)
{
	while (length) {
		int error = wait_until_ready(fd, POLLOUT, deadline);
		ssize_t written;

		if (error)
			return error;
		written = send(fd, text, length, MSG_DONTWAIT | MSG_NOSIGNAL);
		if (written < 0 && errno == ENOTSOCK)
			written = write(fd, text, length);
		if (written < 0 && errno != EAGAIN && errno != EINTR)
			return -errno;
		text += written > 0 ? written : 0;
		length -= written > 0 ? (size_t)written : 0;
	}
	return 0;
}

static void end_stream(int fd)
{
	uint64_t deadline = clock_boottime() + HTTP_LINGER_MS * NS_PER_MS;
	char rest[4096];

	if (shutdown(fd, SHUT_WR) < 0)
		return;
	for (size_t total = 0; total < HTTP_LINGER_MAX && !wait_until_ready(fd, POLLIN, deadline);) {
		ssize_t got = read(fd, rest, sizeof rest);
		if (got <= 0)
			return;
		total += (size_t)got;
	}
}

/* --- request ----- */

/* Returns the end of the last line of the head, or NULL. Ends of lines may differ (RFC 9112, section 2.2). */
static char *find_head_end(char *head)
{
	char *end = head;

	while ((end = strchr(end, '\n')) && end[1] != '\n' && strncmp(end + 1, "\r\n", 2) != 0)
		end++;
	return end && end > head && end[-1] == '\r' ? end - 1 : end;
}

/*
 * Reads up to the blank line and cuts it off. Skips empty lines in front of the request, as section 2.2 of RFC 9112
 * demands. Returns as http_read_request.
 */
static int read_head(int fd, char head[HTTP_HEAD_MAX + 1])
{
	uint64_t deadline = clock_boottime() + HTTP_READ_TIMEOUT * NS_PER_S;
	size_t length = 0, empty;

	for (;;) {
		int error = wait_until_ready(fd, POLLIN, deadline);
		char *end;
		ssize_t got;

		if (error)
			return error == -ETIMEDOUT ? 408 : error;
		got = read(fd, head + length, HTTP_HEAD_MAX - length);
		if (got < 0 && (errno == EAGAIN || errno == EINTR))
			continue;
		if (got <= 0)
			return length ? 400 : -ENODATA;
		if (memchr(head + length, '\0', (size_t)got))
			return 400;
		length += (size_t)got;
		head[length] = '\0';
		empty = strspn(head, "\r\n");
		length -= empty;
		memmove(head, head + empty, length + 1);
		end = find_head_end(head);
		if (end) {
			*end = '\0';
			return 0;
		}
		if (length == HTTP_HEAD_MAX)
			return 431;
	}
}

/* The length of a token (RFC 9110, section 5.6.2) at the start of the text. */
static size_t token_length(const char *text)
{
	return strspn(text, "!#$%&'*+-.^_`|~0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz");
}

/* Takes a line off the text. Returns NULL at its end. */
static char *next_head_line(char **text)
{
	char *line = *text, *end;

	if (!line)
		return NULL;
	end = strchr(line, '\n');
	*text = end ? end + 1 : NULL;
	if (end) {
		*end = '\0';
		if (end > line && end[-1] == '\r')
			end[-1] = '\0';
	}
	return line;
}

/*
 * METHOD TARGET HTTP/1.x, with one space each (RFC 9112, section 3). The target is a path, or a whole URL, which a
 * server must accept as well (section 3.2.2).
 */
static bool parse_request_line(struct http_request *request, char *line)
{
	static char root[] = "/";
	size_t method_length = token_length(line);
	char *target = line + method_length, *version;

	if (!method_length || *target != ' ')
		return false;
	*target++ = '\0';
	request->method = line;
	request->is_head = !strcmp(line, "HEAD");
	version = strchr(target, ' ');
	if (!version)
		return false;
	*version++ = '\0';
	if (strncmp(version, "HTTP/1.", 7) != 0 || version[7] < '0' || version[7] > '9' || version[8])
		return false;
	if (!strncasecmp(target, "http://", 7)) {
		target = strpbrk(target + 7, "/?");
		if (!target || *target == '?')
			target = root;
	}
	if (*target != '/')
		return false;
	target[strcspn(target, "?")] = '\0';
	request->path = target;
	return true;
}

int http_read_request(int fd, struct http_request *request)
{
	char accept[HTTP_HEAD_MAX + 1] = "";
	size_t accepted = 0;
	char *rest = request->head, *line;
	int status;

	request->method = request->path = "";
	request->is_head = request->openmetrics = false;
	status = read_head(fd, request->head);
	if (status)
		return status;
	if (!parse_request_line(request, next_head_line(&rest)))
		return 400;
	while ((line = next_head_line(&rest))) {
		size_t length = token_length(line);

		if (!length || line[length] != ':')
			return 400;
		/* Several fields of one name are one list (RFC 9110, section 5.3). It fits, because the head contains it. */
		if (length == strlen("Accept") && !strncasecmp(line, "Accept", length))
			accepted += (size_t)snprintf(accept + accepted, sizeof accept - accepted, "%s%s", accepted ? "," : "",
										 line + length + 1);
	}
	request->openmetrics = http_accepts_openmetrics(accept);
	return 0;
}

/* --- content negotiation ----- */

/* Removes blanks at both ends. */
static char *trim_blanks(char *text)
{
	char *end;

	text += strspn(text, " \t\r");
	end = text + strlen(text);
	while (end > text && strchr(" \t\r", end[-1]))
		*--end = '\0';
	return text;
}

/* Takes one element off an Accept field, and returns its weight: 0 if it is OpenMetrics of a version that we lack. */
static double parse_range(char *range, char **type)
{
	double weight = 1;
	char *parameter;

	*type = trim_blanks(strsep(&range, ";"));
	while ((parameter = strsep(&range, ";"))) {
		char *value = strchr(parameter, '=');
		char *name;

		if (!value)
			continue;
		*value++ = '\0';
		name = trim_blanks(parameter);
		value = trim_blanks(value);
		if (!strcasecmp(name, "q"))
			weight = strtod(value, NULL);
		else if (!strcasecmp(name, "version") && strcasestr(*type, "openmetrics") && strcmp(value, "1.0.0") != 0 &&
				 strcmp(value, "0.0.1") != 0)
			return 0;
	}
	return weight;
}

bool http_accepts_openmetrics(const char *accept)
{
	char *copy = strdup(accept), *rest = copy, *range;
	double openmetrics = 0, text = 0;

	while (copy && (range = strsep(&rest, ","))) {
		char *type;
		double weight = parse_range(range, &type);

		if (!strcasecmp(type, "application/openmetrics-text") && weight > openmetrics)
			openmetrics = weight;
		else if (!strcasecmp(type, "text/plain") && weight > text)
			text = weight;
	}
	free(copy);
	return openmetrics > 0 && openmetrics >= text;
}

/* --- answer ----- */

static const char *http_status_text(int status)
{
	switch (status) {
	case 200:
		return "OK";
	case 400:
		return "Bad Request";
	case 404:
		return "Not Found";
	case 405:
		return "Method Not Allowed";
	case 408:
		return "Request Timeout";
	case 431:
		return "Request Header Fields Too Large";
	default:
		return "Internal Server Error";
	}
}

int http_write_answer(int fd, const struct http_answer *answer)
{
	uint64_t deadline = clock_boottime() + HTTP_WRITE_TIMEOUT * NS_PER_S;
	char head[512];
	int length = snprintf(head, sizeof head,
						  "HTTP/1.1 %d %s\r\nContent-Type: %s\r\nContent-Length: %zu\r\n%sConnection: close\r\n\r\n",
						  answer->status, http_status_text(answer->status), answer->type, answer->length,
						  answer->status == 405 ? "Allow: GET, HEAD\r\n" : "");
	int error = length < 0 ? -EINVAL : write_until(fd, head, (size_t)length, deadline);

	if (!error && !answer->is_head)
		error = write_until(fd, answer->body, answer->length, deadline);
	if (!error)
		end_stream(fd);
	return error;
}
