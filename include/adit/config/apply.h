/* SPDX-License-Identifier: MIT */
/*
 * Makes a device be what a configuration says: all of it when it starts, what a set on the control socket names, or the
 * difference on a reload. Each is all or nothing: what can fail comes first and is undone, and memory is allocated
 * ahead.
 *
 * Where wg(8) users can tell, it is as the kernel does it: a private key that is set again as it was ends no session;
 * an allowed IP moves from the peer that has it; a persistent keepalive that is switched on while the link is up sends
 * one at once; a peer with our own public key is passed over in silence.
 */
#ifndef ADIT_CONFIG_APPLY_H
#define ADIT_CONFIG_APPLY_H

#include <stdint.h>

#include "config/config.h"
#include "tunnel/device.h"

/*
 * Gives a device without peers what the file says: key, port and mark, and its peers, each with its cipher,
 * preshared key, allowed IPs, keepalive and, when it is a numeric address, endpoint; names are left to
 * endpoint_names_start. 0 or negative errno as apply_reload.
 */
int apply_config(struct device *device, const struct config *config);

/*
 * Makes a running device be what the file says now. What did not change is not touched, so sessions go on; peers that
 * are not in the file go. An endpoint that the file gives as it did before stays where the peer has moved to since; a
 * port or mark that it does not say stays, so the caller puts the mark of its network plan into `config`. No prefix
 * stands with two peers (ini_config.h sees to that). `now` in ns of CLOCK_BOOTTIME.
 *
 * 0, or the device is as it was: -EADDRINUSE (the port), -EPERM (the mark), -ENOMEM.
 */
int apply_reload(struct device *device, const struct config *config, uint64_t now);

/*
 * Tells in `config`, which holds no peers, what the device is: key, port, mark and peers, for apply_reload to come back
 * to. The endpoint of a peer is the one that was configured or, of a peer without, where it is. 0, or -ENOMEM and no
 * peers. Secrets are in it: config_forget_peers wipes those of the peers.
 */
int apply_capture(const struct device *device, struct config *config);

/*
 * Carries out a set of the control socket: what it does not say stays, and its peers are taken in their order, so one
 * may stand in it several times. 0 or negative errno, as apply_reload.
 */
int apply_set(struct device *device, const struct config *config, uint64_t now);

#endif
