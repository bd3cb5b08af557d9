/* SPDX-License-Identifier: MIT */
/*
 * Apply: makes a device match a configuration. At startup the whole configuration is applied, a set request changes
 * only what it names, and a reload applies the difference. Each call either succeeds or leaves the device unchanged:
 * memory is allocated first, and the socket settings, which can also fail, come before any change to peers.
 *
 * The behaviour that users of wg(8) can observe is that of the kernel:
 *   - Setting the private key that the device already has keeps all sessions.
 *   - An allowed IP moves away from the peer that holds it.
 *   - Turning on a persistent keepalive while the link is up sends a keepalive at once.
 *   - A peer with our own public key is silently skipped.
 */
#ifndef ADIT_CONFIG_APPLY_H
#define ADIT_CONFIG_APPLY_H

#include <stdbool.h>
#include <stdint.h>

#include "config/config.h"
#include "tunnel/device.h"

/*
 * Makes a device match a file: key, port, mark and peers, each peer with its cipher, preshared key, allowed IPs,
 * keepalive and, if the endpoint is numeric, its endpoint. Peers that are not in the file are removed. Settings that
 * did not change are not touched, so sessions survive. A peer that has roamed keeps its current endpoint unless the
 * endpoint in the file changed. A private key, port or mark that is not given is kept; the caller sets the mark from
 * its network plan. No prefix may belong to two peers, which config/ini.h guarantees. `now` is in ns of CLOCK_BOOTTIME;
 * while the link is down, nothing is sent and it does not matter.
 *
 * Returns 0, or leaves the device unchanged: -EADDRINUSE (the port), -EPERM (the mark) or -ENOMEM.
 */
int apply_reload(struct device *device, const struct config *config, uint64_t now);

/*
 * Saves the state of the device in `config`, which has no peers, so that apply_reload can restore it: key, port, mark
 * and peers. The saved endpoint of a peer is the configured one, or the current one if none was configured. Returns 0,
 * or -ENOMEM and no peers. The configuration holds secrets; config_forget_peers wipes those of the peers.
 */
int apply_capture(const struct device *device, struct config *config);

/*
 * A set request. Settings that it does not name are kept. Its peers are processed in order, so a peer may appear
 * several times. It is carried out in parts, so that packets flow in between. It is still all or nothing: what can fail
 * comes before the first change. No other change may come between the parts, but for endpoints of single peers.
 */
struct apply_progress {
	struct device *device;
	const struct config *config;
	enum apply_stage { APPLY_COUNT, APPLY_RESERVE, APPLY_SOCKETS, APPLY_REMOVE, APPLY_PEERS } stage;
	const struct config_peer *next;     /* in the stages that go through the peers of `config` */
	const struct config_prefix *prefix; /* of `next`, which was applied in part; NULL: not begun */
	bool removes;                       /* a line before `next` removes peers */
	bool moved;                         /* `next` has another endpoint than before */
	bool new_key;                       /* the private key has changed */
	size_t peers, prefixes;             /* still to be reserved */
};

/* `config` must stay until the last part. */
void apply_set_start(struct apply_progress *progress, struct device *device, const struct config *config);
/* Handles about `quota` peers and prefixes. Returns 1 if there is more to do, else 0 or the errors of apply_reload. */
int apply_set_part(struct apply_progress *progress, size_t quota, uint64_t now);
/* Gives up between two parts; what was applied stays. */
void apply_set_cancel(struct apply_progress *progress);

#endif
