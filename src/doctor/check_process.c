/* SPDX-License-Identifier: MIT */
/* The privileges of this process, and the container that limits them. */
#include <linux/capability.h>
#include <string.h>
#include <unistd.h>

#include "checks.h"
#include "host_files.h"

static const char *const container_names[CONTAINERS] = {
	[CONTAINER_NONE] = "none",     [CONTAINER_DOCKER] = "docker",
	[CONTAINER_PODMAN] = "podman", [CONTAINER_NSPAWN] = "systemd-nspawn",
	[CONTAINER_LXC] = "lxc",       [CONTAINER_OTHER] = "of an unknown kind",
};

enum container container_kind(bool has_dockerenv, bool has_containerenv, const char *systemd_name)
{
	static const struct {
		const char *name;
		enum container kind;
	} names[] = {
		{ "docker", CONTAINER_DOCKER }, { "podman", CONTAINER_PODMAN },   { "systemd-nspawn", CONTAINER_NSPAWN },
		{ "lxc", CONTAINER_LXC },       { "lxc-libvirt", CONTAINER_LXC },
	};

	for (size_t i = 0; i < sizeof names / sizeof *names; i++)
		if (strncmp(systemd_name, names[i].name, strcspn(systemd_name, "\n")) == 0 && *systemd_name > '\n' &&
			strlen(names[i].name) == strcspn(systemd_name, "\n"))
			return names[i].kind;
	if (has_containerenv)
		return CONTAINER_PODMAN;
	if (has_dockerenv)
		return CONTAINER_DOCKER;
	return *systemd_name > '\n' ? CONTAINER_OTHER : CONTAINER_NONE;
}

const char *container_remedy(enum container container)
{
	static const char *const remedies[CONTAINERS] = {
		[CONTAINER_NONE] = "",
		[CONTAINER_DOCKER] = "start the container with: docker run --cap-add NET_ADMIN --device /dev/net/tun",
		[CONTAINER_PODMAN] = "start the container with: podman run --cap-add NET_ADMIN --device /dev/net/tun",
		[CONTAINER_NSPAWN] = "start the container with: systemd-nspawn --private-network --capability=CAP_NET_ADMIN "
							 "--bind=/dev/net/tun --property=\"DeviceAllow=/dev/net/tun rw\"",
		[CONTAINER_LXC] = "add to the container's configuration: lxc.cgroup2.devices.allow = c 10:200 rwm and "
						  "lxc.mount.entry = /dev/net/tun dev/net/tun none bind,create=file; do not drop net_admin",
		[CONTAINER_OTHER] = "give the container the capability CAP_NET_ADMIN and the device /dev/net/tun",
	};

	return remedies[container];
}

void collect_process(struct process_facts *facts)
{
	char name[64];

	host_read_text("/run/systemd/container", name, sizeof name);
	*facts = (struct process_facts) {
		.root = geteuid() == 0,
		.net_admin = host_read_status("CapEff:", 16) >> CAP_NET_ADMIN & 1, /* libcap is no dependency of adit */
		.no_proc = !host_has_file("/proc/self/status"),
		.container = container_kind(host_has_file("/.dockerenv"), host_has_file("/run/.containerenv"), name),
	};
}

void judge_process(struct findings *findings, const struct process_facts *facts, const struct tunnel_facts *tunnel)
{
	if (facts->container != CONTAINER_NONE)
		finding_add(findings, VERDICT_NOTE, "container",
					"this is a container (%s), whose host decides on devices and capabilities",
					container_names[facts->container]);
	if (facts->no_proc) {
		finding_add(findings, VERDICT_FAIL, "/proc",
					"not mounted, and adit needs it; without it, other findings may be wrong");
		finding_command(findings, "mount -t proc proc /proc");
		return;
	}
	if (facts->net_admin) {
		finding_add(findings, VERDICT_OK, "CAP_NET_ADMIN", "this process has the capability");
		return;
	}
	if (!facts->root) {
		finding_add(findings, VERDICT_NOTE, "CAP_NET_ADMIN",
					"this user does not have the capability; a tunnel and some checks need it");
		if (tunnel->given)
			finding_command_on(findings, "sudo adit doctor", tunnel->path);
		else
			finding_command(findings, "sudo adit doctor");
		finding_needs_root(findings);
		return;
	}
	finding_add(findings, VERDICT_FAIL, "CAP_NET_ADMIN",
				"root does not have the capability here, so adit cannot set up an interface");
	finding_hint(findings, "%s",
				 facts->container != CONTAINER_NONE
					 ? container_remedy(facts->container)
					 : "the capability was dropped before this process started: by a unit (CapabilityBoundingSet=), a "
					   "container or setpriv(1)");
}
