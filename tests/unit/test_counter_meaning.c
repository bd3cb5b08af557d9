/* SPDX-License-Identifier: MIT */
/* Tests of the meaning of counters: none is forgotten, and the manual has the same text. */
#include <ctype.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "tunnel/counters.h"
#include "uapi/counter_meaning.h"

#define MANUAL TEST_DATA "/../../man/adit.8"
#define SECTION "\n.Sh COUNTERS\n"

static void each_counter_has_a_meaning(void **state)
{
	char name[64];

	for (unsigned i = 0; i < COUNTERS; i++) {
		if (i == DROP_REFUSED + SEGMENT_OK)
			continue; /* never counted */
		snprintf(name, sizeof name, "%s%s", i >= DROP_REFUSED ? "drop_refused_" : "", counter_name(i));
		if (!counter_meaning(name))
			fail_msg("counter_meaning.c lacks %s", name);
	}
	assert_null(counter_meaning("no_such_counter"));
	assert_null(counter_meaning(""));
}

static char *read_manual(void)
{
	FILE *file = fopen(MANUAL, "r");
	char *text = calloc(1, 1 << 20);

	assert_non_null(file);
	assert_non_null(text);
	assert_uint_in_range(fread(text, 1, (1 << 20) - 1, file), 1000, (1 << 20) - 2);
	fclose(file);
	return text;
}

static void the_manual_has_the_same_text(void **state)
{
	char *manual = read_manual(), expected[512], name[64];
	char *item = strstr(manual, SECTION), *end;

	assert_non_null(item);
	end = strstr(item + strlen(SECTION), "\n.Sh ");
	assert_non_null(end);
	*end = '\0';
	for (unsigned i = 0; i < COUNTERS; i++) {
		const char *meaning;

		snprintf(name, sizeof name, "%s%s", i >= DROP_REFUSED ? "drop_refused_" : "", counter_name(i));
		meaning = counter_meaning(name);
		if (!meaning)
			continue;
		snprintf(expected, sizeof expected, "\n.It Li %s\n%c%s.\n", name, toupper((unsigned char)*meaning),
				 meaning + 1);
		if (!strstr(item, expected))
			fail_msg("the section COUNTERS of adit.8 lacks \"%s\"", expected);
	}
	/* No counter in the manual that is unknown, because it was renamed. */
	while ((item = strstr(item, "\n.It Li "))) {
		item += strlen("\n.It Li ");
		snprintf(name, sizeof name, "%.*s", (int)strcspn(item, "\n"), item);
		if (!counter_meaning(name))
			fail_msg("the section COUNTERS of adit.8 has %s", name);
	}
	free(manual);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_counter_has_a_meaning),
		cmocka_unit_test(the_manual_has_the_same_text),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
