/* SPDX-License-Identifier: MIT */
/*
 * Install: copies the files to the hosts and reloads their tunnels.
 *
 * The first command on a host reports the SHA-256 of its file, so that unchanged files are not copied. A new file goes
 * to the host by the standard input of ssh(1), into a folder that only root can read. There its digest is compared and
 * `adit check` parses it. Only then it replaces the file of the tunnel, by rename(2). If the reload or the start fails,
 * the old file is put back, so that the next run finds a difference and tries again. For the same reason a new tunnel
 * is enabled before its file is in place.
 */
#include "install.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/service_unit.h"
#include "remote.h"

enum install_state { INSTALL_SAME, INSTALL_DIFFERS, INSTALL_NEW, INSTALL_SKIPPED, INSTALL_FAILED };

/* Prints "digest=" and the digest of the file, or "digest=none". %1$s: the interface. */
#define COMPARE_SCRIPT                                                                                                 \
	"command -v adit >/dev/null || { echo \"adit is not installed\" >&2; exit 1; }; f=\"/etc/adit/%1$s.conf\"; "       \
	"if [ -e \"$f\" ]; then s=$(sha256sum <\"$f\") && echo \"digest=$s\"; else echo digest=none; fi"

/*
 * Prints "done=" and what was done. %1$s: the interface; %2$s: the digest; %3$s: "systemctl -q enable" or ":"; %4$s:
 * the unit.
 */
#define COPY_SCRIPT                                                                                                    \
	"set -e; umask 077; mkdir -p /etc/adit; d=$(mktemp -d /etc/adit/.mesh.XXXXXX); trap \"rm -rf $d\" EXIT; "          \
	"f=\"$d/%1$s.conf\"; cat >\"$f\"; "                                                                                \
	"[ \"$(sha256sum <\"$f\")\" = \"%2$s  -\" ] || { echo \"the copy is incomplete\" >&2; exit 1; }; "                 \
	"adit check \"$f\"; sync \"$f\" 2>/dev/null || :; "                                                                \
	"r=:; done=stopped; if [ -d /run/systemd/system ]; then %3$s \"%4$s\"; r=\"systemctl reload-or-restart "           \
	"%4$s\"; done=reloaded; "                                                                                          \
	"elif [ -S \"/var/run/wireguard/%1$s.sock\" ]; then r=\"adit reload %1$s\"; done=reloaded; fi; "                   \
	"t=\"/etc/adit/%1$s.conf\"; [ ! -e \"$t\" ] || cp -p \"$t\" \"$d/old\"; mv -f \"$f\" \"$t\"; "                     \
	"$r || { if [ -e \"$d/old\" ]; then mv -f \"$d/old\" \"$t\"; else rm -f \"$t\"; fi; exit 1; }; echo done=$done"

/* Prints the failure of a host. Returns INSTALL_FAILED. */
static enum install_state install_failed(const struct mesh_host *host, const char *what, int status,
										 char output[REMOTE_OUTPUT])
{
	fprintf(stderr, "adit mesh: %s: %s: %s\n", host->name, what,
			status < 0 ? strerror(-status) : remote_last_line(output));
	return INSTALL_FAILED;
}

/* The text after the last "KEY=" at the beginning of a line, or NULL. */
static const char *output_value(const char *output, const char *key)
{
	const char *found = NULL;

	for (const char *line = output; line; line = strchr(line, '\n')) {
		line += *line == '\n';
		if (strncmp(line, key, strlen(key)) == 0)
			found = line + strlen(key);
	}
	return found;
}

static enum install_state compare_host(const struct install *install, size_t i)
{
	const struct mesh_host *host = &install->list->hosts[i];
	const char *destination = remote_destination(host), *digest;
	char output[REMOTE_OUTPUT], script[1024];
	int input, status;

	if (!destination) {
		if (*host->ssh) {
			printf("%s: skipped\n", host->name);
			return INSTALL_SKIPPED;
		}
		snprintf(output, sizeof output, "the list has no endpoint and no ssh=DESTINATION; ssh=- skips the host");
		return install_failed(host, "not installed", 0, output);
	}
	input = open("/dev/null", O_RDONLY | O_CLOEXEC);
	if (input < 0)
		return install_failed(host, "/dev/null", -errno, output);
	snprintf(script, sizeof script, COMPARE_SCRIPT, install->list->interface);
	status = remote_run(destination, install->user, script, input, output);
	close(input);
	digest = status ? NULL : output_value(output, "digest=");
	if (!digest)
		return install_failed(host, "not reached", status, output);
	if (strncmp(digest, install->digests[i], INSTALL_DIGEST - 1) == 0) {
		printf("%s: up to date\n", host->name);
		return INSTALL_SAME;
	}
	if (strncmp(digest, "none", 4) == 0) {
		printf("%s: has no %s.conf yet\n", host->name, install->list->interface);
		return INSTALL_NEW;
	}
	printf("%s: has another %s.conf\n", host->name, install->list->interface);
	return INSTALL_DIFFERS;
}

static enum install_state copy_to_host(const struct install *install, size_t i, bool is_new)
{
	const struct mesh_host *host = &install->list->hosts[i];
	const char *interface = install->list->interface, *done;
	char output[REMOTE_OUTPUT] = "", script[2048], unit[SERVICE_NAME], *path;
	int input, status;

	service_unit_name(unit, interface);
	if (asprintf(&path, "%s/%s/%s.conf", install->folder, host->name, interface) < 0)
		return install_failed(host, "not installed", -ENOMEM, output);
	input = open(path, O_RDONLY | O_CLOEXEC);
	free(path);
	if (input < 0)
		return install_failed(host, "not installed", -errno, output);
	snprintf(script, sizeof script, COPY_SCRIPT, interface, install->digests[i], is_new ? "systemctl -q enable" : ":",
			 unit);
	status = remote_run(remote_destination(host), install->user, script, input, output);
	close(input);
	done = status ? NULL : output_value(output, "done=");
	if (!done)
		return install_failed(host, "not installed", status, output);
	if (strncmp(done, "stopped", 7) == 0)
		printf("%s: installed; the tunnel is not running there\n", host->name);
	else
		printf("%s: installed, and the tunnel %s\n", host->name, is_new ? "started" : "reloaded");
	return INSTALL_SAME;
}

size_t install_run(const struct install *install)
{
	size_t count = install->list->count, failed = 0, copied = 0, pending = 0;
	enum install_state *states = calloc(count + 1, sizeof *states);

	if (!states) {
		fprintf(stderr, "adit mesh: out of memory\n");
		return count;
	}
	for (size_t i = 0; i < count; i++) {
		states[i] = compare_host(install, i);
		pending += states[i] == INSTALL_NEW || states[i] == INSTALL_DIFFERS;
	}
	for (size_t i = 0; i < count && !install->dry_run; i++) {
		bool is_new = states[i] == INSTALL_NEW;

		if (!is_new && states[i] != INSTALL_DIFFERS)
			continue;
		states[i] = copy_to_host(install, i, is_new);
		copied += states[i] != INSTALL_FAILED;
	}
	for (size_t i = 0; i < count; i++)
		failed += states[i] == INSTALL_FAILED;
	free(states);
	printf("%zu of %zu hosts %s, %zu failed\n", install->dry_run ? pending : copied, count,
		   install->dry_run ? "would be changed" : "changed", failed);
	return failed;
}
