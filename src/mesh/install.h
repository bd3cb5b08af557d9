/* SPDX-License-Identifier: MIT */
/* Install: copies the configuration files to their hosts and reloads the tunnels. */
#ifndef ADIT_MESH_INSTALL_H
#define ADIT_MESH_INSTALL_H

#include "mesh/host_list.h"

enum { INSTALL_DIGEST = 65 }; /* SHA-256 in hexadecimal, and a NUL */

struct install {
	const struct host_list *list;
	const char *folder;                    /* that contains HOST/INTERFACE.conf */
	const char (*digests)[INSTALL_DIGEST]; /* of the file of each host */
	const char *user;                      /* login name for ssh(1); NULL: none */
	bool dry_run;                          /* only compare */
};

/*
 * Compares the file of each host with the one on the host, and prints one line per host. Unless this is a dry run, it
 * then replaces the files that differ and reloads or starts their tunnels. A host that fails does not stop the others.
 * Returns the number of hosts that failed.
 */
size_t install_run(const struct install *install);

#endif
