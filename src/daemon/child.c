/* SPDX-License-Identifier: MIT */
/*
 * Child programs: spawns them, reads their output and reaps them on the event loop.
 *
 * A child that has ended may leave programs in the background that have inherited its output, as in `PostUp = watch-it
 * &`. So the struct of a child lives until the end of the output, and not only until the end of the process: if the
 * pipe were closed, the next line that such a program writes would kill it.
 *
 * Packets may flow on the same loop, so one wake-up reads one chunk, and then the watcher pauses. If a program writes
 * faster than that, the pipe fills and the program blocks.
 */
#include "daemon/child.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "network/process.h"

enum {
	OUTPUT_CHUNK = 4096,         /* bytes per read */
	OUTPUT_PIPE_CHUNKS = 64 / 4, /* of a full pipe(7) */
};

#define OUTPUT_PAUSE .002 /* seconds after each read */

struct child {
	struct list_node node; /* in children.list */
	struct children *children;
	struct child_options options;
	pid_t process; /* 0: has ended */
	bool timed_out;
	struct ev_child ending;
	struct ev_io output;
	struct ev_timer pause; /* of the watcher of the output */
	struct ev_timer limit;
	char line[CHILD_LINE];
	size_t length; /* of the beginning of a line in `line` */
};

/* --- environment ----- */

/* These variables concern the daemon alone: a child must not report its own state to the service manager. */
static bool is_private_variable(const char *variable)
{
	static const char *const names[] = { "NOTIFY_SOCKET=", "WATCHDOG_PID=",   "WATCHDOG_USEC=", "LISTEN_PID=",
										 "LISTEN_FDS=",    "LISTEN_FDNAMES=", "LC_ALL=" };

	for (size_t i = 0; i < sizeof names / sizeof *names; i++)
		if (!strncmp(variable, names[i], strlen(names[i])))
			return true;
	return false;
}

/* wg-quick(8) sets the same LC_ALL. The strings belong to the process. */
static char **make_environment(void)
{
	static char locale[] = "LC_ALL=C";
	size_t count = 0, used = 0;
	char **made;

	while (environ[count])
		count++;
	made = calloc(count + 2, sizeof *made);
	if (!made)
		return NULL;
	for (size_t i = 0; i < count; i++)
		if (!is_private_variable(environ[i]))
			made[used++] = environ[i];
	made[used] = locale;
	return made;
}

/* Returns the environment with `variables` added, in an array that the caller frees. The strings are not copied. */
static char **add_variables(char **environment, const char *const *variables)
{
	size_t count = 0, added = 0;
	char **made;

	while (environment[count])
		count++;
	while (variables[added])
		added++;
	made = calloc(count + added + 1, sizeof *made);
	if (!made)
		return NULL;
	memcpy(made, environment, count * sizeof *made);
	memcpy(made + count, variables, added * sizeof *made);
	return made;
}

int children_start(struct children *children, struct ev_loop *loop)
{
	*children = (struct children) { .loop = loop, .environment = make_environment() };
	return children->environment ? 0 : -ENOMEM;
}

/* --- output ----- */

static void end_line(struct child *child)
{
	const struct child_options *options = &child->options;

	while (child->length && isspace((unsigned char)child->line[child->length - 1]))
		child->length--;
	child->line[child->length] = '\0';
	if (child->length && options->line)
		options->line(options->line_context, options->label, child->line);
	child->length = 0;
}

static void close_child_output(struct child *child)
{
	end_line(child);
	ev_io_stop(child->children->loop, &child->output);
	ev_timer_stop(child->children->loop, &child->pause);
	close(child->output.fd);
	child->output.fd = -1;
}

/* Frees a child that has ended and whose output has, too. */
static void release_child(struct child *child)
{
	if (child->process || child->output.fd >= 0)
		return;
	list_remove(&child->node);
	free(child);
}

/* Reads at most `chunks` chunks from the pipe, and closes the output at its end. */
static void read_child_output(struct child *child, int chunks)
{
	char chunk[OUTPUT_CHUNK];
	ssize_t length;

	do {
		length = read(child->output.fd, chunk, sizeof chunk);
		for (ssize_t i = 0; i < length; i++) {
			if (chunk[i] == '\n' || child->length == CHILD_LINE - 1)
				end_line(child);
			if (chunk[i] != '\n')
				child->line[child->length++] =
					(char)(iscntrl((unsigned char)chunk[i]) && chunk[i] != '\t' ? '?' : chunk[i]);
		}
	} while (length == sizeof chunk && --chunks);
	if (length == 0 || (length < 0 && errno != EAGAIN && errno != EINTR))
		close_child_output(child);
}

static void on_output_pause(struct ev_loop *loop, struct ev_timer *watcher, int events)
{
	struct child *child = watcher->data;

	ev_io_start(loop, &child->output);
}

static void on_child_output(struct ev_loop *loop, struct ev_io *watcher, int events)
{
	struct child *child = watcher->data;

	read_child_output(child, 1);
	if (child->output.fd >= 0) {
		ev_io_stop(loop, &child->output);
		ev_now_update(loop);
		ev_timer_set(&child->pause, OUTPUT_PAUSE, 0.);
		ev_timer_start(loop, &child->pause);
	}
	release_child(child);
}

/* --- life ----- */

static void on_child_end(struct ev_loop *loop, struct ev_child *watcher, int events)
{
	struct child *child = watcher->data;
	const struct child_options options = child->options;
	int status = watcher->rstatus;

	if (!WIFEXITED(status) && !WIFSIGNALED(status))
		return;
	ev_child_stop(loop, &child->ending);
	ev_timer_stop(loop, &child->limit);
	child->process = 0;
	if (child->output.fd >= 0)
		read_child_output(child, OUTPUT_PIPE_CHUNKS);
	if (child->output.fd >= 0)
		end_line(child);
	status = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
	if (child->timed_out)
		status = -ETIMEDOUT;
	release_child(child);
	options.done(options.done_context, status);
}

static void on_child_limit(struct ev_loop *loop, struct ev_timer *watcher, int events)
{
	struct child *child = watcher->data;

	child->timed_out = true;
	kill(-child->process, SIGKILL);
}

static int open_child_input(const char *input)
{
	int fd;

	if (input)
		return process_open_input(input, strlen(input));
	fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
	return fd < 0 ? -errno : fd;
}

static void watch_child(struct child *child, int output)
{
	struct ev_loop *loop = child->children->loop;

	ev_child_init(&child->ending, on_child_end, child->process, 0);
	child->ending.data = child;
	ev_child_start(loop, &child->ending);
	ev_io_init(&child->output, on_child_output, output, EV_READ);
	child->output.data = child;
	ev_io_start(loop, &child->output);
	ev_init(&child->pause, on_output_pause);
	child->pause.data = child;
	ev_now_update(loop);
	ev_timer_init(&child->limit, on_child_limit, child->options.limit, 0.);
	child->limit.data = child;
	ev_timer_start(loop, &child->limit);
}

int child_start(struct children *children, const struct child_options *options)
{
	struct child *child = calloc(1, sizeof *child);
	char **environment = children->environment;
	int input, output[2] = { -1, -1 }, error;

	if (!child)
		return -ENOMEM;
	child->children = children;
	child->options = *options;
	input = open_child_input(options->input);
	error = input < 0 ? input : 0;
	if (error)
		goto free_child;
	if (options->variables) {
		environment = add_variables(environment, options->variables);
		error = environment ? 0 : -ENOMEM;
	}
	if (error)
		goto close_input;
	error = pipe2(output, O_CLOEXEC) ? -errno : 0;
	if (error)
		goto free_environment;
	error = process_spawn(options->argv, environment, input, output[1], &child->process);
	close(output[1]);
	if (error)
		goto close_output;
	if (options->variables)
		free(environment);
	close(input);
	fcntl(output[0], F_SETFL, O_NONBLOCK); /* of our end only: two ends are two open files */
	watch_child(child, output[0]);
	list_append(&children->list, &child->node);
	return 0;
close_output:
	close(output[0]);
free_environment:
	if (options->variables)
		free(environment);
close_input:
	close(input);
free_child:
	free(child);
	return error;
}

/* Kills the process group if the child runs, and frees the child. */
static void abandon_child(struct child *child)
{
	struct ev_loop *loop = child->children->loop;

	if (child->process) {
		ev_child_stop(loop, &child->ending);
		ev_timer_stop(loop, &child->limit);
		kill(-child->process, SIGKILL);
		waitpid(child->process, NULL, 0);
		child->process = 0;
	}
	if (child->output.fd >= 0)
		close_child_output(child);
	release_child(child);
}

void children_stop(struct children *children)
{
	struct list_node *node;

	while ((node = list_take_first(&children->list)))
		abandon_child(container_of(node, struct child, node));
	free(children->environment);
	*children = (struct children) { 0 };
}

/* --- waiting for a child ----- */

struct child_wait {
	bool over;
	int status;
};

static void on_awaited_end(void *context, int status)
{
	*(struct child_wait *)context = (struct child_wait) { true, status };
}

int child_run(struct children *children, const struct child_options *options, const bool *ended)
{
	struct child_options awaited = *options;
	struct child_wait wait = { 0 };
	int error;

	awaited.done = on_awaited_end;
	awaited.done_context = &wait;
	error = child_start(children, &awaited);
	if (error)
		return error;
	while (!wait.over && !*ended)
		ev_run(children->loop, EVRUN_ONCE);
	if (wait.over)
		return wait.status;
	list_for_each (child, &children->list, struct child, node) {
		if (child->options.done_context == &wait) {
			abandon_child(child);
			break;
		}
	}
	return -ECANCELED;
}
