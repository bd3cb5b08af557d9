/* SPDX-License-Identifier: MIT */
/*
 * INI: reads configuration files in the format of wg-quick(8).
 *
 * Where wg(8) is silent or undefined:
 *   - A key that takes one value and is given twice causes a warning, and the last value counts.
 *   - The same PublicKey in two sections is an error.
 *   - A prefix that two peers list causes a warning and belongs to the last peer, as with wg(8).
 */
#ifndef ADIT_CONFIG_INI_H
#define ADIT_CONFIG_INI_H

#include <stddef.h>

#include "config/config.h"

/*
 * The findings of one or more files. Each finding is one line of text, "file:line: error|warning: object: problem", or
 * without the line number if it concerns the whole file. `line` is called for the first hundred findings; `errors` and
 * `warnings` count all of them and are never reset, so one report can serve several files. No finding contains any part
 * of a private or preshared key.
 */
struct ini_report {
	void (*line)(void *context, const char *text);
	void *context;
	int errors, warnings;
};

/*
 * Parses a configuration in memory; `name` is the file name used in findings. The caller passes a zeroed `config` and
 * destroys it in every case. Returns 0, -EINVAL if errors were reported, or -ENOMEM. Not thread-safe, because inih
 * keeps its settings in global variables.
 */
int ini_parse_config(struct config *config, const char *name, const char *text, size_t length,
					 struct ini_report *report);

/*
 * Parses the file `path`, NAME.conf, of at most 16 MiB, and names the interface NAME. A file that contains keys and is
 * accessible to others causes a warning. Returns as ini_parse_config, or the errno of the file (-ENOENT, -EACCES,
 * -EISDIR, -EFBIG, ...), which is reported as well.
 */
int ini_load(struct config *config, const char *path, struct ini_report *report);

#endif
