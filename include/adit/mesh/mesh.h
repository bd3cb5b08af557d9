/* SPDX-License-Identifier: MIT */
/* The command that makes the configuration files of a whole network from a list of its hosts. */
#ifndef ADIT_MESH_MESH_H
#define ADIT_MESH_MESH_H

/*
 * `mesh HOSTS --out DIR [--rotate HOST]... [--dry-run] [--install [--user USER]]`: reads the list HOSTS and writes
 * DIR/HOST/INTERFACE.conf for each host, the table DIR/mesh.txt, and the picture as DIR/mesh.dot and DIR/mesh.svg. Keys
 * and addresses that DIR contains already are kept. With --install, copies the files to the hosts by ssh(1).
 *
 * `mesh HOSTS --status [--svg FILE] [--user USER]`: asks all hosts by ssh(1) which of the others they reach, and prints
 * a matrix. Returns 1 if not all reach all.
 *
 * argv[0] is the name of the command. Findings and errors go to standard error, the summary to standard output. Returns
 * the exit code of the program: 0, or 1 after an error. The caller has called sodium_init().
 */
int command_mesh(int argc, char **argv);

/* Calls `found` for each host of the list `path`, also if the list has errors. Prints nothing. */
void mesh_list_hosts(const char *path, void (*found)(void *context, const char *name), void *context);

#endif
