/* SPDX-License-Identifier: MIT */
/* Findings: the results of the checks, each with its verdict and its remedy. */
#ifndef ADIT_DOCTOR_FINDING_H
#define ADIT_DOCTOR_FINDING_H

#include <stdbool.h>
#include <stddef.h>

enum verdict {
	VERDICT_OK,
	VERDICT_NOTE, /* worth knowing; nothing has to be done */
	VERDICT_WARN, /* the tunnel works, but not as well or not in all cases */
	VERDICT_FAIL, /* the tunnel does not work */
	VERDICTS,
};

enum { FINDING_OBJECT = 128, FINDING_TEXT = 384 };

struct finding {
	const char *check; /* the name of the check */
	enum verdict verdict;
	bool needs_root; /* root would learn more */
	char object[FINDING_OBJECT];
	char fact[FINDING_TEXT];
	char hint[FINDING_TEXT];    /* what to do, in words; "": nothing */
	char command[FINDING_TEXT]; /* the same as a shell command; "": none */
};

struct findings {
	struct finding *list;
	size_t count, room;
	const char *check;    /* the name for the next findings */
	bool incomplete;      /* there was no memory for some of them */
	struct finding spare; /* takes their place */
};

/* Adds a finding about `object`. The texts are cut if they are too long. */
void finding_add(struct findings *findings, enum verdict verdict, const char *object, const char *format, ...)
	__attribute__((format(printf, 4, 5)));
/* Add to the last finding. */
void finding_hint(struct findings *findings, const char *format, ...) __attribute__((format(printf, 2, 3)));
void finding_command(struct findings *findings, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* The same for a command with a path as its last argument, which is quoted if a shell would change it. */
void finding_command_on(struct findings *findings, const char *command, const char *path);
void finding_needs_root(struct findings *findings);

size_t findings_count(const struct findings *findings, enum verdict verdict);
/* Accepts a zeroed struct. */
void findings_free(struct findings *findings);

#endif
