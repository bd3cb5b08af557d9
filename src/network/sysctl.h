/* SPDX-License-Identifier: MIT */
/* Kernel parameters in /proc/sys. */
#ifndef ADIT_NETWORK_SYSCTL_H
#define ADIT_NETWORK_SYSCTL_H

#include "item.h"

/* The file of a parameter; "%s" in it stands for the name of the interface. */
const char *sysctl_path(uint8_t which);

/* `interface` takes the place of "%s" in the path; NULL if there is none. 0 or negative errno. */
int sysctl_read(const char *path, const char *interface, uint32_t *value);
int sysctl_write(const char *path, const char *interface, uint32_t value);

/* True if the parameter has the value for any entry of the folder. */
bool sysctl_any_is(const char *folder, const char *parameter, uint32_t value);

#endif
