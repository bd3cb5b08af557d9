/* SPDX-License-Identifier: MIT */
/* New files with secrets. */
#include "new_file.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <sodium.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/keytext.h"
#include "base/write_all.h"

void text_printf(struct text *text, const char *format, ...)
{
	size_t room = sizeof text->bytes - text->length;
	va_list arguments;
	int length;

	va_start(arguments, format);
	length = vsnprintf(text->bytes + text->length, room, format, arguments);
	va_end(arguments);
	if (length < 0 || (size_t)length >= room)
		text->full = true;
	else
		text->length += (size_t)length;
}

void text_key(struct text *text, const char *name, const unsigned char key[32])
{
	char base64[KEY_BASE64];

	key_to_base64(base64, key);
	text_printf(text, "%s = %s\n", name, base64);
	sodium_memzero(base64, sizeof base64);
}

void text_wipe(struct text *text)
{
	sodium_memzero(text, sizeof *text);
}

int new_file_print(const struct text *text)
{
	return write_all(STDOUT_FILENO, text->bytes, text->length);
}

/* Gives a file its name if that is free. Some file systems cannot rename so, but they have links. */
static int rename_new(const char *from, const char *to)
{
	if (renameat2(AT_FDCWD, from, AT_FDCWD, to, RENAME_NOREPLACE) == 0)
		return 0;
	if (errno != EINVAL && errno != ENOSYS)
		return -errno;
	if (link(from, to) < 0)
		return -errno;
	unlink(from);
	return 0;
}

int new_file_write(const char *path, const struct text *text)
{
	const char *slash = strrchr(path, '/');
	int folder = slash ? (int)(slash + 1 - path) : 0, fd, error; /* bytes of the folder and its slash */
	char hidden[PATH_MAX];

	if (snprintf(hidden, sizeof hidden, "%.*s.%s.XXXXXX", folder, path, path + folder) >= (int)sizeof hidden)
		return -ENAMETOOLONG;
	if (access(path, F_OK) == 0)
		return -EEXIST;
	fd = mkostemp(hidden, O_CLOEXEC); /* mode 0600 */
	if (fd < 0)
		return -errno;
	error = write_all(fd, text->bytes, text->length);
	if (!error && fsync(fd) < 0)
		error = -errno;
	if (close(fd) < 0 && !error)
		error = -errno;
	if (!error)
		error = rename_new(hidden, path);
	if (error)
		unlink(hidden);
	else
		sync_folder_of(path);
	return error;
}
