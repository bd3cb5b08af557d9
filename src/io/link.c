/* SPDX-License-Identifier: MIT */
/* The state of the TUN's link. */
#include "io/link.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/if_tun.h>
#include <net/if.h>
#include <sched.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "io/netlink_events.h"

enum { RENAME_ATTEMPTS = 16 };

static ino_t inode_of(int fd)
{
	struct stat status;

	return fd >= 0 && !fstat(fd, &status) ? status.st_ino : 0;
}

/*
 * Makes an ioctl that names the device. The device may be renamed in the meantime, and another may then have the name,
 * so an answer counts only if the name is the same before and after. -ENODEV: it has left the namespace of the socket.
 */
static int name_ioctl(const struct link *link, unsigned long number, struct ifreq *request)
{
	int status = -ENODEV;

	for (int attempt = 0; attempt < RENAME_ATTEMPTS; attempt++) {
		struct ifreq before = { 0 }, after = { 0 };

		if (ioctl(link->tun, TUNGETIFF, &before))
			return -errno;
		memcpy(request->ifr_name, before.ifr_name, sizeof request->ifr_name);
		status = ioctl(link->query, number, request) ? -errno : 0;
		if (ioctl(link->tun, TUNGETIFF, &after))
			return -errno;
		if (strncmp(before.ifr_name, after.ifr_name, sizeof after.ifr_name) == 0)
			return status;
	}
	return status ? status : -EAGAIN;
}

/* Opens the sockets in the thread's current namespace. */
static int open_here(void *context)
{
	struct link *link = context;
	struct ifreq request = { 0 };
	int error;

	link->query = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (link->query < 0)
		return -errno;
	link->watch = netlink_events_open(NETLINK_EVENT_LINK, 0);
	if (link->watch < 0)
		return link->watch;
	error = name_ioctl(link, SIOCGIFINDEX, &request);
	if (error)
		return error;
	link->index = (uint32_t)request.ifr_ifindex;
	return netlink_events_add_route_mtus(link->watch, link->index, false);
}

/* Calls `open_sockets` in the device's namespace, and sets *namespace to it. */
static int open_there(int tun, ino_t *namespace, int (*open_sockets)(void *context), void *context)
{
	int own = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC), device, error;

	if (own < 0)
		return -errno;
	device = ioctl(tun, TUNGETDEVNETNS);
	if (device < 0) /* before Linux 5.2; assume that the device is in our own namespace */
		device = fcntl(own, F_DUPFD_CLOEXEC, 0);
	*namespace = inode_of(device);
	if (*namespace == inode_of(own)) {
		error = open_sockets(context);
	} else if (setns(device, CLONE_NEWNET)) {
		error = -errno;
	} else {
		error = open_sockets(context);
		if (setns(own, CLONE_NEWNET)) /* our UDP sockets would be opened in the wrong namespace */
			error = -errno;
	}
	close(device);
	close(own);
	return error;
}

int link_open(struct link *link, int tun)
{
	int error;

	*link = (struct link) { .tun = tun, .watch = -1, .query = -1 };
	error = open_there(tun, &link->namespace, open_here, link);
	if (error)
		link_close(link);
	return error;
}

void link_close(struct link *link)
{
	if (link->watch >= 0)
		close(link->watch);
	if (link->query >= 0)
		close(link->query);
	link->watch = link->query = -1;
}

int link_state(const struct link *link, struct link_state *state)
{
	struct ifreq request = { 0 };
	int error = name_ioctl(link, SIOCGIFFLAGS, &request);

	if (error)
		return error;
	state->up = request.ifr_flags & IFF_UP;
	error = name_ioctl(link, SIOCGIFMTU, &request);
	if (error)
		return error;
	state->mtu = (uint32_t)request.ifr_mtu;
	return 0;
}

int link_set_mtu(const struct link *link, uint32_t mtu)
{
	struct ifreq request = { .ifr_mtu = (int)mtu };

	return name_ioctl(link, SIOCSIFMTU, &request);
}

struct link_events {
	uint32_t index; /* only events of this interface count */
	int seen;       /* as link_read returns */
};

static void note_event(void *context, const struct netlink_event *event)
{
	struct link_events *events = context;

	if (event->kind != NETLINK_EVENT_LINK)
		events->seen |= LINK_ROUTES;
	else if (event->index == events->index)
		events->seen |= event->up ? LINK_STATE : LINK_STATE | LINK_DOWN;
}

int link_read(struct link *link)
{
	struct link_events events = { .index = link->index };
	int error = netlink_events_read(link->watch, note_event, &events), tun = link->tun, device;
	bool moved;

	if (error && error != -ENOBUFS)
		return error;
	if (error)
		events.seen = LINK_STATE | LINK_ROUTES;
	if (!(events.seen & LINK_STATE))
		return events.seen;
	/* The kernel reports a move to another namespace as a deletion. */
	device = ioctl(tun, TUNGETDEVNETNS);
	moved = device >= 0 && inode_of(device) != link->namespace;
	if (device >= 0)
		close(device);
	if (moved) {
		link_close(link);
		error = link_open(link, tun);
		if (error)
			return error;
		events.seen |= LINK_ROUTES;
	}
	return events.seen;
}

int link_watch_removals(struct link *link, bool on)
{
	int error = link->removals == on ? 0 : netlink_events_add_route_mtus(link->watch, link->index, on);

	if (!error)
		link->removals = on;
	return error;
}

static int open_netlink_here(void *context)
{
	struct netlink **netlink = context;

	*netlink = netlink_open();
	return *netlink ? 0 : -errno;
}

struct netlink *link_open_netlink(const struct link *link)
{
	struct netlink *netlink = NULL;
	ino_t namespace;
	int error = open_there(link->tun, &namespace, open_netlink_here, &netlink);

	if (!error)
		return netlink;
	netlink_close(netlink);
	errno = -error;
	return NULL;
}
