/* SPDX-License-Identifier: MIT */
/*
 * adit metrics: reads the state of all interfaces and prints it for Prometheus.
 *
 * All interfaces are read at the same time, so daemons that hang delay the answer by the timeout and no more, whatever
 * their number.
 */
#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/usage.h"
#include "cli/show.h"
#include "metrics_http.h"
#include "metrics_text.h"
#include "parallel.h"
#include "uapi/uapi.h"
#include "uapi_client.h"

#define METRICS_USAGE "[IFNAME]..."

enum { METRICS_TIMEOUT = 2 }; /* seconds for each reply of a daemon; Prometheus gives up after 10 */

struct metrics_list {
	struct metrics_interface *interfaces;
	size_t count, room;
};

/* --- one interface ----- */

static bool read_statistic(const char *interface, const char *statistic, uint64_t *value)
{
	char path[128], text[32], *end = text;
	FILE *file;

	snprintf(path, sizeof path, "/sys/class/net/%s/statistics/%s", interface, statistic);
	file = fopen(path, "re");
	if (!file)
		return false;
	if (fgets(text, sizeof text, file))
		*value = strtoull(text, &end, 10);
	fclose(file);
	return end != text;
}

/* The bytes are the kernel's, because the sum over the peers falls when one of them is removed. */
static void read_interface(void *item)
{
	struct metrics_interface *interface = item;
	const char *name = interface->state.name;
	int error = show_read(&interface->state, UAPI_DIRECTORY, METRICS_TIMEOUT);

	if (error == -EACCES) /* the daemon is not down: the user may not ask it */
		fprintf(stderr, "adit metrics: %s: %s\n", name, uapi_client_error(error));
	interface->up = !error;
	if (error) {
		show_free(&interface->state);
		return;
	}
	/* Only adit names its provider. wireguard-go would log an error. Without counters, the rest is still of use. */
	if (*interface->state.crypto_provider)
		show_read_counters(&interface->state, UAPI_DIRECTORY, METRICS_TIMEOUT);
	interface->has_bytes = read_statistic(name, "rx_bytes", &interface->receive_bytes) &&
						   read_statistic(name, "tx_bytes", &interface->transmit_bytes);
}

/* --- all interfaces ----- */

static int add_interface(void *context, const char *name)
{
	struct metrics_list *list = context;
	struct metrics_interface *interface;

	if (list->count == list->room) {
		size_t room = list->room ? 2 * list->room : 16;
		struct metrics_interface *larger = realloc(list->interfaces, room * sizeof *larger);
		if (!larger)
			return -ENOMEM;
		list->interfaces = larger;
		list->room = room;
	}
	for (size_t i = 0; i < list->count; i++)
		if (!strcmp(list->interfaces[i].state.name, name))
			return 0;
	interface = &list->interfaces[list->count++];
	memset(interface, 0, sizeof *interface);
	snprintf(interface->state.name, sizeof interface->state.name, "%s", name);
	return 0;
}

static int compare_interfaces(const void *left, const void *right)
{
	const struct metrics_interface *a = left, *b = right;

	return strcmp(a->state.name, b->state.name);
}

/* Returns 0 or negative errno; the caller frees the text. */
static int make_text(const struct metrics_options *options, char **names, int count, char **text, size_t *length)
{
	struct metrics_list list = { 0 };
	FILE *stream;
	int error = 0;

	if (!count)
		error = uapi_client_list(UAPI_DIRECTORY, add_interface, &list);
	for (int i = 0; !error && i < count; i++)
		error = add_interface(&list, names[i]);
	if (!error) {
		if (list.count)
			qsort(list.interfaces, list.count, sizeof *list.interfaces, compare_interfaces);
		parallel_each(list.interfaces, sizeof *list.interfaces, list.count, read_interface);
		stream = open_memstream(text, length);
		if (stream) {
			error = metrics_text(stream, options, list.interfaces, list.count);
			if (ferror(stream))
				error = -ENOMEM;
			if (fclose(stream))
				error = -ENOMEM;
		} else {
			error = -ENOMEM;
		}
	}
	for (size_t i = 0; i < list.count; i++)
		show_free(&list.interfaces[i].state);
	free(list.interfaces);
	return error;
}

/* --- the command ----- */

/*
 * Reads a request from standard input. Returns the status of the answer, or negative errno if none is to be sent. With
 * 200, `is_scrape` is true if the answer is the metrics.
 */
static int read_request(struct http_request *request, bool *is_scrape)
{
	int status = http_read_request(STDIN_FILENO, request);

	*is_scrape = !status && !strcmp(request->path, "/metrics");
	if (status)
		return status;
	if (!*is_scrape && strcmp(request->path, "/") != 0)
		return 404;
	return request->is_head || !strcmp(request->method, "GET") ? 200 : 405;
}

/* Returns 0 whatever the client does, because systemd would report a failed unit. */
static int serve_request(struct metrics_options *options, char **names, int count)
{
	static const char hint[] = "adit answers GET /metrics\n";
	struct http_request request;
	struct http_answer answer = { .type = "text/plain; charset=utf-8", .body = hint, .length = sizeof hint - 1 };
	char *text = NULL;
	bool is_scrape;

	answer.status = read_request(&request, &is_scrape);
	if (answer.status < 0)
		return EXIT_SUCCESS;
	answer.is_head = request.is_head;
	if (answer.status == 200 && is_scrape) {
		size_t length = 0;
		int error;

		options->format = request.openmetrics ? METRICS_OPENMETRICS : METRICS_PROMETHEUS;
		error = make_text(options, names, count, &text, &length);
		if (error) {
			fprintf(stderr, "adit metrics: %s\n", strerror(-error));
			answer.status = 500;
		} else {
			answer.body = text;
			answer.length = length;
			answer.type = request.openmetrics ? "application/openmetrics-text; version=1.0.0; charset=utf-8"
											  : "text/plain; version=0.0.4; charset=utf-8";
		}
	}
	http_write_answer(STDOUT_FILENO, &answer);
	free(text);
	return EXIT_SUCCESS;
}

static int print_metrics(const struct metrics_options *options, char **names, int count)
{
	char *text = NULL;
	size_t length = 0;
	int error = make_text(options, names, count, &text, &length);

	if (!error && (fwrite(text, 1, length, stdout) != length || fflush(stdout)))
		error = -errno;
	free(text);
	if (!error)
		return EXIT_SUCCESS;
	fprintf(stderr, "adit metrics: %s\n", strerror(-error));
	return EXIT_FAILURE;
}

int command_metrics(int argc, char **argv)
{
	struct metrics_options options = { .version = ADIT_VERSION };
	const char *peers = NULL;
	bool http;

	if (!usage_take_value("metrics", &argc, argv, "--peers", &peers))
		return EXIT_FAILURE;
	if (peers && strcmp(peers, "off") != 0) {
		fprintf(stderr, "adit metrics: --peers: \"%s\" is not \"off\"\n", peers);
		return EXIT_FAILURE;
	}
	options.no_peers = peers != NULL;
	http = usage_take_flag(&argc, argv, "--http");
	if (!usage_check("metrics", argc, argv, METRICS_USAGE, 0, INT_MAX - 1))
		return EXIT_FAILURE;
	for (int i = 1; i < argc; i++)
		if (!uapi_client_check_name("metrics", argv[i]))
			return EXIT_FAILURE;
	return http ? serve_request(&options, argv + 1, argc - 1) : print_metrics(&options, argv + 1, argc - 1);
}
