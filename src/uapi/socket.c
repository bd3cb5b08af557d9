/* SPDX-License-Identifier: MIT */
/*
 * Control sockets in the file system: creates the listening socket and connects to one.
 *
 * The socket is created under a temporary name, listens, and is then renamed, so a client that finds it can connect. A
 * lock on the directory covers the check for another daemon and the rename, so of two daemons that start at the same
 * time one fails.
 */
#include "uapi/socket.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <unistd.h>

#include "base/clock.h"

enum { LOCK_TRIES = 100, LOCK_WAIT_US = 10000, END_WAIT_US = 10000 };

int uapi_path(char path[UAPI_PATH], const char *directory, const char *name)
{
	size_t length = strlen(name);

	if (!length || length >= IFNAMSIZ || strchr(name, '/') || !strcmp(name, ".") || !strcmp(name, ".."))
		return -EINVAL;
	return snprintf(path, UAPI_PATH, "%s/%s.sock", directory, name) < UAPI_PATH ? 0 : -ENAMETOOLONG;
}

/* uapi_path has checked that the path fits. */
static struct sockaddr_un socket_address(const char *path)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };

	snprintf(address.sun_path, sizeof address.sun_path, "%s", path);
	return address;
}

/* The send timeout also limits connect(2), which blocks while the backlog is full. */
static int connect_to(const char *path, int flags, int seconds)
{
	struct timeval timeout = { .tv_sec = seconds };
	struct sockaddr_un address = socket_address(path);
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | flags, 0);
	int error;

	if (fd < 0)
		return -errno;
	if (!setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &timeout, sizeof timeout) &&
		!setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &timeout, sizeof timeout) &&
		!connect(fd, (const struct sockaddr *)&address, sizeof address))
		return fd;
	error = -errno;
	close(fd);
	return error;
}

int uapi_connect(const char *directory, const char *name, int seconds)
{
	char path[UAPI_PATH];
	int error = uapi_path(path, directory, name);

	return error ? error : connect_to(path, seconds ? 0 : SOCK_NONBLOCK, seconds);
}

bool uapi_identify(const char *path, dev_t *device, ino_t *inode)
{
	struct stat status;

	if (lstat(path, &status) < 0 || !S_ISSOCK(status.st_mode))
		return false;
	*device = status.st_dev;
	*inode = status.st_ino;
	return true;
}

/* Returns 0 if a daemon listens, or a negative errno: -ECONNREFUSED if it has died, -EAGAIN if its backlog is full. */
static int try_connect(const char *path)
{
	int fd = connect_to(path, SOCK_NONBLOCK, 0);

	if (fd < 0)
		return fd;
	close(fd);
	return 0;
}

/* 0 if the path is unused, or is the socket of a daemon that has died. */
static int check_path_unused(const char *path)
{
	dev_t device;
	ino_t inode;
	int error = try_connect(path);

	if (!error || error == -EAGAIN)
		return -EADDRINUSE;
	if (error == -ECONNREFUSED)
		return uapi_identify(path, &device, &inode) ? 0 : -EEXIST;
	return error == -ENOENT ? 0 : error;
}

/* Listens at `temporary` first, then renames the socket to `path`. */
static int listen_and_rename(const char *temporary, const char *path)
{
	struct sockaddr_un address = socket_address(temporary);
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	int error;

	if (fd < 0)
		return -errno;
	unlink(temporary);
	/* Nobody can connect before listen(2), so the mode is set in time. */
	if (!bind(fd, (const struct sockaddr *)&address, sizeof address) && !chmod(temporary, 0600) &&
		!listen(fd, UAPI_CONNECTIONS_MAX) && !rename(temporary, path))
		return fd;
	error = -errno;
	unlink(temporary);
	close(fd);
	return error;
}

/*
 * Every user who can read the directory can also lock it, so after LOCK_TRIES the daemon continues without the lock.
 * Returns a descriptor to close, or negative errno.
 */
static int lock_directory(const char *directory, bool *locked)
{
	int fd = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	*locked = false;
	if (fd < 0)
		return -errno;
	for (int tries = 0; tries < LOCK_TRIES && !*locked; tries++) {
		*locked = !flock(fd, LOCK_EX | LOCK_NB);
		if (!*locked)
			usleep(LOCK_WAIT_US);
	}
	return fd;
}

/* Removes what daemons that died between bind and rename have left. The lock keeps living daemons out of that step. */
static void sweep_temporary_sockets(const char *directory)
{
	DIR *files = opendir(directory);
	char path[UAPI_PATH];

	if (!files)
		return;
	for (const struct dirent *file = readdir(files); file; file = readdir(files)) {
		const char *name = file->d_name, *dot = strrchr(name, '.');
		dev_t device;
		ino_t inode;

		/* The temporary name of the socket of NAME is ".NAME.PID". */
		if (name[0] != '.' || dot <= name + 1 || !dot[1] || dot[1 + strspn(dot + 1, "0123456789")])
			continue;
		if (snprintf(path, sizeof path, "%s/%s", directory, name) >= UAPI_PATH || !uapi_identify(path, &device, &inode))
			continue;
		if (try_connect(path) == -ECONNREFUSED)
			unlink(path);
	}
	closedir(files);
}

/* One attempt. The lock is released before the caller waits for another daemon. */
static int listen_if_unused(const char *directory, const char *path, const char *temporary)
{
	bool locked;
	int lock = lock_directory(directory, &locked), fd;

	if (lock < 0)
		return lock;
	fd = check_path_unused(path);
	if (!fd) {
		if (locked)
			sweep_temporary_sockets(directory);
		fd = listen_and_rename(temporary, path);
	}
	close(lock);
	return fd;
}

/*
 * Finds out whether the daemon that listens at `path` is about to end. `ip link del` returns before the daemon has
 * noticed that its interface is gone, and it may be busy; a new daemon may start meanwhile. A daemon handles that event
 * before any request, so one that answers is not ending. One that ends closes the connection. Returns true if the
 * caller should try again.
 */
static bool daemon_ends(const char *path, uint64_t end)
{
	static const char request[] = "ping=1\n\n"; /* any verb that it does not know */
	struct pollfd answer = { .events = POLLIN };
	bool ends = false;
	char byte;

	answer.fd = connect_to(path, SOCK_NONBLOCK, 0);
	if (answer.fd == -EAGAIN) { /* its backlog is full */
		usleep(END_WAIT_US);
		return clock_ms_until(end);
	}
	if (answer.fd < 0)
		return true; /* it has ended, or listen_if_unused reports the error */
	if (send(answer.fd, request, sizeof request - 1, MSG_NOSIGNAL) < 0)
		ends = errno == EPIPE || errno == ECONNRESET;
	else if (poll(&answer, 1, clock_ms_until(end)) > 0)
		ends = recv(answer.fd, &byte, 1, 0) <= 0;
	close(answer.fd);
	if (ends)
		usleep(END_WAIT_US);
	return ends && clock_ms_until(end);
}

int uapi_create_directory(const char *directory)
{
	char path[UAPI_PATH];

	/* A minimal container lacks /var/run, too. */
	for (size_t length = 1; directory[length - 1]; length++) {
		bool created;

		length += strcspn(directory + length, "/");
		if (snprintf(path, sizeof path, "%.*s", (int)length, directory) >= UAPI_PATH)
			return -ENAMETOOLONG;
		created = !mkdir(path, 0755);
		if ((!created && errno != EEXIST) || (created && chmod(path, 0755))) /* mkdir(2) applies the umask */
			return -errno;
	}
	return 0;
}

bool uapi_remove_dead_socket(const char *directory, const char *name)
{
	char path[UAPI_PATH];
	dev_t device;
	ino_t inode;

	if (uapi_path(path, directory, name) || !uapi_identify(path, &device, &inode))
		return false;
	return try_connect(path) == -ECONNREFUSED && !unlink(path);
}

int uapi_listen(const char *directory, const char *name)
{
	char path[UAPI_PATH], temporary[UAPI_PATH];
	uint64_t end = clock_boottime() + UAPI_END_TIMEOUT * NS_PER_S;
	int fd = uapi_path(path, directory, name);

	if (fd)
		return fd;
	if (snprintf(temporary, sizeof temporary, "%s/.%s.%ld", directory, name, (long)getpid()) >= UAPI_PATH)
		return -ENAMETOOLONG;
	fd = uapi_create_directory(directory);
	if (fd)
		return fd;
	do
		fd = listen_if_unused(directory, path, temporary);
	while (fd == -EADDRINUSE && daemon_ends(path, end));
	return fd;
}
