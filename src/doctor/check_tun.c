/* SPDX-License-Identifier: MIT */
/* The TUN device: its node, and its offloads on a device in the namespace of the trial. */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "checks.h"
#include "host_files.h"
#include "io/tun.h"

#define NODE "/dev/net/tun"

enum { TUN_MAJOR = 10, TUN_MINOR = 200 }; /* Linux, Documentation/admin-guide/devices.txt */

void collect_tun_node(struct tun_node_facts *facts)
{
	struct stat status;
	int fd;

	*facts = (struct tun_node_facts) { .driver_loaded = host_has_file("/sys/class/misc/tun") };
	if (stat(NODE, &status) < 0) {
		facts->stat_error = -errno;
		return;
	}
	facts->mode = status.st_mode & 07777;
	facts->right_device = S_ISCHR(status.st_mode) && status.st_rdev == makedev(TUN_MAJOR, TUN_MINOR);
	fd = open(NODE, O_RDWR | O_NONBLOCK | O_CLOEXEC);
	if (fd < 0)
		facts->open_error = -errno;
	else
		close(fd);
}

static void judge_closed_node(struct findings *findings, const struct tun_node_facts *facts,
							  const struct process_facts *process)
{
	if (facts->open_error == -EACCES && !process->root) {
		finding_add(findings, VERDICT_NOTE, NODE, "its mode %04o does not let this user open it; root can",
					facts->mode);
		finding_needs_root(findings);
	} else if (facts->open_error == -EPERM) {
		finding_add(findings, VERDICT_FAIL, NODE, "a device policy (cgroup) forbids to open it");
		finding_hint(findings, "%s",
					 process->container != CONTAINER_NONE
						 ? container_remedy(process->container)
						 : "allow it in the unit that started this process: DeviceAllow=/dev/net/tun rw");
	} else if (facts->open_error == -ENODEV || facts->open_error == -ENXIO) {
		finding_add(findings, VERDICT_FAIL, NODE, "the kernel has no TUN driver");
		finding_command(findings, "modprobe tun");
		finding_hint(findings, "if the module was deleted by an upgrade of the kernel, restart the host");
	} else {
		finding_add(findings, VERDICT_FAIL, NODE, "cannot be opened: %s", strerror(-facts->open_error));
		if (facts->open_error == -EACCES)
			finding_command(findings, "chmod 0666 " NODE);
	}
}

void judge_tun_node(struct findings *findings, const struct tun_node_facts *facts, const struct process_facts *process)
{
	if (facts->stat_error) {
		finding_add(findings, VERDICT_FAIL, NODE, "the device node is missing (%s)", strerror(-facts->stat_error));
		if (process->container != CONTAINER_NONE)
			finding_hint(findings, "%s", container_remedy(process->container));
		else if (facts->driver_loaded)
			finding_command(findings, "mkdir -p /dev/net && mknod -m 0666 " NODE " c 10 200");
		else
			finding_command(findings, "modprobe tun");
	} else if (!facts->right_device) {
		finding_add(findings, VERDICT_FAIL, NODE, "the file is not the character device 10:200");
		finding_command(findings, "rm " NODE " && mknod -m 0666 " NODE " c 10 200");
	} else if (facts->open_error) {
		judge_closed_node(findings, facts, process);
	} else {
		finding_add(findings, VERDICT_OK, NODE, "can be opened");
	}
}

void try_tun(struct tun_trial *trial)
{
	struct tun tun;
	int error = tun_open(&tun, "doctor%d");

	*trial = (struct tun_trial) { .error = error };
	if (error)
		return;
	trial->virtio = tun.virtio;
	trial->read_tso = tun.read_tso;
	trial->read_uso = tun.read_uso;
	trial->write_tso = tun.write_tso;
	trial->write_uso = tun.write_uso;
	tun_close(&tun);
}

void judge_tun_trial(struct findings *findings, const struct tun_trial *trial, int isolate_error,
					 const struct tunnel_facts *tunnel)
{
	static const char object[] = "TUN offloads";
	int error = isolate_error ? isolate_error : trial->error;

	if (error) {
		finding_add(findings, VERDICT_NOTE, object, "not tested: %s: %s",
					isolate_error ? "network namespace" : "test device", strerror(-error));
		if (error == -EPERM || error == -EACCES)
			finding_needs_root(findings);
	} else if (tunnel->tun_offload_off) {
		finding_add(findings, VERDICT_OK, object, "turned off by TunOffload = off");
	} else if (!trial->virtio) {
		finding_add(findings, VERDICT_WARN, object, "the kernel rejects IFF_VNET_HDR, so packets pass one by one");
		finding_hint(findings, "the tunnel works, but much slower than on a kernel with IFF_VNET_HDR");
	} else if (!trial->read_tso || !trial->write_tso) {
		finding_add(findings, VERDICT_WARN, object, "the kernel does not %s TCP super-packets",
					trial->read_tso ? "accept" : "send");
		finding_hint(findings, "the tunnel works, but slower");
	} else if (!trial->read_uso || !trial->write_uso) {
		finding_add(findings, VERDICT_NOTE, object, "TCP in both directions; UDP needs Linux 6.2");
	} else {
		finding_add(findings, VERDICT_OK, object, "TCP and UDP, in both directions");
	}
}
