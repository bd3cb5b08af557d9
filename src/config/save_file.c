/* SPDX-License-Identifier: MIT */
/* Save: reads a configuration file, and replaces it by its edited text. */
#include <errno.h>
#include <fcntl.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/write_all.h"
#include "config/ini.h"
#include "config/save.h"

/* Reads a regular file. Returns 0 and the text, which the caller wipes and frees, or negative errno. */
static int read_saved_file(const char *path, char **text, size_t *length, struct stat *status)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC), error = 0;
	ssize_t got = 1;

	*text = NULL;
	*length = 0;
	if (fd < 0)
		return -errno;
	if (fstat(fd, status))
		error = -errno;
	else
		*text = malloc((size_t)status->st_size + 1);
	if (!error && !*text)
		error = -ENOMEM;
	while (!error && got && *length < (size_t)status->st_size) {
		got = read(fd, *text + *length, (size_t)status->st_size - *length);
		if (got < 0 && errno != EINTR)
			error = -errno;
		if (got > 0)
			*length += (size_t)got;
	}
	close(fd);
	return error;
}

/* Checks the new text before it replaces the file. */
static int check_edited(const char *path, const char *text, size_t length)
{
	struct ini_report findings = { 0 };
	struct config config = { 0 };
	int error = ini_parse_config(&config, path, text, length, &findings);

	config_destroy(&config);
	return error;
}

/* Replaces the file at `path`, which is not a symbolic link. `old` is its status. Returns 0 or negative errno. */
static int replace_file(const char *path, const struct stat *old, const char *text, size_t length)
{
	const char *slash = strrchr(path, '/');
	int base = slash ? (int)(slash - path) + 1 : 0, error, fd;
	char temporary[4096];

	/* Not NAME.conf, so that nothing takes a file that is left after a crash for a configuration. */
	if (snprintf(temporary, sizeof temporary, "%.*s.%s.XXXXXX", base, path, path + base) >= (int)sizeof temporary)
		return -ENAMETOOLONG;
	fd = mkostemp(temporary, O_CLOEXEC);
	if (fd < 0)
		return -errno;
	error = 0;
	if ((old->st_uid != geteuid() || old->st_gid != getegid()) && fchown(fd, old->st_uid, old->st_gid))
		error = -errno;
	if (!error && fchmod(fd, old->st_mode & 0600))
		error = -errno;
	if (!error)
		error = write_all(fd, text, length);
	if (!error && fsync(fd))
		error = -errno;
	close(fd);
	if (!error && rename(temporary, path))
		error = -errno;
	if (error)
		unlink(temporary);
	else
		sync_folder_of(path);
	return error;
}

int save_file(const char *path, const struct config *running, struct reason *warning, struct reason *reason)
{
	struct ini_report findings = { 0 };
	const struct config_peer *unsaved = NULL;
	struct config on_disk = { 0 };
	char *target = realpath(path, NULL), *text = NULL, *edited = NULL;
	size_t length = 0, edited_length = 0;
	char key[KEY_BASE64];
	struct stat status;
	int result = target ? ini_load(&on_disk, path, &findings) : -errno;

	if (result && findings.errors) {
		reason_set(reason, result, "SaveConfig: %s has errors, so it is not changed", path);
		goto free_all;
	}
	if (!result)
		result = read_saved_file(target, &text, &length, &status);
	if (!result)
		result = save_edit(&edited, &edited_length, text, length, &on_disk, running, &unsaved);
	if (result > 0) {
		int error = check_edited(path, edited, edited_length);

		if (!error)
			error = replace_file(target, &status, edited, edited_length);
		if (error)
			result = error;
	}
	if (result >= 0 && unsaved) {
		key_to_base64(key, unsaved->public_key);
		reason_set(warning, 0, "SaveConfig does not edit included files: the change of peer %s in %s is not saved", key,
				   unsaved->file ? unsaved->file->path : "another file");
	}
	if (result < 0)
		reason_set_errno(reason, result, "SaveConfig: %s", path);
free_all:
	if (text)
		sodium_memzero(text, length);
	if (edited)
		sodium_memzero(edited, edited_length);
	free(text);
	free(edited);
	free(target);
	config_destroy(&on_disk);
	return result;
}
