/* SPDX-License-Identifier: MIT */
/* Status: the steps from the list of hosts to the matrix. */
#include "status.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "status_render.h"

struct status_collection {
	const struct host_list *list;
	struct status_host *hosts;
};

static void collect_answer(void *context, size_t host, const struct status_answer *answer)
{
	struct status_collection *collection = context;

	status_host_read(&collection->hosts[host], answer, collection->list->interface);
}

/* A host without a destination is a mistake in the list, unless the list says ssh=-. */
static void mark_unreachable(struct status_collection *collection)
{
	for (size_t i = 0; i < collection->list->count; i++) {
		const struct mesh_host *host = &collection->list->hosts[i];

		if (*host->ssh || host->has_endpoint)
			continue;
		collection->hosts[i].outcome = STATUS_FAILED;
		snprintf(collection->hosts[i].reason, sizeof collection->hosts[i].reason,
				 "the list has no endpoint and no ssh=DESTINATION; ssh=- skips the host");
	}
}

/* Returns 0, or a negative errno, which is reported. */
static int write_svg(const char *path, const struct status_matrix *matrix)
{
	FILE *file = fopen(path, "we");
	int error = file ? 0 : -errno;

	if (file) {
		status_svg(file, matrix);
		if (ferror(file))
			error = -EIO;
		if (fclose(file) && !error)
			error = -errno;
	}
	if (error)
		fprintf(stderr, "adit mesh: %s: %s\n", path, strerror(-error));
	return error;
}

int status_run(const struct status *status)
{
	const struct host_list *list = status->list;
	struct status_collection collection = { list, calloc(list->count + 1, sizeof *collection.hosts) };
	struct topology topology = { 0 };
	struct status_matrix matrix = { 0 };
	int error = collection.hosts ? 0 : -ENOMEM, code = EXIT_FAILURE;

	if (!error)
		error = topology_init(&topology, list);
	if (!error) {
		topology_assign_hubs(&topology);
		error = status_ask(list, status->user, collect_answer, &collection);
	}
	if (!error) {
		mark_unreachable(&collection);
		error = status_matrix_init(&matrix, &topology, collection.hosts);
	}
	if (error) {
		fprintf(stderr, "adit mesh: %s\n", strerror(-error));
	} else {
		status_table(stdout, &matrix);
		if (status_matrix_good(&matrix))
			code = EXIT_SUCCESS;
		if (status->svg && write_svg(status->svg, &matrix))
			code = EXIT_FAILURE;
	}
	status_matrix_destroy(&matrix);
	topology_destroy(&topology);
	for (size_t i = 0; collection.hosts && i < list->count; i++)
		status_host_destroy(&collection.hosts[i]);
	free(collection.hosts);
	return code;
}
