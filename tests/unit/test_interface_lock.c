/* SPDX-License-Identifier: MIT */
/* Unit tests of the lock of an interface name. The other process is a child. */
#include <dirent.h>
#include <errno.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "uapi/interface_lock.h"

static char home[] = "/tmp/test_lock.XXXXXX", folder[64];

struct other {
	pid_t process;
	int orders; /* a byte per order; the end: exit without releasing */
	int answers;
};

static void obey(int orders, int answers, const char *interface)
{
	struct interface_lock lock = { 0 };
	char order, answer;

	while (read(orders, &order, 1) == 1) {
		answer = 'y';
		if (order == 't')
			answer = interface_lock_take(&lock, folder, interface, INTERFACE_STARTING, 0) ? 'n' : 'y';
		else if (order == 'r')
			interface_lock_release(&lock);
		else
			interface_lock_enter(&lock, order == 'u' ? INTERFACE_UP : INTERFACE_ENDING);
		if (write(answers, &answer, 1) != 1)
			break;
	}
	_exit(0);
}

static void start(struct other *other, const char *interface)
{
	int orders[2], answers[2];

	assert_int_equal(pipe(orders), 0);
	assert_int_equal(pipe(answers), 0);
	other->process = fork();
	assert_true(other->process >= 0);
	if (!other->process) {
		close(orders[1]);
		obey(orders[0], answers[1], interface);
	}
	close(orders[0]);
	close(answers[1]);
	other->orders = orders[1];
	other->answers = answers[0];
}

static char order(const struct other *other, char what)
{
	char answer = 0;

	assert_int_equal(write(other->orders, &what, 1), 1);
	assert_int_equal(read(other->answers, &answer, 1), 1);
	return answer;
}

static void finish(struct other *other)
{
	kill(other->process, SIGKILL);
	waitpid(other->process, NULL, 0);
	close(other->orders);
	close(other->answers);
}

static unsigned count_files(void)
{
	DIR *files = opendir(folder);
	unsigned count = 0;

	assert_non_null(files);
	for (const struct dirent *file = readdir(files); file; file = readdir(files))
		count += strcmp(file->d_name, ".") && strcmp(file->d_name, "..");
	closedir(files);
	return count;
}

static void one_process_holds_the_lock(void **state)
{
	struct interface_lock lock = { 0 };
	struct interface_holder holder;
	struct other other;

	start(&other, "site");
	assert_false(interface_lock_find(&holder, folder, "site"));
	assert_int_equal(order(&other, 't'), 'y');
	assert_int_equal(interface_lock_take(&lock, folder, "site", INTERFACE_STARTING, 0), -EBUSY);
	assert_false(lock.held);
	assert_true(interface_lock_find(&holder, folder, "site"));
	assert_int_equal(holder.process, other.process);
	assert_int_equal(holder.phase, INTERFACE_STARTING);
	assert_false(interface_lock_find(&holder, folder, "other"));
	assert_int_equal(order(&other, 'r'), 'y');
	assert_int_equal(interface_lock_take(&lock, folder, "site", INTERFACE_STARTING, 0), 0);
	assert_false(lock.left);
	assert_int_equal(order(&other, 't'), 'n');
	interface_lock_release(&lock);
	assert_int_equal(order(&other, 't'), 'y');
	assert_int_equal(order(&other, 'r'), 'y');
	finish(&other);
	assert_int_equal(count_files(), 0);
}

/* The name of a lock contains the network namespace, so a renamed one is that of another namespace. */
static void a_lock_in_another_namespace_is_found(void **state)
{
	struct interface_lock lock = { 0 };
	char elsewhere[128], own[UAPI_PATH];
	struct other other;

	snprintf(elsewhere, sizeof elsewhere, "%s/.site.1.lock", folder);
	assert_int_equal(interface_lock_take(&lock, folder, "site", INTERFACE_STARTING, 0), 0);
	snprintf(own, sizeof own, "%s", lock.path);
	interface_lock_release(&lock);
	start(&other, "site");
	assert_int_equal(order(&other, 't'), 'y');
	assert_false(interface_lock_is_elsewhere(folder, "site"));
	assert_int_equal(rename(own, elsewhere), 0);
	assert_true(interface_lock_is_elsewhere(folder, "site"));
	assert_false(interface_lock_is_elsewhere(folder, "sit"));
	assert_false(interface_lock_is_elsewhere("/nowhere", "site"));
	finish(&other);
	assert_false(interface_lock_is_elsewhere(folder, "site")); /* the file of a killed process */
	assert_int_equal(unlink(elsewhere), 0);
}

static void the_phase_is_visible_to_others(void **state)
{
	struct interface_holder holder;
	struct other other;

	start(&other, "site");
	assert_int_equal(order(&other, 't'), 'y');
	assert_int_equal(order(&other, 'u'), 'y');
	assert_true(interface_lock_find(&holder, folder, "site"));
	assert_int_equal(holder.phase, INTERFACE_UP);
	assert_int_equal(order(&other, 'e'), 'y');
	assert_true(interface_lock_find(&holder, folder, "site"));
	assert_int_equal(holder.phase, INTERFACE_ENDING);
	assert_int_equal(order(&other, 'r'), 'y');
	finish(&other);
}

static void a_killed_process_leaves_the_file_but_not_the_lock(void **state)
{
	struct interface_lock lock = { 0 };
	struct interface_holder holder;
	struct other other;

	start(&other, "site");
	assert_int_equal(order(&other, 't'), 'y');
	finish(&other);
	assert_int_equal(count_files(), 1);
	assert_false(interface_lock_find(&holder, folder, "site"));
	assert_int_equal(interface_lock_take(&lock, folder, "site", INTERFACE_STARTING, 0), 0);
	assert_true(lock.left);
	interface_lock_release(&lock); /* of a process that could not remove what is left */
	assert_int_equal(count_files(), 1);
	assert_int_equal(interface_lock_take(&lock, folder, "site", INTERFACE_STARTING, 0), 0);
	assert_true(lock.left);
	lock.left = false;
	interface_lock_release(&lock);
	assert_int_equal(count_files(), 0);
}

static void a_child_does_not_inherit_the_lock(void **state)
{
	struct interface_lock lock = { 0 };
	struct interface_holder holder;
	struct other other;

	assert_int_equal(interface_lock_take(&lock, folder, "site", INTERFACE_STARTING, 0), 0);
	start(&other, "site"); /* it has the descriptor of the file */
	interface_lock_release(&lock);
	assert_false(interface_lock_find(&holder, folder, "site"));
	finish(&other);
}

static void a_holder_that_ends_is_waited_for(void **state)
{
	struct interface_lock lock = { 0 };
	struct other other;
	char released = 'r';

	start(&other, "site");
	assert_int_equal(order(&other, 't'), 'y');
	assert_int_equal(order(&other, 'e'), 'y');
	assert_int_equal(write(other.orders, &released, 1), 1);
	assert_int_equal(interface_lock_take(&lock, folder, "site", INTERFACE_STARTING, 60000), 0);
	interface_lock_release(&lock);
	finish(&other);
}

/* The timeout would make the test hang if the function waited. */
static void a_holder_that_starts_is_not_waited_for(void **state)
{
	struct interface_lock lock = { 0 };
	struct other other;

	start(&other, "site");
	assert_int_equal(order(&other, 't'), 'y');
	assert_int_equal(interface_lock_take(&lock, folder, "site", INTERFACE_STARTING, 3600 * 1000), -EBUSY);
	assert_int_equal(order(&other, 'r'), 'y');
	finish(&other);
}

/* Such a process removes what a killed one left. The other one would give up if the phase were visible later. */
static void a_process_that_ends_a_tunnel_takes_lock_and_phase_at_once(void **state)
{
	struct interface_lock lock = { 0 };
	struct interface_holder holder;
	struct other other;
	unsigned failures = 0;

	start(&other, "site");
	for (int i = 0; i < 2000; i++) {
		char take = 't';

		assert_int_equal(write(other.orders, &take, 1), 1);
		if (!interface_lock_take(&lock, folder, "site", INTERFACE_ENDING, 0)) {
			interface_lock_release(&lock);
		} else if (interface_lock_find(&holder, folder, "site")) {
			failures += holder.phase != INTERFACE_STARTING;
		}
		assert_int_equal(read(other.answers, &take, 1), 1);
		assert_int_equal(order(&other, 'r'), 'y');
	}
	assert_int_equal(failures, 0);
	finish(&other);
}

static void names_and_folders_that_cannot_be_used_are_errors(void **state)
{
	struct interface_lock lock = { 0 };
	static const char missing[] = "/proc/missing/folder";
	char link[UAPI_PATH], target[96];
	struct interface_holder holder;

	assert_int_equal(interface_lock_take(&lock, folder, "a/b", INTERFACE_STARTING, 0), -EINVAL);
	assert_int_equal(interface_lock_take(&lock, folder, "", INTERFACE_STARTING, 0), -EINVAL);
	assert_int_equal(interface_lock_take(&lock, folder, "a-name-that-is-too-long", INTERFACE_STARTING, 0), -EINVAL);
	assert_int_equal(interface_lock_take(&lock, missing, "site", INTERFACE_STARTING, 0), -ENOENT);
	assert_false(interface_lock_find(&holder, missing, "site"));
	/* A symbolic link is not followed. */
	assert_int_equal(interface_lock_take(&lock, folder, "site", INTERFACE_STARTING, 0), 0);
	snprintf(link, sizeof link, "%s", lock.path);
	interface_lock_release(&lock);
	snprintf(target, sizeof target, "%s/target", home);
	assert_int_equal(symlink(target, link), 0);
	assert_int_equal(interface_lock_take(&lock, folder, "site", INTERFACE_STARTING, 0), -ELOOP);
	assert_int_equal(access(target, F_OK), -1);
	unlink(link);
}

static void the_file_is_closed_to_other_users(void **state)
{
	struct interface_lock lock = { 0 };
	mode_t mask = umask(0);
	struct stat status;

	assert_int_equal(interface_lock_take(&lock, folder, "site", INTERFACE_STARTING, 0), 0);
	umask(mask);
	assert_int_equal(stat(lock.path, &status), 0);
	assert_int_equal(status.st_mode & 07777, 0600);
	interface_lock_release(&lock);
	interface_lock_release(&lock); /* does nothing */
	interface_lock_enter(&lock, INTERFACE_UP);
}

static int make_home(void **state)
{
	assert_non_null(mkdtemp(home));
	snprintf(folder, sizeof folder, "%s/wireguard", home);
	return 0;
}

static int remove_home(void **state)
{
	rmdir(folder);
	return rmdir(home);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(one_process_holds_the_lock),
		cmocka_unit_test(a_lock_in_another_namespace_is_found),
		cmocka_unit_test(the_phase_is_visible_to_others),
		cmocka_unit_test(a_killed_process_leaves_the_file_but_not_the_lock),
		cmocka_unit_test(a_child_does_not_inherit_the_lock),
		cmocka_unit_test(a_holder_that_ends_is_waited_for),
		cmocka_unit_test(a_holder_that_starts_is_not_waited_for),
		cmocka_unit_test(a_process_that_ends_a_tunnel_takes_lock_and_phase_at_once),
		cmocka_unit_test(names_and_folders_that_cannot_be_used_are_errors),
		cmocka_unit_test(the_file_is_closed_to_other_users),
	};

	signal(SIGPIPE, SIG_IGN);
	return cmocka_run_group_tests(tests, make_home, remove_home);
}
