/* SPDX-License-Identifier: MIT */
/* Tests of the list of findings, of the report and of the isolation of trials. */
#include "doctor_findings.h"

#include <stdlib.h>
#include <unistd.h>

#include "isolate.h"
#include "report.h"

static char *text_of(bool colour)
{
	char *text = NULL;
	size_t length;
	FILE *file = open_memstream(&text, &length);

	report_text(file, &found, colour);
	fclose(file);
	return text;
}

static void add_two(void)
{
	found.check = "nft";
	finding_add(&found, VERDICT_OK, "nft", "usable");
	found.check = "forwarding";
	finding_add(&found, VERDICT_WARN, "ip_forward", "is %d", 0);
	finding_command(&found, "sysctl -w %s=1", "x");
	finding_hint(&found, "a \"hint\"\t\\ \xff");
	finding_needs_root(&found);
}

static void text_has_a_line_per_finding(void **state)
{
	char *text;

	add_two();
	text = text_of(false);
	assert_string_equal(text, "ok    nft: usable\n"
							  "warn  ip_forward: is 0 [needs root]\n"
							  "      run: sysctl -w x=1\n"
							  "      a \"hint\"\t\\ \xff\n"
							  "\n0 failed, 1 warning, 0 notes, 1 ok\n"
							  "Root learns more about the lines marked [needs root].\n");
	free(text);
}

static void colour_is_optional(void **state)
{
	char *text;

	finding_add(&found, VERDICT_FAIL, "x", "y");
	text = text_of(true);
	assert_contains(text, "\033[31mfail\033[0m  x: y\n");
	free(text);
}

static void json_escapes_its_strings(void **state)
{
	const struct report_subject subject = { "/etc/adit/s.conf", "s", true };
	char *text = NULL;
	size_t length;
	FILE *file = open_memstream(&text, &length);

	add_two();
	report_json(file, &found, &subject);
	fclose(file);
	assert_string_equal(text,
						"{\"version\": 1, \"file\": \"/etc/adit/s.conf\", \"interface\": \"s\", \"root\": true, "
						"\"failures\": 0, \"warnings\": 1, \"findings\": [\n"
						"  {\"check\": \"nft\", \"verdict\": \"ok\", \"object\": \"nft\", \"fact\": \"usable\", "
						"\"hint\": null, \"command\": null, \"needs_root\": false},\n"
						"  {\"check\": \"forwarding\", \"verdict\": \"warn\", \"object\": \"ip_forward\", \"fact\": "
						"\"is 0\", \"hint\": \"a \\\"hint\\\"\\u0009\\\\ \\ufffd\", \"command\": \"sysctl -w x=1\", "
						"\"needs_root\": true}\n]}\n");
	free(text);
}

static void the_list_grows_and_cuts_long_texts(void **state)
{
	char object[2 * FINDING_OBJECT];

	memset(object, 'o', sizeof object - 1);
	object[sizeof object - 1] = '\0';
	for (int i = 0; i < 100; i++)
		finding_add(&found, i % 2 ? VERDICT_FAIL : VERDICT_OK, object, "%d", i);
	assert_int_equal(found.count, 100);
	assert_int_equal(findings_count(&found, VERDICT_FAIL), 50);
	assert_int_equal(strlen(found.list[99].object), FINDING_OBJECT - 1);
	assert_string_equal(found.list[99].fact, "99");
}

static void paths_in_commands_are_quoted(void **state)
{
	static const char *const cases[][2] = {
		{ "/etc/adit/site.conf", "chmod 0600 /etc/adit/site.conf" },
		{ "a b.conf", "chmod 0600 -- 'a b.conf'" },
		{ "$(x)'y", "chmod 0600 -- '$(x)'\\''y'" },
		{ "-R", "chmod 0600 -- '-R'" },
		{ "", "chmod 0600 -- ''" },
	};
	char quotes[2 * FINDING_TEXT];

	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		finding_add(&found, VERDICT_WARN, "x", "y");
		finding_command_on(&found, "chmod 0600", cases[i][0]);
		assert_string_equal(found.list[i].command, cases[i][1]);
	}
	memset(quotes, '\'', sizeof quotes - 1);
	quotes[sizeof quotes - 1] = '\0';
	finding_command_on(&found, "chmod 0600", quotes);
}

static void set_number(void *result)
{
	*(int *)result = 42;
}

static void sleep_long(void *result)
{
	sleep(30);
}

static void abort_child(void *result)
{
	abort();
}

static void a_trial_returns_its_result_or_ends(void **state)
{
	bool user_namespace;
	int result = 0, error = isolate_run(set_number, &result, sizeof result, &user_namespace, 5000);

	if (error == -EPERM)
		skip();
	assert_int_equal(error, 0);
	assert_int_equal(result, 42);
	assert_true(user_namespace || geteuid() == 0);
	assert_int_equal(isolate_run(sleep_long, &result, sizeof result, &user_namespace, 50), -ETIMEDOUT);
	assert_int_equal(isolate_run(abort_child, &result, sizeof result, &user_namespace, 5000), -EIO);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		finding_test(text_has_a_line_per_finding),        finding_test(colour_is_optional),
		finding_test(json_escapes_its_strings),           finding_test(the_list_grows_and_cuts_long_texts),
		finding_test(a_trial_returns_its_result_or_ends), finding_test(paths_in_commands_are_quoted),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
