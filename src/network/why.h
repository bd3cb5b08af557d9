/* SPDX-License-Identifier: MIT */
/* The reason that goes with an error. */
#ifndef ADIT_NETWORK_WHY_H
#define ADIT_NETWORK_WHY_H

#include "network/network.h"

/* Writes "what was tried: the error's text" and returns `status`, a negative errno. */
int network_why(char why[NETWORK_WHY], int status, const char *format, ...) __attribute__((format(printf, 3, 4)));

#endif
