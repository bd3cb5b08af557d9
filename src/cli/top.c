/* SPDX-License-Identifier: MIT */
/*
 * adit top: shows the peers of an interface and their traffic on a terminal, live.
 *
 * The loop waits for keys, signals and samples. A sampler thread asks the daemon, so the loop never waits for a daemon.
 * It may wait for a terminal that does not read; a signal that ends the program works then, too, because the handler
 * sets an alarm, whose signal has no handler.
 */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/usage.h"
#include "cli/show.h"
#include "top_layout.h"
#include "top_sampler.h"
#include "top_screen.h"
#include "uapi_client.h"

enum { TICK_MS = 1000, END_SECONDS = 2, INTERVAL_MAX = 3600 };

struct top {
	struct top_sampler *sampler;
	struct top_model model;
	struct top_view view;
	struct top_grid grid;
	char name[IFNAMSIZ]; /* the interface that is shown; "": the first one that appears */
	char (*names)[IFNAMSIZ];
	unsigned name_count;
	uint64_t pause;
};

/* --- signals ----- */

static int wake_fd = -1;
static volatile sig_atomic_t must_end, must_stop, must_resume, must_resize;

/* Async-signal-safe, and safe in threads. */
static void wake_loop(void)
{
	uint64_t one = 1;
	ssize_t written = write(wake_fd, &one, sizeof one);

	(void)written; /* fails only if the loop has been woken up very often already */
}

static void top_signal(int number)
{
	int error = errno;

	switch (number) {
	case SIGTSTP:
		must_stop = 1;
		break;
	case SIGCONT:
		must_resume = must_resize = 1;
		break;
	case SIGWINCH:
		must_resize = 1;
		break;
	default:
		must_end = 1;
		alarm(END_SECONDS);
		break;
	}
	wake_loop();
	errno = error;
}

static void handle_signal(int number, void (*handler)(int number))
{
	struct sigaction action = { .sa_handler = handler, .sa_flags = SA_RESTART };

	sigfillset(&action.sa_mask);
	sigaction(number, &action, NULL);
}

/* Stops this process as the terminal's suspend key does, and returns when it continues. */
static void stop_process(void)
{
	top_screen->suspend();
	handle_signal(SIGTSTP, SIG_DFL);
	raise(SIGTSTP);
	handle_signal(SIGTSTP, top_signal);
	must_resume = must_resize = 1;
}

/* --- interfaces ----- */

static unsigned name_index(const struct top *top)
{
	for (unsigned i = 0; i < top->name_count; i++)
		if (!strcmp(top->names[i], top->name))
			return i;
	return 0;
}

/* Shows the next interface, or the previous one for a `step` of -1. */
static void step_interface(struct top *top, int step)
{
	unsigned index = name_index(top), count = top->name_count;

	if (!count || (count == 1 && !strcmp(top->names[0], top->name)))
		return;
	if (!strcmp(top->names[index], top->name)) /* otherwise the shown one has no socket now: show the first one */
		index = (index + (step > 0 ? 1 : count - 1)) % count;
	snprintf(top->name, sizeof top->name, "%s", top->names[index]);
	top_model_clear(&top->model);
	*top->view.selected = '\0';
	top->view.page = TOP_TABLE;
	top_sampler_select(top->sampler, top->name);
}

/* Takes the latest sample, if there is a new one. A pause keeps the values that are shown, if there are any. */
static void take_latest(struct top *top)
{
	struct top_reading reading = { 0 };

	if ((top->view.paused && top->model.time) || !top_sampler_take(top->sampler, &reading))
		return;
	free(top->names);
	top->names = reading.names;
	top->name_count = reading.name_count;
	top->pause = reading.pause;
	reading.names = NULL;
	if (!*top->name)
		memcpy(top->name, reading.sample.state.name, sizeof top->name);
	/* A sample of another interface began before the user chose this one. */
	if (!strcmp(reading.sample.state.name, top->name))
		top_model_update(&top->model, &reading.sample); /* without memory the screen is empty until the next sample */
	top_reading_free(&reading);
}

/* --- the loop ----- */

/* Returns false if the program must end. */
static bool handle_keys(struct top *top)
{
	unsigned key;

	while ((key = top_screen->key()) != TOP_KEY_NONE) {
		switch (top_view_key(&top->view, key)) {
		case TOP_QUIT:
			return false;
		case TOP_NEXT_INTERFACE:
			step_interface(top, 1);
			break;
		case TOP_PREVIOUS_INTERFACE:
			step_interface(top, -1);
			break;
		case TOP_REDRAW:
			must_resume = 1;
			break;
		case TOP_STAY:
			break;
		}
		top_view_update(&top->view, &top->model);
	}
	top_sampler_pause(top->sampler, top->view.paused);
	return true;
}

static void draw(struct top *top)
{
	struct top_shown shown = { &top->model,     &top->view,       top->name, name_index(top),
							   top->name_count, clock_boottime(), top->pause };
	int rows, columns;

	if (must_resize) {
		must_resize = 0;
		top_screen->resize();
	}
	if (must_resume) {
		must_resume = 0;
		top_screen->resume();
	}
	top_screen->size(&rows, &columns);
	if (top_grid_resize(&top->grid, rows, columns))
		return;
	top_layout(&top->grid, &shown);
	top_screen->draw(&top->grid);
}

static void run_loop(struct top *top)
{
	struct pollfd fds[] = { { STDIN_FILENO, POLLIN, 0 }, { wake_fd, POLLIN, 0 } };
	uint64_t count;

	while (!must_end) {
		take_latest(top);
		top_view_update(&top->view, &top->model);
		draw(top);
		if (must_end || (poll(fds, 2, TICK_MS) < 0 && errno != EINTR))
			return;
		if (read(wake_fd, &count, sizeof count) < 0 && errno != EAGAIN)
			return;
		if (must_stop) {
			must_stop = 0;
			stop_process();
		}
		if (!handle_keys(top) || (fds[0].revents & (POLLHUP | POLLERR | POLLNVAL)))
			return;
	}
}

static int run_top(const char *name, uint64_t interval)
{
	static const int signals[] = { SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGTSTP, SIGCONT, SIGWINCH };
	struct top top = { .pause = interval };
	int error;

	snprintf(top.name, sizeof top.name, "%s", name);
	wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (wake_fd < 0)
		return -errno;
	error = top_screen->open();
	if (error)
		return error;
	for (size_t i = 0; i < sizeof signals / sizeof *signals; i++)
		handle_signal(signals[i], top_signal);
	top_model_clear(&top.model);
	top.grid.ascii = top_screen->is_ascii();
	top.sampler = top_sampler_start(top.name, interval, wake_loop);
	if (top.sampler)
		run_loop(&top);
	top_screen->close();
	top_model_clear(&top.model);
	top_view_free(&top.view);
	top_grid_free(&top.grid);
	free(top.names);
	return top.sampler ? 0 : -ENOMEM;
}

int command_top(int argc, char **argv)
{
	const char *terminal = getenv("TERM");
	unsigned interval = 1;
	int error;

	if (!usage_take_seconds("top", &argc, argv, "--interval", INTERVAL_MAX, &interval) ||
		!usage_check("top", argc, argv, "[IFNAME] [--interval SECONDS]", 0, 1))
		return EXIT_FAILURE;
	if (argc > 1 && !uapi_client_check_name("top", argv[1]))
		return EXIT_FAILURE;
	if (!top_screen) {
		fputs("adit top: this build has no ncurses; use \"adit show\"\n", stderr);
		return EXIT_FAILURE;
	}
	if (!isatty(STDIN_FILENO) || !isatty(STDOUT_FILENO)) {
		fputs("adit top: this is not a terminal; use \"adit show\"\n", stderr);
		return EXIT_FAILURE;
	}
	error = run_top(argc > 1 ? argv[1] : "", interval * NS_PER_S);
	if (error == -ENOTSUP)
		fprintf(stderr, "adit top: TERM: \"%s\" is not a type of terminal that has a screen\n",
				terminal ? terminal : "");
	else if (error)
		fprintf(stderr, "adit top: %s\n", strerror(-error));
	return error ? EXIT_FAILURE : EXIT_SUCCESS;
}
