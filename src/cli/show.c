/* SPDX-License-Identifier: MIT */
/* adit show: finds the control sockets, reads the state of their interfaces and prints it. */
#include "cli/show.h"

#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/usage.h"
#include "show_state.h"
#include "uapi/uapi.h"
#include "uapi_client.h"

static const char suffix[] = ".sock";

static int show_failed(const char *name, int error)
{
	fprintf(stderr, "adit show: %s: %s\n", name, uapi_client_error(error));
	return error;
}

/* Returns NULL if the name is too long for an interface. */
static struct show_interface *new_interface(const char *name, size_t length)
{
	struct show_interface *interface = length < IFNAMSIZ ? calloc(1, sizeof *interface) : NULL;

	if (interface)
		memcpy(interface->name, name, length);
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

/* Reads the interface that the directory entry is a socket of, if any. Returns 0 or a negative errno, reported. */
static int show_read_entry(struct show_interface **list, const struct dirent *entry)
{
	size_t length = strlen(entry->d_name), tail = sizeof suffix - 1;
	struct show_interface *interface;
	int error;

	if (length <= tail || strcmp(entry->d_name + length - tail, suffix))
		return 0;
	interface = new_interface(entry->d_name, length - tail);
	if (!interface)
		return 0;
	error = show_read(interface, UAPI_DIRECTORY, SHOW_TIMEOUT);
	if (!error) {
		/* Sort by name, so that the output of two calls can be compared. */
		while (*list && strcmp((*list)->name, interface->name) < 0)
			list = &(*list)->next;
		interface->next = *list;
		*list = interface;
		return 0;
	}
	/* The socket of a daemon that died is not an error. */
	if (error == -ECONNREFUSED || error == -ENOENT)
		error = 0;
	else
		show_failed(interface->name, error);
	free_interfaces(interface);
	return error;
}

/* Continues after an interface that fails. Returns the last error. */
static int show_read_all(struct show_interface **list)
{
	DIR *directory = opendir(UAPI_DIRECTORY);
	int last_error = 0;

	if (!directory)
		return errno == ENOENT ? 0 : show_failed(UAPI_DIRECTORY, -errno);
	for (;;) {
		struct dirent *entry = readdir(directory);
		int error;
		if (!entry)
			break;
		error = show_read_entry(list, entry);
		if (error)
			last_error = error;
	}
	closedir(directory);
	return last_error;
}

static int show_read_named(struct show_interface **list, const char *name)
{
	int error;

	*list = new_interface(name, strlen(name));
	error = *list ? show_read(*list, UAPI_DIRECTORY, SHOW_TIMEOUT) : -EINVAL;
	if (!error)
		return 0;
	free_interfaces(*list);
	*list = NULL;
	return show_failed(name, error);
}

static int show_print(const struct show_interface *list, bool json)
{
	uint64_t now = clock_realtime() / NS_PER_S;

	if (json) {
		show_json(stdout, list);
	} else {
		for (; list; list = list->next) {
			show_text(stdout, list, now);
			fputs(list->next ? "\n" : "", stdout);
		}
	}
	if (!fflush(stdout) && !ferror(stdout))
		return 0;
	fprintf(stderr, "adit show: standard output: %s\n", strerror(errno));
	return -EIO;
}

int command_show(int argc, char **argv)
{
	struct show_interface *list = NULL;
	bool json = usage_take_flag(&argc, argv, "--json");
	const char *name;
	int error;

	if (!usage_check("show", argc, argv, "[IFNAME] [--json]", 0, 1))
		return EXIT_FAILURE;
	name = argv[1];
	error = name ? show_read_named(&list, name) : show_read_all(&list);
	if (list || !error) {
		int print_error = show_print(list, json);
		if (print_error)
			error = print_error;
	}
	free_interfaces(list);
	return error ? EXIT_FAILURE : EXIT_SUCCESS;
}
