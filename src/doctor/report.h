/* SPDX-License-Identifier: MIT */
/* The report: prints findings as text or as JSON. */
#ifndef ADIT_DOCTOR_REPORT_H
#define ADIT_DOCTOR_REPORT_H

#include <stdio.h>

#include "finding.h"

/* One line per finding, and indented lines with its remedy. Ends with a summary. */
void report_text(FILE *to, const struct findings *findings, bool colour);

struct report_subject {
	const char *file, *interface; /* NULL: no file */
	bool root;
};

/* One object, whose members adit(8) describes. */
void report_json(FILE *to, const struct findings *findings, const struct report_subject *subject);

#endif
