/* SPDX-License-Identifier: MIT */
/* Tests of the messages to the service manager, and of the descriptors that it stores and passes. */
#include "daemon/fd_store.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>

#include "daemon/notify.h"
#include "notify_rig.h"

static char path[64]; /* of the socket in the file system */

static struct notify_rig rig;

static int set_up(void **state)
{
	snprintf(path, sizeof path, "/tmp/adit-test-notify-%d", (int)getpid());
	notify_rig_open(&rig, path);
	return 0;
}

static int tear_down(void **state)
{
	notify_rig_close(&rig);
	return 0;
}

static bool is_same_file(int a, int b)
{
	struct stat one, other;

	return !fstat(a, &one) && !fstat(b, &other) && one.st_dev == other.st_dev && one.st_ino == other.st_ino;
}

/* --- messages ----- */

static void a_state_is_sent_as_it_is(void **state)
{
	assert_true(notify_is_possible());
	assert_int_equal(notify_service("READY=1\nSTATUS=up"), 0);
	assert_string_equal(notify_rig_next(&rig), "READY=1\nSTATUS=up");
	assert_int_equal(rig.count, 0);
}

static void an_abstract_socket_is_found(void **state)
{
	struct notify_rig abstract;

	notify_rig_open(&abstract, "@adit/test/notify");
	assert_int_equal(notify_service("READY=1"), 0);
	assert_string_equal(notify_rig_next(&abstract), "READY=1");
	notify_rig_close(&abstract);
	setenv("NOTIFY_SOCKET", path, 1);
}

static void without_a_service_manager_nothing_is_sent(void **state)
{
	unsetenv("NOTIFY_SOCKET");
	assert_false(notify_is_possible());
	assert_int_equal(notify_service("READY=1"), 0);
	assert_int_equal(notify_barrier(1000), 0);
	setenv("NOTIFY_SOCKET", "", 1);
	assert_false(notify_is_possible());
	setenv("NOTIFY_SOCKET", path, 1);
	assert_string_equal(notify_rig_next(&rig), "");
}

static void a_wrong_address_is_an_error(void **state)
{
	char longest[200];

	memset(longest, 'x', sizeof longest);
	longest[0] = '/';
	longest[sizeof longest - 1] = '\0';
	setenv("NOTIFY_SOCKET", "relative", 1);
	assert_int_equal(notify_service("READY=1"), -EINVAL);
	setenv("NOTIFY_SOCKET", longest, 1);
	assert_int_equal(notify_service("READY=1"), -EINVAL);
	setenv("NOTIFY_SOCKET", "/tmp/adit-test-nobody", 1);
	assert_int_equal(notify_service("READY=1"), -ENOENT);
	assert_int_equal(notify_barrier(1000), -ENOENT);
	setenv("NOTIFY_SOCKET", path, 1);
}

static void a_reload_has_a_time(void **state)
{
	struct timespec now;
	unsigned long long usec = 0;

	notify_reloading();
	assert_int_equal(sscanf(notify_rig_next(&rig), "RELOADING=1\nMONOTONIC_USEC=%llu", &usec), 1);
	clock_gettime(CLOCK_MONOTONIC, &now);
	assert_uint_in_range((unsigned long long)now.tv_sec * 1000000 - usec + 1000000, 0, 2000000);
}

static void a_barrier_ends_when_the_pipe_is_closed(void **state)
{
	assert_int_equal(notify_barrier(10), -ETIMEDOUT);
	assert_string_equal(notify_rig_next(&rig), "BARRIER=1");
	assert_int_equal(rig.count, 1);
	close(rig.fds[0]);
}

static void descriptors_are_stored_in_place_of_old_ones(void **state)
{
	int fds[2] = { open("/dev/null", O_RDONLY), open("/proc/self/status", O_RDONLY) };

	assert_int_equal(fd_store_replace("tun", fds, 2), 0);
	assert_string_equal(notify_rig_next(&rig), "FDSTOREREMOVE=1\nFDNAME=tun");
	assert_int_equal(rig.count, 0);
	assert_string_equal(notify_rig_next(&rig), "FDSTORE=1\nFDNAME=tun\nFDPOLL=0");
	assert_int_equal(rig.count, 2);
	for (int i = 0; i < 2; i++) {
		assert_true(is_same_file(rig.fds[i], fds[i]));
		close(rig.fds[i]);
		close(fds[i]);
	}
	assert_int_equal(fd_store_replace("udp", NULL, 0), 0);
	assert_string_equal(notify_rig_next(&rig), "FDSTOREREMOVE=1\nFDNAME=udp");
	assert_string_equal(notify_rig_next(&rig), "");
}

/* --- received descriptors ----- */

/* Sets the variables as the service manager does, for `count` descriptors from 3 on, which belong to process `to`. */
static void pass(const char *count, const char *names, pid_t to)
{
	char pid[32];

	snprintf(pid, sizeof pid, "%d", (int)to);
	setenv("LISTEN_PID", pid, 1);
	setenv("LISTEN_FDS", count, 1);
	setenv("LISTEN_FDNAMES", names, 1);
}

/* Runs a test in a child, because the descriptors from 3 on are its own. */
static void in_child(void (*test)(void))
{
	int status;
	pid_t child = fork();

	if (!child) {
		int null = open("/dev/null", O_RDWR);

		for (int fd = 3; fd < 3 + FD_STORE_MAX + 10; fd++)
			dup2(null, fd);
		test();
		_exit(0);
	}
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_int_equal(status, 0);
}

#define REQUIRE(condition)                                                                                             \
	do {                                                                                                               \
		if (!(condition)) {                                                                                            \
			fprintf(stderr, "failed: %s\n", #condition);                                                               \
			_exit(1);                                                                                                  \
		}                                                                                                              \
	} while (0)

static void receive_sets(void)
{
	struct fd_store store;
	int fds[4];

	pass("5", "tun:udp:tun:a-name-that-is-too-long:", getpid());
	fd_store_receive(&store);
	REQUIRE(store.count == 5 && store.last == 7);
	REQUIRE(!getenv("LISTEN_PID") && !getenv("LISTEN_FDS") && !getenv("LISTEN_FDNAMES"));
	for (int fd = 3; fd < 8; fd++)
		REQUIRE(fcntl(fd, F_GETFD) == FD_CLOEXEC);
	REQUIRE(fcntl(8, F_GETFD) == 0);
	REQUIRE(fd_store_take(&store, "tun", fds, 4) == 2 && fds[0] == 3 && fds[1] == 5);
	REQUIRE(fd_store_take(&store, "tun", fds, 4) == 0);
	REQUIRE(fd_store_take(&store, "udp", fds, 4) == 1 && fds[0] == 4);
	REQUIRE(fd_store_take(&store, "a-name-that-is-", fds, 4) == 0);
	REQUIRE(store.count == 2);
	fd_store_discard(&store);
	REQUIRE(store.count == 0 && fcntl(6, F_GETFD) < 0 && fcntl(7, F_GETFD) < 0 && fcntl(3, F_GETFD) >= 0);
}

static void descriptors_are_taken_by_name(void **state)
{
	in_child(receive_sets);
	assert_string_equal(notify_rig_next(&rig), ""); /* what has no name cannot be removed */
}

static void receive_and_discard(void)
{
	struct fd_store store;
	int fd;

	pass("4", "udp:other:udp:udp", getpid());
	fd_store_receive(&store);
	REQUIRE(fd_store_take(&store, "udp", &fd, 1) == 1 && store.count == 3);
	fd_store_discard(&store);
}

static void descriptors_that_are_not_taken_are_removed_once(void **state)
{
	in_child(receive_and_discard);
	assert_string_equal(notify_rig_next(&rig), "FDSTOREREMOVE=1\nFDNAME=other");
	assert_string_equal(notify_rig_next(&rig), "FDSTOREREMOVE=1\nFDNAME=udp");
	assert_string_equal(notify_rig_next(&rig), "");
}

static void receive_nothing(void)
{
	static const struct {
		const char *count;
		int pid; /* added to our own */
	} cases[] = { { "2", 1 }, { "0", 0 }, { "", 0 }, { "-1", 0 }, { "2x", 0 }, { "99999999999999999999", 0 } };
	struct fd_store store;

	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		pass(cases[i].count, "tun:tun", getpid() + cases[i].pid);
		fd_store_receive(&store);
		REQUIRE(store.count == 0 && store.last == STDERR_FILENO && fcntl(3, F_GETFD) >= 0);
	}
	fd_store_receive(&store); /* without variables */
	REQUIRE(store.count == 0);
}

static void descriptors_of_others_and_bad_numbers_are_ignored(void **state)
{
	in_child(receive_nothing);
}

static void receive_too_many(void)
{
	struct fd_store store;

	pass("133", "", getpid());
	fd_store_receive(&store);
	REQUIRE(store.count == FD_STORE_MAX && store.last == 3 + FD_STORE_MAX - 1);
	REQUIRE(fcntl(3 + FD_STORE_MAX, F_GETFD) < 0 && fcntl(3 + 133, F_GETFD) >= 0);
}

static void descriptors_beyond_the_limit_are_closed(void **state)
{
	in_child(receive_too_many);
}

static void receive_closed_ones(void)
{
	struct fd_store store;

	close(4);
	pass("3", "a:b:c", getpid());
	fd_store_receive(&store);
	REQUIRE(store.count == 2 && !strcmp(store.items[1].name, "c"));
}

static void descriptors_that_are_not_open_are_skipped(void **state)
{
	in_child(receive_closed_ones);
}

#define WITH_RIG(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		WITH_RIG(a_state_is_sent_as_it_is),
		WITH_RIG(an_abstract_socket_is_found),
		WITH_RIG(without_a_service_manager_nothing_is_sent),
		WITH_RIG(a_wrong_address_is_an_error),
		WITH_RIG(a_reload_has_a_time),
		WITH_RIG(a_barrier_ends_when_the_pipe_is_closed),
		WITH_RIG(descriptors_are_stored_in_place_of_old_ones),
		WITH_RIG(descriptors_are_taken_by_name),
		WITH_RIG(descriptors_that_are_not_taken_are_removed_once),
		WITH_RIG(descriptors_of_others_and_bad_numbers_are_ignored),
		WITH_RIG(descriptors_beyond_the_limit_are_closed),
		WITH_RIG(descriptors_that_are_not_open_are_skipped),
	};

	return cmocka_run_group_tests_name("fd_store", tests, NULL, NULL);
}
