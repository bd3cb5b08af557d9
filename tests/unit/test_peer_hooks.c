/* SPDX-License-Identifier: MIT */
/* Unit tests of the hooks PeerUp and PeerDown. The commands are real, the events are made up. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include <ev.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "daemon/peer_hooks.h"
#include "tunnel/control.h"
#include "tunnel/peer.h"
#include "wall_clock.h"

enum { MANY = 100, SECONDS = 60 };

static struct ev_loop *loop;
static struct children children;
static struct device device;
static struct peer_hooks hooks;
static struct config config;
static char calls[] = "/tmp/test_peer_hooks.XXXXXX";
static const bool never = false;

static const uint8_t *key_of(unsigned number)
{
	static uint8_t key[KEY_BYTES];

	memset(key, 0, sizeof key);
	key[0] = 1;
	key[1] = (uint8_t)number;
	key[2] = (uint8_t)(number >> 8);
	return key;
}

static int set_up(void **state)
{
	memset(&config, 0, sizeof config);
	assert_int_equal(truncate(calls, 0), 0);
	return control_init(&device, "wg0", &aead_libsodium, NULL) || children_start(&children, loop);
}

static int tear_down(void **state)
{
	peer_hooks_stop(&hooks);
	children_stop(&children);
	config_destroy(&config);
	control_destroy(&device, NULL);
	return 0;
}

static int make_file(void **state)
{
	int fd = mkstemp(calls);

	assert_true(fd >= 0);
	close(fd);
	setenv("CALLS", calls, 1);
	loop = ev_default_loop(0);
	return 0;
}

static int remove_file(void **state)
{
	ev_loop_destroy(loop);
	return unlink(calls);
}

static void add(struct config_line **list, const char *command)
{
	assert_int_equal(config_line_append(list, command, 1), 0);
}

static void begin(void)
{
	assert_int_equal(peer_hooks_start(&hooks, &device, &children, &config), 0);
}

static void emit(unsigned number, bool up, const char *name)
{
	struct event event = { .kind = up ? EVENT_PEER_UP : EVENT_PEER_DOWN,
						   .interface = "wg0",
						   .public_key = key_of(number),
						   .name = name,
						   .endpoint = "[fe80::1%eth0]:1",
						   .reason = up ? NULL : "removed" };

	event_emit(&device.events, &event);
}

static bool is_idle(void)
{
	return !hooks.running && list_empty(&hooks.waiting);
}

static void run_until_idle(void)
{
	ev_tstamp limit = ev_time() + SECONDS;

	while (!is_idle()) {
		assert_true(ev_time() < limit);
		ev_run(loop, EVRUN_ONCE);
		assert_true(hooks.running <= PEER_HOOK_PROCESSES);
	}
}

static const char *read_calls(void)
{
	static char text[1 << 16];
	FILE *file = fopen(calls, "r");

	assert_non_null(file);
	text[fread(text, 1, sizeof text - 1, file)] = '\0';
	fclose(file);
	return text;
}

/* --- expansion ----- */

static void assert_expanded(const char *command, const char *expected)
{
	char *expanded = peer_hook_expand(command, "wg0", "KEY=");

	assert_string_equal(expanded, expected);
	free(expanded);
}

static void names_and_endpoints_become_variables(void **state)
{
	assert_expanded("x %i %k %n %e", "x wg0 KEY= \"${ADIT_PEER}\" \"${ADIT_ENDPOINT}\"");
	assert_expanded("x \"%n is %e\"", "x \"${ADIT_PEER} is ${ADIT_ENDPOINT}\"");
	assert_expanded("sh -c 'echo %n'", "sh -c 'echo ${ADIT_PEER}'");
	assert_expanded("x \\\"%n\\\" '\\' %n", "x \\\"\"${ADIT_PEER}\"\\\" '\\' \"${ADIT_PEER}\"");
	assert_expanded("100% %% %x %", "100% %% %x %");
	assert_expanded("", "");
}

static void no_name_becomes_code(void **state)
{
	static const char *const names[] = { "a b",
										 "$(echo no >>$CALLS)",
										 "`echo no >>$CALLS`",
										 "'; echo no >>$CALLS; '",
										 "\"; echo no >>$CALLS; \"",
										 "\\",
										 "$HOME",
										 "*",
										 "a\"b'c" };
	static const char *const commands[] = { "printf '%%s\\n' %n >>$CALLS",
											"echo \"%n\" >/dev/null",
											"sh -c 'printf \"%%s\\n\" \"%n\"' >/dev/null",
											"echo '%n' >/dev/null",
											"echo \"$(echo \"%n\")\" >/dev/null",
											"true '%n'%n\"%n\"" };

	for (size_t i = 0; i < sizeof commands / sizeof *commands; i++) {
		char *percent;
		char text[128];

		snprintf(text, sizeof text, "%s", commands[i]);
		while ((percent = strstr(text, "%%"))) /* so that the format is that of printf(1) */
			memmove(percent, percent + 1, strlen(percent));
		add(&config.peer_hooks[PEER_HOOK_UP], text);
	}
	begin();
	for (unsigned i = 0; i < sizeof names / sizeof *names; i++) {
		char expected[128];

		assert_int_equal(truncate(calls, 0), 0);
		emit(i, true, names[i]);
		run_until_idle();
		snprintf(expected, sizeof expected, "%s\n", names[i]);
		assert_string_equal(read_calls(), expected);
	}
}

/* --- runs ----- */

static struct config_peer *add_peer(unsigned number)
{
	struct config_peer *peer = calloc(1, sizeof *peer);

	assert_non_null(peer);
	memcpy(peer->public_key, key_of(number), KEY_BYTES);
	peer->has_public_key = true;
	peer->next = config.peers;
	config.peers = peer;
	return peer;
}

static void the_commands_of_the_interface_come_first(void **state)
{
	struct config_peer *peer = add_peer(1);

	add(&config.peer_hooks[PEER_HOOK_UP], "echo 1 $ADIT_EVENT $ADIT_INTERFACE >>$CALLS");
	add(&config.peer_hooks[PEER_HOOK_UP], "echo 2; false");
	add(&config.peer_hooks[PEER_HOOK_DOWN], "echo down $ADIT_REASON >>$CALLS");
	add(&peer->hooks[PEER_HOOK_UP], "echo 3 $ADIT_PEER %e >>$CALLS");
	begin();
	emit(1, true, "alice");
	run_until_idle();
	emit(2, true, NULL);
	run_until_idle();
	emit(1, false, "alice");
	run_until_idle();
	assert_string_equal(read_calls(), "1 PeerUp wg0\n3 alice [fe80::1%eth0]:1\n1 PeerUp wg0\ndown removed\n");
}

static void without_commands_nothing_is_kept(void **state)
{
	begin();
	emit(1, true, NULL);
	assert_true(is_idle());
	assert_true(list_empty(&hooks.peers));
	add(&config.peer_hooks[PEER_HOOK_UP], "true");
	peer_hooks_reload(&hooks, &config);
	emit(1, true, NULL);
	emit(2, true, NULL);
	run_until_idle();
	emit(2, false, NULL);
	run_until_idle();
	assert_non_null(list_first(&hooks.peers)); /* the first peer is up */
	assert_ptr_equal(list_next(&hooks.peers, list_first(&hooks.peers)), NULL);
}

static void the_last_state_of_a_flapping_peer_wins(void **state)
{
	add(&config.peer_hooks[PEER_HOOK_UP], "echo up >>$CALLS; sleep 0.1");
	add(&config.peer_hooks[PEER_HOOK_DOWN], "echo down >>$CALLS");
	begin();
	for (int i = 0; i < 7; i++)
		emit(1, i % 2 == 0, NULL);
	while (!hooks.running)
		ev_run(loop, EVRUN_ONCE);
	for (int i = 0; i < 1000; i++)
		emit(1, i % 2 == 1, NULL);
	emit(1, false, NULL);
	run_until_idle();
	assert_string_equal(read_calls(), "up\ndown\n");
	emit(1, true, NULL);
	emit(1, false, NULL);
	run_until_idle();
	assert_string_equal(read_calls(), "up\ndown\n");
}

static void runs_of_a_peer_are_a_second_apart(void **state)
{
	ev_tstamp begun;

	add(&config.peer_hooks[PEER_HOOK_UP], "true");
	add(&config.peer_hooks[PEER_HOOK_DOWN], "true");
	begin();
	begun = ev_time();
	for (int i = 0; i < 3; i++) {
		emit(1, i % 2 == 0, NULL);
		run_until_idle();
	}
	assert_true(ev_time() - begun > 1.9);
}

/* The commands of a peer must not wait for the time of day to come back. */
static void a_clock_that_is_set_back_holds_up_no_run(void **state)
{
	add(&config.peer_hooks[PEER_HOOK_UP], "true");
	add(&config.peer_hooks[PEER_HOOK_DOWN], "true");
	begin();
	emit(1, true, NULL);
	run_until_idle();
	wall_clock_step = -3600;
	emit(1, false, NULL);
	ev_run(loop, EVRUN_NOWAIT);
	assert_true(ev_timer_remaining(loop, &hooks.start) <= 1);
	run_until_idle();
	wall_clock_step = 0;
}

static void many_peers_run_in_order_and_few_at_a_time(void **state)
{
	unsigned ups = 0, downs = 0;
	char line[32];
	const char *text;

	add(&config.peer_hooks[PEER_HOOK_UP], "echo up.%n. >>$CALLS");
	add(&config.peer_hooks[PEER_HOOK_DOWN], "echo down.%n. >>$CALLS");
	begin();
	for (int up = 1; up >= 0; up--) {
		for (unsigned i = 0; i < MANY; i++) {
			char name[16];

			snprintf(name, sizeof name, "p%u", i);
			emit(i, up, name);
		}
		run_until_idle();
	}
	text = read_calls();
	for (unsigned i = 0; i < MANY; i++) {
		const char *up, *down;

		snprintf(line, sizeof line, "up.p%u.\n", i);
		up = strstr(text, line);
		snprintf(line, sizeof line, "down.p%u.\n", i);
		down = strstr(text, line);
		assert_true(up && down && up < down);
	}
	for (const char *at = text; *at; at = strchr(at, '\n') + 1)
		*at == 'u' ? ups++ : downs++;
	assert_int_equal(ups, MANY);
	assert_int_equal(downs, MANY);
	assert_true(list_empty(&hooks.peers));
}

static void a_reload_runs_nothing_but_counts_from_then_on(void **state)
{
	struct peer *peer = peer_add(&device, key_of(1));

	assert_non_null(peer);
	begin();
	peer->state.announced = true;
	add(&config.peer_hooks[PEER_HOOK_UP], "echo up >>$CALLS");
	add(&config.peer_hooks[PEER_HOOK_DOWN], "echo down >>$CALLS");
	peer_hooks_reload(&hooks, &config);
	assert_true(is_idle());
	peer->state.announced = false;
	emit(1, false, NULL);
	run_until_idle();
	assert_string_equal(read_calls(), "down\n");
}

static void a_peer_that_a_reload_removes_has_its_last_commands(void **state)
{
	struct config_peer *peer = add_peer(1);

	add(&peer->hooks[PEER_HOOK_DOWN], "echo down >>$CALLS");
	begin();
	emit(1, true, NULL);
	run_until_idle();
	emit(1, false, NULL);
	config_destroy(&config);
	peer_hooks_reload(&hooks, &config);
	run_until_idle();
	assert_string_equal(read_calls(), "down\n");
	assert_true(list_empty(&hooks.peers));
}

/* Peer 1 was up in the process before and is so now, peer 2 has gone down since, and peer 3 came up. */
static void a_process_that_takes_over_runs_what_has_changed(void **state)
{
	for (unsigned i = 1; i <= 3; i++) {
		struct peer *peer = peer_add(&device, key_of(i));

		assert_non_null(peer);
		peer->state.inherited = i != 3;
		peer->state.announced = i != 2;
	}
	add(&config.peer_hooks[PEER_HOOK_UP], "echo up %k >>$CALLS");
	add(&config.peer_hooks[PEER_HOOK_DOWN], "echo down %k >>$CALLS");
	begin();
	run_until_idle();
	if (*read_calls() == 'u')
		assert_string_equal(read_calls(), "up AQMAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=\n"
										  "down AQIAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=\n");
	else
		assert_string_equal(read_calls(), "down AQIAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=\n"
										  "up AQMAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=\n");
}

static void the_end_waits_for_the_commands_but_not_for_ever(void **state)
{
	ev_tstamp begun;

	setenv(HOOK_TIMEOUT_VARIABLE, "2", 1);
	add(&config.peer_hooks[PEER_HOOK_UP], "true");
	add(&config.peer_hooks[PEER_HOOK_DOWN], "sleep 0.1; echo down >>$CALLS");
	add(&config.peer_hooks[PEER_HOOK_DOWN], "sleep 60");
	begin();
	emit(1, true, NULL);
	run_until_idle();
	emit(1, false, NULL);
	begun = ev_time();
	peer_hooks_finish(&hooks, &never);
	assert_string_equal(read_calls(), "down\n");
	assert_uint_in_range((int)((ev_time() - begun) * 1000), 1900, 30000);
	unsetenv(HOOK_TIMEOUT_VARIABLE);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(names_and_endpoints_become_variables),
		TEST(no_name_becomes_code),
		TEST(the_commands_of_the_interface_come_first),
		TEST(without_commands_nothing_is_kept),
		TEST(the_last_state_of_a_flapping_peer_wins),
		TEST(runs_of_a_peer_are_a_second_apart),
		TEST(a_clock_that_is_set_back_holds_up_no_run),
		TEST(many_peers_run_in_order_and_few_at_a_time),
		TEST(a_reload_runs_nothing_but_counts_from_then_on),
		TEST(a_peer_that_a_reload_removes_has_its_last_commands),
		TEST(a_process_that_takes_over_runs_what_has_changed),
		TEST(the_end_waits_for_the_commands_but_not_for_ever),
	};

	log_set_level(LOG_SILENT);
	return sodium_init() < 0 ? 1 : cmocka_run_group_tests(tests, make_file, remove_file);
}
