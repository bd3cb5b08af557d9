/* SPDX-License-Identifier: MIT */
/*
 * The INI format of wg-quick(8), read by inih through a line reader of our own: it numbers lines and sections, so that
 * two [Peer] sections in a row are told apart, and refuses what inih would quietly misread.
 *
 * Where wg(8) leaves it open or quiet: a single-valued key given twice warns and the last counts; the same PublicKey in
 * two sections is an error; a network that two peers claim warns and goes to the last of them, as in wg(8).
 */
#ifndef ADIT_CONFIG_INI_H
#define ADIT_CONFIG_INI_H

#include <stddef.h>

#include "config/config.h"

/*
 * What reading found, for people: "file:line: error|warning: what is wrong and what would be right", or without a line
 * when the file as a whole is meant. `line` gets no more than a hundred of them, `errors` and `warnings` count all;
 * both numbers are added to, so one report may serve several files. No text holds a private or preshared key or a part
 * of it.
 */
struct ini_report {
	void (*line)(void *context, const char *text);
	void *context;
	int errors, warnings;
};

/*
 * Reads a configuration from memory; `name` stands in the messages. `config` is zeroed by the caller, who destroys it
 * whatever comes back: 0, or -EINVAL when errors were reported, or -ENOMEM. Not for two threads at once (inih's
 * settings are global).
 */
int ini_parse_config(struct config *config, const char *name, const char *text, size_t length,
					 struct ini_report *report);

/*
 * Reads a file of up to 16 MiB; the interface is named after it: NAME.conf. A file with keys that others may read or
 * write warns. As ini_parse_config, and -ENOENT, -EACCES, -EISDIR, -EFBIG, ..., each reported.
 */
int ini_load(struct config *config, const char *path, struct ini_report *report);

#endif
