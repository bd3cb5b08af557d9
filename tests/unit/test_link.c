/* SPDX-License-Identifier: MIT */
/* Tests of the TUN's link: its state, its events, and moves to another namespace. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <poll.h>
#include <sys/socket.h>

#include "io/link.h"
#include "sandbox.h"

enum { EVENT_MS = 60000, QUIET_MS = 2000 };

/* A command that runs after the name of the device was read, once for each count. */
static const char *after_name;
static int after_count;

int __real_ioctl(int fd, unsigned long request, void *argument);
int __wrap_ioctl(int fd, unsigned long request, void *argument);
int __wrap_ioctl(int fd, unsigned long request, void *argument)
{
	int status = __real_ioctl(fd, request, argument);

	if (request == TUNGETIFF && after_count) {
		after_count--;
		sandbox_run("%s", after_name);
	}
	return status;
}

/* Waits for an event that link_read does not ignore. Returns its result, or 0 if there is no event in that time. */
static int wait_for_event(struct link *link, int milliseconds)
{
	int status = 0;

	while (!status) {
		struct pollfd poll_for = { link->watch, POLLIN, 0 };
		if (poll(&poll_for, 1, milliseconds) != 1)
			return 0;
		status = link_read(link);
	}
	return status;
}

static void expect(const struct link *link, bool up, uint32_t mtu)
{
	struct link_state state;

	assert_int_equal(link_state(link, &state), 0);
	assert_int_equal(state.up, up);
	assert_int_equal(state.mtu, mtu);
}

static void the_state_is_reported(void **state)
{
	int tun = sandbox_tun("link0");
	struct link link;

	assert_int_equal(link_open(&link, tun), 0);
	expect(&link, false, 1500);
	sandbox_run("ip link set link0 mtu 1337 up");
	assert_int_equal(wait_for_event(&link, EVENT_MS) & ~LINK_DOWN, LINK_STATE);
	expect(&link, true, 1337);
	assert_int_equal(link_set_mtu(&link, 65535 - 100), 0);
	assert_int_equal(wait_for_event(&link, EVENT_MS), LINK_STATE);
	expect(&link, true, 65535 - 100);
	sandbox_run("ip link set link0 down");
	assert_int_equal(wait_for_event(&link, EVENT_MS), LINK_STATE | LINK_DOWN);
	expect(&link, false, 65535 - 100);
	sandbox_run("ip link set link0 up; ip link set link0 down; ip link set link0 up");
	assert_int_equal(wait_for_event(&link, EVENT_MS), LINK_STATE | LINK_DOWN);
	expect(&link, true, 65535 - 100);
	sandbox_run("ip link set link0 mtu 1400");
	assert_int_equal(wait_for_event(&link, EVENT_MS), LINK_STATE);
	link_close(&link);
	close(tun);
}

static void events_of_other_links_are_ignored(void **state)
{
	int tun = sandbox_tun("link0");
	struct link link;

	assert_int_equal(link_open(&link, tun), 0);
	while (wait_for_event(&link, QUIET_MS)) /* events of its creation */
		continue;
	sandbox_run("ip link set lo up");
	assert_int_equal(link_read(&link), 0);
	link_close(&link);
	close(tun);
}

/* The state and the MTUs of routes have to be read again. */
static void lost_events_count_as_changes_of_everything(void **state)
{
	int tun = sandbox_tun("link0"), size = 4096;
	struct link link;

	assert_int_equal(link_open(&link, tun), 0);
	assert_int_equal(setsockopt(link.watch, SOL_SOCKET, SO_RCVBUF, &size, sizeof size), 0);
	sandbox_run("for i in $(seq 1300 1363); do echo link set link0 mtu $i; done | ip -batch -");
	assert_int_equal(wait_for_event(&link, EVENT_MS), LINK_STATE | LINK_ROUTES);
	expect(&link, false, 1363);
	link_close(&link);
	close(tun);
}

static void a_rename_while_the_state_is_read_does_no_harm(void **state)
{
	int tun = sandbox_tun("link0"), other;
	struct link link;

	after_name = "ip link set dev link0 name renamed";
	after_count = 1;
	assert_int_equal(link_open(&link, tun), 0);
	assert_int_equal(link.index, if_nametoindex("renamed"));
	sandbox_run("ip link set renamed mtu 1337");
	after_name = "ip link set dev renamed name link0";
	after_count = 1;
	expect(&link, false, 1337);
	other = sandbox_tun("second"); /* takes the name */
	after_name = "ip link set dev link0 name renamed; ip link set dev second name link0";
	after_count = 1;
	expect(&link, false, 1337);
	after_name = "ip link set dev renamed name third; ip link set dev link0 name renamed";
	after_count = 1;
	assert_int_equal(link_set_mtu(&link, 1400), 0);
	expect(&link, false, 1400);
	link_close(&link);
	close(other);
	close(tun);
}

static void a_move_to_another_namespace_is_followed(void **state)
{
	int tun = sandbox_tun("link0"), here;
	struct link link;
	char holder[64];

	assert_int_equal(link_open(&link, tun), 0);
	snprintf(holder, sizeof holder, "%s",
			 sandbox_output("unshare -n sleep 600 >/dev/null 2>&1 &"
							"while [ \"$(readlink /proc/$!/ns/net)\" = \"$(readlink /proc/self/ns/net)\" ];"
							"do sleep 0.01; done; echo $!"));
	sandbox_run("ip link set link0 netns %d", atoi(holder));
	assert_int_equal(wait_for_event(&link, EVENT_MS), LINK_STATE | LINK_DOWN | LINK_ROUTES);
	expect(&link, false, 1500);
	sandbox_run("nsenter -t %d -n ip link set link0 name other", atoi(holder));
	sandbox_run("nsenter -t %d -n ip link set other mtu 1400 up", atoi(holder));
	assert_int_equal(wait_for_event(&link, EVENT_MS) & ~LINK_DOWN, LINK_STATE);
	while (wait_for_event(&link, QUIET_MS))
		continue;
	expect(&link, true, 1400);
	sandbox_run("nsenter -t %d -n ip route add 10.9.0.0/24 dev other mtu 1300", atoi(holder));
	assert_int_equal(wait_for_event(&link, EVENT_MS), LINK_ROUTES);
	here = socket(AF_INET, SOCK_DGRAM, 0); /* the thread is in its namespace again */
	assert_true(here >= 0);
	sandbox_run("ip link show lo >/dev/null && ! ip link show other 2>/dev/null");
	close(here);
	link_close(&link);
	close(tun);
	sandbox_run("kill %d", atoi(holder));
}

static void a_deleted_device_returns_ebadfd(void **state)
{
	int tun = sandbox_tun("link0");
	struct link_state unused;
	struct link link;

	assert_int_equal(link_open(&link, tun), 0);
	sandbox_run("ip link del link0");
	assert_true(wait_for_event(&link, EVENT_MS) != 0);
	assert_int_equal(link_state(&link, &unused), -EBADFD);
	link_close(&link);
	assert_int_equal(link_open(&link, tun), -EBADFD);
	close(tun);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_state_is_reported),
		cmocka_unit_test(events_of_other_links_are_ignored),
		cmocka_unit_test(lost_events_count_as_changes_of_everything),
		cmocka_unit_test(a_rename_while_the_state_is_read_does_no_harm),
		cmocka_unit_test(a_move_to_another_namespace_is_followed),
		cmocka_unit_test(a_deleted_device_returns_ebadfd),
	};
	sandbox_need_tun();
	sandbox_enter();
	return cmocka_run_group_tests_name("link", tests, NULL, NULL);
}
