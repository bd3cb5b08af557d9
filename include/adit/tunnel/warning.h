/* SPDX-License-Identifier: MIT */
/*
 * Warnings of a device: what is wrong with an interface as a whole, for `adit show` and the log. device_warn (device.h)
 * sets one, and device_warning reads all of them. For control alone.
 */
#ifndef ADIT_TUNNEL_WARNING_H
#define ADIT_TUNNEL_WARNING_H

#include <stdint.h>

#include "base/token_bucket.h"
#include "io/endpoint.h"

enum { WARNING_TEXT = 300 };

/* In the order in which they are shown. */
enum warning {
	/* Derived from the state of the device. */
	WARNING_NO_KEY,
	WARNING_CLOCK,
	WARNING_GSO,
	WARNING_MERGE,
	/* Set by device_warn. */
	WARNING_OWN_KEY, /* a peer has our own public key */
	/* Of these, a message or packet is the cause. */
	WARNING_CIPHER,          /* a peer uses another cipher */
	WARNING_UNKNOWN_KEY,     /* a handshake of a public key that no peer has */
	WARNING_WRONG_RECIPIENT, /* a handshake for another public key than ours */
	WARNING_NO_PEER,         /* a packet for an address that no peer has */
	/* Others. */
	WARNING_IO_URING, /* io_uring is unavailable */
	WARNING_LEFT_OUT, /* a part of the network was left out */
	WARNING_CONFLICT, /* another program takes traffic from the tunnel */
	WARNING_CONTEST,  /* another program keeps changing the network */
	WARNINGS
};
enum { WARNING_FIRST_SET = WARNING_OWN_KEY };

/* Zeroed memory: no warning is set. */
struct warnings {
	struct {
		char text[WARNING_TEXT];
		uint64_t until;            /* ns of CLOCK_BOOTTIME; 0: not set */
		uint64_t logged_at;        /* likewise; 0: never */
		struct endpoint from;      /* whose message has caused it; unknown for others */
		struct token_bucket lines; /* that may be logged; each kind has its own, because strangers can use up theirs */
	} set[WARNINGS - WARNING_FIRST_SET];
};

#endif
