/* SPDX-License-Identifier: MIT */
/*
 * The TUN device (Linux, Documentation/networking/tuntap.rst), opened with a virtio-net header in front of each packet
 * and with every offload that the kernel has.
 */
#ifndef ADIT_IO_TUN_H
#define ADIT_IO_TUN_H

#include <net/if.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>
#include <sys/uio.h>

enum {
	TUN_VIRTIO = 10,               /* bytes of virtio header in front of a packet */
	TUN_READ = TUN_VIRTIO + 65535, /* the room a read needs: with less the kernel truncates */
};

struct tun {
	int fd;
	char name[IFNAMSIZ];
	bool virtio;    /* packets carry the header; else they are plain and tun_read fills in an empty one */
	bool read_tso;  /* the kernel hands us TCP super-packets */
	bool read_uso;  /* ... and UDP ones (Linux 6.2) */
	bool write_tso; /* the kernel takes TCP super-packets from us, as a real write found; a refusal clears it */
	bool write_uso; /* ... and UDP ones (Linux 6.2) */
	bool steered;   /* of the first of several queues: each flow has its queue for good */
};

/*
 * Opens or makes the device `name` (a %d is numbered by the kernel). Asks for offloads from most to least: CSUM TSO4
 * TSO6 TSO_ECN USO4 USO6, without USO, without ECN, none. A kernel that refuses the virtio header gives a plain device.
 * Then writes one super-packet of each kind to see which the device takes; they are dropped (see takes_super in tun.c).
 * 0, or -EPERM, -EBUSY (another holds it), -EINVAL (no TUN, or one with several queues), -ENODEV (no /dev/net/tun);
 * then nothing is open.
 */
int tun_open(struct tun *tun, const char *name);
/*
 * The same with `count` queues (IFF_MULTI_QUEUE), each a descriptor of its own: a flow goes to one of
 * them by its hash, or where the kernel allows no such program (bpf(2)) to the one it was written by last. A device
 * that is there already must have been made so.
 */
int tun_open_queues(struct tun *queues, unsigned count, const char *name);
/*
 * Takes over an open descriptor of a TUN (TUNGETIFF tells what it is), and makes it non-blocking. 0; -EINVAL for a TAP
 * or a TUN without IFF_NO_PI, or what the kernel says of a descriptor that is no TUN. On failure it stays the caller's.
 */
int tun_adopt(struct tun *tun, int fd);
/* Takes a zeroed struct, and one that is closed already. */
void tun_close(struct tun *tun);

/*
 * Reads one packet with its virtio header into `buffer` (TUN_READ bytes). The bytes read, header included, at least
 * TUN_VIRTIO; -EAGAIN; -EBADFD when the device was deleted; another errno.
 */
ssize_t tun_read(struct tun *tun, uint8_t *buffer);
/* The two halves of it, for who reads by other means: where in `buffer` the kernel is to read to, and what becomes of
 * its result, bytes or negative errno. */
struct iovec tun_target(const struct tun *tun, uint8_t *buffer);
ssize_t tun_finish(const struct tun *tun, uint8_t *buffer, ssize_t result);

/*
 * Writes one packet, iov[0] being its virtio header. 0 or negative errno: -EBADFD when the device was deleted, -EIO
 * while it is down. -EINVAL on a super-packet says that the device does not take it: clear write_tso or write_uso and
 * write its packets one by one.
 */
int tun_write(struct tun *tun, const struct iovec *iov, int count);

#endif
