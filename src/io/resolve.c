/* SPDX-License-Identifier: MIT */
/*
 * The resolver.
 *
 * Theory of operation
 *
 * One ring of slots holds queries and answers. The owner adds queries at `asked`, the thread answers them in the same
 * order at `answered`, and the owner takes answers at `taken`. The lock protects these counters, and taken <= answered
 * <= asked <= taken + RESOLVER_QUEUE. The slots from `answered` to `asked` belong to the thread, so getaddrinfo(3)
 * writes to a slot without the lock.
 *
 * The thread exits when the queue is empty. It cannot be stopped in getaddrinfo(3), so resolver_destroy does not wait
 * for it. The owner and the thread each hold a reference (`owned`, `running`), and the last one to drop its reference
 * frees the resolver.
 */
#include "io/resolve.h"

#include <errno.h>
#include <netdb.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

struct slot {
	uint64_t id;
	char host[ENDPOINT_HOST], port[ENDPOINT_PORT];
	struct endpoint endpoint;
	int error;
};

struct resolver {
	pthread_mutex_t lock;
	int wake; /* eventfd; counts the answers not yet taken */
	bool owned, running;
	uint64_t asked, answered, taken;
	struct slot slots[RESOLVER_QUEUE];
};

static struct slot *slot_at(struct resolver *resolver, uint64_t number)
{
	return &resolver->slots[number % RESOLVER_QUEUE];
}

struct resolver *resolver_create(void)
{
	struct resolver *resolver = calloc(1, sizeof *resolver);

	if (!resolver)
		return NULL;
	resolver->wake = eventfd(0, EFD_SEMAPHORE | EFD_NONBLOCK | EFD_CLOEXEC);
	if (resolver->wake < 0) {
		free(resolver);
		return NULL;
	}
	pthread_mutex_init(&resolver->lock, NULL);
	resolver->owned = true;
	return resolver;
}

/* Unlocks the resolver and frees it if no reference is left. The caller has dropped its reference under the lock. */
static void unlock_and_release(struct resolver *resolver)
{
	bool last = !resolver->owned && !resolver->running;

	pthread_mutex_unlock(&resolver->lock);
	if (!last)
		return;
	close(resolver->wake);
	pthread_mutex_destroy(&resolver->lock);
	free(resolver);
}

void resolver_destroy(struct resolver *resolver)
{
	if (!resolver)
		return;
	pthread_mutex_lock(&resolver->lock);
	resolver->owned = false;
	unlock_and_release(resolver);
}

int resolver_fd(const struct resolver *resolver)
{
	return resolver->wake;
}

/* Takes the first address, like wg(8). */
static int look_up(const char *host, const char *port, int flags, struct endpoint *endpoint)
{
	struct addrinfo hints = { .ai_flags = flags, .ai_socktype = SOCK_DGRAM, .ai_protocol = IPPROTO_UDP }, *found;
	int error = getaddrinfo(host, port, &hints, &found);

	*endpoint = (struct endpoint) { 0 };
	if (error)
		return error;
	if (found->ai_addrlen <= sizeof endpoint->to)
		memcpy(&endpoint->to, found->ai_addr, found->ai_addrlen);
	freeaddrinfo(found);
	return 0;
}

static void answer_one(struct resolver *resolver)
{
	struct slot *slot = slot_at(resolver, resolver->answered);

	pthread_mutex_unlock(&resolver->lock);
	slot->error = look_up(slot->host, slot->port, AI_NUMERICSERV, &slot->endpoint);
	pthread_mutex_lock(&resolver->lock);
	resolver->answered++;
	eventfd_write(resolver->wake, 1); /* cannot fail: the count is at most RESOLVER_QUEUE */
}

static void *answer_all(void *context)
{
	struct resolver *resolver = context;

	pthread_mutex_lock(&resolver->lock);
	while (resolver->owned && resolver->answered != resolver->asked)
		answer_one(resolver);
	resolver->running = false;
	unlock_and_release(resolver);
	return NULL;
}

/* Blocks all signals in the new thread, because the thread of the event loop handles them. */
static int start_thread(struct resolver *resolver)
{
	sigset_t all, old;
	pthread_t thread;
	int error;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &old);
	error = pthread_create(&thread, NULL, answer_all, resolver);
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	if (error)
		return -EAGAIN;
	pthread_detach(thread);
	resolver->running = true;
	return 0;
}

static int ask_locked(struct resolver *resolver, uint64_t id, const char *host, const char *port)
{
	struct slot *slot = slot_at(resolver, resolver->asked);

	if (resolver->asked - resolver->taken == RESOLVER_QUEUE)
		return -EAGAIN;
	if (!resolver->running && start_thread(resolver) < 0)
		return -EAGAIN;
	slot->id = id;
	strcpy(slot->host, host);
	strcpy(slot->port, port);
	resolver->asked++;
	return 0;
}

int resolver_ask(struct resolver *resolver, uint64_t id, const char *host, const char *port)
{
	int status;

	if (strlen(host) >= ENDPOINT_HOST || strlen(port) >= ENDPOINT_PORT)
		return -EINVAL;
	pthread_mutex_lock(&resolver->lock);
	status = ask_locked(resolver, id, host, port);
	pthread_mutex_unlock(&resolver->lock);
	return status;
}

int resolver_take(struct resolver *resolver, uint64_t *id, struct endpoint *endpoint, int *error)
{
	int taken = 0;

	pthread_mutex_lock(&resolver->lock);
	if (resolver->taken != resolver->answered) {
		const struct slot *slot = slot_at(resolver, resolver->taken);
		eventfd_t one;

		*id = slot->id;
		*endpoint = slot->endpoint;
		*error = slot->error;
		resolver->taken++;
		eventfd_read(resolver->wake, &one);
		taken = 1;
	}
	pthread_mutex_unlock(&resolver->lock);
	return taken;
}
