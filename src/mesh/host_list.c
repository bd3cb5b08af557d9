/* SPDX-License-Identifier: MIT */
/* The list of hosts: reads the file, splits it into lines, and reports findings. */
#include "mesh/host_list.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/keytext.h"
#include "base/utf8.h"
#include "host_list_parser.h"

enum {
	FILE_MIB = 16,
	LINE_ROOM = 8192,
	FINDINGS_SHOWN = 100,
	FINDING_ROOM = 1024,
	QUOTE_MAX = 60, /* bytes of a word that are shown */
	PORT_DEFAULT = 51820,
	KEEPALIVE_DEFAULT = 25,
};

#define BLANKS " \t\r\v\f"

static void host_report(const struct host_parser *parser, int line, const char *severity, const char *format,
						va_list arguments)
{
	struct ini_report *report = parser->report;
	char text[FINDING_ROOM];
	int length;

	if (report->errors + report->warnings > FINDINGS_SHOWN || !report->line)
		return;
	if (report->errors + report->warnings == FINDINGS_SHOWN) {
		snprintf(text, sizeof text, "%s: too many findings; only the first %d are shown", parser->file, FINDINGS_SHOWN);
		report->line(report->context, text);
		return;
	}
	if (line)
		length = snprintf(text, sizeof text, "%s:%d: %s: ", parser->file, line, severity);
	else
		length = snprintf(text, sizeof text, "%s: %s: ", parser->file, severity);
	if (length >= 0 && length < FINDING_ROOM)
		vsnprintf(text + length, sizeof text - (size_t)length, format, arguments);
	report->line(report->context, text);
}

void host_error(const struct host_parser *parser, int line, const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	host_report(parser, line, "error", format, arguments);
	va_end(arguments);
	parser->report->errors++;
}

void host_warning(const struct host_parser *parser, int line, const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	host_report(parser, line, "warning", format, arguments);
	va_end(arguments);
	parser->report->warnings++;
}

const char *host_quote(char quoted[HOST_QUOTE], const char *text)
{
	if (key_like(text)) {
		snprintf(quoted, HOST_QUOTE, "the text (not shown, because it may be a key)");
		return quoted;
	}
	snprintf(quoted, HOST_QUOTE, "\"%.*s\"%s", QUOTE_MAX, text, strlen(text) > QUOTE_MAX ? "..." : "");
	for (char *c = quoted; *c; c++) {
		if (*c < ' ' || *c > '~')
			*c = '?';
	}
	return quoted;
}

/* Removes the blanks around a string. */
static char *host_trim(char *text)
{
	size_t length;

	text += strspn(text, BLANKS);
	length = strlen(text);
	while (length && strchr(BLANKS, text[length - 1]))
		length--;
	text[length] = '\0';
	return text;
}

/*
 * A line is an option if it has a '=' after a single word. In the line of a host, such a word follows other columns.
 */
static void read_list_line(struct host_parser *parser, char *line)
{
	char *equals = strchr(line, '='), *name, *value, quoted[HOST_QUOTE];
	bool is_option = false;

	if (equals) {
		size_t word = strcspn(line, BLANKS "=");
		is_option = line + word + strspn(line + word, BLANKS) == equals;
	}
	if (!is_option) {
		host_columns_read(parser, line);
		return;
	}
	*equals = '\0';
	name = host_trim(line);
	value = host_trim(equals + 1);
	if (parser->list->count)
		host_error(parser, parser->line, "option %s is below the first host; options come first",
				   host_quote(quoted, name));
	else
		host_option_read(parser, name, value);
}

int host_list_parse(struct host_list *list, const char *name, const char *text, size_t length,
					struct ini_report *report)
{
	struct host_parser parser = { .list = list, .report = report, .file = name };
	const char *end = text + length;
	int earlier_errors = report->errors;
	char line[LINE_ROOM];

	list->port = PORT_DEFAULT;
	list->keepalive = KEEPALIVE_DEFAULT;
	strcpy(list->interface, "mesh");
	text += utf8_mark_length(text, length);
	while (text < end && !parser.status) {
		const char *newline = memchr(text, '\n', (size_t)(end - text));
		size_t bytes = (size_t)((newline ? newline : end) - text);

		parser.line++;
		if (bytes >= sizeof line || memchr(text, '\0', bytes)) {
			host_error(&parser, parser.line, "the line is %s",
					   bytes >= sizeof line ? "too long" : "not plain text: it contains a NUL byte");
		} else {
			memcpy(line, text, bytes);
			line[bytes] = '\0';
			line[strcspn(line, "#")] = '\0';
			if (line[strspn(line, BLANKS)])
				read_list_line(&parser, host_trim(line));
		}
		text += bytes + (newline != NULL);
	}
	if (!parser.status)
		host_check(&parser);
	free(parser.spoke_hubs);
	if (parser.status)
		return parser.status;
	return report->errors > earlier_errors ? -EINVAL : 0;
}

/* Returns the errno of the file. The caller frees *text. */
static int read_list_file(const char *path, char **text, size_t *length)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY), error = 0;
	size_t room = 0;
	ssize_t got = 1;

	if (fd < 0)
		return -errno;
	while (got > 0 && !error) {
		if (*length == room) {
			char *larger = realloc(*text, room ? room * 2 : 65536);
			if (!larger) {
				error = -ENOMEM;
				break;
			}
			*text = larger;
			room = room ? room * 2 : 65536;
		}
		do
			got = read(fd, *text + *length, room - *length);
		while (got < 0 && errno == EINTR);
		if (got < 0)
			error = -errno;
		else
			*length += (size_t)got;
		if (*length > FILE_MIB << 20)
			error = -EFBIG;
	}
	close(fd);
	return error;
}

int host_list_load(struct host_list *list, const char *path, struct ini_report *report)
{
	struct host_parser parser = { .report = report, .file = path };
	const char *name = strcmp(path, "-") == 0 ? "/dev/stdin" : path;
	size_t length = 0;
	char *text = NULL;
	int error = read_list_file(name, &text, &length);

	if (error)
		host_error(&parser, 0, "%s", strerror(-error));
	else
		error = host_list_parse(list, path, text, length, report);
	free(text);
	return error;
}

void host_list_destroy(struct host_list *list)
{
	for (size_t i = 0; i < list->count; i++)
		config_prefixes_free(list->hosts[i].networks);
	free(list->hosts);
	*list = (struct host_list) { 0 };
}

size_t host_list_find(const struct host_list *list, const char *name)
{
	size_t i = 0;

	while (i < list->count && strcmp(list->hosts[i].name, name) != 0)
		i++;
	return i;
}

bool host_is_hub(const struct host_list *list, size_t host)
{
	for (size_t i = 0; i < list->hub_count; i++) {
		if (list->hubs[i] == host)
			return true;
	}
	return false;
}
