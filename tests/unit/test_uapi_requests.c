/* SPDX-License-Identifier: MIT */
/* Unit tests of requests on the control socket: get, set, verbs of our own, and what is not a request. */
#include "uapi_server_rig.h"

static void a_get_reports_what_a_set_changed(void **state)
{
	int fd = serve_connect(&serve);

	serve_expect(&serve, fd, "get=1\n\n", EMPTY_GET);
	serve_expect(&serve, fd, "set=1\nlisten_port=9\n\n", "errno=0\n\n");
	serve_expect(&serve, fd, "get=1\n\n", "listen_port=9\nerrno=0\n\n");
	serve_expect(&serve, fd, "set=1\n\n", "errno=0\n\n");
	close(fd);
}

static void a_failed_request_does_not_close_the_connection(void **state)
{
	int fd = serve_connect(&serve);

	assert_int_equal(control_set_up(&serve.rig.device, true, 1), 0);
	serve.rig.port_taken = 53;
	serve_expect(&serve, fd, "set=1\nlisten_port=53\n\n", "errno=-98\n\n");
	serve_expect(&serve, fd, "set=1\nlisten_port\n\n", "errno=-71\n\n");
	serve_expect(&serve, fd, "set=1\nlisten_port=no\n\n", "errno=-22\n\n");
	serve_expect(&serve, fd, "get=1\nand=more\n\n", "errno=-22\n\n");
	serve_expect(&serve, fd, "get=2\n\n", "errno=-22\n\n");
	serve_expect(&serve, fd, "set=\n\n", "errno=-22\n\n");
	serve_expect(&serve, fd, "frobnicate=1\n\n", "errno=-22\n\n");
	serve_expect(&serve, fd, "get\n\n", "errno=-71\n\n");
	serve_expect(&serve, fd, "get\nx=1\n\n", "errno=-71\n\n");
	serve_expect(&serve, fd, "get=1\r\n\n", "errno=-22\n\n");
	serve_expect(&serve, fd, "get=1\n\n", "listen_port=40000\nerrno=0\n\n");
	close(fd);
}

static void a_bad_last_line_rejects_the_whole_set(void **state)
{
	int fd = serve_connect(&serve);

	serve_expect(&serve, fd, "set=1\nlisten_port=9\nfwmark=x\n\n", "errno=-22\n\n");
	serve_expect(&serve, fd, "get=1\n\n", EMPTY_GET);
	close(fd);
}

static void pipelined_requests_are_answered_in_order(void **state)
{
	static const char requests[] = "get=1\n\nset=1\nlisten_port=1\n\nget=1\n\n\n\nset=1\nbad=1\n\nget=1\n\n";
	static const char *const answers[] = { EMPTY_GET, "errno=0\n\n", "listen_port=1\nerrno=0\n\n", "errno=-22\n\n",
										   "listen_port=1\nerrno=0\n\n" };
	int fd = serve_connect(&serve);

	serve_send(&serve, fd, requests, strlen(requests));
	for (size_t i = 0; i < sizeof answers / sizeof *answers; i++) {
		char *answer = serve_receive(&serve, fd);
		assert_string_equal(answer, answers[i]);
		free(answer);
	}
	close(fd);
}

static void a_request_may_arrive_byte_by_byte(void **state)
{
	static const char request[] = "set=1\nlisten_port=77\n\n";
	int fd = serve_connect(&serve);
	char *answer;

	for (size_t i = 0; i < strlen(request); i++) {
		assert_int_equal(serve.rig.device.listen_port, 0);
		serve_send(&serve, fd, request + i, 1);
		serve_turn(&serve);
	}
	answer = serve_receive(&serve, fd);
	assert_string_equal(answer, "errno=0\n\n");
	assert_int_equal(serve.rig.device.listen_port, 77);
	free(answer);
	close(fd);
}

static void a_client_may_shut_down_its_side_after_a_request(void **state)
{
	int fd = serve_connect(&serve);
	char *answer;

	serve_send(&serve, fd, "get=1\n\n", 7);
	assert_int_equal(shutdown(fd, SHUT_WR), 0);
	answer = serve_receive(&serve, fd);
	assert_string_equal(answer, EMPTY_GET);
	free(answer);
	answer = serve_receive(&serve, fd);
	assert_string_equal(answer, "");
	free(answer);
	assert_int_equal(serve.uapi.connection_count, 0);
	close(fd);
}

static void an_incomplete_set_is_not_applied(void **state)
{
	int fd = serve_connect(&serve);
	char *answer;

	serve_send(&serve, fd, "set=1\nlisten_port=1\n", 20);
	assert_int_equal(shutdown(fd, SHUT_WR), 0);
	answer = serve_receive(&serve, fd);
	assert_string_equal(answer, "errno=-5\n\n");
	assert_int_equal(serve.rig.device.listen_port, 0);
	free(answer);
	close(fd);
}

static void a_set_of_one_mebibyte_and_its_get(void **state)
{
	char *set = serve_large_set(1 << 20), *answer;
	int fd = serve_connect(&serve);
	size_t prefixes;

	serve_expect(&serve, fd, set, "errno=0\n\n");
	assert_int_equal(serve.uapi.request_bytes, 0); /* the large buffer was freed */
	prefixes = peer_first(&serve.rig.device)->allowed_ips.count;
	assert_true(prefixes > 40000);
	serve_send(&serve, fd, "get=1\n\n", 7);
	answer = serve_receive(&serve, fd);
	assert_int_equal(rig_count(answer, "allowed_ip="), prefixes);
	free(answer);
	free(set);
	close(fd);
}

/* --- verbs of our own ----- */

static void the_level_of_the_log_has_a_request(void **state)
{
	int fd = serve_connect(&serve);

	serve_expect(&serve, fd, "log=1\n\n", "log_level=info\nerrno=0\n\n");
	serve_expect(&serve, fd, "log=1\nlevel=debug\n\n", "log_level=debug\nerrno=0\n\n");
	assert_int_equal(log_level(), LOG_DEBUG);
	serve_expect(&serve, fd, "log=1\nlevel=error\n\n", "log_level=error\nerrno=0\n\n");
	serve_expect(&serve, fd, "log=1\nlevel=silent\n\n", "errno=-22\n\n");
	serve_expect(&serve, fd, "log=1\nlevel=\n\n", "errno=-22\n\n");
	serve_expect(&serve, fd, "log=1\nle\n\n", "errno=-22\n\n");
	serve_expect(&serve, fd, "log=1\nlevel=debug\nlevel=info\n\n", "errno=-22\n\n");
	serve_expect(&serve, fd, "log=1\nlog_level=debug\n\n", "errno=-22\n\n");
	serve_expect(&serve, fd, "log=2\n\n", "errno=-22\n\n");
	assert_int_equal(log_level(), LOG_ERROR);
	log_set_level(LOG_INFO);
	close(fd);
}

static void a_get_reports_the_level_of_the_log_after_the_workers(void **state)
{
	int fd = serve_connect(&serve);
	char *answer;

	serve.rig.device.backend = "epoll";
	serve.rig.device.workers = 2;
	log_set_level(LOG_WARNING);
	serve_send(&serve, fd, "get=1\n\n", 7);
	answer = serve_receive(&serve, fd);
	log_set_level(LOG_INFO);
	assert_non_null(strstr(answer, "\ntun_backend=epoll\nworkers=2\nlog_level=warning\nerrno=0\n\n"));
	free(answer);
	close(fd);
}

static void counters_have_a_request_of_their_own(void **state)
{
	int fd = serve_connect(&serve);
	char *answer;

	serve.rig.device.counters.value[COUNT_SEALED] = UINT64_MAX;
	serve.rig.device.counters.value[DROP_REFUSED + SEGMENT_TOO_LONG] = 7;
	counters_add_batches(&serve.rig.device.counters, HISTOGRAM_TUN_WRITE, 40, 2);
	counters_add_batches(&serve.rig.device.counters, HISTOGRAM_TUN_WRITE, 1, 1);
	serve.rig.device.started = 1700000000;
	serve_send(&serve, fd, "counters=1\n\n", 12);
	answer = serve_receive(&serve, fd);
	assert_non_null(strstr(answer, "\nsealed=18446744073709551615\n"));
	assert_non_null(strstr(answer, "\ndrop_too_long=0\n"));
	assert_non_null(strstr(answer, "\ndrop_refused_too_long=7\n"));
	assert_non_null(strstr(answer, "\nbatch_tun_read=0,0,0,0,0,0,0,0\nbatch_tun_read_sum=0\n"
								   "batch_tun_write=1,0,0,0,0,2,0,0\nbatch_tun_write_sum=81\n"));
	assert_non_null(strstr(answer, "\nstart_time_sec=1700000000\nerrno=0\n\n"));
	assert_string_equal(answer + strlen(answer) - 10, "\nerrno=0\n\n");
	free(answer);
	serve_expect(&serve, fd, "counters=1\nx=1\n\n", "errno=-22\n\n");
	serve_expect(&serve, fd, "counters=2\n\n", "errno=-22\n\n");
	close(fd);
}

static int reply_hello(void *context, struct uapi_reply *reply)
{
	uapi_reply_line(reply, "message", "a: b\nc\td");
	uapi_reply_line(reply, "message", "");
	return 0;
}

static int reply_too_much(void *context, struct uapi_reply *reply)
{
	char line[1000];

	memset(line, 'x', sizeof line - 1);
	line[sizeof line - 1] = '\0';
	for (int i = 0; i < 100; i++)
		uapi_reply_line(reply, "message", line);
	return -ENOENT;
}

static void verbs_are_called_and_answered(void **state)
{
	static const struct uapi_verb verbs[] = { { "hello", reply_hello }, { "toomuch", reply_too_much }, { NULL, NULL } };
	char *answer;
	int fd;

	uapi_stop(&serve.uapi);
	serve.options.verbs = verbs;
	serve_start(&serve);
	fd = serve_connect(&serve);
	serve_expect(&serve, fd, "hello=1\n\n", "message=a: b c d\nmessage=\nerrno=0\n\n");
	serve_expect(&serve, fd, "hell=1\n\n", "errno=-22\n\n");
	serve_expect(&serve, fd, "hello=0\n\n", "errno=-22\n\n");
	serve_send(&serve, fd, "toomuch=1\n\n", 11);
	answer = serve_receive(&serve, fd);
	assert_true(strlen(answer) <= UAPI_REPLY_MAX + 32);
	assert_int_equal((strlen(answer) - strlen("errno=-2\n\n")) % (999 + strlen("message=\n")), 0); /* whole lines */
	assert_string_equal(answer + strlen(answer) - 11, "\nerrno=-2\n\n");
	free(answer);
	serve_expect(&serve, fd, "get=1\n\n", EMPTY_GET);
	close(fd);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, serve_set_up, serve_tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_get_reports_what_a_set_changed),      TEST(a_failed_request_does_not_close_the_connection),
		TEST(a_bad_last_line_rejects_the_whole_set), TEST(pipelined_requests_are_answered_in_order),
		TEST(a_request_may_arrive_byte_by_byte),     TEST(a_client_may_shut_down_its_side_after_a_request),
		TEST(an_incomplete_set_is_not_applied),      TEST(a_set_of_one_mebibyte_and_its_get),
		TEST(the_level_of_the_log_has_a_request),    TEST(a_get_reports_the_level_of_the_log_after_the_workers),
		TEST(verbs_are_called_and_answered),         TEST(counters_have_a_request_of_their_own),
	};

	if (sodium_init() < 0)
		return 1;
	return cmocka_run_group_tests(tests, serve_make_home, serve_remove_home);
}
