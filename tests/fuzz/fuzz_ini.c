/* SPDX-License-Identifier: MIT */
/*
 * Fuzz target: the INI parser with arbitrary bytes. The invariants: it returns, it fails if and only if it reports an
 * error, and the configuration is consistent.
 */
#include <sodium.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "config/ini.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void take_line(void *context, const char *text)
{
	size_t *lines = context;

	/* Each finding must be one line, even if it quotes a line break. */
	if (strpbrk(text, "\r\n"))
		abort();
	++*lines;
}

static void check_config(const struct config *config)
{
	size_t peers = 0;

	for (const struct config_peer *peer = config->peers; peer; peer = peer->next, peers++) {
		for (const struct config_prefix *entry = peer->allowed_ips; entry; entry = entry->next) {
			struct ip_prefix masked = entry->prefix;
			prefix_mask(&masked);
			if (memcmp(&masked, &entry->prefix, sizeof masked) != 0)
				abort();
		}
	}
	if (peers != config->peer_count)
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	size_t lines = 0;
	struct ini_report report = { .line = take_line, .context = &lines };
	struct config config = { 0 };
	int status = ini_parse_config(&config, "fuzz", (const char *)data, size, &report);

	if ((status == 0) != (report.errors == 0) || lines > 101)
		abort();
	check_config(&config);
	config_destroy(&config);
	return 0;
}
