/* SPDX-License-Identifier: MIT */
/* The meaning of the counters. */
#include "uapi/counter_meaning.h"

#include <stddef.h>
#include <string.h>

static const struct {
	const char *name, *meaning;
} meanings[] = {
	{ "tun_read", "packets and super-packets read from the TUN device" },
	{ "tun_written", "packets and super-packets written to the TUN device" },
	{ "sealed", "data datagrams encrypted" },
	{ "sent", "data datagrams that the UDP socket accepted" },
	{ "received", "datagrams of any type received" },
	{ "opened", "data datagrams that were authentic and new" },
	{ "handshake_sent", "handshake initiations and responses sent" },
	{ "handshake_done", "handshakes completed" },
	{ "cookie_sent", "cookie replies sent under load" },
	{ "under_load", "handshake messages without a cookie, received under load" },
	{ "group_refused", "runs of datagrams sent one by one, because the path refused UDP GSO" },
	{ "source_lost", "local addresses of endpoints that the host has lost" },
	{ "merge_refused", "super-packets written as single packets, because the TUN device refused them" },
	{ "handshake_unanswered", "handshake initiations without a response in time" },
	{ "handshake_unconfirmed", "handshake responses after which the peer sent another initiation, and no packet" },
	{ "unreachable_received", "ICMP errors received about datagrams of this host" },
	{ "unreachable_sent", "ICMP errors sent to the sender of a packet without a peer" },

	{ "drop_no_peer", "out: no allowed IP of a peer contains the destination" },
	{ "drop_no_endpoint", "out: the endpoint of the peer is unknown, or the link is down" },
	{ "drop_loop", "out: the host routes a datagram of the tunnel back into the tunnel" },
	{ "drop_staged", "out: too many packets waited for a handshake" },
	{ "drop_staged_timeout", "out: the peer did not answer the handshake" },
	{ "drop_too_long", "out: the encrypted packet does not fit a UDP datagram" },
	{ "drop_send", "out: the UDP socket refused the datagram" },
	{ "drop_tun_read", "out: reading the TUN device failed" },
	{ "drop_truncated", "in: the datagram is larger than the receive buffer" },
	{ "drop_segments", "in: UDP GRO delivered more datagrams at once than the limit of the kernel" },
	{ "drop_malformed", "in: the datagram is not a message of the protocol" },
	{ "drop_mac", "in: the handshake message is not meant for the key of this interface" },
	{ "drop_rate", "in: the sender exceeds the rate limit of handshake messages" },
	{ "drop_handshake_queue", "in: too many handshake messages waited, or the interface changed" },
	{ "drop_handshake", "in: the handshake message is forged, replayed, or belongs to no handshake or peer" },
	{ "drop_no_key", "in: a handshake message, and the interface has no private key" },
	{ "drop_unknown_key", "in: the handshake initiation of a public key that no peer has" },
	{ "drop_cipher", "in: the handshake initiation has another cipher than is set for the peer" },
	{ "drop_stale", "in: the handshake initiation is older than an earlier one, as if the clock had been set back" },
	{ "drop_preshared_key", "in: the handshake response cannot be decrypted, as with another preshared key" },
	{ "drop_index", "in: the datagram belongs to no session" },
	{ "drop_expired", "in: the session of the datagram is too old" },
	{ "drop_forged", "in: the datagram is not authentic" },
	{ "drop_replay", "in: the datagram is a duplicate, or older than the replay window" },
	{ "drop_inner", "in: the decrypted packet is not a valid IP packet" },
	{ "drop_source", "in: the source of the decrypted packet is not an allowed IP of the peer" },
	{ "drop_tun_write", "in: the TUN device refused the packet" },

	{ "drop_refused_not_ip", "out: not an IP packet" },
	{ "drop_refused_too_long", "out: longer than 65535 bytes" },
	{ "drop_refused_rsc_info", "out: the virtio header has RSC_INFO set" },
	{ "drop_refused_no_checksum", "out: GSO without NEEDS_CSUM" },
	{ "drop_refused_no_size", "out: GSO with gso_size 0" },
	{ "drop_refused_gso_unknown", "out: the GSO type is unknown or legacy UFO" },
	{ "drop_refused_gso_version", "out: the GSO type does not match the IP version" },
	{ "drop_refused_ecn_not_tcp", "out: the GSO ECN bit without a TCP type" },
	{ "drop_refused_csum_start", "out: csum_start is not the end of the IP header" },
	{ "drop_refused_csum_offset", "out: csum_offset does not match the GSO type" },
	{ "drop_refused_protocol", "out: the IP protocol does not match the GSO type" },
	{ "drop_refused_ip_header", "out: the IPv4 header is shorter than 20 bytes" },
	{ "drop_refused_tcp_header", "out: the TCP header is shorter than 20 bytes" },
	{ "drop_refused_header_long", "out: the headers are malformed or longer than the packet" },
	{ "drop_refused_csum_outside", "out: the checksum field is outside the packet" },

	{ "batch_udp_send", "sends of 1, 2-3, 4-7, ..., 64-127, 128 or more datagrams to a UDP socket" },
	{ "batch_udp_send_sum", "datagrams in these sends" },
	{ "batch_udp_receive", "receives of 1, 2-3, 4-7, ..., 64-127, 128 or more datagrams from a UDP socket" },
	{ "batch_udp_receive_sum", "datagrams in these receives" },
	{ "batch_tun_read", "reads of 1, 2-3, 4-7, ..., 64-127, 128 or more packets from the TUN device" },
	{ "batch_tun_read_sum", "packets in these reads" },
	{ "batch_tun_write", "writes of 1, 2-3, 4-7, ..., 64-127, 128 or more packets to the TUN device" },
	{ "batch_tun_write_sum", "packets in these writes" },
	{ "start_time_sec", "start of the daemon, in seconds since 1970-01-01 00:00 UTC" },
};

const char *counter_meaning(const char *name)
{
	for (size_t i = 0; i < sizeof meanings / sizeof *meanings; i++) {
		if (!strcmp(meanings[i].name, name))
			return meanings[i].meaning;
	}
	return NULL;
}
