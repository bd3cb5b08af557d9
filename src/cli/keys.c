/* SPDX-License-Identifier: MIT */
/* adit genkey, genpsk and pubkey: make keys and convert them, as wg(8) does. */
#include <ctype.h>
#include <errno.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/keytext.h"
#include "base/usage.h"
#include "base/utf8.h"
#include "cli/commands.h"

static void warn_if_world_accessible(const char *command)
{
	struct stat status;

	if (fstat(STDOUT_FILENO, &status) == 0 && S_ISREG(status.st_mode) && status.st_mode & S_IRWXO)
		fprintf(stderr, "adit %s: warning: the output file is accessible to all users; run \"umask 077\" first\n",
				command);
}

/* Prints and wipes the key. Uses write(2), because stdio would keep a copy in its buffer. */
static int print_key(const char *command, uint8_t key[KEY_BYTES])
{
	char text[KEY_BASE64];
	ssize_t written;

	key_to_base64(text, key);
	text[KEY_BASE64 - 1] = '\n';
	written = write(STDOUT_FILENO, text, sizeof text);
	sodium_memzero(text, sizeof text);
	sodium_memzero(key, KEY_BYTES);
	if (written == (ssize_t)sizeof text)
		return EXIT_SUCCESS;
	fprintf(stderr, "adit %s: standard output: %s\n", command, written < 0 ? strerror(errno) : "incomplete write");
	return EXIT_FAILURE;
}

int command_genkey(int argc, char **argv)
{
	uint8_t key[KEY_BYTES];

	if (!usage_check(argv[0], argc, argv, "", 0, 0))
		return EXIT_FAILURE;
	warn_if_world_accessible(argv[0]);
	key_generate(key);
	return print_key(argv[0], key);
}

int command_genpsk(int argc, char **argv)
{
	uint8_t key[KEY_BYTES];

	if (!usage_check(argv[0], argc, argv, "", 0, 0))
		return EXIT_FAILURE;
	warn_if_world_accessible(argv[0]);
	randombytes_buf(key, sizeof key);
	return print_key(argv[0], key);
}

/*
 * Reads one key from standard input and ignores a byte order mark and white space after the key. Returns 0, -EINVAL or
 * the errno of read(2).
 */
static int read_input_key(uint8_t key[KEY_BYTES])
{
	char text[256];
	size_t length = 0, mark;
	ssize_t got;
	int error = 0;

	do {
		got = read(STDIN_FILENO, text + length, sizeof text - length);
		if (got > 0)
			length += (size_t)got;
	} while (length < sizeof text && (got > 0 || (got < 0 && errno == EINTR)));
	if (got < 0) {
		error = -errno;
	} else if (length == sizeof text) {
		error = -EINVAL;
	} else {
		while (length && isspace((unsigned char)text[length - 1]))
			length--;
		text[length] = '\0';
		mark = utf8_mark_length(text, length);
		/* Check the length as well: anything after a NUL byte would go unnoticed. */
		if (length - mark != KEY_BASE64 - 1 || !key_from_base64(key, text + mark))
			error = -EINVAL;
	}
	sodium_memzero(text, sizeof text);
	return error;
}

int command_pubkey(int argc, char **argv)
{
	uint8_t private_key[KEY_BYTES], public_key[KEY_BYTES];
	int error;

	if (!usage_check(argv[0], argc, argv, "", 0, 0))
		return EXIT_FAILURE;
	error = read_input_key(private_key);
	if (error == -EINVAL) {
		fprintf(stderr, "adit pubkey: standard input is not a key (44 characters of base64, ending in \"=\")\n");
		return EXIT_FAILURE;
	}
	if (error) {
		fprintf(stderr, "adit pubkey: standard input: %s\n", strerror(-error));
		return EXIT_FAILURE;
	}
	crypto_scalarmult_base(public_key, private_key);
	sodium_memzero(private_key, sizeof private_key);
	return print_key(argv[0], public_key);
}
