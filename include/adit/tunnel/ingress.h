/* SPDX-License-Identifier: MIT */
/* Ingress: receives datagrams, opens and checks them, and writes the packets to the TUN. */
#ifndef ADIT_TUNNEL_INGRESS_H
#define ADIT_TUNNEL_INGRESS_H

#include <stddef.h>
#include <stdint.h>

#include "crypto/aead.h"
#include "io/tun.h"
#include "io/udp.h"
#include "packet/coalesce.h"
#include "tunnel/device.h"

enum { INGRESS_OPENED = 192 << 10 }; /* bytes for opened packets */

/* A kind of super-packet that the TUN has refused, and when to try it again. Zeroed: it was never refused. */
struct merge_retry {
	uint64_t due; /* 0: it is not refused now */
	uint64_t tried, pause;
};

struct ingress {
	/* set by the owner before ingress_init; all of it outlives the ingress */
	struct device *device;
	struct tun *tun;
	struct udp *udp;
	const struct aead_provider *aead; /* of this thread */
	struct counters *counters;

	struct udp_batch *received;
	uint8_t *opened; /* INGRESS_OPENED bytes, for ciphers that do not open in place */
	size_t used;     /* of `opened` */
	struct coalescer coalescer;
	uint64_t now; /* of the current drain */
	struct merge_retry tcp_retry, udp_retry;
};

/* Returns 0 or -ENOMEM. */
int ingress_init(struct ingress *ingress);
/* Accepts a zeroed struct. */
void ingress_destroy(struct ingress *ingress);

/* Receives one batch of messages from `fd`, which is one of the two sockets. */
void ingress_drain(struct ingress *ingress, int fd, uint64_t now);

#endif
