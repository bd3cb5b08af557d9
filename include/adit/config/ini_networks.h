/* SPDX-License-Identifier: MIT */
/* The networks to which this host is connected, as advice on a configuration needs them. */
#ifndef ADIT_CONFIG_INI_NETWORKS_H
#define ADIT_CONFIG_INI_NETWORKS_H

#include "config/ini.h"

/*
 * Returns the networks of all interfaces that are up, in an array of *count entries, which the caller frees. Networks
 * are only needed for advice, so a failure returns NULL and a count of 0.
 */
struct ini_network *ini_networks_read(size_t *count);

#endif
