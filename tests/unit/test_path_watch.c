/* SPDX-License-Identifier: MIT */
/* Unit tests of the path watches: what they share, and what may happen while one is called. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <unistd.h>

#include "io/path_watch.h"

enum { DESCRIPTORS = 64, QUEUE_MAX = 1 << 20 };

struct probe {
	struct path_watch watch;
	unsigned calls;
	struct path_watch *stops[2]; /* stopped in the callback */
};

static char home[] = "/tmp/test_path_watch.XXXXXX";
static struct path_watches watches;
static struct probe first, second;
static bool no_instance;

int __real_inotify_init1(int flags);
int __wrap_inotify_init1(int flags);
int __wrap_inotify_init1(int flags)
{
	if (no_instance) {
		errno = EMFILE;
		return -1;
	}
	return __real_inotify_init1(flags);
}

static void on_probe(struct path_watch *watch)
{
	struct probe *probe = container_of(watch, struct probe, watch);

	probe->calls++;
	for (size_t i = 0; i < 2; i++)
		if (probe->stops[i])
			path_watch_stop(probe->stops[i]);
}

static unsigned count_instances(void)
{
	char path[32], target[64];
	unsigned count = 0;

	for (int fd = 0; fd < DESCRIPTORS; fd++) {
		ssize_t length;

		snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
		length = readlink(path, target, sizeof target - 1);
		target[length > 0 ? length : 0] = '\0';
		count += !strcmp(target, "anon_inode:inotify");
	}
	return count;
}

static void write_file(const char *name)
{
	int fd = open(name, O_WRONLY | O_CREAT | O_TRUNC, 0600);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, "x", 1), 1);
	close(fd);
}

/* Lets the loop read all events, and compares the number of calls since the last time. */
static void expect_calls(unsigned of_first, unsigned of_second)
{
	for (int i = 0; i < 3; i++)
		ev_run(watches.loop, EVRUN_NOWAIT);
	assert_int_equal(first.calls, of_first);
	assert_int_equal(second.calls, of_second);
	first.calls = second.calls = 0;
}

static int set_up(void **state)
{
	watches = (struct path_watches) { .loop = ev_loop_new(EVFLAG_AUTO) };
	first = second = (struct probe) { .watch = { .watches = &watches, .changed = on_probe } };
	no_instance = false;
	strcpy(strrchr(home, '.'), ".XXXXXX");
	return !watches.loop || !mkdtemp(home) || chdir(home) || mkdir("folder", 0700) || mkdir("other", 0700);
}

static int tear_down(void **state)
{
	char command[sizeof home + sizeof "rm -r "];

	path_watch_stop(&first.watch);
	path_watch_stop(&second.watch);
	ev_loop_destroy(watches.loop);
	snprintf(command, sizeof command, "rm -r %s", home);
	return count_instances() || chdir("/") || system(command);
}

static void one_instance_is_open_while_there_are_watches(void **state)
{
	assert_int_equal(count_instances(), 0);
	assert_int_equal(path_watch_set(&first.watch, 0, "folder", IN_CREATE), 0);
	assert_int_equal(path_watch_set(&second.watch, 0, "other", IN_CREATE), 0);
	assert_int_equal(count_instances(), 1);
	path_watch_stop(&first.watch);
	path_watch_stop(&first.watch);
	assert_int_equal(count_instances(), 1);
	path_watch_stop(&second.watch);
	assert_int_equal(count_instances(), 0);
}

static void two_watches_of_one_folder_get_their_own_events(void **state)
{
	assert_int_equal(path_watch_set(&first.watch, 0, "folder", IN_CREATE), 0);
	assert_int_equal(path_watch_set(&second.watch, 1, "folder", IN_DELETE), 0);
	assert_int_equal(first.watch.ids[0], second.watch.ids[1]);
	write_file("folder/a");
	write_file("folder/b");
	expect_calls(1, 0);
	unlink("folder/a");
	expect_calls(0, 1);
	path_watch_stop(&first.watch);
	write_file("folder/a");
	unlink("folder/a");
	expect_calls(0, 1);
	path_watch_stop(&second.watch);
}

static void a_slot_follows_its_path(void **state)
{
	assert_int_equal(path_watch_set(&first.watch, 0, "folder", IN_CREATE), 0);
	assert_int_equal(path_watch_set(&second.watch, 0, "folder", IN_CREATE), 0);
	assert_int_equal(path_watch_set(&first.watch, 0, "other", IN_CREATE), 0);
	write_file("folder/a");
	expect_calls(0, 1);
	write_file("other/a");
	expect_calls(1, 0);
	assert_int_equal(path_watch_set(&first.watch, 0, "missing", IN_CREATE), -ENOENT);
	write_file("other/b");
	expect_calls(0, 0);
	assert_int_equal(path_watch_set(&first.watch, 0, "folder/a", IN_CREATE | IN_ONLYDIR), -ENOTDIR);
}

static void a_callback_may_stop_any_watch(void **state)
{
	assert_int_equal(path_watch_set(&first.watch, 0, "folder", IN_CREATE), 0);
	assert_int_equal(path_watch_set(&second.watch, 0, "folder", IN_CREATE), 0);
	first.stops[0] = second.stops[1] = &first.watch;
	write_file("folder/a");
	expect_calls(1, 1);
	write_file("folder/b");
	expect_calls(0, 1);
	assert_int_equal(path_watch_set(&first.watch, 0, "folder", IN_CREATE), 0);
	second.stops[0] = &second.watch;
	write_file("folder/c");
	expect_calls(0, 1); /* the second is the first in the list now, and stops both */
	assert_int_equal(count_instances(), 0);
}

static void a_deleted_folder_is_reported_once(void **state)
{
	assert_int_equal(path_watch_set(&first.watch, 0, "folder", IN_CREATE), 0);
	assert_int_equal(path_watch_set(&second.watch, 0, "other", IN_CREATE), 0);
	rmdir("folder");
	expect_calls(1, 0);
	mkdir("folder", 0700);
	write_file("folder/a");
	expect_calls(0, 0);
	assert_int_equal(path_watch_set(&first.watch, 0, "folder", IN_CREATE), 0);
	write_file("folder/b");
	expect_calls(1, 0);
}

static void lost_events_are_reported_to_all(void **state)
{
	FILE *file = fopen("/proc/sys/fs/inotify/max_queued_events", "r");
	unsigned queue = 0;

	assert_non_null(file);
	assert_int_equal(fscanf(file, "%u", &queue), 1);
	fclose(file);
	if (queue > QUEUE_MAX)
		skip();
	assert_int_equal(path_watch_set(&first.watch, 0, "folder", IN_CREATE | IN_DELETE), 0);
	assert_int_equal(path_watch_set(&second.watch, 0, "other", IN_CREATE), 0);
	for (unsigned i = 0; i <= queue; i += 2) {
		int fd = open("folder/a", O_WRONLY | O_CREAT, 0600);

		assert_true(fd >= 0);
		close(fd);
		unlink("folder/a");
	}
	for (unsigned i = 0; i <= queue && !second.calls; i++)
		ev_run(watches.loop, EVRUN_NOWAIT);
	assert_int_equal(second.calls, 1);
}

static void without_an_instance_a_watch_can_be_set_later(void **state)
{
	no_instance = true;
	assert_int_equal(path_watch_set(&first.watch, 0, "folder", IN_CREATE), -EMFILE);
	path_watch_stop(&first.watch);
	assert_int_equal(path_watch_set(&first.watch, 0, "folder", IN_CREATE), -EMFILE);
	no_instance = false;
	assert_int_equal(path_watch_set(&first.watch, 0, "folder", IN_CREATE), 0);
	write_file("folder/a");
	expect_calls(1, 0);
}

static void files_are_watched_when_they_are_replaced(void **state)
{
	static const char *const files[PATH_WATCH_FILES] = { "folder/a", "folder/link" };

	write_file("target");
	assert_int_equal(symlink("../target", "folder/link"), 0);
	first.watch.files = second.watch.files = files;
	first.watch.folder = second.watch.folder = "folder";
	assert_int_equal(path_watch_files(&first.watch), 0);
	assert_int_equal(path_watch_files(&second.watch), 0);
	write_file("folder/other");
	unlink("folder/other");
	expect_calls(0, 0);
	write_file("folder/a");
	expect_calls(1, 1);
	write_file("folder/a");
	expect_calls(1, 1);
	write_file("new");
	assert_int_equal(rename("new", "folder/a"), 0);
	expect_calls(1, 1);
	path_watch_stop(&second.watch);
	write_file("folder/a");
	write_file("target");
	expect_calls(1, 0);
	unlink("target");
	expect_calls(1, 0);
}

static void files_that_are_one_file_can_be_watched(void **state)
{
	static const char *const files[PATH_WATCH_FILES] = { "folder/a", "folder/a" };

	write_file("folder/a");
	first.watch.files = files;
	first.watch.folder = "folder";
	assert_int_equal(path_watch_files(&first.watch), 0);
	write_file("folder/a");
	expect_calls(1, 0);
	unlink("folder/a");
	expect_calls(1, 0);
	write_file("folder/a");
	expect_calls(1, 0);
	write_file("folder/a");
	expect_calls(1, 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(one_instance_is_open_while_there_are_watches),
		TEST(two_watches_of_one_folder_get_their_own_events),
		TEST(a_slot_follows_its_path),
		TEST(a_callback_may_stop_any_watch),
		TEST(a_deleted_folder_is_reported_once),
		TEST(lost_events_are_reported_to_all),
		TEST(without_an_instance_a_watch_can_be_set_later),
		TEST(files_are_watched_when_they_are_replaced),
		TEST(files_that_are_one_file_can_be_watched),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
