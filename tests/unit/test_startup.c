/* SPDX-License-Identifier: MIT */
/* Tests of the check of the open descriptors. Each limit is set in a child process. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include <errno.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "daemon/startup.h"

enum { WORKERS = 2 };

/* Runs the check with this limit. Returns its error as a positive number, or 255 if it has no fitting reason. */
static int check_with_limit(rlim_t files)
{
	int status;
	pid_t child = fork();

	if (!child) {
		const struct rlimit limit = { files, files };
		struct reason reason = { 0 };
		int error;

		if (setrlimit(RLIMIT_NOFILE, &limit))
			_exit(254);
		error = startup_check_descriptors(WORKERS, &reason);
		if (!error != !*reason.text || (error && !strstr(reason.text, "open files are needed with 2 workers")))
			_exit(255);
		_exit(-error);
	}
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_true(WIFEXITED(status));
	return WEXITSTATUS(status);
}

static void a_low_limit_of_descriptors_is_emfile(void **state)
{
	assert_int_equal(check_with_limit(1024), 0);
	assert_int_equal(check_with_limit(20), EMFILE);
	assert_int_equal(check_with_limit(STDERR_FILENO + 1), EMFILE); /* no descriptor above the standard streams */
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_low_limit_of_descriptors_is_emfile),
	};

	return cmocka_run_group_tests_name("startup", tests, NULL, NULL);
}
