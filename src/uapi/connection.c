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
 * Input and output contain keys. Both are wiped before they are freed or reused.
 */
#include "connection.h"

#include <errno.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "config/apply.h"
#include "text.h"

enum {
	INPUT_ROOM_MIN = 4096, /* enough for a get */
	READ_MAX = 64 << 10,   /* bytes per event */
	PART_MAX = 16 << 10,   /* bytes of an answer to get per event */
	ERRNO_ROOM = 32,       /* for the line that ends an answer */
};

struct uapi_connection {
	struct uapi *uapi;
	void (*closed)(struct uapi *uapi);
	struct list_node node;
	struct ev_io read_watcher, write_watcher;
	struct ev_timer idle_timeout;
	char *input;
	size_t room, length;
	size_t searched;  /* no request ends in the first `searched` bytes */
	bool read_closed; /* no further request will arrive */
	struct uapi_get get;
	bool get_pending; /* the answer has another part */
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

/* --- input buffer --- */

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

/* --- requests and answers --- */

static void answer_errno(struct uapi_connection *connection, int error)
{
	connection->filled += (size_t)snprintf(connection->output + connection->filled, ERRNO_ROOM, "errno=%d\n\n", error);
}

static void answer_get_part(struct uapi_connection *connection)
{
	connection->filled = uapi_get_next(&connection->get, connection->uapi->device, connection->output, PART_MAX);
	connection->get_pending = connection->filled;
}

static void answer_set(struct uapi_connection *connection, char *text, size_t length)
{
	struct device *device = connection->uapi->device;
	struct config config = { 0 };
	int error = uapi_parse(&config, text, length);

	if (!error)
		error = apply_set(device, &config, clock_boottime());
	config_destroy(&config);
	if (error)
		log_debug(device->name, "control socket: set request failed: %s", strerror(-error));
	answer_errno(connection, error);
}

static void answer_verb(struct uapi_connection *connection, const char *name)
{
	const struct uapi_options *options = &connection->uapi->options;
	struct uapi_reply reply = { .text = connection->output, .room = UAPI_REPLY_MAX };
	int error = -EINVAL;

	for (const struct uapi_verb *verb = options->verbs; verb && verb->name; verb++) {
		if (strcmp(verb->name, name))
			continue;
		error = verb->call(options->context, &reply);
		break;
	}
	connection->filled = reply.length;
	answer_errno(connection, error);
}

/* Dispatches a request of `length` bytes without its blank line: `verb=1`, then the verb's own lines. */
static void answer_request(struct uapi_connection *connection, char *request, size_t length)
{
	char *text = (char *)memchr(request, '\n', length) + 1;
	char *equals = memchr(request, '=', (size_t)(text - request));

	text[-1] = '\0';
	length -= (size_t)(text - request);
	if (!equals) {
		answer_errno(connection, -EPROTO);
		return;
	}
	*equals = '\0';
	if (strcmp(equals + 1, "1")) {
		answer_errno(connection, -EINVAL);
	} else if (!strcmp(request, "get") && length) { /* a get has no lines of its own */
		answer_errno(connection, -EINVAL);
	} else if (!strcmp(request, "get")) {
		connection->get = (struct uapi_get) { 0 };
		answer_get_part(connection);
	} else if (!strcmp(request, "set")) {
		answer_set(connection, text, length);
	} else {
		answer_verb(connection, request);
	}
}

/* The length of the first request with its blank line, or 0 if it is incomplete. */
static size_t find_request(struct uapi_connection *connection)
{
	const char *found =
		memmem(connection->input + connection->searched, connection->length - connection->searched, "\n\n", 2);

	/* The last byte may be the first line end of the pair. */
	connection->searched = connection->length ? connection->length - 1 : 0;
	return found ? (size_t)(found - connection->input) + 2 : 0;
}

/* Answers the next request. False: none is complete. */
static bool answer_next(struct uapi_connection *connection)
{
	size_t blank = 0, length;

	while (blank < connection->length && connection->input[blank] == '\n') /* ignored between requests */
		blank++;
	if (blank)
		input_consume(connection, blank);
	length = find_request(connection);
	connection->sent = connection->filled = 0;
	if (length) {
		answer_request(connection, connection->input, length - 1);
		input_consume(connection, length);
		return true;
	}
	if (!connection->read_closed || !connection->length)
		return false;
	answer_errno(connection, -EIO); /* the client closed its side within a request */
	input_consume(connection, connection->length);
	return true;
}

/* --- events --- */

static void connection_stop(struct uapi_connection *connection)
{
	struct uapi *uapi = connection->uapi;
	void (*closed)(struct uapi * uapi) = connection->closed;

	ev_io_stop(uapi->loop, &connection->read_watcher);
	ev_io_stop(uapi->loop, &connection->write_watcher);
	ev_timer_stop(uapi->loop, &connection->idle_timeout);
	close(connection->read_watcher.fd);
	list_remove(&connection->node);
	uapi->connection_count--;
	input_free(connection);
	sodium_memzero(connection, sizeof *connection);
	free(connection);
	closed(uapi);
}

/* Waits for the next event: room for the rest of the answer, or more of a request. Closes the connection at its end. */
static void connection_wait(struct uapi_connection *connection)
{
	struct ev_loop *loop = connection->uapi->loop;

	if (connection->sent < connection->filled || answer_next(connection)) {
		ev_io_stop(loop, &connection->read_watcher);
		ev_io_start(loop, &connection->write_watcher);
	} else if (connection->read_closed) {
		connection_stop(connection);
	} else {
		ev_io_stop(loop, &connection->write_watcher);
		ev_io_start(loop, &connection->read_watcher);
	}
}

static void on_connection_readable(struct ev_loop *loop, struct ev_io *watcher, int events)
{
	struct uapi_connection *connection = watcher->data;
	size_t room;
	ssize_t n;
	int error = 0;

	ev_timer_again(loop, &connection->idle_timeout);
	if (connection->length == connection->room)
		error = input_resize(connection, connection->room * 2);
	if (error) { /* the request is too large: answer it and close */
		input_consume(connection, connection->length);
		connection->read_closed = true;
		answer_errno(connection, error);
		connection_wait(connection);
		return;
	}
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
	ev_timer_again(loop, &connection->idle_timeout);
	connection->sent += (size_t)n;
	if (connection->sent < connection->filled)
		return;
	sodium_memzero(connection->output, connection->filled);
	connection->sent = connection->filled = 0;
	if (connection->get_pending)
		answer_get_part(connection);
	connection_wait(connection);
}

static void on_idle_timeout(struct ev_loop *loop, struct ev_timer *watcher, int events)
{
	connection_stop(watcher->data);
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
	list_append(&uapi->connections, &connection->node);
	uapi->connection_count++;
	ev_io_init(&connection->read_watcher, on_connection_readable, fd, EV_READ);
	ev_io_init(&connection->write_watcher, on_connection_writable, fd, EV_WRITE);
	ev_init(&connection->idle_timeout, on_idle_timeout);
	connection->idle_timeout.repeat = uapi->options.idle_timeout;
	connection->read_watcher.data = connection->write_watcher.data = connection->idle_timeout.data = connection;
	ev_set_priority(&connection->read_watcher, EV_MINPRI);
	ev_set_priority(&connection->write_watcher, EV_MINPRI);
	ev_io_start(uapi->loop, &connection->read_watcher);
	ev_timer_again(uapi->loop, &connection->idle_timeout);
	return 0;
}

void uapi_connection_stop_first(struct uapi *uapi)
{
	connection_stop(list_first_entry(&uapi->connections, struct uapi_connection, node));
}
