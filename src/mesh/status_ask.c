/* SPDX-License-Identifier: MIT */
/*
 * Status: asks all hosts.
 *
 * Each slot runs ssh(1) for one host, and takes the next host when that has ended. A host is done when its ssh has
 * ended, not when its output has: a connection that ssh shares with later commands (ControlPersist) keeps the
 * descriptors open.
 */
#include "status_ask.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"

enum {
	TICK = 50, /* ms between two looks at the processes */
	READ_SIZE = 64 << 10,
	READS_MAX = 1 << 10, /* in a row, because a host may print for ever; a pipe contains less */
};

/*
 * Prints the time of the host, because ages are relative to it, and then the document. The line of the time is one of
 * its own, even if a login script has printed something without a newline.
 */
#define STATUS_SCRIPT                                                                                                  \
	"command -v adit >/dev/null || { echo \"adit is not installed\" >&2; exit 1; }; "                                  \
	"echo; echo \"time=$(date +%%s)\"; exec adit show --json \"%s\""

struct status_slot {
	bool busy;
	size_t host;
	struct remote_process process;
	uint64_t deadline;
	char *text;
	size_t length, room;
	char errors[REMOTE_OUTPUT];
	size_t errors_length;
};

struct status_run {
	const struct host_list *list;
	const char *user, *script;
	void (*answered)(void *context, size_t host, const struct status_answer *answer);
	void *context;
	size_t next; /* host to ask */
	struct status_slot slots[STATUS_PARALLEL];
};

static void slot_answer(struct status_run *run, struct status_slot *slot, int status)
{
	struct status_answer answer = {
		.status = status, .text = slot->text ? slot->text : "", .length = slot->length, .errors = slot->errors
	};

	if (slot->text)
		slot->text[slot->length] = '\0';
	slot->errors[slot->errors_length] = '\0';
	run->answered(run->context, slot->host, &answer);
	free(slot->text);
	slot->text = NULL;
	slot->busy = false;
}

/* Takes hosts until one is being asked. Those that cannot be asked are answered at once. */
static void slot_start(struct status_run *run, struct status_slot *slot)
{
	while (!slot->busy && run->next < run->list->count) {
		size_t host = run->next++;
		const char *destination = remote_destination(&run->list->hosts[host]);
		int error;

		if (!destination)
			continue;
		*slot = (struct status_slot) { .host = host, .deadline = clock_boottime() + STATUS_TIMEOUT * NS_PER_S };
		error = remote_start(&slot->process, destination, run->user, run->script);
		if (error)
			slot_answer(run, slot, error);
		else
			slot->busy = true;
	}
}

/* Makes room for READ_SIZE bytes and a NUL. Returns false if there is no memory, or the answer is too long. */
static bool slot_reserve(struct status_slot *slot)
{
	size_t room = slot->room ? 2 * slot->room : 4 * READ_SIZE;
	char *larger;

	if (slot->room - slot->length > READ_SIZE)
		return true;
	if (slot->length > STATUS_ANSWER_MAX)
		return false;
	larger = realloc(slot->text, room);
	if (!larger)
		return false;
	slot->text = larger;
	slot->room = room;
	return true;
}

/* Reads what is there. What does not fit is dropped: the document is then incomplete. */
static void slot_read_output(struct status_slot *slot)
{
	char rest[READ_SIZE] = { 0 };

	for (int reads = 0; reads < READS_MAX; reads++) {
		bool fits = slot_reserve(slot);
		ssize_t got = read(slot->process.output, fits ? slot->text + slot->length : rest, READ_SIZE);

		if (got < 0 && errno == EINTR)
			continue;
		if (got <= 0)
			return;
		slot->length += fits ? (size_t)got : 0;
	}
}

/* Reads what is there and keeps the last part. */
static void slot_read_errors(struct status_slot *slot)
{
	for (int reads = 0; reads < READS_MAX; reads++) {
		size_t half = sizeof slot->errors / 2;
		ssize_t got;

		if (slot->errors_length > half) {
			memmove(slot->errors, slot->errors + slot->errors_length - half, half);
			slot->errors_length = half;
		}
		got = read(slot->process.errors, slot->errors + slot->errors_length, half - 1);
		if (got < 0 && errno == EINTR)
			continue;
		if (got <= 0)
			return;
		slot->errors_length += (size_t)got;
	}
}

static void slot_end(struct status_run *run, struct status_slot *slot, int status)
{
	slot_read_output(slot);
	slot_read_errors(slot);
	close(slot->process.output);
	close(slot->process.errors);
	slot_answer(run, slot, status);
}

/* Looks whether the process has ended, or must end. */
static void slot_check(struct status_run *run, struct status_slot *slot)
{
	int status;
	pid_t ended = waitpid(slot->process.pid, &status, WNOHANG);

	if (ended == slot->process.pid) {
		slot_end(run, slot, WIFEXITED(status) ? WEXITSTATUS(status) : 255);
	} else if (ended < 0 && errno != EINTR) {
		slot_end(run, slot, -errno);
	} else if (clock_boottime() >= slot->deadline) {
		kill(slot->process.pid, SIGKILL);
		while (waitpid(slot->process.pid, &status, 0) < 0 && errno == EINTR)
			;
		slot_end(run, slot, -ETIMEDOUT);
	}
}

/* Waits until one of the hosts sends something, or for a moment. */
static void status_wait(struct status_run *run)
{
	struct pollfd fds[2 * STATUS_PARALLEL];
	nfds_t count = 0;

	for (size_t i = 0; i < STATUS_PARALLEL; i++) {
		const struct status_slot *slot = &run->slots[i];

		if (!slot->busy)
			continue;
		fds[count++] = (struct pollfd) { .fd = slot->process.output, .events = POLLIN };
		fds[count++] = (struct pollfd) { .fd = slot->process.errors, .events = POLLIN };
	}
	poll(fds, count, TICK);
	for (nfds_t i = 0; i < count; i++) {
		if (fds[i].revents & POLLHUP && !(fds[i].revents & POLLIN)) {
			poll(NULL, 0, 1); /* its process ends soon; until then poll would return at once */
			break;
		}
	}
}

int status_ask(const struct host_list *list, const char *user,
			   void (*answered)(void *context, size_t host, const struct status_answer *answer), void *context)
{
	char script[sizeof STATUS_SCRIPT + sizeof list->interface];
	struct status_run *run = calloc(1, sizeof *run);
	size_t busy;

	if (!run)
		return -ENOMEM;
	snprintf(script, sizeof script, STATUS_SCRIPT, list->interface);
	run->list = list;
	run->user = user;
	run->script = script;
	run->answered = answered;
	run->context = context;
	do {
		busy = 0;
		for (size_t i = 0; i < STATUS_PARALLEL; i++) {
			slot_start(run, &run->slots[i]);
			busy += run->slots[i].busy;
		}
		if (busy)
			status_wait(run);
		for (size_t i = 0; i < STATUS_PARALLEL; i++) {
			if (!run->slots[i].busy)
				continue;
			slot_read_output(&run->slots[i]);
			slot_read_errors(&run->slots[i]);
			slot_check(run, &run->slots[i]);
		}
	} while (busy);
	free(run);
	return 0;
}
