/* SPDX-License-Identifier: MIT */
/* adit peer: finds, reads and locks the configuration of a tunnel. */
#include "peer_site.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#include "base/utf8.h"
#include "reload.h"

/* Warnings about other peers would repeat at each call; `adit check` shows them. */
static void print_errors(void *context, const char *text)
{
	const char *path = context;

	if (strstr(text, ": error: ") || (path && strstr(text, path)))
		fprintf(stderr, "%s\n", text);
}

static int load_site(const struct peer_site *site, struct config *config, const char *path)
{
	struct ini_report report = { .line = print_errors, .context = (void *)path, .any_process = true };
	int error = ini_load(config, site->file, &report);

	if (error && !report.errors)
		fprintf(stderr, "%s: %s: %s\n", site->command, site->file, strerror(-error));
	return error ? -1 : 0;
}

static int lock_site(struct peer_site *site)
{
	const char *folder;

	if (!site->config.includes) {
		fprintf(stderr,
				"%s: %s includes no folder; add \"Include = %s.d\" to its [Interface], and create %s.d beside it\n",
				site->command, site->file, site->config.interface, site->config.interface);
		return -1;
	}
	folder = site->config.includes->path;
	site->lock = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (site->lock < 0 || flock(site->lock, LOCK_EX) < 0) {
		fprintf(stderr, "%s: %s: %s\n", site->command, folder, strerror(errno));
		return -1;
	}
	return 0;
}

int peer_site_open(struct peer_site *site, const char *command, const char *file, bool lock)
{
	struct ini_report quiet = { .any_process = true };

	*site = (struct peer_site) { .command = command, .lock = -1 };
	site->file = ini_path(file, site->file_buffer);
	if (!lock)
		return load_site(site, &site->config, NULL);
	/* Until we have the lock, other processes remove files of the folder, so only the path of the folder counts. */
	ini_load(&site->config, site->file, &quiet);
	if (!site->config.includes || access(site->config.includes->path, F_OK) != 0) {
		config_destroy(&site->config);
		if (load_site(site, &site->config, NULL))
			return -1;
	}
	if (lock_site(site))
		return -1;
	config_destroy(&site->config);
	if (load_site(site, &site->config, NULL))
		return -1;
	if (site->config.includes)
		return 0;
	fprintf(stderr, "%s: %s: another process has just removed its Include; nothing was changed\n", command, site->file);
	return -1;
}

void peer_site_close(struct peer_site *site)
{
	if (site->lock >= 0)
		close(site->lock);
	site->lock = -1;
	config_destroy(&site->config);
}

bool peer_site_path(const struct peer_site *site, const char *name, char path[PATH_MAX])
{
	if (!*name || strlen(name) > CONFIG_NAME_MAX || !utf8_printable(name) || strpbrk(name, " /#") ||
		strchr(".-", *name)) {
		fprintf(stderr,
				"%s: \"%s\" cannot be the name of a peer: at most %d bytes, no blank, '/' or '#', no '.' or '-' at the "
				"start\n",
				site->command, utf8_printable(name) ? name : "NAME", CONFIG_NAME_MAX);
		return false;
	}
	if (snprintf(path, PATH_MAX, "%s/%s.conf", site->config.includes->path, name) < PATH_MAX)
		return true;
	fprintf(stderr, "%s: %s: %s\n", site->command, name, strerror(ENAMETOOLONG));
	return false;
}

int peer_site_verify(const struct peer_site *site, const char *path)
{
	struct config config = { 0 };
	int error = load_site(site, &config, path);

	config_destroy(&config);
	return error;
}

int peer_site_reload(const struct peer_site *site)
{
	int error = reload_interface(site->command, site->config.interface, NULL);

	if (error == -ENOENT || error == -ECONNREFUSED)
		return PEER_SITE_ABSENT;
	return error ? -1 : 0;
}

void peer_site_note_absent(const struct peer_site *site)
{
	fprintf(stderr, "%s: %s is not running; the change takes effect when it starts\n", site->command,
			site->config.interface);
}
