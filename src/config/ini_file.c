/* SPDX-License-Identifier: MIT */
/* INI: reads a configuration file and names the interface after it. */
#include <errno.h>
#include <fcntl.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "config/ini.h"
#include "ini_parser.h"

enum { FILE_MIB = 16, FILE_MAX = FILE_MIB << 20 };

#define NAME_CHARACTERS "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_=+.-"

/*
 * The rule of wg-quick(8). In addition, the kernel rejects the names "." and "..", and a command takes a name that
 * starts with a hyphen for an option.
 */
static bool ini_is_interface(const char *name, size_t length)
{
	if (length < 1 || length >= sizeof((struct config *)NULL)->interface || strspn(name, NAME_CHARACTERS) < length ||
		*name == '-')
		return false;
	return strncmp(name, "..", length) != 0 || length > 2;
}

size_t ini_stem_length(const char *base)
{
	size_t length = strlen(base);

	return length > 5 && strcmp(base + length - 5, ".conf") == 0 ? length - 5 : 0;
}

size_t ini_interface_name(const char *path, const char **name)
{
	const char *slash = strrchr(path, '/');
	size_t length;

	*name = slash ? slash + 1 : path;
	length = ini_stem_length(*name);
	return ini_is_interface(*name, length) ? length : 0;
}

const char *ini_path(const char *path, char buffer[INI_PATH])
{
	if (ini_stem_length(path) || !ini_is_interface(path, strlen(path)))
		return path;
	snprintf(buffer, INI_PATH, "%s/%s.conf", INI_DIRECTORY, path);
	return buffer;
}

/* Opens a regular file that is not too large. Returns the descriptor or a negative errno, reported. */
static int ini_open_file(const struct ini_parser *parser, int folder, const char *path, struct stat *status)
{
	int fd = openat(folder, path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	int error = 0;

	if (fd < 0 || fstat(fd, status) < 0) {
		error = -errno;
		ini_error(parser, 0, "%s", strerror(errno));
	} else if (S_ISDIR(status->st_mode)) {
		error = -EISDIR;
		ini_error(parser, 0, "%s", strerror(EISDIR));
	} else if (!S_ISREG(status->st_mode)) {
		error = -EINVAL;
		ini_error(parser, 0, "not a regular file");
	} else if (status->st_size > FILE_MAX) {
		error = -EFBIG;
		ini_error(parser, 0, "the file is larger than %d MiB", FILE_MIB);
	} else if (status->st_size == 0 && !parser->file) {
		error = -EINVAL;
		ini_error(parser, 0, "the file is empty; it needs an [Interface] section");
	}
	if (!error)
		return fd;
	if (fd >= 0)
		close(fd);
	return error;
}

/* Reads up to `size` bytes and parses them. Returns 0 or a negative errno; that of read(2) has been reported. */
static int ini_read_text(struct ini_parser *parser, int fd, size_t size)
{
	char *text = malloc(size + 1);
	size_t length = 0;
	ssize_t got;
	int error;

	if (!text)
		return -ENOMEM;
	do {
		got = read(fd, text + length, size - length);
		if (got > 0)
			length += (size_t)got;
	} while (length < size && (got > 0 || (got < 0 && errno == EINTR)));
	if (got < 0) {
		error = -errno;
		ini_error(parser, 0, "%s", strerror(-error));
	} else {
		error = ini_parse_text(parser, text, length);
	}
	sodium_memzero(text, size);
	free(text);
	return error;
}

int ini_read_file(struct ini_parser *parser, int folder, const char *path)
{
	struct stat status;
	int fd = ini_open_file(parser, folder, path, &status);
	int error;

	if (fd < 0)
		return fd;
	parser->file_has_keys = false;
	error = ini_read_text(parser, fd, (size_t)status.st_size);
	close(fd);
	if (parser->file_has_keys && status.st_mode & (S_IRWXG | S_IRWXO))
		ini_exposure(parser, 0, "the file contains keys, and its mode %04o lets others access it; set the mode to 0600",
					 status.st_mode & 07777);
	return error;
}

int ini_load(struct config *config, const char *path, struct ini_report *report)
{
	int earlier_errors = report->errors;
	char buffer[INI_PATH];
	struct ini_parser parser;
	const char *name;
	size_t length;
	int error;

	ini_parser_init(&parser, config, ini_path(path, buffer), report);
	parser.reads_files = true;
	length = ini_interface_name(parser.name, &name);
	memcpy(config->interface, name, length);
	error = ini_read_file(&parser, AT_FDCWD, parser.name);
	if (error)
		return error;
	if (!length)
		ini_error(&parser, 0,
				  "the file name is not NAME.conf, where NAME, the name of the interface, is 1 to 15 characters of "
				  "a-z A-Z 0-9 _ = + . -, not starting with -");
	error = ini_read_includes(&parser);
	if (!error)
		error = ini_finish(&parser);
	if (error)
		return error;
	return report->errors > earlier_errors ? -EINVAL : 0;
}
