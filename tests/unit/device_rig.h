/* SPDX-License-Identifier: MIT */
/* A device without a worker. The rig records the messages that the device sends, and its clock does not advance. */
#ifndef ADIT_TEST_DEVICE_RIG_H
#define ADIT_TEST_DEVICE_RIG_H

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <sodium.h>

#include "base/clock.h"
#include "config/apply.h"
#include "text.h"
#include "tunnel/control.h"
#include "tunnel/peer.h"
#include "whole_set.h"

enum { RIG_MESSAGES = 16 };

struct rig_message {
	uint8_t bytes[256];
	size_t n;
	struct peer *peer;
};

struct rig {
	struct device device;
	uint16_t port_taken, port_random; /* bind fails with the first, and returns the second for port 0 */
	bool mark_refused;
	unsigned binds;
	struct rig_message messages[RIG_MESSAGES];
	unsigned sent;
};

static uint64_t rig_realtime(void)
{
	return 1700000000 * NS_PER_S + 123456789;
}

static int rig_send(void *context, struct peer *peer, const struct endpoint *to, const void *message, size_t n,
					uint8_t traffic_class)
{
	struct rig *rig = context;

	assert_true(rig->sent < RIG_MESSAGES && n <= sizeof rig->messages->bytes);
	rig->messages[rig->sent].n = n;
	rig->messages[rig->sent].peer = peer;
	memcpy(rig->messages[rig->sent++].bytes, message, n);
	return 0;
}

static int rig_bind(void *context, uint16_t *port, uint32_t mark)
{
	struct rig *rig = context;

	if (*port && *port == rig->port_taken)
		return -EADDRINUSE;
	if (!*port)
		*port = rig->port_random;
	rig->binds++;
	return 0;
}

static void rig_unbind(void *context)
{
}

static int rig_set_mark(void *context, uint32_t mark)
{
	struct rig *rig = context;

	return rig->mark_refused ? -EPERM : 0;
}

static void rig_peer_gone(void *context, struct peer *peer)
{
}

static const struct device_ops rig_ops = {
	.send = rig_send,
	.bind = rig_bind,
	.unbind = rig_unbind,
	.set_mark = rig_set_mark,
	.peer_gone = rig_peer_gone,
};

/* Makes a device whose link is down. */
static inline void rig_init(struct rig *rig, const char *name)
{
	memset(rig, 0, sizeof *rig);
	assert_int_equal(control_init(&rig->device, name, &aead_libsodium, NULL), 0);
	rig->device.realtime = rig_realtime;
	rig->device.ops = &rig_ops;
	rig->device.ops_context = rig;
	rig->port_random = 40000;
}

static inline void rig_destroy(struct rig *rig)
{
	control_destroy(&rig->device, NULL);
}

/* Returns a key that consists of 32 times `byte`. */
static inline const uint8_t *rig_key(uint8_t byte)
{
	static uint8_t keys[256][KEY_BYTES];

	memset(keys[byte], byte, KEY_BYTES);
	return keys[byte];
}

static inline struct peer *rig_peer(struct rig *rig, uint8_t byte)
{
	return peer_lookup(&rig->device, rig_key(byte));
}

/* Parses and applies a set request. Returns 0 or a negative errno. */
static inline int __attribute__((format(printf, 3, 4))) rig_set(struct rig *rig, uint64_t now, const char *format, ...)
{
	struct config config = { 0 };
	char *text = NULL;
	va_list arguments;
	int length, error;

	va_start(arguments, format);
	length = vasprintf(&text, format, arguments);
	va_end(arguments);
	assert_true(length >= 0);
	error = parse_whole_set(&config, text, (size_t)length);
	if (!error)
		error = apply_whole_set(&rig->device, &config, now);
	config_destroy(&config);
	free(text);
	return error;
}

/* rig_key in hexadecimal. Not inlined, because gcc would warn about the table as if it were one string. */
static __attribute__((noinline, unused)) const char *rig_hex(uint8_t byte)
{
	static char texts[256][KEY_HEX];

	key_to_hex(texts[byte], rig_key(byte));
	return texts[byte];
}

/* rig_key in base64. */
static __attribute__((noinline, unused)) const char *rig_base64(uint8_t byte)
{
	static char texts[256][KEY_BASE64];

	key_to_base64(texts[byte], rig_key(byte));
	return texts[byte];
}

/* Returns the whole reply to a get request, produced in parts of `room` bytes. The caller frees it. */
static inline char *rig_get(const struct rig *rig, size_t room)
{
	struct uapi_get get = { 0 };
	char *text = NULL;
	size_t length = 0, part;

	do {
		text = realloc(text, length + room + 1);
		assert_non_null(text);
		part = uapi_get_next(&get, &rig->device, text + length, room);
		assert_true(part <= room);
		length += part;
	} while (part);
	text[length] = '\0';
	return text;
}

/* Counts a word in a text. Not by strstr, because the sanitizer's measures the whole rest of the text at each call. */
static inline size_t rig_count(const char *text, const char *word)
{
	size_t count = 0, length = strlen(word);

	for (; *text; text++)
		count += *text == *word && !strncmp(text, word, length);
	return count;
}

/* Compares the reply to a get request with `format`, which leaves out the errno line. */
static inline void __attribute__((format(printf, 2, 3))) rig_expect(const struct rig *rig, const char *format, ...)
{
	char *wanted = NULL, *whole = NULL, *found = rig_get(rig, 4096);
	va_list arguments;

	va_start(arguments, format);
	assert_true(vasprintf(&wanted, format, arguments) >= 0);
	va_end(arguments);
	assert_true(asprintf(&whole, "%serrno=0\n\n", wanted) >= 0);
	assert_string_equal(found, whole);
	free(found);
	free(whole);
	free(wanted);
}

#endif
