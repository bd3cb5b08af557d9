/* SPDX-License-Identifier: MIT */
/*
 * A load for callgrind: sends packets through egress and ingress of two devices in one process (../ends.h), with a
 * cipher that does nothing.
 *
 *   bench_datapath tcp | udp ROUNDS
 *
 * tcp: super-packets of 47 segments of 1380 bytes. udp: single packets with 64 bytes of payload, 64 per drain. Prints
 * how many datagrams were opened.
 */
#include <stdio.h>
#include <stdlib.h>

#include "../ends.h"
#include "tunnel/loop.h"

enum { SEGMENT = 1380, SEGMENTS = 47, SMALL = 64, LONE = 64, TURNS_MAX = 100000 };

static _Noreturn void die(const char *what)
{
	perror(what);
	exit(EXIT_FAILURE);
}

/* --- a cipher that does nothing; callgrind does not count these functions ----- */

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

/* --- two ends ----- */

static void gone(void *context)
{
	die("a TUN went away");
}

static uint64_t opened(const struct end *end)
{
	return end->worker->counters.value[COUNT_OPENED];
}

/* Runs the loop until `end` has opened `datagrams` datagrams in all. */
static void spin(struct ev_loop *loop, const struct end *end, uint64_t datagrams)
{
	for (int turns = 0; opened(end) < datagrams; turns++) {
		if (turns == TURNS_MAX)
			die("datagrams are missing");
		ev_run(loop, EVRUN_NOWAIT);
	}
}

static uint8_t packet[VIRTIO_HEADER + 65535], received[VIRTIO_HEADER + 65535];

static size_t tcp_packet(const struct end *from, const struct end *to)
{
	return put_tcp(packet, from, to, SEGMENTS * SEGMENT, SEGMENT);
}

/* The checksum field holds the sum of the pseudo header. */
static size_t udp_packet(const struct end *from, const struct end *to)
{
	const struct virtio_header header = { VIRTIO_NEEDS_CSUM, VIRTIO_GSO_NONE, 0, 0, IPV4_HEADER, 6 };
	size_t length = UDP_HEADER + SMALL;
	uint8_t *ip = packet + VIRTIO_HEADER, *udp = ip + IPV4_HEADER;

	virtio_encode(packet, &header);
	put_ipv4(ip, from, to, IPPROTO_UDP, IPV4_HEADER + length);
	put_be16(udp, 1000);
	put_be16(udp + 2, 2000);
	put_be16(udp + 4, (uint16_t)length);
	put_raw16(udp + 6, checksum_fold(checksum_pseudo(ip, IPPROTO_UDP, length)));
	return VIRTIO_HEADER + IPV4_HEADER + length;
}

/* Sends `copies` of the packet, which are `datagrams` datagrams, from left to right and reads what comes out. */
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
	struct ev_loop *loop = ev_loop_new(LOOP_FLAGS);
	int rounds = argc == 3 ? atoi(argv[2]) : 0;
	bool tcp = argc == 3 && !strcmp(argv[1], "tcp");

	if (rounds < 1 || sodium_init() < 0) {
		fputs("usage: bench_datapath tcp | udp ROUNDS\n", stderr);
		return EXIT_FAILURE;
	}
	if (!end_open(&left, loop, "left", 1, &provider, BACKEND_SYSCALLS, gone) ||
		!end_open(&right, loop, "right", 2, &provider, BACKEND_SYSCALLS, gone) || !end_add_peer(&left, &right) ||
		!end_add_peer(&right, &left))
		die("starting two devices");
	handshake_initiate(left.peer, clock_boottime(), false);
	spin(loop, &right, 1); /* the packet that confirms the key */
	for (int i = 0; i < rounds; i++) {
		if (tcp)
			pass(loop, &left, &right, tcp_packet(&left, &right), 1, SEGMENTS);
		else
			pass(loop, &left, &right, udp_packet(&left, &right), LONE, LONE);
	}
	printf("%llu\n", (unsigned long long)opened(&right) - 1);
	end_close(&left, loop);
	end_close(&right, loop);
	ev_loop_destroy(loop);
	return EXIT_SUCCESS;
}
