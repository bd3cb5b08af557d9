/* SPDX-License-Identifier: MIT */
/* The file: the findings of the parser, its permissions, and the programs that it needs. */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "checks.h"
#include "host_files.h"

/* --- findings of the parser ----- */

/* The file or folder that others can access is that of the finding, or one that the text names. */
static void suggest_mode(struct findings *findings, const char *object, const char *text)
{
	const char *start = strstr(text, " of "), *key = strstr(text, " lets others access the key;");
	const char *end = key ? key : strstr(text, " lets others add peers;");
	char path[256];

	if (strstr(text, ": the file contains keys, and its mode ")) {
		finding_command_on(findings, "chmod 0600", object);
	} else if (start && end && start < end) {
		start += strlen(" of ");
		snprintf(path, sizeof path, "%.*s", (int)(end - start), start);
		finding_command_on(findings, key ? "chmod 0600" : "chmod 0700", path);
	}
}

void judge_ini_line(struct findings *findings, const char *line, const char *path)
{
	static const struct {
		const char *mark;
		enum verdict verdict;
	} kinds[] = { { ": error: ", VERDICT_FAIL }, { ": warning: ", VERDICT_WARN } };

	for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
		const char *mark = strstr(line, kinds[i].mark);
		char object[FINDING_OBJECT];

		if (!mark)
			continue;
		snprintf(object, sizeof object, "%.*s", (int)(mark - line), line);
		finding_add(findings, kinds[i].verdict, object, "%s", mark + strlen(kinds[i].mark));
		suggest_mode(findings, object, mark);
		return;
	}
	finding_add(findings, VERDICT_WARN, path, "%s", line);
}

/* --- permissions ----- */

static void collect_permission(struct permission_facts *facts)
{
	struct stat status;

	facts->user = geteuid();
	if (stat(facts->path, &status) < 0) {
		facts->error = -errno;
		return;
	}
	facts->folder = S_ISDIR(status.st_mode);
	facts->owner = status.st_uid;
	facts->mode = status.st_mode & 07777;
}

void collect_permissions(struct permission_facts facts[2], const char *path)
{
	const char *slash = strrchr(path, '/');

	memset(facts, 0, 2 * sizeof *facts);
	snprintf(facts[0].path, sizeof facts[0].path, "%s", path);
	if (slash)
		snprintf(facts[1].path, sizeof facts[1].path, "%.*s", slash == path ? 1 : (int)(slash - path), path);
	else
		snprintf(facts[1].path, sizeof facts[1].path, ".");
	collect_permission(&facts[0]);
	collect_permission(&facts[1]);
}

void judge_permissions(struct findings *findings, const struct permission_facts *facts)
{
	const char *what = facts->folder ? "folder" : "file";
	/* In a sticky folder, others cannot replace files. */
	bool writable = facts->mode & (S_IWGRP | S_IWOTH), sticky = facts->folder && facts->mode & S_ISVTX;

	if (facts->error)
		return; /* the parser reports it */
	if (writable && !sticky) {
		finding_add(findings, VERDICT_FAIL, facts->path,
					"the mode %04o of the %s lets other users change what root runs", facts->mode, what);
		finding_command_on(findings, "chmod go-w", facts->path);
	} else if (facts->owner != 0 && facts->owner != facts->user) {
		finding_add(findings, VERDICT_WARN, facts->path, "the %s belongs to user %u, who can change what root runs",
					what, (unsigned)facts->owner);
		finding_command_on(findings, "chown root:", facts->path);
	} else if (writable) {
		finding_add(findings, VERDICT_OK, facts->path,
					"other users can add files, and replace only their own (mode %04o)", facts->mode);
	} else {
		finding_add(findings, VERDICT_OK, facts->path, "only the owner of the %s can change it (mode %04o)", what,
					facts->mode);
	}
}

/* --- programs ----- */

static const char *const tool_names[FILE_TOOLS] = {
	[TOOL_IPTABLES] = "iptables",
	[TOOL_IP6TABLES] = "ip6tables",
	[TOOL_NFT] = "nft",
	[TOOL_RESOLVECTL] = "resolvectl",
	[TOOL_RESOLVCONF] = "resolvconf",
	[TOOL_IP] = "ip",
	[TOOL_TC] = "tc",
	[TOOL_SYSCTL] = "sysctl",
};

void scan_hook(struct file_tool_facts *facts, const char *hook)
{
	while (*hook) {
		size_t word;

		hook += strspn(hook, " \t;&|(){}!");
		word = strcspn(hook, " \t;&|(){}");
		for (int i = 0; i < FILE_TOOLS; i++)
			if (word == strlen(tool_names[i]) && memcmp(hook, tool_names[i], word) == 0)
				facts->hook_uses[i] = true;
		hook += strcspn(hook, ";&|({");
	}
}

void collect_file_tools(struct file_tool_facts *facts, const struct config *config)
{
	*facts = (struct file_tool_facts) {
		.sets_dns = config->dns_servers, /* search domains alone have no effect */
		.has_resolvectl = host_has_program("resolvectl") && host_has_file("/run/systemd/resolve/io.systemd.Resolve"),
		.has_resolvconf = host_has_program("resolvconf"),
	};
	for (int i = 0; i < FILE_TOOLS; i++)
		facts->has[i] = host_has_program(tool_names[i]);
	for (int point = 0; point < HOOK_POINTS; point++)
		for (const struct config_line *hook = config->hooks[point]; hook; hook = hook->next)
			scan_hook(facts, hook->text);
	for (int point = 0; point < PEER_HOOKS; point++)
		for (const struct config_line *hook = config->peer_hooks[point]; hook; hook = hook->next)
			scan_hook(facts, hook->text);
}

void judge_file_tools(struct findings *findings, const struct file_tool_facts *facts)
{
	if (facts->sets_dns && (facts->has_resolvectl || facts->has_resolvconf)) {
		finding_add(findings, VERDICT_OK, "DNS", "%s is there", facts->has_resolvectl ? "resolvectl" : "resolvconf");
	} else if (facts->sets_dns) {
		finding_add(findings, VERDICT_FAIL, "DNS", "neither systemd-resolved with resolvectl nor resolvconf is there");
		finding_hint(findings,
					 "install systemd-resolved or openresolv (Debian: apt-get install openresolv), or remove the line");
	}
	for (int i = 0; i < FILE_TOOLS; i++) {
		if (!facts->hook_uses[i])
			continue;
		if (facts->has[i]) {
			finding_add(findings, VERDICT_OK, tool_names[i], "in PATH, as the hooks of the file need it");
			continue;
		}
		finding_add(findings, VERDICT_FAIL, tool_names[i], "a hook of the file runs it, and it is not in PATH");
		finding_hint(findings, "install it%s", i <= TOOL_IP6TABLES ? " (Debian: apt-get install iptables)" : "");
	}
}
