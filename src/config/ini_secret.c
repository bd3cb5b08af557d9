/* SPDX-License-Identifier: MIT */
/* INI: secret keys, which are in the file itself, in a file of their own, or in a credential of systemd. */
#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/utf8.h"
#include "ini_parser.h"

enum {
	SECRET_ROOM = 256,         /* more than a key and white space after it */
	CREDENTIAL_NAME_MAX = 255, /* of systemd */
	KEY_LIKE = 20,             /* base64 characters that may be half a key */
};

#define BASE64 "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/="

/* Reads a file of at most SECRET_ROOM bytes. Returns the length or a negative errno: -EFBIG if there are more. */
static ssize_t read_secret(const char *path, char text[SECRET_ROOM], mode_t *mode)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	size_t length = 0;
	struct stat status = { 0 };
	ssize_t got;

	if (fd < 0)
		return -errno;
	if (fstat(fd, &status) < 0)
		got = -errno;
	else if (!S_ISREG(status.st_mode))
		got = S_ISDIR(status.st_mode) ? -EISDIR : -EINVAL;
	else {
		do {
			got = read(fd, text + length, SECRET_ROOM - length);
			if (got > 0)
				length += (size_t)got;
		} while (length < SECRET_ROOM && (got > 0 || (got < 0 && errno == EINTR)));
		if (got < 0)
			got = -errno;
		else
			got = length < SECRET_ROOM ? (ssize_t)length : -EFBIG;
	}
	*mode = status.st_mode;
	close(fd);
	return got;
}

/*
 * Reads a key. A byte order mark and white space at the end are allowed. `object` is the file as the finding names it.
 */
static bool read_secret_key(struct ini_parser *parser, const char *name, const char *path, const char *object,
							uint8_t key[KEY_BYTES], mode_t *mode)
{
	char text[SECRET_ROOM];
	ssize_t length = read_secret(path, text, mode), mark;
	bool valid = false;

	if (length < 0 && length != -EFBIG && length != -EINVAL) {
		ini_error(parser, parser->line, "%s: %s: %s", name, object, strerror((int)-length));
		return false;
	}
	while (length > 0 && isspace((unsigned char)text[length - 1]))
		length--;
	mark = length > 0 ? (ssize_t)utf8_mark_length(text, (size_t)length) : 0;
	if (length - mark == KEY_BASE64 - 1) {
		text[length] = '\0';
		valid = key_from_base64(key, text + mark);
	}
	sodium_memzero(text, sizeof text);
	if (!valid)
		ini_error(parser, parser->line, "%s: %s does not contain a key (44 characters of base64, ending in \"=\")",
				  name, object);
	return valid;
}

/* The rule of systemd: a file name of printable ASCII characters without a colon. */
static bool is_credential_name(const char *name)
{
	if (!*name || strlen(name) > CREDENTIAL_NAME_MAX || strcmp(name, ".") == 0 || strcmp(name, "..") == 0)
		return false;
	for (; *name; name++)
		if (*name <= ' ' || *name >= 127 || strchr("/:", *name))
			return false;
	return true;
}

/* Reports that there is no such credential, as an error or, for a process that is not the daemon, as a warning. */
static void report_no_credential(const struct ini_parser *parser, const char *name, const char *credential)
{
	const char *folder = getenv("CREDENTIALS_DIRECTORY");

	if (folder)
		ini_error(parser, parser->line,
				  "%s: the service has no credential %s; add \"LoadCredential=%s:PATH\" to its unit", name, credential,
				  credential);
	else if (parser->report->any_process)
		ini_warning(parser, parser->line,
					"%s: the credential %s is not checked, because only the service has it; its unit needs "
					"\"LoadCredential=%s:PATH\"",
					name, credential, credential);
	else
		ini_error(parser, parser->line,
				  "%s: there is no credential %s, because CREDENTIALS_DIRECTORY is not set; a unit with "
				  "\"LoadCredential=%s:PATH\" sets it",
				  name, credential, credential);
}

static void read_credential(struct ini_parser *parser, const char *name, const char *credential, uint8_t key[KEY_BYTES],
							bool *present)
{
	const char *folder = getenv("CREDENTIALS_DIRECTORY");
	char path[PATH_MAX], quoted[INI_QUOTE], object[INI_QUOTE + 32];
	mode_t mode;

	ini_quote(quoted, credential);
	if (!is_credential_name(credential)) {
		ini_error(parser, parser->line, "%s: %s is not the name of a credential: ASCII without blanks, '/' and ':'",
				  name, quoted);
		return;
	}
	if (!parser->reads_files)
		return;
	/* A key after the '@' must not end up in a log. */
	if (*quoted != '"')
		credential = "NAME";
	if (!folder || *folder != '/') {
		report_no_credential(parser, name, credential);
		return;
	}
	snprintf(object, sizeof object, "the credential %s", *quoted == '"' ? quoted : "NAME");
	if (snprintf(path, sizeof path, "%s/%s", folder, credential) >= (int)sizeof path || access(path, F_OK) < 0)
		report_no_credential(parser, name, credential);
	else
		*present |= read_secret_key(parser, name, path, object, key, &mode);
}

void ini_read_secret(struct ini_parser *parser, const char *name, const char *value, uint8_t key[KEY_BYTES],
					 bool *present)
{
	if (*value == '@') {
		read_credential(parser, name, value + 1, key, present);
	} else if (key_from_base64(key, value)) {
		*present = true;
		parser->file_has_keys = true;
	} else {
		ini_error(parser, parser->line, "%s: the value is not a key (44 characters of base64, ending in \"=\")", name);
	}
}

void ini_read_secret_file(struct ini_parser *parser, const char *name, const char *value, uint8_t key[KEY_BYTES],
						  bool *present)
{
	size_t length = strlen(value);
	char path[PATH_MAX];
	mode_t mode = 0;

	/* Reject a value that is rather a key, half of one, or one with a wrong character, than a path. */
	if (length >= KEY_LIKE && (value[length - 1] == '=' ||
							   (strspn(value, BASE64) == length && (*value != '/' || length >= KEY_BASE64 - 2)))) {
		ini_error(parser, parser->line,
				  "%s: the value may be a key, and not the path of a file (a path with a '.', such "
				  "as ./key, is accepted)",
				  name);
		return;
	}
	if (!ini_resolve_path(parser, value, path)) {
		ini_error(parser, parser->line, "%s: %s", name, strerror(ENAMETOOLONG));
		return;
	}
	if (!parser->reads_files || !read_secret_key(parser, name, path, path, key, &mode))
		return;
	*present = true;
	if (mode & (S_IRWXG | S_IRWXO))
		ini_exposure(parser, parser->line, "%s: the mode %04o of %s lets others access the key; set the mode to 0600",
					 name, mode & 07777, path);
}
