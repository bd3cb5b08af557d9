/* SPDX-License-Identifier: MIT */
/* adit peer: the tunnel whose peers are edited, and the files of its peers. */
#ifndef ADIT_CLI_PEER_SITE_H
#define ADIT_CLI_PEER_SITE_H

#include <limits.h>
#include <stdbool.h>

#include "config/config.h"
#include "config/ini.h"

struct peer_site {
	const char *command; /* "adit peer add", for messages */
	const char *file;    /* the configuration file */
	char file_buffer[INI_PATH];
	struct config config;
	int lock; /* the folder of the peers, locked against other `adit peer`s; -1: not locked */
};

/*
 * Reads the configuration. With `lock`, requires that it includes a folder, and locks the first one: `add` and `remove`
 * of several processes wait for each other. Returns 0, or -1 after a message. The caller closes in every case.
 */
int peer_site_open(struct peer_site *site, const char *command, const char *file, bool lock);
void peer_site_close(struct peer_site *site);

/*
 * Writes the path of the file for a peer of that name, in the locked folder. False after a message: the name is no file
 * name, or too long.
 */
bool peer_site_path(const struct peer_site *site, const char *name, char path[PATH_MAX]);
/*
 * Reads the configuration again, without keeping it, and prints its errors and the warnings about `path`. Returns 0 or
 * -1.
 */
int peer_site_verify(const struct peer_site *site, const char *path);
enum { PEER_SITE_ABSENT = 1 };
/*
 * Makes a running daemon read its file again. Returns 0; PEER_SITE_ABSENT if none runs; or -1 after a message: the
 * daemon keeps its previous configuration.
 */
int peer_site_reload(const struct peer_site *site);
/* Prints when the change takes effect, because no daemon runs. */
void peer_site_note_absent(const struct peer_site *site);

int command_peer_add(int argc, char **argv);
int command_peer_list(int argc, char **argv);
int command_peer_remove(int argc, char **argv);

#endif
