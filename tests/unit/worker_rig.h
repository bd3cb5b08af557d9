/*
 * Two workers, left and right, joined by UDP on the loopback. Their TUNs are ends of sequenced-packet sockets, so the
 * test plays the kernel: what it writes to `kernel` was routed into the tunnel, what it reads there came out of it.
 *
 *   left.kernel = left.worker = 127.0.0.1 = right.worker = right.kernel
 */
#ifndef ADIT_TEST_WORKER_RIG_H
#define ADIT_TEST_WORKER_RIG_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <arpa/inet.h>
#include <errno.h>
#include <ev.h>
#include <fcntl.h>
#include <sodium.h>
#include <sys/socket.h>
#include <unistd.h>

#include "bytes.h"
#include "checksum.h"
#include "clock.h"
#include "egress.h"
#include "handshake.h"
#include "ingress.h"
#include "ip.h"
#include "worker.h"

enum {
	MTU = 1420,
	ROOM = 4 << 20,
	GATE_US = 40000, /* after which a responder takes another initiation, with a newer time stamp */
};

struct end {
	struct device device;
	struct worker worker;
	struct peer *peer;
	int kernel;
	uint8_t inner[4]; /* its address inside */
};

static struct end left, right;
static struct ev_loop *loop;
static enum backend_kind backend; /* of both */
static int
	refuse_sends; /* how many calls of sendmmsg find the socket full from now on; every other one, when negative */

static int sends, runs_sent; /* calls of sendmmsg, and their messages */

int __real_sendmmsg(int fd, struct mmsghdr *messages, unsigned count, int flags);
int __wrap_sendmmsg(int fd, struct mmsghdr *messages, unsigned count, int flags);

int __wrap_sendmmsg(int fd, struct mmsghdr *messages, unsigned count, int flags)
{
	static int calls;

	sends++;
	runs_sent = (sends > 1 ? runs_sent : 0) + (int)count;
	if (refuse_sends > 0 || (refuse_sends < 0 && ++calls % 2)) {
		refuse_sends -= refuse_sends > 0;
		errno = EAGAIN;
		return -1;
	}
	if (refuse_sends < 0 && count > 1)
		count = 1 + count / 3; /* partial, too */
	return __real_sendmmsg(fd, messages, count, flags);
}

/* --- the lab -------------------------------------------------------------------------------------------------------
 */

static inline void gone(void *context)
{
	fail_msg("a TUN went away");
}

static inline void end_start(struct end *end, const char *name, uint8_t host)
{
	struct tun tun = { .virtio = true, .read_tso = true, .read_uso = true, .write_tso = true, .write_uso = true };
	uint8_t key[NOISE_KEY];
	int pair[2], room = ROOM;

	memset(end, 0, sizeof *end);
	assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK, 0, pair), 0);
	for (int i = 0; i < 2; i++)
		setsockopt(pair[i], SOL_SOCKET, SO_SNDBUFFORCE, &room, sizeof room);
	tun.fd = pair[0];
	end->kernel = pair[1];
	assert_int_equal(device_init(&end->device, name, &aead_libsodium, loop), 0);
	assert_int_equal(worker_start(&end->worker, &end->device, loop, &tun, backend, gone, NULL), 0);
	assert_int_equal(device_set_up(&end->device, true, clock_boottime()), 0);
	end->device.mtu = MTU;
	randombytes_buf(key, sizeof key);
	device_set_private_key(&end->device, key);
	memcpy(end->inner, (uint8_t[]) { 10, 0, 0, host }, 4);
}

static inline void acquaint(struct end *end, const struct end *other)
{
	end->peer = device_add_peer(&end->device, other->device.local.public_key);
	assert_non_null(end->peer);
	end->peer->endpoint.to.v4 = (struct sockaddr_in) { .sin_family = AF_INET,
													   .sin_port = htons(other->worker.udp.port),
													   .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	assert_int_equal(allowedips_insert(&end->device.allowed_ips, AF_INET, other->inner, 32, end->peer), 0);
}

static inline int set_up(void **state)
{
	refuse_sends = 0;
	loop = ev_loop_new(0);
	end_start(&left, "left", 1);
	end_start(&right, "right", 2);
	acquaint(&left, &right);
	acquaint(&right, &left);
	return 0;
}

static inline void end_stop(struct end *end)
{
	worker_stop(&end->worker);
	device_destroy(&end->device, loop);
	close(end->kernel);
}

static inline int tear_down(void **state)
{
	end_stop(&left);
	end_stop(&right);
	ev_loop_destroy(loop);
	return 0;
}

static inline void spin(int turns)
{
	while (turns--)
		ev_run(loop, EVRUN_NOWAIT);
}

static inline uint64_t count(const struct end *end, unsigned counter)
{
	return end->device.counters.value[counter];
}

static inline void connect_ends(void)
{
	handshake_initiate(left.peer, clock_boottime(), false);
	spin(20);
	assert_non_null(left.peer->sessions.current);
	assert_non_null(right.peer->sessions.current);
}

/* --- packets ---------------------------------------------------------------------------------------------------------
 */

static uint8_t packet[VIRTIO_HEADER + 65535], received[VIRTIO_HEADER + 65535];

static inline void ipv4(uint8_t *ip, const struct end *from, const struct end *to, uint8_t protocol, size_t length)
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

/* A UDP packet of `length` bytes in all, its checksum not used. Returns what to write to the kernel's side. */
static inline size_t udp_packet(const struct end *from, const struct end *to, size_t length, uint8_t fill)
{
	uint8_t *ip = packet + VIRTIO_HEADER;

	memset(packet, 0, VIRTIO_HEADER);
	ipv4(ip, from, to, IPPROTO_UDP, length);
	memset(ip + IPV4_HEADER, fill, length - IPV4_HEADER);
	put_be16(ip + 24, (uint16_t)(length - IPV4_HEADER));
	put_be16(ip + 26, 0);
	return VIRTIO_HEADER + length;
}

/* A TCP super-packet with `payload` bytes, byte i of them i * 7 + i / 256, cut at `size`. */
static inline size_t tcp_packet(const struct end *from, const struct end *to, size_t payload, uint16_t size)
{
	struct virtio_header header = { VIRTIO_NEEDS_CSUM, VIRTIO_GSO_TCPV4, 40, size, IPV4_HEADER, 16 };
	uint8_t *ip = packet + VIRTIO_HEADER, *tcp = ip + IPV4_HEADER;

	virtio_encode(packet, &header);
	ipv4(ip, from, to, IPPROTO_TCP, 40 + payload);
	memset(tcp, 0, TCP_HEADER);
	put_be16(tcp, 1000);
	put_be16(tcp + 2, 2000);
	put_be32(tcp + 4, 1);
	tcp[12] = 0x50;
	tcp[13] = 0x10;
	put_be16(tcp + 14, 512);
	put_raw16(tcp + 16, checksum_fold(checksum_pseudo(ip, IPPROTO_TCP, TCP_HEADER + payload)));
	for (size_t i = 0; i < payload; i++)
		tcp[TCP_HEADER + i] = (uint8_t)(i * 7 + i / 256);
	return VIRTIO_HEADER + 40 + payload;
}

static inline void route_in(const struct end *end, size_t n)
{
	assert_int_equal(write(end->kernel, packet, n), n);
}

/* Reads TCP payloads that come out until `payload` bytes have come, each exactly once and in order. */
static inline void expect_tcp(const struct end *end, size_t payload)
{
	size_t at = 0;

	for (int idle = 0; at < payload; idle++) {
		ssize_t n = read(end->kernel, received, sizeof received);
		const uint8_t *tcp = received + VIRTIO_HEADER + IPV4_HEADER;
		assert_true(idle < 20000);
		if (n < 0) {
			spin(1);
			continue;
		}
		idle = 0;
		assert_true(n > VIRTIO_HEADER + 40);
		assert_int_equal(get_be32(tcp + 4), 1 + at);
		for (size_t i = 0; i < (size_t)n - VIRTIO_HEADER - 40; i++, at++)
			if (tcp[TCP_HEADER + i] != (uint8_t)(at * 7 + at / 256))
				fail_msg("byte %zu is wrong", at);
	}
	spin(3);
	assert_int_equal(read(end->kernel, received, sizeof received), -1);
	assert_int_equal(at, payload);
}

#endif
