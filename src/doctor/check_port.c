/* SPDX-License-Identifier: MIT */
/* The interface and the port of the tunnel: whether another program already has them. */
#include <dirent.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "checks.h"
#include "host_files.h"
#include "uapi/socket.h"

enum {
	CONNECT_SECONDS = 1,
	SERVICE_MANAGER = 1, /* its process ID; systemd keeps the sockets of a tunnel that restarts */
};

static void read_program(char program[32], pid_t process)
{
	char path[64];

	snprintf(path, sizeof path, "/proc/%d/comm", (int)process);
	if (process && host_read_text(path, program, 32) == 0)
		program[strcspn(program, "\n")] = '\0';
}

/* --- interface ----- */

void collect_interface(struct interface_facts *facts, const char *name)
{
	char path[96], text[256];
	struct ucred credentials = { 0 };
	socklen_t length = sizeof credentials;
	const char *kind;
	int fd;

	*facts = (struct interface_facts) { .exists = if_nametoindex(name) != 0 };
	snprintf(path, sizeof path, "/sys/class/net/%s/tun_flags", name);
	facts->tun = host_has_file(path);
	snprintf(path, sizeof path, "/sys/class/net/%s/uevent", name);
	host_read_text(path, text, sizeof text);
	kind = strstr(text, "DEVTYPE=");
	if (kind)
		sscanf(kind, "DEVTYPE=%15s", facts->kind);
	fd = uapi_connect(UAPI_DIRECTORY, name, CONNECT_SECONDS);
	if (fd < 0) {
		facts->socket_error = fd;
		return;
	}
	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &credentials, &length) == 0)
		facts->daemon = credentials.pid;
	close(fd);
	read_program(facts->program, facts->daemon);
}

void judge_interface(struct findings *findings, const struct interface_facts *facts, const struct tunnel_facts *tunnel)
{
	const char *name = tunnel->interface;
	char object[FINDING_OBJECT];

	if (!tunnel->given)
		return;
	snprintf(object, sizeof object, "interface %s", name);
	if (facts->socket_error == 0) {
		bool ours = strcmp(facts->program, "adit") == 0 || !facts->program[0];

		finding_add(findings, ours ? VERDICT_OK : VERDICT_FAIL, object, "%s (process %d) runs it",
					facts->program[0] ? facts->program : "a daemon", (int)facts->daemon);
		if (!ours)
			finding_command(findings, "wg-quick down %s || kill %d", name, (int)facts->daemon);
	} else if (facts->exists && strcmp(facts->kind, "wireguard") == 0) {
		finding_add(findings, VERDICT_FAIL, object, "exists, as a WireGuard device of the kernel");
		finding_command(findings, "wg-quick down %s || ip link delete %s", name, name);
		finding_hint(findings, "disable what created it, such as wg-quick@%s.service", name);
	} else if (facts->exists && facts->socket_error == -EACCES) {
		finding_add(findings, VERDICT_NOTE, object, "exists; its control socket is only for root");
		finding_needs_root(findings);
	} else if (facts->exists && !facts->tun) {
		finding_add(findings, VERDICT_FAIL, object, "exists, and is not a TUN device");
		finding_hint(findings, "choose another name for the file");
	} else if (facts->exists) {
		finding_add(findings, VERDICT_NOTE, object,
					"exists already; \"adit run\" and the unit will use it, \"adit up\" refuses it");
	} else if (facts->socket_error == -ECONNREFUSED) {
		finding_add(findings, VERDICT_NOTE, object,
					"its control socket was left by a daemon that died; adit replaces it");
	} else {
		finding_add(findings, VERDICT_OK, object, "no interface and no daemon has this name");
	}
}

/* --- port ----- */

uint64_t udp_line_inode(const char *line, uint16_t port)
{
	/* sl local:port remote:port st tx:rx tr:when retrnsmt uid timeout inode */
	enum { LOCAL = 1, INODE = 9 };
	unsigned long found = 0;
	uint64_t inode = 0;
	int field = 0;

	for (line += strspn(line, " "); *line && *line != '\n' && field <= INODE; field++) {
		size_t length = strcspn(line, " \n");
		const char *colon = memchr(line, ':', length);

		if (field == LOCAL && colon)
			found = strtoul(colon + 1, NULL, 16);
		if (field == INODE)
			inode = strtoull(line, NULL, 10);
		line += length;
		line += strspn(line, " ");
	}
	if (field <= INODE || found != port)
		return 0;
	/* Sockets of the kernel have inode 0. */
	return inode ? inode : UINT64_MAX;
}

static uint64_t port_inode(uint16_t port)
{
	static const char *const tables[] = { "/proc/self/net/udp", "/proc/self/net/udp6" };
	uint64_t inode = 0;

	for (int i = 0; i < 2 && !inode; i++) {
		FILE *file = fopen(tables[i], "re");
		char line[256];

		while (file && !inode && fgets(line, sizeof line, file))
			inode = udp_line_inode(line, port);
		if (file)
			fclose(file);
	}
	return inode;
}

static bool process_has_socket(pid_t process, const char *link)
{
	char path[64], target[64];
	const struct dirent *entry;
	bool found = false;
	DIR *directory;

	snprintf(path, sizeof path, "/proc/%d/fd", (int)process);
	directory = opendir(path);
	while (directory && !found && (entry = readdir(directory))) {
		ssize_t length = readlinkat(dirfd(directory), entry->d_name, target, sizeof target - 1);

		found = length > 0 && (size_t)length == strlen(link) && memcmp(target, link, (size_t)length) == 0;
	}
	if (directory)
		closedir(directory);
	return found;
}

static pid_t find_socket_owner(uint64_t inode)
{
	DIR *directory = opendir("/proc");
	const struct dirent *entry;
	pid_t owner = 0;
	char link[48];

	snprintf(link, sizeof link, "socket:[%" PRIu64 "]", inode);
	while (directory && !owner && (entry = readdir(directory))) {
		pid_t process = (pid_t)strtol(entry->d_name, NULL, 10);

		if (process > 0 && process_has_socket(process, link))
			owner = process;
	}
	if (directory)
		closedir(directory);
	return owner;
}

void collect_port(struct port_facts *facts, uint16_t port)
{
	uint64_t inode = port ? port_inode(port) : 0;
	char text[4096];

	*facts = (struct port_facts) { .used = inode != 0 };
	if (inode && inode != UINT64_MAX)
		facts->process = find_socket_owner(inode);
	read_program(facts->program, facts->process);
	facts->ufw = host_read_text("/etc/ufw/ufw.conf", text, sizeof text) == 0 && strstr(text, "\nENABLED=yes");
	facts->firewalld = host_has_file("/run/firewalld.pid") || host_has_file("/run/firewalld/firewalld.pid");
}

static void judge_used_port(struct findings *findings, const char *object, const struct port_facts *facts,
							const struct process_facts *process, const struct tunnel_facts *tunnel)
{
	if (facts->process)
		finding_add(findings, VERDICT_FAIL, object, "in use by %s (process %d)", facts->program, (int)facts->process);
	else if (process->root)
		finding_add(findings, VERDICT_FAIL, object, "in use by the kernel, probably by a WireGuard interface");
	else
		finding_add(findings, VERDICT_FAIL, object, "in use by a process of another user, or by the kernel");
	if (!facts->process && process->root)
		finding_command(findings, "wg show all listen-port");
	else
		finding_command(findings, "ss -ulnp 'sport = :%u'", tunnel->listen_port);
	finding_hint(findings, "end the other program, or choose another ListenPort and tell the peers");
	if (!facts->process && !process->root)
		finding_needs_root(findings);
}

static void judge_firewall(struct findings *findings, const struct port_facts *facts, const struct tunnel_facts *tunnel)
{
	finding_add(findings, VERDICT_NOTE, "firewall", "UDP port %u must be open to the peers; only a peer can test that",
				tunnel->listen_port);
	if (facts->ufw)
		finding_command(findings, "ufw allow %u/udp", tunnel->listen_port);
	else if (facts->firewalld)
		finding_command(findings, "firewall-cmd --permanent --add-port=%u/udp && firewall-cmd --reload",
						tunnel->listen_port);
	else
		finding_hint(findings,
					 "open it in the firewall of this host and of its provider, and forward it in a NAT router");
}

void judge_port(struct findings *findings, const struct port_facts *facts, const struct interface_facts *interface,
				const struct process_facts *process, const struct tunnel_facts *tunnel)
{
	char object[FINDING_OBJECT];

	if (!tunnel->given)
		return;
	if (!tunnel->listen_port && tunnel->peers_without_endpoint) {
		finding_add(findings, VERDICT_WARN, "ListenPort",
					"missing, so the port is random, but %zu peer%s without an Endpoint must reach this host",
					tunnel->peers_without_endpoint, tunnel->peers_without_endpoint == 1 ? "" : "s");
		finding_hint(findings, "write ListenPort = 51820 in [Interface]");
		return;
	}
	if (!tunnel->listen_port) {
		finding_add(findings, VERDICT_OK, "ListenPort", "random, because this host sends to every peer first");
		return;
	}
	snprintf(object, sizeof object, "ListenPort %u", tunnel->listen_port);
	if (!facts->used)
		finding_add(findings, VERDICT_OK, object, "free");
	else if (interface->socket_error == 0 && (facts->process == interface->daemon || !facts->process))
		finding_add(findings, VERDICT_OK, object, "in use by this tunnel, which runs");
	else if (facts->process == SERVICE_MANAGER)
		finding_add(findings, VERDICT_NOTE, object, "kept by %s for the restart of a tunnel", facts->program);
	else
		judge_used_port(findings, object, facts, process, tunnel);
	judge_firewall(findings, facts, tunnel);
}
