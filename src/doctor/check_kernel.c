/* SPDX-License-Identifier: MIT */
/* The kernel: its version, io_uring and the limits of socket buffers. */
#include <errno.h>
#include <linux/io_uring.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "checks.h"
#include "host_files.h"
#include "io/udp.h"

#define VERSION(major, minor, patch) ((major)*1000000L + (minor)*1000L + (patch))

void collect_kernel(struct kernel_facts *facts)
{
	struct io_uring_params parameters = { 0 };
	struct utsname name;
	long fd;

	*facts = (struct kernel_facts) {
		.uring_built_in = backend_built_in(BACKEND_IO_URING),
		.uring_disabled = host_read_number("/proc/sys/kernel/io_uring_disabled", -1),
		.seccomp = host_read_status("Seccomp:", 10) > 0,
	};
	if (uname(&name) == 0)
		snprintf(facts->release, sizeof facts->release, "%s", name.release);
	fd = syscall(SYS_io_uring_setup, 1, &parameters);
	if (fd < 0)
		facts->uring_error = -errno;
	else
		close((int)fd);
}

/* "6.18.44-fc" and "7.1-rc3" are 6.18.44 and 7.1.0. Returns 0 if the text is no version. */
static long version_of(const char *release)
{
	char *end;
	long major = strtol(release, &end, 10), minor, patch = 0;

	if (end == release || *end != '.')
		return 0;
	minor = strtol(end + 1, &end, 10);
	if (*end == '.')
		patch = strtol(end + 1, &end, 10);
	return VERSION(major, minor, patch);
}

void judge_kernel_version(struct findings *findings, const struct kernel_facts *facts,
						  const struct tunnel_facts *tunnel)
{
	long version = version_of(facts->release);

	if (version && version < VERSION(5, 10, 0)) {
		finding_add(findings, VERDICT_WARN, "kernel",
					"Linux %s is older than 5.10, the oldest that adit is tested with", facts->release);
		finding_hint(findings, "upgrade the kernel");
	} else if (version >= VERSION(7, 0, 0) && version <= VERSION(7, 1, 4)) {
		finding_add(findings, tunnel->gso_off ? VERDICT_OK : VERDICT_WARN, "kernel",
					"Linux %s: versions 7.0 to 7.1.4 corrupt datagrams of UDP GSO without an error%s", facts->release,
					tunnel->gso_off ? "; UdpGso = off avoids that" : "");
		if (!tunnel->gso_off)
			finding_hint(findings, "write UdpGso = off in [Interface], or upgrade to 7.1.5 or later");
	} else {
		finding_add(findings, VERDICT_OK, "kernel", "Linux %s", facts->release);
	}
}

void judge_io_uring(struct findings *findings, const struct kernel_facts *facts, const struct tunnel_facts *tunnel)
{
	enum verdict bad = tunnel->tun_backend == BACKEND_IO_URING ? VERDICT_WARN : VERDICT_NOTE;
	static const char consequence[] = "adit reads the TUN by system calls, which may be slower";

	if (tunnel->tun_backend == BACKEND_SYSCALLS) {
		finding_add(findings, VERDICT_OK, "io_uring", "not used: TunBackend = syscalls");
	} else if (!facts->uring_built_in) {
		finding_add(findings, bad, "io_uring", "this build does not include it; %s", consequence);
		finding_hint(findings, "write TunBackend = syscalls, or build adit with liburing");
	} else if (!facts->uring_error) {
		finding_add(findings, VERDICT_OK, "io_uring", "permitted");
	} else if (facts->uring_disabled > 0) {
		finding_add(findings, bad, "io_uring", "kernel.io_uring_disabled is %d%s; %s", (int)facts->uring_disabled,
					facts->uring_disabled == 1 ? ", which permits it only to root and a group" : "", consequence);
		finding_command(findings, "sysctl -w kernel.io_uring_disabled=0");
		finding_hint(findings, "distributions disable it to reduce the attack surface of the kernel");
	} else if (facts->uring_error == -ENOSYS && !facts->seccomp) {
		finding_add(findings, bad, "io_uring", "the kernel does not have it; %s", consequence);
		finding_hint(findings, "write TunBackend = syscalls, or run a kernel with CONFIG_IO_URING");
	} else {
		finding_add(findings, bad, "io_uring", "not permitted%s (%s); %s", facts->seccomp ? " by a seccomp filter" : "",
					strerror(-facts->uring_error), consequence);
		finding_hint(findings, "permit io_uring in the sandbox of this process, or write TunBackend = syscalls");
	}
}

/* --- socket buffers ----- */

/* Sets the buffer as the daemon does, and returns its size. The kernel doubles the value for its own overhead. */
static int64_t granted_buffer(int fd, int plain, int forced)
{
	int value = UDP_BUFFER_BYTES;
	socklen_t length = sizeof value;

	setsockopt(fd, SOL_SOCKET, plain, &value, sizeof value);
	setsockopt(fd, SOL_SOCKET, forced, &value, sizeof value);
	return getsockopt(fd, SOL_SOCKET, plain, &value, &length) ? -1 : value / 2;
}

void collect_buffers(struct buffer_facts *facts)
{
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	*facts = (struct buffer_facts) {
		.wanted = UDP_BUFFER_BYTES,
		.receive_granted = -1,
		.send_granted = -1,
		.receive_max = host_read_number("/proc/sys/net/core/rmem_max", -1),
		.send_max = host_read_number("/proc/sys/net/core/wmem_max", -1),
	};
	if (fd < 0)
		return;
	facts->receive_granted = granted_buffer(fd, SO_RCVBUF, SO_RCVBUFFORCE);
	facts->send_granted = granted_buffer(fd, SO_SNDBUF, SO_SNDBUFFORCE);
	close(fd);
}

void judge_buffers(struct findings *findings, const struct buffer_facts *facts, const struct process_facts *process)
{
	const struct {
		const char *object;
		int64_t granted, max;
	} limits[] = {
		{ "net.core.rmem_max", facts->receive_granted, facts->receive_max },
		{ "net.core.wmem_max", facts->send_granted, facts->send_max },
	};

	for (size_t i = 0; i < 2; i++) {
		const char *object = limits[i].object;

		if (limits[i].granted >= facts->wanted || limits[i].max >= facts->wanted) {
			finding_add(findings, VERDICT_OK, object, "adit gets the buffer of %u bytes that it requests",
						facts->wanted);
		} else if (!process->root) {
			finding_add(findings, VERDICT_OK, object, "%lld; root with CAP_NET_ADMIN is not limited by it",
						(long long)limits[i].max);
			finding_needs_root(findings);
		} else {
			finding_add(findings, VERDICT_WARN, object,
						"adit gets a buffer of %lld bytes instead of %u, so bursts may be lost",
						(long long)limits[i].granted, facts->wanted);
			finding_command(findings, "sysctl -w %s=%u", object, facts->wanted);
			finding_hint(findings, "in a container, set it on the host; CAP_NET_ADMIN of the host overrides the limit");
		}
	}
}
