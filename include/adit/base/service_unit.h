/* SPDX-License-Identifier: MIT */
/* Names of systemd units: that of an interface, and that of a process. */
#ifndef ADIT_BASE_SERVICE_UNIT_H
#define ADIT_BASE_SERVICE_UNIT_H

#include <stdbool.h>
#include <sys/types.h>

enum { SERVICE_NAME = 256 }; /* bytes of the longest name of a unit, with its NUL */

/*
 * Returns whether there can be a unit adit@NAME for the interface `name`. The name of a unit contains neither = nor +.
 * systemctl(1) escapes these characters, and the unit then looks for another file.
 */
bool service_unit_allows(const char *name);

/*
 * Writes the name of the unit of the interface for a command line. It is adit@NAME; but systemctl(1) and journalctl(1)
 * would take an ending such as .target for the type of the unit, so a name with a dot gets ".service".
 */
void service_unit_name(char unit[SERVICE_NAME], const char *interface);

/*
 * Finds the unit in the text of /proc/PID/cgroup (cgroups(7)): the first part of the path that ends with ".service", of
 * the unified hierarchy or else of systemd's own. Returns false if there is none.
 */
bool service_unit_of(const char *cgroups, char unit[SERVICE_NAME]);

/* Finds the unit of a process. The process need not be the main process of the unit. */
bool service_unit_find(pid_t process, char unit[SERVICE_NAME]);

#endif
