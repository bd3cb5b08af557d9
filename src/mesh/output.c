/* SPDX-License-Identifier: MIT */
/* The folder that adit mesh writes. */
#include "output.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/write_all.h"
#include "render.h"

#define REMOVED "removed"

/* A file that is complete under its hidden name. */
struct output_file {
	char *hidden, *name; /* paths below the folder */
};

int output_open(struct output *output, const char *path, bool dry_run, struct reason *reason)
{
	*output = (struct output) { .path = path, .fd = -1, .dry_run = dry_run };
	if (!dry_run && mkdir(path, 0700) < 0 && errno != EEXIST)
		return reason_set_errno(reason, -errno, "%s", path);
	output->fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (output->fd < 0)
		return dry_run && errno == ENOENT ? 0 : reason_set_errno(reason, -errno, "%s", path);
	if (flock(output->fd, LOCK_EX | LOCK_NB) == 0)
		return 0;
	if (errno == EWOULDBLOCK)
		return reason_set(reason, -EBUSY, "%s: another adit mesh is using this folder", path);
	return reason_set_errno(reason, -errno, "%s: lock", path);
}

void output_close(struct output *output)
{
	for (size_t i = 0; i < output->count; i++) {
		unlinkat(output->fd, output->files[i].hidden, 0); /* fails if the file has its name */
		free(output->files[i].hidden);
		free(output->files[i].name);
	}
	free(output->files);
	if (output->fd >= 0 && output->path)
		close(output->fd);
	*output = (struct output) { .fd = -1 };
}

/* Returns true if the file begins as those that adit mesh generates. */
static bool file_is_generated(int folder, const char *name)
{
	int fd = openat(folder, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
	char start[sizeof RENDER_MARK - 1];
	bool generated;

	if (fd < 0)
		return false;
	generated = read(fd, start, sizeof start) == sizeof start && memcmp(start, RENDER_MARK, sizeof start) == 0;
	close(fd);
	return generated;
}

/* Looks for a generated NAME.conf other than that of the interface. Fills `other` with its name. */
static bool find_other_interface(int folder, const char *interface, char other[NAME_MAX + 1])
{
	int copy = fcntl(folder, F_DUPFD_CLOEXEC, 0);
	DIR *directory = copy < 0 ? NULL : fdopendir(copy);
	bool found = false;

	if (!directory) {
		if (copy >= 0)
			close(copy);
		return false;
	}
	rewinddir(directory);
	while (!found) {
		const struct dirent *entry = readdir(directory);
		size_t length = entry ? strlen(entry->d_name) : 0;

		if (!entry)
			break;
		if (entry->d_name[0] == '.' || length <= 5 || strcmp(entry->d_name + length - 5, ".conf") != 0 ||
			(strncmp(entry->d_name, interface, length - 5) == 0 && !interface[length - 5]))
			continue;
		found = file_is_generated(folder, entry->d_name);
		snprintf(other, NAME_MAX + 1, "%s", entry->d_name);
	}
	closedir(directory);
	return found;
}

int output_find(const struct output *output, const struct host_list *list, size_t host, char **path,
				struct reason *reason)
{
	const char *name = list->hosts[host].name;
	char other[NAME_MAX + 1];
	struct stat status;
	int folder, error = 0;

	*path = NULL;
	if (output->fd < 0)
		return 0;
	folder = openat(output->fd, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
	if (folder < 0)
		return errno == ENOENT ? 0 : reason_set_errno(reason, -errno, "%s/%s", output->path, name);
	if (asprintf(path, "%s/%s/%s.conf", output->path, name, list->interface) < 0) {
		*path = NULL;
		error = reason_set_errno(reason, -ENOMEM, "%s", name);
	} else if (fstatat(folder, *path + strlen(output->path) + strlen(name) + 2, &status, AT_SYMLINK_NOFOLLOW) == 0) {
		error = 1;
	} else if (errno != ENOENT) {
		error = reason_set_errno(reason, -errno, "%s", *path);
	} else if (find_other_interface(folder, list->interface, other)) {
		error =
			reason_set(reason, -EEXIST,
					   "%s/%s/%s is for another interface than \"%s\"; rename this file in the folder of each host to "
					   "keep the keys, or use another --out",
					   output->path, name, other, list->interface);
	}
	close(folder);
	if (error != 1) {
		free(*path);
		*path = NULL;
	}
	return error;
}

/* Returns false if there is no such file, or if it cannot be read. The text is then written. */
static bool content_equal(int directory, const char *path, const struct secret_text *text)
{
	int fd = openat(directory, path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	struct stat status;
	char buffer[65536];
	size_t done = 0;
	ssize_t got = 1;

	if (fd < 0)
		return false;
	if (fstat(fd, &status) < 0 || !S_ISREG(status.st_mode) || (size_t)status.st_size != text->length ||
		(status.st_mode & 07777) != 0600) {
		close(fd);
		return false;
	}
	while (done < text->length && got > 0) {
		size_t left = text->length - done;

		got = read(fd, buffer, left < sizeof buffer ? left : sizeof buffer);
		if (got > 0 && memcmp(buffer, text->bytes + done, (size_t)got) != 0)
			break;
		if (got > 0)
			done += (size_t)got;
	}
	close(fd);
	sodium_memzero(buffer, sizeof buffer);
	return done == text->length;
}

/* Makes room for one more file that output_commit renames. */
static bool reserve_file(struct output *output)
{
	size_t room = output->room ? output->room * 2 : 64;
	struct output_file *files;

	if (output->count < output->room)
		return true;
	files = realloc(output->files, room * sizeof *files);
	if (!files)
		return false;
	output->files = files;
	output->room = room;
	return true;
}

/*
 * A file that an earlier run left under the hidden name is overwritten. Nobody else writes it, because this process has
 * the lock.
 */
static int write_hidden(const struct output *output, const char *hidden, const struct secret_text *text)
{
	int fd = openat(output->fd, hidden, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
	int error;

	if (fd < 0)
		return -errno;
	error = fchmod(fd, 0600) < 0 ? -errno : write_all(fd, text->bytes, text->length);
	if (close(fd) < 0 && !error)
		error = -errno;
	if (error)
		unlinkat(output->fd, hidden, 0);
	return error;
}

int output_write(struct output *output, const char *folder, const char *name, const struct secret_text *text,
				 struct reason *reason)
{
	const char *where = folder ? folder : "", *slash = folder ? "/" : "";
	struct output_file file = { 0 };
	int error = -ENOMEM;

	if (text->failed || !reserve_file(output))
		goto failed;
	if (asprintf(&file.name, "%s%s%s", where, slash, name) < 0) {
		file.name = NULL;
		goto failed;
	}
	if (asprintf(&file.hidden, "%s%s.%s.new", where, slash, name) < 0) {
		file.hidden = NULL;
		goto failed;
	}
	if (output->fd >= 0 && content_equal(output->fd, file.name, text)) {
		if (!output->dry_run)
			unlinkat(output->fd, file.hidden, 0); /* a run that was killed may have left it */
		error = 0;
		goto unchanged;
	}
	if (output->dry_run) {
		error = 1;
		goto unchanged;
	}
	if (folder && mkdirat(output->fd, folder, 0700) < 0 && errno != EEXIST) {
		error = -errno;
		goto failed;
	}
	error = write_hidden(output, file.hidden, text);
	if (error)
		goto failed;
	output->files[output->count++] = file;
	return 1;
failed:
	reason_set_errno(reason, error, "%s/%s%s%s", output->path, where, slash, name);
unchanged:
	free(file.hidden);
	free(file.name);
	return error;
}

int output_commit(struct output *output, struct reason *reason)
{
	/* One call for all files takes much less time than an fsync(2) for each. */
	if (output->count && syncfs(output->fd) < 0)
		return reason_set_errno(reason, -errno, "%s", output->path);
	for (size_t i = 0; i < output->count; i++) {
		const struct output_file *file = &output->files[i];

		if (renameat(output->fd, file->hidden, output->fd, file->name) < 0)
			return reason_set_errno(reason, -errno, "%s/%s", output->path, file->name);
	}
	return 0;
}

/* Moves the folder of a host to the first free name of removed/HOST, removed/HOST.2, ... Fills `folder` with it. */
static int move_to_removed(const struct output *output, const char *name, char folder[PATH_MAX])
{
	if (mkdirat(output->fd, REMOVED, 0700) < 0 && errno != EEXIST)
		return -errno;
	for (unsigned number = 1;; number++) {
		if (number == 1)
			snprintf(folder, PATH_MAX, "%s/%s", REMOVED, name);
		else
			snprintf(folder, PATH_MAX, "%s/%s.%u", REMOVED, name, number);
		if (renameat2(output->fd, name, output->fd, folder, RENAME_NOREPLACE) == 0)
			return 0;
		if (errno != EEXIST)
			return -errno;
	}
}

static bool is_folder_of_other_host(const struct output *output, const struct host_list *list, const char *name)
{
	char path[PATH_MAX];

	if (*name == '.' || strcmp(name, REMOVED) == 0 || host_list_find(list, name) < list->count)
		return false;
	return snprintf(path, sizeof path, "%s/%s.conf", name, list->interface) < PATH_MAX &&
		   file_is_generated(output->fd, path);
}

int output_remove_others(struct output *output, const struct host_list *list,
						 void (*removed)(void *context, const char *host, const char *folder), void *context,
						 struct reason *reason)
{
	struct dirent **entries = NULL;
	int count, error = 0;

	if (output->fd < 0)
		return 0;
	count = scandir(output->path, &entries, NULL, alphasort);
	if (count < 0)
		return reason_set_errno(reason, -errno, "%s", output->path);
	for (int i = 0; i < count; i++) {
		const char *name = entries[i]->d_name;
		char folder[PATH_MAX] = REMOVED;

		if (!error && is_folder_of_other_host(output, list, name)) {
			if (!output->dry_run)
				error = move_to_removed(output, name, folder);
			if (error)
				reason_set_errno(reason, error, "%s/%s", output->path, name);
			else
				removed(context, name, folder);
		}
		free(entries[i]);
	}
	free(entries);
	return error;
}
