/* SPDX-License-Identifier: MIT */
/* UDP sockets: opening, options and offloads. */
#include "io/udp.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/udp.h>
#include <unistd.h>

#ifndef SO_NETNS_COOKIE /* Linux 5.14 */
#define SO_NETNS_COOKIE 71
#endif

enum {
	RANDOM_TRIES = 16,        /* a port that is free for IPv4 may be in use for IPv6 */
	PROBE_DATAGRAM = 16 + 32, /* the smallest data message that carries a packet */
};

static int set_option(int fd, int level, int name, int value)
{
	return setsockopt(fd, level, name, &value, sizeof value) ? -errno : 0;
}

/*
 * Disables path MTU discovery. Otherwise the kernel sets DF, and full-sized packets are lost, because our headers make
 * them larger than the path MTU. IPV6_V6ONLY can only be set before bind(2).
 */
static int set_options(int fd, int family, bool bound)
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

		if (options[i].family != family || (bound && options[i].name == IPV6_V6ONLY))
			continue;
		error = set_option(fd, options[i].level, options[i].name, options[i].value);
		if (error)
			return error;
	}
	return 0;
}

/* Returns a bound socket or a negative errno. */
static int open_socket(int family, uint16_t port, uint32_t mark, bool shared)
{
	struct sockaddr_in v4 = { .sin_family = AF_INET, .sin_port = htons(port) };
	struct sockaddr_in6 v6 = { .sin6_family = AF_INET6, .sin6_port = htons(port) };
	const struct sockaddr *name = family == AF_INET ? (struct sockaddr *)&v4 : (struct sockaddr *)&v6;
	int fd = socket(family, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, IPPROTO_UDP), error;

	if (fd < 0)
		return -errno;
	error = set_options(fd, family, false);
	if (!error && mark)
		error = set_option(fd, SOL_SOCKET, SO_MARK, (int)mark);
	if (!error && shared)
		error = set_option(fd, SOL_SOCKET, SO_REUSEPORT, 1);
	if (!error && bind(fd, name, family == AF_INET ? sizeof v4 : sizeof v6))
		error = -errno;
	if (error) {
		close(fd);
		return error;
	}
	/* Tries both: the plain options are limited by sysctls, and the FORCE options need CAP_NET_ADMIN. */
	set_option(fd, SOL_SOCKET, SO_RCVBUF, UDP_BUFFER_BYTES);
	set_option(fd, SOL_SOCKET, SO_SNDBUF, UDP_BUFFER_BYTES);
	set_option(fd, SOL_SOCKET, SO_RCVBUFFORCE, UDP_BUFFER_BYTES);
	set_option(fd, SOL_SOCKET, SO_SNDBUFFORCE, UDP_BUFFER_BYTES);
	return fd;
}

/* With port 0, the kernel chooses a port for IPv4, and IPv6 uses the same. */
static int open_pair(struct udp *udp, uint16_t port, uint32_t mark, bool shared)
{
	int v4 = open_socket(AF_INET, port, mark, shared), v6;
	struct sockaddr_in name;
	socklen_t length = sizeof name;

	if (v4 < 0)
		return v4;
	if (getsockname(v4, (struct sockaddr *)&name, &length)) {
		v6 = -errno;
	} else {
		port = ntohs(name.sin_port);
		v6 = open_socket(AF_INET6, port, mark, shared);
	}
	if (v6 < 0 && v6 != -EAFNOSUPPORT) {
		close(v4);
		return v6;
	}
	*udp = (struct udp) { .v4 = v4, .v6 = v6 < 0 ? -1 : v6, .port = port };
	return 0;
}

/*
 * Returns UDP_RUN_SEGMENTS if the kernel accepts as many full segments, else one less: kernels before 6.9 count the IP
 * and UDP headers as payload. Sends on loopback; if loopback is down, assumes the smaller number.
 */
static uint16_t probe_segments(void)
{
	static const uint8_t data[UDP_RUN_SEGMENTS * PROBE_DATAGRAM];
	struct sockaddr_in name = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	int from = socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, IPPROTO_UDP);
	int to = socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, IPPROTO_UDP);
	socklen_t length = sizeof name;
	bool passed =
		from >= 0 && to >= 0 && !bind(to, (struct sockaddr *)&name, length) &&
		!getsockname(to, (struct sockaddr *)&name, &length) && !connect(from, (struct sockaddr *)&name, length) &&
		!set_option(from, IPPROTO_UDP, UDP_SEGMENT, PROBE_DATAGRAM) && send(from, data, sizeof data, 0) == sizeof data;

	if (from >= 0)
		close(from);
	if (to >= 0)
		close(to);
	return passed ? UDP_RUN_SEGMENTS : UDP_RUN_SEGMENTS - 1;
}

static void find_offloads(struct udp *udp)
{
	const int sockets[] = { udp->v4, udp->v6 };

	udp->gro = udp->gso = true;
	for (int i = 0; i < 2; i++) {
		int fd = sockets[i], value = 0;
		socklen_t length = sizeof value;

		if (fd < 0)
			continue;
		/* Reads the option back. Kernels before 5.12 cannot report it, so GRO stays off there. */
		if (set_option(fd, IPPROTO_UDP, UDP_GRO, 1) || getsockopt(fd, IPPROTO_UDP, UDP_GRO, &value, &length) ||
			!value) {
			set_option(fd, IPPROTO_UDP, UDP_GRO, 0);
			udp->gro = false;
		}
		if (set_option(fd, IPPROTO_UDP, UDP_SEGMENT, 0))
			udp->gso = false;
	}
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

/* --- sockets of an earlier process ----- */

static int get_option(int fd, int level, int name)
{
	int value = -1;
	socklen_t length = sizeof value;

	return getsockopt(fd, level, name, &value, &length) ? -1 : value;
}

/* Returns true if the socket belongs to the network namespace of this process. Before Linux 5.14, assumes that. */
static bool socket_in_namespace(int fd)
{
	int here = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	uint64_t theirs = 0, ours = 0;
	socklen_t length = sizeof theirs;
	bool same;

	same = here < 0 || getsockopt(here, SOL_SOCKET, SO_NETNS_COOKIE, &ours, &length) ||
		   (!getsockopt(fd, SOL_SOCKET, SO_NETNS_COOKIE, &theirs, &length) && theirs == ours);
	if (here >= 0)
		close(here);
	return same;
}

/* Returns the port of an unconnected UDP socket that is bound to all addresses of its family, or 0 for another one. */
static in_port_t port_of_udp(int fd, int family, bool shared)
{
	union {
		struct sockaddr any;
		struct sockaddr_in v4;
		struct sockaddr_in6 v6;
	} name = { 0 }, peer;
	socklen_t length = sizeof name, peer_length = sizeof peer;

	if (get_option(fd, SOL_SOCKET, SO_DOMAIN) != family || get_option(fd, SOL_SOCKET, SO_TYPE) != SOCK_DGRAM ||
		get_option(fd, SOL_SOCKET, SO_PROTOCOL) != IPPROTO_UDP ||
		get_option(fd, SOL_SOCKET, SO_REUSEPORT) != (int)shared || getsockname(fd, &name.any, &length) ||
		!getpeername(fd, &peer.any, &peer_length))
		return 0;
	if (family == AF_INET)
		return name.v4.sin_addr.s_addr == htonl(INADDR_ANY) ? ntohs(name.v4.sin_port) : 0;
	if (!IN6_IS_ADDR_UNSPECIFIED(&name.v6.sin6_addr) || get_option(fd, IPPROTO_IPV6, IPV6_V6ONLY) != 1)
		return 0;
	return ntohs(name.v6.sin6_port);
}

/* Returns the port or a negative errno. */
static int adopt_udp(int fd, int family, bool shared)
{
	int flags = fcntl(fd, F_GETFL), error;
	in_port_t port = port_of_udp(fd, family, shared);

	if (!port || !socket_in_namespace(fd))
		return -EINVAL;
	if (flags < 0 || fcntl(fd, F_SETFL, flags | O_NONBLOCK) || fcntl(fd, F_SETFD, FD_CLOEXEC))
		return -errno;
	error = set_options(fd, family, true);
	return error ? error : port;
}

int udp_adopt(struct udp *udp, int v4, int v6, bool shared)
{
	int port = adopt_udp(v4, AF_INET, shared), port_v6 = port;

	*udp = (struct udp) { .v4 = -1, .v6 = -1 };
	if (v6 >= 0) {
		port_v6 = adopt_udp(v6, AF_INET6, shared);
	} else {
		int probe = socket(AF_INET6, SOCK_DGRAM | SOCK_CLOEXEC, 0);

		if (probe >= 0) { /* the host has IPv6, so a socket is missing */
			close(probe);
			return -EINVAL;
		}
	}
	if (port < 0 || port_v6 < 0)
		return port < 0 ? port : port_v6;
	if (port != port_v6)
		return -EINVAL;
	*udp = (struct udp) { .v4 = v4, .v6 = v6, .port = (uint16_t)port };
	find_offloads(udp);
	udp->run_segments = udp->gso ? probe_segments() : 1;
	udp_watch_errors(udp, false); /* the earlier process may have watched them when it ended */
	return 0;
}

/* --- offloads, mark and end ----- */

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

void udp_close(struct udp *udp)
{
	if (!udp->port) /* zeroed: descriptor 0 is not ours */
		return;
	if (udp->v4 >= 0)
		close(udp->v4);
	if (udp->v6 >= 0)
		close(udp->v6);
	udp->v4 = udp->v6 = -1;
	udp->v4_blocked = udp->v6_blocked = false;
}

/* Setting a mark needs privileges, also if the socket has the mark already. */
static int set_mark(int fd, uint32_t mark)
{
	uint32_t present;
	socklen_t size = sizeof present;

	if (getsockopt(fd, SOL_SOCKET, SO_MARK, &present, &size) == 0 && present == mark)
		return 0;
	return set_option(fd, SOL_SOCKET, SO_MARK, (int)mark);
}

int udp_set_mark(struct udp *udp, uint32_t mark)
{
	int error = set_mark(udp->v4, mark);

	return error || udp->v6 < 0 ? error : set_mark(udp->v6, mark);
}
