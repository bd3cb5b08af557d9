/* SPDX-License-Identifier: MIT */
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

static bool name_valid(const char *name)
{
	size_t length = strlen(name);

	return length && length < IFNAMSIZ && !strchr(name, '/') && strcmp(name, ".") && strcmp(name, "..");
}

int uapi_path(char path[UAPI_PATH], const char *directory, const char *name)
{
	if (!name_valid(name))
		return -EINVAL;
	return snprintf(path, UAPI_PATH, "%s/%s.sock", directory, name) < UAPI_PATH ? 0 : -ENAMETOOLONG;
}

/* The path fits: uapi_path has seen to that. */
static struct sockaddr_un address_of(const char *path)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };

	strcpy(address.sun_path, path);
	return address;
}

/* A backlog that is full makes connect(2) wait, too. */
static int connect_to(const char *path, int flags, int seconds)
{
	struct timeval wait = { .tv_sec = seconds };
	struct sockaddr_un address = address_of(path);
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | flags, 0);
	int error;

	if (fd < 0)
		return -errno;
	if (!setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &wait, sizeof wait) &&
		!setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &wait, sizeof wait) &&
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

bool uapi_identify(const char *path, dev_t *home, ino_t *inode)
{
	struct stat about;

	if (lstat(path, &about) < 0 || !S_ISSOCK(about.st_mode))
		return false;
	*home = about.st_dev;
	*inode = about.st_ino;
	return true;
}

/* 0 when the path is free, or holds what a dead daemon has left. */
static int check_free(const char *path)
{
	dev_t home;
	ino_t inode;
	int fd = connect_to(path, SOCK_NONBLOCK, 0);

	if (fd >= 0)
		close(fd);
	if (fd >= 0 || fd == -EAGAIN) /* it lives; in the latter case its backlog is full */
		return -EADDRINUSE;
	if (fd == -ECONNREFUSED)
		return uapi_identify(path, &home, &inode) ? 0 : -EEXIST;
	return fd == -ENOENT ? 0 : fd;
}

static int make_directory(const char *directory)
{
	if (!mkdir(directory, 0755))
		return chmod(directory, 0755) ? -errno : 0; /* whatever the umask is */
	return errno == EEXIST ? 0 : -errno;
}

/* Nobody can connect until it listens, so the mode is right before it matters. */
static int listen_at(const char *path)
{
	struct sockaddr_un address = address_of(path);
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	int error;

	if (fd < 0)
		return -errno;
	unlink(path);
	if (!bind(fd, (const struct sockaddr *)&address, sizeof address) && !chmod(path, 0600) && !listen(fd, UAPI_CLIENTS))
		return fd;
	error = -errno;
	close(fd);
	return error;
}

/* Listens under the name `made` before it takes the right one: whoever finds `path` is answered. */
static int listen_as(const char *made, const char *path)
{
	int fd = listen_at(made);
	int error;

	if (fd >= 0 && !rename(made, path))
		return fd;
	error = fd < 0 ? fd : -errno;
	unlink(made);
	if (fd >= 0)
		close(fd);
	return error;
}

/*
 * Two that start at a time must not both find the name free: who looks holds the lock until the name is taken. Whoever
 * can read the directory can lock it too, so nobody waits for long. A descriptor to close, or negative errno.
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
	char path[UAPI_PATH], made[UAPI_PATH];
	int error = uapi_path(path, directory, name);
	int lock, fd;

	if (error)
		return error;
	if (snprintf(made, sizeof made, "%s/.%s.%ld", directory, name, (long)getpid()) >= UAPI_PATH)
		return -ENAMETOOLONG;
	error = make_directory(directory);
	if (error)
		return error;
	lock = lock_directory(directory);
	if (lock < 0)
		return lock;
	fd = check_free(path);
	if (!fd)
		fd = listen_as(made, path);
	close(lock);
	return fd;
}
