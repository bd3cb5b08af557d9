/* SPDX-License-Identifier: MIT */
/*
 * The folder that `adit mesh` writes: DIR/HOST/INTERFACE.conf for each host, and files of the whole network. Folders
 * have the mode 0700, files 0600.
 *
 * Changed files are first written under hidden names, and all of them get their own names when all are on the disk. An
 * error before that, such as a full disk, changes no file.
 */
#ifndef ADIT_MESH_OUTPUT_H
#define ADIT_MESH_OUTPUT_H

#include <stdbool.h>
#include <stddef.h>

#include "base/reason.h"
#include "mesh/host_list.h"
#include "secret_text.h"

struct output {
	const char *path;
	int fd; /* of the folder, locked; -1: it does not exist, which only a dry run accepts */
	bool dry_run;
	struct output_file *files; /* to be renamed by output_commit, in this order */
	size_t count, room;
};

/*
 * Opens and locks the folder; creates it except in a dry run. Returns 0, or a negative errno and the reason: -EBUSY if
 * another process holds the lock. The caller calls output_close in every case; the struct may be zeroed.
 */
int output_open(struct output *output, const char *path, bool dry_run, struct reason *reason);
/* Removes files that were not committed. */
void output_close(struct output *output);

/*
 * Finds the file of a host. Returns 1 and its path if there is one; 0 if not; or a negative errno and the reason:
 * -EEXIST if the folder contains the generated file of another interface.
 */
int output_find(const struct output *output, const struct host_list *list, size_t host, char **path,
				struct reason *reason);
/*
 * Compares the text with the file NAME, or FOLDER/NAME if `folder` is not NULL, and writes it under a hidden name if
 * the two differ. Returns 1 if they differ, 0 if not, or a negative errno and the reason.
 */
int output_write(struct output *output, const char *folder, const char *name, const struct secret_text *text,
				 struct reason *reason);
/* Gives all written files their names. Does nothing in a dry run. Returns 0, or a negative errno and the reason. */
int output_commit(struct output *output, struct reason *reason);

/*
 * Moves the folders of hosts that are not in the list any more to DIR/removed, and calls `removed` for each with the
 * name of the host and of its folder there. In a dry run, it only calls `removed`. Folders without a generated file for
 * the interface are left alone. Returns 0, or a negative errno and the reason.
 */
int output_remove_others(struct output *output, const struct host_list *list,
						 void (*removed)(void *context, const char *host, const char *folder), void *context,
						 struct reason *reason);

#endif
