/* SPDX-License-Identifier: MIT */
#include "daemon/dropin.h"

#include <errno.h>
#include <fcntl.h>
#include <net/if.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/log.h"
#include "daemon/daemon.h"
#include "uapi/uapi.h"

enum { DEFAULT_MTU = 1420, NAME_CHARACTERS = IFNAMSIZ - 1 };

struct dropin {
	struct daemon daemon;
	struct uapi uapi;
};

/* The number of a descriptor in the environment, -1 when there is none, or -EINVAL. */
static int descriptor(const char *variable)
{
	const char *text = getenv(variable);
	char *end;
	long fd;

	if (!text || !*text)
		return -1;
	fd = strtol(text, &end, 10);
	if (*end || fd < 0 || fd > 1 << 20) {
		fprintf(stderr, "adit: %s=%s: a descriptor number is wanted\n", variable, text);
		return -EINVAL;
	}
	return (int)fd;
}

static void set_log_level(void)
{
	const char *text = getenv("LOG_LEVEL");

	if (!text || !strcmp(text, "error"))
		log_set_level(LOG_WARNING);
	else if (!strcmp(text, "verbose") || !strcmp(text, "debug"))
		log_set_level(LOG_DEBUG);
	else if (!strcmp(text, "silent"))
		log_set_level(LOG_SILENT);
	else
		log_set_level(LOG_INFO);
}

static int open_tun(const char *name, struct tun *tun)
{
	int fd = descriptor("WG_TUN_FD"), error;
	bool taken;

	if (fd < -1)
		return fd;
	error = fd >= 0 ? tun_adopt(tun, fd) : tun_open(tun, name);
	taken = error == -EBUSY || (error == -EINVAL && fd < 0 && if_nametoindex(name));
	if (error)
		fprintf(stderr, "adit: %s: %s: %s\n", name, fd >= 0 ? "WG_TUN_FD" : "opening the TUN device",
				taken ? "an interface of this name exists already" : strerror(-error));
	return error;
}

static void on_socket_gone(void *context)
{
	struct dropin *dropin = context;

	log_info(dropin->daemon.device.name, "the control socket was removed");
	daemon_end(&dropin->daemon);
}

/* Brings device and socket up. 0 or negative errno with the reason said. */
static int start(struct dropin *dropin, const char *name)
{
	struct daemon *daemon = &dropin->daemon;
	int fd = descriptor("WG_UAPI_FD"), error;
	struct uapi_options options = { .adopt = fd >= 0, .fd = fd, .socket_removed = on_socket_gone, .context = dropin };
	struct tun tun;

	if (fd < -1)
		return fd;
	error = open_tun(name, &tun);
	if (!error)
		error = daemon_init(daemon, "auto", BACKEND_AUTO, &tun, 1);
	if (error)
		return error;
	error = daemon_follow(daemon);
	if (!error && link_set_mtu(&daemon->follow.link, DEFAULT_MTU)) /* wg-quick sets another once it knows the routes */
		log_warning(daemon->device.name, "MTU %d could not be set", DEFAULT_MTU);
	if (!error) {
		error = uapi_start(&dropin->uapi, &daemon->device, daemon->loop, &options);
		if (error)
			log_error(daemon->device.name, "control socket: %s", strerror(-error));
	}
	if (!error)
		return 0;
	uapi_stop(&dropin->uapi);
	daemon_destroy(daemon);
	return error;
}

/* Standard input goes; what is logged stays visible only where a level was asked for, as wireguard-go has it. */
static void detach(void)
{
	int null = open("/dev/null", O_RDWR | O_CLOEXEC);
	const char *level = getenv("LOG_LEVEL");

	setsid();
	if (null < 0)
		return;
	dup2(null, STDIN_FILENO);
	if (!level || !strcmp(level, "silent")) {
		dup2(null, STDOUT_FILENO);
		dup2(null, STDERR_FILENO);
	}
	close(null);
}

/* Serves until the end; `ready` (-1: nobody waits) is told once the socket answers. */
static int serve(const char *name, int ready)
{
	struct dropin dropin = { 0 };
	int error = start(&dropin, name);

	if (error)
		return EXIT_FAILURE;
	if (ready >= 0) {
		detach();
		if (write(ready, "", 1) < 0)
			log_warning(name, "nobody waits for the start: %s", strerror(errno));
		close(ready);
	}
	daemon_run(&dropin.daemon);
	uapi_stop(&dropin.uapi);
	daemon_destroy(&dropin.daemon);
	return EXIT_SUCCESS;
}

/* The parent: waits until the child answers, or says why it does not. */
static int await_child(pid_t child, int ready)
{
	char byte;
	int status;

	if (read(ready, &byte, 1) == 1)
		return EXIT_SUCCESS;
	if (waitpid(child, &status, 0) == child && WIFEXITED(status) && WEXITSTATUS(status))
		return WEXITSTATUS(status);
	return EXIT_FAILURE;
}

static int serve_in_background(const char *name)
{
	int ready[2];
	pid_t child;

	if (pipe2(ready, O_CLOEXEC)) {
		perror("adit: pipe");
		return EXIT_FAILURE;
	}
	child = fork();
	if (child < 0) {
		perror("adit: fork");
		return EXIT_FAILURE;
	}
	if (child) {
		close(ready[1]);
		return await_child(child, ready[0]);
	}
	close(ready[0]);
	return serve(name, ready[1]);
}

bool is_interface_argument(const char *argument)
{
	size_t length = strlen(argument);

	if (!strcmp(argument, "-f") || !strcmp(argument, "--foreground"))
		return true;
	return length >= 1 && length <= NAME_CHARACTERS && argument[0] != '-' && !strpbrk(argument, "/ \t\n:") &&
		   strcmp(argument, ".") != 0 && strcmp(argument, "..") != 0;
}

int command_interface(int argc, char **argv)
{
	const char *foreground = getenv("WG_PROCESS_FOREGROUND");
	bool stay = foreground && !strcmp(foreground, "1");
	int at = 1;

	if (argc > 1 && (!strcmp(argv[1], "-f") || !strcmp(argv[1], "--foreground"))) {
		stay = true;
		at = 2;
	}
	if (argc != at + 1 || !is_interface_argument(argv[at])) {
		fputs("usage: adit [-f | --foreground] IFNAME\n", stderr);
		return EXIT_FAILURE;
	}
	set_log_level();
	return stay ? serve(argv[at], -1) : serve_in_background(argv[at]);
}
