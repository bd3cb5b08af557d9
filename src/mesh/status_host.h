/* SPDX-License-Identifier: MIT */
/* Status: what a host reports about its tunnel, read from the JSON document of `adit show`. */
#ifndef ADIT_MESH_STATUS_HOST_H
#define ADIT_MESH_STATUS_HOST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/keytext.h"
#include "mesh/host_list.h"
#include "status_ask.h"

enum { STATUS_WORD = 16, STATUS_REASON = 160, STATUS_PEERS_MAX = 65536 };

/* A peer, as the host sees it. */
struct status_peer {
	char public_key[KEY_BASE64], name[MESH_NAME];
	char state[STATUS_WORD]; /* a word of adit(8), such as "up"; see base/wg_state.h if its daemon reports none */
	char reason[STATUS_REASON];
	uint64_t rtt_ns;                /* 0: unknown */
	uint64_t rx_datagrams, rx_lost; /* both 0: unknown */
};

enum status_outcome {
	STATUS_SKIPPED, /* the list has no destination for ssh(1) */
	STATUS_ANSWERED,
	STATUS_FAILED, /* the `reason` of the host says why */
};

/* Zeroed memory is a host that was skipped. */
struct status_host {
	enum status_outcome outcome;
	char reason[STATUS_REASON];
	char public_key[KEY_BASE64]; /* "": unknown */
	bool is_old;                 /* its adit reports neither states nor quality */
	uint64_t time;               /* seconds since the epoch, by its own clock; 0: unknown */
	struct status_peer *peers;
	size_t peer_count, peer_room;
};

/* Reads the answer of a host. `host` is zeroed. If there is no memory, the host has failed. */
void status_host_read(struct status_host *host, const struct status_answer *answer, const char *interface);
/* Accepts a zeroed struct. */
void status_host_destroy(struct status_host *host);

#endif
