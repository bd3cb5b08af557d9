/* SPDX-License-Identifier: MIT */
/*
 * One connection to the control socket: reads requests, dispatches them and writes the answers.
 *
 * Theory of operation
 *
 * A connection either reads or writes. While an answer is being written no further request is read, so a client that
 * does not read its answers cannot make the daemon buffer more than one. `input` collects bytes until a blank line ends
 * the request. `output` holds one part of the answer, and the next part is generated after the last byte has been sent.
 * Each event moves a bounded number of bytes, at the lowest priority of the loop, so that packets come first.
 *
 * A large set is carried out in parts, one for each turn of the loop, by the timer uapi.set_timer. Only one connection
 * has such a set at a time; requests of others that would change the device wait for its end.
 *
 * Input and output contain keys. Both are wiped before they are freed or reused.
 */
#include "connection.h"

#include <errno.h>
#include <fcntl.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "monitor.h"
#include "set.h"
#include "text.h"

enum {
	INPUT_ROOM_MIN = 4096, /* enough for a get */
	READ_MAX = 64 << 10,   /* bytes per event */
	PART_MAX = 16 << 10,   /* bytes of an answer to get per event */
	ERRNO_ROOM = 32,       /* for the line that ends an answer */
	/* A set is carried out at once if neither its lines nor the peers that it may remove are many. */
	SET_AT_ONCE_BYTES = 64 << 10,
	SET_AT_ONCE_PEERS = 2048,
};

/* Seconds after which a connection is closed if another client waits: without traffic, or with one request. */
#define EVICT_IDLE 1.0
#define EVICT_SLOW 5.0

#define SET_LINE "set=1\n"
#define GET_LINE "get=1\n"
#define MONITOR_REQUEST "monitor=1\n\n"

/* How a connection continues. */
enum next {
	NEXT_INPUT,   /* it waits for more of a request */
	NEXT_ANSWER,  /* there is an answer to write */
	NEXT_PENDING, /* a set must be carried out first */
	NEXT_MONITOR, /* its client follows events from now on, and the connection ends */
};

struct uapi_connection {
	struct uapi *uapi;
	void (*closed)(struct uapi *uapi);
	struct list_node node;
	struct ev_io read_watcher, write_watcher;
	struct ev_timer idle_timeout, request_timeout;
	double active;        /* when bytes last moved, by clock_seconds */
	double request_began; /* when the request that is not answered yet began; 0: there is none */
	char *input;
	size_t room, length;
	size_t searched;  /* no request ends in the first `searched` bytes */
	bool read_closed; /* no further request will arrive */
	int discarded;    /* why the request that arrives is discarded: a negative errno; 0: it is not */
	struct uapi_get get;
	bool get_pending; /* the answer has another part */
	struct uapi_set set;
	size_t set_length; /* bytes of the set request in `input` */
	bool waits;        /* its request waits for the set of another connection */
	char output[UAPI_REPLY_MAX + ERRNO_ROOM];
	size_t sent, filled;
};

void uapi_reply_line(struct uapi_reply *reply, const char *key, const char *value)
{
	size_t room = reply->room - reply->length;
	char *line = reply->text + reply->length;
	int length = snprintf(line, room, "%s=%s", key, value);

	if (length < 0 || (size_t)length + 1 >= room)
		return;
	for (char *at = line; *at; at++)
		if ((unsigned char)*at < ' ')
			*at = ' ';
	line[length] = '\n';
	reply->length += (size_t)length + 1;
}

void uapi_reply_flush(struct uapi_reply *reply)
{
	ssize_t n = send(reply->fd, reply->text, reply->length, MSG_NOSIGNAL | MSG_DONTWAIT);

	if (n <= 0)
		return;
	reply->length -= (size_t)n;
	memmove(reply->text, reply->text + n, reply->length);
}

/* --- input buffer ----- */

/* Bytes of a buffer that count against UAPI_REQUEST_MAX. A minimal buffer has none, so that every client gets one. */
static size_t counted_bytes(size_t room)
{
	return room > INPUT_ROOM_MIN ? room : 0;
}

static void input_free(struct uapi_connection *connection)
{
	if (connection->input)
		sodium_memzero(connection->input, connection->room);
	free(connection->input);
	connection->uapi->request_bytes -= counted_bytes(connection->room);
}

/* Does not use realloc(3), which would leave keys in the memory that it frees. */
static int input_resize(struct uapi_connection *connection, size_t room)
{
	size_t request_bytes = connection->uapi->request_bytes - counted_bytes(connection->room) + counted_bytes(room);
	char *input;

	if (counted_bytes(room) && request_bytes > UAPI_REQUEST_MAX)
		return -E2BIG;
	input = malloc(room);
	if (!input)
		return -ENOMEM;
	if (connection->length)
		memcpy(input, connection->input, connection->length);
	input_free(connection);
	connection->input = input;
	connection->room = room;
	connection->uapi->request_bytes = request_bytes;
	return 0;
}

/* Removes and wipes the first `n` bytes, and shrinks a large buffer if the rest fits in a minimal one. */
static void input_consume(struct uapi_connection *connection, size_t n)
{
	connection->length -= n;
	connection->searched = 0;
	memmove(connection->input, connection->input + n, connection->length);
	sodium_memzero(connection->input + connection->length, n);
	if (connection->room > INPUT_ROOM_MIN && connection->length <= INPUT_ROOM_MIN)
		input_resize(connection, INPUT_ROOM_MIN); /* on failure the large buffer stays */
}

/* --- requests and answers ----- */

static void answer_errno(struct uapi_connection *connection, int error)
{
	connection->filled += (size_t)snprintf(connection->output + connection->filled, ERRNO_ROOM, "errno=%d\n\n", error);
}

static void answer_get_part(struct uapi_connection *connection)
{
	connection->filled = uapi_get_next(&connection->get, connection->uapi->device, connection->output, PART_MAX);
	connection->get_pending = connection->filled;
}

/* `batch_udp_send=` and the numbers of batches of 1, 2 to 3, 4 to 7, ... packets, then `batch_udp_send_sum=`. */
static void reply_histogram(struct uapi_reply *reply, const char *kind, const struct size_histogram *histogram)
{
	char name[64], value[HISTOGRAM_BUCKETS * 24];
	size_t length = 0;

	for (unsigned i = 0; i < HISTOGRAM_BUCKETS; i++)
		length += (size_t)snprintf(value + length, sizeof value - length, "%s%llu", i ? "," : "",
								   (unsigned long long)histogram->bucket[i]);
	snprintf(name, sizeof name, "batch_%s", kind);
	uapi_reply_line(reply, name, value);
	snprintf(name, sizeof name, "batch_%s_sum", kind);
	snprintf(value, sizeof value, "%llu", (unsigned long long)histogram_sum(histogram));
	uapi_reply_line(reply, name, value);
}

/*
 * The answer to `counters=1`, with one line per counter, and two per histogram. Unlike the names in the log, those of
 * all drops begin with "drop_", so that clients recognize the causes.
 */
static void reply_counters(struct uapi_reply *reply, struct device *device)
{
	struct counters counters;
	char name[64], value[24];

	device_counters(device, &counters);
	for (unsigned i = 0; i < COUNTERS; i++) {
		if (i == DROP_REFUSED + SEGMENT_OK)
			continue; /* never counted */
		snprintf(name, sizeof name, "%s%s", i >= DROP_REFUSED ? "drop_refused_" : "", counter_name(i));
		snprintf(value, sizeof value, "%llu", (unsigned long long)counters.value[i]);
		uapi_reply_line(reply, name, value);
	}
	for (unsigned i = 0; i < HISTOGRAMS; i++)
		reply_histogram(reply, histogram_name(i), &counters.histogram[i]);
	snprintf(value, sizeof value, "%llu", (unsigned long long)device->started);
	uapi_reply_line(reply, "start_time_sec", value);
}

/* The answer to `log=1`, which may be followed by the line `level=LEVEL`. Both answer the level. */
static int answer_log(struct uapi_reply *reply, struct device *device, char *lines, size_t length)
{
	static const char key[] = "level=";
	enum log_level before = log_level(), level;

	if (length) {
		if (lines[length - 1] != '\n' || memcmp(lines, key, length < sizeof key ? length : sizeof key - 1) != 0)
			return -EINVAL;
		lines[length - 1] = '\0';
		if (!log_level_find(&level, lines + sizeof key - 1))
			return -EINVAL;
		/* The line is written if one of the two levels includes it. */
		if (level > before)
			log_set_level(level);
		if (level != before)
			log_info(device->name, "the log level is now %s, by the control socket", log_level_name(level));
		log_set_level(level);
	}
	uapi_reply_line(reply, "log_level", log_level_name(log_level()));
	return 0;
}

/* Dispatches a request of `length` bytes without its blank line: `verb=1`, then the verb's own lines. */
static void answer_request(struct uapi_connection *connection, char *request, size_t length)
{
	const struct uapi_options *options = &connection->uapi->options;
	struct uapi_reply reply = { .text = connection->output, .room = UAPI_REPLY_MAX, .fd = connection->read_watcher.fd };
	char *text = (char *)memchr(request, '\n', length) + 1;
	char *equals = memchr(request, '=', (size_t)(text - request));
	bool is_get, has_no_lines;
	int error = -EINVAL;

	text[-1] = '\0';
	length -= (size_t)(text - request);
	if (!equals) {
		answer_errno(connection, -EPROTO);
		return;
	}
	*equals = '\0';
	is_get = !strcmp(request, "get");
	has_no_lines = is_get || !strcmp(request, "counters");
	if (strcmp(equals + 1, "1") || (has_no_lines && length)) {
		answer_errno(connection, -EINVAL);
		return;
	}
	if (is_get) {
		connection->get = (struct uapi_get) { 0 };
		answer_get_part(connection);
		return;
	}
	if (has_no_lines) {
		reply_counters(&reply, connection->uapi->device);
		error = 0;
	}
	if (!strcmp(request, "log"))
		error = answer_log(&reply, connection->uapi->device, text, length);
	for (const struct uapi_verb *verb = options->verbs; verb && verb->name; verb++) {
		if (strcmp(verb->name, request))
			continue;
		error = verb->call(options->context, &reply);
		break;
	}
	connection->filled = reply.length;
	answer_errno(connection, error);
}

/* --- set ----- */

static void connection_resume(struct uapi_connection *connection);

/* True if a request of `length` bytes begins with this line. */
static bool request_is(const char *request, size_t length, const char *line)
{
	return length >= strlen(line) && !memcmp(request, line, strlen(line));
}

static void set_schedule(struct uapi *uapi)
{
	ev_timer_set(&uapi->set_timer, 0., 0.);
	ev_timer_start(uapi->loop, &uapi->set_timer);
}

/* Starts a set of `length` bytes. Returns true if it is carried out already, because it is small. */
static bool set_begin(struct uapi_connection *connection, size_t length)
{
	struct uapi *uapi = connection->uapi;
	struct device *device = uapi->device;
	bool at_once = length <= SET_AT_ONCE_BYTES && device->peer_count <= SET_AT_ONCE_PEERS;
	const size_t head = sizeof SET_LINE - 1;

	uapi_set_start(&connection->set, device, connection->input + head, length - 1 - head);
	if (!at_once) {
		connection->set_length = length;
		uapi->setting = connection;
		set_schedule(uapi);
		return false;
	}
	while (uapi_set_part(&connection->set, clock_boottime()))
		;
	answer_errno(connection, connection->set.error);
	return true;
}

/* The set of `uapi->setting` is complete: answers it, and lets the others continue. */
static void set_finish(struct uapi *uapi)
{
	struct uapi_connection *connection = uapi->setting, *waiting;

	ev_timer_stop(uapi->loop, &uapi->set_timer);
	uapi->setting = NULL;
	answer_errno(connection, connection->set.error);
	input_consume(connection, connection->set_length);
	connection_resume(connection);
	do {
		waiting = NULL; /* the one that has waited longest: the list is in the order of activity */
		list_for_each (other, &uapi->connections, struct uapi_connection, node) {
			if (!other->waits) /* NOLINT(clang-analyzer-unix.Malloc): a connection leaves the list before it is freed */
				continue;
			waiting = other;
			break;
		}
		if (waiting) {
			waiting->waits = false;
			connection_resume(waiting);
		}
	} while (waiting && !uapi->setting);
}

void uapi_connection_set_part(struct uapi *uapi)
{
	if (uapi_set_part(&uapi->setting->set, clock_boottime()))
		set_schedule(uapi);
	else
		set_finish(uapi);
}

void uapi_finish_sets(struct uapi *uapi)
{
	while (uapi->setting) {
		while (uapi_set_part(&uapi->setting->set, clock_boottime()))
			;
		set_finish(uapi);
	}
}

/* --- requests and answers, continued ----- */

/* The monitor gets a descriptor of its own, so that the connection can end as usual. */
static enum next begin_monitor(struct uapi_connection *connection)
{
	int fd = fcntl(connection->read_watcher.fd, F_DUPFD_CLOEXEC, 0);
	int error = fd < 0 ? -errno : uapi_monitor_start(connection->uapi, fd);

	if (!error)
		return NEXT_MONITOR;
	if (fd >= 0)
		close(fd);
	answer_errno(connection, error);
	return NEXT_ANSWER;
}

/* Answers the next request. */
static enum next answer_next(struct uapi_connection *connection)
{
	size_t blank = 0, length;
	const char *end;

	/* Empty lines are ignored between requests. */
	while (!connection->discarded && blank < connection->length && connection->input[blank] == '\n')
		blank++;
	if (blank)
		input_consume(connection, blank);
	end = memmem(connection->input + connection->searched, connection->length - connection->searched, "\n\n", 2);
	/* The last byte may be the first line end of the pair. */
	connection->searched = connection->length ? connection->length - 1 : 0;
	length = end ? (size_t)(end - connection->input) + 2 : 0; /* 0: the request is incomplete */
	connection->sent = connection->filled = 0;
	if (length && connection->discarded) {
		answer_errno(connection, connection->discarded);
		connection->discarded = 0;
		input_consume(connection, length);
		return NEXT_ANSWER;
	}
	if (length && connection->uapi->setting && !request_is(connection->input, length, GET_LINE)) {
		connection->waits = true;
		connection->searched = 0; /* to find the request again */
		return NEXT_PENDING;
	}
	if (request_is(connection->input, length, SET_LINE)) { /* other requests take no time worth dividing */
		if (!set_begin(connection, length))
			return NEXT_PENDING;
		input_consume(connection, length);
		return NEXT_ANSWER;
	}
	if (length && request_is(connection->input, length, MONITOR_REQUEST)) {
		input_consume(connection, length);
		return begin_monitor(connection);
	}
	if (length) {
		answer_request(connection, connection->input, length - 1);
		input_consume(connection, length);
		return NEXT_ANSWER;
	}
	if (!connection->read_closed || !connection->length)
		return NEXT_INPUT;
	/* The client closed its side within a request. */
	answer_errno(connection, connection->discarded ? connection->discarded : -EIO);
	input_consume(connection, connection->length);
	return NEXT_ANSWER;
}

/* --- events ----- */

static void connection_stop(struct uapi_connection *connection)
{
	struct uapi *uapi = connection->uapi;
	void (*closed)(struct uapi * uapi) = connection->closed;

	ev_io_stop(uapi->loop, &connection->read_watcher);
	ev_io_stop(uapi->loop, &connection->write_watcher);
	ev_timer_stop(uapi->loop, &connection->idle_timeout);
	ev_timer_stop(uapi->loop, &connection->request_timeout);
	if (uapi->setting == connection) { /* only at the end of the server */
		ev_timer_stop(uapi->loop, &uapi->set_timer);
		uapi_set_cancel(&connection->set);
		uapi->setting = NULL;
	}
	close(connection->read_watcher.fd);
	list_remove(&connection->node);
	uapi->connection_count--;
	input_free(connection);
	sodium_memzero(connection, sizeof *connection);
	free(connection);
	closed(uapi);
}

/* The set of this or another connection is under way, and this one waits for it: neither reads nor writes. */
static bool is_pending(const struct uapi_connection *connection)
{
	return connection->waits || connection->uapi->setting == connection;
}

static void connection_active(struct uapi_connection *connection)
{
	struct uapi *uapi = connection->uapi;

	connection->active = clock_seconds();
	list_remove(&connection->node); /* the list is in the order of activity */
	list_append(&uapi->connections, &connection->node);
	ev_timer_again(uapi->loop, &connection->idle_timeout);
}

/* A request begins with its first byte, and ends with the last byte of its answer. */
static void request_began(struct uapi_connection *connection)
{
	struct ev_loop *loop = connection->uapi->loop;

	connection->request_began = clock_seconds();
	ev_timer_again(loop, &connection->request_timeout);
}

/* Waits for the next event: room for the rest of the answer, or more of a request. Closes the connection at its end. */
static void connection_wait(struct uapi_connection *connection)
{
	struct ev_loop *loop = connection->uapi->loop;
	enum next next = connection->sent < connection->filled ? NEXT_ANSWER : answer_next(connection);

	ev_io_stop(loop, &connection->read_watcher);
	ev_io_stop(loop, &connection->write_watcher);
	switch (next) {
	case NEXT_ANSWER:
		ev_io_start(loop, &connection->write_watcher);
		break;
	case NEXT_PENDING:
		break;
	case NEXT_MONITOR:
		connection_stop(connection);
		break;
	case NEXT_INPUT:
		if (connection->read_closed)
			connection_stop(connection);
		else
			ev_io_start(loop, &connection->read_watcher);
		break;
	}
}

static void connection_resume(struct uapi_connection *connection)
{
	connection_active(connection);
	connection_wait(connection);
}

static void on_connection_readable(struct ev_loop *loop, struct ev_io *watcher, int events)
{
	struct uapi_connection *connection = watcher->data;
	size_t room;
	ssize_t n;

	connection_active(connection);
	if (connection->length == connection->room && !connection->discarded)
		connection->discarded = input_resize(connection, connection->room * 2);
	/* A client reads the answer after it has written all of its request. The last byte may begin the blank line. */
	if (connection->length == connection->room)
		input_consume(connection, connection->length - 1);
	room = connection->room - connection->length;
	n = recv(watcher->fd, connection->input + connection->length, room < READ_MAX ? room : READ_MAX, 0);
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n < 0) {
		connection_stop(connection);
		return;
	}
	connection->read_closed = !n;
	connection->length += (size_t)n;
	if (n && !connection->request_began)
		request_began(connection);
	connection_wait(connection);
}

static void on_connection_writable(struct ev_loop *loop, struct ev_io *watcher, int events)
{
	struct uapi_connection *connection = watcher->data;
	ssize_t n =
		send(watcher->fd, connection->output + connection->sent, connection->filled - connection->sent, MSG_NOSIGNAL);

	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n < 0) {
		connection_stop(connection);
		return;
	}
	connection_active(connection);
	connection->sent += (size_t)n;
	if (connection->sent < connection->filled)
		return;
	sodium_memzero(connection->output, connection->filled);
	connection->sent = connection->filled = 0;
	if (connection->get_pending)
		answer_get_part(connection);
	if (!connection->filled) {
		connection->request_began = 0;
		ev_timer_stop(loop, &connection->request_timeout);
		if (connection->length)
			request_began(connection);
	}
	connection_wait(connection);
}

/* While the client waits for us, its time does not count. */
static void on_connection_timeout(struct ev_loop *loop, struct ev_timer *watcher, int events)
{
	struct uapi_connection *connection = watcher->data;

	if (!is_pending(connection))
		connection_stop(connection);
}

bool uapi_connection_evict(struct uapi *uapi)
{
	double now = clock_seconds();
	struct uapi_connection *slowest = NULL;

	list_for_each (connection, &uapi->connections, struct uapi_connection, node) {
		if (is_pending(connection))
			continue;
		if (now - connection->active >= EVICT_IDLE) { /* the first of these has been idle longest */
			connection_stop(connection);
			return true;
		}
		if (connection->request_began && now - connection->request_began >= EVICT_SLOW &&
			(!slowest || connection->request_began < slowest->request_began))
			slowest = connection;
	}
	if (slowest)
		connection_stop(slowest);
	return slowest;
}

int uapi_connection_start(struct uapi *uapi, int fd, void (*closed)(struct uapi *uapi))
{
	struct uapi_connection *connection = calloc(1, sizeof *connection);

	if (!connection)
		return -ENOMEM;
	connection->uapi = uapi;
	connection->closed = closed;
	if (input_resize(connection, INPUT_ROOM_MIN)) {
		free(connection);
		return -ENOMEM;
	}
	connection->active = clock_seconds();
	list_append(&uapi->connections, &connection->node);
	uapi->connection_count++;
	ev_io_init(&connection->read_watcher, on_connection_readable, fd, EV_READ);
	ev_io_init(&connection->write_watcher, on_connection_writable, fd, EV_WRITE);
	ev_init(&connection->idle_timeout, on_connection_timeout);
	ev_init(&connection->request_timeout, on_connection_timeout);
	connection->idle_timeout.repeat = uapi->options.idle_timeout;
	connection->request_timeout.repeat = uapi->options.request_timeout;
	connection->read_watcher.data = connection->write_watcher.data = connection;
	connection->idle_timeout.data = connection->request_timeout.data = connection;
	ev_set_priority(&connection->read_watcher, EV_MINPRI + 1);
	ev_set_priority(&connection->write_watcher, EV_MINPRI + 1);
	/* After the loop was held up, the traffic that has waited comes before the timeouts. */
	ev_set_priority(&connection->idle_timeout, EV_MINPRI);
	ev_set_priority(&connection->request_timeout, EV_MINPRI);
	ev_io_start(uapi->loop, &connection->read_watcher);
	ev_timer_again(uapi->loop, &connection->idle_timeout);
	return 0;
}

void uapi_connections_stop(struct uapi *uapi)
{
	struct list_node *node;

	while ((node = list_take_first(&uapi->connections)))
		connection_stop(container_of(node, struct uapi_connection, node));
}
