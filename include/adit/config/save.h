/* SPDX-License-Identifier: MIT */
/*
 * Save: writes the running state of a tunnel into its configuration file, for `SaveConfig = true`.
 *
 * Only the lines whose setting has changed are edited. Comments, hooks, other keys and the order of the lines stay, so
 * a state that equals the file leaves the file as it is. Sections of peers that no longer exist are removed, and new
 * peers get a section at the end.
 */
#ifndef ADIT_CONFIG_SAVE_H
#define ADIT_CONFIG_SAVE_H

#include <stddef.h>

#include "base/reason.h"
#include "config/config.h"

/*
 * Edits `length` bytes of `text`, the file that `file` was parsed from, so that it means the state in `running`:
 * private key, port, mark, MTU, addresses and peers. A setting of the interface that is absent in `running` (no flag
 * `has_...`, an MTU of 0) stays as it is in the file, and so does the endpoint of a peer without `has_endpoint`, for
 * example because it is a name. A peer that the text does not contain, but `file` does, came from another file, and is
 * not added. A peer with our own public key stays, although no device has it. Addresses are only added: `running` need
 * not contain those of the file.
 *
 * `unsaved` receives the first peer of `file` that the text does not contain, but `running` lacks or has with other
 * settings; NULL: none. Returns 1 and the new text, which contains keys: the caller wipes and frees it. Returns 0 if
 * nothing is to change, or -ENOMEM.
 */
int save_edit(char **edited, size_t *edited_length, const char *text, size_t length, const struct config *file,
			  const struct config *running, const struct config_peer **unsaved);

/*
 * Edits the file at `path` and replaces it atomically. The new file has the same owner, and at most the mode 0600. If
 * `path` is a symbolic link, the file that it leads to is replaced. Returns 1 if the file has changed, 0 if it did not
 * need to, or negative errno with the reason, and the file is as it was. Included files are not edited: `warning`
 * names the first peer there whose change is lost, or is empty.
 */
int save_file(const char *path, const struct config *running, struct reason *warning, struct reason *reason);

#endif
