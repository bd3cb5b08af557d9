/* SPDX-License-Identifier: MIT */
/* Unit tests of secret keys in requests and replies: none is left in freed memory, or in an open connection. */
#include "uapi_server_rig.h"

#include <malloc.h>

/* --- free(3) searches each block for a secret key ----- */

static const char *secret; /* in hexadecimal; NULL: do not search */
static unsigned secrets_found;

void __real_free(void *memory);
void __wrap_free(void *memory);

void __wrap_free(void *memory)
{
	uint8_t key[KEY_BYTES];
	size_t size = memory ? malloc_usable_size(memory) : 0;

	if (memory && secret) {
		sodium_hex2bin(key, sizeof key, secret, 64, NULL, NULL, NULL);
		secrets_found += memmem(memory, size, secret, 64) || memmem(memory, size, key, sizeof key);
	}
	__real_free(memory);
}

/* --- set-up ----- */

static int set_up(void **state)
{
	secret = NULL;
	return serve_set_up(state);
}

static int tear_down(void **state)
{
	secret = NULL;
	return serve_tear_down(state);
}

/* --- tests ----- */

static void set_keys(int fd, const char *more, const char *answer)
{
	char request[20000];

	snprintf(request, sizeof request, "set=1\nprivate_key=%s\npublic_key=%s\npreshared_key=%s\n%s\n", rig_hex(0x48),
			 rig_hex(2), rig_hex(0x48), more);
	serve_expect(&serve, fd, request, answer);
	sodium_memzero(request, sizeof request);
}

static void freed_memory_contains_no_key(void **state)
{
	char lines[18000] = "";
	int fd = serve_connect(&serve);

	secrets_found = 0;
	secret = rig_hex(0x48);
	set_keys(fd, "allowed_ip=10.0.0.0/8\n", "errno=0\n\n");
	close(fd);
	for (int turns = 0; turns < 6; turns++) { /* disconnect while or after the answer is sent */
		fd = serve_connect(&serve);
		send(fd, "get=1\n\n", 7, MSG_NOSIGNAL);
		for (int turn = 0; turn < turns; turn++)
			serve_turn(&serve);
		close(fd);
		serve_until(&serve, serve_all_closed, NULL);
	}
	assert_int_equal(secrets_found, 0);

	/* A request that grows its buffer and fails at its last line. */
	fd = serve_connect(&serve);
	while (strlen(lines) < sizeof lines - 100)
		strcat(lines, "allowed_ip=10.0.0.0/8\n");
	set_keys(fd, strcat(lines, "bad=1\n"), "errno=-22\n\n");
	close(fd);
	serve_until(&serve, serve_all_closed, NULL);
	assert_int_equal(secrets_found, 0);
}

#ifdef __SANITIZE_ADDRESS__
enum { SEEN_IN_HEAP = 0 }; /* the sanitizer does not allocate in [heap] */
#else
enum { SEEN_IN_HEAP = 1 };
#endif

/* Counts the copies of the secret in the heap, as text. */
static unsigned secrets_in_heap(void)
{
	FILE *maps = fopen("/proc/self/maps", "r");
	unsigned found = 0;
	char line[512], *begin, *end;

	assert_non_null(maps);
	while (fgets(line, sizeof line, maps)) {
		if (!strstr(line, "[heap]") || sscanf(line, "%p-%p", (void **)&begin, (void **)&end) != 2)
			continue;
		begin = memmem(begin, (size_t)(end - begin), rig_hex(0x48), 64);
		while (begin) {
			found++;
			begin++;
			begin = memmem(begin, (size_t)(end - begin), rig_hex(0x48), 64);
		}
	}
	fclose(maps);
	return found;
}

static void an_open_connection_keeps_no_key_in_memory(void **state)
{
	int fd = serve_connect(&serve);
	unsigned before = secrets_in_heap();
	char *witness = strdup(rig_hex(0x48));

	assert_int_equal(secrets_in_heap(), before + SEEN_IN_HEAP);
	sodium_memzero(witness, 64);
	free(witness);
	set_keys(fd, "", "errno=0\n\n");
	assert_int_equal(serve.uapi.connection_count, 1);
	assert_int_equal(secrets_in_heap(), before);
	close(fd);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(freed_memory_contains_no_key),
		TEST(an_open_connection_keeps_no_key_in_memory),
	};

	if (sodium_init() < 0)
		return 1;
	return cmocka_run_group_tests(tests, serve_make_home, serve_remove_home);
}
