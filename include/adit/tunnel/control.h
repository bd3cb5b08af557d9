/* SPDX-License-Identifier: MIT */
/*
 * Control: the decisions about a device and its peers. It handles the events that workers post, the timers and the
 * handshake messages, and it changes link state, port, mark and key.
 *
 * None of these functions may be called with the device lock held; they take it themselves.
 */
#ifndef ADIT_TUNNEL_CONTROL_H
#define ADIT_TUNNEL_CONTROL_H

#include <stdbool.h>
#include <stdint.h>

#include "tunnel/device.h"

/*
 * Prepares a device without a key and without peers. `loop` may be NULL; then the caller calls timers_expire. `aead` is
 * for this thread and must outlive the device. Returns 0 or negative errno.
 */
int control_init(struct device *device, const char *name, const struct aead_provider *aead, struct ev_loop *loop);
/* Removes all peers and wipes all keys. The workers have been stopped. */
void control_destroy(struct device *device, struct ev_loop *loop);

/*
 * Sets the private key, or clears it (NULL). Ends the sessions and handshakes of all peers, and removes a peer that has
 * the new public key.
 */
void control_set_private_key(struct device *device, const uint8_t *private_key);

/*
 * The link went up or down. Up opens the sockets and sends keepalives to peers that have a persistent keepalive. Down
 * closes the sockets and wipes the keys of all sessions; the timestamps of initiations are kept, so that old
 * initiations still cannot be replayed. Returns 0 or the error of opening the sockets.
 */
int control_set_up(struct device *device, bool up, uint64_t now);

/*
 * Changes the port (0: any) or the firewall mark, at once if the link is up. Returns 0 or negative errno, and then the
 * old value stays.
 */
int control_set_port(struct device *device, uint16_t port);
int control_set_mark(struct device *device, uint32_t mark);

/* The MTUs of the routes through the device have changed. */
void control_set_padding_limits(struct device *device, const struct padding_limits *limits);

/* Routes or addresses have changed: the local address of each peer is verified before the next packet is sent to it. */
void control_recheck_locals(struct device *device);

#endif
