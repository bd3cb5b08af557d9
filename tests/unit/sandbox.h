/* SPDX-License-Identifier: MIT */
/*
 * The sandbox: a network namespace for one test program, with its own lo and none of the host's devices. A program that
 * makes control sockets also gets an empty /var/run.
 */
#ifndef ADIT_TEST_SANDBOX_H
#define ADIT_TEST_SANDBOX_H

#include <errno.h>
#include <fcntl.h>
#include <linux/if_tun.h>
#include <net/if.h>
#include <sched.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <unistd.h>

/* Reports errno and aborts. */
static inline void sandbox_fail(const char *what)
{
	perror(what);
	abort();
}

static inline void sandbox_write(const char *file, const char *text)
{
	int fd = open(file, O_WRONLY);

	if (fd < 0 || write(fd, text, strlen(text)) != (ssize_t)strlen(text))
		sandbox_fail(file);
	close(fd);
}

/* Runs a shell command, which must succeed. */
static inline void __attribute__((format(printf, 1, 2))) sandbox_run(const char *format, ...)
{
	char command[256];
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(command, sizeof command, format, arguments);
	va_end(arguments);
	if (system(command))
		sandbox_fail(command);
}

enum { SANDBOX_SKIPPED = 77 }; /* the exit status that CTest counts as a skipped test */

/* Ends the program as skipped when this user may not open the TUN device. Without the device the tests fail. */
static inline void sandbox_need_tun(void)
{
	if (access("/dev/net/tun", R_OK | W_OK) && errno == EACCES) {
		puts("skipped: this user may not read and write /dev/net/tun");
		exit(SANDBOX_SKIPPED);
	}
}

/*
 * Moves the program to a new network namespace, in which lo is down. Without root it also creates a user namespace, and
 * sets root's PATH: that of an ordinary user on Debian lacks /usr/sbin, which contains nft(8) and tc(8).
 */
static inline void sandbox_enter(void)
{
	unsigned user = geteuid();
	char map[32];

	if (unshare(user ? CLONE_NEWUSER | CLONE_NEWNET : CLONE_NEWNET))
		sandbox_fail("unshare");
	if (user) {
		snprintf(map, sizeof map, "0 %u 1", user);
		sandbox_write("/proc/self/uid_map", map);
		setenv("PATH", "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", 1);
	}
}

/* Also gives the program an empty /var/run. Without root it maps the group as well, to allow creating files there. */
static inline void sandbox_enter_with_run(void)
{
	unsigned user = geteuid(), group = getegid();
	char map[32];

	sandbox_enter();
	if (user) {
		snprintf(map, sizeof map, "0 %u 1", group);
		sandbox_write("/proc/self/setgroups", "deny");
		sandbox_write("/proc/self/gid_map", map);
	}
	if (unshare(CLONE_NEWNS) || mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) ||
		mount("tmpfs", "/var/run", "tmpfs", 0, "mode=0755"))
		sandbox_fail("mounting an empty /var/run");
}

/* Creates a TUN device, which exists until the returned descriptor is closed. Returns -1 on an error. */
static inline int sandbox_tun(const char *name)
{
	struct ifreq request = { .ifr_flags = IFF_TUN | IFF_NO_PI };
	int fd = open("/dev/net/tun", O_RDWR | O_CLOEXEC);

	strncpy(request.ifr_name, name, IFNAMSIZ - 1);
	if (fd >= 0 && ioctl(fd, TUNSETIFF, &request) < 0) {
		close(fd);
		fd = -1;
	}
	return fd;
}

/*
 * Runs a shell command and returns its output, in a buffer that the next call overwrites. Consecutive blanks are
 * merged, and blanks around lines removed. If the exit status is not 0, "exit STATUS" is appended.
 */
static inline const char *sandbox_output(const char *command)
{
	static char text[65536];
	FILE *pipe = popen(command, "r");
	size_t length = 0;
	int c, status;

	while (pipe && (c = fgetc(pipe)) != EOF && length < sizeof text - 32) {
		if (c == '\t')
			c = ' ';
		if (c == ' ' && (length == 0 || text[length - 1] == ' ' || text[length - 1] == '\n'))
			continue;
		if (c == '\n' && length && text[length - 1] == ' ')
			length--;
		text[length++] = (char)c;
	}
	text[length] = '\0';
	status = pipe ? pclose(pipe) : -1;
	if (status)
		snprintf(text + length, 32, "exit %d", status);
	return text;
}

#endif
