/* SPDX-License-Identifier: MIT */
/* Functions of tunnel that require the device lock, called with the lock held. */
#ifndef ADIT_TEST_LOCKED_CALLS_H
#define ADIT_TEST_LOCKED_CALLS_H

#include "tunnel/device.h"
#include "tunnel/peer.h"

static inline void remove_peer(struct peer *peer)
{
	struct device *device = peer->device;

	device_lock(device);
	peer_remove(peer);
	device_unlock(device);
}

static inline void forget_keys(struct peer *peer)
{
	device_lock(peer->device);
	peer_forget_keys(peer);
	device_unlock(peer->device);
}

/* Returns the sum of a counter over all threads. */
static inline uint64_t counter_sum(struct device *device, unsigned counter)
{
	struct counters sum;

	device_counters(device, &sum);
	return sum.value[counter];
}

#endif
