/* SPDX-License-Identifier: MIT */
/* Transmit: sends the messages that are not data runs, which are handshake messages and keepalives. */
#ifndef ADIT_TUNNEL_TRANSMIT_H
#define ADIT_TUNNEL_TRANSMIT_H

#include "io/udp.h"
#include "tunnel/device.h"

/*
 * Sends a message of `n` bytes to `to` through `udp`, as device_ops.send. A message that meets a full socket is lost; a
 * timer repeats it. Returns 0 or negative errno.
 */
int transmit(struct device *device, struct udp *udp, struct peer *peer, const struct endpoint *to, const void *message,
			 size_t n, uint8_t traffic_class);

#endif
