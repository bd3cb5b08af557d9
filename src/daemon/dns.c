/* SPDX-License-Identifier: MIT */
/*
 * DNS: runs resolvectl(1) or resolvconf(8).
 *
 * Theory of operation
 *
 * A task is a list of actions, and each action is one call of the tool. The tasks are to set the servers, to look
 * whether they are still set, to restore them, and to remove them. One task runs at a time, on the event loop.
 *
 * After the servers are set, `expected` holds what the tool shows for them: the output of resolvectl, or, because not
 * every resolvconf can show its state, the text of resolv.conf. An event of inotify(7) starts a look after a pause. If
 * the tool shows something else by then, the servers are set again. The pause doubles each time, so that two programs
 * that both insist do not keep the machine busy.
 *
 * If a reload cannot set or remove the servers, `unapplied` holds until a later attempt succeeds. The attempts use the
 * same timer, and their interval doubles up to PAUSE_MAX. A reload begins an attempt at once.
 */
#include "daemon/dns.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "daemon/resolver.h"
#include "network/process.h"

#define RESOLVED_FOLDER "/run/systemd/resolve"
#define RESOLVED_SOCKET RESOLVED_FOLDER "/io.systemd.Resolve"
#define INTERFACE_ORDER "/etc/resolvconf/interface-order"
#define TOOL_LIMIT 20. /* seconds for one call, without ADIT_HOOK_TIMEOUT */
#define PAUSE_MIN .5   /* seconds */
#define PAUSE_MAX 60.0

enum dns_action {
	ACTIONS_END,
	SET_SERVERS,
	SET_DOMAINS,
	SHOW_SERVERS,
	SHOW_DOMAINS,
	REVERT,
	ADD,
	UPDATE,
	DELETE,
};

enum { ACTIONS_MAX = 5 };

struct dns_tool {
	const char *program;
	unsigned char set[ACTIONS_MAX], look[ACTIONS_MAX], restore[ACTIONS_MAX], remove[ACTIONS_MAX];
	const char *folder, *files[PATH_WATCH_FILES];
};

static const struct dns_tool resolvectl = {
	.program = "resolvectl",
	.set = { SET_SERVERS, SET_DOMAINS, SHOW_SERVERS, SHOW_DOMAINS },
	.look = { SHOW_SERVERS, SHOW_DOMAINS },
	.restore = { SET_SERVERS, SET_DOMAINS, SHOW_SERVERS, SHOW_DOMAINS },
	.remove = { REVERT },
	.folder = RESOLVED_FOLDER,
	.files = { RESOLVED_FOLDER "/resolv.conf", RESOLVED_FOLDER "/stub-resolv.conf" },
};

/* UPDATE writes resolv.conf even if the servers in the database of resolvconf are still ours. */
static const struct dns_tool resolvconf = {
	.program = "resolvconf",
	.set = { ADD },
	.restore = { ADD, UPDATE },
	.remove = { DELETE },
	.folder = "/etc",
	.files = { RESOLV_CONF, RESOLV_CONF },
};

/* --- the tools ----- */

/* Chooses resolvectl if systemd-resolved runs. */
static const struct dns_tool *choose_tool(void)
{
	const struct sockaddr_un to = { .sun_family = AF_UNIX, .sun_path = RESOLVED_SOCKET };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	bool runs = fd >= 0 && (!connect(fd, (const struct sockaddr *)&to, sizeof to) || errno == EAGAIN);

	if (fd >= 0)
		close(fd);
	if (runs && process_program_exists(resolvectl.program))
		return &resolvectl;
	return process_program_exists(resolvconf.program) ? &resolvconf : NULL;
}

/*
 * Writes the name of our entry in the database of resolvconf. Where a file orders the entries by name, the name gets
 * the prefix that the file lists first, as with wg-quick(8): "tun.site".
 */
static void name_resolvconf_entry(char *name, size_t room, const char *interface)
{
	FILE *file = fopen(INTERFACE_ORDER, "re");
	char line[256] = "";
	size_t length = 0;

	while (file && !length && fgets(line, sizeof line, file)) {
		char *word = line + strspn(line, " \t");

		length = strspn(word, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-");
		if (word[length] != '*' || word[length + 1 + strspn(word + length + 1, " \t\r\n")])
			length = 0;
		else
			memmove(line, word, length);
	}
	if (file)
		fclose(file);
	snprintf(name, room, "%.*s%s%s", (int)length, line, length ? "." : "", interface);
}

/* Returns the lines for the standard input of resolvconf; the caller frees them. NULL: no memory. */
static char *make_resolv_conf(const struct dns *dns)
{
	char *text = NULL;
	size_t size = 0;
	FILE *to = open_memstream(&text, &size);

	if (!to)
		return NULL;
	for (const struct config_line *server = dns->servers; server; server = server->next)
		fprintf(to, "nameserver %s\n", server->text);
	for (const struct config_line *domain = dns->search; domain; domain = domain->next)
		fprintf(to, "%s%s%s", domain == dns->search ? "search " : " ", domain->text, domain->next ? "" : "\n");
	if (!fclose(to))
		return text;
	free(text);
	return NULL;
}

static size_t append_words(const char **words, const struct config_line *list)
{
	size_t count = 0;

	for (; list; list = list->next)
		words[count++] = list->text;
	return count;
}

/* Sets the arguments of an action, at most six and those of the lists. "~." routes all queries to our servers. */
static void set_arguments(const struct dns *dns, enum dns_action action, const char **argv, const char *entry)
{
	static const char *const verbs[] = {
		[SET_SERVERS] = "dns",     [SET_DOMAINS] = "domain", [SHOW_SERVERS] = "dns",
		[SHOW_DOMAINS] = "domain", [REVERT] = "revert",      [ADD] = "-a",
		[UPDATE] = "-u",           [DELETE] = "-d",
	};
	size_t count = 0;

	argv[count++] = dns->tool->program;
	argv[count++] = verbs[action];
	if (action != UPDATE)
		argv[count++] = dns->tool == &resolvconf ? entry : dns->interface;
	if (action == SET_SERVERS)
		count += append_words(argv + count, dns->servers);
	if (action == SET_DOMAINS) {
		count += append_words(argv + count, dns->search);
		argv[count++] = "~.";
	}
	if (action == ADD) {
		argv[count++] = "-m";
		argv[count++] = "0";
		argv[count++] = "-x";
	}
	if (action == DELETE)
		argv[count++] = "-f";
	argv[count] = NULL;
}

/* --- tasks ----- */

static void begin_task(struct dns *dns, int task);
static void apply_wanted(struct dns *dns);

static void collect_state(void *context, const char *label, const char *text)
{
	struct dns *dns = context;
	size_t length = strlen(dns->shown);

	snprintf(dns->shown + length, sizeof dns->shown - length, "%s\n", text);
}

static void read_resolv_conf(struct dns *dns)
{
	int fd = open(RESOLV_CONF, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	ssize_t length = fd < 0 ? 0 : read(fd, dns->shown, sizeof dns->shown - 1);

	dns->shown[length > 0 ? length : 0] = '\0';
	if (fd >= 0)
		close(fd);
}

static void look_later(struct dns *dns)
{
	ev_timer_stop(dns->children->loop, &dns->pause);
	ev_now_update(dns->children->loop);
	ev_timer_set(&dns->pause, dns->backoff, 0.);
	ev_timer_start(dns->children->loop, &dns->pause);
}

static void on_dns_pause(struct ev_loop *loop, struct ev_timer *watcher, int events)
{
	struct dns *dns = watcher->data;

	if (dns->task != DNS_IDLE)
		look_later(dns);
	else if (dns->unapplied)
		apply_wanted(dns);
	else
		begin_task(dns, DNS_LOOK);
}

static void on_dns_files(struct path_watch *files)
{
	struct dns *dns = container_of(files, struct dns, files);

	if (!ev_is_active(&dns->pause))
		look_later(dns);
}

static void restore_servers(struct dns *dns)
{
	double now = clock_seconds();

	if (!dns->restored_at || now - dns->restored_at > 2 * PAUSE_MAX)
		dns->backoff = PAUSE_MIN;
	dns->restored_at = now;
	dns->backoff = dns->backoff < PAUSE_MAX / 2 ? 2 * dns->backoff : PAUSE_MAX;
	log_warning(dns->interface, "DNS: another program has changed the name servers; setting them again");
	begin_task(dns, DNS_RESTORE);
}

/* The attempt of a reload has ended. */
static void end_attempt(struct dns *dns, const char *failure)
{
	bool awaited = dns->awaited;

	dns->awaited = false;
	if (awaited && dns->attempted)
		dns->attempted(dns->context, failure);
}

static void retry_later(struct dns *dns)
{
	end_attempt(dns, dns->failure.text);
	dns->backoff = dns->backoff < PAUSE_MAX / 2 ? 2 * dns->backoff : PAUSE_MAX;
	log_error(dns->interface, "DNS: the change is not in effect; trying again in %g s", dns->backoff);
	look_later(dns);
}

static void end_task(struct dns *dns, int status)
{
	int task = dns->task;

	dns->task = DNS_IDLE;
	dns->status = status;
	if (dns->tool == &resolvconf && task != DNS_REMOVE)
		read_resolv_conf(dns);
	if (dns->again) {
		dns->again = false;
		apply_wanted(dns);
		return;
	}
	if (dns->unapplied && !status && task != DNS_LOOK) {
		dns->unapplied = false;
		dns->backoff = PAUSE_MIN;
		end_attempt(dns, NULL);
	}
	if (dns->unapplied) {
		retry_later(dns);
	} else if (task == DNS_REMOVE) {
		dns->tool = NULL;
	} else if (status && task != DNS_SET && dns->backoff < PAUSE_MAX) {
		dns->backoff *= 2; /* the tool cannot work now: systemd-resolved restarts */
		look_later(dns);
	} else if (!status && task == DNS_LOOK && strcmp(dns->shown, dns->expected)) {
		restore_servers(dns);
	} else if (!status && task != DNS_LOOK) {
		memcpy(dns->expected, dns->shown, sizeof dns->expected);
	}
}

static void next_action(struct dns *dns);

static void on_action_end(void *context, int status)
{
	struct dns *dns = context;

	if (status == -ETIMEDOUT)
		reason_set(&dns->failure, 0, "DNS: %s: killed after %g s", dns->tool->program, hooks_timeout(TOOL_LIMIT));
	else if (status)
		reason_set(&dns->failure, 0, "DNS: %s failed with status %d", dns->tool->program, status);
	if (status && (dns->task != DNS_LOOK || status == -ETIMEDOUT))
		log_error(dns->interface, "%s", dns->failure.text);
	dns->action++;
	if (status)
		end_task(dns, status);
	else
		next_action(dns);
}

static void log_action(const struct dns *dns, const char *const *argv)
{
	char line[CHILD_LINE];
	size_t length = (size_t)snprintf(line, sizeof line, "[#]");

	for (; *argv && length < sizeof line; argv++)
		length += (size_t)snprintf(line + length, sizeof line - length, " %s", *argv);
	hooks_log_output(dns->output, "DNS", line);
}

static void next_action(struct dns *dns)
{
	enum dns_action action = *dns->action;
	bool show = action == SHOW_SERVERS || action == SHOW_DOMAINS;
	struct child_options options = { .label = "DNS",
									 .limit = hooks_timeout(TOOL_LIMIT),
									 .line = show ? collect_state : hooks_log_output,
									 .line_context = show ? (void *)dns : dns->output,
									 .done = on_action_end,
									 .done_context = dns };
	size_t words = 8;
	char entry[300], *input;
	const char **argv;
	int error;

	if (action == ACTIONS_END) {
		end_task(dns, 0);
		return;
	}
	for (const struct config_line *item = dns->servers; item; item = item->next)
		words++;
	for (const struct config_line *item = dns->search; item; item = item->next)
		words++;
	argv = calloc(words, sizeof *argv);
	input = action == ADD ? make_resolv_conf(dns) : NULL;
	if (!argv || (action == ADD && !input)) {
		error = -ENOMEM;
	} else {
		name_resolvconf_entry(entry, sizeof entry, dns->interface);
		set_arguments(dns, action, argv, entry);
		options.argv = argv;
		options.input = input;
		if (!show)
			log_action(dns, argv);
		error = child_start(dns->children, &options);
	}
	free(argv);
	free(input);
	if (error) {
		reason_set_errno(&dns->failure, error, "DNS: %s", dns->tool->program);
		log_error(dns->interface, "%s", dns->failure.text);
		end_task(dns, error);
	}
}

static void begin_task(struct dns *dns, int task)
{
	static const unsigned char nothing[] = { ACTIONS_END };
	const unsigned char *const actions[] = {
		[DNS_IDLE] = nothing,
		[DNS_SET] = dns->tool->set,
		[DNS_LOOK] = dns->tool->look,
		[DNS_RESTORE] = dns->tool->restore,
		[DNS_REMOVE] = dns->tool->remove,
	};

	dns->task = task;
	dns->action = actions[task];
	dns->shown[0] = '\0';
	next_action(dns);
}

/* Takes copies, because a reload frees the configuration. As wg-quick(8), ignores search domains without a server. */
static int copy_wanted(struct dns *dns, const struct config *config)
{
	int error = config_lines_copy(&dns->servers, config->dns_servers);

	return error ? error : config_lines_copy(&dns->search, config->dns_servers ? config->dns_search : NULL);
}

static void watch_tool(struct dns *dns)
{
	int error;

	dns->files.files = dns->tool->files;
	dns->files.folder = dns->tool->folder;
	error = path_watch_files(&dns->files);
	if (error)
		log_warning(dns->interface, "DNS: inotify: %s; changes by other programs are not noticed", strerror(-error));
}

static const char no_tool[] = "DNS: systemd-resolved does not run, and there is no resolvconf program "
							  "(install systemd-resolved or openresolv)";

static void wait_for_task(struct dns *dns, const bool *ended)
{
	while (dns->task != DNS_IDLE && !*ended)
		ev_run(dns->children->loop, EVRUN_ONCE);
}

int dns_start(struct dns *dns, const char *interface, const struct config *config, struct children *children,
			  struct path_watches *paths, struct hooks *output, const bool *ended, struct reason *reason)
{
	*dns = (struct dns) { .interface = interface, .children = children, .output = output, .backoff = PAUSE_MIN };
	dns->files = (struct path_watch) { .watches = paths, .changed = on_dns_files };
	ev_init(&dns->pause, on_dns_pause);
	dns->pause.data = dns;
	if (copy_wanted(dns, config))
		return reason_set_errno(reason, -ENOMEM, "DNS");
	if (!dns->servers)
		return 0;
	dns->tool = choose_tool();
	if (!dns->tool)
		return reason_set(reason, -ENOENT, "%s", no_tool);
	begin_task(dns, DNS_SET);
	wait_for_task(dns, ended);
	if (dns->task == DNS_IDLE && !dns->status) {
		watch_tool(dns);
		return 0;
	}
	return reason_set(reason, *ended ? -ECANCELED : -EIO, "DNS: %s has not set the name servers", dns->tool->program);
}

/*
 * Begins to set the wanted servers, or to remove the servers if none are wanted. Then nothing may start a look, for
 * which there is no tool: neither the files nor a look that waits for the end of its pause.
 */
static void apply_wanted(struct dns *dns)
{
	path_watch_stop(&dns->files);
	ev_timer_stop(dns->children->loop, &dns->pause);
	if (dns->servers && !dns->tool)
		dns->tool = choose_tool();
	if (!dns->tool && dns->servers) {
		reason_set(&dns->failure, 0, "%s", no_tool);
		log_error(dns->interface, "%s", dns->failure.text);
		retry_later(dns);
		return;
	}
	if (!dns->tool) {
		dns->unapplied = false;
		end_attempt(dns, NULL);
		return;
	}
	if (dns->servers)
		watch_tool(dns);
	begin_task(dns, dns->servers ? DNS_SET : DNS_REMOVE);
}

void dns_remove_left(struct dns *dns, const bool *ended)
{
	dns->tool = choose_tool();
	if (!dns->tool)
		return;
	dns->unapplied = true;
	apply_wanted(dns);
	wait_for_task(dns, ended);
}

void dns_reload(struct dns *dns, const struct config *config)
{
	if (!dns->interface || (!dns->unapplied && config_lines_equal(dns->servers, config->dns_servers) &&
							config_lines_equal(dns->search, config->dns_servers ? config->dns_search : NULL)))
		return;
	dns->awaited = true;
	if (copy_wanted(dns, config)) {
		reason_set_errno(&dns->failure, -ENOMEM, "DNS");
		log_error(dns->interface, "%s", dns->failure.text);
		end_attempt(dns, dns->failure.text);
		return;
	}
	dns->unapplied = true;
	dns->backoff = PAUSE_MIN;
	ev_timer_stop(dns->children->loop, &dns->pause);
	dns->again = dns->task != DNS_IDLE;
	if (!dns->again) { /* from the loop, so that the answer to the reload is sent before a result */
		ev_timer_set(&dns->pause, 0., 0.);
		ev_timer_start(dns->children->loop, &dns->pause);
	}
}

void dns_stop(struct dns *dns, bool keep)
{
	static const bool never = false;

	if (!dns->interface)
		return;
	path_watch_stop(&dns->files);
	ev_timer_stop(dns->children->loop, &dns->pause);
	dns->again = dns->unapplied = false;
	end_attempt(dns, "DNS: the tunnel ends");
	wait_for_task(dns, &never);
	ev_timer_stop(dns->children->loop, &dns->pause);
	if (dns->tool && !keep) {
		begin_task(dns, DNS_REMOVE);
		wait_for_task(dns, &never);
	}
	config_lines_free(dns->servers);
	config_lines_free(dns->search);
	*dns = (struct dns) { 0 };
}
