/* SPDX-License-Identifier: MIT */
/* Unit tests of process_run. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "network/process.h"

enum {
	TIMEOUT_MS = 60000,
	SHORT_TIMEOUT_MS = 50,
	ECHO_TIMEOUT_MS = 3000, /* enough to start a shell on a busy machine */
	LARGE = 1 << 20,
	NOBODY = 65534,
};

static char output[PROCESS_OUTPUT];

static int run_shell(const char *command, const char *input, int timeout)
{
	const char *const argv[] = { "sh", "-c", command, NULL };

	return process_run(argv, input, strlen(input), output, timeout);
}

static void status_and_output_are_returned(void **state)
{
	assert_int_equal(run_shell("cat; echo error >&2", "line 1\nline 2\n", TIMEOUT_MS), 0);
	assert_string_equal(output, "line 1\nline 2\nerror\n");
	assert_int_equal(run_shell("exit 3", "", TIMEOUT_MS), 3);
	assert_string_equal(output, "");
	assert_int_equal(run_shell("kill -TERM $$", "", TIMEOUT_MS), 128 + SIGTERM);
	assert_int_equal(run_shell("exec >&- 2>&-; sleep 0.05; exit 4", "", TIMEOUT_MS), 4);
}

static void the_input_can_be_opened_as_a_file(void **state)
{
	assert_int_equal(run_shell("cat /dev/stdin", "again\n", TIMEOUT_MS), 0); /* as `nft -f -` does */
	assert_string_equal(output, "again\n");
}

static void a_missing_program_is_enoent(void **state)
{
	const char *const argv[] = { "no-such-program-here", NULL };

	assert_int_equal(process_run(argv, "", 0, output, TIMEOUT_MS), -ENOENT);
	assert_false(process_program_exists(argv[0]));
	assert_true(process_program_exists("sh"));
}

/* The PATH of root after su(1) has such folders: an ordinary user may not search /root. */
static void a_folder_that_cannot_be_searched_has_no_programs(void **state)
{
	static const char *const missing[] = { "no-such-program-here", NULL }, *const data[] = { "data", NULL };
	char closed[] = "/tmp/adit-test-closed-XXXXXX", open_folder[] = "/tmp/adit-test-open-XXXXXX", text[512];
	bool root = !geteuid();

	assert_non_null(mkdtemp(closed));
	assert_non_null(mkdtemp(open_folder));
	assert_int_equal(chmod(closed, 0), 0);
	assert_int_equal(chmod(open_folder, 0755), 0);
	snprintf(text, sizeof text, "%s/data", open_folder);
	assert_true(close(creat(text, 0644)) == 0); /* not executable */
	snprintf(text, sizeof text, "%s:%s:%s", closed, open_folder, getenv("PATH"));
	assert_int_equal(setenv("PATH", text, 1), 0);
	if (root)
		assert_int_equal(seteuid(NOBODY), 0);

	assert_int_equal(process_run(missing, "", 0, output, TIMEOUT_MS), -ENOENT);
	assert_int_equal(process_run(data, "", 0, output, TIMEOUT_MS), -EACCES);
	assert_int_equal(run_shell("exit 3", "", TIMEOUT_MS), 3);

	if (root)
		assert_int_equal(seteuid(0), 0);
	assert_int_equal(setenv("PATH", strchr(strchr(text, ':') + 1, ':') + 1, 1), 0);
	snprintf(text, sizeof text, "%s/data", open_folder);
	assert_int_equal(unlink(text) | rmdir(open_folder) | rmdir(closed), 0);
}

static void large_input_and_output_do_not_block(void **state)
{
	char *large = malloc(LARGE + 1);

	assert_non_null(large);
	memset(large, 'x', LARGE);
	large[LARGE] = '\0';
	assert_int_equal(run_shell("exit 0", large, TIMEOUT_MS), 0); /* not read, and no SIGPIPE */
	assert_int_equal(run_shell("cat", large, TIMEOUT_MS), 0);
	assert_int_equal(strlen(output), PROCESS_OUTPUT - 1);
	free(large);
}

static void a_program_is_killed_after_the_timeout(void **state)
{
	uint64_t begun = clock_boottime();

	assert_int_equal(run_shell("echo begun; sleep 60", "", ECHO_TIMEOUT_MS), -ETIMEDOUT);
	assert_string_equal(output, "begun\n");
	assert_int_equal(run_shell("sleep 60 & exit 0", "", SHORT_TIMEOUT_MS), -ETIMEDOUT); /* its child holds the output */
	assert_int_equal(run_shell("exec >&- 2>&-; sleep 60", "", SHORT_TIMEOUT_MS), -ETIMEDOUT);
	assert_true(clock_boottime() - begun < 50 * NS_PER_S);
}

static void a_program_starts_with_default_signals(void **state)
{
	sigset_t all, before;
	char *end;

	sigfillset(&all);
	sigprocmask(SIG_SETMASK, &all, &before);
	signal(SIGPIPE, SIG_IGN);
	assert_int_equal(run_shell("sed -n 's/SigBlk:.//p; s/SigIgn:.//p' /proc/self/status", "", TIMEOUT_MS), 0);
	signal(SIGPIPE, SIG_DFL);
	sigprocmask(SIG_SETMASK, &before, NULL);
	assert_int_equal(strtoull(output, &end, 16), 0);
	assert_int_equal(strtoull(end, NULL, 16) & (1U << (SIGPIPE - 1)), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(status_and_output_are_returned),
		cmocka_unit_test(the_input_can_be_opened_as_a_file),
		cmocka_unit_test(a_missing_program_is_enoent),
		cmocka_unit_test(a_folder_that_cannot_be_searched_has_no_programs),
		cmocka_unit_test(large_input_and_output_do_not_block),
		cmocka_unit_test(a_program_is_killed_after_the_timeout),
		cmocka_unit_test(a_program_starts_with_default_signals),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
