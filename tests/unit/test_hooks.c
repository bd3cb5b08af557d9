/* SPDX-License-Identifier: MIT */
/* Tests of child programs and hooks. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include <errno.h>
#include <ev.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "daemon/child.h"
#include "daemon/hooks.h"

static struct ev_loop *loop;
static struct children children;
static char output[8192];
static const bool never = false;

static void collect(void *context, const char *label, const char *text)
{
	size_t length = strlen(output);

	snprintf(output + length, sizeof output - length, "%s: %s\n", label, text);
}

static int run_shell(const char *command, const char *input, double limit)
{
	const char *const argv[] = { "sh", "-c", command, NULL };
	const struct child_options options = {
		.argv = argv, .input = input, .label = "x", .limit = limit, .line = collect
	};

	output[0] = '\0';
	return child_run(&children, &options, &never);
}

static int start_children(void **state)
{
	setenv("NOTIFY_SOCKET", "/nowhere", 1);
	setenv("SOME_VARIABLE", "some value", 1);
	loop = ev_default_loop(0);
	return children_start(&children, loop);
}

static int stop_children(void **state)
{
	children_stop(&children);
	ev_loop_destroy(loop);
	return 0;
}

static void status_and_lines_are_reported(void **state)
{
	assert_int_equal(run_shell("cat; echo error >&2; printf end", "one\n\ntwo  \n", 5.), 0);
	assert_string_equal(output, "x: one\nx: two\nx: error\nx: end\n");
	assert_int_equal(run_shell("exit 3", NULL, 5.), 3);
	assert_string_equal(output, "");
	assert_int_equal(run_shell("kill -TERM $$", NULL, 5.), 128 + SIGTERM);
	assert_int_equal(run_shell("printf 'a\\033[1m\\tb\\n'", NULL, 5.), 0);
	assert_string_equal(output, "x: a?[1m\tb\n");
}

static void long_lines_are_split(void **state)
{
	char *second;

	assert_int_equal(run_shell("head -c 600 /dev/zero | tr '\\0' x", NULL, 5.), 0);
	second = strchr(output, '\n');
	assert_int_equal(second - output, 3 + CHILD_LINE - 1);
	assert_int_equal(strlen(second + 1), 3 + 600 - (CHILD_LINE - 1) + 1);
}

static void the_environment_has_no_private_variables(void **state)
{
	assert_int_equal(run_shell("echo $SOME_VARIABLE; echo $NOTIFY_SOCKET; echo $LC_ALL", NULL, 5.), 0);
	assert_string_equal(output, "x: some value\nx: C\n");
}

static void no_descriptor_is_inherited(void **state)
{
	int fds[2];
	char test[64];

	assert_int_equal(pipe2(fds, O_CLOEXEC), 0);
	snprintf(test, sizeof test, "test ! -e /dev/fd/%d", fds[1]);
	assert_int_equal(run_shell(test, NULL, 5.), 0);
	close(fds[0]);
	close(fds[1]);
	assert_int_equal(run_shell("readlink /proc/self/fd/0", NULL, 5.), 0);
	assert_string_equal(output, "x: /dev/null\n");
}

static void the_process_group_is_killed_after_the_limit(void **state)
{
	ev_tstamp begun = ev_time();

	assert_int_equal(run_shell("echo begun; sleep 60 & wait", NULL, .1), -ETIMEDOUT);
	assert_true(ev_time() - begun < 5);
	assert_string_equal(output, "x: begun\n");
}

/* As `PostUp = program &`: the program continues, and its lines still arrive. */
static void a_program_in_the_background_keeps_its_output(void **state)
{
	assert_int_equal(run_shell("(sleep .2; echo late) & echo early", NULL, 5.), 0);
	assert_string_equal(output, "x: early\n");
	while (!list_empty(&children.list))
		ev_run(loop, EVRUN_ONCE);
	assert_string_equal(output, "x: early\nx: late\n");
}

static void count_bytes(void *context, const char *label, const char *text)
{
	*(size_t *)context += strlen(text) + 1;
}

/* As `PostUp = yes &`: packets flow on the same loop. */
static void a_flood_in_the_background_does_not_hold_the_loop(void **state)
{
	const char *const argv[] = { "sh", "-c", "yes &", NULL };
	size_t bytes = 0, total = 0;
	const struct child_options options = {
		.argv = argv, .label = "x", .limit = 5., .line = count_bytes, .line_context = &bytes
	};
	ev_tstamp begun;

	assert_int_equal(child_run(&children, &options, &never), 0);
	begun = ev_time();
	while (ev_time() - begun < .3) {
		bytes = 0;
		ev_run(loop, EVRUN_ONCE);
		assert_true(bytes <= 4096 + CHILD_LINE);
		total += bytes;
	}
	assert_true(total > 0);
	assert_true(total < 1 << 20);
	children_stop(&children); /* SIGPIPE ends the program */
	assert_int_equal(children_start(&children, loop), 0);
}

static void on_end_timer(struct ev_loop *unused, struct ev_timer *watcher, int events)
{
	*(bool *)watcher->data = true;
}

static void a_child_is_killed_when_the_daemon_ends(void **state)
{
	const char *const argv[] = { "sleep", "60", NULL };
	const struct child_options options = { .argv = argv, .label = "x", .limit = 60. };
	struct ev_timer timer;
	bool ended = false;

	ev_timer_init(&timer, on_end_timer, .1, 0.);
	timer.data = &ended;
	ev_timer_start(loop, &timer);
	assert_int_equal(child_run(&children, &options, &ended), -ECANCELED);
	assert_true(list_empty(&children.list));
}

static void a_missing_program_is_enoent(void **state)
{
	const char *const argv[] = { "no-such-program-here", NULL };
	const struct child_options options = { .argv = argv, .label = "x", .limit = 1. };

	assert_int_equal(child_run(&children, &options, &never), -ENOENT);
}

/* --- hooks ----- */

static void assert_expanded(const char *command, const char *expected)
{
	char *expanded = hook_expand(command, "wg0");

	assert_string_equal(expanded, expected);
	free(expanded);
}

static void the_interface_replaces_each_percent_i(void **state)
{
	assert_expanded("", "");
	assert_expanded("%i", "wg0");
	assert_expanded("ip link show %i; echo %i%i %%i %I 100% %", "ip link show wg0; echo wg0wg0 %wg0 %I 100% %");
}

static void keep_progress(void *context, const char *text)
{
	collect(NULL, "hook", text);
}

static int run_hooks(const char *const commands[], bool keep_going, struct reason *reason)
{
	struct hooks hooks = { .interface = "wg0", .progress = keep_progress };
	struct config config = { 0 };
	int result;

	*reason = (struct reason) { 0 };
	output[0] = '\0';
	for (; *commands; commands++)
		assert_int_equal(config_line_append(&config.hooks[HOOK_POST_UP], *commands, 1), 0);
	result = hooks_run(&hooks, &children, HOOK_POST_UP, &config, &keep_going, &never, reason);
	config_destroy(&config);
	return result;
}

static void hooks_run_in_order_until_one_fails(void **state)
{
	static const char *const good[] = { "echo 1 %i", "echo 2", NULL };
	static const char *const bad[] = { "echo 1", "echo 2; false; echo 3", "echo 4", NULL };
	struct reason reason;

	assert_int_equal(run_hooks(good, false, &reason), 0);
	assert_string_equal(output, "hook: [#] echo 1 wg0\nhook: 1 wg0\nhook: [#] echo 2\nhook: 2\n");
	assert_int_equal(run_hooks(bad, false, &reason), -EIO);
	assert_string_equal(output, "hook: [#] echo 1\nhook: 1\nhook: [#] echo 2; false; echo 3\nhook: 2\n");
	assert_string_equal(reason.text, "PostUp: failed with status 1: echo 2; false; echo 3");
	assert_int_equal(run_hooks(bad, true, &reason), -EIO);
	assert_non_null(strstr(output, "hook: 4\n"));
	assert_string_equal(reason.text, "PostUp: failed with status 1: echo 2; false; echo 3");
}

static void hooks_have_the_shell_options_of_wg_quick(void **state)
{
	static const char *const bash[] = { "cat <(echo substituted)", "[[ abc == +(a|b|c) ]] && echo matched", NULL };
	static const char *const pipe[] = { "false | true", NULL };
	struct reason reason;

	assert_int_equal(run_hooks(bash, false, &reason), 0);
	assert_non_null(strstr(output, "hook: substituted\n"));
	assert_non_null(strstr(output, "hook: matched\n"));
	assert_int_equal(run_hooks(pipe, false, &reason), -EIO);
}

static void a_hook_has_a_time_limit(void **state)
{
	static const char *const slow[] = { "sleep 60", NULL };
	struct reason reason;

	setenv(HOOK_TIMEOUT_VARIABLE, "0.1", 1);
	assert_int_equal(run_hooks(slow, false, &reason), -EIO);
	assert_string_equal(reason.text, "PostUp: killed after 0.1 s: sleep 60");
	unsetenv(HOOK_TIMEOUT_VARIABLE);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(status_and_lines_are_reported),
		cmocka_unit_test(long_lines_are_split),
		cmocka_unit_test(the_environment_has_no_private_variables),
		cmocka_unit_test(no_descriptor_is_inherited),
		cmocka_unit_test(the_process_group_is_killed_after_the_limit),
		cmocka_unit_test(a_program_in_the_background_keeps_its_output),
		cmocka_unit_test(a_flood_in_the_background_does_not_hold_the_loop),
		cmocka_unit_test(a_child_is_killed_when_the_daemon_ends),
		cmocka_unit_test(a_missing_program_is_enoent),
		cmocka_unit_test(the_interface_replaces_each_percent_i),
		cmocka_unit_test(hooks_run_in_order_until_one_fails),
		cmocka_unit_test(hooks_have_the_shell_options_of_wg_quick),
		cmocka_unit_test(a_hook_has_a_time_limit),
	};

	log_set_level(LOG_SILENT);
	return cmocka_run_group_tests(tests, start_children, stop_children);
}
