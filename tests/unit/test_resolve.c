/* SPDX-License-Identifier: MIT */
/* Tests of the resolver with a simulated getaddrinfo(3) that can block. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include <arpa/inet.h>
#include <dirent.h>
#include <dlfcn.h>
#include <errno.h>
#include <netdb.h>
#include <poll.h>
#include <semaphore.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "io/resolve.h"

enum { PATIENCE_MS = 5000 };

static sem_t entered, proceed; /* a lookup of "slow" has started; it may end */
static bool thread_takes_signals;

typedef int look_up(const char *host, const char *port, const struct addrinfo *hints, struct addrinfo **found);

/* "slow" blocks. "one" and "slow" have an address, hosts that start with a digit are numeric, other names do not exist.
 */
int getaddrinfo(const char *host, const char *port, const struct addrinfo *hints, struct addrinfo **found)
{
	union {
		void *symbol;
		look_up *function;
	} real = { dlsym(RTLD_NEXT, "getaddrinfo") };
	bool numeric = hints->ai_flags & AI_NUMERICHOST;
	sigset_t blocked;

	if (numeric)
		return real.function(host, port, hints, found);
	pthread_sigmask(SIG_BLOCK, NULL, &blocked);
	thread_takes_signals = !sigismember(&blocked, SIGTERM) || !sigismember(&blocked, SIGINT);
	if (strcmp(host, "slow") == 0) {
		sem_post(&entered);
		sem_wait(&proceed);
		return real.function("192.0.2.9", port, hints, found);
	}
	return strcmp(host, "one") == 0 ? real.function("2001:db8::1", port, hints, found) : EAI_NONAME;
}

static int count_threads(void)
{
	DIR *tasks = opendir("/proc/self/task");
	int count = 0;

	assert_non_null(tasks);
	for (struct dirent *entry; (entry = readdir(tasks));)
		count += entry->d_name[0] != '.';
	closedir(tasks);
	return count;
}

static void wait_for_threads(int expected)
{
	for (int i = 0; i < PATIENCE_MS && count_threads() != expected; i++)
		poll(NULL, 0, 1);
	assert_int_equal(count_threads(), expected);
}

static bool answers_wait(struct resolver *resolver, int timeout)
{
	struct pollfd ready = { .fd = resolver_fd(resolver), .events = POLLIN };

	return poll(&ready, 1, timeout) == 1;
}

static const char *text(const struct endpoint *endpoint)
{
	static char text[ENDPOINT_TEXT];

	return endpoint_text(text, endpoint);
}

static void names_are_answered_in_order(void **state)
{
	struct resolver *resolver = resolver_create();
	struct endpoint endpoint;
	int error = 7, threads = count_threads();
	uint64_t id;

	assert_non_null(resolver);
	assert_false(answers_wait(resolver, 0));
	assert_int_equal(resolver_take(resolver, &id, &endpoint, &error), 0);
	assert_int_equal(resolver_ask(resolver, UINT64_MAX, "one", "51820"), 0);
	assert_int_equal(resolver_ask(resolver, 2, "none", "1"), 0);
	assert_true(answers_wait(resolver, PATIENCE_MS));
	assert_int_equal(resolver_take(resolver, &id, &endpoint, &error), 1);
	assert_int_equal(id, UINT64_MAX);
	assert_int_equal(error, 0);
	assert_string_equal(text(&endpoint), "[2001:db8::1]:51820");
	assert_false(endpoint_local_known(&endpoint));
	assert_true(answers_wait(resolver, PATIENCE_MS));
	assert_int_equal(resolver_take(resolver, &id, &endpoint, &error), 1);
	assert_int_equal(id, 2);
	assert_int_equal(error, EAI_NONAME);
	assert_false(endpoint_known(&endpoint));
	assert_false(answers_wait(resolver, 0));
	assert_int_equal(resolver_take(resolver, &id, &endpoint, &error), 0);
	assert_false(thread_takes_signals);
	wait_for_threads(threads); /* an idle thread exits */
	resolver_destroy(resolver);
}

static void queries_do_not_block_and_are_limited(void **state)
{
	struct resolver *resolver = resolver_create();
	struct endpoint endpoint;
	uint64_t id, expected = 0;
	int error;

	for (uint64_t i = 0; i < RESOLVER_QUEUE; i++)
		assert_int_equal(resolver_ask(resolver, i, i ? "one" : "slow", "1"), 0);
	assert_int_equal(resolver_ask(resolver, 99, "one", "1"), -EAGAIN);
	sem_wait(&entered);
	assert_false(answers_wait(resolver, 0));
	sem_post(&proceed);
	assert_true(answers_wait(resolver, PATIENCE_MS));
	assert_int_equal(resolver_ask(resolver, 99, "one", "1"), -EAGAIN); /* answers that were not taken count */
	assert_int_equal(resolver_take(resolver, &id, &endpoint, &error), 1);
	assert_string_equal(text(&endpoint), "192.0.2.9:1");
	assert_int_equal(resolver_ask(resolver, RESOLVER_QUEUE, "one", "1"), 0);
	while (expected < RESOLVER_QUEUE) {
		assert_true(answers_wait(resolver, PATIENCE_MS));
		assert_int_equal(resolver_take(resolver, &id, &endpoint, &error), 1);
		assert_int_equal(id, ++expected);
	}
	assert_false(answers_wait(resolver, 0));
	resolver_destroy(resolver);
}

static void destroy_does_not_wait(void **state)
{
	struct resolver *resolver = resolver_create();
	int threads = 1;

	wait_for_threads(threads); /* threads of earlier tests may still be exiting */
	resolver_ask(resolver, 1, "slow", "1");
	resolver_ask(resolver, 2, "slow", "1");
	sem_wait(&entered);
	resolver_destroy(resolver); /* must not block */
	assert_int_equal(count_threads(), threads + 1);
	sem_post(&proceed);
	wait_for_threads(threads);
	assert_int_equal(sem_trywait(&entered), -1); /* the second query was dropped */
	resolver_destroy(NULL);
}

static void long_names_are_rejected(void **state)
{
	struct resolver *resolver = resolver_create();
	char host[ENDPOINT_HOST + 1];

	memset(host, 'a', sizeof host);
	host[ENDPOINT_HOST] = '\0';
	assert_int_equal(resolver_ask(resolver, 1, host, "1"), -EINVAL);
	assert_int_equal(resolver_ask(resolver, 1, "one", host), -EINVAL);
	host[ENDPOINT_HOST - 1] = '\0';
	assert_int_equal(resolver_ask(resolver, 1, host, "1"), 0);
	assert_true(answers_wait(resolver, PATIENCE_MS));
	resolver_destroy(resolver);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(names_are_answered_in_order),
		cmocka_unit_test(queries_do_not_block_and_are_limited),
		cmocka_unit_test(destroy_does_not_wait),
		cmocka_unit_test(long_names_are_rejected),
	};

	sem_init(&entered, 0, 0);
	sem_init(&proceed, 0, 0);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
