/* SPDX-License-Identifier: MIT */
/*
 * Measures the heap memory per peer: as configured, with one session, and with two as after a rekey. Clients in this
 * process make real handshakes with one device.
 *
 *   bench_footprint PEERS PREFIXES chacha20poly1305 | aes256gcm [CONFIGURED SESSION]
 *
 * Prints the total bytes per peer as JSON: {"configured": ..., "one session": ..., "two sessions": ...}. Fails when a
 * peer takes more than CONFIGURED bytes, or more than SESSION bytes with one session.
 */
#include <arpa/inet.h>
#include <malloc.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "base/clock.h"
#include "tunnel/control.h"
#include "tunnel/handshake.h"

#define BETWEEN (50 * NS_PER_MS) /* between handshakes; with less the device would be under load */

/* A client of the hub. */
struct client {
	struct noise_identity identity;
	struct noise_remote hub;
	struct cookie_jar jar;
};

static uint64_t now = 1000 * NS_PER_S;

static _Noreturn void die(const char *what)
{
	fprintf(stderr, "%s\n", what);
	exit(EXIT_FAILURE);
}

static uint64_t realtime(void)
{
	return 1700000000 * NS_PER_S + now;
}

static int swallow(void *context, struct peer *peer, const struct endpoint *to, const void *message, size_t n,
				   uint8_t traffic_class)
{
	return 0;
}

static void let_go(void *context, struct peer *peer)
{
}

static const struct device_ops ops = { .send = swallow, .peer_gone = let_go };

static void hub_init(struct device *hub, const struct aead_provider *aead)
{
	uint8_t key[NOISE_KEY];

	if (control_init(hub, "hub", aead, NULL))
		die("no device");
	hub->realtime = realtime;
	hub->ops = &ops;
	hub->up = true;
	randombytes_buf(key, sizeof key);
	control_set_private_key(hub, key);
}

static void client_init(struct client *client, const struct device *hub, enum suite suite)
{
	uint8_t key[NOISE_KEY];

	randombytes_buf(key, sizeof key);
	noise_identity_set(&client->identity, key);
	noise_remote_init(&client->hub, hub->identity.public_key);
	noise_remote_set_suite(&client->hub, suite);
}

static void configure(struct device *hub, const struct client *client, uint32_t number, uint32_t prefixes)
{
	struct peer *peer = peer_add(hub, client->identity.public_key);

	if (!peer)
		die("no peer");
	noise_remote_set_suite(&peer->remote, client->hub.suite);
	for (uint32_t i = 0; i < prefixes; i++) {
		uint8_t address[16] = { 0xfd };
		int family = i % 2 ? AF_INET6 : AF_INET;

		put_be32(address + (i % 2 ? 2 : 0), (10u << 24) + ((number * prefixes + i) << 8));
		if (allowedips_insert(&hub->allowed_ips, family, address, i % 2 ? 64 : 24, &peer->allowed_ips))
			die("no prefix");
	}
}

/* The client initiates. The hub makes a session when it responds, and uses the session once it is confirmed. */
static void shake_hands(struct device *hub, struct client *client, uint32_t number)
{
	struct endpoint from = { 0 };
	struct message_initiation message;
	uint8_t stamp[NOISE_TIMESTAMP];
	struct peer *peer = peer_lookup(hub, client->identity.public_key);

	now += BETWEEN;
	from.to.v4 = (struct sockaddr_in) { .sin_family = AF_INET,
										.sin_port = htons(51820),
										.sin_addr.s_addr = htonl(0x0b000000 + number) };
	noise_timestamp(stamp, realtime());
	if (noise_create_initiation(&client->identity, &client->hub, number, stamp, &message))
		die("no initiation");
	cookie_stamp(&client->jar, hub->identity.public_key, (uint8_t *)&message, sizeof message, now);
	handshake_receive(hub, (const uint8_t *)&message, sizeof message, &from, ADMISSION_FREE, now);
	if (!peer->sessions.next)
		die("no session");
	peer->sessions.next->confirmed = true;
	device_lock(hub);
	peer_confirm_next(peer, now);
	device_unlock(hub);
}

static size_t heap(void)
{
	return mallinfo2().uordblks + mallinfo2().hblkhd;
}

static double each(size_t before, uint32_t peers)
{
	return (double)(heap() - before) / peers;
}

/* Measures the bytes per peer without a session, with one and with two. */
static void measure(double bytes[3], struct device *hub, struct client *clients, uint32_t peers, uint32_t prefixes)
{
	size_t before = heap();

	for (uint32_t i = 0; i < peers; i++)
		configure(hub, &clients[i], i, prefixes);
	bytes[0] = each(before, peers);
	for (int sessions = 1; sessions <= 2; sessions++) {
		for (uint32_t i = 0; i < peers; i++)
			shake_hands(hub, &clients[i], i);
		bytes[sessions] = each(before, peers);
	}
}

int main(int argc, char **argv)
{
	uint32_t peers = argc == 4 || argc == 6 ? (uint32_t)atoi(argv[1]) : 0;
	double bytes[3];
	struct aead_provider aead;
	struct client *clients;
	struct device hub;
	enum suite suite;

	if (!peers || sodium_init() < 0 || !suite_find(&suite, argv[3])) {
		fputs("usage: bench_footprint PEERS PREFIXES CIPHER [CONFIGURED SESSION]\n", stderr);
		return EXIT_FAILURE;
	}
	clients = calloc(peers, sizeof *clients);
	if (!clients || aead_init(&aead, "auto"))
		die("no memory");
	hub_init(&hub, &aead);
	for (uint32_t i = 0; i < peers; i++)
		client_init(&clients[i], &hub, suite);
	measure(bytes, &hub, clients, peers, (uint32_t)atoi(argv[2]));
	printf("{\"configured\": %.0f, \"one session\": %.0f, \"two sessions\": %.0f}\n", bytes[0], bytes[1], bytes[2]);
	control_destroy(&hub, NULL);
	aead_destroy(&aead);
	free(clients);
	return argc == 6 && (bytes[0] > atof(argv[4]) || bytes[1] > atof(argv[5])) ? EXIT_FAILURE : EXIT_SUCCESS;
}
