/* SPDX-License-Identifier: MIT */
/* Writes the running state of the daemon into its file, for `SaveConfig = true`. */
#ifndef ADIT_DAEMON_RUNNING_STATE_H
#define ADIT_DAEMON_RUNNING_STATE_H

#include "base/reason.h"
#include "config/config.h"
#include "daemon/names.h"
#include "tunnel/device.h"

/*
 * Saves the state of `device` in the file `path`. `config` is the configuration in effect, without its peers. Settings
 * that the daemon has chosen itself are not saved: the mark of a full tunnel, and a random port. Sets `warning` if the
 * change of a peer cannot be saved, because its section is in an included file. Returns 0, or negative errno with the
 * reason.
 */
int running_state_save(const struct device *device, const struct names *names, const struct config *config,
					   const char *path, struct reason *warning, struct reason *reason);

#endif
