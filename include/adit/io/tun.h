/* SPDX-License-Identifier: MIT */
/*
 * The TUN device (Linux, Documentation/networking/tuntap.rst), with a virtio-net header in front of each packet and all
 * offloads that the kernel supports.
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
	TUN_VIRTIO = 10,               /* bytes of the virtio header in front of a packet */
	TUN_QUEUE = 1024,              /* packets; a burst of a local program is lost beyond that (docs/notebook) */
	TUN_READ = TUN_VIRTIO + 65535, /* size of a read buffer; the kernel truncates packets if it is smaller */
};

/* One queue of a device. */
struct tun {
	int fd;
	char name[IFNAMSIZ];
	bool virtio;    /* packets on the descriptor have the header; if not, tun_read adds an empty one */
	bool read_tso;  /* the kernel sends us TCP super-packets */
	bool read_uso;  /* the kernel sends us UDP super-packets (Linux 6.2) */
	bool write_tso; /* the kernel accepts TCP super-packets, as a test write showed */
	bool write_uso; /* the same for UDP super-packets (Linux 6.2) */
	bool steered;   /* first queue only: each flow stays on one queue */
};

/*
 * Opens or creates the device `name`, in which the kernel replaces %d by a number. If the kernel rejects the virtio
 * header, opens a plain device.
 *
 * Requests offloads in decreasing order: CSUM TSO4 TSO6 TSO_ECN USO4 USO6, the same without USO, also without ECN,
 * none. Then writes one super-packet of each kind to find out whether the device accepts them; the kernel drops these
 * packets (see accepts_super in tun.c).
 *
 * A device that still has the default queue length, 500 packets, gets one of TUN_QUEUE packets.
 *
 * Returns 0; -EPERM; -EBUSY if another process has the device open; -EINVAL if it is not a TUN; -ENODEV if there is no
 * /dev/net/tun. On failure nothing is open.
 */
int tun_open(struct tun *tun, const char *name);
/*
 * Opens a device with `count` queues (IFF_MULTI_QUEUE), each with its own descriptor. A hash of the flow chooses its
 * queue, or, if bpf(2) is not permitted, the kernel uses the queue to which the flow was last written. Returns the
 * errors of tun_open; -EINVAL also for an existing device that was created without multiple queues.
 */
int tun_open_queues(struct tun *queues, unsigned count, const char *name);
/*
 * Takes over an open descriptor of a TUN, which must have IFF_NO_PI, and makes it non-blocking. Returns 0; -EINVAL if
 * it is a TAP; or another negative errno, for example if it is no such device. On failure the caller keeps the
 * descriptor.
 */
int tun_adopt(struct tun *tun, int fd);
/*
 * Takes over the `count` queues of the device `name` that tun_open_queues opened in an earlier process. Returns 0;
 * -EINVAL if the descriptors are not all queues of this device, if it lacks IFF_MULTI_QUEUE for several queues, has
 * been moved to another network namespace or has other queues; or another negative errno, -EBADFD if the device was
 * deleted. On failure the caller keeps the descriptors.
 */
int tun_adopt_queues(struct tun *queues, unsigned count, const char *name, const int *fds);
/*
 * Deletes the device of the descriptor, although other processes have it open, too. Keeps a device that remains when
 * its last descriptor is closed (TUNSETPERSIST), and one that has been moved to another network namespace: closing
 * descriptors does not delete the first, and we cannot reach the second.
 */
void tun_delete(int fd);
/*
 * Turns off all offloads of a queue that was just opened, for a kernel that corrupts data with them: neither end passes
 * the other super-packets or packets without a checksum.
 */
void tun_disable_offloads(struct tun *tun);
/* Accepts a zeroed struct and a closed one. */
void tun_close(struct tun *tun);

/*
 * Reads one packet with its virtio header into `buffer` of TUN_READ bytes. Returns the number of bytes including the
 * header, at least TUN_VIRTIO; -EAGAIN; -EBADFD if the device was deleted; or another negative errno.
 */
ssize_t tun_read(struct tun *tun, uint8_t *buffer);
/*
 * The two halves of tun_read, for callers that do not use read(2). tun_target returns the part of `buffer` to read
 * into. tun_finish converts the result of the read (bytes or negative errno) to a return value of tun_read.
 */
struct iovec tun_target(const struct tun *tun, uint8_t *buffer);
ssize_t tun_finish(const struct tun *tun, uint8_t *buffer, ssize_t result);

/*
 * Writes one packet; iov[0] is its virtio header. Returns 0 or a negative errno: -EBADFD if the device was deleted,
 * -EIO while it is down. -EINVAL for a super-packet means that the device does not accept this kind: write the packets
 * one by one.
 */
int tun_write(struct tun *tun, const struct iovec *iov, int count);

#endif
