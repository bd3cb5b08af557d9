/* SPDX-License-Identifier: MIT */
/* Runs the INI parser, and compares its findings and the configuration with the expected ones. */
#ifndef ADIT_TESTS_INI_RUN_H
#define ADIT_TESTS_INI_RUN_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <arpa/inet.h>
#include <errno.h>
#include <ftw.h>
#include <netdb.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "config/ini.h"

#define CORPUS TEST_DATA "/corpus/"
#define PRIVATE_KEY "yOIrcmTD5+EZV6rUqnPlTY4S9/OqJh2epT7vU6FjTXg="
#define PRESHARED_KEY "sGcwxUC/9Bcj+068bipTkkVx/CqgRic6PbDhAbO8yVc="
#define PUBLIC_KEY "+d6ITabZ3wPagXq2kcR1jrneQRSy/ghs4hyXww5w8TU="
#define INTERFACE "[Interface]\nPrivateKey = " PRIVATE_KEY "\n"
#define PEER "[Peer]\nPublicKey = " PUBLIC_KEY "\n"

static char folder[] = "/tmp/test_ini.XXXXXX"; /* for the files of a test program */

enum { TEXT_ROOM = 1 << 20 };

/* One run of the parser: its result, and its findings as lines of text. */
struct run {
	struct config config;
	struct ini_report report;
	char findings[64 << 10];
	int lines;
};

static inline void append_line(void *context, const char *text)
{
	struct run *run = context;
	size_t length = strlen(run->findings);

	assert_true(length + strlen(text) + 2 < sizeof run->findings);
	sprintf(run->findings + length, "%s\n", text);
	run->lines++;
}

static inline void run_clear(struct run *run)
{
	config_destroy(&run->config);
	*run = (struct run) { .report = { .line = append_line, .context = run } };
}

static inline int run_bytes(struct run *run, const char *text, size_t length)
{
	int status;

	run_clear(run);
	status = ini_parse_config(&run->config, "x", text, length, &run->report);
	assert_int_equal(status, run->report.errors ? -EINVAL : 0);
	return status;
}

static inline int run_text(struct run *run, const char *text)
{
	return run_bytes(run, text, strlen(text));
}

static inline int run_file(struct run *run, const char *path)
{
	run_clear(run);
	return ini_load(&run->config, path, &run->report);
}

static inline size_t read_whole(const char *path, char *text, size_t room)
{
	FILE *file = fopen(path, "rb");
	size_t length;

	if (!file)
		fail_msg("%s: %s", path, strerror(errno));
	length = fread(text, 1, room - 1, file);
	assert_true(feof(file));
	fclose(file);
	text[length] = '\0';
	return length;
}

/* Any eight consecutive characters of a secret count as a part of it. */
static inline void assert_no_part(const char *findings, const char *secret)
{
	char part[9] = "";

	for (const char *at = secret; strlen(at) >= 8; at++) {
		memcpy(part, at, 8);
		if (strstr(findings, part))
			fail_msg("the findings contain a part of a key, \"%s\":\n%s", part, findings);
	}
}

static inline void run_corpus_file(struct run *run, const char *path)
{
	static char text[TEXT_ROOM], expected[TEXT_ROOM];
	char beside[512];
	size_t length = read_whole(path, text, sizeof text);

	snprintf(beside, sizeof beside, "%.*s.expected", (int)(strlen(path) - strlen(".conf")), path);
	read_whole(beside, expected, sizeof expected);
	run_clear(run);
	run->report.advice = true;
	ini_parse_config(&run->config, strrchr(path, '/') + 1, text, length, &run->report);
	assert_string_equal(run->findings, expected);
	assert_int_equal(run->lines, run->report.errors + run->report.warnings);
	assert_no_part(run->findings, PRIVATE_KEY);
	assert_no_part(run->findings, PRESHARED_KEY);
}

static inline void assert_prefix(const struct config_prefix *entry, const char *expected, int line)
{
	char text[PREFIX_TEXT];

	assert_non_null(entry);
	prefix_to_text(text, &entry->prefix);
	assert_string_equal(text, expected);
	assert_int_equal(entry->line, line);
}

static inline void assert_key(const uint8_t key[KEY_BYTES], const char *expected)
{
	char text[KEY_BASE64];

	key_to_base64(text, key);
	assert_string_equal(text, expected);
}

static inline void assert_prefixes(const struct config_prefix *entry, const char *const expected[])
{
	char text[PREFIX_TEXT];

	for (; *expected; expected++, entry = entry->next) {
		assert_non_null(entry);
		prefix_to_text(text, &entry->prefix);
		assert_string_equal(text, *expected);
	}
	assert_null(entry);
}
#define assert_list(entry, ...) assert_prefixes(entry, (const char *const[]) { __VA_ARGS__, NULL })

/* Replaces getservbyname_r(3), so that the services of the host do not matter. */
int __wrap_getservbyname_r(const char *name, const char *protocol, struct servent *entry, char *buffer, size_t room,
						   struct servent **found);
int __wrap_getservbyname_r(const char *name, const char *protocol, struct servent *entry, char *buffer, size_t room,
						   struct servent **found)
{
	bool domain = strcmp(name, "domain") == 0, openvpn = strcmp(name, "openvpn") == 0;

	assert_string_equal(protocol, "udp");
	*entry = (struct servent) { .s_port = htons(domain ? 53 : 1194) };
	*found = domain || openvpn ? entry : NULL;
	return 0;
}

static inline int remove_file(const char *path, const struct stat *status, int type, struct FTW *position)
{
	return remove(path);
}

static inline int setup(void **state)
{
	*state = calloc(1, sizeof(struct run));
	return sodium_init() < 0 || !*state || !mkdtemp(folder) ? -1 : 0;
}

static inline int teardown(void **state)
{
	struct run *run = *state;

	config_destroy(&run->config);
	free(run);
	return nftw(folder, remove_file, 8, FTW_DEPTH | FTW_PHYS);
}

#endif
