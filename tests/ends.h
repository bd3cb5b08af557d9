/* SPDX-License-Identifier: MIT */
/*
 * Ends of a tunnel in one process, connected by UDP on the loopback. Each TUN is one end of a SOCK_SEQPACKET pair, and
 * the program has the other end, `kernel`: what it writes there is routed into the tunnel, and what it reads has come
 * out of the tunnel.
 *
 *   left.kernel = left.worker = 127.0.0.1 = right.worker = right.kernel
 */
#ifndef ADIT_TEST_ENDS_H
#define ADIT_TEST_ENDS_H

#include <arpa/inet.h>
#include <ev.h>
#include <sodium.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/bytes.h"
#include "base/clock.h"
#include "packet/checksum.h"
#include "packet/ip.h"
#include "tunnel/control.h"
#include "tunnel/handshake.h"
#include "tunnel/worker_pool.h"

enum { MTU = 1420, ROOM = 4 << 20 };

struct end {
	struct device device;
	struct worker_pool pool;
	struct worker *worker; /* the only worker of the pool */
	struct peer *peer;
	int kernel;
	uint8_t inner[4]; /* its inner address */
};

/* Sets up a zeroed end with inner address 10.0.0.`host` and a key, its link up. Returns false on failure. */
static inline bool end_open(struct end *end, struct ev_loop *loop, const char *name, uint8_t host,
							const struct aead_provider *aead, enum backend_kind backend, void (*gone)(void *context))
{
	struct tun tun = { .virtio = true, .read_tso = true, .read_uso = true, .write_tso = true, .write_uso = true };
	uint8_t key[NOISE_KEY];
	int pair[2], room = ROOM;

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK, 0, pair))
		return false;
	for (int i = 0; i < 2; i++)
		if (setsockopt(pair[i], SOL_SOCKET, SO_SNDBUFFORCE, &room, sizeof room)) /* only root may */
			setsockopt(pair[i], SOL_SOCKET, SO_SNDBUF, &room, sizeof room);
	tun.fd = pair[0];
	end->kernel = pair[1];
	memcpy(end->inner, (uint8_t[]) { 10, 0, 0, host }, 4);
	if (control_init(&end->device, name, aead, loop) ||
		worker_pool_start(&end->pool, &end->device, loop, backend, &tun, 1, gone, NULL) ||
		control_set_up(&end->device, true, clock_boottime()))
		return false;
	end->worker = end->pool.workers;
	end->device.mtu = MTU;
	randombytes_buf(key, sizeof key);
	control_set_private_key(&end->device, key);
	return true;
}

/* Makes `other` a peer of `end`, with its inner address and its endpoint. */
static inline bool end_add_peer(struct end *end, const struct end *other)
{
	end->peer = peer_add(&end->device, other->device.identity.public_key);
	if (!end->peer)
		return false;
	end->peer->endpoint.to.v4 = (struct sockaddr_in) { .sin_family = AF_INET,
													   .sin_port = htons(other->worker->udp.port),
													   .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	return !allowedips_insert(&end->device.allowed_ips, AF_INET, other->inner, 32, &end->peer->allowed_ips);
}

static inline void end_close(struct end *end, struct ev_loop *loop)
{
	worker_pool_stop(&end->pool);
	control_destroy(&end->device, loop);
	close(end->kernel);
}

/* --- packets as read from a TUN, with their virtio header ----- */

static inline void put_ipv4(uint8_t *ip, const struct end *from, const struct end *to, uint8_t protocol, size_t length)
{
	memset(ip, 0, IPV4_HEADER);
	ip[0] = 0x45;
	put_be16(ip + 2, (uint16_t)length);
	ip[6] = 0x40; /* DF */
	ip[8] = 64;
	ip[9] = protocol;
	memcpy(ip + 12, from->inner, 4);
	memcpy(ip + 16, to->inner, 4);
	put_raw16(ip + 10, (uint16_t)~checksum_fold(checksum_add(0, ip, IPV4_HEADER)));
}

/*
 * Makes a TCP super-packet with segments of `size` bytes; byte i of the payload is i * 7 + i / 256. Returns its length
 * with the virtio header.
 */
static inline size_t put_tcp(uint8_t *packet, const struct end *from, const struct end *to, size_t payload,
							 uint16_t size)
{
	struct virtio_header header = { VIRTIO_NEEDS_CSUM, VIRTIO_GSO_TCPV4, 40, size, IPV4_HEADER, TCP_CHECKSUM };
	uint8_t *ip = packet + VIRTIO_HEADER, *tcp = ip + IPV4_HEADER;

	virtio_encode(packet, &header);
	put_ipv4(ip, from, to, IPPROTO_TCP, IPV4_HEADER + TCP_HEADER + payload);
	memset(tcp, 0, TCP_HEADER);
	put_be16(tcp, 1000);
	put_be16(tcp + 2, 2000);
	put_be32(tcp + 4, 1);
	tcp[TCP_DATA_OFFSET] = 0x50;
	tcp[TCP_FLAGS] = TCP_ACK;
	put_be16(tcp + 14, 512);
	put_raw16(tcp + TCP_CHECKSUM, checksum_fold(checksum_pseudo(ip, IPPROTO_TCP, TCP_HEADER + payload)));
	for (size_t i = 0; i < payload; i++)
		tcp[TCP_HEADER + i] = (uint8_t)(i * 7 + i / 256);
	return VIRTIO_HEADER + IPV4_HEADER + TCP_HEADER + payload;
}

#endif
