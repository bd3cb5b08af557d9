/* SPDX-License-Identifier: MIT */
/* Tests of the watchdog, the status and the unit's name. */
#include "daemon/watchdog.h"

#include "base/service_unit.h"
#include "daemon/status.h"
#include "notify_rig.h"

#include <sodium.h>

#include "base/clock.h"
#include "tunnel/control.h"
#include "tunnel/loop.h"
#include "tunnel/peer.h"
#include "wall_clock.h"

#define USEC "40000"
#define WATCHDOG_TEXT "WATCHDOG=1\nSTATUS=0 peers, 0 up"

struct scene {
	struct notify_rig rig;
	struct device device;
	struct aead_provider aead;
	struct watchdog watchdog;
	struct status status;
	struct ev_loop *loop;
};

static int set_up(void **state)
{
	struct scene *scene = calloc(1, sizeof *scene);
	char path[64];

	snprintf(path, sizeof path, "@adit/test/watchdog/%d", (int)getpid());
	notify_rig_open(&scene->rig, path);
	scene->loop = ev_loop_new(LOOP_FLAGS);
	assert_int_equal(aead_init(&scene->aead, "libsodium"), 0);
	assert_int_equal(control_init(&scene->device, "tun0", &scene->aead, NULL), 0);
	unsetenv("WATCHDOG_PID");
	unsetenv("WATCHDOG_USEC");
	*state = scene;
	return 0;
}

static int tear_down(void **state)
{
	struct scene *scene = *state;

	watchdog_stop(&scene->watchdog);
	status_stop(&scene->status);
	notify_rig_close(&scene->rig);
	control_destroy(&scene->device, NULL);
	aead_destroy(&scene->aead);
	ev_loop_destroy(scene->loop);
	free(scene);
	return 0;
}

/* Returns the number of messages that the loop sends in 110 ms. */
static unsigned count_messages(struct scene *scene)
{
	uint64_t end = clock_boottime() + 110 * NS_PER_MS;
	unsigned count = 0;

	while (clock_boottime() < end) {
		ev_run(scene->loop, EVRUN_NOWAIT);
		while (*notify_rig_next(&scene->rig)) {
			assert_string_equal(scene->rig.text, WATCHDOG_TEXT);
			count++;
		}
		usleep(1000);
	}
	return count;
}

/* Starts the watchdog, and runs the loop until six messages have arrived: at 0, 20, 40, 60, 80 and 100 ms, or later. */
static void expect_six_messages(struct scene *scene)
{
	uint64_t begin = clock_boottime();

	ev_now_update(scene->loop);
	watchdog_start(&scene->watchdog, &scene->device, scene->loop);
	for (unsigned count = 0; count < 6;) {
		ev_run(scene->loop, EVRUN_ONCE);
		while (*notify_rig_next(&scene->rig)) {
			assert_string_equal(scene->rig.text, WATCHDOG_TEXT);
			count++;
		}
		assert_true(clock_boottime() - begin < 60 * NS_PER_S);
	}
	assert_true(clock_boottime() - begin > 90 * NS_PER_MS);
}

static void two_messages_per_interval(void **state)
{
	struct scene *scene = *state;
	char pid[32];

	snprintf(pid, sizeof pid, "%d", (int)getpid());
	setenv("WATCHDOG_USEC", USEC, 1);
	setenv("WATCHDOG_PID", pid, 1);
	expect_six_messages(scene);
	watchdog_stop(&scene->watchdog);
	assert_int_equal(count_messages(scene), 0);
}

static void the_process_id_is_optional(void **state)
{
	struct scene *scene = *state;

	setenv("WATCHDOG_USEC", USEC, 1);
	expect_six_messages(scene);
}

static void without_a_watchdog_there_is_no_timer(void **state)
{
	static const struct {
		const char *usec, *pid;
	} cases[] = { { NULL, NULL }, { "0", NULL }, { "", NULL }, { "-5", NULL }, { "20x", NULL }, { USEC, "1" } };
	struct scene *scene = *state;

	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		unsetenv("WATCHDOG_USEC");
		unsetenv("WATCHDOG_PID");
		if (cases[i].usec)
			setenv("WATCHDOG_USEC", cases[i].usec, 1);
		if (cases[i].pid)
			setenv("WATCHDOG_PID", cases[i].pid, 1);
		watchdog_start(&scene->watchdog, &scene->device, scene->loop);
		assert_null(scene->watchdog.loop);
	}
	setenv("WATCHDOG_USEC", USEC, 1);
	unsetenv("NOTIFY_SOCKET");
	unsetenv("WATCHDOG_PID");
	watchdog_start(&scene->watchdog, &scene->device, scene->loop);
	assert_null(scene->watchdog.loop);
}

static void the_status_names_the_last_handshake(void **state)
{
	static const struct {
		uint64_t seconds;
		const char *text;
	} cases[] = {
		{ 0, "0 s" },        { 32, "32 s" },  { 119, "119 s" },   { 120, "2 min" },
		{ 7199, "119 min" }, { 7200, "2 h" }, { 172799, "47 h" }, { 172800, "2 days" },
	};
	struct scene *scene = *state;
	uint8_t key[NOISE_KEY] = { 1 };
	char text[STATUS_TEXT], expected[STATUS_TEXT];
	struct peer *peer = peer_add(&scene->device, key);
	uint64_t now = 1000000 * NS_PER_S;

	assert_string_equal(status_text(text, &scene->device, now), "1 peer, 0 up");
	key[0] = 2;
	assert_non_null(peer_add(&scene->device, key));
	assert_string_equal(status_text(text, &scene->device, now), "2 peers, 0 up");
	peer->handshake_wall = 1;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		peer->handshake_completed = now - cases[i].seconds * NS_PER_S;
		snprintf(expected, sizeof expected, "2 peers, 0 up, last handshake %s ago", cases[i].text);
		assert_string_equal(status_text(text, &scene->device, now), expected);
	}
}

static void expect_no_status(struct scene *scene, uint64_t milliseconds)
{
	uint64_t end = clock_boottime() + milliseconds * NS_PER_MS;

	while (clock_boottime() < end) {
		ev_run(scene->loop, EVRUN_NOWAIT);
		assert_string_equal(notify_rig_next(&scene->rig), "");
		usleep(1000);
	}
}

static void expect_status(struct scene *scene)
{
	static const char begin[] = "STATUS=1 peer, 0 up, last handshake ";

	while (!*notify_rig_next(&scene->rig)) {
		assert_true(ev_is_active(&scene->status.timer));
		ev_run(scene->loop, EVRUN_ONCE);
	}
	assert_memory_equal(scene->rig.text, begin, sizeof begin - 1);
}

static void handshakes_send_the_status_at_a_limited_rate(void **state)
{
	struct scene *scene = *state;
	uint8_t key[NOISE_KEY] = { 1 };
	struct peer *peer = peer_add(&scene->device, key);

	status_start(&scene->status, &scene->device, scene->loop);
	expect_no_status(scene, 150); /* an idle tunnel sends nothing */
	for (int i = 0; i < 5; i++)
		peer_handshake_completed(peer, clock_boottime());
	expect_status(scene);
	peer_handshake_completed(peer, clock_boottime());
	expect_no_status(scene, 300); /* it is sent later */
	assert_true(ev_is_active(&scene->status.timer));
	ev_timer_stop(scene->loop, &scene->status.timer);
	wall_clock_step = -3600; /* somebody sets the clock back */
	peer_handshake_completed(peer, clock_boottime());
	wall_clock_step = 0;
	assert_true(ev_timer_remaining(scene->loop, &scene->status.timer) <= 10);
	status_stop(&scene->status);
	peer_handshake_completed(peer, clock_boottime());
	expect_no_status(scene, 150);
}

static void the_unit_is_found_in_the_cgroups(void **state)
{
	static const struct {
		const char *cgroups, *unit;
	} cases[] = {
		{ "0::/system.slice/system-adit.slice/adit@wg0.service\n", "adit@wg0.service" },
		{ "0::/system.slice/adit@wg0.service/init.scope", "adit@wg0.service" },
		{ "3:cpu:/other.service\n1:name=systemd:/system.slice/adit@wg0.service\n0::/\n", "adit@wg0.service" },
		{ "3:cpu:/other.service\n0::/system.slice/adit@a\\x2db.service\n", "adit@a\\x2db.service" },
		{ "0::/adit@wg0.service", "adit@wg0.service" },
		{ "0::/user.slice/user-0.slice/session-1.scope\n", NULL },
		{ "0::/\n", NULL },
		{ "0::/.service\n", NULL },
		{ "3:cpu:/other.service\n", NULL },
		{ "", NULL },
	};
	char unit[SERVICE_NAME], longest[2 * SERVICE_NAME] = "0::/";

	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		assert_int_equal(service_unit_of(cases[i].cgroups, unit), cases[i].unit != NULL);
		if (cases[i].unit)
			assert_string_equal(unit, cases[i].unit);
	}
	memset(longest + 4, 'x', SERVICE_NAME);
	strcpy(longest + 4 + SERVICE_NAME, ".service");
	assert_false(service_unit_of(longest, unit));
	assert_true(service_unit_allows("my-site_1.x"));
	assert_false(service_unit_allows("a=b") || service_unit_allows("a+b"));
	service_unit_name(unit, "my-site_1");
	assert_string_equal(unit, "adit@my-site_1");
	service_unit_name(unit, "x.target");
	assert_string_equal(unit, "adit@x.target.service");
}

#define SCENE(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		SCENE(two_messages_per_interval),
		SCENE(the_process_id_is_optional),
		SCENE(without_a_watchdog_there_is_no_timer),
		SCENE(the_status_names_the_last_handshake),
		SCENE(handshakes_send_the_status_at_a_limited_rate),
		cmocka_unit_test(the_unit_is_found_in_the_cgroups),
	};

	if (sodium_init() < 0)
		return 1;
	return cmocka_run_group_tests_name("watchdog", tests, NULL, NULL);
}
