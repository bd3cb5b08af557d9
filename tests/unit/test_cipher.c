/* SPDX-License-Identifier: MIT */
/* Tests of the key Cipher on a machine with AES instructions and on one without. A wrapper simulates both. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "config/ini.h"

#define INTERFACE "[Interface]\nPrivateKey = yOIrcmTD5+EZV6rUqnPlTY4S9/OqJh2epT7vU6FjTXg=\n"
#define PEER "[Peer]\nPublicKey = +d6ITabZ3wPagXq2kcR1jrneQRSy/ghs4hyXww5w8TU=\n"
#define OTHER_PEER "[Peer]\nPublicKey = XZ5zR6zv/0l1v0B9MMG+3mzTEdonoa/3aMgdTbNFGUA=\n"

int __wrap_crypto_aead_aes256gcm_is_available(void);

static int aes_available;

int __wrap_crypto_aead_aes256gcm_is_available(void)
{
	return aes_available;
}

static void keep_line(void *context, const char *text)
{
	snprintf(context, 256, "%s", text);
}

/* Parses `text` and stores the last finding. */
static int read_text(struct config *config, const char *text, char finding[256])
{
	struct ini_report report = { .line = keep_line, .context = finding };

	memset(config, 0, sizeof *config);
	*finding = '\0';
	return ini_parse_config(config, "x", text, strlen(text), &report);
}

static void each_peer_has_its_own_cipher(void **state)
{
	struct config config;
	char finding[256];

	aes_available = 1;
	assert_int_equal(read_text(&config, INTERFACE PEER "cipher = aes256gcm\n" OTHER_PEER, finding), 0);
	assert_string_equal(finding, "");
	assert_true(config.peers->has_cipher);
	assert_int_equal(config.peers->cipher, SUITE_AES256GCM);
	assert_false(config.peers->next->has_cipher);
	assert_int_equal(config.peers->next->cipher, SUITE_CHACHA20POLY1305);
	config_destroy(&config);
	assert_int_equal(read_text(&config, INTERFACE PEER "Cipher = chacha20poly1305\n", finding), 0);
	assert_true(config.peers->has_cipher);
	assert_int_equal(config.peers->cipher, SUITE_CHACHA20POLY1305);
	config_destroy(&config);
}

static void aes_is_rejected_without_aes_instructions(void **state)
{
	struct config config;
	char finding[256];

	aes_available = 0;
	assert_int_equal(read_text(&config, INTERFACE PEER "Cipher = aes256gcm\n", finding), -EINVAL);
	assert_string_equal(finding, "x:5: error: Cipher: the processor of this machine does not support aes256gcm; use "
								 "chacha20poly1305 at both ends");
	assert_false(config.peers->has_cipher);
	config_destroy(&config);
	assert_int_equal(read_text(&config, INTERFACE PEER "Cipher = chacha20poly1305\n", finding), 0);
	config_destroy(&config);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_peer_has_its_own_cipher),
		cmocka_unit_test(aes_is_rejected_without_aes_instructions),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
