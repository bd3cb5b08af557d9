/* SPDX-License-Identifier: MIT */
/* The TUN device. */
#include "io/tun.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/if_tun.h>
#include <linux/virtio_net.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "io/netlink.h"
#include "tun_queues.h"
#include "tun_steer.h"

/* Linux 6.2 */
#ifndef TUN_F_USO4
#define TUN_F_USO4 0x20
#define TUN_F_USO6 0x40
#endif
#ifndef VIRTIO_NET_HDR_GSO_UDP_L4
#define VIRTIO_NET_HDR_GSO_UDP_L4 5
#endif

enum { DEFAULT_QUEUE = 500 }; /* TUN_READQ_SIZE of the kernel */

static_assert(TUN_VIRTIO == sizeof(struct virtio_net_hdr), "size of the virtio header");

static int attach(int fd, const char *name, int flags)
{
	struct ifreq request = { .ifr_flags = (short)(IFF_TUN | IFF_NO_PI | flags) };

	strncpy(request.ifr_name, name, sizeof request.ifr_name - 1);
	return ioctl(fd, TUNSETIFF, &request) ? -errno : 0;
}

/*
 * Requests offloads in decreasing order, because kernels before 6.2 do not support USO, and some do not support ECN.
 * The mask belongs to the device and not to the queue; each queue requests the same, so none takes offloads from the
 * others. A device without the virtio header gets no offloads, because the header says how to segment a super-packet.
 */
static void set_offloads(struct tun *tun)
{
	enum { TSO = TUN_F_CSUM | TUN_F_TSO4 | TUN_F_TSO6, USO = TUN_F_USO4 | TUN_F_USO6 };
	static const unsigned ladder[] = { TSO | TUN_F_TSO_ECN | USO, TSO | TUN_F_TSO_ECN, TSO, 0 };
	size_t last = sizeof ladder / sizeof ladder[0] - 1, step = tun->virtio ? 0 : last;

	while (ioctl(tun->fd, TUNSETOFFLOAD, (unsigned long)ladder[step]) < 0) {
		if (step == last)
			break;
		step++;
	}
	tun->read_tso = ladder[step] & TSO;
	tun->read_uso = ladder[step] & USO;
}

/*
 * Writes a super-packet of two segments to find out whether the device accepts its type. A device that is down parses
 * the virtio header and then returns EIO. If the device is up, the IP layer drops the packet, because its header
 * checksum is wrong. The packet is counted as one drop of the device or as one IP header error.
 */
static bool accepts_super(const struct tun *tun, uint8_t gso_type, uint8_t protocol, uint8_t header,
						  uint8_t csum_offset)
{
	enum { IP = 20, TCP = 20, PAYLOAD = 2 };
	struct virtio_net_hdr virtio = {
		.flags = VIRTIO_NET_HDR_F_NEEDS_CSUM,
		.gso_type = gso_type,
		.hdr_len = IP + header,
		.gso_size = PAYLOAD / 2,
		.csum_start = IP,
		.csum_offset = csum_offset,
	};
	uint8_t packet[IP + TCP + PAYLOAD] = { 4 << 4 | IP / 4, [3] = IP + header + PAYLOAD, [9] = protocol };
	struct iovec parts[] = { { &virtio, sizeof virtio }, { packet, IP + header + PAYLOAD } };

	packet[IP + 12] = TCP / 4 << 4; /* the data offset; past the end of a UDP packet */
	return tun->virtio && (writev(tun->fd, parts, 2) >= 0 || errno != EINVAL);
}

/*
 * Initializes `tun` for an attached descriptor. The caller closes the descriptor on failure. It is not possible to find
 * out whether IFF_NO_PI is set, without which each packet has four more bytes in front: TUNGETIFF reports IFF_NOFILTER
 * in the same bit.
 */
static int init_queue(struct tun *tun, int fd)
{
	struct ifreq request = { 0 };
	int size = TUN_VIRTIO;

	*tun = (struct tun) { .fd = fd };
	if (ioctl(fd, TUNGETIFF, &request))
		return -errno;
	if (!(request.ifr_flags & IFF_TUN))
		return -EINVAL;
	memcpy(tun->name, request.ifr_name, sizeof tun->name);
	tun->name[sizeof tun->name - 1] = '\0';
	tun->virtio = request.ifr_flags & IFF_VNET_HDR;
	/* A persistent device still has the header size that its last user set. */
	if (tun->virtio && ioctl(fd, TUNSETVNETHDRSZ, &size))
		return -errno;
	set_offloads(tun);
	tun->write_tso = accepts_super(tun, VIRTIO_NET_HDR_GSO_TCPV4, IPPROTO_TCP, 20, 16);
	tun->write_uso = accepts_super(tun, VIRTIO_NET_HDR_GSO_UDP_L4, IPPROTO_UDP, 8, 6);
	return 0;
}

/*
 * Lengthens the queue that the kernel fills while we do not read. A length other than the kernel's default was set by
 * the user and stays. A failure is not an error, because the tunnel works with any length.
 */
static void set_queue_length(const struct tun *tun)
{
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	struct ifreq request = { 0 };

	if (fd < 0)
		return;
	memcpy(request.ifr_name, tun->name, sizeof request.ifr_name);
	if (!ioctl(fd, SIOCGIFTXQLEN, &request) && request.ifr_qlen == DEFAULT_QUEUE) {
		request.ifr_qlen = TUN_QUEUE;
		ioctl(fd, SIOCSIFTXQLEN, &request);
	}
	close(fd);
}

static int open_queue(struct tun *tun, const char *name, int flags)
{
	int fd, error;

	*tun = (struct tun) { .fd = -1 };
	if (strlen(name) >= IFNAMSIZ)
		return -EINVAL;
	fd = open("/dev/net/tun", O_RDWR | O_NONBLOCK | O_CLOEXEC);
	if (fd < 0)
		return errno == ENOENT || errno == ENXIO ? -ENODEV : -errno;
	error = attach(fd, name, flags | IFF_VNET_HDR);
	if (error == -EINVAL) /* some kernels support only a plain TUN */
		error = attach(fd, name, flags);
	if (!error)
		error = init_queue(tun, fd);
	if (error) {
		close(fd);
		*tun = (struct tun) { .fd = -1 };
		return error;
	}
	set_queue_length(tun);
	return 0;
}

static int open_multiple(struct tun *queues, unsigned count, const char *name)
{
	unsigned opened = 0;
	int error = 0;

	while (opened < count && !error) {
		error = open_queue(&queues[opened], opened ? queues[0].name : name, IFF_MULTI_QUEUE);
		if (!error)
			opened++;
	}
	/* A device with multiple queues lets any process attach, and would give it a part of the packets. */
	if (!error && tun_attached_queues(queues[0].name) > (int)count)
		error = -EBUSY;
	while (error && opened)
		tun_close(&queues[--opened]);
	return error;
}

int tun_open(struct tun *tun, const char *name)
{
	int error = open_queue(tun, name, 0);

	/* An existing device keeps the mode with which it was created. */
	return error == -EINVAL && if_nametoindex(name) ? open_multiple(tun, 1, name) : error;
}

int tun_open_queues(struct tun *queues, unsigned count, const char *name)
{
	int error;

	if (count == 1)
		return tun_open(queues, name);
	error = open_multiple(queues, count, name);
	if (!error)
		queues[0].steered = !tun_steer(queues[0].fd);
	return error;
}

int tun_adopt(struct tun *tun, int fd)
{
	int flags = fcntl(fd, F_GETFL), error;

	*tun = (struct tun) { .fd = -1 };
	if (flags < 0 || fcntl(fd, F_SETFL, flags | O_NONBLOCK) || fcntl(fd, F_SETFD, FD_CLOEXEC))
		return -errno;
	error = init_queue(tun, fd);
	if (error)
		*tun = (struct tun) { .fd = -1 };
	return error;
}

/* Returns true if the device is in the network namespace of this process. Before Linux 5.2, assumes that. */
static bool device_in_namespace(int fd)
{
	int theirs = ioctl(fd, TUNGETDEVNETNS);
	struct stat a, b;
	bool same;

	if (theirs < 0)
		return true;
	same = !fstat(theirs, &a) && !stat("/proc/self/ns/net", &b) && a.st_dev == b.st_dev && a.st_ino == b.st_ino;
	close(theirs);
	return same;
}

int tun_adopt_queues(struct tun *queues, unsigned count, const char *name, const int *fds)
{
	int error = 0, attached = tun_attached_queues(name);

	if (attached && attached != (int)count) /* 0: the kernel does not report the number */
		error = -EINVAL;
	for (unsigned i = 0; i < count && !error; i++) {
		struct ifreq request = { 0 };

		if (ioctl(fds[i], TUNGETIFF, &request))
			error = -errno;
		else if (strncmp(request.ifr_name, name, sizeof request.ifr_name) != 0 || !device_in_namespace(fds[i]) ||
				 (count > 1 && !(request.ifr_flags & IFF_MULTI_QUEUE)))
			error = -EINVAL;
		else
			error = tun_adopt(&queues[i], fds[i]);
	}
	if (!error && count > 1)
		queues[0].steered = !tun_steer(queues[0].fd);
	return error;
}

void tun_delete(int fd)
{
	struct netlink *netlink;
	struct ifreq request = { 0 };
	unsigned index;

	if (ioctl(fd, TUNGETIFF, &request) || request.ifr_flags & IFF_PERSIST || !device_in_namespace(fd))
		return;
	request.ifr_name[sizeof request.ifr_name - 1] = '\0';
	index = if_nametoindex(request.ifr_name);
	netlink = index ? netlink_open() : NULL;
	if (netlink)
		netlink_link_delete(netlink, index);
	netlink_close(netlink);
}

void tun_disable_offloads(struct tun *tun)
{
	ioctl(tun->fd, TUNSETOFFLOAD, 0ul);
	tun->read_tso = tun->read_uso = tun->write_tso = tun->write_uso = false;
}

void tun_close(struct tun *tun)
{
	if (!tun->name[0]) /* zeroed or not open */
		return;
	close(tun->fd);
	*tun = (struct tun) { .fd = -1 };
}

struct iovec tun_target(const struct tun *tun, uint8_t *buffer)
{
	size_t skip = tun->virtio ? 0 : TUN_VIRTIO;

	return (struct iovec) { buffer + skip, TUN_READ - skip };
}

ssize_t tun_finish(const struct tun *tun, uint8_t *buffer, ssize_t result)
{
	if (result < 0)
		return result;
	if (tun->virtio)
		return result < TUN_VIRTIO ? -EIO : result;
	memset(buffer, 0, TUN_VIRTIO);
	return TUN_VIRTIO + result;
}

ssize_t tun_read(struct tun *tun, uint8_t *buffer)
{
	struct iovec target = tun_target(tun, buffer);
	ssize_t bytes = read(tun->fd, target.iov_base, target.iov_len);

	return tun_finish(tun, buffer, bytes < 0 ? -errno : bytes);
}

int tun_write(struct tun *tun, const struct iovec *iov, int count)
{
	struct virtio_net_hdr virtio;

	if (tun->virtio)
		return writev(tun->fd, iov, count) < 0 ? -errno : 0;
	/* A plain device cannot segment packets or complete checksums. */
	memcpy(&virtio, iov[0].iov_base, sizeof virtio);
	if (virtio.flags & VIRTIO_NET_HDR_F_NEEDS_CSUM || virtio.gso_type != VIRTIO_NET_HDR_GSO_NONE)
		return -EINVAL;
	return writev(tun->fd, iov + 1, count - 1) < 0 ? -errno : 0;
}
