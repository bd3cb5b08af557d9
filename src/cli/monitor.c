/* SPDX-License-Identifier: MIT */
/*
 * adit monitor: prints the events of one interface or of all of them.
 *
 * Without a name, inotify(7) reports the sockets of interfaces that appear later. A socket gets its name when its
 * daemon listens already. If a daemon starts before we have noticed the end of the one before it, its name is still in
 * our list; so the directory is read again after each end.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/usage.h"
#include "cli/commands.h"
#include "monitor_event.h"
#include "uapi/socket.h"
#include "uapi_client.h"

enum { FEED_TIMEOUT = 10 /* seconds until a daemon accepts us */, FEED_INPUT = 8192, FEEDS_MAX = 1024 };

static const char request[] = "monitor=1\n\n";

/* The events of one interface. */
struct feed {
	char interface[IFNAMSIZ];
	int fd;
	bool ended; /* the daemon has reported its end */
	char input[FEED_INPUT];
	size_t length;
	struct monitor_event event; /* whose lines arrive */
};

struct monitor {
	struct feed *feeds[FEEDS_MAX];
	size_t feed_count;
	int watch; /* inotify; -1: only one interface is followed */
	bool json;
};

static int monitor_failed(const char *subject, const char *text)
{
	fprintf(stderr, "adit monitor: %s: %s\n", subject, text);
	return EXIT_FAILURE;
}

/* --- one interface --- */

/* The last feed takes the place of the one that is closed. */
static void feed_close(struct monitor *monitor, size_t number)
{
	struct feed *feed = monitor->feeds[number];

	monitor->feeds[number] = monitor->feeds[--monitor->feed_count];
	close(feed->fd);
	free(feed);
}

static void feed_print(struct monitor *monitor, struct feed *feed)
{
	if (!strcmp(feed->event.value[FIELD_EVENT], "end"))
		feed->ended = true;
	(monitor->json ? monitor_event_json : monitor_event_text)(stdout, feed->interface, &feed->event);
	feed->event = (struct monitor_event) { 0 };
}

/* Handles the lines that have arrived, and keeps the beginning of the next one. */
static void feed_lines(struct monitor *monitor, struct feed *feed)
{
	char *line = feed->input, *end;
	size_t left = feed->length;

	while ((end = memchr(line, '\n', left))) {
		char *equals = memchr(line, '=', (size_t)(end - line));

		*end = '\0';
		if (end == line)
			feed_print(monitor, feed);
		if (equals) {
			*equals = '\0';
			monitor_event_set(&feed->event, line, equals + 1);
		}
		left -= (size_t)(end + 1 - line);
		line = end + 1;
	}
	if (left == FEED_INPUT) /* longer than any line of a daemon */
		left = 0;
	memmove(feed->input, line, left);
	feed->length = left;
}

/* Returns a positive number, 0 at the end, or a negative errno. */
static ssize_t feed_receive(struct feed *feed)
{
	ssize_t n = recv(feed->fd, feed->input + feed->length, FEED_INPUT - feed->length, 0);

	if (n > 0)
		feed->length += (size_t)n;
	return n < 0 ? -errno : n;
}

/* Waits until the daemon accepts us. Returns 0, or negative errno: -EINVAL if it has no events. */
static int feed_accept(struct feed *feed)
{
	static const char accepted[] = "errno=0\n\n";
	const size_t wanted = sizeof accepted - 1;

	if (send(feed->fd, request, sizeof request - 1, MSG_NOSIGNAL) != (ssize_t)sizeof request - 1)
		return -EPIPE;
	while (feed->length < wanted) {
		ssize_t n = feed_receive(feed);

		if (n <= 0)
			return n ? (int)n : -EPIPE;
		if (feed->length > 2 && !memcmp(feed->input + feed->length - 2, "\n\n", 2))
			break;
	}
	if (feed->length < wanted || memcmp(feed->input, accepted, wanted) != 0)
		return feed->length > 7 && !memcmp(feed->input, "errno=-16", 9) ? -EBUSY : -EINVAL;
	feed->length -= wanted;
	memmove(feed->input, feed->input + wanted, feed->length);
	return 0;
}

/* Follows an interface. Returns 0 or negative errno. */
static int feed_open(struct monitor *monitor, const char *interface)
{
	struct feed *feed = calloc(1, sizeof *feed);
	int error;

	if (!feed)
		return -ENOMEM;
	snprintf(feed->interface, sizeof feed->interface, "%s", interface);
	feed->fd = uapi_connect(UAPI_DIRECTORY, interface, FEED_TIMEOUT);
	error = feed->fd < 0 ? feed->fd : feed_accept(feed);
	if (error) {
		if (feed->fd >= 0)
			close(feed->fd);
		free(feed);
		return error;
	}
	fcntl(feed->fd, F_SETFL, O_NONBLOCK);
	monitor->feeds[monitor->feed_count++] = feed;
	feed_lines(monitor, feed);
	return 0;
}

static const char *feed_error(int error)
{
	switch (error) {
	case -EINVAL:
		return "its daemon does not report events";
	case -EBUSY:
		return "too many clients follow its events";
	case -EPIPE:
	case -ECONNRESET:
		return "its daemon has ended";
	default:
		return uapi_client_error(error);
	}
}

/* --- all interfaces --- */

/* Follows the interface unless it is followed already. The socket of a daemon that has ended does not count. */
static int follow_listed(void *context, const char *interface)
{
	struct monitor *monitor = context;
	int error;

	for (size_t i = 0; i < monitor->feed_count; i++)
		if (!strcmp(monitor->feeds[i]->interface, interface))
			return 0;
	if (monitor->feed_count == FEEDS_MAX)
		return 0;
	error = feed_open(monitor, interface);
	if (error && error != -ENOENT && error != -ECONNREFUSED && error != -EPIPE && error != -ECONNRESET)
		monitor_failed(interface, feed_error(error));
	return 0;
}

static void follow_all(struct monitor *monitor)
{
	uapi_client_list(UAPI_DIRECTORY, follow_listed, monitor); /* the next socket causes another attempt */
}

/* Daemons create the directory in the same way. */
static int watch_sockets(void)
{
	int watch = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);

	if (watch < 0)
		return -1;
	if (mkdir(UAPI_DIRECTORY, 0755) == 0)
		chmod(UAPI_DIRECTORY, 0755);
	if (inotify_add_watch(watch, UAPI_DIRECTORY, IN_CREATE | IN_MOVED_TO | IN_ONLYDIR) >= 0)
		return watch;
	close(watch);
	return -1;
}

/* --- loop --- */

/* Reads from an interface. At its end, prints a line if the daemon has not sent one. Returns the exit status or -1. */
static int feed_read(struct monitor *monitor, size_t number)
{
	struct feed *feed = monitor->feeds[number];
	ssize_t n = feed_receive(feed);
	int status = -1;

	if (n == -EAGAIN || n == -EINTR)
		return -1;
	if (n > 0) {
		feed_lines(monitor, feed);
		return -1;
	}
	if (!feed->ended) {
		uint64_t now = clock_realtime();

		feed->event = (struct monitor_event) { .seconds = now / NS_PER_S, .nanoseconds = now % NS_PER_S };
		monitor_event_set(&feed->event, "event", "end");
		monitor_event_set(&feed->event, "reason", "the daemon closed the connection");
		feed_print(monitor, feed);
	}
	if (monitor->watch < 0)
		status = EXIT_SUCCESS;
	feed_close(monitor, number);
	if (monitor->watch >= 0)
		follow_all(monitor);
	return status;
}

/* Prints events until the end of the only interface, of standard output, or of the process. Returns the exit status. */
static int monitor_run(struct monitor *monitor)
{
	struct pollfd polls[FEEDS_MAX + 2];
	char unread[4096];

	for (;;) {
		const size_t count = monitor->feed_count;

		if (fflush(stdout))
			return errno == EPIPE ? EXIT_SUCCESS : monitor_failed("standard output", strerror(errno));
		polls[0] = (struct pollfd) { .fd = STDOUT_FILENO }; /* reports a pipe that nobody reads */
		polls[1] = (struct pollfd) { .fd = monitor->watch, .events = POLLIN };
		for (size_t i = 0; i < count; i++)
			polls[2 + i] = (struct pollfd) { .fd = monitor->feeds[i]->fd, .events = POLLIN };
		if (poll(polls, 2 + count, -1) < 0)
			continue;
		if (polls[0].revents & (POLLERR | POLLHUP))
			return EXIT_SUCCESS;
		for (size_t i = count; i; i--) { /* from the end, because feed_close moves the last one */
			int status = polls[2 + i - 1].revents ? feed_read(monitor, i - 1) : -1;

			if (status >= 0)
				return fflush(stdout) && errno != EPIPE ? EXIT_FAILURE : status;
		}
		if (polls[1].revents) {
			while (read(monitor->watch, unread, sizeof unread) > 0)
				;
			follow_all(monitor);
		}
	}
}

int command_monitor(int argc, char **argv)
{
	struct monitor monitor = { .watch = -1, .json = usage_take_flag(&argc, argv, "--json") };
	int status;

	if (!usage_check("monitor", argc, argv, "[IFNAME] [--json]", 0, 1))
		return EXIT_FAILURE;
	if (argv[1]) {
		int error;

		if (!uapi_client_check_name("monitor", argv[1]))
			return EXIT_FAILURE;
		error = feed_open(&monitor, argv[1]);
		if (error)
			return monitor_failed(argv[1], feed_error(error));
	} else {
		monitor.watch = watch_sockets();
		if (monitor.watch < 0)
			return monitor_failed(UAPI_DIRECTORY, strerror(errno));
		follow_all(&monitor);
	}
	status = monitor_run(&monitor);
	if (status == EXIT_SUCCESS)
		clearerr(stdout); /* its end is no failure */
	while (monitor.feed_count)
		feed_close(&monitor, monitor.feed_count - 1);
	return status;
}
