/* SPDX-License-Identifier: MIT */
/* Unit tests of the control socket's file: creating it, replacing it, adopting a descriptor, detecting its removal. */
#include "uapi_server_rig.h"

#include <sys/file.h>

static void path_of(char path[128], const char *name)
{
	snprintf(path, 128, "%s/%s", serve_directory, name);
}

static unsigned mode_of(const char *path)
{
	struct stat status;

	assert_int_equal(stat(path, &status), 0);
	return status.st_mode & 07777;
}

static void modes_do_not_depend_on_the_umask(void **state)
{
	static const mode_t masks[] = { 0, 022, 077, 0777 };
	char path[128];

	path_of(path, "test.sock");
	for (size_t i = 0; i < sizeof masks / sizeof *masks; i++) {
		mode_t before;
		uapi_stop(&serve.uapi);
		assert_int_equal(access(path, F_OK), -1);
		rmdir(serve_directory);
		before = umask(masks[i]);
		serve_start(&serve);
		umask(before);
		assert_int_equal(mode_of(serve_directory), 0755);
		assert_int_equal(mode_of(path), 0600);
	}
}

static int renames;

/* A client may connect as soon as the socket has its name. wg(8) removes a socket that refuses it. */
int __real_rename(const char *from, const char *to);
int __wrap_rename(const char *from, const char *to);

int __wrap_rename(const char *from, const char *to)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);

	strcpy(address.sun_path, from);
	assert_int_equal(connect(fd, (const struct sockaddr *)&address, sizeof address), 0);
	close(fd);
	assert_int_equal(mode_of(from), 0600);
	renames++;
	return __real_rename(from, to);
}

static void the_socket_listens_before_it_has_its_name(void **state)
{
	char path[128];
	int fd;

	renames = 0;
	fd = uapi_listen(serve_directory, "named");
	assert_true(fd >= 0);
	assert_int_equal(renames, 1);
	close(fd);
	path_of(path, "named.sock");
	assert_int_equal(unlink(path), 0);
}

static void a_running_daemon_keeps_its_socket(void **state)
{
	struct serve second;
	int fd;

	serve_init(&second, serve_directory, "test");
	assert_int_equal(uapi_start(&second.uapi, &second.rig.device, second.loop, &second.options), -EADDRINUSE);
	serve_destroy(&second);
	fd = serve_connect(&serve);
	serve_expect(&serve, fd, "get=1\n\n", EMPTY_GET);
	close(fd);
}

static void the_socket_of_a_dead_daemon_is_replaced(void **state)
{
	int fd = uapi_listen(serve_directory, "dead"), client;
	char path[128];

	path_of(path, "dead.sock");
	assert_true(fd >= 0);
	close(fd);
	assert_int_equal(access(path, F_OK), 0); /* the file remains and refuses connections */
	assert_int_equal(uapi_connect(serve_directory, "dead", 1), -ECONNREFUSED);
	fd = uapi_listen(serve_directory, "dead");
	assert_true(fd >= 0);
	client = uapi_connect(serve_directory, "dead", 1);
	assert_true(client >= 0);
	close(client);
	close(fd);
	unlink(path);
}

static void bind_at(const char *path)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);

	strcpy(address.sun_path, path);
	assert_int_equal(bind(fd, (const struct sockaddr *)&address, sizeof address), 0);
	close(fd);
}

static void temporary_sockets_of_dead_daemons_are_removed(void **state)
{
	static const struct {
		const char *name;
		bool kept;
	} cases[] = { { ".dead.12", false }, { ".a.b.9", false }, { ".dead.", true }, { "..7", true },
				  { ".dead.1x", true },  { "dead.12", true }, { "x.sock", true } };
	char path[128];
	int fd;

	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		path_of(path, cases[i].name);
		bind_at(path);
	}
	fd = uapi_listen(serve_directory, "other");
	assert_true(fd >= 0);
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		path_of(path, cases[i].name);
		assert_int_equal(unlink(path) == 0, cases[i].kept);
	}
	path_of(path, "other.sock");
	unlink(path);
	close(fd);
}

/* A daemon that accepts the first client, and then ends as one whose interface was deleted. */
static void a_daemon_that_is_about_to_end_is_waited_for(void **state)
{
	char path[128];
	pid_t child;
	int fd;

	path_of(path, "ending.sock");
	fd = uapi_listen(serve_directory, "ending");
	assert_true(fd >= 0);
	child = fork();
	if (!child) {
		usleep(300000);
		unlink(path);
		_exit(0); /* with a client in the backlog */
	}
	close(fd);
	fd = uapi_listen(serve_directory, "ending");
	assert_true(fd >= 0);
	assert_int_equal(waitpid(child, NULL, 0), child);
	unlink(path);
	close(fd);
}

static void a_file_that_is_not_a_socket_is_kept(void **state)
{
	char path[128];
	int fd;

	path_of(path, "file.sock");
	fd = open(path, O_CREAT | O_WRONLY, 0600);
	assert_true(fd >= 0);
	close(fd);
	assert_int_equal(uapi_listen(serve_directory, "file"), -EEXIST);
	assert_int_equal(access(path, F_OK), 0);
	unlink(path);
}

static void a_foreign_lock_on_the_directory_only_delays_the_start(void **state)
{
	int lock = open(serve_directory, O_RDONLY | O_DIRECTORY), fd;
	double begun = serve_time();
	char path[128];

	assert_int_equal(flock(lock, LOCK_EX), 0);
	fd = uapi_listen(serve_directory, "other");
	assert_true(fd >= 0);
	assert_true(serve_time() - begun > 0.5); /* it waited for the lock */
	path_of(path, "other.sock");
	unlink(path);
	close(fd);
	close(lock);
}

static void invalid_interface_names_are_rejected(void **state)
{
	static const char *const names[] = { "", ".", "..", "a/b", "../x", "sixteen-letters.", "/" };

	for (size_t i = 0; i < sizeof names / sizeof *names; i++)
		assert_int_equal(uapi_listen(serve_directory, names[i]), -EINVAL);
}

static void no_temporary_file_is_left(void **state)
{
	char path[128];

	path_of(path, "test.sock");
	uapi_stop(&serve.uapi);
	assert_int_equal(rmdir(serve_directory), 0); /* empty */
	assert_int_equal(uapi_listen("/proc/no/such/folder", "test"), -ENOENT);
}

static void the_folders_above_the_directory_are_created(void **state)
{
	char run[96], directory[128], path[160];
	int fd;

	snprintf(run, sizeof run, "%s/run", serve_home);
	snprintf(directory, sizeof directory, "%s/wireguard", run);
	snprintf(path, sizeof path, "%s/test.sock", directory);
	fd = uapi_listen(directory, "test");
	assert_true(fd >= 0);
	assert_int_equal(mode_of(run), 0755);
	close(fd);
	assert_int_equal(unlink(path) | rmdir(directory) | rmdir(run), 0);
}

static bool is_gone(void *context)
{
	return serve.gone;
}

static void the_removal_of_the_socket_is_reported(void **state)
{
	char path[128], other[128];
	int fd;

	path_of(path, "test.sock");
	path_of(other, "else.sock");
	fd = uapi_listen(serve_directory, "else"); /* the socket of another interface does not matter */
	unlink(other);
	close(fd);
	for (int i = 0; i < 50; i++)
		serve_turn(&serve);
	assert_int_equal(serve.gone, 0);
	assert_int_equal(unlink(path), 0);
	serve_until(&serve, is_gone, NULL);
	for (int i = 0; i < 50; i++)
		serve_turn(&serve);
	assert_int_equal(serve.gone, 1);
}

static void a_socket_that_replaces_ours_is_reported_and_kept(void **state)
{
	char path[128];
	int fd;

	path_of(path, "test.sock");
	unlink(path);
	fd = uapi_listen(serve_directory, "test");
	assert_true(fd >= 0);
	serve_until(&serve, is_gone, NULL);
	uapi_stop(&serve.uapi);
	assert_int_equal(access(path, F_OK), 0);
	unlink(path);
	close(fd);
}

static void a_listening_socket_is_adopted(void **state)
{
	char path[128];
	int client;

	uapi_stop(&serve.uapi);
	serve.options.adopt = true;
	serve.options.fd = uapi_listen(serve_directory, "test");
	assert_true(serve.options.fd >= 0);
	client = serve_connect(&serve); /* waits in the backlog */
	serve_start(&serve);
	serve_expect(&serve, client, "get=1\n\n", EMPTY_GET);
	close(client);
	path_of(path, "test.sock");
	unlink(path);
	serve_until(&serve, is_gone, NULL);
}

static void only_a_listening_unix_socket_is_adopted(void **state)
{
	int fds[3] = { open("/dev/null", O_RDWR), socket(AF_INET, SOCK_STREAM, 0), socket(AF_UNIX, SOCK_STREAM, 0) };

	uapi_stop(&serve.uapi);
	for (int i = 0; i < 3; i++) {
		serve.options.adopt = true;
		serve.options.fd = fds[i];
		assert_int_equal(uapi_start(&serve.uapi, &serve.rig.device, serve.loop, &serve.options), -EINVAL);
		assert_int_equal(close(fds[i]), 0); /* still ours */
	}
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, serve_set_up, serve_tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(modes_do_not_depend_on_the_umask),
		TEST(the_socket_listens_before_it_has_its_name),
		TEST(a_running_daemon_keeps_its_socket),
		TEST(the_socket_of_a_dead_daemon_is_replaced),
		TEST(temporary_sockets_of_dead_daemons_are_removed),
		TEST(a_daemon_that_is_about_to_end_is_waited_for),
		TEST(a_file_that_is_not_a_socket_is_kept),
		TEST(a_foreign_lock_on_the_directory_only_delays_the_start),
		TEST(invalid_interface_names_are_rejected),
		TEST(no_temporary_file_is_left),
		TEST(the_folders_above_the_directory_are_created),
		TEST(the_removal_of_the_socket_is_reported),
		TEST(a_socket_that_replaces_ours_is_reported_and_kept),
		TEST(a_listening_socket_is_adopted),
		TEST(only_a_listening_unix_socket_is_adopted),
	};

	if (sodium_init() < 0)
		return 1;
	return cmocka_run_group_tests(tests, serve_make_home, serve_remove_home);
}
