/* SPDX-License-Identifier: MIT */
/* Deletes entries of resolvconf(8). */
#include "network/resolvconf.h"

#include <net/if.h>
#include <stdio.h>
#include <unistd.h>

#include "network/process.h"

#define RESOLVCONF_FOLDER "/run/resolvconf"

enum { RESOLVCONF_MS = 20000 };

void resolvconf_remove(const char *interface)
{
	char prefixed[sizeof "tun." + IFNAMSIZ], output[PROCESS_OUTPUT];
	const char *const entries[] = { interface, prefixed };

	if (access(RESOLVCONF_FOLDER, F_OK))
		return;
	snprintf(prefixed, sizeof prefixed, "tun.%s", interface);
	for (size_t i = 0; i < sizeof entries / sizeof *entries; i++) {
		const char *const command[] = { "resolvconf", "-d", entries[i], "-f", NULL };

		process_run(command, NULL, 0, output, RESOLVCONF_MS);
	}
}
