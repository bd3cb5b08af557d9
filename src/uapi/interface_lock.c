/* SPDX-License-Identifier: MIT */
/* The lock of an interface name. */
#include "uapi/interface_lock.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "uapi/socket.h"

enum { RETRY_US = 10000 };

/* The bytes of the file, in such an order that one call locks that of the owner with that of a phase. */
enum lock_byte { BYTE_STARTING, BYTE_OWNER, BYTE_ENDING };

static int set_record(int fd, enum lock_byte first, int count, short type)
{
	struct flock record = { .l_type = type, .l_whence = SEEK_SET, .l_start = first, .l_len = count };

	return fcntl(fd, F_SETLK, &record) ? -errno : 0;
}

/* Returns whether another process has locked the byte. */
static bool find_record(int fd, enum lock_byte byte, pid_t *process)
{
	struct flock record = { .l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = byte, .l_len = 1 };

	if (fcntl(fd, F_GETLK, &record) || record.l_type == F_UNLCK)
		return false;
	*process = record.l_pid;
	return true;
}

/* Without /proc, all network namespaces share one lock. */
static int make_lock_path(char path[UAPI_PATH], const char *directory, const char *interface)
{
	char socket[UAPI_PATH];
	struct stat network = { 0 };
	int error = uapi_path(socket, directory, interface);

	if (error)
		return error;
	if (stat("/proc/self/ns/net", &network))
		network.st_ino = 0;
	error = snprintf(path, UAPI_PATH, "%s/.%s.%lu.lock", directory, interface, (unsigned long)network.st_ino);
	return error < UAPI_PATH ? 0 : -ENAMETOOLONG;
}

/* Returns the locked descriptor, -EBUSY or another negative errno. Sets `left` if an earlier holder marked the file. */
static int lock_file(const char *path, enum interface_phase phase, bool *left)
{
	enum lock_byte first = phase == INTERFACE_STARTING ? BYTE_STARTING : BYTE_OWNER;

	for (;;) {
		int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600), error;
		struct stat locked, named;

		if (fd < 0)
			return -errno;
		error = set_record(fd, first, 2, F_WRLCK);
		/* The previous holder may have removed the file after we have opened it. */
		if (!error && !fstat(fd, &locked) && !lstat(path, &named) && locked.st_ino == named.st_ino &&
			locked.st_dev == named.st_dev) {
			*left = locked.st_size > 0;
			return fd;
		}
		close(fd);
		if (error)
			return error == -EAGAIN || error == -EACCES ? -EBUSY : error;
	}
}

/* The mark distinguishes a file that a killed holder left from one that another process has just created. */
static void mark_lock_file(const struct interface_lock *lock)
{
	static const char mark[] = "started\n";

	if (!lock->left && write(lock->fd, mark, sizeof mark - 1) < 0)
		return; /* without room there is no mark; the lock does not need it */
}

int interface_lock_take(struct interface_lock *lock, const char *directory, const char *interface,
						enum interface_phase phase, int timeout_ms)
{
	uint64_t end = clock_boottime() + (uint64_t)timeout_ms * NS_PER_MS;
	struct interface_holder holder;
	char path[UAPI_PATH];
	bool left = false;
	int fd = make_lock_path(path, directory, interface);

	if (!fd)
		fd = uapi_create_directory(directory);
	if (fd)
		return fd;
	for (;;) {
		fd = lock_file(path, phase, &left);
		if (fd != -EBUSY || clock_boottime() >= end)
			break;
		if (interface_lock_find(&holder, directory, interface) && holder.phase == INTERFACE_STARTING)
			break;
		usleep(RETRY_US);
	}
	if (fd < 0)
		return fd;
	*lock = (struct interface_lock) { .held = true, .left = left, .fd = fd };
	snprintf(lock->path, sizeof lock->path, "%s", path);
	if (phase == INTERFACE_STARTING)
		mark_lock_file(lock);
	return 0;
}

void interface_lock_enter(struct interface_lock *lock, enum interface_phase phase)
{
	if (!lock->held)
		return;
	set_record(lock->fd, BYTE_STARTING, 1, phase == INTERFACE_STARTING ? F_WRLCK : F_UNLCK);
	set_record(lock->fd, BYTE_ENDING, 1, phase == INTERFACE_ENDING ? F_WRLCK : F_UNLCK);
}

void interface_lock_release(struct interface_lock *lock)
{
	if (!lock->held)
		return;
	if (!lock->left)
		unlink(lock->path);
	close(lock->fd);
	*lock = (struct interface_lock) { 0 };
}

bool interface_lock_find(struct interface_holder *holder, const char *directory, const char *interface)
{
	char path[UAPI_PATH];
	pid_t ignored;
	bool found;
	int fd;

	*holder = (struct interface_holder) { 0 };
	if (make_lock_path(path, directory, interface))
		return false;
	fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	if (fd < 0)
		return false;
	found = find_record(fd, BYTE_OWNER, &holder->process);
	if (find_record(fd, BYTE_STARTING, &ignored))
		holder->phase = INTERFACE_STARTING;
	else if (find_record(fd, BYTE_ENDING, &ignored))
		holder->phase = INTERFACE_ENDING;
	close(fd);
	return found;
}

/* Whether the name of a file is that of a lock of the interface, in any network namespace: ".NAME.INODE.lock". */
static bool is_lock_name(const char *file, const char *interface)
{
	size_t length = strlen(interface), digits;

	if (file[0] != '.' || strncmp(file + 1, interface, length) != 0 || file[1 + length] != '.')
		return false;
	file += 2 + length;
	digits = strspn(file, "0123456789");
	return digits && strcmp(file + digits, ".lock") == 0;
}

bool interface_lock_is_elsewhere(const char *directory, const char *interface)
{
	struct interface_holder holder;
	const struct dirent *file;
	bool found = false;
	DIR *files;

	if (interface_lock_find(&holder, directory, interface))
		return false;
	files = opendir(directory);
	if (!files)
		return false;
	while (!found && (file = readdir(files))) {
		int fd = -1;

		if (is_lock_name(file->d_name, interface))
			fd = openat(dirfd(files), file->d_name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
		if (fd < 0)
			continue;
		found = find_record(fd, BYTE_OWNER, &holder.process);
		close(fd);
	}
	closedir(files);
	return found;
}
