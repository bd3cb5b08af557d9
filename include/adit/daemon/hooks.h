/* SPDX-License-Identifier: MIT */
/*
 * Hooks: the commands PreUp, PostUp, PreDown and PostDown of the file.
 *
 * The commands of a point run one after the other, each by bash(1) with the options of wg-quick(8), or by sh(1) where
 * there is no bash. Their output goes to the log line by line.
 */
#ifndef ADIT_DAEMON_HOOKS_H
#define ADIT_DAEMON_HOOKS_H

#include <stdbool.h>

#include "base/reason.h"
#include "base/token_bucket.h"
#include "config/config.h"
#include "daemon/child.h"

#define HOOK_TIMEOUT_VARIABLE "ADIT_HOOK_TIMEOUT" /* seconds for each command, and each call of a DNS tool */

enum { HOOK_TIMEOUT = 60 }; /* the default */

struct hooks {
	const char *interface;
	struct token_bucket lines; /* limits the output in the log */
	unsigned long suppressed;  /* lines that were not logged */
	/* Receives each command and each line of output as it is logged. May be NULL. */
	void (*progress)(void *context, const char *text);
	void *context;
};

/* The name of the point, for example "PreUp". */
const char *hook_point_name(enum hook_point point);
/* Returns the seconds in HOOK_TIMEOUT_VARIABLE, or `fallback` if the environment has no valid value. */
double hooks_timeout(double fallback);
/* Checks HOOK_TIMEOUT_VARIABLE, which may be unset or empty. Returns 0, or -EINVAL with the reason. */
int hooks_check_timeout(struct reason *reason);
/* Returns the command with each "%i" replaced by the interface; the caller frees it. NULL: no memory. */
char *hook_expand(const char *command, const char *interface);

/*
 * Runs the commands of a point on the loop of `children`, so that packets flow meanwhile. If one fails, the commands
 * after it do not run, unless *keep_going is true by then. If *ended becomes true, kills the command that runs and
 * returns -ECANCELED. Otherwise returns 0, or -EIO or -ENOMEM with the reason of the first failure.
 */
int hooks_run(struct hooks *hooks, struct children *children, enum hook_point point, const struct config *config,
			  const bool *keep_going, const bool *ended, struct reason *reason);
/*
 * The same without a loop of the daemon, before it has one and after its end. SIGTERM and SIGINT kill the command that
 * runs.
 */
int hooks_run_alone(struct hooks *hooks, enum hook_point point, const struct config *config, bool keep_going,
					struct reason *reason);

/* A command that runs on its own while the loop continues. `label` as in child_options. */
struct hook_command {
	const char *label, *text;
	const char *const *variables; /* see child_options */
};

/* Starts a command with the shell and the time limit of a hook. Returns as child_start; `done` as in child_options. */
int hooks_start_command(struct hooks *hooks, struct children *children, const struct hook_command *command,
						void (*done)(void *context, int status), void *context);
/* Sets the reason why a command with this status, of child_run or `done`, has failed. Returns a negative errno. */
int hooks_set_reason(struct reason *reason, int status, const char *label, const char *command);
/* Asks the service manager to wait as long as a command may run. */
void hooks_extend_timeout(void);

/*
 * Writes a line of a child's output to the log, up to a limit, and to `progress`. It is a `line` of child_options;
 * `context` is the struct hooks.
 */
void hooks_log_output(void *context, const char *label, const char *text);

#endif
