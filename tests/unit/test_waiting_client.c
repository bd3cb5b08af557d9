/* SPDX-License-Identifier: MIT */
/* Tests of the client that waits for a result: one that does not read loses messages, but not the result. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "daemon/waiting_client.h"

enum { MESSAGES = 20000 };

static void a_client_that_does_not_read_gets_the_result(void **state)
{
	struct waiting_client client = { 0 };
	struct uapi_reply reply = { 0 };
	unsigned long shown = 0, lost = 0;
	char line[2048], text[1200] = "";
	int ends[2];
	FILE *from;

	for (size_t length = 1; length < sizeof text; length = length * 3 + 1) {
		memset(text, 'x', length);
		text[length] = '\0';
		assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends), 0);
		reply.fd = ends[0];
		assert_int_equal(waiting_client_accept(&client, &reply), 0);
		close(ends[0]);
		for (int i = 0; i < MESSAGES; i++)
			waiting_client_message(&client, text);
		waiting_client_finish(&client, -5);
		assert_false(client.waits);
		from = fdopen(ends[1], "r");
		assert_non_null(from);
		for (shown = 0; fgets(line, sizeof line, from) && sscanf(line, "message=lines not shown: %lu", &lost) != 1;)
			shown++;
		assert_int_equal(shown + lost, MESSAGES);
		assert_true(shown > 10 && lost > 10);
		assert_non_null(fgets(line, sizeof line, from));
		assert_string_equal(line, "errno=-5\n");
		fclose(from);
	}
}

static void the_result_alone_follows_a_few_messages(void **state)
{
	struct waiting_client client = { 0 };
	struct uapi_reply reply = { 0 };
	char text[256] = "";
	int ends[2];

	waiting_client_message(&client, "nobody waits");
	waiting_client_finish(&client, 0);
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends), 0);
	reply.fd = ends[0];
	assert_int_equal(waiting_client_accept(&client, &reply), 0);
	assert_int_equal(waiting_client_accept(&client, &reply), -EBUSY);
	waiting_client_message(&client, "one");
	waiting_client_finish(&client, 0);
	close(ends[0]);
	assert_true(read(ends[1], text, sizeof text - 1) > 0);
	assert_string_equal(text, "message=one\nerrno=0\n\n");
	close(ends[1]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_client_that_does_not_read_gets_the_result),
		cmocka_unit_test(the_result_alone_follows_a_few_messages),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
