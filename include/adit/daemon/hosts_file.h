/* SPDX-License-Identifier: MIT */
/*
 * The hosts file: reads the addresses of host names from a hosts(5) file.
 *
 * One pass reads the file for all names of the configuration, because both may be long. The file is not kept in memory.
 */
#ifndef ADIT_DAEMON_HOSTS_FILE_H
#define ADIT_DAEMON_HOSTS_FILE_H

#include "io/endpoint.h"

#define HOSTS_FILE "/etc/hosts"

/*
 * Calls `handle` for each pair of a name and an address, in the order of the file. The address has port 0; an
 * IPv4-mapped one is IPv4. Lines without an address, and the addresses 0.0.0.0 and ::, are skipped. Returns 0 or a
 * negative errno.
 */
int hosts_file_read(const char *path, void (*handle)(void *context, const char *host, const struct endpoint *address),
					void *context);

#endif
