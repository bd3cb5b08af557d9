/* SPDX-License-Identifier: MIT */
/* Looks up the names of endpoints once, as the daemon does: in the hosts file, and else in the DNS. */
#ifndef ADIT_DOCTOR_NAME_LOOKUP_H
#define ADIT_DOCTOR_NAME_LOOKUP_H

#include "checks.h"

/*
 * Resolves the endpoints that are names: sets `address`, or `failure`. All lookups run at the same time and end after
 * `seconds`.
 */
void lookup_names(struct endpoint_facts *list, size_t count, double seconds);

#endif
