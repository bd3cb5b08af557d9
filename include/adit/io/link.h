/* SPDX-License-Identifier: MIT */
/*
 * The link of the TUN, followed by netlink: its MTU, whether it is up, and where it is, for it may move to another
 * network namespace while the process stays (network_namespaces(7)).
 */
#ifndef ADIT_IO_LINK_H
#define ADIT_IO_LINK_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

struct link_state {
	uint32_t mtu;
	bool up;
};

struct link {
	int tun;        /* the caller's descriptor of the device */
	int watch;      /* link events of the namespace that the device is in; for an event loop */
	int query;      /* a socket of that namespace to ask by */
	uint32_t index; /* of the device there */
	ino_t namespace;
};

/* Begins to follow the link of the TUN descriptor `tun`. 0 or negative errno; -EBADFD: the device was deleted. */
int link_open(struct link *link, int tun);
void link_close(struct link *link);

/* How the link is now. 0, or -EBADFD when the device was deleted, or another negative errno. */
int link_state(const struct link *link, struct link_state *state);

int link_set_mtu(const struct link *link, uint32_t mtu);

/*
 * Takes what is readable from link->watch. 1: something may have changed, ask link_state; link->watch is another
 * descriptor when the device has moved. 0: nothing of interest. Negative errno as link_open.
 */
int link_read(struct link *link);

#endif
