/* SPDX-License-Identifier: MIT */
/*
 * The server of the control socket: accepts connections, and watches the directory so that the daemon can end when its
 * socket file is removed, as wireguard-go does.
 */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/log.h"
#include "connection.h"
#include "monitor.h"
#include "uapi/socket.h"

/* Seconds until the next attempt: without descriptors or memory, and while the server is full of busy clients. */
#define ACCEPT_RETRY 1.0
#define EVICT_RETRY 0.2

static void accept_pause(struct uapi *uapi, double seconds)
{
	ev_io_stop(uapi->loop, &uapi->accept_watcher); /* the pending connection would wake the loop again at once */
	uapi->accept_retry.repeat = seconds;
	ev_timer_again(uapi->loop, &uapi->accept_retry);
}

static void on_connection_closed(struct uapi *uapi)
{
	if (uapi->accept_retry.repeat == EVICT_RETRY || !ev_is_active(&uapi->accept_retry)) {
		ev_timer_stop(uapi->loop, &uapi->accept_retry);
		ev_io_start(uapi->loop, &uapi->accept_watcher);
	}
}

static void on_connection(struct ev_loop *loop, struct ev_io *watcher, int events)
{
	struct uapi *uapi = watcher->data;
	int fd;

	if (uapi->connection_count == UAPI_CONNECTIONS_MAX && !uapi_connection_evict(uapi)) {
		accept_pause(uapi, EVICT_RETRY);
		return;
	}
	fd = accept4(watcher->fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
	if (fd < 0 && (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM))
		accept_pause(uapi, ACCEPT_RETRY);
	if (fd >= 0 && uapi_connection_start(uapi, fd, on_connection_closed))
		close(fd);
}

static void on_accept_retry(struct ev_loop *loop, struct ev_timer *watcher, int events)
{
	struct uapi *uapi = watcher->data;

	ev_timer_stop(loop, watcher);
	ev_io_start(loop, &uapi->accept_watcher);
}

static void on_set_timer(struct ev_loop *loop, struct ev_timer *watcher, int events)
{
	uapi_connection_set_part(watcher->data);
}

static bool socket_is_ours(const struct uapi *uapi)
{
	dev_t device;
	ino_t inode;

	return uapi->socket_inode && uapi_identify(uapi->path, &device, &inode) && device == uapi->socket_device &&
		   inode == uapi->socket_inode;
}

/* Most changes to the directory concern other daemons. */
static void on_directory_change(struct path_watch *watch)
{
	struct uapi *uapi = container_of(watch, struct uapi, directory_watch);

	if (socket_is_ours(uapi))
		return;
	path_watch_stop(watch);
	uapi->options.socket_removed(uapi->options.context);
}

/* The host limits the number of inotify instances. Without one the daemon works, but does not end with its socket. */
static void watch_directory(struct uapi *uapi)
{
	uint32_t events = IN_CREATE | IN_DELETE | IN_MOVED_FROM | IN_MOVED_TO | IN_DELETE_SELF | IN_MOVE_SELF | IN_ONLYDIR;
	int error;

	uapi->directory_watch = (struct path_watch) { .watches = uapi->options.paths, .changed = on_directory_change };
	error = path_watch_set(&uapi->directory_watch, 0, uapi->options.directory, events);
	if (error)
		log_warning(uapi->device->name, "control socket: cannot watch %s: %s", uapi->options.directory,
					strerror(-error));
}

/* Checks that `fd` is a listening Unix socket and returns it, or negative errno. */
static int adopt_socket(int fd)
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
	if (!uapi->options.request_timeout)
		uapi->options.request_timeout = UAPI_REQUEST_TIMEOUT;
	fd = uapi_path(uapi->path, uapi->options.directory, device->name);
	if (!fd)
		fd = options->adopt ? adopt_socket(options->fd) : uapi_listen(uapi->options.directory, device->name);
	if (fd < 0) {
		*uapi = (struct uapi) { 0 };
		return fd;
	}
	ev_io_init(&uapi->accept_watcher, on_connection, fd, EV_READ);
	ev_init(&uapi->accept_retry, on_accept_retry);
	ev_init(&uapi->set_timer, on_set_timer);
	ev_set_priority(&uapi->set_timer, EV_MINPRI);
	uapi->accept_watcher.data = uapi->accept_retry.data = uapi->set_timer.data = uapi;
	ev_io_start(loop, &uapi->accept_watcher);
	if (uapi_identify(uapi->path, &uapi->socket_device, &uapi->socket_inode) && options->socket_removed)
		watch_directory(uapi);
	return 0;
}

void uapi_stop(struct uapi *uapi)
{
	struct event end = { .kind = EVENT_END };

	if (!uapi->loop)
		return;
	end.interface = uapi->device->name;
	end.reason = uapi->device->leaving ? "the service restarts" : "the daemon ends";
	event_emit(&uapi->device->events, &end);
	uapi_monitors_stop(uapi);
	uapi_connections_stop(uapi);
	path_watch_stop(&uapi->directory_watch);
	ev_io_stop(uapi->loop, &uapi->accept_watcher);
	ev_timer_stop(uapi->loop, &uapi->accept_retry);
	if (socket_is_ours(uapi))
		unlink(uapi->path);
	close(uapi->accept_watcher.fd);
	*uapi = (struct uapi) { 0 };
}
