/* SPDX-License-Identifier: MIT */
/* UDP sockets: opening, options and offloads. */
#include "io/udp.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/udp.h>
#include <unistd.h>

enum {
	RANDOM_TRIES = 16,        /* a port that is free for IPv4 may be in use for IPv6 */
	BUFFER_BYTES = 7 << 20,   /* the usual default holds only three messages of 64 KiB */
	PROBE_DATAGRAM = 16 + 32, /* the smallest data message that carries a packet */
};

static int set_option(int fd, int level, int name, int value)
{
	return setsockopt(fd, level, name, &value, sizeof value) ? -errno : 0;
}

/*
 * Disables path MTU discovery. Otherwise the kernel sets DF, and full-sized packets are lost, because our headers make
 * them larger than the path MTU.
 */
static int set_options(int fd, int family)
{
	static const struct {
		int family, level, name, value;
	} options[] = {
		{ AF_INET, IPPROTO_IP, IP_PKTINFO, 1 },
		{ AF_INET, IPPROTO_IP, IP_RECVTOS, 1 },
		{ AF_INET, IPPROTO_IP, IP_MTU_DISCOVER, IP_PMTUDISC_DONT },
		{ AF_INET6, IPPROTO_IPV6, IPV6_V6ONLY, 1 },
		{ AF_INET6, IPPROTO_IPV6, IPV6_RECVPKTINFO, 1 },
		{ AF_INET6, IPPROTO_IPV6, IPV6_RECVTCLASS, 1 },
		{ AF_INET6, IPPROTO_IPV6, IPV6_MTU_DISCOVER, IPV6_PMTUDISC_DONT },
	};

	for (size_t i = 0; i < sizeof options / sizeof options[0]; i++) {
		int error;

		if (options[i].family != family)
			continue;
		error = set_option(fd, options[i].level, options[i].name, options[i].value);
		if (error)
			return error;
	}
	return 0;
}

/* Tries both: the plain options are limited by sysctls, and the FORCE options need CAP_NET_ADMIN. */
static void set_buffers(int fd)
{
	set_option(fd, SOL_SOCKET, SO_RCVBUF, BUFFER_BYTES);
	set_option(fd, SOL_SOCKET, SO_SNDBUF, BUFFER_BYTES);
	set_option(fd, SOL_SOCKET, SO_RCVBUFFORCE, BUFFER_BYTES);
	set_option(fd, SOL_SOCKET, SO_SNDBUFFORCE, BUFFER_BYTES);
}

static int bind_port(int fd, int family, uint16_t port)
{
	struct sockaddr_in v4 = { .sin_family = AF_INET, .sin_port = htons(port) };
	struct sockaddr_in6 v6 = { .sin6_family = AF_INET6, .sin6_port = htons(port) };

	if (family == AF_INET)
		return bind(fd, (struct sockaddr *)&v4, sizeof v4) ? -errno : 0;
	return bind(fd, (struct sockaddr *)&v6, sizeof v6) ? -errno : 0;
}

/* Returns a bound socket or a negative errno. */
static int open_socket(int family, uint16_t port, uint32_t mark, bool shared)
{
	int fd = socket(family, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, IPPROTO_UDP), error;

	if (fd < 0)
		return -errno;
	error = set_options(fd, family);
	if (!error && mark)
		error = set_option(fd, SOL_SOCKET, SO_MARK, (int)mark);
	if (!error && shared)
		error = set_option(fd, SOL_SOCKET, SO_REUSEPORT, 1);
	if (!error)
		error = bind_port(fd, family, port);
	if (error) {
		close(fd);
		return error;
	}
	set_buffers(fd);
	return fd;
}

static int bound_port(int fd, uint16_t *port)
{
	struct sockaddr_in name;
	socklen_t length = sizeof name;

	if (getsockname(fd, (struct sockaddr *)&name, &length))
		return -errno;
	*port = ntohs(name.sin_port);
	return 0;
}

/* With port 0, the kernel chooses a port for IPv4, and IPv6 uses the same. */
static int open_pair(struct udp *udp, uint16_t port, uint32_t mark, bool shared)
{
	int v4 = open_socket(AF_INET, port, mark, shared), v6, error;

	if (v4 < 0)
		return v4;
	error = bound_port(v4, &port);
	v6 = error ? error : open_socket(AF_INET6, port, mark, shared);
	if (v6 < 0 && v6 != -EAFNOSUPPORT) {
		close(v4);
		return v6;
	}
	*udp = (struct udp) { .v4 = v4, .v6 = v6 < 0 ? -1 : v6, .port = port };
	return 0;
}

/* Enables GRO and reads the option back. Kernels before 5.12 cannot report it, so GRO stays off there. */
static bool enable_gro(int fd)
{
	int value = 0;
	socklen_t length = sizeof value;

	if (fd < 0)
		return true;
	if (!set_option(fd, IPPROTO_UDP, UDP_GRO, 1) && !getsockopt(fd, IPPROTO_UDP, UDP_GRO, &value, &length) && value)
		return true;
	set_option(fd, IPPROTO_UDP, UDP_GRO, 0);
	return false;
}

/* Opens two sockets on loopback and connects the first to the second. The caller closes both, even on failure. */
static int open_probe(int ends[2])
{
	struct sockaddr_in name = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t length = sizeof name;

	for (int i = 0; i < 2; i++)
		ends[i] = socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, IPPROTO_UDP);
	if (ends[0] < 0 || ends[1] < 0 || bind(ends[1], (struct sockaddr *)&name, length) ||
		getsockname(ends[1], (struct sockaddr *)&name, &length))
		return -1;
	return connect(ends[0], (struct sockaddr *)&name, length);
}

/*
 * Returns UDP_RUN_SEGMENTS if the kernel accepts as many full segments, else one less: kernels before 6.9 count the IP
 * and UDP headers as payload. Sends on loopback; if loopback is down, assumes the smaller number.
 */
static uint16_t probe_segments(void)
{
	static const uint8_t data[UDP_RUN_SEGMENTS * PROBE_DATAGRAM];
	int ends[2];
	bool passed = !open_probe(ends) && !set_option(ends[0], IPPROTO_UDP, UDP_SEGMENT, PROBE_DATAGRAM) &&
				  send(ends[0], data, sizeof data, 0) == sizeof data;

	for (int i = 0; i < 2; i++)
		if (ends[i] >= 0)
			close(ends[i]);
	return passed ? UDP_RUN_SEGMENTS : UDP_RUN_SEGMENTS - 1;
}

static bool has_gso(int fd)
{
	return fd < 0 || !set_option(fd, IPPROTO_UDP, UDP_SEGMENT, 0);
}

static void find_offloads(struct udp *udp)
{
	udp->gro = enable_gro(udp->v4);
	udp->gro = enable_gro(udp->v6) && udp->gro;
	udp->gso = has_gso(udp->v4) && has_gso(udp->v6);
}

int udp_open(struct udp *udp, uint16_t port, uint32_t mark)
{
	int tries = port ? 1 : RANDOM_TRIES, error;

	*udp = (struct udp) { .v4 = -1, .v6 = -1 };
	do {
		error = open_pair(udp, port, mark, false);
	} while (error == -EADDRINUSE && --tries);
	if (error)
		return error;
	find_offloads(udp);
	udp->run_segments = udp->gso ? probe_segments() : 1;
	return 0;
}

int udp_open_like(struct udp *udp, const struct udp *first, uint32_t mark)
{
	int error = set_option(first->v4, SOL_SOCKET, SO_REUSEPORT, 1);

	*udp = (struct udp) { .v4 = -1, .v6 = -1 };
	if (!error && first->v6 >= 0)
		error = set_option(first->v6, SOL_SOCKET, SO_REUSEPORT, 1);
	if (!error)
		error = open_pair(udp, first->port, mark, true);
	if (error)
		return error;
	find_offloads(udp);
	udp->run_segments = first->run_segments;
	return 0;
}

void udp_limit(struct udp *udp, const struct udp_options *options)
{
	if (options->no_gso) {
		udp->gso = false;
		udp->run_segments = 1;
	}
	if (options->no_gro) {
		set_option(udp->v4, IPPROTO_UDP, UDP_GRO, 0);
		set_option(udp->v6, IPPROTO_UDP, UDP_GRO, 0); /* without IPv6 this fails, which does not matter */
		udp->gro = false;
	}
}

static void close_one(int *fd)
{
	if (*fd >= 0)
		close(*fd);
	*fd = -1;
}

void udp_close(struct udp *udp)
{
	if (!udp->port) /* zeroed: descriptor 0 is not ours */
		return;
	close_one(&udp->v4);
	close_one(&udp->v6);
	udp->v4_blocked = udp->v6_blocked = false;
}

int udp_set_mark(struct udp *udp, uint32_t mark)
{
	int error = set_option(udp->v4, SOL_SOCKET, SO_MARK, (int)mark);

	return error || udp->v6 < 0 ? error : set_option(udp->v6, SOL_SOCKET, SO_MARK, (int)mark);
}
