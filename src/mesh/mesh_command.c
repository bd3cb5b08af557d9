/* SPDX-License-Identifier: MIT */
/* adit mesh: the steps from the list of hosts to the files, and the summary. status.h has --status. */
#include <errno.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "addresses.h"
#include "base/service_unit.h"
#include "base/usage.h"
#include "install.h"
#include "kept_lines.h"
#include "mesh/mesh.h"
#include "output.h"
#include "render.h"
#include "status.h"

enum { NAMES_SHOWN = 10, SOURCE_ROOM = 128 };

struct mesh_options {
	const char *list, *out, *user, *svg;
	const char **rotate; /* names of hosts; has room for all arguments */
	size_t rotate_count;
	bool dry_run, install, status;
};

/* One run. Zeroed memory is a run that has not started. */
struct mesh_run {
	const struct mesh_options *options;
	struct host_list list;
	struct output output;
	struct secrets secrets;
	struct topology topology;
	struct ini_report report;
	struct reason reason;
	char source[SOURCE_ROOM]; /* the name of the list without its path and without special characters */
	bool *added, *changed;    /* of each host */
	char (*digests)[INSTALL_DIGEST];
	size_t removed_count;
};

/* The list is loaded, so errors of its lines have been reported. */
static int read_earlier_files(struct mesh_run *run)
{
	const struct host_list *list = &run->list;

	for (size_t i = 0; i < list->count; i++) {
		char *path;
		int found = output_find(&run->output, list, i, &path, &run->reason);

		if (found < 0)
			return found;
		run->added[i] = !found;
		if (found) {
			int error = secrets_read(&run->secrets, i, path, &run->reason);

			if (!error)
				error = kept_lines_read(&run->secrets.hosts[i].kept, path, &run->reason);
			free(path);
			if (error)
				return error;
		}
	}
	for (size_t i = 0; i < run->options->rotate_count; i++) {
		size_t host = host_list_find(list, run->options->rotate[i]);

		if (host == list->count)
			return reason_set(&run->reason, -ENOENT, "--rotate: there is no host \"%s\" in %s", run->options->rotate[i],
							  run->options->list);
		run->secrets.hosts[host].rotate = true;
	}
	return 0;
}

static int assign_addresses(struct mesh_run *run)
{
	size_t full = 0;
	int error = addresses_assign(&run->list, run->secrets.addresses, &full);

	if (error == -ENOSPC)
		return reason_set(&run->reason, error,
						  "%s:%d: error: address: the network has no free address left for host %s", run->options->list,
						  run->list.hosts[full].line, run->list.hosts[full].name);
	return error ? reason_set_errno(&run->reason, error, "addresses") : 0;
}

/* Hosts that the list lets talk to each other, but that have no path. */
static void warn_of_gaps(const struct mesh_run *run)
{
	const struct host_list *list = &run->list;
	size_t gaps = 0;

	for (size_t a = 0; a < list->count; a++) {
		size_t reached = 0;

		for (size_t b = 0; b < list->count; b++) {
			bool permitted = a != b && topology_permits(list, a, b);

			if (permitted && topology_next_hop(&run->topology, a, b) == TOPOLOGY_NOWHERE) {
				if (a < b && gaps++ < NAMES_SHOWN)
					fprintf(stderr,
							"%s:%d: warning: no tunnel between %s and %s, because neither has an endpoint; with \"hub "
							"= NAME\", a host relays\n",
							run->options->list, list->hosts[b].line, list->hosts[a].name, list->hosts[b].name);
			} else if (permitted) {
				reached++;
			}
		}
		if (!reached && list->count > 1)
			fprintf(stderr, "%s:%d: warning: host %s has no tunnel to any other host\n", run->options->list,
					list->hosts[a].line, list->hosts[a].name);
	}
	if (gaps > NAMES_SHOWN)
		fprintf(stderr, "%s: warning: no tunnel between %zu more pairs of hosts without endpoints\n",
				run->options->list, gaps - NAMES_SHOWN);
}

static int write_host_file(struct mesh_run *run, const struct network *network, struct secret_text *text, size_t i)
{
	char name[sizeof run->list.interface + sizeof ".conf"];
	uint8_t digest[crypto_hash_sha256_BYTES];
	int changed;

	secret_text_clear(text);
	render_host(text, network, i);
	snprintf(name, sizeof name, "%s.conf", run->list.interface);
	changed = output_write(&run->output, run->list.hosts[i].name, name, text, &run->reason);
	if (changed < 0)
		return changed;
	run->changed[i] = changed;
	crypto_hash_sha256(digest, (const uint8_t *)text->bytes, text->length);
	sodium_bin2hex(run->digests[i], INSTALL_DIGEST, digest, sizeof digest);
	return 0;
}

static int write_network_files(struct mesh_run *run, const struct network *network, struct secret_text *text)
{
	static const struct {
		const char *name;
		void (*render)(struct secret_text *to, const struct network *network);
	} files[] = { { "mesh.txt", render_table }, { "mesh.dot", render_dot }, { "mesh.svg", render_svg } };

	for (size_t i = 0; i < sizeof files / sizeof *files; i++) {
		int changed;

		secret_text_clear(text);
		files[i].render(text, network);
		changed = output_write(&run->output, NULL, files[i].name, text, &run->reason);
		if (changed < 0)
			return changed;
	}
	return 0;
}

/*
 * Hosts with new keys come first: if the run ends between two files, the new keys are in the file of their owner, and
 * the next run completes the files of the others.
 */
static int write_files(struct mesh_run *run)
{
	const struct network network = { &run->topology, &run->secrets, run->source };
	struct secret_text text = { 0 };
	int error = 0;

	for (int new_keys = 1; new_keys >= 0 && !error; new_keys--) {
		for (size_t i = 0; i < run->list.count && !error; i++) {
			if ((run->added[i] || run->secrets.hosts[i].rotate) == new_keys)
				error = write_host_file(run, &network, &text, i);
		}
	}
	if (!error)
		error = write_network_files(run, &network, &text);
	if (!error)
		error = output_commit(&run->output, &run->reason);
	secret_text_destroy(&text);
	return error;
}

enum host_change { HOST_ADDED, HOST_ROTATED, HOST_FILE_CHANGED };

static bool host_has_change(const struct mesh_run *run, enum host_change change, size_t i)
{
	switch (change) {
	case HOST_ADDED:
		return run->added[i];
	case HOST_ROTATED:
		return run->secrets.hosts[i].rotate && !run->added[i];
	case HOST_FILE_CHANGED:
		return run->changed[i];
	}
	return false;
}

/* Prints "N hosts WHAT: a, b", with the names only if there are few. Returns N. */
static size_t print_hosts(const struct mesh_run *run, const char *noun, const char *what, enum host_change change,
						  bool *started)
{
	size_t count = 0, printed = 0;

	for (size_t i = 0; i < run->list.count; i++)
		count += host_has_change(run, change, i);
	if (!count)
		return 0;
	printf("%s%zu %s%s %s", *started ? "; " : "", count, noun, count == 1 ? "" : "s", what);
	*started = true;
	for (size_t i = 0; i < run->list.count && count <= NAMES_SHOWN; i++) {
		if (host_has_change(run, change, i))
			printf("%s%s", printed++ ? ", " : ": ", run->list.hosts[i].name);
	}
	return count;
}

static void print_summary(const struct mesh_run *run)
{
	bool started = false;
	size_t added = print_hosts(run, "host", "added", HOST_ADDED, &started);

	print_hosts(run, "host", "with new keys", HOST_ROTATED, &started);
	if (run->removed_count)
		printf("%s%zu host%s removed", started ? "; " : "", run->removed_count, run->removed_count == 1 ? "" : "s");
	started |= run->removed_count > 0;
	if (!print_hosts(run, "file", "changed", HOST_FILE_CHANGED, &started))
		printf("%sno file of a host changed", started ? "; " : "");
	printf("%s\n", run->options->dry_run ? " (dry run: nothing was written)" : "");
	if (added == run->list.count && !run->options->dry_run && !run->options->install)
		printf("Copy %s/HOST/%s.conf to /etc/adit on each host, or let --install do it.\n", run->options->out,
			   run->list.interface);
}

static void note_removed(void *context, const char *host, const char *folder)
{
	struct mesh_run *run = context;
	char unit[SERVICE_NAME];

	service_unit_name(unit, run->list.interface);
	run->removed_count++;
	if (run->options->dry_run)
		printf("%s: not in the list any more; the folder would move to %s/%s\n", host, run->options->out, folder);
	else
		printf("%s: not in the list any more; the folder is now %s/%s. To end its tunnel, run there: systemctl disable "
			   "--now %s\n",
			   host, run->options->out, folder, unit);
}

static void clean_source(char source[SOURCE_ROOM], const char *path)
{
	const char *slash = strrchr(path, '/');

	snprintf(source, SOURCE_ROOM, "%s", slash ? slash + 1 : strcmp(path, "-") == 0 ? "standard input" : path);
	for (char *c = source; *c; c++) {
		if (*c < ' ' || *c > '~')
			*c = '?';
	}
}

/* Returns 0 or a negative errno. The reason is empty if the findings about the list explain the error. */
static int make_network(struct mesh_run *run)
{
	const struct mesh_options *options = run->options;
	int error = host_list_load(&run->list, options->list, &run->report);

	if (error) {
		if (!run->report.errors)
			reason_set_errno(&run->reason, error, "%s", options->list);
		return error;
	}
	clean_source(run->source, options->list);
	error = output_open(&run->output, options->out, options->dry_run, &run->reason);
	if (error)
		return error;
	run->added = calloc(run->list.count, sizeof *run->added);
	run->changed = calloc(run->list.count, sizeof *run->changed);
	run->digests = calloc(run->list.count, sizeof *run->digests);
	if (!run->added || !run->changed || !run->digests || secrets_init(&run->secrets, run->list.count) < 0)
		return reason_set_errno(&run->reason, -ENOMEM, "%s", options->list);
	error = read_earlier_files(run);
	if (!error)
		error = assign_addresses(run);
	if (!error && topology_init(&run->topology, &run->list) < 0)
		error = reason_set_errno(&run->reason, -ENOMEM, "%s", options->list);
	if (!error)
		error = secrets_complete(&run->secrets, &run->topology, &run->reason);
	if (error)
		return error;
	warn_of_gaps(run);
	error = write_files(run);
	if (!error)
		error = output_remove_others(&run->output, &run->list, note_removed, run, &run->reason);
	return error;
}

/* Returns the exit code. */
static int run_mesh(const struct mesh_options *options)
{
	struct mesh_run run = { .options = options, .report.line = ini_print_line, .output.fd = -1 };
	int code = EXIT_SUCCESS, error = make_network(&run);

	if (error) {
		if (*run.reason.text)
			fprintf(stderr, "adit mesh: %s\n", run.reason.text);
		code = EXIT_FAILURE;
	} else {
		print_summary(&run);
		if (options->install) {
			const struct install install = { .list = &run.list,
											 .folder = options->out,
											 .digests = (const char(*)[INSTALL_DIGEST])run.digests,
											 .user = options->user,
											 .dry_run = options->dry_run };
			code = install_run(&install) ? EXIT_FAILURE : EXIT_SUCCESS;
		}
	}
	topology_destroy(&run.topology);
	secrets_destroy(&run.secrets);
	output_close(&run.output);
	host_list_destroy(&run.list);
	free(run.digests);
	free(run.changed);
	free(run.added);
	return code;
}

/* Reports what is wrong with the options together, and returns false. */
static bool check_mesh_options(const struct mesh_options *options)
{
	bool makes_files = options->out || options->rotate_count || options->dry_run || options->install;

	if (!options->list || (!options->out && !options->status)) {
		usage_error("mesh",
					"HOSTS --out DIR [--rotate HOST]... [--dry-run] [--install [--user USER]]; adit mesh HOSTS "
					"--status [--svg FILE] [--user USER]",
					NULL);
		return false;
	}
	if (options->status && makes_files) {
		fprintf(stderr, "adit mesh: --status: the option makes no files, and accepts only --svg and --user\n");
		return false;
	}
	if (options->svg && !options->status) {
		fprintf(stderr, "adit mesh: --svg: the option needs --status\n");
		return false;
	}
	if (options->user && !options->install && !options->status) {
		fprintf(stderr, "adit mesh: --user: the option needs --install or --status\n");
		return false;
	}
	if (options->user && *options->user == '-') {
		fprintf(stderr, "adit mesh: --user: the value is not the name of a user\n");
		return false;
	}
	return true;
}

/* Takes an option that has a value. `--rotate` may be repeated. */
static bool take_mesh_value(struct mesh_options *options, int argc, char **argv, int *at, const char **problem)
{
	if (usage_match_value(argc, argv, at, "--svg", &options->svg, problem) ||
		usage_match_value(argc, argv, at, "--out", &options->out, problem) ||
		usage_match_value(argc, argv, at, "--user", &options->user, problem))
		return true;
	if (!usage_match_value(argc, argv, at, "--rotate", &options->rotate[options->rotate_count], problem))
		return false;
	options->rotate_count++;
	return true;
}

static bool take_mesh_flag(struct mesh_options *options, const char *argument)
{
	if (strcmp(argument, "--dry-run") == 0)
		options->dry_run = true;
	else if (strcmp(argument, "--install") == 0)
		options->install = true;
	else if (strcmp(argument, "--status") == 0)
		options->status = true;
	else
		return false;
	return true;
}

/* Reports what is wrong with the command line, and returns false. */
static bool read_mesh_options(struct mesh_options *options, int argc, char **argv)
{
	for (int at = 1; at < argc;) {
		const char *argument = argv[at], *problem;

		if (take_mesh_value(options, argc, argv, &at, &problem)) {
			if (!problem)
				continue;
			fprintf(stderr, "adit mesh: %.*s: %s\n", (int)strcspn(argument, "="), argument, problem);
			return false;
		}
		at++;
		if (take_mesh_flag(options, argument))
			continue;
		if ((*argument == '-' && argument[1]) || options->list) {
			fprintf(stderr, "adit mesh: \"%s\" is %s\n", argument,
					*argument == '-' ? "not an option of this command" : "one argument too many");
			return false;
		}
		options->list = argument;
	}
	return check_mesh_options(options);
}

/* Returns the exit code. */
static int run_status(const struct mesh_options *options)
{
	struct host_list list = { 0 };
	struct ini_report report = { .line = ini_print_line };
	const struct status status = { .list = &list, .svg = options->svg, .user = options->user };
	int code = EXIT_FAILURE, error = host_list_load(&list, options->list, &report);

	if (!error)
		code = status_run(&status);
	else if (!report.errors)
		fprintf(stderr, "adit mesh: %s: %s\n", options->list, strerror(-error));
	host_list_destroy(&list);
	return code;
}

void mesh_list_hosts(const char *path, void (*found)(void *context, const char *name), void *context)
{
	struct ini_report report = { 0 };
	struct host_list list = { 0 };

	host_list_load(&list, path, &report);
	for (size_t i = 0; i < list.count; i++)
		if (*list.hosts[i].name)
			found(context, list.hosts[i].name);
	host_list_destroy(&list);
}

int command_mesh(int argc, char **argv)
{
	struct mesh_options options = { .rotate = calloc((size_t)argc + 1, sizeof *options.rotate) };
	int code = EXIT_FAILURE;

	if (!options.rotate)
		fprintf(stderr, "adit mesh: out of memory\n");
	else if (read_mesh_options(&options, argc, argv))
		code = options.status ? run_status(&options) : run_mesh(&options);
	free(options.rotate);
	return code;
}
