/* SPDX-License-Identifier: MIT */
#include <ctype.h>
#include <errno.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/keytext.h"
#include "cli/commands.h"

static bool usage_wrong(int argc, char **argv)
{
	if (argc == 1)
		return false;
	fprintf(stderr, "usage: adit %s\n", argv[0]);
	return true;
}

static void warn_if_world_accessible(const char *command)
{
	struct stat about;

	if (fstat(STDOUT_FILENO, &about) == 0 && S_ISREG(about.st_mode) && about.st_mode & S_IRWXO)
		fprintf(stderr, "adit %s: warning: the key goes to a file that everybody can open; set umask 077 first\n",
				command);
}

/* Writes and wipes the key. By write(2), as stdio would keep a copy in its buffer. */
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
	fprintf(stderr, "adit %s: standard output: %s\n", command, written < 0 ? strerror(errno) : "cut short");
	return EXIT_FAILURE;
}

int command_genkey(int argc, char **argv)
{
	uint8_t key[KEY_BYTES];

	if (usage_wrong(argc, argv))
		return EXIT_FAILURE;
	warn_if_world_accessible(argv[0]);
	randombytes_buf(key, sizeof key);
	key[0] &= 248;
	key[31] = (key[31] & 127) | 64;
	return print_key(argv[0], key);
}

int command_genpsk(int argc, char **argv)
{
	uint8_t key[KEY_BYTES];

	if (usage_wrong(argc, argv))
		return EXIT_FAILURE;
	warn_if_world_accessible(argv[0]);
	randombytes_buf(key, sizeof key);
	return print_key(argv[0], key);
}

/* Reads standard input to its end into `text`. The number of bytes or a negative errno. */
static ssize_t read_input(char *text, size_t room)
{
	size_t length = 0;
	ssize_t got;

	while ((got = read(STDIN_FILENO, text + length, room - length)) != 0) {
		if (got < 0 && errno != EINTR)
			return -errno;
		if (got > 0)
			length += (size_t)got;
		if (length == room)
			return -EINVAL;
	}
	return (ssize_t)length;
}

/* One key, with white space behind it or not. 0, -EINVAL when it is anything else, or what reading gave. */
static int read_private_key(uint8_t key[KEY_BYTES])
{
	char text[256];
	ssize_t length = read_input(text, sizeof text);
	int status = length < 0 ? (int)length : 0;

	while (length > 0 && isspace((unsigned char)text[length - 1]))
		length--;
	/* The length is compared too: a NUL would hide what stands behind it. */
	if (status == 0) {
		text[length] = '\0';
		if (length != KEY_BASE64 - 1 || !key_from_base64(key, text))
			status = -EINVAL;
	}
	sodium_memzero(text, sizeof text);
	return status;
}

int command_pubkey(int argc, char **argv)
{
	uint8_t private_key[KEY_BYTES], public_key[KEY_BYTES];
	int status;

	if (usage_wrong(argc, argv))
		return EXIT_FAILURE;
	status = read_private_key(private_key);
	if (status == -EINVAL) {
		fprintf(stderr, "adit pubkey: standard input is not a key: 44 characters of base64 that end in '='\n");
		return EXIT_FAILURE;
	}
	if (status < 0) {
		fprintf(stderr, "adit pubkey: standard input: %s\n", strerror(-status));
		return EXIT_FAILURE;
	}
	crypto_scalarmult_base(public_key, private_key);
	sodium_memzero(private_key, sizeof private_key);
	return print_key(argv[0], public_key);
}
