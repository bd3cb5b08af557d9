/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <fcntl.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "config/ini.h"
#include "ini_parser.h"

enum { FILE_MIB = 16, FILE_MAX = FILE_MIB << 20 };

#define NAME_CHARACTERS "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_=+.-"

/* The interface of a file, by the rule of wg-quick; the kernel takes no "." and no "..". */
static int name_interface(const struct ini_parser *parser, const char *path)
{
	const char *slash = strrchr(path, '/');
	const char *base = slash ? slash + 1 : path;
	size_t length = strlen(base);
	char *name = parser->config->interface;

	if (length > 5 && length - 5 < sizeof parser->config->interface && strcmp(base + length - 5, ".conf") == 0) {
		memcpy(name, base, length - 5);
		name[length - 5] = '\0';
		if (!name[strspn(name, NAME_CHARACTERS)] && strcmp(name, ".") != 0 && strcmp(name, "..") != 0)
			return 0;
		name[0] = '\0';
	}
	ini_error(parser, 0,
			  "the file must be called NAME.conf, for the interface takes its name: 1 to 15 of a-z A-Z 0-9 _ = + . -");
	return -EINVAL;
}

/* Opens what is a plain file of bearable size; the descriptor or a negative errno, reported. */
static int open_file(const struct ini_parser *parser, const char *path, struct stat *about)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	int status = 0;

	if (fd < 0 || fstat(fd, about) < 0) {
		status = -errno;
		ini_error(parser, 0, "%s", strerror(errno));
	} else if (S_ISDIR(about->st_mode)) {
		status = -EISDIR;
		ini_error(parser, 0, "a directory; name a file in it");
	} else if (!S_ISREG(about->st_mode)) {
		status = -EINVAL;
		ini_error(parser, 0, "not a plain file");
	} else if (about->st_size > FILE_MAX) {
		status = -EFBIG;
		ini_error(parser, 0, "larger than %d MiB, which no configuration is", FILE_MIB);
	} else if (about->st_size == 0) {
		status = -EINVAL;
		ini_error(parser, 0, "the file is empty; it needs an [Interface] section with a PrivateKey");
	}
	if (status == 0)
		return fd;
	if (fd >= 0)
		close(fd);
	return status;
}

/* Bytes read, up to `room`, or a negative errno. */
static ssize_t read_all(int fd, char *text, size_t room)
{
	size_t length = 0;

	while (length < room) {
		ssize_t got = read(fd, text + length, room - length);
		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0)
			return -errno;
		if (got == 0)
			break;
		length += (size_t)got;
	}
	return (ssize_t)length;
}

static bool holds_keys(const struct config *config)
{
	bool found = config->has_private_key;

	for (const struct config_peer *peer = config->peers; peer && !found; peer = peer->next)
		found = peer->has_preshared_key;
	return found;
}

static int parse_file(const struct ini_parser *parser, int fd, const struct stat *about)
{
	size_t size = (size_t)about->st_size;
	char *text = malloc(size);
	ssize_t length;
	int status;

	if (!text)
		return -ENOMEM;
	length = read_all(fd, text, size);
	if (length < 0) {
		status = (int)length;
		ini_error(parser, 0, "%s", strerror(-status));
	} else {
		status = ini_parse_config(parser->config, parser->name, text, (size_t)length, parser->report);
	}
	sodium_memzero(text, size);
	free(text);
	return status;
}

int ini_load(struct config *config, const char *path, struct ini_report *report)
{
	/* No text yet: this one only names the file in findings. */
	struct ini_parser parser = { .config = config, .report = report, .name = path };
	struct stat about;
	int fd = open_file(&parser, path, &about);
	int named, status;

	if (fd < 0)
		return fd;
	named = name_interface(&parser, path);
	status = parse_file(&parser, fd, &about);
	close(fd);
	if (holds_keys(config) && about.st_mode & (S_IRWXG | S_IRWXO))
		ini_warning(&parser, 0, "others can get at the keys in it, its mode is %04o; 0600 would be right",
					about.st_mode & 07777);
	return named < 0 ? named : status;
}
