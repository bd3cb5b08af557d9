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
static char conf[] = "/tmp/adit-resolv-XXXXXX";
static char upstream[sizeof conf + 16];
static unsigned questions;

static struct resolver_answer last;
static void *last_asker;
static unsigned answers;
static bool asking;

/* --- the server --- */

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
static void on_question(struct ev_loop *own_loop, struct ev_io *watcher, int events)
{
	uint8_t message[MESSAGE_MAX + 1024];
	struct sockaddr_in from;
	socklen_t from_length = sizeof from;
	ssize_t n = recvfrom(watcher->fd, message, MESSAGE_MAX, 0, (struct sockaddr *)&from, &from_length);
	const char *label = (const char *)message + HEADER + 1;
	unsigned code = 0, count = 1;
	uint8_t *end = message + HEADER;
	bool v6;

	assert_true(n > HEADER + 5);
	questions++;
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

/* --- steps --- */

static void on_answer(void *context, void *asker, const struct resolver_answer *answer)
{
	assert_false(asking);
	assert_ptr_equal(context, &resolver);
	last = *answer;
	last_asker = asker;
	answers++;
}

static struct resolver_question *ask(const char *host, int family, void *asker)
{
	struct resolver_question *question;

	asking = true;
	question = resolver_ask(resolver, host, family, asker);
	asking = false;
	assert_non_null(question);
	return question;
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
		.answered = on_answer,
		.context = &resolver,
	};

	answers = questions = 0;
	mark = 0;
	write_file(conf, "nameserver 127.0.0.1\n");
	resolver = resolver_create(loop, &options);
	return resolver ? 0 : -1;
}

static int tear_down(void **state)
{
	resolver_destroy(resolver);
	for (int i = 0; i < 200; i++)
		ev_run(loop, EVRUN_NOWAIT); /* the server reads what nobody waits for */
	return 0;
}

static int set_up_all(void **state)
{
	struct sockaddr_in at = { .sin_family = AF_INET, .sin_port = htons(53), .sin_addr.s_addr = htonl(INADDR_ANY) };
	int fd;

	sandbox_enter();
	sandbox_output("ip link set lo up");
	loop = ev_loop_new(0);
	fd = mkstemp(conf);
	if (!loop || fd < 0)
		return -1;
	close(fd);
	snprintf(upstream, sizeof upstream, "%s.upstream", conf);
	fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (bind(fd, (struct sockaddr *)&at, sizeof at))
		return -1;
	ev_io_init(&server, on_question, fd, EV_READ);
	ev_io_start(loop, &server);
	return 0;
}

static int tear_down_all(void **state)
{
	unlink(conf);
	return 0;
}

/* --- cases --- */

static void each_family_is_answered(void **state)
{
	char text[ENDPOINT_TEXT];
	int asker;

	ask("vpn.example", AF_INET, &asker);
	await_answers(1);
	assert_ptr_equal(last_asker, &asker);
	assert_null(last.failure);
	assert_int_equal(last.count, 1);
	assert_string_equal(endpoint_text(text, &last.addresses[0]), "192.0.2.1:0");
	ask("vpn.example", AF_INET6, &asker);
	await_answers(2);
	assert_int_equal(last.family, AF_INET6);
	assert_string_equal(endpoint_text(text, &last.addresses[0]), "[2001:db8::1]:0");
	ask("many.example", AF_INET, &asker);
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
		ask(cases[i].host, AF_INET, &wanted);
		await_answers(++wanted);
		assert_int_equal(last.count, 0);
		assert_non_null(last.failure);
		if (cases[i].failure)
			assert_string_equal(last.failure, cases[i].failure);
	}
}

static void nothing_stays_open_between_questions(void **state)
{
	unsigned before = count_descriptors();
	int asker;

	ask("vpn.example", AF_INET, &asker);
	assert_true(count_descriptors() > before);
	await_answers(1);
	assert_int_equal(count_descriptors(), before);
	ev_io_stop(loop, &server);
	assert_false(ev_run(loop, 0)); /* returns because nothing is active */
	ev_io_start(loop, &server);
}

static void an_abandoned_question_has_no_answer(void **state)
{
	int first, second;

	resolver_abandon(ask("vpn.example", AF_INET, &first));
	ask("vpn.example", AF_INET6, &second);
	await_answers(1);
	assert_ptr_equal(last_asker, &second);
}

static void destroy_drops_questions_in_flight(void **state)
{
	int asker;

	for (int i = 0; i < 100; i++)
		ask("silent.example", i & 1 ? AF_INET : AF_INET6, &asker);
	ev_run(loop, EVRUN_ONCE);
	assert_int_equal(answers, 0);
}

static void a_changed_file_moves_questions_in_flight(void **state)
{
	int first, second;

	write_file(conf, "nameserver 127.0.0.99\n");
	ask("vpn.example", AF_INET, &first); /* the server is bound to all addresses, and answers from another one */
	write_file(conf, "# new\nnameserver 127.0.0.1\n");
	ask("vpn.example", AF_INET6, &second);
	await_answers(2);
	write_file(conf, "# newer still\nnameserver 127.0.0.1\n");
	ask("silent.example", AF_INET, &first);
	resolver_refresh(resolver);
	resolver_restart(resolver);
	ask("vpn.example", AF_INET6, &second);
	await_answers(3);
	assert_ptr_equal(last_asker, &second);
	assert_int_equal(questions, 6); /* the silent one came three times */
}

/* The stub has no server here: only the servers behind it can answer. */
static void a_stub_is_passed_by_if_there_is_a_mark(void **state)
{
	struct sockaddr_in stub = { .sin_family = AF_INET, .sin_port = htons(53) };
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0), asker;

	inet_pton(AF_INET, "127.0.0.53", &stub.sin_addr);
	assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &(int) { 1 }, sizeof(int)), 0);
	assert_int_equal(setsockopt(server.fd, SOL_SOCKET, SO_REUSEADDR, &(int) { 1 }, sizeof(int)), 0);
	assert_int_equal(bind(fd, (struct sockaddr *)&stub, sizeof stub), 0); /* takes the questions, and is silent */
	write_file(conf, "# by systemd-resolved\nnameserver 127.0.0.53\noptions edns0\n");
	write_file(upstream, "nameserver 127.0.0.1\n");
	ask("stubborn.example", AF_INET, &asker);
	for (int i = 0; i < 100; i++)
		ev_run(loop, EVRUN_NOWAIT);
	assert_int_equal(questions, 0);
	mark = 77;
	resolver_refresh(resolver);
	await_answers(1);
	assert_int_equal(last.count, 1);
	close(fd);
	unlink(upstream);
}

static void questions_carry_the_mark(void **state)
{
	int asker;

	/* Datagrams with the mark leave by a table that leads nowhere. */
	assert_string_equal(sandbox_output("ip rule add pref 0 fwmark 77 prohibit 2>&1; ip rule del pref 0 lookup local; "
									   "ip rule add pref 1 lookup local"),
						"");
	ask("vpn.example", AF_INET, &asker);
	await_answers(1);
	assert_null(last.failure);
	mark = 77;
	ask("vpn.example", AF_INET, &asker);
	await_answers(2);
	assert_string_equal(last.failure, "no DNS server can answer");
	assert_int_equal(questions, 1);
}

static void a_missing_file_means_the_local_server(void **state)
{
	int asker;

	unlink(conf);
	ask("vpn.example", AF_INET, &asker);
	await_answers(1);
	assert_int_equal(last.count, 1);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(each_family_is_answered),
		TEST(failures_are_in_plain_english),
		TEST(nothing_stays_open_between_questions),
		TEST(an_abandoned_question_has_no_answer),
		TEST(destroy_drops_questions_in_flight),
		TEST(a_changed_file_moves_questions_in_flight),
		TEST(a_missing_file_means_the_local_server),
		TEST(a_stub_is_passed_by_if_there_is_a_mark),
		TEST(questions_carry_the_mark),
	};

	log_set_level(LOG_SILENT);
	return cmocka_run_group_tests_name("resolver", tests, set_up_all, tear_down_all);
}
