/* SPDX-License-Identifier: MIT */
/*
 * The control messages (cmsg(3)) of a UDP socket: source address, traffic class and segment size, both ways. Pure
 * functions over a msghdr.
 */
#ifndef ADIT_IO_UDP_CONTROL_H
#define ADIT_IO_UDP_CONTROL_H

#include <sys/socket.h>

#include "io/udp.h"

enum {
	/* PKTINFO, TCLASS and SEGMENT out; PKTINFO, TCLASS and GRO in. IPv6 needs the more. */
	UDP_CONTROL_BYTES = CMSG_SPACE(sizeof(struct in6_pktinfo)) + 2 * CMSG_SPACE(sizeof(int)),
};

/* Room for the control messages of one message, aligned as they must be. */
union udp_control {
	struct cmsghdr align;
	uint8_t bytes[UDP_CONTROL_BYTES];
};

/*
 * Puts into `control` what `run` needs and no more, and points `message` at it: the segment size when `length` bytes
 * are more than one datagram, the source when it is known and not lost, the traffic class when it is not 0.
 */
void udp_control_write(struct msghdr *message, union udp_control *control, const struct udp_run *run, uint32_t length);

/*
 * Reads source, traffic class and segment size into `into`, whose length and from.to are set already. What is
 * missing, too short or unknown changes nothing; a length that cannot be true ends the walk.
 */
void udp_control_read(const struct msghdr *message, struct udp_message *into);

#endif
