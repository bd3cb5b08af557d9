/* SPDX-License-Identifier: MIT */
/* Programs are run to their end, or to the end of patience. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "network/process.h"

enum { PATIENCE_MS = 5000, SHORT_MS = 50, LARGE = 1 << 20 };

static char output[PROCESS_OUTPUT];

static int run_shell(const char *command, const char *input, int timeout)
{
	const char *const argv[] = { "sh", "-c", command, NULL };

	return process_run(argv, input, strlen(input), output, timeout);
}

static void status_and_output_come_back(void **state)
{
	assert_int_equal(run_shell("cat; echo error >&2", "line 1\nline 2\n", PATIENCE_MS), 0);
	assert_string_equal(output, "line 1\nline 2\nerror\n");
	assert_int_equal(run_shell("exit 3", "", PATIENCE_MS), 3);
	assert_string_equal(output, "");
	assert_int_equal(run_shell("kill -TERM $$", "", PATIENCE_MS), 128 + SIGTERM);
	assert_int_equal(run_shell("exec >&- 2>&-; sleep 0.05; exit 4", "", PATIENCE_MS), 4);
}

static void input_is_a_file_to_open(void **state)
{
	assert_int_equal(run_shell("cat /dev/stdin", "again\n", PATIENCE_MS), 0); /* as `nft -f -` does */
	assert_string_equal(output, "again\n");
}

static void a_missing_program_is_told(void **state)
{
	const char *const argv[] = { "no-such-program-here", NULL };

	assert_int_equal(process_run(argv, "", 0, output, PATIENCE_MS), -ENOENT);
}

static void large_input_and_output_do_not_block(void **state)
{
	char *large = malloc(LARGE + 1);

	assert_non_null(large);
	memset(large, 'x', LARGE);
	large[LARGE] = '\0';
	assert_int_equal(run_shell("exit 0", large, PATIENCE_MS), 0); /* nobody reads it, and no SIGPIPE comes */
	assert_int_equal(run_shell("cat", large, PATIENCE_MS), 0);
	assert_int_equal(strlen(output), PROCESS_OUTPUT - 1);
	free(large);
}

static void patience_ends(void **state)
{
	uint64_t begun = clock_boottime();

	assert_int_equal(run_shell("echo begun; sleep 60", "", SHORT_MS), -ETIMEDOUT);
	assert_string_equal(output, "begun\n");
	assert_int_equal(run_shell("sleep 60 & exit 0", "", SHORT_MS), -ETIMEDOUT); /* its child holds the output */
	assert_int_equal(run_shell("exec >&- 2>&-; sleep 60", "", SHORT_MS), -ETIMEDOUT);
	assert_true(clock_boottime() - begun < 10 * NS_PER_S);
}

static void signals_are_as_at_login(void **state)
{
	sigset_t all, before;
	char *end;

	sigfillset(&all);
	sigprocmask(SIG_SETMASK, &all, &before);
	signal(SIGPIPE, SIG_IGN);
	assert_int_equal(run_shell("sed -n 's/SigBlk:.//p; s/SigIgn:.//p' /proc/self/status", "", PATIENCE_MS), 0);
	signal(SIGPIPE, SIG_DFL);
	sigprocmask(SIG_SETMASK, &before, NULL);
	assert_int_equal(strtoull(output, &end, 16), 0);
	assert_int_equal(strtoull(end, NULL, 16) & (1U << (SIGPIPE - 1)), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(status_and_output_come_back),
		cmocka_unit_test(input_is_a_file_to_open),
		cmocka_unit_test(a_missing_program_is_told),
		cmocka_unit_test(large_input_and_output_do_not_block),
		cmocka_unit_test(patience_ends),
		cmocka_unit_test(signals_are_as_at_login),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
