/* SPDX-License-Identifier: MIT */
/* TUN backends: the choice between system calls and io_uring, and the reads by system calls. */
#include "io/backend.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "backend_uring.h"

static ssize_t syscalls_read(struct backend *backend, uint8_t **packet, int max)
{
	*packet = backend->buffer;
	return tun_read(backend->tun, backend->buffer);
}

static void syscalls_close(struct backend *backend)
{
	free(backend->buffer);
}

static const struct backend_ops syscalls = { "syscalls", syscalls_read, syscalls_close };

int backend_open(struct backend *backend, enum backend_kind kind, struct tun *tun)
{
	*backend = (struct backend) { .ops = &syscalls, .tun = tun };
	if (kind != BACKEND_SYSCALLS)
		backend->ring_error = backend_ring_open(&backend->ring, tun);
	if (backend->ring && kind == BACKEND_AUTO && !backend_ring_faster(backend->ring)) {
		backend_ring_close(backend->ring);
		backend->ring = NULL;
	}
	if (backend->ring) {
		backend->ops = backend_io_uring;
		return 0;
	}
	backend->buffer = malloc(TUN_READ);
	return backend->buffer ? 0 : -ENOMEM;
}

void backend_close(struct backend *backend)
{
	if (backend->ops)
		backend->ops->close(backend);
	*backend = (struct backend) { 0 };
}

bool backend_pending(const struct backend *backend)
{
	return backend->ring && backend_ring_pending(backend->ring);
}

bool backend_find(enum backend_kind *kind, const char *name)
{
	static const char *const names[] = { "auto", "syscalls", "io_uring" };

	_Static_assert(sizeof names / sizeof *names == BACKEND_KINDS, "each kind has a name");
	for (int i = 0; i < BACKEND_KINDS; i++) {
		if (strcmp(name, names[i]) == 0) {
			*kind = (enum backend_kind)i;
			return true;
		}
	}
	return false;
}

bool backend_built_in(enum backend_kind kind)
{
	return kind != BACKEND_IO_URING || backend_io_uring;
}
