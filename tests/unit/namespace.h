/* SPDX-License-Identifier: MIT */
/* Inside the sandbox: TUN devices, and the output of shell commands such as ip(8) and nft(8). */
#ifndef ADIT_TEST_NAMESPACE_H
#define ADIT_TEST_NAMESPACE_H

#include <fcntl.h>
#include <linux/if_tun.h>
#include <net/if.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "sandbox.h"

/* Creates a TUN device, which exists until the returned descriptor is closed. Returns -1 on an error. */
static inline int namespace_tun(const char *name)
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
static inline const char *namespace_run(const char *command)
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
