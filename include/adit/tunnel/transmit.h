/* SPDX-License-Identifier: MIT */
/* Messages that are no data run: handshakes and keepalives. */
#ifndef ADIT_TUNNEL_TRANSMIT_H
#define ADIT_TUNNEL_TRANSMIT_H

#include "io/udp.h"
#include "tunnel/device.h"

/*
 * Sends a message of `n` bytes to `to`, now (`now` as of clock_boottime). When the socket is full it is lost, and a
 * timer repeats it. `peer` is whose endpoint that is, or NULL. 0 or negative errno.
 */
int transmit(struct device *device, struct udp *udp, uint64_t now, struct peer *peer, const struct endpoint *to,
			 const void *message, size_t n, uint8_t traffic_class);

#endif
