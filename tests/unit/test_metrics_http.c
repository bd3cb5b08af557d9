/* SPDX-License-Identifier: MIT */
/* Tests of the HTTP side of metrics: requests and answers over a socket pair. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "metrics_http.h"

static struct http_request request;

/* Sends `length` bytes and closes the sending side. Returns as http_read_request. */
static int read_bytes(const char *text, size_t length)
{
	int ends[2], status;

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, ends), 0);
	assert_int_equal(send(ends[0], text, length, MSG_NOSIGNAL), (ssize_t)length);
	shutdown(ends[0], SHUT_WR);
	status = http_read_request(ends[1], &request);
	close(ends[0]);
	close(ends[1]);
	return status;
}

static int read_text(const char *text)
{
	return read_bytes(text, strlen(text));
}

static void valid_requests_are_read(void **state)
{
	static const struct {
		const char *text, *method, *path;
		bool is_head, openmetrics;
	} cases[] = {
		{ "GET /metrics HTTP/1.1\r\n\r\n", "GET", "/metrics", false, false },
		{ "GET /metrics HTTP/1.0\n\n", "GET", "/metrics", false, false },
		{ "\r\n\r\nGET /metrics HTTP/1.0\r\n\r\n", "GET", "/metrics", false, false },
		{ "\nGET /metrics HTTP/1.0\n\n", "GET", "/metrics", false, false },
		{ "GET /metrics HTTP/1.0\n\r\n", "GET", "/metrics", false, false },
		{ "GET /metrics HTTP/1.0\r\n\n", "GET", "/metrics", false, false },
		{ "GET /metrics HTTP/1.1\nHost: a\r\n\nGET", "GET", "/metrics", false, false },
		{ "HEAD / HTTP/1.1\r\nHost: a\r\n\r\n", "HEAD", "/", true, false },
		{ "POST /x?y=1 HTTP/1.1\r\nContent-Length: 3\r\n\r\nabc", "POST", "/x", false, false },
		{ "GET http://a:9586/metrics?a HTTP/1.1\r\n\r\n", "GET", "/metrics", false, false },
		{ "GET http://a HTTP/1.1\r\n\r\n", "GET", "/", false, false },
		{ "GET /m HTTP/1.1\r\naccept:application/openmetrics-text\r\n\r\n", "GET", "/m", false, true },
		{ "GET /m HTTP/1.1\r\nAccept: text/plain;q=0.5\r\nACCEPT: application/openmetrics-text;q=0.6\r\n\r\n", "GET",
		  "/m", false, true },
		{ "GET /m HTTP/1.1\r\nAccept:\r\nAccepted: application/openmetrics-text\r\n\r\n", "GET", "/m", false, false },
	};

	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		assert_int_equal(read_text(cases[i].text), 0);
		assert_string_equal(request.method, cases[i].method);
		assert_string_equal(request.path, cases[i].path);
		assert_int_equal(request.is_head, cases[i].is_head);
		assert_int_equal(request.openmetrics, cases[i].openmetrics);
	}
}

static void invalid_requests_are_rejected(void **state)
{
	static const char *const texts[] = {
		"garbage\r\n\r\n",
		" GET / HTTP/1.1\r\n\r\n",
		"GET\r\n\r\n",
		"GET /\r\n\r\n",
		"GET / HTTP/2.0\r\n\r\n",
		"GET / HTTP/1.10\r\n\r\n",
		"GET / HTTP/1.\r\n\r\n",
		"GET / a HTTP/1.1\r\n\r\n",
		"GET  / HTTP/1.1\r\n\r\n",
		"GET metrics HTTP/1.1\r\n\r\n",
		"GET * HTTP/1.1\r\n\r\n",
		"G(T / HTTP/1.1\r\n\r\n",
		"GET / HTTP/1.1\r\nno colon\r\n\r\n",
		"GET / HTTP/1.1\r\nHost : a\r\n\r\n",
		"GET / HTTP/1.1\r\n: a\r\n\r\n",
		"GET / HTTP/1.1\r\nHost: a\r\n folded\r\n\r\n",
		"GET / HTTP/1.1\r\nHost: a\r\n", /* the client ended the stream */
		"G",
	};

	for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
		if (read_text(texts[i]) != 400)
			fail_msg("\"%s\" is accepted", texts[i]);
	assert_int_equal(read_bytes("GET / HTTP/1.1\r\nA: \0\r\n\r\n", 25), 400);
	assert_int_equal(read_bytes("\x16\x03\x01\x00\xa5", 5), 400); /* TLS */
	assert_int_equal(read_text(""), -ENODATA);
	assert_int_equal(read_text("\r\n\r\n"), -ENODATA);
}

static void a_head_has_a_maximum_length(void **state)
{
	char text[HTTP_HEAD_MAX + 2];
	int length = snprintf(text, sizeof text, "GET / HTTP/1.1\r\nAccept:");

	memset(text + length, 'a', sizeof text - (size_t)length);
	memcpy(text + HTTP_HEAD_MAX - 4, "\r\n\r\n", 4);
	assert_int_equal(read_bytes(text, HTTP_HEAD_MAX), 0);
	memset(text + length, 'a', sizeof text - (size_t)length);
	memcpy(text + HTTP_HEAD_MAX - 3, "\r\n\r\n", 4);
	assert_int_equal(read_bytes(text, HTTP_HEAD_MAX + 1), 431);
}

/* One byte in 100 ms would take 10 s for the smallest request. */
static void a_slow_client_gets_408(void **state)
{
	int ends[2];
	pid_t child;

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, ends), 0);
	child = fork();
	if (!child) {
		close(ends[1]);
		while (send(ends[0], "G", 1, MSG_NOSIGNAL) == 1)
			usleep(100000);
		_exit(0);
	}
	close(ends[0]);
	assert_int_equal(http_read_request(ends[1], &request), 408);
	close(ends[1]);
	assert_int_equal(waitpid(child, NULL, 0), child);
}

static void accept_fields_are_weighed(void **state)
{
	static const struct {
		const char *accept;
		bool openmetrics;
	} cases[] = {
		{ "", false },
		{ "*/*", false },
		{ "text/plain", false },
		{ "application/openmetrics-text", true },
		{ " Application/OpenMetrics-Text ; Version=1.0.0 ; q=0.5 , text/plain ; q=0.4", true },
		/* Prometheus 2 and 3 */
		{ "application/openmetrics-text;version=1.0.0,application/openmetrics-text;version=0.0.1;q=0.75,"
		  "text/plain;version=0.0.4;q=0.5,*/*;q=0.1",
		  true },
		{ "application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.5,"
		  "text/plain;version=0.0.4;escaping=allow-utf-8;q=0.2,*/*;q=0.1",
		  true },
		{ "application/openmetrics-text;version=2.0.0", false },
		{ "application/openmetrics-text;q=0", false },
		{ "application/openmetrics-text;q=0.3,text/plain;q=0.4", false },
		{ "application/openmetrics-text;q=,;;,=,;q", false },
		{ "application/openmetrics-textual", false },
	};

	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
		if (http_accepts_openmetrics(cases[i].accept) != cases[i].openmetrics)
			fail_msg("\"%s\"", cases[i].accept);
}

/* Returns what a client receives. */
static const char *received(const struct http_answer *answer)
{
	static char text[4096];
	size_t length = 0;
	ssize_t got;
	int ends[2];

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, ends), 0);
	shutdown(ends[0], SHUT_WR);
	assert_int_equal(http_write_answer(ends[1], answer), 0);
	while ((got = read(ends[0], text + length, sizeof text - 1 - length)) > 0)
		length += (size_t)got;
	text[length] = '\0';
	close(ends[0]);
	close(ends[1]);
	return text;
}

static void answers_have_length_and_type(void **state)
{
	struct http_answer answer = { .status = 200, .type = "text/x", .body = "hello", .length = 5 };

	assert_string_equal(received(&answer), "HTTP/1.1 200 OK\r\nContent-Type: text/x\r\nContent-Length: 5\r\n"
										   "Connection: close\r\n\r\nhello");
	answer.is_head = true;
	answer.status = 405;
	assert_string_equal(received(&answer),
						"HTTP/1.1 405 Method Not Allowed\r\nContent-Type: text/x\r\nContent-Length: 5\r\n"
						"Allow: GET, HEAD\r\nConnection: close\r\n\r\n");
}

static void a_client_that_is_gone_is_an_error(void **state)
{
	struct http_answer answer = { .status = 200, .type = "text/x", .body = "hello", .length = 5 };
	int ends[2];

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, ends), 0);
	close(ends[0]);
	assert_int_equal(http_write_answer(ends[1], &answer), -EPIPE);
	close(ends[1]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(valid_requests_are_read),           cmocka_unit_test(invalid_requests_are_rejected),
		cmocka_unit_test(a_head_has_a_maximum_length),       cmocka_unit_test(a_slow_client_gets_408),
		cmocka_unit_test(accept_fields_are_weighed),         cmocka_unit_test(answers_have_length_and_type),
		cmocka_unit_test(a_client_that_is_gone_is_an_error),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
