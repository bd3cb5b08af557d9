/* SPDX-License-Identifier: MIT */
/* Who may come in, and whether the socket is still ours. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/log.h"
#include "connection.h"
#include "uapi/socket.h"

#define ACCEPT_AGAIN 1.0 /* seconds */

static void on_connection(struct ev_loop *loop, struct ev_io *watcher, int events)
{
	struct uapi *uapi = watcher->data;
	int fd = accept4(watcher->fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);

	if (fd < 0 && (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM)) {
		ev_io_stop(loop, watcher); /* the connection stays, and would wake us at once again */
		ev_timer_again(loop, &uapi->again);
	}
	if (fd < 0)
		return;
	if (uapi_client_start(uapi, fd))
		close(fd);
	else if (uapi->clients == UAPI_CLIENTS)
		ev_io_stop(loop, watcher);
}

static void on_again(struct ev_loop *loop, struct ev_timer *watcher, int events)
{
	struct uapi *uapi = watcher->data;

	ev_timer_stop(loop, watcher);
	uapi_client_left(uapi);
}

void uapi_client_left(struct uapi *uapi)
{
	if (uapi->clients < UAPI_CLIENTS && !ev_is_active(&uapi->again))
		ev_io_start(uapi->loop, &uapi->accepting);
}

static bool still_ours(const struct uapi *uapi)
{
	dev_t home;
	ino_t inode;

	return uapi->inode && uapi_identify(uapi->path, &home, &inode) && home == uapi->home && inode == uapi->inode;
}

/* Something happened in the directory, which is others' too. */
static void on_directory(struct ev_loop *loop, struct ev_io *watcher, int events)
{
	struct uapi *uapi = watcher->data;
	char unread[4096];

	while (read(watcher->fd, unread, sizeof unread) > 0)
		;
	if (still_ours(uapi))
		return;
	ev_io_stop(loop, watcher);
	uapi->options.gone(uapi->options.context);
}

/* Without inotify, of which a host has only so many, the daemon works; it just does not see the socket go. */
static void watch_directory(struct uapi *uapi)
{
	uint32_t events = IN_CREATE | IN_DELETE | IN_MOVED_FROM | IN_MOVED_TO | IN_DELETE_SELF | IN_MOVE_SELF | IN_ONLYDIR;
	int fd = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);

	if (fd >= 0 && inotify_add_watch(fd, uapi->options.directory, events) < 0) {
		close(fd);
		fd = -1;
	}
	ev_io_init(&uapi->watching, on_directory, fd, EV_READ);
	uapi->watching.data = uapi;
	if (fd >= 0)
		ev_io_start(uapi->loop, &uapi->watching);
	else
		log_warning(uapi->device->name, "cannot watch %s: %s", uapi->options.directory, strerror(errno));
}

static int adopt(int fd)
{
	int domain = 0, listening = 0;
	socklen_t length = sizeof domain;

	if (getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &domain, &length) < 0 || domain != AF_UNIX)
		return -EINVAL;
	length = sizeof listening;
	if (getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &listening, &length) < 0 || !listening)
		return -EINVAL;
	if (fcntl(fd, F_SETFL, O_NONBLOCK) < 0 || fcntl(fd, F_SETFD, FD_CLOEXEC) < 0)
		return -errno;
	return fd;
}

int uapi_start(struct uapi *uapi, struct device *device, struct ev_loop *loop, const struct uapi_options *options)
{
	int fd;

	*uapi = (struct uapi) { .device = device, .loop = loop, .options = *options };
	if (!uapi->options.directory)
		uapi->options.directory = UAPI_DIRECTORY;
	if (!uapi->options.idle_timeout)
		uapi->options.idle_timeout = UAPI_IDLE_TIMEOUT;
	fd = uapi_path(uapi->path, uapi->options.directory, device->name);
	if (!fd)
		fd = options->adopt ? adopt(options->fd) : uapi_listen(uapi->options.directory, device->name);
	if (fd < 0) {
		*uapi = (struct uapi) { 0 };
		return fd;
	}
	ev_io_init(&uapi->accepting, on_connection, fd, EV_READ);
	ev_init(&uapi->again, on_again);
	uapi->again.repeat = ACCEPT_AGAIN;
	uapi->accepting.data = uapi->again.data = uapi;
	ev_io_start(loop, &uapi->accepting);
	if (uapi_identify(uapi->path, &uapi->home, &uapi->inode) && options->gone)
		watch_directory(uapi);
	return 0;
}

void uapi_stop(struct uapi *uapi)
{
	if (!uapi->loop)
		return;
	while (uapi->first)
		uapi_client_stop(uapi->first);
	if (ev_is_active(&uapi->watching)) {
		ev_io_stop(uapi->loop, &uapi->watching);
		close(uapi->watching.fd);
	}
	ev_io_stop(uapi->loop, &uapi->accepting);
	ev_timer_stop(uapi->loop, &uapi->again);
	if (still_ours(uapi))
		unlink(uapi->path);
	close(uapi->accepting.fd);
	*uapi = (struct uapi) { 0 };
}
