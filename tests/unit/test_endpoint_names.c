/* SPDX-License-Identifier: MIT */
/* Endpoints that are names, with a resolver that answers what the test says. */
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

enum { TURNS = 200 }; /* of a millisecond: the answer has come by then */

/* What the next questions are answered; 0: the name is not known. */
static _Atomic uint32_t answer;
static _Atomic int questions;

int __wrap_getaddrinfo(const char *host, const char *port, const struct addrinfo *hints, struct addrinfo **found);
void __wrap_freeaddrinfo(struct addrinfo *found);

int __wrap_getaddrinfo(const char *host, const char *port, const struct addrinfo *hints, struct addrinfo **found)
{
	struct place {
		struct addrinfo info;
		struct sockaddr_in to;
	} * place;

	if (hints->ai_flags & AI_NUMERICHOST)
		return EAI_NONAME;
	assert_string_equal(host, "right.example");
	questions++;
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
	struct config_peer *said = calloc(1, sizeof *said);

	questions = 0;
	loop = ev_loop_new(0);
	assert_int_equal(device_init(&device, "names0", &aead_libsodium, loop), 0);
	device.ops = &ops;
	memset(&config, 0, sizeof config);
	memset(said->public_key, 7, sizeof said->public_key);
	said->has_endpoint = true;
	strcpy(said->endpoint_host, "right.example");
	strcpy(said->endpoint_port, "51820");
	config.peers = said;
	peer = device_add_peer(&device, said->public_key);
	assert_non_null(peer);
	return 0;
}

static int tear_down(void **state)
{
	endpoint_names_stop(&names);
	config_destroy(&config);
	device_destroy(&device, loop);
	ev_loop_destroy(loop);
	return 0;
}

static void start(void)
{
	assert_int_equal(endpoint_names_start(&names, &config, &device, loop), 0);
}

/* Turns the loop until the peer is at 192.0.2.LAST. */
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
	assert_false(endpoint_known(&peer->endpoint)); /* nobody waited for it */
	await(1);
	assert_int_equal(questions, 1);
}

static void a_name_that_does_not_resolve_is_asked_for_again(void **state)
{
	answer = 0;
	start();
	while (!ev_is_active(&names.again))
		ev_run(loop, EVRUN_ONCE);
	assert_false(endpoint_known(&peer->endpoint));
	answer = 0xc0000202;
	await(2);
	assert_true(questions >= 2);
}

static void a_silent_peer_is_looked_for_anew(void **state)
{
	answer = 0xc0000203;
	start();
	await(3);
	answer = 0xc0000204;
	device.unanswered(device.unanswered_context, peer);
	device.unanswered(device.unanswered_context, peer); /* one question is enough */
	await(4);
	assert_int_equal(questions, 2);
}

static void where_a_peer_spoke_from_is_newer_than_the_first_answer(void **state)
{
	struct endpoint spoke = { 0 };
	int turns = 0;

	spoke.to.v4 = (struct sockaddr_in) { .sin_family = AF_INET, .sin_port = htons(9), .sin_addr.s_addr = htonl(1) };
	answer = 0xc0000205;
	start();
	peer_set_endpoint(peer, &spoke);
	while (!questions || ev_pending_count(loop) || turns++ < TURNS) {
		ev_run(loop, EVRUN_NOWAIT);
		usleep(1000);
	}
	assert_true(endpoint_equal(&peer->endpoint, &spoke));
}

static void another_name_in_the_file_moves_the_peer(void **state)
{
	answer = 0xc0000206;
	start();
	await(6);
	assert_int_equal(endpoint_names_reload(&names, &config), 0); /* the same: nothing is asked */
	assert_int_equal(questions, 1);
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
		TEST(a_name_that_does_not_resolve_is_asked_for_again),
		TEST(a_silent_peer_is_looked_for_anew),
		TEST(where_a_peer_spoke_from_is_newer_than_the_first_answer),
		TEST(another_name_in_the_file_moves_the_peer),
	};
	if (sodium_init() < 0)
		return 1;
	return cmocka_run_group_tests_name("endpoint_names", tests, NULL, NULL);
}
