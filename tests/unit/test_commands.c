/* SPDX-License-Identifier: MIT */
/* Tests of check, genkey, genpsk, pubkey and stop: each runs in a child process with files as its standard streams. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <fcntl.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/keytext.h"
#include "cli/commands.h"
#include "cli/show.h"

/* RFC 7748, section 6.1: Bob's keys. */
#define BOB_PRIVATE "XasIfmJKikt54X+Lg4AO5m87sSkmGLb9HC+LJ/+I4Os="
#define BOB_PUBLIC "3p7bfXt9wbTTW2HC7OQ1Nz+DQ8hbeGdNrfx+FG+IK08="
#define INTERFACE "[Interface]\nPrivateKey = " BOB_PRIVATE "\n"

typedef int command(int argc, char **argv);

struct outcome {
	int code;
	char output[4096], errors[4096];
};

static char folder[] = "/tmp/test_commands.XXXXXX";

static char *path_of(char path[64], const char *name)
{
	snprintf(path, 64, "%s/%s", folder, name);
	return path;
}

static void write_file(const char *name, const void *bytes, size_t length, mode_t mode)
{
	char path[64];
	FILE *file = fopen(path_of(path, name), "wb");

	assert_non_null(file);
	assert_int_equal(fwrite(bytes, 1, length, file), length);
	assert_int_equal(fclose(file), 0);
	assert_int_equal(chmod(path, mode), 0);
}

static void read_file(const char *name, char *text, size_t room)
{
	char path[64];
	FILE *file = fopen(path_of(path, name), "rb");

	assert_non_null(file);
	text[fread(text, 1, room - 1, file)] = '\0';
	fclose(file);
}

static void redirect(int fd, const char *name, int flags)
{
	char path[64];
	int file = open(*name == '/' ? name : path_of(path, name), flags);

	if (file < 0 || dup2(file, fd) < 0)
		_exit(100);
}

/* Runs in the test folder, so that findings contain short file names. */
static struct outcome run(command *verb, char **argv, const char *output)
{
	struct outcome outcome;
	int argc = 0, status;
	pid_t child;

	while (argv[argc])
		argc++;
	fflush(NULL);
	child = fork();
	if (child == 0) {
		redirect(STDIN_FILENO, "in", O_RDONLY);
		redirect(STDOUT_FILENO, output, O_WRONLY | O_TRUNC);
		redirect(STDERR_FILENO, "err", O_WRONLY | O_TRUNC);
		if (chdir(folder) < 0)
			_exit(101);
		status = verb(argc, argv);
		fflush(NULL);
		_exit(status);
	}
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_true(WIFEXITED(status));
	outcome.code = WEXITSTATUS(status);
	read_file("out", outcome.output, sizeof outcome.output);
	read_file("err", outcome.errors, sizeof outcome.errors);
	return outcome;
}

static struct outcome run_pubkey(const void *input, size_t length)
{
	char *argv[] = { "pubkey", NULL };

	write_file("in", input, length, 0600);
	return run(command_pubkey, argv, "out");
}

static void pubkey_prints_the_public_key(void **state)
{
	static const char *const inputs[] = { BOB_PRIVATE, BOB_PRIVATE "\n", BOB_PRIVATE "\r\n", BOB_PRIVATE " \t\n\n",
										  "\xef\xbb\xbf" BOB_PRIVATE "\r\n" };

	for (size_t i = 0; i < sizeof inputs / sizeof *inputs; i++) {
		struct outcome outcome = run_pubkey(inputs[i], strlen(inputs[i]));
		assert_int_equal(outcome.code, 0);
		assert_string_equal(outcome.output, BOB_PUBLIC "\n");
		assert_string_equal(outcome.errors, "");
	}
}

static void pubkey_rejects_anything_but_a_key(void **state)
{
	static const char *const inputs[] = {
		"", "\n", " " BOB_PRIVATE, BOB_PRIVATE "\nx", BOB_PRIVATE BOB_PRIVATE, "XasIfmJKikt54X+Lg4AO5m87sSkmGLb9",
	};
	static const char nul[] = BOB_PRIVATE "\0x";
	char blanks[400];
	struct outcome outcome;

	for (size_t i = 0; i < sizeof inputs / sizeof *inputs; i++) {
		outcome = run_pubkey(inputs[i], strlen(inputs[i]));
		assert_int_equal(outcome.code, 1);
		assert_string_equal(outcome.output, "");
		assert_string_equal(outcome.errors,
							"adit pubkey: standard input is not a key (44 characters of base64, ending in \"=\")\n");
	}
	assert_int_equal(run_pubkey(nul, sizeof nul - 1).code, 1);
	assert_int_equal(run_pubkey(nul, sizeof nul - 2).code, 1);
	memset(blanks, ' ', sizeof blanks);
	memcpy(blanks, BOB_PRIVATE, strlen(BOB_PRIVATE));
	blanks[sizeof blanks - 1] = 'x';
	assert_int_equal(run_pubkey(blanks, sizeof blanks).code, 1);
}

static void generate(command *verb, char *name, uint8_t key[KEY_BYTES])
{
	char *argv[] = { name, NULL };
	struct outcome outcome = run(verb, argv, "out");

	assert_int_equal(outcome.code, 0);
	assert_string_equal(outcome.errors, "");
	assert_int_equal(strlen(outcome.output), KEY_BASE64);
	assert_int_equal(outcome.output[KEY_BASE64 - 1], '\n');
	outcome.output[KEY_BASE64 - 1] = '\0';
	assert_true(key_from_base64(key, outcome.output));
}

static void genkey_clamps_and_genpsk_does_not(void **state)
{
	uint8_t keys[8][KEY_BYTES];
	bool unclamped = false;

	for (int i = 0; i < 8; i++) {
		generate(command_genkey, "genkey", keys[i]);
		assert_int_equal(keys[i][0] & 7, 0);
		assert_int_equal(keys[i][31] & 0xc0, 0x40);
		assert_true(i == 0 || memcmp(keys[i], keys[i - 1], KEY_BYTES) != 0);
	}
	/* A preshared key is any 32 bytes. The probability that all of 32 keys look clamped is 2^-160. */
	for (int i = 0; i < 32; i++) {
		generate(command_genpsk, "genpsk", keys[i % 8]);
		unclamped |= (keys[i % 8][0] & 7) != 0 || (keys[i % 8][31] & 0xc0) != 0x40;
	}
	assert_true(unclamped);
}

static void genkey_warns_if_others_can_access_the_output(void **state)
{
	char *argv[] = { "genkey", NULL };
	struct outcome outcome;

	write_file("out", "", 0, 0604);
	outcome = run(command_genkey, argv, "out");
	assert_int_equal(outcome.code, 0);
	assert_int_equal(strlen(outcome.output), KEY_BASE64);
	assert_string_equal(outcome.errors,
						"adit genkey: warning: the output file is accessible to all users; run \"umask 077\" first\n");
	write_file("out", "", 0, 0600);
}

static void genpsk_reports_a_write_error(void **state)
{
	char *argv[] = { "genpsk", NULL };
	struct outcome outcome = run(command_genpsk, argv, "/dev/full");

	assert_int_equal(outcome.code, 1);
	assert_string_equal(outcome.errors, "adit genpsk: standard output: No space left on device\n");
}

static void wrong_arguments_get_one_line_with_the_usage(void **state)
{
	char *argv[] = { "genkey", "now", NULL };
	struct outcome outcome = run(command_genkey, argv, "out");

	assert_int_equal(outcome.code, 1);
	assert_string_equal(outcome.output, "");
	assert_string_equal(outcome.errors, "adit genkey: unexpected argument \"now\"; usage: adit genkey\n");
	argv[0] = "genpsk";
	assert_int_equal(run(command_genpsk, argv, "out").code, 1);
	argv[0] = "pubkey";
	assert_int_equal(run(command_pubkey, argv, "out").code, 1);
	argv[0] = "check";
	argv[1] = NULL;
	outcome = run(command_check, argv, "out");
	assert_int_equal(outcome.code, 1);
	assert_string_equal(outcome.errors, "adit check: an argument is missing; usage: adit check [--strict] FILE...\n");
	argv[0] = "stop";
	outcome = run(command_stop, argv, "out");
	assert_int_equal(outcome.code, 1);
	assert_string_equal(outcome.errors, "adit stop: an argument is missing; usage: adit stop [--killed] IFNAME\n");
	argv[0] = "reload";
	assert_int_equal(run(command_reload, argv, "out").code, 1);
}

static void stop_without_a_daemon_fails(void **state)
{
	char *argv[] = { "stop", "no-such-daemon", NULL };
	struct outcome outcome = run(command_stop, argv, "out");

	assert_int_equal(outcome.code, 1);
	assert_string_equal(outcome.output, "");
	assert_string_equal(outcome.errors, "adit stop: no-such-daemon: no daemon serves this interface\n");
}

static void a_path_is_no_interface(void **state)
{
	char *argv[] = { "stop", "/etc/adit/site.conf", NULL };
	struct outcome outcome = run(command_stop, argv, "out");

	assert_int_equal(outcome.code, 1);
	assert_string_equal(outcome.errors, "adit stop: \"/etc/adit/site.conf\" is not the name of an interface\n");
	argv[0] = "reload";
	outcome = run(command_reload, argv, "out");
	assert_int_equal(outcome.code, 1);
	assert_string_equal(outcome.errors, "adit reload: \"/etc/adit/site.conf\" is not the name of an interface\n");
}

/* The parser's own tests show which advice there is. */
static void check_gives_advice(void **state)
{
	static const char text[] = INTERFACE "MTU = 1200\nAddress = fd00::1/128\nAddress = 127.0.0.2/8\n"
										 "[Peer]\nPublicKey = " BOB_PRIVATE "\nEndpoint = 300.1.1.1:51820\n";
	char *argv[] = { "check", "advice.conf", NULL };
	struct outcome outcome;

	write_file("advice.conf", text, strlen(text), 0600);
	outcome = run(command_check, argv, "out");
	assert_int_equal(outcome.code, 0);
	assert_string_equal(outcome.output, "advice.conf: OK, 1 peer\n");
	assert_non_null(strstr(outcome.errors, "advice.conf:3: warning: MTU: 1200 is less than 1280"));
	assert_non_null(strstr(outcome.errors, "advice.conf:8: warning: Endpoint: \"300.1.1.1\" looks like"));
	assert_non_null(
		strstr(outcome.errors, "advice.conf:5: warning: Address: 127.0.0.0/8 is also a network of this host"));
}

static void check_prints_findings_and_returns_1_on_errors(void **state)
{
	static const char good[] = INTERFACE "[Peer]\nPublicKey = " BOB_PRIVATE "\n";
	static const char warned[] = INTERFACE "DNS = 192.0.2.1\nAead = auto\n";
	static const char bad[] = INTERFACE "MTU = 1\nMTU = 2\n";
	char *argv[] = { "check", "good.conf", NULL, NULL, NULL };
	struct outcome outcome;

	write_file("good.conf", good, strlen(good), 0600);
	write_file("warned.conf", warned, strlen(warned), 0600);
	write_file("bad.conf", bad, strlen(bad), 0600);
	outcome = run(command_check, argv, "out");
	assert_int_equal(outcome.code, 0);
	assert_string_equal(outcome.output, "good.conf: OK, 1 peer\n");
	assert_string_equal(outcome.errors, "");
	argv[1] = "warned.conf";
	outcome = run(command_check, argv, "out");
	assert_int_equal(outcome.code, 0);
	assert_string_equal(outcome.output, "warned.conf: OK, 0 peers\n");
	assert_string_equal(outcome.errors, "warned.conf:4: warning: Aead is now called CryptoProvider\n");
	argv[1] = "bad.conf", argv[2] = "missing.conf", argv[3] = "good.conf";
	outcome = run(command_check, argv, "out");
	assert_int_equal(outcome.code, 1);
	assert_string_equal(outcome.output, "good.conf: OK, 1 peer\n");
	assert_string_equal(outcome.errors, "bad.conf:3: error: MTU: \"1\" is not a number from 68 to 65475\n"
										"bad.conf:4: warning: MTU: already set on line 3; this line overrides it\n"
										"bad.conf:4: error: MTU: \"2\" is not a number from 68 to 65475\n"
										"missing.conf: error: No such file or directory\n");
}

static int setup(void **state)
{
	if (sodium_init() < 0 || !mkdtemp(folder))
		return -1;
	write_file("in", "", 0, 0600);
	write_file("out", "", 0, 0600);
	write_file("err", "", 0, 0600);
	return 0;
}

static int teardown(void **state)
{
	static const char *const names[] = { "in", "out", "err", "good.conf", "warned.conf", "bad.conf", "advice.conf" };
	char path[64];

	for (size_t i = 0; i < sizeof names / sizeof *names; i++)
		unlink(path_of(path, names[i]));
	return rmdir(folder);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(pubkey_prints_the_public_key),
		cmocka_unit_test(pubkey_rejects_anything_but_a_key),
		cmocka_unit_test(genkey_clamps_and_genpsk_does_not),
		cmocka_unit_test(genkey_warns_if_others_can_access_the_output),
		cmocka_unit_test(genpsk_reports_a_write_error),
		cmocka_unit_test(wrong_arguments_get_one_line_with_the_usage),
		cmocka_unit_test(check_prints_findings_and_returns_1_on_errors),
		cmocka_unit_test(stop_without_a_daemon_fails),
		cmocka_unit_test(a_path_is_no_interface),
		cmocka_unit_test(check_gives_advice),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
