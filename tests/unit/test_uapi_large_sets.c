/* SPDX-License-Identifier: MIT */
/*
 * Unit tests of sets of 10,000 peers, and of one peer with as many prefixes. The server commits them in parts, and
 * forwards packets between the parts.
 */
#include "uapi_server_rig.h"

#include <malloc.h>
#include <poll.h>

#define EMPTY_SET "set=1\n\n"

enum { MANY = 10000 };

/* A set of MANY peers, all of them with `line`. */
static char *set_of_many_peers(const char *head, const char *line)
{
	char *text = malloc((size_t)MANY * 200), *end = text;

	assert_non_null(text);
	end += sprintf(end, "set=1\n%s", head);
	for (unsigned i = 1; i <= MANY; i++)
		end += sprintf(end, "public_key=%08x%056x\n%sallowed_ip=10.%u.%u.0/24\n", i, 1, line, i >> 8, i & 255);
	strcpy(end, "\n");
	return text;
}

static bool answered(void *context)
{
	struct pollfd ready = { *(int *)context, POLLIN, 0 };

	return poll(&ready, 1, 0) == 1;
}

/* Sends the set until the server has all of it. */
static void send_set(int fd, const char *set)
{
	serve_send(&serve, fd, set, strlen(set));
	for (int i = 0; i < 100 && !serve.uapi.setting; i++)
		serve_turn(&serve);
	assert_non_null(serve.uapi.setting);
}

static void packets_flow_between_the_parts_of_a_set(void **state)
{
	static const struct {
		const char *head, *line;
		size_t peers;
	} steps[] = { { "", "", MANY }, { "replace_peers=true\n", "", MANY }, { "", "remove=true\n", 0 } };
	int fd = serve_connect(&serve);

	for (size_t i = 0; i < sizeof steps / sizeof *steps; i++) {
		char *set = set_of_many_peers(steps[i].head, steps[i].line), *answer;
		unsigned turns = 0;

		send_set(fd, set);
		for (; !answered(&fd); turns++)
			serve_turn(&serve);
		assert_true(turns > 25);
		answer = serve_receive(&serve, fd);
		assert_string_equal(answer, "errno=0\n\n");
		assert_int_equal(serve.rig.device.peer_count, steps[i].peers);
		free(answer);
		free(set);
	}
	close(fd);
}

static void a_peer_with_many_prefixes_is_set_in_parts(void **state)
{
	char *set = serve_large_set(1 << 20), *answer;
	int fd = serve_connect(&serve);
	unsigned growths = 0;
	size_t last = 0;

	send_set(fd, set);
	while (!answered(&fd)) {
		size_t count;

		serve_turn(&serve);
		if (!serve.rig.device.peer_count)
			continue;
		count = peer_first(&serve.rig.device)->allowed_ips.count;
		growths += count > last;
		last = count;
	}
	assert_true(last > 40000 && growths > 50);
	answer = serve_receive(&serve, fd);
	assert_string_equal(answer, "errno=0\n\n");
	free(answer);
	free(set);
	close(fd);
}

static void a_bad_last_line_of_a_large_set_changes_nothing(void **state)
{
	char *set = set_of_many_peers("", ""), *answer;
	int fd = serve_connect(&serve);
	char *broken = malloc(strlen(set) + 100);

	sprintf(broken, "set=1\nlisten_port=77\n%s", strstr(set, "public_key="));
	strcpy(broken + strlen(broken) - 1, "allowed_ip=10.0.0.0/33\n\n");
	send_set(fd, broken);
	serve_until(&serve, answered, &fd);
	answer = serve_receive(&serve, fd);
	assert_string_equal(answer, "errno=-22\n\n");
	assert_int_equal(serve.rig.device.peer_count, 0);
	assert_int_equal(serve.rig.device.listen_port, 0);
	serve_expect(&serve, fd, "get=1\n\n", EMPTY_GET);
	free(answer);
	free(broken);
	free(set);
	close(fd);
}

static unsigned long peers_at_verb;

static int verb_peers(void *context, struct uapi_reply *reply)
{
	peers_at_verb = serve.rig.device.peer_count;
	return 0;
}

static void other_changes_wait_for_a_large_set(void **state)
{
	static const struct uapi_verb verbs[] = { { "peers", verb_peers }, { NULL, NULL } };
	char *set = set_of_many_peers("", ""), *answer;
	int large, small, verb, get, mib;
	char *other = serve_large_set(1 << 20);

	uapi_stop(&serve.uapi);
	serve.options.verbs = verbs;
	serve_start(&serve);
	large = serve_connect(&serve);
	small = serve_connect(&serve);
	verb = serve_connect(&serve);
	get = serve_connect(&serve);
	send_set(large, set);
	assert_int_equal(send(small, "set=1\nreplace_peers=true\n\n", 26, 0), 26);
	for (int i = 0; i < 20; i++)
		serve_turn(&serve);
	assert_false(answered(&small));
	serve_expect(&serve, get, "get=1\nx=1\n\n", "errno=-22\n\n"); /* changes nothing, so it does not wait */
	assert_false(answered(&small));
	serve_until(&serve, answered, &small);
	assert_true(answered(&large));
	assert_int_equal(serve.rig.device.peer_count, 0);
	answer = serve_receive(&serve, large);
	assert_string_equal(answer, "errno=0\n\n");
	free(answer);
	answer = serve_receive(&serve, small);
	assert_string_equal(answer, "errno=0\n\n");
	free(answer);
	mib = serve_connect(&serve);
	send_set(large, set);
	serve_send(&serve, mib, other, strlen(other));
	assert_int_equal(send(verb, "peers=1\n\n", 9, 0), 9);
	serve_until(&serve, answered, &verb);
	assert_true(peers_at_verb == MANY || peers_at_verb == MANY + 1);
	serve_until(&serve, answered, &mib);
	assert_int_equal(serve.rig.device.peer_count, MANY + 1);
	send_set(large, set);
	uapi_finish_sets(&serve.uapi); /* before a reload */
	assert_null(serve.uapi.setting);
	free(set);
	free(other);
	close(large);
	close(small);
	close(verb);
	close(get);
	close(mib);
	serve_until(&serve, serve_all_closed, NULL);
}

static char verb_order[8];

static int verb_first(void *context, struct uapi_reply *reply)
{
	strcat(verb_order, "1");
	return 0;
}

static int verb_second(void *context, struct uapi_reply *reply)
{
	strcat(verb_order, "2");
	return 0;
}

/* Otherwise clients that send large sets again and again could keep another one waiting for ever. */
static void requests_that_wait_are_answered_in_their_order(void **state)
{
	static const struct uapi_verb verbs[] = { { "first", verb_first }, { "second", verb_second }, { NULL, NULL } };
	char *set = set_of_many_peers("", "");
	int large, first, second;

	uapi_stop(&serve.uapi);
	serve.options.verbs = verbs;
	serve_start(&serve);
	large = serve_connect(&serve);
	first = serve_connect(&serve);
	second = serve_connect(&serve);
	send_set(large, set);
	serve_send(&serve, first, "first=1\n\n", 9);
	serve_turn(&serve);
	serve_send(&serve, second, "second=1\n\n", 10);
	serve_turn(&serve);
	assert_non_null(serve.uapi.setting);
	assert_string_equal(verb_order, "");
	serve_until(&serve, answered, &first);
	serve_until(&serve, answered, &second);
	assert_string_equal(verb_order, "12");
	free(set);
	close(large);
	close(first);
	close(second);
	serve_until(&serve, serve_all_closed, NULL);
}

static void the_server_may_stop_during_a_set(void **state)
{
	char *set = set_of_many_peers("", "");

	for (int turns = 0; turns < 160; turns += 31) {
		int fd = serve_connect(&serve);

		send_set(fd, set);
		for (int i = 0; i < turns && serve.uapi.setting; i++)
			serve_turn(&serve);
		uapi_stop(&serve.uapi);
		close(fd);
		serve_start(&serve);
	}
	free(set);
}

static size_t resident_bytes(void)
{
	FILE *file = fopen("/proc/self/statm", "r");
	unsigned long total, resident;

	assert_non_null(file);
	assert_int_equal(fscanf(file, "%lu %lu", &total, &resident), 2);
	fclose(file);
	return resident * (size_t)sysconf(_SC_PAGESIZE);
}

#ifdef __SANITIZE_ADDRESS__
enum { MEMORY_IS_RETURNED = 0 }; /* the sanitizer keeps freed memory in a quarantine */
#else
enum { MEMORY_IS_RETURNED = 1 };
#endif

static void memory_is_returned_after_peers_were_removed(void **state)
{
	char *set = set_of_many_peers("", "");
	int fd = serve_connect(&serve);
	size_t before, with_peers;

	serve_expect(&serve, fd, EMPTY_SET, "errno=0\n\n");
	malloc_trim(0);
	before = resident_bytes();
	serve_expect(&serve, fd, set, "errno=0\n\n");
	with_peers = resident_bytes();
	serve_expect(&serve, fd, "set=1\nreplace_peers=true\n\n", "errno=0\n\n");
	assert_int_equal(serve.rig.device.peer_count, 0);
	if (MEMORY_IS_RETURNED) {
		assert_true(with_peers > before + (5 << 20));
		assert_true(resident_bytes() < before + (with_peers - before) / 4);
	}
	free(set);
	close(fd);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, serve_set_up, serve_tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(packets_flow_between_the_parts_of_a_set),        TEST(a_peer_with_many_prefixes_is_set_in_parts),
		TEST(a_bad_last_line_of_a_large_set_changes_nothing), TEST(other_changes_wait_for_a_large_set),
		TEST(requests_that_wait_are_answered_in_their_order), TEST(the_server_may_stop_during_a_set),
		TEST(memory_is_returned_after_peers_were_removed),
	};

	if (sodium_init() < 0)
		return 1;
	return cmocka_run_group_tests(tests, serve_make_home, serve_remove_home);
}
