/* SPDX-License-Identifier: MIT */
/* The command `adit up FILE`: checks the file, forks the daemon, and waits until it is ready or has failed. */
#include "daemon/up.h"

#include <errno.h>
#include <fcntl.h>
#include <net/if.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/log.h"
#include "base/usage.h"
#include "config/ini.h"
#include "daemon/run.h"
#include "daemon/startup.h"

enum { REMOVAL_MS = 1000, POLL_MS = 10 };

/* The daemon's way to its parent. */
struct up_child {
	const char *interface;
	int log;   /* the descriptor of the log file; -1: the system log */
	int ready; /* the pipe to the parent */
};

/* Detaches the daemon from its caller, moves its log, and releases the parent. */
static void on_up_ready(void *context)
{
	struct up_child *child = context;

	startup_detach(true);
	if (child->log < 0 && !log_to_syslog()) {
		log_warning(child->interface, "/dev/log: %s; the log is discarded (see --log)", strerror(errno));
		child->log = open("/dev/null", O_WRONLY | O_CLOEXEC);
	}
	if (child->log >= 0) {
		dup2(child->log, STDERR_FILENO);
		close(child->log);
		log_stream_changed();
	}
	if (write(child->ready, "", 1) < 0)
		log_warning(child->interface, "cannot notify the parent process: %s", strerror(errno));
	close(child->ready);
}

static volatile sig_atomic_t up_daemon; /* the process to which a parent that waits passes SIGTERM on */

static void on_up_terminated(int number)
{
	kill(up_daemon, SIGTERM);
}

/* Forks the daemon. Returns the exit code of the process that returns. */
static int up_in_background(const char *path, struct config *config, bool strict, int log)
{
	struct up_child child = { .log = log };
	char interface[IFNAMSIZ], byte;
	int ready[2], status;
	ssize_t got;
	pid_t pid;

	if (pipe2(ready, O_CLOEXEC)) {
		perror("adit up: pipe");
		return EXIT_FAILURE;
	}
	pid = fork();
	if (pid < 0) {
		perror("adit up: fork");
		return EXIT_FAILURE;
	}
	if (pid) {
		up_daemon = pid;
		signal(SIGTERM, on_up_terminated);
		close(ready[1]);
		do
			got = read(ready[0], &byte, 1);
		while (got < 0 && errno == EINTR);
		if (got == 1)
			return EXIT_SUCCESS;
		if (waitpid(pid, &status, 0) == pid && WIFSIGNALED(status)) /* else it has logged the reason */
			fprintf(stderr, "adit up: `%s': the daemon was ended by signal %d (%s)\n", config->interface,
					WTERMSIG(status), strsignal(WTERMSIG(status)));
		return EXIT_FAILURE;
	}
	close(ready[0]);
	child.ready = ready[1];
	memcpy(interface, config->interface, sizeof interface); /* run_tunnel takes the configuration over */
	child.interface = interface;
	return run_tunnel(path, config, strict, on_up_ready, &child) ? EXIT_FAILURE : EXIT_SUCCESS;
}

/*
 * Returns the path from the root, because the daemon leaves the directory. Keeps symbolic links: they name the
 * interface.
 */
static char *make_absolute(const char *path)
{
	char *folder, *made;

	if (*path == '/')
		return strdup(path);
	folder = getcwd(NULL, 0);
	if (!folder || asprintf(&made, "%s/%s", folder, path) < 0)
		made = NULL;
	free(folder);
	return made;
}

/* Returns whether there is an interface that stays. The kernel removes that of a killed daemon a moment later. */
static bool interface_stays(const char *interface)
{
	const struct timespec pause = { .tv_nsec = POLL_MS * 1000000L };

	for (int waited = 0; if_nametoindex(interface); waited += POLL_MS) {
		if (waited >= REMOVAL_MS)
			return true;
		nanosleep(&pause, NULL);
	}
	return false;
}

/* Opens the log and loads the file. Returns the exit code. */
static int up_file(const char *name, bool strict, const char *log_path)
{
	struct ini_report findings = { .line = ini_print_line, .strict = strict };
	char buffer[INI_PATH], *path = make_absolute(ini_path(name, buffer));
	struct config config = { 0 };
	int log = -1, code = EXIT_FAILURE;

	if (!path) { /* the current folder has been removed */
		fprintf(stderr, "adit up: `%s': %s\n", name, strerror(errno));
		return EXIT_FAILURE;
	}
	if (log_path)
		log = open(log_path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | O_NOCTTY, 0600);
	if (log_path && log < 0)
		fprintf(stderr, "adit up: %s: %s\n", log_path, strerror(errno));
	else if (access(path, F_OK))
		fprintf(stderr, "adit up: `%s' does not exist\n", ini_path(name, buffer));
	else if (ini_load(&config, path, &findings))
		fprintf(stderr, "adit up: `%s' has errors\n", ini_path(name, buffer));
	else if (interface_stays(config.interface))
		fprintf(stderr, "adit up: `%s' already exists\n", config.interface);
	else
		code = up_in_background(path, &config, strict, log);
	config_destroy(&config);
	free(path);
	return code;
}

int command_up(int argc, char **argv)
{
	const char *log_path = NULL;
	bool strict;

	startup_close_inherited(-1, -1);
	if (!usage_take_value("up", &argc, argv, "--log", &log_path))
		return EXIT_FAILURE;
	strict = usage_take_flag(&argc, argv, "--strict");
	if (!usage_check("up", argc, argv, "[--strict] [--log LOG] FILE", 1, 1))
		return EXIT_FAILURE;
	return up_file(argv[1], strict, log_path);
}
