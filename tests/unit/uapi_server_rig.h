/* SPDX-License-Identifier: MIT */
/* The server of a control socket. It runs while the test runs the event loop. */
#ifndef ADIT_TEST_UAPI_SERVER_RIG_H
#define ADIT_TEST_UAPI_SERVER_RIG_H

#include "device_rig.h"

#include <ev.h>
#include <fcntl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tunnel/loop.h"
#include "uapi/socket.h"
#include "uapi/uapi.h"

#define SERVE_SECONDS 60 /* anything that takes longer hangs */
#define EMPTY_GET "errno=0\n\n"

struct serve {
	struct rig rig;
	struct ev_loop *loop;
	struct path_watches paths;
	struct uapi uapi;
	struct uapi_options options;
	unsigned gone;
};

static char serve_home[] = "/tmp/test_uapi.XXXXXX", serve_directory[64];

/* Group set-up and tear-down. The server creates `serve_directory`. */
static inline int serve_make_home(void **state)
{
	assert_non_null(mkdtemp(serve_home));
	snprintf(serve_directory, sizeof serve_directory, "%s/wireguard", serve_home);
	return 0;
}

static inline int serve_remove_home(void **state)
{
	rmdir(serve_directory);
	return rmdir(serve_home);
}

static void serve_gone(void *context)
{
	struct serve *serve = context;

	serve->gone++;
}

/* The caller may change the options before it calls serve_start. */
static inline void serve_init(struct serve *serve, const char *directory, const char *name)
{
	memset(serve, 0, sizeof *serve);
	rig_init(&serve->rig, name);
	serve->loop = ev_loop_new(LOOP_FLAGS);
	assert_non_null(serve->loop);
	serve->paths.loop = serve->loop;
	serve->options = (struct uapi_options) {
		.directory = directory, .paths = &serve->paths, .socket_removed = serve_gone, .context = serve
	};
}

static inline void serve_start(struct serve *serve)
{
	assert_int_equal(uapi_start(&serve->uapi, &serve->rig.device, serve->loop, &serve->options), 0);
}

static inline void serve_destroy(struct serve *serve)
{
	uapi_stop(&serve->uapi);
	ev_loop_destroy(serve->loop);
	rig_destroy(&serve->rig);
}

static inline void serve_turn(struct serve *serve)
{
	ev_run(serve->loop, EVRUN_NOWAIT);
}

static inline double serve_time(void)
{
	return (double)clock_boottime() / 1e9;
}

/* Runs the loop until `done` returns true. */
static inline void serve_until(struct serve *serve, bool (*done)(void *context), void *context)
{
	double limit = serve_time() + SERVE_SECONDS;

	while (!done(context)) {
		assert_true(serve_time() < limit);
		serve_turn(serve);
	}
}

static inline int serve_connect(struct serve *serve)
{
	int fd = uapi_connect(serve->options.directory, serve->rig.device.name, SERVE_SECONDS);

	assert_true(fd >= 0);
	assert_int_equal(fcntl(fd, F_SETFL, O_NONBLOCK), 0);
	return fd;
}

static inline void serve_send(struct serve *serve, int fd, const char *text, size_t length)
{
	double limit = serve_time() + SERVE_SECONDS;

	while (length) {
		ssize_t sent = send(fd, text, length, MSG_NOSIGNAL);
		assert_true(sent > 0 || (sent < 0 && errno == EAGAIN));
		assert_true(serve_time() < limit);
		serve_turn(serve);
		text += sent > 0 ? sent : 0;
		length -= sent > 0 ? (size_t)sent : 0;
	}
}

/* Receives up to the blank line that ends a reply, or up to the end of the connection. The caller frees the text. */
static inline char *serve_receive(struct serve *serve, int fd)
{
	double limit = serve_time() + SERVE_SECONDS;
	size_t room = 8 << 20, length = 0;
	char *text = malloc(room);

	assert_non_null(text);
	for (;;) {
		/* One byte at a time, so that the start of the next reply stays in the socket. */
		ssize_t got = recv(fd, text + length, 1, 0);
		if (!got)
			break;
		assert_true(got > 0 || errno == EAGAIN || errno == ECONNRESET);
		assert_true(serve_time() < limit && length < room - 1);
		if (got < 0 && errno == ECONNRESET)
			break;
		if (got < 0)
			serve_turn(serve);
		length += got > 0;
		if (got > 0 && length > 1 && !memcmp(text + length - 2, "\n\n", 2))
			break;
	}
	text[length] = '\0';
	return text;
}

/* Sends a request and compares the reply. */
static inline void serve_expect(struct serve *serve, int fd, const char *request, const char *answer)
{
	char *found;

	serve_send(serve, fd, request, strlen(request));
	found = serve_receive(serve, fd);
	assert_string_equal(found, answer);
	free(found);
}

/*
 * Runs `run` in a child process whose standard output and error go to the file `output`, and runs the loop until it
 * exits. Returns the exit code of the child.
 */
static inline int serve_child(struct serve *serve, const char *output, void (*run)(const void *context),
							  const void *context)
{
	double limit = serve_time() + SERVE_SECONDS;
	int status = 0;
	pid_t child;

	fflush(NULL);
	child = fork();
	if (!child) {
		int fd = open(output, O_WRONLY | O_CREAT | O_TRUNC, 0600);
		if (fd < 0 || dup2(fd, STDOUT_FILENO) < 0 || dup2(fd, STDERR_FILENO) < 0)
			_exit(100);
		run(context);
		_exit(101);
	}
	assert_true(child > 0);
	while (!waitpid(child, &status, WNOHANG)) {
		assert_true(serve_time() < limit);
		serve_turn(serve);
		usleep(200);
	}
	assert_true(WIFEXITED(status));
	return WEXITSTATUS(status);
}

/* Returns the text of a file. The caller frees it. */
static inline char *serve_read_file(const char *path)
{
	enum { ROOM = 1 << 20 };
	char *text = malloc(ROOM);
	FILE *file = fopen(path, "r");

	assert_non_null(text);
	assert_non_null(file);
	text[fread(text, 1, ROOM - 1, file)] = '\0';
	fclose(file);
	return text;
}

/* --- the server of the test program ----- */

static struct serve serve;

static inline int serve_set_up(void **state)
{
	serve_init(&serve, serve_directory, "test");
	serve_start(&serve);
	return 0;
}

/* Serves where wg(8) and the commands of adit look for sockets. Needs sandbox_enter_with_run. */
static inline int serve_set_up_system(void **state)
{
	serve_init(&serve, UAPI_DIRECTORY, "wgtest");
	serve_start(&serve);
	return 0;
}

static inline int serve_tear_down(void **state)
{
	serve_destroy(&serve);
	return 0;
}

/* A condition for serve_until. */
static inline bool serve_all_closed(void *context)
{
	return !serve.uapi.connection_count;
}

/* Returns a set of one peer with slightly more than `bytes` bytes. The caller frees it. */
static inline char *serve_large_set(size_t bytes)
{
	char *text = malloc(bytes + 200), *end = text;

	assert_non_null(text);
	end += sprintf(end, "set=1\npublic_key=%s\n", rig_hex(2));
	for (unsigned i = 0; end < text + bytes; i++)
		end += sprintf(end, "allowed_ip=%u.%u.%u.0/24\n", i >> 16 & 255, i >> 8 & 255, i & 255);
	strcpy(end, "\n");
	return text;
}

#endif
