/* SPDX-License-Identifier: MIT */
/*
 * The resolver against a DNS server of the test's own, in a network namespace: on port 53 of 127.0.0.1, in the same
 * loop. The name decides what the server does.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <arpa/inet.h>
#include <dirent.h>
#include <errno.h>
#include <ev.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/log.h"
#include "daemon/resolver.h"
#include "sandbox.h"

enum { HEADER = 12, MESSAGE_MAX = 512 };

static struct ev_loop *loop;
static struct ev_io server;
static struct resolver *resolver;
static uint32_t mark;
static const struct config_line *tunnel_servers;
static char conf[] = "/tmp/adit-resolv-XXXXXX";
static char upstream[sizeof conf + 16];
static unsigned queries;
static struct sockaddr_in6 from; /* of the last query */

static struct resolver_answer last;
static void *last_owner;
static unsigned answers;
static bool sending; /* inside resolver_lookup */

/* --- the server ----- */

static size_t append_address(uint8_t *end, bool v6, unsigned number)
{
	const uint8_t head[] = { 0xc0, HEADER, 0, v6 ? 28 : 1, 0, 1, 0, 0, 0, 60, 0, v6 ? 16 : 4 };
	uint8_t address[16] = { 192, 0, 2, (uint8_t)number };

	if (v6)
		inet_pton(AF_INET6, "2001:db8::", address);
	if (v6)
		address[15] = (uint8_t)number;
	memcpy(end, head, sizeof head);
	memcpy(end + sizeof head, address, v6 ? 16 : 4);
	return sizeof head + (v6 ? 16 : 4);
}

/* The first label: "silent", "missing", "refused", "failing", "empty", "many", or any other word for one address. */
static void on_query(struct ev_loop *own_loop, struct ev_io *watcher, int events)
{
	uint8_t message[MESSAGE_MAX + 1024];
	socklen_t from_length = sizeof from;
	ssize_t n = recvfrom(watcher->fd, message, MESSAGE_MAX, 0, (struct sockaddr *)&from, &from_length);
	const char *label = (const char *)message + HEADER + 1;
	unsigned code = 0, count = 1;
	uint8_t *end = message + HEADER;
	bool v6;

	assert_true(n > HEADER + 5);
	queries++;
	while (*end)
		end += *end + 1;
	v6 = end[2] == 28;
	end += 5;
	if (!strncmp(label, "silent", 6))
		return;
	if (!strncmp(label, "missing", 7))
		code = 3;
	if (!strncmp(label, "refused", 7))
		code = 5;
	if (!strncmp(label, "failing", 7))
		code = 2;
	if (code || !strncmp(label, "empty", 5))
		count = 0;
	if (!strncmp(label, "many", 4))
		count = 20;
	message[2] = 0x81;
	message[3] = (uint8_t)(0x80 | code);
	memset(message + 6, 0, 6);
	message[7] = (uint8_t)count;
	for (unsigned i = 1; i <= count; i++)
		end += append_address(end, v6, i);
	sendto(watcher->fd, message, (size_t)(end - message), 0, (struct sockaddr *)&from, from_length);
}

/* --- steps ----- */

static void on_answer(void *context, void *owner, const struct resolver_answer *answer)
{
	assert_false(sending);
	assert_ptr_equal(context, &resolver);
	last = *answer;
	last_owner = owner;
	answers++;
}

static struct resolver_query *start_lookup(const char *host, int family, void *owner)
{
	struct resolver_query *query;

	sending = true;
	query = resolver_lookup(resolver, host, family, owner);
	sending = false;
	assert_non_null(query);
	return query;
}

static void await_answers(unsigned count)
{
	while (answers < count)
		ev_run(loop, EVRUN_ONCE);
	assert_int_equal(answers, count);
}

static void write_file(const char *path, const char *text)
{
	FILE *file = fopen(path, "w");

	assert_non_null(file);
	fputs(text, file);
	fclose(file);
}

static unsigned count_descriptors(void)
{
	DIR *folder = opendir("/proc/self/fd");
	unsigned count = 0;

	assert_non_null(folder);
	while (readdir(folder))
		count++;
	closedir(folder);
	return count;
}

static int set_up(void **state)
{
	const struct resolver_options options = {
		.path = conf,
		.upstream = upstream,
		.log_name = "resolver0",
		.mark = &mark,
		.tunnel_servers = &tunnel_servers,
		.answered = on_answer,
		.context = &resolver,
	};

	answers = queries = 0;
	mark = 0;
	tunnel_servers = NULL;
	write_file(conf, "nameserver 127.0.0.1\n");
	resolver = resolver_create(loop, &options);
	return resolver ? 0 : -1;
}

static int tear_down(void **state)
{
	resolver_destroy(resolver);
	for (int i = 0; i < 200; i++)
		ev_run(loop, EVRUN_NOWAIT); /* the server reads queries that were dropped */
	return 0;
}

static int set_up_all(void **state)
{
	struct sockaddr_in6 at = { .sin6_family = AF_INET6, .sin6_port = htons(53) }; /* any address, also of IPv4 */
	int fd;

	sandbox_enter();
	sandbox_output("ip link set lo up");
	/* A query to an address that the kernel still checks would have another source, and its answer would be dropped. */
	sandbox_run("ip address add fe80::53/64 dev lo nodad; "
				"until ip -6 route show table local | grep -q fe80::53; do sleep 0.01; done");
	loop = ev_loop_new(0);
	fd = mkstemp(conf);
	if (!loop || fd < 0)
		return -1;
	close(fd);
	snprintf(upstream, sizeof upstream, "%s.upstream", conf);
	fd = socket(AF_INET6, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (bind(fd, (struct sockaddr *)&at, sizeof at))
		return -1;
	ev_io_init(&server, on_query, fd, EV_READ);
	ev_io_start(loop, &server);
	return 0;
}

static int tear_down_all(void **state)
{
	unlink(conf);
	return 0;
}

/* --- cases ----- */

static void each_family_is_answered(void **state)
{
	char text[ENDPOINT_TEXT];
	int owner;

	start_lookup("vpn.example", AF_INET, &owner);
	await_answers(1);
	assert_ptr_equal(last_owner, &owner);
	assert_null(last.failure);
	assert_int_equal(last.count, 1);
	assert_string_equal(endpoint_text(text, &last.addresses[0]), "192.0.2.1:0");
	start_lookup("vpn.example", AF_INET6, &owner);
	await_answers(2);
	assert_int_equal(last.family, AF_INET6);
	assert_string_equal(endpoint_text(text, &last.addresses[0]), "[2001:db8::1]:0");
	start_lookup("many.example", AF_INET, &owner);
	await_answers(3);
	assert_int_equal(last.count, RESOLVER_ADDRESSES);
}

static void failures_are_in_plain_english(void **state)
{
	static const struct {
		const char *host, *failure;
	} cases[] = {
		{ "missing.example.", "the name does not exist" },
		{ "empty.example.", "the name has no address" },
		{ "refused.example.", NULL }, /* the text depends on the release of c-ares */
		{ "failing.example.", NULL },
	};
	unsigned wanted = 0;

	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		start_lookup(cases[i].host, AF_INET, &wanted);
		await_answers(++wanted);
		assert_int_equal(last.count, 0);
		assert_non_null(last.failure);
		if (cases[i].failure)
			assert_string_equal(last.failure, cases[i].failure);
		assert_int_equal(last.no_address, !strncmp(cases[i].host, "empty", 5));
	}
}

static void no_socket_stays_open_between_queries(void **state)
{
	unsigned before = count_descriptors();
	int owner;

	start_lookup("vpn.example", AF_INET, &owner);
	assert_true(count_descriptors() > before);
	await_answers(1);
	assert_int_equal(count_descriptors(), before);
	ev_io_stop(loop, &server);
	assert_false(ev_run(loop, 0)); /* returns because nothing is active */
	ev_io_start(loop, &server);
}

static void an_abandoned_query_gets_no_answer(void **state)
{
	int first, second;

	resolver_abandon(start_lookup("vpn.example", AF_INET, &first));
	start_lookup("vpn.example", AF_INET6, &second);
	await_answers(1);
	assert_ptr_equal(last_owner, &second);
}

static void destroy_drops_queries_in_flight(void **state)
{
	int owner;

	for (int i = 0; i < 100; i++)
		start_lookup("silent.example", i & 1 ? AF_INET : AF_INET6, &owner);
	ev_run(loop, EVRUN_ONCE);
	assert_int_equal(answers, 0);
}

static void a_changed_file_restarts_queries_in_flight(void **state)
{
	int first, second;

	write_file(conf, "nameserver 127.0.0.99\n");
	start_lookup("vpn.example", AF_INET,
				 &first); /* the server is bound to all addresses, and answers from another one */
	write_file(conf, "# new\nnameserver 127.0.0.1\n");
	start_lookup("vpn.example", AF_INET6, &second);
	await_answers(2);
	write_file(conf, "# newer still\nnameserver 127.0.0.1\n");
	start_lookup("silent.example", AF_INET, &first);
	resolver_refresh(resolver);
	resolver_restart(resolver);
	start_lookup("vpn.example", AF_INET6, &second);
	await_answers(3);
	assert_ptr_equal(last_owner, &second);
	assert_int_equal(queries, 6); /* the silent one arrived three times */
}

/* The stub has no server here: only the servers behind it can answer. */
static void a_stub_is_bypassed_if_there_is_a_mark(void **state)
{
	struct sockaddr_in stub = { .sin_family = AF_INET, .sin_port = htons(53) };
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0), owner;

	inet_pton(AF_INET, "127.0.0.53", &stub.sin_addr);
	assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &(int) { 1 }, sizeof(int)), 0);
	assert_int_equal(setsockopt(server.fd, SOL_SOCKET, SO_REUSEADDR, &(int) { 1 }, sizeof(int)), 0);
	assert_int_equal(bind(fd, (struct sockaddr *)&stub, sizeof stub), 0); /* takes the queries, and is silent */
	write_file(conf, "# by systemd-resolved\nnameserver 127.0.0.53\noptions edns0\n");
	write_file(upstream, "nameserver 127.0.0.1\n");
	start_lookup("stubborn.example", AF_INET, &owner);
	for (int i = 0; i < 100; i++)
		ev_run(loop, EVRUN_NOWAIT);
	assert_int_equal(queries, 0);
	mark = 77;
	resolver_refresh(resolver);
	await_answers(1);
	assert_int_equal(last.count, 1);
	write_file(conf, "nameserver\t127.0.0.53\n"); /* resolv.conf(5) allows any blanks */
	start_lookup("tab.example", AF_INET, &owner);
	await_answers(2);
	assert_int_equal(last.count, 1);
	write_file(conf, "nameserver 127.0.0.54\n"); /* the other stub, where nothing listens */
	start_lookup("other.example", AF_INET, &owner);
	await_answers(3);
	assert_int_equal(last.count, 1);
	close(fd);
	unlink(upstream);
}

/* The servers of the tunnel, 127.0.0.9 and ::9, are silent. */
static void servers_of_the_tunnel_are_not_queried(void **state)
{
	struct sockaddr_in silent = { .sin_family = AF_INET, .sin_port = htons(53) };
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0), owner;
	struct config_line *servers = NULL;

	inet_pton(AF_INET, "127.0.0.9", &silent.sin_addr);
	assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &(int) { 1 }, sizeof(int)), 0);
	assert_int_equal(bind(fd, (struct sockaddr *)&silent, sizeof silent), 0);
	assert_int_equal(config_line_append(&servers, "127.0.0.9", 1), 0);
	assert_int_equal(config_line_append(&servers, "0::9", 1), 0);
	tunnel_servers = servers;
	write_file(conf, "nameserver 127.0.0.9\nnameserver ::9\n");
	start_lookup("one.example", AF_INET, &owner); /* by the server that the file had before */
	await_answers(1);
	assert_int_equal(last.count, 1);
	write_file(conf, "nameserver 127.0.0.9\nnameserver 127.0.0.1\n");
	start_lookup("two.example", AF_INET, &owner);
	await_answers(2);
	assert_int_equal(last.count, 1);
	write_file(conf, "nameserver 127.0.0.53\n");
	write_file(upstream, "nameserver ::9\nnameserver 127.0.0.1\n");
	start_lookup("three.example", AF_INET, &owner);
	await_answers(3);
	assert_int_equal(last.count, 1);
	close(fd);
	unlink(upstream);
	config_lines_free(servers);
}

static void a_server_may_have_an_ipv6_address(void **state)
{
	static const char *const files[] = {
		"nameserver ::1\n",
		"nameserver fe80::53%lo\n",
		"nameserver fe80::53%missing\nnameserver fe80::53%lo\n",
	};
	unsigned wanted = 0;

	for (size_t i = 0; i < sizeof files / sizeof *files; i++) {
		write_file(conf, files[i]);
		start_lookup("vpn.example", AF_INET, &wanted);
		await_answers(++wanted);
		assert_null(last.failure);
		assert_false(IN6_IS_ADDR_V4MAPPED(&from.sin6_addr));
	}
	assert_int_equal(queries, wanted);
}

/* One label gets the domains first, and a name with a dot last, by the default of ndots. */
static void search_domains_are_tried(void **state)
{
	unsigned wanted = 0;

	write_file(conf, "nameserver 127.0.0.1\nsearch example corp.example\n");
	start_lookup("vpn", AF_INET, &wanted);
	await_answers(++wanted);
	assert_null(last.failure);
	assert_int_equal(queries, 1);
	start_lookup("vpn.", AF_INET, &wanted);
	await_answers(++wanted);
	assert_int_equal(queries, 2);
	start_lookup("missing.other", AF_INET, &wanted);
	await_answers(++wanted);
	assert_string_equal(last.failure, "the name does not exist");
	assert_int_equal(queries, 5);
}

static void queries_carry_the_mark(void **state)
{
	int owner;

	/* Datagrams with the mark are prohibited. */
	assert_string_equal(sandbox_output("ip rule add pref 0 fwmark 77 prohibit 2>&1; ip rule del pref 0 lookup local; "
									   "ip rule add pref 1 lookup local"),
						"");
	start_lookup("vpn.example", AF_INET, &owner);
	await_answers(1);
	assert_null(last.failure);
	mark = 77;
	start_lookup("vpn.example", AF_INET, &owner);
	await_answers(2);
	assert_string_equal(last.failure, "no DNS server can answer");
	assert_int_equal(queries, 1);
}

static void a_missing_file_means_the_local_server(void **state)
{
	int owner;

	unlink(conf);
	start_lookup("vpn.example", AF_INET, &owner);
	await_answers(1);
	assert_int_equal(last.count, 1);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(each_family_is_answered),
		TEST(failures_are_in_plain_english),
		TEST(no_socket_stays_open_between_queries),
		TEST(an_abandoned_query_gets_no_answer),
		TEST(destroy_drops_queries_in_flight),
		TEST(a_changed_file_restarts_queries_in_flight),
		TEST(a_missing_file_means_the_local_server),
		TEST(a_stub_is_bypassed_if_there_is_a_mark),
		TEST(servers_of_the_tunnel_are_not_queried),
		TEST(a_server_may_have_an_ipv6_address),
		TEST(search_domains_are_tried),
		TEST(queries_carry_the_mark),
	};

	log_set_level(LOG_SILENT);
	return cmocka_run_group_tests_name("resolver", tests, set_up_all, tear_down_all);
}
