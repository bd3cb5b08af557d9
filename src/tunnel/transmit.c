#include "transmit.h"

#include <errno.h>
#include <string.h>

int transmit(struct device *device, struct udp *udp, struct peer *peer, struct udp_run *run, uint64_t now)
{
	if (peer)
		peer_settle_source(peer);
	if (udp_send(udp, run, 1) < 1)
		return -EAGAIN;
	if (run->lost_source && peer) {
		peer_forget_source(peer);
		device_count(device, COUNT_SOURCE_LOST, 1);
	}
	if (!run->error)
		return 0;
	device_count(device, DROP_SEND, 1);
	if (peer && log_allowed(&peer->log, now)) {
		char text[ENDPOINT_TEXT];
		log_info(peer->text, "sending to %s: %s", endpoint_text(text, run->to), strerror(run->error));
	}
	return -run->error;
}
