/* SPDX-License-Identifier: MIT */
/*
 * The problem of a peer: why it is not up, or why packets of it are dropped. The commonest mistakes in the files of
 * both ends are recognized. peer_report_problem and peer_post_problem (peer.h) report one.
 */
#ifndef ADIT_TUNNEL_PROBLEM_H
#define ADIT_TUNNEL_PROBLEM_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/token_bucket.h"
#include "io/endpoint.h"

/* The table in peer_problem.c has the log level of each, and how certain it is. */
enum problem_kind {
	PROBLEM_NONE,
	PROBLEM_SILENT,          /* our handshakes are not answered */
	PROBLEM_NO_ENDPOINT,     /* a packet to a peer that has no endpoint, or whose name is not resolved */
	PROBLEM_UNCONFIRMED,     /* no packet came under the keys of our answers to handshakes */
	PROBLEM_SEND,            /* the kernel refuses to send to the endpoint */
	PROBLEM_UNREACHABLE,     /* an ICMP error about the endpoint */
	PROBLEM_CLOCK,           /* handshakes are older than one before */
	PROBLEM_SHARED_KEY,      /* the endpoint changes back and forth between two addresses */
	PROBLEM_INNER_SOURCE,    /* packets from an address that is not in the peer's AllowedIPs */
	PROBLEM_LOOP,            /* the route to the endpoint leads into the tunnel */
	PROBLEM_OWN_ENDPOINT,    /* our handshakes to the endpoint come back to us */
	PROBLEM_OTHER_KEY,       /* the host at the endpoint uses another public key */
	PROBLEM_WRONG_RECIPIENT, /* handshakes from the endpoint are for another public key than ours */
	PROBLEM_PRESHARED_KEY,   /* the answer to our handshake cannot be decrypted */
	PROBLEM_CIPHER,          /* the peer uses another cipher */
	PROBLEM_NO_KEY,          /* we have no private key */
	PROBLEM_BAD_KEY,         /* the public key of the peer is of low order */
	PROBLEMS
};

/* A report: the kind, and what its text needs. */
struct problem {
	enum problem_kind kind;
	int error;                /* positive errno, of PROBLEM_SEND and PROBLEM_UNREACHABLE */
	struct endpoint endpoint; /* in question */
	uint8_t address[16];      /* the inner source, or the sender of the ICMP error */
	uint8_t address_length;   /* 4 or 16; 0: unknown */
	uint8_t key[32];          /* of PROBLEM_OTHER_KEY: that of the host */
	uint64_t seconds;         /* of PROBLEM_CLOCK: how much older */
};

/*
 * A worker stores a report in `posted`, which control then takes. Everything else is for control alone. Zeroed memory
 * is a peer without a problem.
 */
struct problem_state {
	struct problem latest;
	uint64_t last;   /* when the latest problem was last reported; ns of CLOCK_BOOTTIME */
	uint32_t logged; /* bit n: kind n has been logged since `logged_at` */
	uint64_t logged_at;
	struct token_bucket lines;
	bool bad_answer;        /* to the last initiation came one that could not be decrypted */
	unsigned unconfirmed;   /* responses since a packet of the peer last confirmed a session */
	unsigned stale;         /* initiations in a row that were older than one before */
	struct endpoint former; /* where the peer was before it moved to its present endpoint */
	unsigned returns;       /* how often in a row it moved back there */
	uint64_t returns_since;

	struct token_bucket reports; /* of workers */
	_Atomic unsigned post;       /* enum post_state, about `posted` */
	struct problem posted;
};

#endif
