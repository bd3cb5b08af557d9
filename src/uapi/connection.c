/* SPDX-License-Identifier: MIT */
/*
 * Theory of operation
 *
 * A client reads or writes, never both: while an answer is under way nothing more is read, so a client that does not
 * take its answers cannot make us hold more than one. Input collects until a blank line ends the request; the answer is
 * written to `output` part by part, the next when the last has gone. Each wake-up moves one part of bounded size, at
 * the lowest priority of the loop: packets go first.
 *
 * Input and output hold keys: both are wiped when they are let go.
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
	ROOM_FIRST = 4096,   /* for requests; a get fits */
	READ_MAX = 64 << 10, /* bytes in one wake-up */
	PART_MAX = 16 << 10, /* bytes of a get in one wake-up */
	ERRNO_ROOM = 32,     /* the line that ends an answer */
};

struct uapi_client {
	struct uapi *uapi;
	struct uapi_client *previous, *next;
	struct ev_io reading, writing;
	struct ev_timer idle_timeout;
	char *input;
	size_t room, length;
	size_t searched; /* no request ends before here */
	bool last;       /* no request comes after this */
	struct uapi_get get;
	bool getting;
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

/* --- room for requests --- */

/* What a buffer counts for in the bound of all clients: the first room does not, so that it can be had always. */
static size_t weight(size_t room)
{
	return room > ROOM_FIRST ? room : 0;
}

static void release_input(struct uapi_client *client)
{
	if (client->input)
		sodium_memzero(client->input, client->room);
	free(client->input);
	client->uapi->held -= weight(client->room);
}

/* Not realloc(3), which would leave keys behind. */
static int resize_input(struct uapi_client *client, size_t room)
{
	size_t held = client->uapi->held - weight(client->room) + weight(room);
	char *input;

	if (weight(room) && held > UAPI_REQUEST_MAX)
		return -E2BIG;
	input = malloc(room);
	if (!input)
		return -ENOMEM;
	if (client->length)
		memcpy(input, client->input, client->length);
	release_input(client);
	client->input = input;
	client->room = room;
	client->uapi->held = held;
	return 0;
}

/* Takes the first `n` bytes out; a large buffer goes when it is not needed any more. */
static void consume(struct uapi_client *client, size_t n)
{
	client->length -= n;
	client->searched = 0;
	memmove(client->input, client->input + n, client->length);
	sodium_memzero(client->input + client->length, n);
	if (client->room > ROOM_FIRST && client->length <= ROOM_FIRST)
		resize_input(client, ROOM_FIRST); /* without memory it stays large */
}

/* --- requests and answers --- */

static void answer_errno(struct uapi_client *client, int error)
{
	client->filled += (size_t)snprintf(client->output + client->filled, ERRNO_ROOM, "errno=%d\n\n", error);
}

static void answer_part(struct uapi_client *client)
{
	client->filled = uapi_get_next(&client->get, client->uapi->device, client->output, PART_MAX);
	client->getting = client->filled;
}

static void answer_get(struct uapi_client *client, size_t length)
{
	if (length) {
		answer_errno(client, -EINVAL); /* a get says nothing more */
		return;
	}
	client->get = (struct uapi_get) { 0 };
	answer_part(client);
}

static void answer_set(struct uapi_client *client, char *text, size_t length)
{
	struct device *device = client->uapi->device;
	struct config config = { 0 };
	int error = uapi_parse(&config, text, length);

	if (!error)
		error = apply_set(device, &config, clock_boottime());
	config_destroy(&config);
	if (error)
		log_debug(device->name, "a set on the control socket was refused: %s", strerror(-error));
	answer_errno(client, error);
}

static void answer_verb(struct uapi_client *client, const char *name)
{
	const struct uapi_options *options = &client->uapi->options;
	struct uapi_reply reply = { .text = client->output, .room = UAPI_REPLY_MAX };
	int error = -EINVAL;

	for (const struct uapi_verb *verb = options->verbs; verb && verb->name; verb++) {
		if (strcmp(verb->name, name))
			continue;
		error = verb->call(options->context, &reply);
		break;
	}
	client->filled = reply.length;
	answer_errno(client, error);
}

/* A request of `length` bytes, blank line not included: the verb, `=1`, and lines that say more. */
static void answer(struct uapi_client *client, char *request, size_t length)
{
	char *text = (char *)memchr(request, '\n', length) + 1;
	char *equals = memchr(request, '=', (size_t)(text - request));

	text[-1] = '\0';
	length -= (size_t)(text - request);
	if (!equals) {
		answer_errno(client, -EPROTO);
		return;
	}
	*equals = '\0';
	if (strcmp(equals + 1, "1"))
		answer_errno(client, -EINVAL);
	else if (!strcmp(request, "get"))
		answer_get(client, length);
	else if (!strcmp(request, "set"))
		answer_set(client, text, length);
	else
		answer_verb(client, request);
}

/* Bytes up to and with the first blank line, or 0: there is none yet. */
static size_t find_request(struct uapi_client *client)
{
	const char *found = memmem(client->input + client->searched, client->length - client->searched, "\n\n", 2);

	client->searched = client->length ? client->length - 1 : 0; /* the second line end may be still to come */
	return found ? (size_t)(found - client->input) + 2 : 0;
}

/* Blank lines between requests mean nothing. */
static void skip_blank_lines(struct uapi_client *client)
{
	size_t blank = 0;

	while (blank < client->length && client->input[blank] == '\n')
		blank++;
	if (blank)
		consume(client, blank);
}

/* Answers the next request. False: there is none. */
static bool answer_next(struct uapi_client *client)
{
	size_t length;

	skip_blank_lines(client);
	length = find_request(client);
	client->sent = client->filled = 0;
	if (length) {
		answer(client, client->input, length - 1);
		consume(client, length);
		return true;
	}
	if (!client->last || !client->length)
		return false;
	answer_errno(client, -EIO); /* half a request, and the rest will not come */
	consume(client, client->length);
	return true;
}

/* Sets the watchers to what comes next: an answer to be written, a request to be read, or the end. */
static void go_on(struct uapi_client *client)
{
	struct ev_loop *loop = client->uapi->loop;

	if (client->sent < client->filled || answer_next(client)) {
		ev_io_stop(loop, &client->reading);
		ev_io_start(loop, &client->writing);
	} else if (client->last) {
		uapi_client_stop(client);
	} else {
		ev_io_stop(loop, &client->writing);
		ev_io_start(loop, &client->reading);
	}
}

/* A request that is larger than we hold: said, and then the end. */
static void refuse(struct uapi_client *client, int error)
{
	consume(client, client->length);
	client->last = true;
	answer_errno(client, error);
}

static void on_readable(struct ev_loop *loop, struct ev_io *watcher, int events)
{
	struct uapi_client *client = watcher->data;
	size_t free_room;
	ssize_t got;
	int error = client->length == client->room ? resize_input(client, client->room * 2) : 0;

	ev_timer_again(loop, &client->idle_timeout);
	if (error) {
		refuse(client, error);
		go_on(client);
		return;
	}
	free_room = client->room - client->length;
	got = recv(watcher->fd, client->input + client->length, free_room < READ_MAX ? free_room : READ_MAX, 0);
	if (got < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (got < 0) {
		uapi_client_stop(client);
		return;
	}
	client->last = !got;
	client->length += (size_t)got;
	go_on(client);
}

static void on_writable(struct ev_loop *loop, struct ev_io *watcher, int events)
{
	struct uapi_client *client = watcher->data;
	ssize_t put = send(watcher->fd, client->output + client->sent, client->filled - client->sent, MSG_NOSIGNAL);

	if (put < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (put < 0) {
		uapi_client_stop(client);
		return;
	}
	ev_timer_again(loop, &client->idle_timeout);
	client->sent += (size_t)put;
	if (client->sent < client->filled)
		return;
	sodium_memzero(client->output, client->filled);
	client->sent = client->filled = 0;
	if (client->getting)
		answer_part(client);
	go_on(client);
}

static void on_idle_timeout(struct ev_loop *loop, struct ev_timer *watcher, int events)
{
	uapi_client_stop(watcher->data);
}

/* --- coming and going --- */

static void watch(struct uapi_client *client, int fd)
{
	struct ev_loop *loop = client->uapi->loop;

	ev_io_init(&client->reading, on_readable, fd, EV_READ);
	ev_io_init(&client->writing, on_writable, fd, EV_WRITE);
	ev_init(&client->idle_timeout, on_idle_timeout);
	client->idle_timeout.repeat = client->uapi->options.idle_timeout;
	client->reading.data = client->writing.data = client->idle_timeout.data = client;
	ev_set_priority(&client->reading, EV_MINPRI);
	ev_set_priority(&client->writing, EV_MINPRI);
	ev_io_start(loop, &client->reading);
	ev_timer_again(loop, &client->idle_timeout);
}

int uapi_client_start(struct uapi *uapi, int fd)
{
	struct uapi_client *client = calloc(1, sizeof *client);

	if (!client)
		return -ENOMEM;
	client->uapi = uapi;
	if (resize_input(client, ROOM_FIRST)) {
		free(client);
		return -ENOMEM;
	}
	client->next = uapi->first;
	if (uapi->first)
		uapi->first->previous = client;
	uapi->first = client;
	uapi->clients++;
	watch(client, fd);
	return 0;
}

void uapi_client_stop(struct uapi_client *client)
{
	struct uapi *uapi = client->uapi;

	ev_io_stop(uapi->loop, &client->reading);
	ev_io_stop(uapi->loop, &client->writing);
	ev_timer_stop(uapi->loop, &client->idle_timeout);
	close(client->reading.fd);
	*(client->previous ? &client->previous->next : &uapi->first) = client->next;
	if (client->next)
		client->next->previous = client->previous;
	uapi->clients--;
	release_input(client);
	sodium_memzero(client, sizeof *client);
	free(client);
	uapi_client_left(uapi);
}
