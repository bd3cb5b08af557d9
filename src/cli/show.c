/* SPDX-License-Identifier: MIT */
#include "cli/show.h"

#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "show_state.h"
#include "uapi/uapi.h"
#include "uapi_client.h"

static const char suffix[] = ".sock";

static int complain(const char *name, int error)
{
	fprintf(stderr, "adit show: %s: %s\n", name, uapi_call_error(error));
	return error;
}

static struct show_interface *new_interface(const char *name, size_t length)
{
	struct show_interface *interface = length < IFNAMSIZ ? calloc(1, sizeof *interface) : NULL;

	if (interface)
		memcpy(interface->name, name, length);
	return interface;
}

static void free_all(struct show_interface *interface)
{
	while (interface) {
		struct show_interface *next = interface->next;
		show_free(interface);
		free(interface);
		interface = next;
	}
}

/* In the order of their names, so that two calls can be compared. */
static void insert(struct show_interface **list, struct show_interface *interface)
{
	while (*list && strcmp((*list)->name, interface->name) < 0)
		list = &(*list)->next;
	interface->next = *list;
	*list = interface;
}

/* 1 when the interface is to be shown; 0 when nobody serves it any more; or negative errno, and that was said. */
static int read_one(struct show_interface *interface)
{
	int error = show_read(interface, UAPI_DIRECTORY);

	if (!error)
		return 1;
	return error == -ECONNREFUSED || error == -ENOENT ? 0 : complain(interface->name, error);
}

/* Names that end in ".sock"; one too long is no interface's. */
static struct show_interface *interface_of(const struct dirent *entry)
{
	size_t length = strlen(entry->d_name), tail = sizeof suffix - 1;

	if (length <= tail || strcmp(entry->d_name + length - tail, suffix))
		return NULL;
	return new_interface(entry->d_name, length - tail);
}

/* One that does not answer does not hide the others. */
static int read_all(struct show_interface **list)
{
	DIR *directory = opendir(UAPI_DIRECTORY);
	int error = 0;

	if (!directory)
		return errno == ENOENT ? 0 : complain(UAPI_DIRECTORY, -errno);
	for (struct dirent *entry; (entry = readdir(directory));) {
		struct show_interface *interface = interface_of(entry);
		int status = interface ? read_one(interface) : 0;
		if (status > 0)
			insert(list, interface);
		else if (interface)
			free_all(interface);
		error = status < 0 ? status : error;
	}
	closedir(directory);
	return error;
}

static int read_named(struct show_interface **list, const char *name)
{
	int error;

	*list = new_interface(name, strlen(name));
	error = *list ? show_read(*list, UAPI_DIRECTORY) : -EINVAL;
	if (!error)
		return 0;
	free_all(*list);
	*list = NULL;
	return complain(name, error);
}

static void print(const struct show_interface *list, bool json)
{
	uint64_t now = clock_realtime() / NS_PER_S;

	if (json) {
		show_json(stdout, list);
		return;
	}
	for (; list; list = list->next) {
		show_text(stdout, list, now);
		fputs(list->next ? "\n" : "", stdout);
	}
}

static int print_checked(const struct show_interface *list, bool json)
{
	print(list, json);
	if (!fflush(stdout) && !ferror(stdout))
		return 0;
	fprintf(stderr, "adit show: standard output: %s\n", strerror(errno));
	return -EIO;
}

int command_show(int argc, char **argv)
{
	struct show_interface *list = NULL;
	const char *name = NULL;
	bool json = false;
	int error;

	for (int i = 1; i < argc; i++) {
		if (!strcmp(argv[i], "--json")) {
			json = true;
		} else if (*argv[i] != '-' && !name) {
			name = argv[i];
		} else {
			fputs("usage: adit show [IFNAME] [--json]\n", stderr);
			return EXIT_FAILURE;
		}
	}
	error = name ? read_named(&list, name) : read_all(&list);
	if (list || !error) {
		int failed = print_checked(list, json);
		error = error ? error : failed;
	}
	free_all(list);
	return error ? EXIT_FAILURE : EXIT_SUCCESS;
}
