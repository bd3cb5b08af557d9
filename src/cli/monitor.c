/* SPDX-License-Identifier: MIT */
/*
 * adit monitor: prints the events of one interface or of all of them.
 *
 * Without a name, inotify(7) reports the sockets of interfaces that appear later. A socket gets its name when its
 * daemon listens already. If a daemon starts before we have noticed the end of the one before it, its name is still in
 * our list; so the directory is read again after each end.
 *
 * A daemon that hangs must not delay the events of others, and may continue later; so nothing here blocks on a socket.
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

#define FEED_TIMEOUT (10 * NS_PER_S) /* until a daemon that does not accept us is reported */
#define RETRY_AFTER NS_PER_S         /* a daemon that closes at once, or whose backlog is full */

enum { FEED_INPUT = 8192, FEEDS_MAX = 1024 };

static const char request[] = "monitor=1\n\n";

/* The events of one interface. */
struct feed {
	char interface[IFNAMSIZ];
	int fd;          /* -1: not connected */
	uint64_t opened; /* by clock_boottime */
	bool accepted;   /* the daemon sends events */
	bool reported;   /* we have printed that it does not */
	bool refused;    /* and it will not */
	bool ended;      /* the daemon has reported its end */
	char input[FEED_INPUT];
	size_t length;
	struct monitor_event event; /* whose lines arrive */
};

struct monitor {
	struct feed *feeds[FEEDS_MAX];
	size_t feed_count;
	int watch;           /* inotify; -1: only one interface is followed */
	uint64_t look_again; /* when to read the directory again; UINT64_MAX: no time is set */
	bool json;
};

static int monitor_failed(const char *subject, const char *text)
{
	fprintf(stderr, "adit monitor: %s: %s\n", subject, text);
	return EXIT_FAILURE;
}

static void look_again_at(struct monitor *monitor, uint64_t time)
{
	if (time < monitor->look_again)
		monitor->look_again = time;
}

/* --- one interface ----- */

/* The last feed takes the place of the one that is closed. */
static void feed_close(struct monitor *monitor, size_t number)
{
	struct feed *feed = monitor->feeds[number];

	monitor->feeds[number] = monitor->feeds[--monitor->feed_count];
	if (feed->fd >= 0)
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

/* Connects and asks for events. Returns 0, or negative errno: -EAGAIN if the backlog of the daemon is full. */
static int feed_connect(struct feed *feed)
{
	feed->fd = uapi_connect(UAPI_DIRECTORY, feed->interface, 0);
	if (feed->fd < 0)
		return feed->fd;
	return send(feed->fd, request, sizeof request - 1, MSG_NOSIGNAL) < 0 ? -errno : 0;
}

/* Looks whether the daemon has accepted us. Returns 0, also if it has not answered; -EINVAL if it has no events. */
static int feed_accept(struct feed *feed)
{
	static const char accepted[] = "errno=0\n\n";
	const size_t wanted = sizeof accepted - 1;

	if (feed->length < wanted && (feed->length < 2 || memcmp(feed->input + feed->length - 2, "\n\n", 2) != 0))
		return 0;
	if (feed->length < wanted || memcmp(feed->input, accepted, wanted) != 0)
		return feed->length > 9 && !memcmp(feed->input, "errno=-16", 9) ? -EBUSY : -EINVAL;
	feed->accepted = true;
	feed->length -= wanted;
	memmove(feed->input, feed->input + wanted, feed->length);
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

/*
 * Gives up an interface that cannot be followed. It stays in the list if the reason was printed, so that it is printed
 * once. Returns the exit status, or -1 to continue.
 */
static int feed_fail(struct monitor *monitor, size_t number, int error)
{
	struct feed *feed = monitor->feeds[number];
	const bool gone = error == -ENOENT || error == -ECONNREFUSED || error == -EPIPE || error == -ECONNRESET;

	if (monitor->watch < 0)
		return monitor_failed(feed->interface, feed_error(error));
	if (error == -EPIPE || error == -ECONNRESET)
		look_again_at(monitor, feed->opened + RETRY_AFTER);
	if (gone) {
		feed_close(monitor, number);
		return -1;
	}
	monitor_failed(feed->interface, feed_error(error));
	feed->refused = true;
	if (feed->fd >= 0)
		close(feed->fd);
	feed->fd = -1;
	return -1;
}

/*
 * Continues with a daemon that has not accepted us. Reports it after a while, but waits on: it may have been stopped.
 * Returns the exit status, or -1 to continue.
 */
static int feed_wait(struct monitor *monitor, size_t number, uint64_t now)
{
	struct feed *feed = monitor->feeds[number];
	int error = feed->fd < 0 ? feed_connect(feed) : 0;

	if (error && error != -EAGAIN)
		return feed_fail(monitor, number, error);
	if (now - feed->opened < FEED_TIMEOUT || feed->reported)
		return -1;
	feed->reported = true;
	monitor_failed(feed->interface, feed_error(-EAGAIN));
	return monitor->watch < 0 ? EXIT_FAILURE : -1;
}

/* Follows an interface. Returns the exit status, or -1 to continue. */
static int feed_open(struct monitor *monitor, const char *interface)
{
	struct feed *feed = calloc(1, sizeof *feed);

	if (!feed)
		return monitor_failed(interface, strerror(ENOMEM));
	snprintf(feed->interface, sizeof feed->interface, "%s", interface);
	feed->fd = -1;
	feed->opened = clock_boottime();
	monitor->feeds[monitor->feed_count++] = feed;
	return feed_wait(monitor, monitor->feed_count - 1, feed->opened);
}

/* --- all interfaces ----- */

/* Follows the interface unless it is in the list already. */
static int follow_listed(void *context, const char *interface)
{
	struct monitor *monitor = context;

	for (size_t i = 0; i < monitor->feed_count; i++)
		if (!strcmp(monitor->feeds[i]->interface, interface))
			return 0;
	if (monitor->feed_count < FEEDS_MAX)
		feed_open(monitor, interface);
	return 0;
}

static void follow_all(struct monitor *monitor)
{
	monitor->look_again = UINT64_MAX;
	uapi_client_list(UAPI_DIRECTORY, follow_listed, monitor); /* the next socket causes another attempt */
}

/* A new socket may be that of another daemon for an interface whose daemon has refused us. */
static void follow_new(struct monitor *monitor)
{
	char unread[4096];

	while (read(monitor->watch, unread, sizeof unread) > 0)
		;
	for (size_t i = monitor->feed_count; i; i--)
		if (monitor->feeds[i - 1]->refused)
			feed_close(monitor, i - 1);
	follow_all(monitor);
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

/* --- loop ----- */

/* Prints a line if the daemon has not sent one at its end. Returns the exit status, or -1 to continue. */
static int feed_end(struct monitor *monitor, size_t number)
{
	struct feed *feed = monitor->feeds[number];

	if (!feed->ended) {
		uint64_t now = clock_realtime();

		feed->event = (struct monitor_event) { .seconds = now / NS_PER_S, .nanoseconds = now % NS_PER_S };
		monitor_event_set(&feed->event, "event", "end");
		monitor_event_set(&feed->event, "reason", "the daemon closed the connection");
		feed_print(monitor, feed);
	}
	if (monitor->watch < 0)
		return EXIT_SUCCESS;
	look_again_at(monitor, feed->opened + RETRY_AFTER);
	feed_close(monitor, number);
	return -1;
}

/* Reads from an interface. Returns the exit status, or -1 to continue. */
static int feed_read(struct monitor *monitor, size_t number)
{
	struct feed *feed = monitor->feeds[number];
	ssize_t n = feed_receive(feed);
	int error = 0;

	if (n == -EAGAIN || n == -EINTR)
		return -1;
	if (n <= 0 && feed->accepted)
		return feed_end(monitor, number);
	if (n <= 0)
		return feed_fail(monitor, number, n ? (int)n : -EPIPE);
	if (!feed->accepted)
		error = feed_accept(feed);
	if (error)
		return feed_fail(monitor, number, error);
	if (feed->accepted)
		feed_lines(monitor, feed);
	return -1;
}

/* Returns the milliseconds until something must be done without an event of poll(2), or -1. */
static int monitor_timeout(const struct monitor *monitor)
{
	uint64_t next = monitor->look_again;

	for (size_t i = 0; i < monitor->feed_count; i++) {
		const struct feed *feed = monitor->feeds[i];
		uint64_t due = feed->fd < 0 ? clock_boottime() + RETRY_AFTER : feed->opened + FEED_TIMEOUT;

		if (!feed->accepted && !feed->refused && (feed->fd < 0 || !feed->reported) && due < next)
			next = due;
	}
	return next == UINT64_MAX ? -1 : clock_ms_until(next);
}

/* Prints events until the end of the only interface, of standard output, or of the process. Returns the exit status. */
static int monitor_run(struct monitor *monitor)
{
	struct pollfd polls[FEEDS_MAX + 2];

	for (;;) {
		size_t polled = 2;
		uint64_t now;

		if (fflush(stdout))
			return errno == EPIPE ? EXIT_SUCCESS : monitor_failed("standard output", strerror(errno));
		polls[0] = (struct pollfd) { .fd = STDOUT_FILENO }; /* reports a pipe that nobody reads */
		polls[1] = (struct pollfd) { .fd = monitor->watch, .events = POLLIN };
		for (size_t i = 0; i < monitor->feed_count; i++) /* poll(2) rejects more entries than RLIMIT_NOFILE */
			if (monitor->feeds[i]->fd >= 0)
				polls[polled++] = (struct pollfd) { .fd = monitor->feeds[i]->fd, .events = POLLIN };
		if (poll(polls, polled, monitor_timeout(monitor)) < 0)
			continue;
		if (polls[0].revents & (POLLERR | POLLHUP))
			return EXIT_SUCCESS;
		now = clock_boottime();
		for (size_t i = monitor->feed_count; i; i--) { /* from the end, because feed_close moves the last one */
			const struct feed *feed = monitor->feeds[i - 1];
			int status = -1;

			if (feed->fd >= 0 && polls[--polled].revents)
				status = feed_read(monitor, i - 1);
			else if (!feed->accepted && !feed->refused)
				status = feed_wait(monitor, i - 1, now);
			if (status >= 0)
				return fflush(stdout) && errno != EPIPE ? EXIT_FAILURE : status;
		}
		if (polls[1].revents)
			follow_new(monitor);
		else if (now >= monitor->look_again)
			follow_all(monitor);
	}
}

int command_monitor(int argc, char **argv)
{
	struct monitor monitor = { .watch = -1, .look_again = UINT64_MAX, .json = usage_take_flag(&argc, argv, "--json") };
	int status = -1;

	if (!usage_check("monitor", argc, argv, "[IFNAME] [--json]", 0, 1))
		return EXIT_FAILURE;
	if (argv[1]) {
		if (!uapi_client_check_name("monitor", argv[1]))
			return EXIT_FAILURE;
		status = feed_open(&monitor, argv[1]);
	} else {
		monitor.watch = watch_sockets();
		if (monitor.watch < 0)
			return monitor_failed(UAPI_DIRECTORY, strerror(errno));
		follow_all(&monitor);
	}
	if (status < 0)
		status = monitor_run(&monitor);
	if (status == EXIT_SUCCESS)
		clearerr(stdout); /* its end is no failure */
	while (monitor.feed_count)
		feed_close(&monitor, monitor.feed_count - 1);
	return status;
}
