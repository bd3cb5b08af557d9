/* SPDX-License-Identifier: MIT */
/* Findings: a growing list. */
#include "finding.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { ROOM_FIRST = 32 };

/* Without memory, returns the spare finding, so that the callers need not check. */
static struct finding *next_finding(struct findings *findings)
{
	if (findings->count == findings->room) {
		size_t room = findings->room ? 2 * findings->room : ROOM_FIRST;
		struct finding *list = realloc(findings->list, room * sizeof *list);

		if (!list) {
			findings->incomplete = true;
			return &findings->spare;
		}
		findings->list = list;
		findings->room = room;
	}
	return &findings->list[findings->count++];
}

static struct finding *last_finding(struct findings *findings)
{
	return findings->incomplete || !findings->count ? &findings->spare : &findings->list[findings->count - 1];
}

void finding_add(struct findings *findings, enum verdict verdict, const char *object, const char *format, ...)
{
	struct finding *finding = next_finding(findings);
	va_list arguments;

	*finding = (struct finding) { .check = findings->check, .verdict = verdict };
	snprintf(finding->object, sizeof finding->object, "%s", object);
	va_start(arguments, format);
	vsnprintf(finding->fact, sizeof finding->fact, format, arguments);
	va_end(arguments);
}

void finding_hint(struct findings *findings, const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(last_finding(findings)->hint, FINDING_TEXT, format, arguments);
	va_end(arguments);
}

void finding_command(struct findings *findings, const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(last_finding(findings)->command, FINDING_TEXT, format, arguments);
	va_end(arguments);
}

void finding_command_on(struct findings *findings, const char *command, const char *path)
{
	static const char plain[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_./=+@%:,-";
	char quoted[FINDING_TEXT];
	size_t length = 0;

	if (*path && *path != '-' && !path[strspn(path, plain)]) {
		finding_command(findings, "%s %s", command, path);
		return;
	}
	for (; *path && length < sizeof quoted - 5; path++) {
		if (*path == '\'')
			length += (size_t)sprintf(quoted + length, "'\\''");
		else
			quoted[length++] = *path;
	}
	quoted[length] = '\0';
	finding_command(findings, "%s -- '%s'", command, quoted);
}

void finding_needs_root(struct findings *findings)
{
	last_finding(findings)->needs_root = true;
}

size_t findings_count(const struct findings *findings, enum verdict verdict)
{
	size_t count = 0;

	for (size_t i = 0; i < findings->count; i++)
		count += findings->list[i].verdict == verdict;
	return count;
}

void findings_free(struct findings *findings)
{
	free(findings->list);
	*findings = (struct findings) { 0 };
}
