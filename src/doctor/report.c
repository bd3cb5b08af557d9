/* SPDX-License-Identifier: MIT */
/* The report. */
#include "report.h"

#include <assert.h>
#include <string.h>

#include "base/json.h"

enum { JSON_VERSION = 1 };

static const char *const verdict_names[] = {
	[VERDICT_OK] = "ok",
	[VERDICT_NOTE] = "note",
	[VERDICT_WARN] = "warn",
	[VERDICT_FAIL] = "fail",
};
static_assert(sizeof verdict_names / sizeof *verdict_names == VERDICTS, "a name for each verdict");

static const char *const verdict_colours[VERDICTS] = {
	[VERDICT_OK] = "\033[32m",
	[VERDICT_NOTE] = "\033[36m",
	[VERDICT_WARN] = "\033[33m",
	[VERDICT_FAIL] = "\033[31m",
};

void report_text(FILE *to, const struct findings *findings, bool colour)
{
	size_t warnings = findings_count(findings, VERDICT_WARN), notes = findings_count(findings, VERDICT_NOTE);
	bool needs_root = false;

	for (size_t i = 0; i < findings->count; i++) {
		const struct finding *finding = &findings->list[i];
		const char *name = verdict_names[finding->verdict];

		if (colour)
			fprintf(to, "%s%s\033[0m%*s", verdict_colours[finding->verdict], name, (int)(6 - strlen(name)), "");
		else
			fprintf(to, "%-6s", name);
		fprintf(to, "%s: %s%s\n", finding->object, finding->fact, finding->needs_root ? " [needs root]" : "");
		if (finding->command[0])
			fprintf(to, "      run: %s\n", finding->command);
		if (finding->hint[0])
			fprintf(to, "      %s\n", finding->hint);
		needs_root |= finding->needs_root;
	}
	fprintf(to, "\n%zu failed, %zu warning%s, %zu note%s, %zu ok\n", findings_count(findings, VERDICT_FAIL), warnings,
			warnings == 1 ? "" : "s", notes, notes == 1 ? "" : "s", findings_count(findings, VERDICT_OK));
	if (needs_root)
		fputs("Root learns more about the lines marked [needs root].\n", to);
}

void report_json(FILE *to, const struct findings *findings, const struct report_subject *subject)
{
	fprintf(to, "{\"version\": %d, ", JSON_VERSION);
	json_string_or_null(to, "file", subject->file);
	fputs(", ", to);
	json_string_or_null(to, "interface", subject->interface);
	fprintf(to, ", \"root\": %s, \"failures\": %zu, \"warnings\": %zu, \"findings\": [\n",
			subject->root ? "true" : "false", findings_count(findings, VERDICT_FAIL),
			findings_count(findings, VERDICT_WARN));
	for (size_t i = 0; i < findings->count; i++) {
		const struct finding *finding = &findings->list[i];

		fputs("  {", to);
		json_string_or_null(to, "check", finding->check);
		fprintf(to, ", \"verdict\": \"%s\", ", verdict_names[finding->verdict]);
		json_string_or_null(to, "object", finding->object);
		fputs(", ", to);
		json_string_or_null(to, "fact", finding->fact);
		fputs(", ", to);
		json_string_or_null(to, "hint", finding->hint);
		fputs(", ", to);
		json_string_or_null(to, "command", finding->command);
		fprintf(to, ", \"needs_root\": %s}%s\n", finding->needs_root ? "true" : "false",
				i + 1 < findings->count ? "," : "");
	}
	fputs("]}\n", to);
}
