/* SPDX-License-Identifier: MIT */
/*
 * ICMP errors about datagrams that were sent.
 *
 * Theory of operation
 *
 * The kernel reports them only if IP_RECVERR is set: it queues each error, and the next call on the socket fails with
 * its errno, whatever that call sends or receives. udp_send and the receiver then take the queue and repeat the call.
 * The option also makes sendmsg(2) report with ENOBUFS that a queueing discipline has dropped a datagram, which
 * otherwise looks like success; udp_send ignores that. Both cost a little, so the option is set only while a peer does
 * not answer.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <linux/errqueue.h>
#include <netinet/icmp6.h>
#include <string.h>
#include <sys/socket.h>

#include "io/udp.h"

enum { ERRORS_PER_CALL = 16, CONTROL_BYTES = 512 };

static void set_error_option(int fd, int family, bool on)
{
	const int value = on;
	int pending;
	socklen_t length = sizeof pending;

	if (fd < 0)
		return;
	if (family == AF_INET)
		setsockopt(fd, IPPROTO_IP, IP_RECVERR, &value, sizeof value);
	else
		setsockopt(fd, IPPROTO_IPV6, IPV6_RECVERR, &value, sizeof value);
	if (!on) /* the kernel drops its queue, but an errno may still be pending */
		getsockopt(fd, SOL_SOCKET, SO_ERROR, &pending, &length);
}

void udp_watch_errors(struct udp *udp, bool on)
{
	if (on)
		atomic_store(&udp->watches_errors, true);
	set_error_option(udp->v4, AF_INET, on);
	set_error_option(udp->v6, AF_INET6, on);
	if (!on)
		atomic_store(&udp->watches_errors, false);
}

/* Returns true if the control message is an ICMP error. */
static bool is_icmp_error(const struct cmsghdr *control)
{
	return control->cmsg_len >= CMSG_LEN(sizeof(struct sock_extended_err) + sizeof(struct sockaddr_in)) &&
		   ((control->cmsg_level == IPPROTO_IP && control->cmsg_type == IP_RECVERR) ||
			(control->cmsg_level == IPPROTO_IPV6 && control->cmsg_type == IPV6_RECVERR));
}

/* Takes one entry of the queue. Returns false if the queue is empty; `icmp` is set if the entry was an ICMP error. */
static bool take_queued_error(int fd, struct udp_error *error, bool *icmp)
{
	union {
		struct cmsghdr align;
		uint8_t bytes[CONTROL_BYTES];
	} control;
	struct msghdr message = {
		.msg_name = &error->to.to,
		.msg_namelen = sizeof error->to.to,
		.msg_control = &control,
		.msg_controllen = sizeof control,
	};

	*error = (struct udp_error) { 0 };
	*icmp = false;
	if (recvmsg(fd, &message, MSG_ERRQUEUE | MSG_DONTWAIT) < 0)
		return false;
	for (const struct cmsghdr *at = CMSG_FIRSTHDR(&message); at; at = CMSG_NXTHDR(&message, (struct cmsghdr *)at)) {
		const struct sock_extended_err *extended = (const void *)CMSG_DATA(at);
		const struct sockaddr *from;

		if (!is_icmp_error(at))
			continue;
		*icmp = extended->ee_origin == SO_EE_ORIGIN_ICMP || extended->ee_origin == SO_EE_ORIGIN_ICMP6;
		error->error = (int)extended->ee_errno;
		from = SO_EE_OFFENDER(extended);
		if (from->sa_family == AF_INET) {
			error->reporter_length = 4;
			memcpy(error->reporter, &((const struct sockaddr_in *)(const void *)from)->sin_addr, 4);
		} else if (from->sa_family == AF_INET6) {
			error->reporter_length = 16;
			memcpy(error->reporter, &((const struct sockaddr_in6 *)(const void *)from)->sin6_addr, 16);
		}
	}
	return true;
}

unsigned udp_take_errors(struct udp *udp, int fd)
{
	unsigned taken = 0;
	struct udp_error error;
	bool icmp;

	if (!atomic_load_explicit(&udp->watches_errors, memory_order_relaxed))
		return 0;
	for (int i = 0; i < ERRORS_PER_CALL && take_queued_error(fd, &error, &icmp); i++) {
		taken += icmp;
		if (!icmp || error.error == EMSGSIZE) /* the kernel fragments, so a smaller MTU is no problem */
			continue;
		udp->error = error;
		udp->error_count++;
	}
	return taken;
}
