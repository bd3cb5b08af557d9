/* SPDX-License-Identifier: MIT */
/* Transmit: sends one message and evaluates the result. */
#include "tunnel/transmit.h"

#include <errno.h>
#include <string.h>

#include "base/clock.h"
#include "tunnel/peer.h"

int transmit(struct device *device, struct udp *udp, struct peer *peer, const struct endpoint *to, const void *message,
			 size_t n, uint8_t traffic_class)
{
	struct udp_run run = {
		.to = to, .data = message, .bytes = (uint32_t)n, .size = (uint16_t)n, .traffic_class = traffic_class
	};
	int done;

	if (peer)
		peer_verify_local(peer);
	done = udp_send(udp, &run, 1);
	if (udp->error_count) {
		device_count(device, COUNT_UNREACHABLE_RECEIVED, udp->error_count);
		peer_report_unreachable(device, &udp->error, clock_boottime());
		udp->error_count = 0;
	}
	if (done < 1)
		return -EAGAIN;
	if (run.local_gone && peer) {
		device_lock(device);
		peer_clear_local(peer);
		device_unlock(device);
		device_count(device, COUNT_LOCAL_LOST, 1);
	}
	if (!run.error)
		return 0;
	device_count(device, DROP_SEND, 1);
	if (peer)
		peer_report_problem(peer, &(struct problem) { .kind = PROBLEM_SEND, .error = run.error, .endpoint = *to },
							clock_boottime());
	return -run.error;
}
