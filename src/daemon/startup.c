/* SPDX-License-Identifier: MIT */
/* Startup: the descriptors, signals, stack, limits, core dumps and PATH of the process. */
#include "daemon/startup.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#define LOG_LEVEL_VARIABLE "ADIT_LOG_LEVEL"

/*
 * The descriptors that a daemon may need at a time; tests/netns/process.py checks that some of them are to spare. Each
 * worker has a queue of the TUN, a ring, a loop with its eventfd and timer, and two sockets.
 */
enum {
	DESCRIPTORS_SHARED = 35, /* standard streams, lock, netlink, control socket and clients, DNS, nft, hooks */
	DESCRIPTORS_PER_WORKER = 6,
	DESCRIPTORS_WANTED = 4096, /* the soft limit is raised up to this */
	DESCRIPTORS_CLOSED_MAX = 65536,
	STACK_BYTES = 256 << 10, /* per thread; about a third is used */
};

#if defined __SANITIZE_ADDRESS__ || defined __SANITIZE_THREAD__
enum { SANITIZED = 1 };
#else
enum { SANITIZED = 0 };
#endif

#define DEFAULT_PATH "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin" /* that of systemd */

static bool path_has(const char *path, const char *folder)
{
	size_t length = strlen(folder);

	while (*path) {
		size_t part = strcspn(path, ":");

		if (part == length && !memcmp(path, folder, length))
			return true;
		path += part + (path[part] == ':');
	}
	return false;
}

/* cron(8), and su(1) without a hyphen, leave root a PATH without the folders of nft(8), iptables(8) and ip(8). */
static void complete_path(void)
{
	const char *path = getenv("PATH");
	char *longer;

	if (!path || !*path) {
		setenv("PATH", DEFAULT_PATH, 1);
	} else if (path_has(path, "/usr/bin") && !path_has(path, "/usr/sbin") &&
			   asprintf(&longer, "%s:/usr/sbin:/sbin", path) > 0) {
		setenv("PATH", longer, 1);
		free(longer);
	}
}

/* Raises the limit of the stack of this process and of its threads, if it is too low. */
static int ensure_stack(struct reason *reason)
{
	struct rlimit limit = { RLIM_INFINITY, RLIM_INFINITY }, wanted;
	pthread_attr_t attributes;

	getrlimit(RLIMIT_STACK, &limit);
	if (limit.rlim_cur >= STACK_BYTES)
		return 0;
	wanted = (struct rlimit) { STACK_BYTES, limit.rlim_max > STACK_BYTES ? limit.rlim_max : STACK_BYTES };
	if (setrlimit(RLIMIT_STACK, &wanted))
		return reason_set(reason, -ENOMEM,
						  "the stack is limited to %llu KiB, but %d KiB are needed (ulimit -s, LimitSTACK=)",
						  (unsigned long long)limit.rlim_cur >> 10, STACK_BYTES >> 10);
	pthread_attr_init(&attributes); /* else glibc gives a thread what the limit allowed before */
	pthread_attr_setstacksize(&attributes, STACK_BYTES);
	pthread_setattr_default_np(&attributes);
	pthread_attr_destroy(&attributes);
	return 0;
}

int startup_init(struct reason *reason)
{
	const struct rlimit none = { 0, 0 };
	sigset_t no_signals;

	sigemptyset(&no_signals);
	/* A mask of the caller would block SIGTERM and SIGCHLD. */
	sigprocmask(SIG_SETMASK, &no_signals, NULL);
	/* At a limit of the size of files, write(2) returns an error instead; it is not worth the tunnel. */
	signal(SIGXFSZ, SIG_IGN);
	/* open(2) returns the lowest free descriptor. Writes to a standard output that was closed still fail. */
	for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++)
		if (fcntl(fd, F_GETFD) < 0)
			open("/dev/null", fd == STDOUT_FILENO ? O_RDONLY : O_RDWR);
	complete_path();
	if (!SANITIZED) {
		prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
		setrlimit(RLIMIT_CORE, &none); /* a process that changes its user becomes dumpable again */
	}
	return ensure_stack(reason);
}

/* close_range(2) exists since Linux 5.9, and adit runs on older kernels. */
static void close_descriptors(unsigned first, unsigned last)
{
	struct rlimit limit = { 0 };

	if (first > last || !syscall(SYS_close_range, first, last, 0))
		return;
	getrlimit(RLIMIT_NOFILE, &limit);
	if (limit.rlim_max > DESCRIPTORS_CLOSED_MAX)
		limit.rlim_max = DESCRIPTORS_CLOSED_MAX;
	for (unsigned fd = first; fd <= last && fd < limit.rlim_max; fd++)
		close((int)fd);
}

void startup_close_inherited(int keep, int keep_also)
{
	int low = keep < keep_also ? keep : keep_also, high = keep < keep_also ? keep_also : keep;

	if (low <= STDERR_FILENO)
		low = STDERR_FILENO;
	if (high <= low)
		high = low;
	close_descriptors(STDERR_FILENO + 1, (unsigned)low - 1);
	close_descriptors((unsigned)low + 1, (unsigned)high - 1);
	close_descriptors((unsigned)high + 1, ~0U);
}

void startup_close_inherited_after(int last)
{
	close_descriptors((unsigned)last + 1, ~0U);
}

int startup_check_descriptors(unsigned workers, struct reason *reason)
{
	size_t needed = DESCRIPTORS_SHARED - (STDERR_FILENO + 1) + (size_t)DESCRIPTORS_PER_WORKER * workers, opened = 0;
	int *fds = calloc(needed, sizeof *fds), error = 0;
	struct rlimit limit = { 0 };

	if (!fds)
		return reason_set_errno(reason, -ENOMEM, "descriptors");
	if (!getrlimit(RLIMIT_NOFILE, &limit) && limit.rlim_cur < DESCRIPTORS_WANTED) {
		limit.rlim_cur = limit.rlim_max < DESCRIPTORS_WANTED ? limit.rlim_max : DESCRIPTORS_WANTED;
		setrlimit(RLIMIT_NOFILE, &limit);
	}
	for (; opened < needed && !error; opened++) {
		fds[opened] = fcntl(STDIN_FILENO, F_DUPFD_CLOEXEC, STDERR_FILENO + 1);
		if (fds[opened] < 0)
			error = -errno;
	}
	if (error)
		opened--;
	getrlimit(RLIMIT_NOFILE, &limit);
	if (error == -EMFILE || error == -EINVAL) /* EINVAL: the limit is so low that fcntl(2) may not even ask for one */
		error = reason_set(
			reason, -EMFILE,
			"%zu open files are needed with %u worker%s, but the limit is %llu (ulimit -n, LimitNOFILE=)",
			needed + STDERR_FILENO + 1, workers, workers == 1 ? "" : "s", (unsigned long long)limit.rlim_cur);
	else if (error)
		reason_set_errno(reason, error, "descriptors");
	while (opened)
		close(fds[--opened]);
	free(fds);
	return error;
}

int startup_set_log_level(enum log_level otherwise, struct reason *reason)
{
	const char *name = getenv(LOG_LEVEL_VARIABLE);
	enum log_level level = otherwise;

	if (name && *name && !log_level_find(&level, name))
		return reason_set(reason, -EINVAL, LOG_LEVEL_VARIABLE ": \"%s\" is not one of " LOG_LEVEL_NAMES, name);
	log_set_level(level);
	return 0;
}

void startup_detach(bool keep_log)
{
	int null = open("/dev/null", O_RDWR | O_CLOEXEC);

	setsid();
	if (chdir("/"))
		log_debug(NULL, "cannot change to /: %s", strerror(errno));
	if (null < 0)
		return;
	dup2(null, STDIN_FILENO);
	dup2(null, STDOUT_FILENO);
	if (!keep_log)
		dup2(null, STDERR_FILENO);
	log_stream_changed();
	close(null);
}
