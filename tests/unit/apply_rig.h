/* SPDX-License-Identifier: MIT */
/* A device to which set requests and files are applied. A get request shows the result. */
#ifndef ADIT_TEST_APPLY_RIG_H
#define ADIT_TEST_APPLY_RIG_H

#include "device_rig.h"

#include "tunnel/handshake.h"

/* The lines of a peer without any traffic, before and after the value of its keepalive. */
#define QUIET                                                                                                          \
	"last_handshake_time_sec=0\nlast_handshake_time_nsec=0\ntx_bytes=0\nrx_bytes=0\npersistent_keepalive_interval="
#define END "protocol_version=1\n"

static struct rig rig;
static const uint64_t now = 1000 * NS_PER_S;

#define set(...) rig_set(&rig, now, __VA_ARGS__)
#define expect(...) rig_expect(&rig, __VA_ARGS__)

static inline int tear_down(void **state)
{
	rig_destroy(&rig);
	return 0;
}

static inline void link_up(void)
{
	assert_int_equal(control_set_up(&rig.device, true, now), 0);
}

/* Starts a handshake, which ends when the sessions of the peer end. */
static inline struct peer_index *begin_handshake(uint8_t byte)
{
	struct peer *peer = rig_peer(&rig, byte);

	handshake_initiate(peer, now, false);
	assert_non_null(peer->handshake_index);
	return peer->handshake_index;
}

#endif
