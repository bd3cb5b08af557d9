/* SPDX-License-Identifier: MIT */
/*
 * Peer hooks: the queue of peers whose commands are to run.
 *
 * `wanted` is the state that the last event reported, `up` the one for which the commands ran last. A peer whose states
 * differ waits in the queue until a process is free and the last run is PEER_INTERVAL old. If the states are equal
 * again by then, nothing runs. After a run, the peer returns to the queue, so that its entry exists until the next run
 * may begin.
 *
 * Events arrive while the device lock may be held, so they only enter the queue. A timer starts the commands.
 */
#include "daemon/peer_hooks.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/keytext.h"
#include "base/log.h"
#include "tunnel/peer.h"

#define PEER_INTERVAL 1.0 /* seconds between two runs of a peer */

enum { VARIABLES = 7, VARIABLE_ROOM = 320 };

struct hooked_peer {
	struct list_node node, waits; /* in peer_hooks.peers and .waiting */
	struct map_node by_key;
	struct peer_hooks *hooks;
	uint8_t public_key[KEY_BYTES];
	struct config_line *commands[PEER_HOOKS]; /* of its [Peer] */
	bool listed;                              /* it has a [Peer] with commands */
	bool up, wanted, running;
	bool run_up;              /* what the commands run for */
	double next;              /* not before this time, by clock_seconds */
	struct config_line *left; /* the commands of this run that have not ended */
	char name[PEER_NAME_MAX + 1], endpoint[ENDPOINT_TEXT], reason[REASON_BYTES];
	char text[2 * PEER_NAME_MAX]; /* the subject of log lines */
};

static const char *const labels[PEER_HOOKS] = { [PEER_HOOK_UP] = "PeerUp", [PEER_HOOK_DOWN] = "PeerDown" };

char *peer_hook_expand(const char *command, const char *interface, const char *key)
{
	char *expanded = NULL, quote = '\0';
	size_t size;
	FILE *to = open_memstream(&expanded, &size);

	if (!to)
		return NULL;
	for (const char *at = command; *at; at++) {
		if (at[0] == '%' && at[1] && strchr("ikne", at[1])) {
			at++;
			if (*at == 'i' || *at == 'k')
				fputs(*at == 'i' ? interface : key, to);
			else /* a wrong guess about the quotes splits the value into words, but never executes it */
				fprintf(to, quote ? "${%s}" : "\"${%s}\"", *at == 'n' ? "ADIT_PEER" : "ADIT_ENDPOINT");
			continue;
		}
		if (*at == '\\' && at[1] && quote != '\'')
			fputc(*at++, to);
		else if ((*at == '"' || *at == '\'') && (!quote || quote == *at))
			quote = (char)(quote ? '\0' : *at);
		fputc(*at, to);
	}
	if (fclose(to)) {
		free(expanded);
		return NULL;
	}
	return expanded;
}

/* --- entries ----- */

static struct hooked_peer *find_entry(const struct peer_hooks *hooks, const uint8_t public_key[KEY_BYTES])
{
	struct map_node *node = map_first(&hooks->by_key, device_key_hash(hooks->device, public_key));

	for (; node; node = map_next(node)) {
		struct hooked_peer *entry = container_of(node, struct hooked_peer, by_key);

		if (!memcmp(entry->public_key, public_key, KEY_BYTES))
			return entry;
	}
	return NULL;
}

/* Returns the entry of the peer, and makes one if there is none. NULL: no memory. */
static struct hooked_peer *get_entry(struct peer_hooks *hooks, const uint8_t public_key[KEY_BYTES])
{
	struct hooked_peer *entry = find_entry(hooks, public_key);

	if (entry)
		return entry;
	entry = calloc(1, sizeof *entry);
	if (!entry)
		return NULL;
	entry->hooks = hooks;
	memcpy(entry->public_key, public_key, KEY_BYTES);
	list_append(&hooks->peers, &entry->node);
	map_insert(&hooks->by_key, &entry->by_key, device_key_hash(hooks->device, public_key));
	return entry;
}

static void free_commands(struct config_line *commands[PEER_HOOKS])
{
	for (int hook = 0; hook < PEER_HOOKS; hook++) {
		config_lines_free(commands[hook]);
		commands[hook] = NULL;
	}
}

static void free_entry(struct hooked_peer *entry)
{
	list_remove(&entry->node);
	list_remove(&entry->waits);
	map_remove(&entry->hooks->by_key, &entry->by_key);
	free_commands(entry->commands);
	config_lines_free(entry->left);
	free(entry);
}

static bool is_busy(const struct hooked_peer *entry)
{
	return entry->running || list_linked(&entry->waits);
}

static bool has_commands(struct config_line *const commands[PEER_HOOKS])
{
	return commands[PEER_HOOK_UP] || commands[PEER_HOOK_DOWN];
}

/* Frees the entry unless it is needed later. */
static void release_entry(struct hooked_peer *entry)
{
	if (is_busy(entry) || entry->listed)
		return;
	free_commands(entry->commands); /* of a [Peer] that is not in the file any more */
	if (!entry->up || !has_commands(entry->hooks->common))
		free_entry(entry);
}

/* --- runs ----- */

static void arm_start(struct peer_hooks *hooks, double seconds)
{
	ev_timer_stop(hooks->children->loop, &hooks->start);
	ev_timer_set(&hooks->start, seconds, 0.);
	ev_timer_start(hooks->children->loop, &hooks->start);
}

static void enqueue_entry(struct hooked_peer *entry)
{
	if (is_busy(entry) || entry->up == entry->wanted)
		return;
	list_append(&entry->hooks->waiting, &entry->waits);
	arm_start(entry->hooks, 0.);
}

static void run_next_command(struct hooked_peer *entry);

/* Returns a copy for the log, without keys, or NULL. The caller frees it. */
static char *mask_command(const char *command)
{
	char *masked = strdup(command);

	if (masked)
		key_mask(masked);
	return masked;
}

static void log_failure(const struct hooked_peer *entry, int status, const char *command)
{
	const char *label = labels[entry->run_up ? PEER_HOOK_UP : PEER_HOOK_DOWN];
	char *masked = mask_command(command);
	struct reason reason;

	hooks_set_reason(&reason, status, label, masked ? masked : "");
	log_error(entry->text, "%s", reason.text);
	free(masked);
}

static void drop_first_command(struct hooked_peer *entry)
{
	struct config_line *first = entry->left;

	entry->left = first->next;
	first->next = NULL;
	config_lines_free(first);
}

static void on_command_end(void *context, int status)
{
	struct hooked_peer *entry = context;

	if (status)
		log_failure(entry, status, entry->left->text);
	drop_first_command(entry);
	run_next_command(entry);
}

/* Returns 0 or negative errno. */
static int start_command(struct hooked_peer *entry)
{
	struct peer_hooks *hooks = entry->hooks;
	char texts[VARIABLES][VARIABLE_ROOM], key[KEY_BASE64];
	const char *variables[VARIABLES];
	struct hook_command command = { .label = labels[entry->run_up ? PEER_HOOK_UP : PEER_HOOK_DOWN],
									.variables = variables };
	char *expanded, *masked;
	int error;

	key_to_base64(key, entry->public_key);
	snprintf(texts[0], VARIABLE_ROOM, "ADIT_EVENT=%s", command.label);
	snprintf(texts[1], VARIABLE_ROOM, "ADIT_INTERFACE=%s", hooks->device->name);
	snprintf(texts[2], VARIABLE_ROOM, "ADIT_PEER=%s", *entry->name ? entry->name : key);
	snprintf(texts[3], VARIABLE_ROOM, "ADIT_PEER_KEY=%s", key);
	snprintf(texts[4], VARIABLE_ROOM, "ADIT_ENDPOINT=%s", entry->endpoint);
	snprintf(texts[5], VARIABLE_ROOM, "ADIT_REASON=%s", entry->reason);
	for (int i = 0; i < VARIABLES - 1; i++)
		variables[i] = texts[i];
	variables[VARIABLES - 1] = NULL;
	expanded = peer_hook_expand(entry->left->text, hooks->device->name, key);
	if (!expanded)
		return -ENOMEM;
	command.text = expanded;
	masked = mask_command(expanded);
	log_debug(entry->text, "%s: [#] %s", command.label, masked ? masked : "");
	free(masked);
	error = hooks_start_command(&hooks->hooks, hooks->children, &command, on_command_end, entry);
	free(expanded);
	return error;
}

static void run_next_command(struct hooked_peer *entry)
{
	struct peer_hooks *hooks = entry->hooks;

	while (entry->left) {
		int error = start_command(entry);

		if (!error)
			return;
		log_failure(entry, error, entry->left->text);
		drop_first_command(entry);
	}
	entry->running = false;
	entry->up = entry->run_up;
	hooks->running--;
	list_append(&hooks->waiting, &entry->waits); /* for PEER_INTERVAL, also if there is nothing to run */
	arm_start(hooks, 0.);
}

/* The commands are copied, because a reload may change them. */
static void begin_run(struct hooked_peer *entry, double now)
{
	struct peer_hooks *hooks = entry->hooks;
	enum peer_hook hook = entry->wanted ? PEER_HOOK_UP : PEER_HOOK_DOWN;
	struct config_line **tail = &entry->left;
	int error = config_lines_copy(tail, hooks->common[hook]);

	while (*tail)
		tail = &(*tail)->next;
	if (!error)
		error = config_lines_copy(tail, entry->commands[hook]);
	if (error)
		log_error(entry->text, "%s: %s", labels[hook], strerror(-error));
	entry->run_up = entry->wanted;
	entry->running = true;
	entry->next = now + PEER_INTERVAL;
	hooks->running++;
	run_next_command(entry);
}

static void on_start_timer(struct ev_loop *loop, struct ev_timer *timer, int events)
{
	struct peer_hooks *hooks = timer->data;
	struct list_node *node = list_first(&hooks->waiting), *after;
	double now = clock_seconds(), pause = 0;

	for (; node && hooks->running < PEER_HOOK_PROCESSES; node = after) {
		struct hooked_peer *entry = container_of(node, struct hooked_peer, waits);

		after = list_next(&hooks->waiting, node);
		if (entry->next > now && !hooks->finishing) {
			if (!pause || entry->next - now < pause)
				pause = entry->next - now;
			continue;
		}
		list_remove(node);
		if (entry->wanted != entry->up)
			begin_run(entry, now);
		else
			release_entry(entry);
	}
	if (pause && !ev_is_active(timer))
		arm_start(hooks, pause);
}

/* --- events ----- */

static void on_peer_event(void *context, const struct event *event)
{
	struct peer_hooks *hooks = context;
	struct hooked_peer *entry;

	if (event->kind != EVENT_PEER_UP && event->kind != EVENT_PEER_DOWN)
		return;
	entry = find_entry(hooks, event->public_key);
	if (!entry && !has_commands(hooks->common))
		return;
	if (!entry)
		entry = get_entry(hooks, event->public_key);
	if (!entry) {
		log_error(hooks->device->name, "%s: %s",
				  labels[event->kind == EVENT_PEER_UP ? PEER_HOOK_UP : PEER_HOOK_DOWN], strerror(ENOMEM));
		return;
	}
	snprintf(entry->name, sizeof entry->name, "%s", event->name ? event->name : "");
	snprintf(entry->endpoint, sizeof entry->endpoint, "%s", event->endpoint ? event->endpoint : "");
	snprintf(entry->reason, sizeof entry->reason, "%s", event->reason ? event->reason : "");
	peer_label_subject(entry->text, sizeof entry->text, hooks->device->name, event->public_key, entry->name);
	entry->wanted = event->kind == EVENT_PEER_UP;
	enqueue_entry(entry);
	release_entry(entry);
}

/* --- start, reload and end ----- */

static int load_commands(struct peer_hooks *hooks, const struct config *config)
{
	int error = 0;

	for (int hook = 0; hook < PEER_HOOKS && !error; hook++)
		error = config_lines_copy(&hooks->common[hook], config->peer_hooks[hook]);
	list_for_each (entry, &hooks->peers, struct hooked_peer, node)
		entry->listed = false;
	for (const struct config_peer *peer = config->peers; peer && !error; peer = peer->next) {
		struct hooked_peer *entry;

		if (!has_commands(peer->hooks))
			continue;
		entry = get_entry(hooks, peer->public_key);
		if (!entry)
			return -ENOMEM;
		entry->listed = true;
		for (int hook = 0; hook < PEER_HOOKS && !error; hook++)
			error = config_lines_copy(&entry->commands[hook], peer->hooks[hook]);
	}
	return error;
}

/*
 * Makes entries for the peers that are up, or were so in the process before this one. A reload finds the commands of
 * peers that are up already, and nothing runs for them.
 */
static int note_peers(struct peer_hooks *hooks, bool reload)
{
	list_for_each (peer, &hooks->device->peers, const struct peer, node) {
		const uint8_t *key = peer->remote.public_key;
		const char *name = peer->label ? peer->label->name : "";
		struct hooked_peer *entry = find_entry(hooks, key);

		if ((!peer->state.announced && !peer->state.inherited) || (!entry && !has_commands(hooks->common)))
			continue;
		if (entry && reload)
			continue;
		entry = get_entry(hooks, key);
		if (!entry)
			return -ENOMEM;
		entry->wanted = peer->state.announced;
		entry->up = reload ? entry->wanted : peer->state.inherited;
		snprintf(entry->name, sizeof entry->name, "%s", name);
		peer_label_subject(entry->text, sizeof entry->text, hooks->device->name, key, name);
		if (endpoint_known(&peer->endpoint))
			endpoint_text(entry->endpoint, &peer->endpoint);
		enqueue_entry(entry);
	}
	return 0;
}

int peer_hooks_start(struct peer_hooks *hooks, struct device *device, struct children *children,
					 const struct config *config)
{
	int error;

	*hooks = (struct peer_hooks) { .device = device, .children = children, .hooks = { .interface = device->name } };
	hooks->consumer = (struct event_consumer) { .handle = on_peer_event, .context = hooks };
	ev_init(&hooks->start, on_start_timer);
	hooks->start.data = hooks;
	error = map_init(&hooks->by_key);
	if (!error)
		error = load_commands(hooks, config);
	if (!error)
		error = note_peers(hooks, false);
	if (error) {
		peer_hooks_stop(hooks);
		return error;
	}
	event_subscribe(&device->events, &hooks->consumer);
	return 0;
}

/* All peers of the device are in `config`. */
void peer_hooks_mark_changes(const struct peer_hooks *hooks, const struct config *config)
{
	static const uint32_t settings[PEER_HOOKS] = {
		[PEER_HOOK_UP] = PEER_SETTING_PEER_UP, [PEER_HOOK_DOWN] = PEER_SETTING_PEER_DOWN
	};

	for (const struct config_peer *wanted = config->peers; wanted; wanted = wanted->next) {
		const struct hooked_peer *entry = find_entry(hooks, wanted->public_key);
		struct peer *peer = NULL;

		for (int hook = 0; hook < PEER_HOOKS; hook++) {
			if (config_lines_equal(entry ? entry->commands[hook] : NULL, wanted->hooks[hook]))
				continue;
			peer = peer ? peer : peer_lookup(hooks->device, wanted->public_key);
			if (peer)
				peer->changed |= settings[hook];
		}
	}
}

void peer_hooks_reload(struct peer_hooks *hooks, const struct config *config)
{
	struct list_node *node, *after;
	int error = load_commands(hooks, config);

	for (node = list_first(&hooks->peers); node; node = after) {
		after = list_next(&hooks->peers, node);
		release_entry(container_of(node, struct hooked_peer, node));
	}
	if (!error)
		error = note_peers(hooks, true);
	if (error)
		log_error(hooks->device->name, "PeerUp and PeerDown: %s", strerror(-error));
}

static void on_limit(struct ev_loop *loop, struct ev_timer *timer, int events)
{
	*(bool *)timer->data = true;
}

void peer_hooks_finish(struct peer_hooks *hooks, const bool *ended)
{
	bool over = false;

	if (!hooks->device || (!hooks->running && list_empty(&hooks->waiting)))
		return;
	hooks_extend_timeout();
	hooks->finishing = true;
	arm_start(hooks, 0.);
	ev_timer_init(&hooks->limit, on_limit, hooks_timeout(HOOK_TIMEOUT), 0.);
	hooks->limit.data = &over;
	ev_timer_start(hooks->children->loop, &hooks->limit);
	while (!over && !*ended && (hooks->running || !list_empty(&hooks->waiting)))
		ev_run(hooks->children->loop, EVRUN_ONCE);
	ev_timer_stop(hooks->children->loop, &hooks->limit);
	if (over)
		log_error(hooks->device->name, "PeerDown: not all commands have run, because they take too long");
}

void peer_hooks_stop(struct peer_hooks *hooks)
{
	struct list_node *node;

	if (!hooks->device)
		return;
	event_unsubscribe(&hooks->consumer);
	ev_timer_stop(hooks->children->loop, &hooks->start);
	while ((node = list_take_first(&hooks->peers)))
		free_entry(container_of(node, struct hooked_peer, node));
	free_commands(hooks->common);
	map_destroy(&hooks->by_key);
	*hooks = (struct peer_hooks) { 0 };
}
