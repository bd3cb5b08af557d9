/* SPDX-License-Identifier: MIT */
/*
 * adit metrics: reads the state of all interfaces and prints it for Prometheus.
 *
 * Each interface is read by a thread of its own, so a daemon that hangs delays the answer by the timeout and no more,
 * whatever the number of such daemons.
 */
#include <errno.h>
#include <limits.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/usage.h"
#include "cli/show.h"
#include "metrics_counters.h"
#include "metrics_http.h"
#include "metrics_text.h"
#include "uapi/uapi.h"
#include "uapi_client.h"

#define METRICS_USAGE "[IFNAME]..."

enum { METRICS_TIMEOUT = 2 }; /* seconds for each reply of a daemon; Prometheus gives up after 10 */

struct metrics_job {
	struct metrics_interface *interface;
	pthread_t thread;
	bool has_thread;
	int error; /* of the daemon */
};

struct metrics_list {
	struct metrics_interface *interfaces;
	size_t count, room;
};

/* --- one interface --- */

/* Reads a number that ends with the text or a comma. Returns a pointer to its end, or NULL if it is not a number. */
static const char *read_number(const char *text, uint64_t *number)
{
	char *end;

	errno = 0;
	*number = strtoull(text, &end, 10);
	return *text >= '0' && *text <= '9' && (!*end || *end == ',') && !errno ? end : NULL;
}

/* Reads METRICS_BUCKETS numbers with commas between them. */
static int read_buckets(struct metrics_histogram *histogram, const char *text)
{
	for (unsigned i = 0; i < METRICS_BUCKETS; i++) {
		text = read_number(text, &histogram->bucket[i]);
		if (!text || *text != (i + 1 < METRICS_BUCKETS ? ',' : '\0'))
			return -EPROTO;
		text++;
	}
	histogram->known = true;
	return 0;
}

/* Returns 1 if the line is not one of a histogram. */
static int read_histogram(struct metrics_interface *interface, const char *key, const char *value)
{
	for (unsigned i = 0; i < METRICS_HISTOGRAMS; i++) {
		const char *name = metrics_histogram_name(i), *end;
		size_t length = strlen(name);

		if (strncmp(key, name, length) != 0)
			continue;
		if (!key[length])
			return read_buckets(&interface->histograms[i], value);
		if (strcmp(key + length, "_sum") != 0)
			continue;
		end = read_number(value, &interface->histograms[i].sum);
		return end && !*end ? 0 : -EPROTO;
	}
	return 1;
}

static int read_counter(void *context, char *key, char *value)
{
	struct metrics_interface *interface = context;
	struct metrics_counter *counter = &interface->counters[interface->counter_count];
	int result = read_histogram(interface, key, value);
	uint64_t number;
	const char *end;

	if (result <= 0)
		return result;
	end = read_number(value, &number);
	if (!end || *end)
		return 0; /* a line of a later version */
	if (!strcmp(key, "start_time_sec")) {
		interface->start_time = number;
	} else if (interface->counter_count < METRICS_COUNTERS_MAX && strlen(key) < sizeof counter->name) {
		snprintf(counter->name, sizeof counter->name, "%s", key);
		counter->value = number;
		interface->counter_count++;
	}
	return 0;
}

/* A daemon of an earlier version has none, and the others of its metrics are still of use. */
static void read_counters(struct metrics_interface *interface)
{
	int error = -ENOMEM;

	interface->counters = calloc(METRICS_COUNTERS_MAX, sizeof *interface->counters);
	if (interface->counters)
		error = uapi_client_call(UAPI_DIRECTORY, interface->state.name, "counters=1\n\n", METRICS_TIMEOUT, read_counter,
								 interface);
	if (error) {
		interface->counter_count = 0;
		memset(interface->histograms, 0, sizeof interface->histograms);
		interface->start_time = 0;
	}
}

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
static void *read_interface(void *context)
{
	struct metrics_job *job = context;
	struct metrics_interface *interface = job->interface;
	const char *name = interface->state.name;

	job->error = show_read(&interface->state, UAPI_DIRECTORY, METRICS_TIMEOUT);
	interface->up = !job->error;
	if (!interface->up) {
		show_free(&interface->state);
		return NULL;
	}
	/* Only adit names its provider. wireguard-go would log an error. */
	if (*interface->state.crypto_provider)
		read_counters(interface);
	interface->has_bytes = read_statistic(name, "rx_bytes", &interface->receive_bytes) &&
						   read_statistic(name, "tx_bytes", &interface->transmit_bytes);
	return NULL;
}

/* --- all interfaces --- */

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

/* Reads all interfaces at the same time. If no thread can be made, reads the interface in this one. */
static int read_interfaces(struct metrics_list *list)
{
	struct metrics_job *jobs = calloc(list->count + 1, sizeof *jobs);

	if (!jobs)
		return -ENOMEM;
	if (list->count)
		qsort(list->interfaces, list->count, sizeof *list->interfaces, compare_interfaces);
	for (size_t i = 0; i < list->count; i++) {
		jobs[i].interface = &list->interfaces[i];
		jobs[i].has_thread = i + 1 < list->count && !pthread_create(&jobs[i].thread, NULL, read_interface, &jobs[i]);
		if (!jobs[i].has_thread)
			read_interface(&jobs[i]);
	}
	for (size_t i = 0; i < list->count; i++) {
		if (jobs[i].has_thread)
			pthread_join(jobs[i].thread, NULL);
	}
	free(jobs);
	return 0;
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
	if (!error)
		error = read_interfaces(&list);
	if (!error) {
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
	for (size_t i = 0; i < list.count; i++) {
		show_free(&list.interfaces[i].state);
		free(list.interfaces[i].counters);
	}
	free(list.interfaces);
	return error;
}

/* --- the command --- */

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
