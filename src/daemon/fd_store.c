/* SPDX-License-Identifier: MIT */
/* The file descriptor store of the service manager. */
#include "daemon/fd_store.h"

#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "daemon/notify.h"

enum { FIRST_FD = 3 }; /* SD_LISTEN_FDS_START */

/* Returns the value of a variable that is a number from 1 to `max`, else 0. */
static unsigned long get_number(const char *variable, unsigned long max)
{
	const char *text = getenv(variable);
	char *end = NULL;
	unsigned long value;

	if (!text || *text < '0' || *text > '9')
		return 0;
	value = strtoul(text, &end, 10);
	return *end || value > max ? 0 : value;
}

/* A name that is too long becomes empty, so that its descriptor is not taken. */
static void add_received(struct fd_store *store, int fd, const char *name, size_t length)
{
	if (fcntl(fd, F_SETFD, FD_CLOEXEC) < 0) /* the descriptor is not open */
		return;
	if (store->count == FD_STORE_MAX) {
		close(fd);
		return;
	}
	if (length >= FD_STORE_NAME)
		length = 0;
	store->items[store->count].fd = fd;
	memcpy(store->items[store->count].name, name, length);
	store->items[store->count].name[length] = '\0';
	store->count++;
	store->last = fd;
}

void fd_store_receive(struct fd_store *store)
{
	enum { DESCRIPTORS_MAX = 65536 };
	unsigned long count = get_number("LISTEN_FDS", DESCRIPTORS_MAX);
	const char *variable = getenv("LISTEN_FDNAMES"), *names = variable ? variable : "";

	*store = (struct fd_store) { .last = STDERR_FILENO };
	if (get_number("LISTEN_PID", ~0UL) != (unsigned long)getpid())
		count = 0;
	for (unsigned long i = 0; i < count; i++) {
		size_t length = strcspn(names, ":");

		add_received(store, FIRST_FD + (int)i, names, length);
		names += length + (names[length] == ':');
	}
	unsetenv("LISTEN_PID");
	unsetenv("LISTEN_FDS");
	unsetenv("LISTEN_FDNAMES");
	unsetenv("LISTEN_PIDFDID"); /* systemd 258 */
}

size_t fd_store_take(struct fd_store *store, const char *name, int *fds, size_t max)
{
	size_t taken = 0, kept = 0;

	for (size_t i = 0; i < store->count; i++) {
		if (taken < max && !strcmp(store->items[i].name, name))
			fds[taken++] = store->items[i].fd;
		else
			store->items[kept++] = store->items[i];
	}
	store->count = kept;
	return taken;
}

/* systemd removes a set as a whole, so each name is removed only once, with its first descriptor. */
void fd_store_discard(struct fd_store *store)
{
	for (size_t i = 0; i < store->count; i++) {
		bool known = false;

		for (size_t j = 0; j < i && !known; j++)
			known = !strcmp(store->items[j].name, store->items[i].name);
		if (!known && store->items[i].name[0])
			fd_store_replace(store->items[i].name, NULL, 0);
		close(store->items[i].fd);
	}
	store->count = 0;
}

/*
 * FDPOLL=0 keeps a descriptor in the store although poll(2) reports an error for it. A UDP socket has an error after an
 * ICMP message, and the next process can still use it.
 */
int fd_store_replace(const char *name, const int *fds, size_t count)
{
	char state[64 + FD_STORE_NAME];
	int error;

	snprintf(state, sizeof state, "FDSTOREREMOVE=1\nFDNAME=%.*s", FD_STORE_NAME - 1, name);
	error = notify_service(state);
	if (error || !count)
		return error;
	snprintf(state, sizeof state, "FDSTORE=1\nFDNAME=%.*s\nFDPOLL=0", FD_STORE_NAME - 1, name);
	return notify_service_fds(state, fds, count);
}
