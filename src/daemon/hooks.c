/* SPDX-License-Identifier: MIT */
/* Hooks: runs the commands of the file in order. */
#include "daemon/hooks.h"

#include <assert.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/keytext.h"
#include "base/log.h"
#include "daemon/notify.h"
#include "network/process.h"
#include "tunnel/loop.h"

enum {
	OUTPUT_BURST = 500,      /* lines at once, and then */
	OUTPUT_INTERVAL_MS = 20, /* one per interval */
	TIMEOUT_MAX = 24 * 3600, /* seconds */
	HOOK_ARGUMENTS = 9,      /* of the shell, with the NULL at the end */
	TIMEOUT_MARGIN = 30,     /* seconds that the service manager waits longer than a command may run */
};

const char *hook_point_name(enum hook_point point)
{
	static const char *const names[] = { "PreUp", "PostUp", "PreDown", "PostDown" };
	static_assert(sizeof names / sizeof *names == HOOK_POINTS, "one name per point");

	return names[point];
}

char *hook_expand(const char *command, const char *interface)
{
	size_t bytes = 1, name = strlen(interface);
	char *expanded, *to;

	for (const char *at = command; *at; at++)
		bytes += at[0] == '%' && at[1] == 'i' ? name : 1;
	expanded = to = malloc(bytes);
	if (!expanded)
		return NULL;
	while (*command) {
		if (command[0] == '%' && command[1] == 'i') {
			memcpy(to, interface, name);
			to += name;
			command += 2;
		} else {
			*to++ = *command++;
		}
	}
	*to = '\0';
	return expanded;
}

void hooks_log_output(void *context, const char *label, const char *text)
{
	struct hooks *hooks = context;
	char shown[CHILD_LINE];

	if (hooks->progress)
		hooks->progress(hooks->context, text);
	if (!token_bucket_take(&hooks->lines, OUTPUT_BURST, OUTPUT_INTERVAL_MS * NS_PER_MS, clock_boottime())) {
		hooks->suppressed++;
		return;
	}
	if (hooks->suppressed)
		log_warning(hooks->interface, "%s: lines of output not shown: %lu", label, hooks->suppressed);
	hooks->suppressed = 0;
	snprintf(shown, sizeof shown, "%s", text);
	key_mask(shown);
	log_info(hooks->interface, "%s: %s", label, shown);
}

double hooks_timeout(double fallback)
{
	const char *text = getenv(HOOK_TIMEOUT_VARIABLE);
	double seconds;
	char *end;

	if (!text)
		return fallback;
	seconds = strtod(text, &end);
	return seconds > 0 && seconds <= TIMEOUT_MAX && !*end ? seconds : fallback;
}

int hooks_check_timeout(struct reason *reason)
{
	const char *text = getenv(HOOK_TIMEOUT_VARIABLE);

	if (!text || !*text || hooks_timeout(0) > 0)
		return 0;
	return reason_set(reason, -EINVAL, HOOK_TIMEOUT_VARIABLE ": \"%s\" is not a number of seconds above 0, up to %d",
					  text, TIMEOUT_MAX);
}

void hooks_extend_timeout(void)
{
	char extend[64];

	snprintf(extend, sizeof extend, "EXTEND_TIMEOUT_USEC=%.0f", (hooks_timeout(HOOK_TIMEOUT) + TIMEOUT_MARGIN) * 1e6);
	notify_service(extend);
}

/* The options of the shell are those that wg-quick(8) has set while it evaluates a hook. */
static void shell_arguments(const char *argv[HOOK_ARGUMENTS], const char *command)
{
	const char *const bash[HOOK_ARGUMENTS] = { "bash", "-e", "-o", "pipefail", "-O", "extglob", "-c", command, NULL };
	const char *const sh[HOOK_ARGUMENTS] = { "sh", "-e", "-c", command, NULL };

	memcpy(argv, process_program_exists("bash") ? bash : sh, sizeof bash);
}

int hooks_start_command(struct hooks *hooks, struct children *children, const struct hook_command *command,
						void (*done)(void *context, int status), void *context)
{
	const char *argv[HOOK_ARGUMENTS];
	const struct child_options options = { .argv = argv,
										   .variables = command->variables,
										   .label = command->label,
										   .limit = hooks_timeout(HOOK_TIMEOUT),
										   .line = hooks_log_output,
										   .line_context = hooks,
										   .done = done,
										   .done_context = context };

	shell_arguments(argv, command->text);
	return child_start(children, &options);
}

int hooks_set_reason(struct reason *reason, int status, const char *label, const char *command)
{
	if (status == -ECANCELED)
		return reason_set(reason, -ECANCELED, "%s: interrupted: %s", label, command);
	if (status == -ETIMEDOUT)
		return reason_set(reason, -EIO, "%s: killed after %g s: %s", label, hooks_timeout(HOOK_TIMEOUT), command);
	if (status < 0)
		return reason_set(reason, -EIO, "%s: the shell cannot be started: %s", label, strerror(-status));
	return reason_set(reason, -EIO, "%s: failed with status %d: %s", label, status, command);
}

/* Runs one command and sets the reason if it fails. Returns as hooks_run. */
static int run_hook(struct hooks *hooks, struct children *children, const char *label, const char *text,
					const bool *ended, struct reason *reason)
{
	char *command = hook_expand(text, hooks->interface), *masked = command ? strdup(command) : NULL;
	const char *argv[HOOK_ARGUMENTS];
	struct child_options options = { .argv = argv,
									 .label = label,
									 .limit = hooks_timeout(HOOK_TIMEOUT),
									 .line = hooks_log_output,
									 .line_context = hooks };
	char shown[CHILD_LINE];
	int status;

	if (!masked) {
		free(command);
		return reason_set_errno(reason, -ENOMEM, "%s", label);
	}
	key_mask(masked);
	snprintf(shown, sizeof shown, "[#] %s", masked);
	if (hooks->progress)
		hooks->progress(hooks->context, shown);
	log_info(hooks->interface, "%s: %s", label, shown);
	shell_arguments(argv, command);
	hooks_extend_timeout();
	status = child_run(children, &options, ended);
	if (status)
		status = hooks_set_reason(reason, status, label, masked);
	free(masked);
	free(command);
	return status;
}

int hooks_run(struct hooks *hooks, struct children *children, enum hook_point point, const struct config *config,
			  const bool *keep_going, const bool *ended, struct reason *reason)
{
	const char *label = hook_point_name(point);
	struct config_line *list = NULL; /* a copy, because a reload may free the configuration meanwhile */
	int result = config_lines_copy(&list, config->hooks[point]);

	if (result)
		reason_set_errno(reason, result, "%s", label);
	for (const struct config_line *hook = list; hook && !*ended && (!result || *keep_going); hook = hook->next) {
		struct reason failure = { 0 };
		int status = run_hook(hooks, children, label, hook->text, ended, &failure);

		if (status && *keep_going && hook->next)
			log_error(hooks->interface, "%s", failure.text);
		if (status && !result) {
			result = status;
			*reason = failure;
		}
	}
	config_lines_free(list);
	return *ended ? -ECANCELED : result;
}

static void on_hooks_signal(struct ev_loop *loop, struct ev_signal *watcher, int events)
{
	*(bool *)watcher->data = true;
	ev_break(loop, EVBREAK_ALL);
}

int hooks_run_alone(struct hooks *hooks, enum hook_point point, const struct config *config, bool keep_going,
					struct reason *reason)
{
	static const int numbers[] = { SIGTERM, SIGINT };
	enum { NUMBERS = sizeof numbers / sizeof *numbers };
	struct ev_signal watchers[NUMBERS];
	struct children children;
	struct ev_loop *loop;
	bool ended = false;
	int error;

	if (!config->hooks[point])
		return 0;
	loop = ev_default_loop(LOOP_FLAGS);
	if (!loop)
		return reason_set_errno(reason, -ENOMEM, "event loop");
	error = children_start(&children, loop);
	if (error) {
		reason_set_errno(reason, error, "%s", hook_point_name(point));
		goto destroy_loop;
	}
	for (int i = 0; i < NUMBERS; i++) {
		ev_signal_init(&watchers[i], on_hooks_signal, numbers[i]);
		watchers[i].data = &ended;
		ev_signal_start(loop, &watchers[i]);
	}
	error = hooks_run(hooks, &children, point, config, &keep_going, &ended, reason);
	for (int i = 0; i < NUMBERS; i++)
		ev_signal_stop(loop, &watchers[i]);
	children_stop(&children);
destroy_loop:
	ev_loop_destroy(loop);
	return error;
}
