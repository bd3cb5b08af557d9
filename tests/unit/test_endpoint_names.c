/* SPDX-License-Identifier: MIT */
/* Unit tests of endpoint names, with a getaddrinfo(3) that returns what the test chooses. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <arpa/inet.h>
#include <ev.h>
#include <netdb.h>
#include <sodium.h>
#include <stdatomic.h>
#include <unistd.h>

#include "daemon/endpoint_names.h"
#include "tunnel/control.h"
#include "tunnel/peer.h"

enum { TURNS = 200 }; /* of one millisecond: enough for an answer to arrive */

/* The IPv4 address for the next lookups; 0: they fail. */
static _Atomic uint32_t answer;
static _Atomic int lookups;

int __wrap_getaddrinfo(const char *host, const char *port, const struct addrinfo *hints, struct addrinfo **found);
void __wrap_freeaddrinfo(struct addrinfo *found);

int __wrap_getaddrinfo(const char *host, const char *port, const struct addrinfo *hints, struct addrinfo **found)
{
	struct answer_info {
		struct addrinfo info;
		struct sockaddr_in to;
	} * place;

	if (hints->ai_flags & AI_NUMERICHOST)
		return EAI_NONAME;
	assert_string_equal(host, "right.example");
	lookups++;
	if (!answer)
		return EAI_AGAIN;
	place = calloc(1, sizeof *place);
	place->to = (struct sockaddr_in) { .sin_family = AF_INET,
									   .sin_port = htons((in_port_t)atoi(port)),
									   .sin_addr.s_addr = htonl(answer) };
	place->info = (struct addrinfo) { .ai_family = AF_INET,
									  .ai_addr = (struct sockaddr *)&place->to,
									  .ai_addrlen = sizeof place->to };
	*found = &place->info;
	return 0;
}

void __wrap_freeaddrinfo(struct addrinfo *found)
{
	free(found);
}

static struct device device;
static struct config config;
static struct endpoint_names names;
static struct ev_loop *loop;
static struct peer *peer;

static int no_send(void *context, struct peer *to_peer, const struct endpoint *to, const void *message, size_t n,
				   uint8_t traffic_class)
{
	return 0;
}

static void no_peer(void *context, struct peer *gone)
{
}

static const struct device_ops ops = { .send = no_send, .peer_gone = no_peer };

static int set_up(void **state)
{
	struct config_peer *configured = calloc(1, sizeof *configured);

	lookups = 0;
	loop = ev_loop_new(0);
	assert_int_equal(control_init(&device, "names0", &aead_libsodium, loop), 0);
	device.ops = &ops;
	memset(&config, 0, sizeof config);
	memset(configured->public_key, 7, sizeof configured->public_key);
	configured->has_endpoint = true;
	strcpy(configured->endpoint_host, "right.example");
	strcpy(configured->endpoint_port, "51820");
	config.peers = configured;
	peer = peer_add(&device, configured->public_key);
	assert_non_null(peer);
	return 0;
}

static int tear_down(void **state)
{
	endpoint_names_stop(&names);
	config_destroy(&config);
	control_destroy(&device, loop);
	ev_loop_destroy(loop);
	return 0;
}

static void start(void)
{
	assert_int_equal(endpoint_names_start(&names, &config, &device, loop), 0);
}

/* Runs the loop until the endpoint of the peer is 192.0.2.LAST. */
static void await(uint8_t last)
{
	while (ntohl(peer->endpoint.to.v4.sin_addr.s_addr) != 0xc0000200u + last)
		ev_run(loop, EVRUN_ONCE);
	assert_int_equal(ntohs(peer->endpoint.to.v4.sin_port), 51820);
}

static void a_name_becomes_the_endpoint(void **state)
{
	answer = 0xc0000201;
	start();
	assert_false(endpoint_known(&peer->endpoint)); /* start did not wait for the answer */
	await(1);
	assert_int_equal(lookups, 1);
}

static void a_name_that_does_not_resolve_is_retried(void **state)
{
	answer = 0;
	start();
	while (!ev_is_active(&names.retry))
		ev_run(loop, EVRUN_ONCE);
	assert_false(endpoint_known(&peer->endpoint));
	answer = 0xc0000202;
	await(2);
	assert_true(lookups >= 2);
}

static void the_name_of_a_silent_peer_is_resolved_again(void **state)
{
	answer = 0xc0000203;
	start();
	await(3);
	answer = 0xc0000204;
	device.unanswered(device.unanswered_context, peer);
	device.unanswered(device.unanswered_context, peer); /* the first lookup is still pending */
	await(4);
	assert_int_equal(lookups, 2);
}

static void the_first_answer_does_not_replace_a_known_endpoint(void **state)
{
	struct endpoint received = { 0 };
	int turns = 0;

	received.to.v4 = (struct sockaddr_in) { .sin_family = AF_INET, .sin_port = htons(9), .sin_addr.s_addr = htonl(1) };
	answer = 0xc0000205;
	start();
	peer_set_endpoint(peer, &received);
	while (!lookups || ev_pending_count(loop) || turns++ < TURNS) {
		ev_run(loop, EVRUN_NOWAIT);
		usleep(1000);
	}
	assert_true(endpoint_equal(&peer->endpoint, &received));
}

static void a_changed_name_replaces_the_endpoint(void **state)
{
	answer = 0xc0000206;
	start();
	await(6);
	assert_int_equal(endpoint_names_reload(&names, &config), 0); /* unchanged: no lookup */
	assert_int_equal(lookups, 1);
	answer = 0xc0000207;
	strcpy(config.peers->endpoint_port, "51821");
	assert_int_equal(endpoint_names_reload(&names, &config), 0);
	while (ntohs(peer->endpoint.to.v4.sin_port) != 51821)
		ev_run(loop, EVRUN_ONCE);
	assert_int_equal(ntohl(peer->endpoint.to.v4.sin_addr.s_addr), 0xc0000207);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_name_becomes_the_endpoint),
		TEST(a_name_that_does_not_resolve_is_retried),
		TEST(the_name_of_a_silent_peer_is_resolved_again),
		TEST(the_first_answer_does_not_replace_a_known_endpoint),
		TEST(a_changed_name_replaces_the_endpoint),
	};
	if (sodium_init() < 0)
		return 1;
	return cmocka_run_group_tests_name("endpoint_names", tests, NULL, NULL);
}
