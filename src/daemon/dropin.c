/* SPDX-License-Identifier: MIT */
/* The command `adit IFNAME`: a bare device, in the foreground or the background. */
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
#include "base/usage.h"
#include "daemon/daemon.h"
#include "daemon/interface.h"
#include "daemon/startup.h"
#include "network/network.h"
#include "uapi/uapi.h"

enum { DEFAULT_MTU = 1420, NAME_CHARACTERS = IFNAMSIZ - 1 };

/* Open descriptors that the caller passed by environment variables; -1: none. */
struct dropin_descriptors {
	int tun, uapi;
};

struct dropin {
	struct daemon daemon;
	struct uapi uapi;
};

/*
 * The descriptor number in an environment variable, -1 if it is not set, or negative errno. Descriptors 0 to 2 are
 * duplicated, because the daemon replaces its standard streams.
 */
static int environment_fd(const char *variable, struct reason *reason)
{
	const char *text = getenv(variable);
	char *end;
	long fd;

	if (!text || !*text)
		return -1;
	fd = strtol(text, &end, 10);
	if (*end || fd < 0 || fd > 1 << 20)
		return reason_set(reason, -EINVAL, "%s: \"%s\" is not the number of a descriptor", variable, text);
	if (fd > STDERR_FILENO)
		return (int)fd;
	fd = fcntl((int)fd, F_DUPFD_CLOEXEC, STDERR_FILENO + 1);
	return fd < 0 ? reason_set_errno(reason, -errno, "%s", variable) : (int)fd;
}

/* Sets *off if an environment variable is "off". It may also be unset, empty or "auto". */
static int environment_off(const char *variable, bool *off, struct reason *reason)
{
	const char *text = getenv(variable);

	*off = text && !strcmp(text, "off");
	if (*off || !text || !*text || !strcmp(text, "auto"))
		return 0;
	return reason_set(reason, -EINVAL, "%s: \"%s\" is not auto or off", variable, text);
}

/* LOG_LEVEL is the variable of wireguard-go, whose errors include what adit calls warnings. */
static int set_log_level(struct reason *reason)
{
	const char *text = getenv("LOG_LEVEL");
	enum log_level level = LOG_INFO;

	if (!text || !strcmp(text, "error"))
		level = LOG_WARNING;
	else if (!strcmp(text, "verbose") || !strcmp(text, "debug"))
		level = LOG_DEBUG;
	else if (!strcmp(text, "silent"))
		level = LOG_SILENT;
	return startup_set_log_level(level, reason);
}

static int dropin_open_tun(const char *name, int fd, struct tun *tun, struct reason *reason)
{
	unsigned one = 1;
	bool no_offload;
	int error = environment_off("ADIT_TUN_OFFLOAD", &no_offload, reason);

	if (error)
		return error;
	if (fd < 0) {
		error = interface_open(tun, &one, name, false, reason);
	} else {
		error = tun_adopt(tun, fd);
		if (error)
			reason_set_errno(reason, error, "WG_TUN_FD");
	}
	if (!error && no_offload)
		tun_disable_offloads(tun);
	return error;
}

static void dropin_socket_removed(void *context)
{
	struct dropin *dropin = context;

	daemon_end(&dropin->daemon, "the control socket was removed");
}

static int dropin_stop_request(void *context, struct uapi_reply *reply)
{
	struct dropin *dropin = context;

	log_info(dropin->daemon.device.name, "stopped over the control socket");
	daemon_end_soon(&dropin->daemon);
	return 0;
}

/* Starts the device and the control socket. 0, or negative errno with the reason. */
static int dropin_start(struct dropin *dropin, const struct dropin_descriptors *passed, const char *name,
						struct reason *reason)
{
	struct daemon *daemon = &dropin->daemon;
	static const struct uapi_verb verbs[] = { { "stop", dropin_stop_request }, { NULL, NULL } };
	struct uapi_options options = { .adopt = passed->uapi >= 0,
									.fd = passed->uapi,
									.verbs = verbs,
									.paths = &daemon->paths,
									.socket_removed = dropin_socket_removed,
									.context = dropin };
	struct udp_options udp_options;
	struct tun tun;
	int error = environment_off("ADIT_UDP_GSO", &udp_options.no_gso, reason);

	if (!error)
		error = environment_off("ADIT_UDP_GRO", &udp_options.no_gro, reason);
	if (error)
		return error;
	error = dropin_open_tun(name, passed->tun, &tun, reason);
	if (error)
		return error;
	error = daemon_init(daemon, "auto", BACKEND_AUTO, &tun, 1, reason);
	if (error)
		return error;
	daemon->device.udp_options = udp_options;
	error = daemon_watch_link(daemon, reason);
	if (error)
		goto destroy_daemon;
	if (link_set_mtu(&daemon->link_watch.link, DEFAULT_MTU)) /* wg-quick sets another when it knows the routes */
		log_warning(daemon->device.name, "cannot set the MTU to %d", DEFAULT_MTU);
	network_set_link_defaults(if_nametoindex(daemon->device.name));
	error = uapi_start(&dropin->uapi, &daemon->device, daemon->loop, &options);
	if (error) {
		reason_set_errno(reason, error, "control socket " UAPI_DIRECTORY "/%s.sock", daemon->device.name);
		goto destroy_daemon;
	}
	return 0;
destroy_daemon:
	daemon_destroy(daemon);
	return error;
}

/*
 * Runs the device until its end. When the control socket accepts connections, detaches from the caller and writes a
 * byte to `ready_fd`; -1: stays in the foreground. Returns the exit code.
 */
static int dropin_run(const struct dropin_descriptors *passed, const char *name, int ready_fd)
{
	const char *level = getenv("LOG_LEVEL"), *own_level = getenv("ADIT_LOG_LEVEL"), *lost;
	struct dropin dropin = { 0 };
	struct reason reason = { 0 };

	if (dropin_start(&dropin, passed, name, &reason)) {
		fprintf(stderr, "adit: %s: %s\n", name, reason.text);
		return EXIT_FAILURE;
	}
	if (isatty(STDERR_FILENO))
		fprintf(stderr, "adit: %s: running%s; configure it with wg(8), stop it with \"adit stop %s\"\n", name,
				ready_fd < 0 ? "" : " in the background", name);
	if (ready_fd >= 0) {
		startup_detach((level || own_level) && log_level() != LOG_SILENT); /* as wireguard-go */
		if (write(ready_fd, "", 1) < 0)
			log_warning(name, "cannot notify the parent process: %s", strerror(errno));
		close(ready_fd);
	}
	lost = daemon_run(&dropin.daemon);
	if (lost) /* the usual end, by `ip link del` or `rm`, so not a failure */
		log_info(name, "%s", lost);
	uapi_stop(&dropin.uapi);
	daemon_destroy(&dropin.daemon);
	return EXIT_SUCCESS;
}

/* Waits until the child is ready or has failed, which the child reports. Returns the exit code. */
static int dropin_run_in_background(const struct dropin_descriptors *passed, const char *name)
{
	int ready[2], status;
	pid_t child;
	char byte;

	if (pipe2(ready, O_CLOEXEC)) {
		perror("adit: pipe");
		return EXIT_FAILURE;
	}
	child = fork();
	if (child < 0) {
		perror("adit: fork");
		return EXIT_FAILURE;
	}
	if (!child) {
		close(ready[0]);
		return dropin_run(passed, name, ready[1]);
	}
	close(ready[1]);
	if (read(ready[0], &byte, 1) == 1)
		return EXIT_SUCCESS;
	if (waitpid(child, &status, 0) == child && WIFEXITED(status) && WEXITSTATUS(status))
		return WEXITSTATUS(status);
	return EXIT_FAILURE;
}

/* Nothing is open yet but what the caller has passed on. */
static int dropin_prepare(struct dropin_descriptors *passed, struct reason *reason)
{
	passed->tun = environment_fd("WG_TUN_FD", reason);
	if (passed->tun < -1)
		return passed->tun;
	passed->uapi = environment_fd("WG_UAPI_FD", reason);
	if (passed->uapi < -1)
		return passed->uapi;
	startup_close_inherited(passed->tun, passed->uapi);
	return startup_check_descriptors(1, reason);
}

bool is_interface_name(const char *word)
{
	size_t length = strlen(word);

	return length >= 1 && length <= NAME_CHARACTERS && word[0] != '-' && !strpbrk(word, "/ \t\n:") &&
		   strcmp(word, ".") != 0 && strcmp(word, "..") != 0;
}

int command_interface(int argc, char **argv)
{
	const char *foreground = getenv("WG_PROCESS_FOREGROUND");
	bool in_foreground = foreground && !strcmp(foreground, "1");
	struct dropin_descriptors passed;
	struct reason reason = { 0 };
	int name = 1; /* its index in argv */

	if (argc > name && (!strcmp(argv[name], "-f") || !strcmp(argv[name], "--foreground"))) {
		in_foreground = true;
		name++;
	}
	if (argc > name && !strcmp(argv[name], "--"))
		name++;
	if (argc != name + 1 || *argv[name] == '-') {
		const char *wrong = argc == name ? NULL : argv[argc == name + 1 ? name : name + 1];

		return usage_error("", "[-f | --foreground] [--] IFNAME", wrong);
	}
	if (!is_interface_name(argv[name])) {
		fprintf(stderr,
				"adit: \"%s\" is not the name of an interface: 1 to %d characters, without blanks, '/' and ':'\n",
				argv[name], NAME_CHARACTERS);
		return EXIT_FAILURE;
	}
	if (set_log_level(&reason) || dropin_prepare(&passed, &reason)) {
		fprintf(stderr, "adit: %s: %s\n", argv[name], reason.text);
		return EXIT_FAILURE;
	}
	return in_foreground ? dropin_run(&passed, argv[name], -1) : dropin_run_in_background(&passed, argv[name]);
}
