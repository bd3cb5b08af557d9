/*
 * A load for callgrind: packets through the real egress and ingress of two devices, with a cipher that does nothing.
 * Their TUNs are ends of sequenced-packet sockets, and UDP goes over the loopback, so nothing but a process is needed.
 *
 *   left.kernel = left.worker = 127.0.0.1 = right.worker = right.kernel
 *
 *   bench_datapath tcp | udp ROUNDS
 *
 * tcp: super-packets of 47 segments of 1380 bytes; udp: packets of 64 bytes of payload, which come alone, 64 in a
 * drain. Prints how many datagrams went through.
 */
#include <arpa/inet.h>
#include <ev.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "bytes.h"
#include "checksum.h"
#include "clock.h"
#include "handshake.h"
#include "ip.h"
#include "worker.h"

enum { MTU = 1420, ROOM = 4 << 20, SEGMENT = 1380, SEGMENTS = 47, SMALL = 64, LONE = 64, PATIENCE = 100000 };

struct end {
	struct device device;
	struct worker worker;
	struct peer *peer;
	int kernel;
	uint8_t inner[4];
};

static _Noreturn void die(const char *what)
{
	perror(what);
	exit(EXIT_FAILURE);
}

/* --- a cipher that does nothing: callgrind leaves out what these functions do ----------------------------------- */

void nothing_seal(const struct aead_provider *aead, const void *key, uint64_t counter, uint8_t *data, size_t length);
int nothing_open(const struct aead_provider *aead, const void *key, uint64_t counter, uint8_t *out, const uint8_t *in,
				 size_t length);

static void nothing_key_set(const struct aead_provider *aead, void *key, const uint8_t secret[AEAD_KEY])
{
}

void nothing_seal(const struct aead_provider *aead, const void *key, uint64_t counter, uint8_t *data, size_t length)
{
	memset(data + length, 0, AEAD_TAG);
}

int nothing_open(const struct aead_provider *aead, const void *key, uint64_t counter, uint8_t *out, const uint8_t *in,
				 size_t length)
{
	if (out != in)
		memcpy(out, in, length);
	return 0;
}

static const struct aead_cipher nothing = {
	"nothing", SUITE_CHACHA20POLY1305, AEAD_KEY, nothing_key_set, nothing_seal, nothing_open, true,
};
static const struct aead_provider provider = { .name = "nothing", .cipher = { [SUITE_CHACHA20POLY1305] = &nothing } };

/* --- two ends --- */

static void gone(void *context)
{
	die("a TUN went away");
}

static void end_start(struct end *end, struct ev_loop *loop, const char *name, uint8_t host)
{
	struct tun tun = { .virtio = true, .read_tso = true, .read_uso = true, .write_tso = true, .write_uso = true };
	uint8_t key[NOISE_KEY];
	int pair[2], room = ROOM;

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK, 0, pair))
		die("socketpair");
	for (int i = 0; i < 2; i++)
		setsockopt(pair[i], SOL_SOCKET, SO_SNDBUFFORCE, &room, sizeof room);
	tun.fd = pair[0];
	end->kernel = pair[1];
	if (device_init(&end->device, name, &provider, loop) ||
		worker_start(&end->worker, &end->device, loop, &tun, BACKEND_SYSCALLS, gone, NULL) ||
		device_set_up(&end->device, true, clock_boottime()))
		die("starting a device");
	end->device.mtu = MTU;
	randombytes_buf(key, sizeof key);
	device_set_private_key(&end->device, key);
	memcpy(end->inner, (uint8_t[]) { 10, 0, 0, host }, 4);
}

static void acquaint(struct end *end, const struct end *other)
{
	end->peer = device_add_peer(&end->device, other->device.local.public_key);
	if (!end->peer || allowedips_insert(&end->device.allowed_ips, AF_INET, other->inner, 32, end->peer))
		die("adding a peer");
	end->peer->endpoint.to.v4 = (struct sockaddr_in) { .sin_family = AF_INET,
													   .sin_port = htons(other->worker.udp.port),
													   .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
}

static uint64_t opened(const struct end *end)
{
	return end->device.counters.value[COUNT_OPENED];
}

/* Turns the loop until `end` has opened `datagrams` in all. */
static void spin(struct ev_loop *loop, const struct end *end, uint64_t datagrams)
{
	for (int turns = 0; opened(end) < datagrams; turns++) {
		if (turns == PATIENCE)
			die("datagrams are missing");
		ev_run(loop, EVRUN_NOWAIT);
	}
}

static void end_stop(struct end *end, struct ev_loop *loop)
{
	worker_stop(&end->worker);
	device_destroy(&end->device, loop);
	close(end->kernel);
}

/* --- packets, as the kernel hands them over: the checksum begun --- */

static uint8_t packet[VIRTIO_HEADER + 65535], received[VIRTIO_HEADER + 65535];

static void ipv4(const struct end *from, const struct end *to, uint8_t protocol, size_t length)
{
	uint8_t *ip = packet + VIRTIO_HEADER;

	ip[0] = 0x45;
	put_be16(ip + 2, (uint16_t)length);
	ip[6] = 0x40; /* DF */
	ip[8] = 64;
	ip[9] = protocol;
	memcpy(ip + 12, from->inner, 4);
	memcpy(ip + 16, to->inner, 4);
	put_raw16(ip + 10, (uint16_t)~checksum_fold(checksum_add(0, ip, IPV4_HEADER)));
}

static size_t tcp_packet(const struct end *from, const struct end *to)
{
	const struct virtio_header header = { VIRTIO_NEEDS_CSUM, VIRTIO_GSO_TCPV4, 40, SEGMENT, IPV4_HEADER, 16 };
	size_t payload = SEGMENTS * SEGMENT;
	uint8_t *ip = packet + VIRTIO_HEADER, *tcp = ip + IPV4_HEADER;

	virtio_encode(packet, &header);
	ipv4(from, to, IPPROTO_TCP, IPV4_HEADER + TCP_HEADER + payload);
	put_be16(tcp, 1000);
	put_be16(tcp + 2, 2000);
	tcp[12] = 0x50;
	tcp[13] = 0x10;
	put_raw16(tcp + 16, checksum_fold(checksum_pseudo(ip, IPPROTO_TCP, TCP_HEADER + payload)));
	return VIRTIO_HEADER + IPV4_HEADER + TCP_HEADER + payload;
}

static size_t udp_packet(const struct end *from, const struct end *to)
{
	const struct virtio_header header = { VIRTIO_NEEDS_CSUM, VIRTIO_GSO_NONE, 0, 0, IPV4_HEADER, 6 };
	size_t length = UDP_HEADER + SMALL;
	uint8_t *ip = packet + VIRTIO_HEADER, *udp = ip + IPV4_HEADER;

	virtio_encode(packet, &header);
	ipv4(from, to, IPPROTO_UDP, IPV4_HEADER + length);
	put_be16(udp, 1000);
	put_be16(udp + 2, 2000);
	put_be16(udp + 4, (uint16_t)length);
	put_raw16(udp + 6, checksum_fold(checksum_pseudo(ip, IPPROTO_UDP, length)));
	return VIRTIO_HEADER + IPV4_HEADER + length;
}

/* Sends `copies` of the packet from left to right, `datagrams` in all, and takes what comes out. */
static void pass(struct ev_loop *loop, struct end *left, struct end *right, size_t n, int copies, uint64_t datagrams)
{
	uint64_t before = opened(right);

	for (int i = 0; i < copies; i++)
		if (write(left->kernel, packet, n) != (ssize_t)n)
			die("writing a packet");
	spin(loop, right, before + datagrams);
	while (read(right->kernel, received, sizeof received) > 0)
		;
}

int main(int argc, char **argv)
{
	static struct end left, right;
	struct ev_loop *loop = ev_loop_new(0);
	int rounds = argc == 3 ? atoi(argv[2]) : 0;
	bool tcp = argc == 3 && !strcmp(argv[1], "tcp");

	if (rounds < 1 || sodium_init() < 0) {
		fputs("usage: bench_datapath tcp | udp ROUNDS\n", stderr);
		return EXIT_FAILURE;
	}
	end_start(&left, loop, "left", 1);
	end_start(&right, loop, "right", 2);
	acquaint(&left, &right);
	acquaint(&right, &left);
	handshake_initiate(left.peer, clock_boottime(), false);
	spin(loop, &right, 1); /* the packet that confirms the key */
	for (int i = 0; i < rounds; i++) {
		if (tcp)
			pass(loop, &left, &right, tcp_packet(&left, &right), 1, SEGMENTS);
		else
			pass(loop, &left, &right, udp_packet(&left, &right), LONE, LONE);
	}
	printf("%llu\n", (unsigned long long)opened(&right) - 1);
	end_stop(&left, loop);
	end_stop(&right, loop);
	ev_loop_destroy(loop);
	return EXIT_SUCCESS;
}
