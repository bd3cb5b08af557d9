/* SPDX-License-Identifier: MIT */
/* The system: the clock, the systemd unit, and managers of the network. */
#include <dirent.h>
#include <fcntl.h>
#include <fnmatch.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/timex.h>
#include <time.h>
#include <unistd.h>

#include "base/service_unit.h"
#include "checks.h"
#include "host_files.h"

/* --- clock ----- */

enum { YEAR_SANE = 2025 };

void collect_clock(struct clock_facts *facts)
{
	struct timex state = { 0 };

	*facts = (struct clock_facts) {
		.seconds = time(NULL),
		.unsynchronized = adjtimex(&state) >= 0 && state.status & STA_UNSYNC,
		.battery = host_has_file("/sys/class/rtc/rtc0"),
		.timedatectl = host_has_program("timedatectl") && host_has_file("/run/systemd/system"),
	};
}

void judge_clock(struct findings *findings, const struct clock_facts *facts)
{
	time_t seconds = facts->seconds;
	struct tm date = { 0 };
	bool wrong;

	gmtime_r(&seconds, &date);
	wrong = date.tm_year + 1900 < YEAR_SANE;
	if (wrong)
		finding_add(findings, VERDICT_FAIL, "clock",
					"the year is %d; peers reject handshakes that are older than the last one", date.tm_year + 1900);
	else if (facts->unsynchronized && !facts->battery)
		finding_add(findings, VERDICT_WARN, "clock",
					"not synchronized by NTP, and there is no real-time clock; if it is set back, peers reject the "
					"handshakes of this host");
	else if (facts->unsynchronized)
		finding_add(findings, VERDICT_NOTE, "clock",
					"not synchronized by NTP; if it is set back, peers reject the handshakes of this host");
	else
		finding_add(findings, VERDICT_OK, "clock", "synchronized by NTP");
	if (wrong || facts->unsynchronized) {
		if (facts->timedatectl)
			finding_command(findings, "timedatectl set-ntp true");
		else
			finding_hint(findings, "run an NTP client, such as chrony");
	}
}

/* --- the systemd unit ----- */

void parse_unit(struct unit_facts *facts, const char *text)
{
	const struct {
		const char *key;
		char *value;
		size_t room;
	} keys[] = {
		{ "LoadState=", facts->load, sizeof facts->load },
		{ "UnitFileState=", facts->enabled, sizeof facts->enabled },
		{ "ActiveState=", facts->active, sizeof facts->active },
		{ "Result=", facts->result, sizeof facts->result },
		{ "FragmentPath=", facts->fragment, sizeof facts->fragment },
		{ "DropInPaths=", facts->dropins, sizeof facts->dropins },
	};

	while (*text) {
		size_t length = strcspn(text, "\n");

		for (size_t i = 0; i < sizeof keys / sizeof *keys; i++) {
			size_t key = strlen(keys[i].key);

			if (length >= key && memcmp(text, keys[i].key, key) == 0)
				snprintf(keys[i].value, keys[i].room, "%.*s", (int)(length - key), text + key);
		}
		text += length + (text[length] == '\n');
	}
}

void collect_unit(struct unit_facts *facts, const char *interface)
{
	char unit[64], output[PROCESS_OUTPUT];
	const char *const command[] = {
		"systemctl", "show", "--property=LoadState,UnitFileState,ActiveState,Result,FragmentPath,DropInPaths",
		unit,        NULL,
	};

	*facts = (struct unit_facts) { .systemd = host_has_file("/run/systemd/system") && host_has_program("systemctl") };
	if (!facts->systemd)
		return;
	snprintf(unit, sizeof unit, "adit@%s.service", interface);
	facts->error = process_run(command, NULL, 0, output, 5000);
	if (facts->error == 0)
		parse_unit(facts, output);
}

void judge_unit(struct findings *findings, const struct unit_facts *facts, const struct tunnel_facts *tunnel)
{
	const char *name = tunnel->interface;
	char object[FINDING_OBJECT], unit[SERVICE_NAME];

	if (!tunnel->given || !facts->systemd)
		return;
	service_unit_name(unit, name);
	snprintf(object, sizeof object, "adit@%s.service", name);
	if (!service_unit_allows(name)) {
		finding_add(findings, VERDICT_NOTE, object, "no unit can have this name, because of = or +");
		finding_command(findings, "adit up %s", name);
		return;
	}
	if (facts->error) {
		finding_add(findings, VERDICT_NOTE, object, "systemctl fails: %s",
					facts->error < 0 ? strerror(-facts->error) : "it returned an error");
	} else if (strcmp(facts->load, "loaded") != 0) {
		finding_add(findings, VERDICT_NOTE, object, "the unit is not installed (%s)", facts->load);
		finding_hint(findings, "install adit with cmake --install or as a package, then run systemctl daemon-reload");
	} else if (strcmp(facts->active, "failed") == 0) {
		finding_add(findings, VERDICT_FAIL, object, "failed (%s)", facts->result);
		finding_command(findings, "journalctl -u %s -n 20", unit);
		finding_hint(findings, "remove the cause, then run systemctl restart %s", unit);
	} else if (strncmp(facts->enabled, "enabled", 7) != 0) {
		finding_add(findings, VERDICT_NOTE, object, "%s, but not enabled, so it does not start with the host",
					facts->active);
		finding_command(findings, "systemctl enable --now %s", unit);
	} else {
		finding_add(findings, VERDICT_OK, object, "enabled and %s", facts->active);
	}
	if (strncmp(facts->fragment, "/etc/", 5) == 0)
		finding_add(findings, VERDICT_NOTE, object, "%s is used instead of the unit of the package", facts->fragment);
	if (facts->dropins[0]) {
		finding_add(findings, VERDICT_NOTE, object, "changed by %s", facts->dropins);
		finding_command(findings, "systemctl cat %s", unit);
	}
}

/* --- managers of the network ----- */

/* Returns true for a word with which systemd switches something off. */
static bool is_off(const char *word, const char *interface)
{
	static const char *const words[] = { "no", "n", "false", "f", "off", "0" };

	for (size_t i = 0; i < sizeof words / sizeof *words; i++)
		if (strcasecmp(word, words[i]) == 0)
			return true;
	return false;
}

/*
 * Returns true for an entry of NetworkManager.conf(5), "Device List Format", that matches the interface; "": one that
 * matches some interface by its name.
 */
static bool is_interface(const char *word, const char *interface)
{
	static const char prefix[] = "interface-name:";

	if (strcmp(word, "*") == 0 || strcmp(word, "type:tun") == 0 || strcmp(word, "driver:tun") == 0)
		return true;
	if (strncmp(word, prefix, strlen(prefix)) != 0)
		return *interface && strcmp(word, interface) == 0;
	word += strlen(prefix);
	if (!*interface)
		return true;
	return *word == '=' ? strcmp(word + 1, interface) == 0 : fnmatch(word + (*word == '~'), interface, 0) == 0;
}

/* What a line of a file must set. */
struct setting {
	const char *key;
	bool (*matches)(const char *word, const char *interface); /* one word of the value */
	const char *interface;
};

/* Changes the line. */
static bool line_has_setting(char *line, const struct setting *setting)
{
	char *rest = line + strspn(line, " \t"), *word;
	size_t length = strlen(setting->key);

	if (strncmp(rest, setting->key, length) != 0 || !rest[length] || !strchr(" \t=+", rest[length]))
		return false;
	rest += length + strspn(rest + length, " \t=+");
	while ((word = strsep(&rest, " \t,;\"")))
		if (setting->matches(word, setting->interface))
			return true;
	return false;
}

static bool file_has_setting(const char *path, const struct setting *setting)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	FILE *file = fd < 0 ? NULL : fdopen(fd, "r");
	char *line = NULL;
	size_t room = 0;
	bool found = false;

	while (file && !found && getline(&line, &room, file) > 0) {
		line[strcspn(line, "\n")] = '\0';
		found = line_has_setting(line, setting);
	}
	free(line);
	if (file)
		fclose(file);
	else if (fd >= 0)
		close(fd);
	return found;
}

/* Returns true if the file `path`, or a file in `folder` that is not hidden, has the setting. */
static bool any_has_setting(const char *path, const char *folder, const struct setting *setting)
{
	DIR *directory = opendir(folder);
	bool found = file_has_setting(path, setting);
	const struct dirent *entry;

	while (directory && !found && (entry = readdir(directory))) {
		char name[512];

		snprintf(name, sizeof name, "%s/%.255s", folder, entry->d_name);
		found = entry->d_name[0] != '.' && file_has_setting(name, setting);
	}
	if (directory)
		closedir(directory);
	return found;
}

static bool networkd_leaves(const char *key)
{
	const struct setting setting = { key, is_off, NULL };

	return any_has_setting("/etc/systemd/networkd.conf", "/etc/systemd/networkd.conf.d", &setting);
}

void collect_managers(struct manager_facts *facts, const char *interface)
{
	const struct setting unmanaged = { "unmanaged-devices", is_interface, interface };

	*facts = (struct manager_facts) {
		.networkd = host_has_file("/run/systemd/netif/state"),
		.networkd_keeps =
			networkd_leaves("ManageForeignRoutes") && networkd_leaves("ManageForeignRoutingPolicyRules"),
		.network_manager =
			host_has_file("/run/NetworkManager/NetworkManager.pid") || host_has_file("/run/NetworkManager/devices"),
		.network_manager_ignores =
			any_has_setting("/etc/NetworkManager/NetworkManager.conf", "/etc/NetworkManager/conf.d", &unmanaged),
	};
}

void judge_managers(struct findings *findings, const struct manager_facts *facts, const struct tunnel_facts *tunnel)
{
	if (facts->networkd && !facts->networkd_keeps) {
		finding_add(findings, VERDICT_NOTE, "systemd-networkd",
					"deletes routes and rules of other programs when it configures an interface; adit restores its own "
					"within a second, but without a running adit, those of FailClosed are lost");
		finding_hint(findings, "to prevent this, write ManageForeignRoutes=no and ManageForeignRoutingPolicyRules=no "
							   "below [Network] in a file in /etc/systemd/networkd.conf.d");
	} else if (facts->networkd) {
		finding_add(findings, VERDICT_OK, "systemd-networkd", "leaves the routes and rules of other programs alone");
	}
	if (facts->network_manager && !facts->network_manager_ignores) {
		finding_add(findings, VERDICT_NOTE, "NetworkManager",
					"may manage the interface of the tunnel; adit restores what it changes");
		finding_hint(findings,
					 "to keep it away, write unmanaged-devices=interface-name:%s below [keyfile] in a file in "
					 "/etc/NetworkManager/conf.d",
					 tunnel->given ? tunnel->interface : "NAME");
	} else if (facts->network_manager) {
		finding_add(findings, VERDICT_OK, "NetworkManager", "does not manage the interface");
	}
}
