/* SPDX-License-Identifier: MIT */
/* adit show: finds the control sockets, reads the state of their interfaces and prints it. */
#include "cli/show.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/usage.h"
#include "parallel.h"
#include "show_output.h"
#include "uapi/uapi.h"
#include "uapi_client.h"

enum { INTERVAL_MAX = 86400 /* seconds */, OUTPUT_BUFFER = 64 << 10 /* bytes */ };

/* --- interfaces ----- */

static int show_failed(const char *name, int error)
{
	fprintf(stderr, "adit show: %s: %s\n", name, uapi_client_error(error));
	return error;
}

/* Returns NULL if there is no memory. */
static struct show_interface *new_interface(const char *name)
{
	struct show_interface *interface = calloc(1, sizeof *interface);

	if (interface)
		snprintf(interface->name, sizeof interface->name, "%s", name);
	return interface;
}

static void free_interfaces(struct show_interface *interface)
{
	while (interface) {
		struct show_interface *next = interface->next;
		show_free(interface);
		free(interface);
		interface = next;
	}
}

/* Replaces the state of the interface by the text of the error. Returns 0 or -ENOMEM. */
static int mark_unreadable(struct show_interface *interface, int error)
{
	char name[IFNAMSIZ];

	memcpy(name, interface->name, sizeof name);
	show_free(interface);
	*interface = (struct show_interface) { .unreadable = true };
	memcpy(interface->name, name, sizeof name);
	return show_add_warning(&interface->warnings, uapi_client_error(error));
}

struct show_job {
	struct show_interface *interface; /* NULL: no memory */
	bool counters;
	int error;
};

/* Only adit names its provider; wireguard-go would log an error. Without counters, the state is still of use. */
static void run_job(void *item)
{
	struct show_job *job = item;

	job->error = job->interface ? show_read(job->interface, UAPI_DIRECTORY, SHOW_TIMEOUT) : -ENOMEM;
	if (!job->error && job->counters && *job->interface->crypto_provider)
		show_read_counters(job->interface, UAPI_DIRECTORY, SHOW_TIMEOUT);
}

/* Reads all interfaces, sorted by name. Continues after one that fails. Returns the last error, reported. */
static int show_read_all(struct show_interface **list, bool counters)
{
	char(*names)[IFNAMSIZ];
	unsigned count;
	int last_error = uapi_client_names(UAPI_DIRECTORY, &names, &count);
	struct show_job *jobs = calloc(count + 1, sizeof *jobs);

	if (!jobs) {
		free(names);
		return show_failed(UAPI_DIRECTORY, -ENOMEM);
	}
	if (last_error)
		show_failed(UAPI_DIRECTORY, last_error);
	for (unsigned i = 0; i < count; i++)
		jobs[i] = (struct show_job) { .interface = new_interface(names[i]), .counters = counters };
	parallel_each(jobs, sizeof *jobs, count, run_job);
	for (unsigned i = 0; i < count; i++) {
		struct show_interface *interface = jobs[i].interface;
		int error = jobs[i].error;

		if (error == -ECONNREFUSED || error == -EAGAIN || error == -EPROTO)
			error = mark_unreadable(interface, error);
		if (!error) {
			*list = interface;
			list = &interface->next;
			continue;
		}
		if (error != -ENOENT) /* the daemon has ended meanwhile */
			last_error = show_failed(names[i], error);
		free_interfaces(interface);
	}
	free(jobs);
	free(names);
	return last_error;
}

static int show_read_named(struct show_interface **list, const char *name, bool counters)
{
	struct show_job job = { .interface = new_interface(name), .counters = counters };

	run_job(&job);
	if (!job.error) {
		*list = job.interface;
		return 0;
	}
	free_interfaces(job.interface);
	return show_failed(name, job.error);
}

/* --- one look ----- */

enum show_format { SHOW_AS_TEXT, SHOW_AS_TABLE, SHOW_AS_DETAILS, SHOW_AS_JSON, SHOW_AS_SVG };

struct show_request {
	const char *interface, *peer; /* NULL: all */
	enum show_format format;
	bool counters;
	unsigned watch; /* seconds between two looks; 0: look once */
};

/*
 * Removes all peers but those of this name or public key: several peers may have the same name. Returns false, and
 * reports it, if there is none.
 */
static bool keep_peers(struct show_interface *interface, const char *name)
{
	struct show_peer *kept = NULL, **tail = &kept, **at = &interface->peers;

	while (*at) {
		struct show_peer *peer = *at;

		if (strcmp(peer->public_key, name) != 0 && (!peer->name || strcmp(peer->name, name) != 0)) {
			at = &peer->next;
			continue;
		}
		*at = peer->next;
		peer->next = NULL;
		*tail = peer;
		tail = &peer->next;
	}
	show_free_peers(interface);
	interface->peers = kept;
	if (!kept)
		fprintf(stderr, "adit show: %s: no peer has the name or public key \"%s\"\n", interface->name, name);
	return kept;
}

/* Reads what was asked for. Returns 0 or the last error, reported; `list` may then contain other interfaces. */
static int look(const struct show_request *request, struct show_interface **list)
{
	int error = request->interface ? show_read_named(list, request->interface, request->counters)
								   : show_read_all(list, request->counters);

	if (*list && !error && request->peer && !keep_peers(*list, request->peer)) {
		free_interfaces(*list);
		*list = NULL;
		error = -ENOENT;
	}
	return error;
}

static void print_interfaces(const struct show_request *request, const struct show_view *view,
							 const struct show_interface *list)
{
	for (; list; list = list->next) {
		size_t peers = 0;

		for (const struct show_peer *peer = list->peers; peer; peer = peer->next)
			peers++;
		if (list->unreadable)
			show_unreadable(view, list);
		else if (request->counters)
			show_counters(view, list);
		else if (request->format == SHOW_AS_TABLE || (request->format == SHOW_AS_TEXT && peers > SHOW_DETAILS_PEERS))
			show_table(view, list);
		else
			show_text(view, list, request->peer != NULL);
		fputs(list->next ? "\n" : "", view->terminal.to);
	}
}

/* Returns 0 or a negative errno, reported. */
static int print_look(const struct show_request *request, const struct show_view *view,
					  const struct show_interface *list)
{
	if (request->format == SHOW_AS_JSON)
		show_json(stdout, list);
	else if (request->format == SHOW_AS_SVG)
		show_svg(stdout, list);
	else
		print_interfaces(request, view, list);
	if (!fflush(stdout) && !ferror(stdout))
		return 0;
	fprintf(stderr, "adit show: standard output: %s\n", strerror(errno));
	return -EIO;
}

static int look_once(const struct show_request *request)
{
	struct show_view view = { .now = clock_realtime() / NS_PER_S };
	struct show_interface *list = NULL;
	int error = look(request, &list), print_error;

	terminal_init(&view.terminal, stdout);
	if (list || !error) {
		print_error = print_look(request, &view, list);
		if (print_error)
			error = print_error;
	}
	free_interfaces(list);
	return error;
}

/* --- several looks ----- */

/*
 * Looks until a signal ends the program, or until the interface that was asked for does not answer. Of all interfaces,
 * some may come and go.
 */
static int look_repeatedly(const struct show_request *request)
{
	struct show_interface *list = NULL, *before = NULL;
	uint64_t time_before = 0;
	struct show_view view;
	int error;

	setvbuf(stdout, NULL, _IOFBF, OUTPUT_BUFFER); /* a terminal gets each look at once, and does not flicker */
	for (;;) {
		uint64_t time = clock_boottime();

		terminal_init(&view.terminal, stdout); /* its size may have changed */
		view.now = clock_realtime() / NS_PER_S;
		view.interval = time_before ? (double)(time - time_before) / NS_PER_S : 0;
		list = NULL;
		error = look(request, &list);
		if (error && request->interface)
			break;
		show_link_looks(list, before);
		if (view.terminal.can_clear)
			terminal_clear(&view.terminal);
		else if (time_before)
			fputc('\n', stdout);
		error = print_look(request, &view, list);
		if (error)
			break;
		free_interfaces(before);
		before = list;
		time_before = time;
		sleep(request->watch);
	}
	free_interfaces(list);
	free_interfaces(before);
	return error;
}

/* --- the command ----- */

/* Takes the option that names the format, if any. Returns false if there are two. */
static bool take_format(int *argc, char **argv, struct show_request *request, const char **taken)
{
	static const struct {
		const char *flag;
		enum show_format format;
	} formats[] = {
		{ "--brief", SHOW_AS_TABLE },
		{ "--details", SHOW_AS_DETAILS },
		{ "--json", SHOW_AS_JSON },
		{ "--svg", SHOW_AS_SVG },
	};

	*taken = NULL;
	for (size_t i = 0; i < sizeof formats / sizeof *formats; i++) {
		if (!usage_take_flag(argc, argv, formats[i].flag))
			continue;
		if (*taken) {
			fprintf(stderr, "adit show: %s and %s exclude each other\n", *taken, formats[i].flag);
			return false;
		}
		*taken = formats[i].flag;
		request->format = formats[i].format;
	}
	return true;
}

/* Returns false after it has reported wrong arguments. */
static bool read_arguments(int argc, char **argv, struct show_request *request)
{
	const char *format;

	if (!usage_take_seconds("show", &argc, argv, "--watch", INTERVAL_MAX, &request->watch))
		return false;
	request->counters = usage_take_flag(&argc, argv, "--counters");
	if (!take_format(&argc, argv, request, &format) || !usage_check("show", argc, argv, "[IFNAME [PEER]]", 0, 2))
		return false;
	request->interface = argv[1];
	if (request->interface && !uapi_client_check_name("show", request->interface))
		return false;
	request->peer = argc > 2 ? argv[2] : NULL;
	if (request->watch && (request->format == SHOW_AS_JSON || request->format == SHOW_AS_SVG)) {
		fprintf(stderr, "adit show: --watch and %s exclude each other\n", format);
		return false;
	}
	if (request->counters && request->format != SHOW_AS_JSON && (format || request->peer)) {
		fprintf(stderr, "adit show: --counters and %s exclude each other\n", format ? format : "PEER");
		return false;
	}
	return true;
}

int command_show(int argc, char **argv)
{
	struct show_request request = { 0 };
	int error;

	if (!read_arguments(argc, argv, &request))
		return EXIT_FAILURE;
	error = request.watch ? look_repeatedly(&request) : look_once(&request);
	return error ? EXIT_FAILURE : EXIT_SUCCESS;
}
