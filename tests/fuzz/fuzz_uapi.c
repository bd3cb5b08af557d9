/* SPDX-License-Identifier: MIT */
/*
 * Fuzz target: UAPI set requests. The invariants: the parser returns, a failure is one of the protocol's errors, and an
 * accepted request can be applied and read back by a get request. Each input is used twice: as the request itself, and
 * as a list of indices into `pieces`, because random bytes rarely form a key.
 */
#include <errno.h>
#include <sodium.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "config/apply.h"
#include "text.h"
#include "tunnel/control.h"
#include "whole_set.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define KEY(digit) digit digit digit digit digit digit digit digit
#define KEYS(digits) KEY(digits) /* 8 times 8 digits */

#define PEER(digits) "public_key=" KEYS(digits) "\n"

/* Lines about a peer. Most are valid, so that long requests can be valid too. */
static const char *const pieces[] = {
	PEER("01010101"),
	PEER("02020202"),
	PEER("03030303"),
	PEER("04040404") "remove=true\n",
	"remove=true\n",
	"update_only=true\n",
	"preshared_key=" KEYS("00000000") "\n",
	"preshared_key=" KEYS("48484848") "\n",
	"endpoint=192.0.2.1:7\n",
	"endpoint=[fe80::1%lo]:7\n",
	"endpoint=[2001:db8::1]:51820\n",
	"persistent_keepalive_interval=0\n",
	"persistent_keepalive_interval=65535\n",
	"replace_allowed_ips=true\n",
	"protocol_version=1\n",
	"allowed_ip=10.0.0.0/8\n",
	"allowed_ip=10.0.0.1/8\n",
	"allowed_ip=10.128.0.0/9\n",
	"allowed_ip=10.128.3.4/32\n",
	"allowed_ip=0.0.0.0/0\n",
	"allowed_ip=fd00::/8\n",
	"allowed_ip=fd00::1/128\n",
	"allowed_ip=-10.0.0.0/8\n",
	"allowed_ip=-10.128.3.4\n",
	"allowed_ip=-fd00::/8\n",
};
static const char *const bad_pieces[] = { "\n", "=", "-", "endpoint=192.0.2.1:0\n", "private_key=", "allowed_ip=" };
enum {
	PIECES = sizeof pieces / sizeof *pieces,
	BAD_PIECES = sizeof bad_pieces / sizeof *bad_pieces,
	PIECES_MAX = 500,
};

static const char *piece(uint8_t byte)
{
	unsigned back = UINT8_MAX - byte;

	return back < BAD_PIECES ? bad_pieces[back] : pieces[byte % PIECES];
}

static void check(bool holds)
{
	if (!holds)
		abort();
}

/* Checks the form of the response to a get request, and that it has lines for every peer. */
static void check_get(const struct device *device)
{
	struct uapi_get get = { 0 };
	char text[UAPI_GET_ROOM];
	size_t length, last = 0, lines = 0;

	while ((length = uapi_get_next(&get, device, text, sizeof text))) {
		check(length <= sizeof text && text[length - 1] == '\n');
		for (size_t i = 0; i < length; i++)
			lines += text[i] == '\n';
		last = length;
	}
	check(last >= 9 && !memcmp(text + last - 9, "errno=0\n\n", 9));
	check(lines >= device->peer_count * 7 + 2); /* each peer has at least 7 lines */
}

static void check_set(const char *text, size_t length)
{
	char *copy = malloc(length ? length : 1);
	struct config config = { 0 };
	struct device device;
	int error;

	check(copy && !control_init(&device, "fuzz", &aead_libsodium, NULL));
	memcpy(copy, text, length);
	error = parse_whole_set(&config, copy, length);
	check(error == 0 || error == -EINVAL || error == -EPROTO || error == -EIO);
	if (!error) {
		check(!apply_whole_set(&device, &config, 1));
		check(device.peer_count <= config.peer_count);
		check_get(&device);
		check(!apply_whole_set(&device, &config, 2)); /* the same request again */
		check_get(&device);
	}
	config_destroy(&config);
	control_destroy(&device, NULL);
	free(copy);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const char head[] = "private_key=" KEYS("48484848") "\nlisten_port=7\nreplace_peers=true\n" PEER("01010101");
	char text[sizeof head + PIECES_MAX * 100];
	size_t length = sizeof head - 1;

	check_set((const char *)data, size);
	memcpy(text, head, length);
	for (size_t i = 0; i < size && i < PIECES_MAX; i++) {
		const char *next = piece(data[i]);
		memcpy(text + length, next, strlen(next));
		length += strlen(next);
	}
	check_set(text, length);
	return 0;
}
