/* Makes a device be what a configuration says. */
#ifndef ADIT_APPLY_H
#define ADIT_APPLY_H

#include "config.h"
#include "device.h"

/*
 * Gives the device its key and its peers, each with its preshared key, allowed IPs, keepalive and, when it is a
 * numeric address, endpoint; names are left to endpoint_names_start. 0 or -ENOMEM. Takes a device without peers.
 */
int apply_config(struct device *device, const struct config *config);

#endif
