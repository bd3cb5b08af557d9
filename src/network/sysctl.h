/* SPDX-License-Identifier: MIT */
/* Kernel parameters: reads and writes the files in /proc/sys. */
#ifndef ADIT_NETWORK_SYSCTL_H
#define ADIT_NETWORK_SYSCTL_H

#include "item.h"

/* Returns the path of a parameter, in which "%s" stands for the name of the interface. */
const char *sysctl_path(uint8_t which);

/* `interface` replaces "%s" in the path; NULL if the path has none. Both return 0 or a negative errno. */
int sysctl_read(const char *path, const char *interface, uint32_t *value);
int sysctl_write(const char *path, const char *interface, uint32_t value);

/* Returns true if `parameter` has the value in any subfolder of `folder`. */
bool sysctl_any_is(const char *folder, const char *parameter, uint32_t value);

#endif
