/* SPDX-License-Identifier: MIT */
/*
 * Control messages (cmsg(3)) of a UDP socket, sent and received: local address, traffic class and segment size. The
 * functions work on a msghdr only and have no state.
 */
#ifndef ADIT_IO_UDP_CONTROL_H
#define ADIT_IO_UDP_CONTROL_H

#include <sys/socket.h>

#include "io/udp.h"

enum {
	/* PKTINFO, TCLASS and SEGMENT when sending, PKTINFO, TCLASS and GRO when receiving. IPv6 needs more than IPv4. */
	UDP_CONTROL_BYTES = CMSG_SPACE(sizeof(struct in6_pktinfo)) + 2 * CMSG_SPACE(sizeof(int)),
};

/* An aligned buffer for the control messages of one message. */
union udp_control {
	struct cmsghdr align;
	uint8_t bytes[UDP_CONTROL_BYTES];
};

/*
 * Writes the control messages that a message of `length` bytes of the run needs, and points `message` to them: the
 * local address if it is known and not gone, the traffic class if it is not 0, the segment size if the message has
 * several datagrams.
 */
void udp_control_write(struct msghdr *message, union udp_control *control, const struct udp_run *run, uint32_t length);

/*
 * Reads the local address, traffic class and segment size into `into`, whose length and from.to must be set. Control
 * messages that are too short or unknown are ignored, and an invalid length ends the parsing. A segment size that means
 * more than UDP_MESSAGE_SEGMENTS datagrams is read as 0.
 */
void udp_control_read(const struct msghdr *message, struct udp_message *into);

#endif
