/* SPDX-License-Identifier: MIT */
/*
 * INI: reads configuration files in the format of wg-quick(8).
 *
 * Every file that wg(8) setconf or wg-quick(8) accepts is accepted here, with the exceptions in adit.conf(5). These
 * cause a warning:
 *   - A key that takes one value and is given twice. The last value counts.
 *   - The same PublicKey in two sections. The sections are merged: the AllowedIPs of both count, and of other keys the
 *     last value.
 *   - A prefix that two peers list. It belongs to the last peer, as with wg(8).
 *   - No PrivateKey.
 *   - Two peers with the same Name.
 */
#ifndef ADIT_CONFIG_INI_H
#define ADIT_CONFIG_INI_H

#include <stdbool.h>
#include <stddef.h>

#include "config/config.h"

#define INI_DIRECTORY "/etc/adit"

/* A network to which the host is connected directly. */
struct ini_network {
	struct ip_prefix prefix;  /* without host bits */
	struct ip_prefix address; /* of the host in it; family 0: unknown */
	char interface[16];
};

/*
 * The findings of one or more files. Each finding is one line of text, "file:line: error|warning: object: problem", or
 * without the line number if it concerns the whole file. `line` is called for the first hundred findings, unless it is
 * NULL; `errors` and `warnings` count all of them and are never reset, so one report can serve several files. No
 * finding contains any part of a private or preshared key.
 *
 * With `advice`, valid settings that are probably mistakes cause warnings, too: host bits in AllowedIPs, an endpoint
 * that looks like an address but is not, AllowedIPs that contain an endpoint, an MTU that is too small for IPv6, and a
 * conflict with one of `networks`.
 *
 * With `strict`, it is an error and not a warning that others can read a file with keys. With `any_process`, the caller
 * is not the daemon and may lack its credentials: without CREDENTIALS_DIRECTORY, a key that is in a credential stays
 * unset, with a warning.
 */
struct ini_report {
	void (*line)(void *context, const char *text);
	void *context;
	int errors, warnings;
	bool advice, strict, any_process;
	const struct ini_network *networks;
	size_t network_count;
};

/* A `line` that prints the finding on standard error. */
void ini_print_line(void *context, const char *text);

/*
 * Parses a configuration in memory; `name` is the file name used in findings. Includes, credentials and files with keys
 * are not read. The caller passes a `config` that is zeroed, apart from the name of the interface, if that is known,
 * and destroys it in every case. Returns 0, -EINVAL if errors were reported, or -ENOMEM. Not thread-safe, because inih
 * keeps its settings in global variables.
 */
int ini_parse_config(struct config *config, const char *name, const char *text, size_t length,
					 struct ini_report *report);

/*
 * Parses the file `path`, NAME.conf, of at most 16 MiB, and names the interface NAME. As with wg-quick(8), a `path`
 * that could be the name of an interface, and does not end in .conf, stands for INI_DIRECTORY/NAME.conf; ini_path
 * returns that path. A file that contains keys and is accessible to others causes a warning. Then reads the files
 * *.conf of the folders that the file includes, in the order of strcmp(3), as if their peers were at its end. Returns
 * as ini_parse_config, or the errno of the file (-ENOENT, -EACCES, -EISDIR, -EFBIG, ...), which is reported as well.
 */
int ini_load(struct config *config, const char *path, struct ini_report *report);

enum { INI_PATH = 64 };
/* Returns the file that the administrator means by `path`: `path` itself, or INI_DIRECTORY/NAME.conf in `buffer`. */
const char *ini_path(const char *path, char buffer[INI_PATH]);
/*
 * The length of NAME in NAME.conf, the last component of `path`, and in *name its start. 0 if the file cannot be that
 * of an interface.
 */
size_t ini_interface_name(const char *path, const char **name);

#endif
