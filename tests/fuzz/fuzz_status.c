/* SPDX-License-Identifier: MIT */
/*
 * Fuzz target: the answer of a host to adit mesh --status. A valid answer is changed at the places that the input
 * names. The invariants: it is read to its end or rejected, and every text ends with a NUL and has a state.
 */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "status_host.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char answer_text[] =
	"Welcome\ntime=1700000000\n{\"version\": 1, \"interfaces\": [\n  {\"name\": \"lab\", \"public_key\": \"AAA=\", "
	"\"listen_port\": 51820, \"warnings\": [\"a\\u00e9\\\"\"],\n    \"peers\": [\n      {\"public_key\": \"BBB=\", "
	"\"name\": \"b\", \"state\": \"up\", \"state_reason\": null, \"allowed_ips\": [\"10.0.0.1/32\"], "
	"\"latest_handshake\": "
	"1699999999, \"rtt_ns\": 12345678, \"rx_datagrams\": 995, \"rx_lost\": 5},\n      {\"public_key\": \"CCC=\", "
	"\"state\": "
	"\"silent\", \"state_reason\": \"no answer\", \"rx_gaps\": [1, 2, 3]}\n    ]}\n]}\n";

static void check_peer(const struct status_peer *peer)
{
	if (strnlen(peer->public_key, sizeof peer->public_key) == sizeof peer->public_key ||
		strnlen(peer->name, sizeof peer->name) == sizeof peer->name ||
		strnlen(peer->reason, sizeof peer->reason) == sizeof peer->reason)
		abort();
	if (!*peer->state || strnlen(peer->state, sizeof peer->state) == sizeof peer->state)
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char text[sizeof answer_text], errors[] = "";
	struct status_answer answer = { .text = text, .length = sizeof text - 1, .errors = errors };
	struct status_host host = { 0 };

	memcpy(text, answer_text, sizeof text);
	for (size_t i = 0; i + 2 < size && i < 12; i += 3) /* a place of two bytes, and the new character */
		text[(data[i] << 8 | data[i + 1]) % (sizeof text - 1)] = (char)data[i + 2];
	if (size % 2 && size)
		answer.length = data[size - 1] * sizeof text / 256;
	text[answer.length] = '\0';
	status_host_read(&host, &answer, "lab");
	if (host.outcome == STATUS_ANSWERED) {
		for (size_t i = 0; i < host.peer_count; i++)
			check_peer(&host.peers[i]);
	} else if (!*host.reason) {
		abort();
	}
	status_host_destroy(&host);
	return 0;
}
