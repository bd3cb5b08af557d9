/* Messages that are no data run: handshakes and keepalives. */
#ifndef ADIT_TRANSMIT_H
#define ADIT_TRANSMIT_H

#include "device.h"
#include "udp.h"

/*
 * Sends a run of one datagram, now. When the socket is full it is lost, and a timer repeats it. `peer` may be NULL. 0
 * or negative errno.
 */
int transmit(struct device *device, struct udp *udp, struct peer *peer, struct udp_run *run, uint64_t now);

#endif
