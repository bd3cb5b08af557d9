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

enum { FILE_MIB = 16, FILE_MAX = FILE_MIB << 20, PATH_ROOM = 64 };

#define NAME_CHARACTERS "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_=+.-"

/* The rule of wg-quick(8); in addition, the kernel rejects the names "." and "..". */
static bool ini_is_interface(const char *name, size_t length)
{
	if (length < 1 || length >= sizeof((struct config *)NULL)->interface || strspn(name, NAME_CHARACTERS) < length)
		return false;
	return strncmp(name, "..", length) != 0 || length > 2;
}

/* The length of a file name without its ".conf", or 0 if it has none. */
static size_t stem_length(const char *base)
{
	size_t length = strlen(base);

	return length > 5 && strcmp(base + length - 5, ".conf") == 0 ? length - 5 : 0;
}

static int name_interface(const struct ini_parser *parser)
{
	const char *slash = strrchr(parser->name, '/');
	const char *base = slash ? slash + 1 : parser->name;
	size_t length = stem_length(base);

	if (ini_is_interface(base, length)) {
		memcpy(parser->config->interface, base, length);
		parser->config->interface[length] = '\0';
		return 0;
	}
	ini_error(parser, 0,
			  "the file name is not NAME.conf, where NAME, the name of the interface, is 1 to 15 characters of "
			  "a-z A-Z 0-9 _ = + . -");
	return -EINVAL;
}

/* Opens a regular file that is neither empty nor too large. Returns the descriptor or a negative errno, reported. */
static int ini_open_file(const struct ini_parser *parser, struct stat *status)
{
	int fd = open(parser->name, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
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
	} else if (status->st_size == 0) {
		error = -EINVAL;
		ini_error(parser, 0, "the file is empty; it needs an [Interface] section");
	}
	if (!error)
		return fd;
	if (fd >= 0)
		close(fd);
	return error;
}

/* Reads up to `size` bytes and parses them. Returns as ini_parse_config, or the errno of read(2), reported. */
static int ini_parse_file(const struct ini_parser *parser, int fd, size_t size)
{
	char *text = malloc(size);
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
		error = ini_parse_config(parser->config, parser->name, text, length, parser->report);
	}
	sodium_memzero(text, size);
	free(text);
	return error;
}

int ini_load(struct config *config, const char *path, struct ini_report *report)
{
	char buffer[PATH_ROOM];
	/* For findings only; ini_parse_config makes a parser of its own. */
	struct ini_parser parser = { .config = config, .report = report, .name = path };
	struct stat status;
	bool has_keys;
	int fd, name_error, error;

	/* A name alone, without ".conf", means a file of INI_DIRECTORY. */
	if (!stem_length(path) && ini_is_interface(path, strlen(path))) {
		snprintf(buffer, sizeof buffer, "%s/%s.conf", INI_DIRECTORY, path);
		parser.name = buffer;
	}
	fd = ini_open_file(&parser, &status);
	if (fd < 0)
		return fd;
	name_error = name_interface(&parser);
	error = ini_parse_file(&parser, fd, (size_t)status.st_size);
	close(fd);
	has_keys = config->has_private_key;
	for (const struct config_peer *peer = config->peers; peer; peer = peer->next)
		has_keys |= peer->has_preshared_key;
	if (has_keys && status.st_mode & (S_IRWXG | S_IRWXO))
		ini_warning(&parser, 0, "the file contains keys, and its mode %04o lets others access it; set the mode to 0600",
					status.st_mode & 07777);
	return name_error ? name_error : error;
}
