/* SPDX-License-Identifier: MIT */
/*
 * Admission: the checks of a handshake message before any curve operation, and the limits on what strangers can make us
 * compute and send (WireGuard paper, section 5.3).
 *
 * A message is checked twice. The thread that received it drops invalid messages, which then take no place in the
 * mailbox and do not count as load. If the message arrived under load, control requires a cookie and limits the
 * sender's rate.
 */
#ifndef ADIT_TUNNEL_ADMISSION_H
#define ADIT_TUNNEL_ADMISSION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "tunnel/device.h"

/* The tag of a message in the mailbox. */
enum admission {
	ADMISSION_FREE,   /* it may cost curve operations */
	ADMISSION_COOKIE, /* it arrived under load and gets a cookie reply */
	ADMISSION_MAC2,   /* it arrived under load, and its mac2 must be checked */
};

/*
 * For the thread that received a message that is not data. Posts the message to control if its type, length and mac1
 * are valid and, for a response or a cookie reply, if one of our messages is unanswered. Under load, a message
 * without mac2 is posted only if the limit of cookie replies permits one. Otherwise counts the drop in `counters`.
 * `cold` keeps it out of the loop over the datagrams, which it would slow down by 2 %.
 */
__attribute__((cold)) void admission_post(struct device *device, struct counters *counters, const uint8_t *message,
										  size_t n, const struct endpoint *from, uint64_t now);

/*
 * For control, about an initiation or a response: returns whether it may cost curve operations. Under load, this
 * requires a valid mac2 and a sender's address within the rate limit. Otherwise counts the drop, and answers a message
 * without a valid mac2 by a cookie reply, unless too many have been sent.
 */
bool admission_allow(struct device *device, enum admission tag, const uint8_t *message, size_t n,
					 const struct endpoint *from, uint64_t now);

#endif
