/* SPDX-License-Identifier: MIT */
/*
 * Control sockets in the file system: creates the listening socket and connects to one.
 *
 * The socket is created under a temporary name, listens, and is then renamed, so a client that finds it can connect. A
 * lock on the directory covers the check for another daemon and the rename, so of two daemons that start at the same
 * time one fails.
 */
#include "uapi/socket.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <unistd.h>

enum { LOCK_TRIES = 100, LOCK_WAIT_US = 10000 };

static bool socket_name_valid(const char *name)
{
	size_t length = strlen(name);

	return length && length < IFNAMSIZ && !strchr(name, '/') && strcmp(name, ".") && strcmp(name, "..");
}

int uapi_path(char path[UAPI_PATH], const char *directory, const char *name)
{
	if (!socket_name_valid(name))
		return -EINVAL;
	return snprintf(path, UAPI_PATH, "%s/%s.sock", directory, name) < UAPI_PATH ? 0 : -ENAMETOOLONG;
}

/* uapi_path has checked that the path fits. */
static struct sockaddr_un socket_address(const char *path)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };

	strcpy(address.sun_path, path);
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

	return error ? error : connect_to(path, 0, seconds);
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

/* 0 if the path is unused, or is the socket of a daemon that has died. */
static int check_path_unused(const char *path)
{
	dev_t device;
	ino_t inode;
	int fd = connect_to(path, SOCK_NONBLOCK, 0);

	if (fd >= 0)
		close(fd);
	if (fd >= 0 || fd == -EAGAIN) /* a daemon listens; -EAGAIN: its backlog is full */
		return -EADDRINUSE;
	if (fd == -ECONNREFUSED)
		return uapi_identify(path, &device, &inode) ? 0 : -EEXIST;
	return fd == -ENOENT ? 0 : fd;
}

static int make_directory(const char *directory)
{
	if (!mkdir(directory, 0755))
		return chmod(directory, 0755) ? -errno : 0; /* mkdir(2) applies the umask */
	return errno == EEXIST ? 0 : -errno;
}

/* Nobody can connect before listen(2), so the mode is set in time. */
static int listen_at(const char *path)
{
	struct sockaddr_un address = socket_address(path);
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	int error;

	if (fd < 0)
		return -errno;
	unlink(path);
	if (!bind(fd, (const struct sockaddr *)&address, sizeof address) && !chmod(path, 0600) &&
		!listen(fd, UAPI_CONNECTIONS_MAX))
		return fd;
	error = -errno;
	close(fd);
	return error;
}

/* Listens at `temporary` first, then renames the socket to `path`. */
static int listen_and_rename(const char *temporary, const char *path)
{
	int fd = listen_at(temporary);
	int error;

	if (fd < 0) {
		unlink(temporary);
		return fd;
	}
	if (!rename(temporary, path))
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
static int lock_directory(const char *directory)
{
	int fd = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (fd < 0)
		return -errno;
	for (int tries = 0; tries < LOCK_TRIES && flock(fd, LOCK_EX | LOCK_NB); tries++)
		usleep(LOCK_WAIT_US);
	return fd;
}

int uapi_listen(const char *directory, const char *name)
{
	char path[UAPI_PATH], temporary[UAPI_PATH];
	int error = uapi_path(path, directory, name);
	int lock, fd;

	if (error)
		return error;
	if (snprintf(temporary, sizeof temporary, "%s/.%s.%ld", directory, name, (long)getpid()) >= UAPI_PATH)
		return -ENAMETOOLONG;
	error = make_directory(directory);
	if (error)
		return error;
	lock = lock_directory(directory);
	if (lock < 0)
		return lock;
	fd = check_path_unused(path);
	if (!fd)
		fd = listen_and_rename(temporary, path);
	close(lock);
	return fd;
}
