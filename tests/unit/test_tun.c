/* SPDX-License-Identifier: MIT */
/* The TUN module against the kernel, in a namespace of its own; what other kernels refuse is played by wrapped calls.
 */
#include "io/tun.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/if_tun.h>
#include <linux/virtio_net.h>
#include <netinet/udp.h>
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/utsname.h>

#include "base/bytes.h"
#include "sandbox.h"

#include <cmocka.h>

#ifndef TUN_F_USO4
#define TUN_F_USO4 0x20
#define TUN_F_USO6 0x40
#endif

enum { UDP_L4 = 5, ALL = ~0, USO = TUN_F_USO4 | TUN_F_USO6, TSO = TUN_F_CSUM | TUN_F_TSO4 | TUN_F_TSO6 };

/* What the kernel is made to look like, and what it was asked last. */
static unsigned offloads_known = ALL;
static bool vnet_known = true, super_known = true;
static unsigned long offloads_set;

int __real_ioctl(int fd, unsigned long request, void *argument);
int __wrap_ioctl(int fd, unsigned long request, void *argument);
int __wrap_ioctl(int fd, unsigned long request, void *argument)
{
	bool refused = false;

	if (request == TUNSETOFFLOAD) {
		offloads_set = (unsigned long)(uintptr_t)argument;
		refused = offloads_set & ~(unsigned long)offloads_known;
	} else if (request == TUNSETIFF) {
		refused = !vnet_known && ((struct ifreq *)argument)->ifr_flags & IFF_VNET_HDR;
	}
	if (!refused)
		return __real_ioctl(fd, request, argument);
	errno = EINVAL;
	return -1;
}

ssize_t __real_writev(int fd, const struct iovec *iov, int count);
ssize_t __wrap_writev(int fd, const struct iovec *iov, int count);
ssize_t __wrap_writev(int fd, const struct iovec *iov, int count)
{
	if (super_known)
		return __real_writev(fd, iov, count);
	errno = EINVAL;
	return -1;
}

static bool kernel_has_uso(void)
{
	struct utsname name;
	int major = 0, minor = 0;

	uname(&name);
	sscanf(name.release, "%d.%d", &major, &minor);
	return major > 6 || (major == 6 && minor >= 2);
}

static int reset(void **state)
{
	offloads_known = ALL;
	vnet_known = super_known = true;
	return 0;
}

/* --- opening --- */

static void test_open(void **state)
{
	struct tun tun;

	assert_int_equal(tun_open(&tun, "adit%d"), 0);
	assert_string_equal(tun.name, "adit0");
	assert_true(tun.virtio && tun.read_tso && tun.write_tso);
	assert_int_equal(tun.read_uso, kernel_has_uso());
	assert_int_equal(tun.write_uso, kernel_has_uso());
	assert_true(fcntl(tun.fd, F_GETFL) & O_NONBLOCK);
	assert_true(fcntl(tun.fd, F_GETFD) & FD_CLOEXEC);
	tun_close(&tun);
	assert_int_equal(tun.fd, -1);
	tun_close(&tun);
	assert_int_equal(if_nametoindex("adit0"), 0);
}

/* Descriptor 0 is somebody's. */
static void test_close_zeroed(void **state)
{
	struct tun tun = { 0 };

	assert_true(fcntl(0, F_GETFD) >= 0);
	tun_close(&tun);
	assert_true(fcntl(0, F_GETFD) >= 0);
}

static void test_open_refused(void **state)
{
	struct tun tun, other;

	assert_int_equal(tun_open(&tun, "a-name-of-sixteen"), -EINVAL);
	assert_int_equal(tun.fd, -1);
	assert_int_equal(tun_open(&tun, "lo"), -EINVAL);
	assert_int_equal(tun_open(&tun, "twice"), 0);
	assert_int_equal(tun_open(&other, "twice"), -EBUSY);
	assert_int_equal(other.fd, -1);
	tun_close(&tun);
}

static void test_ladder(void **state)
{
	static const struct {
		unsigned known, set;
		bool tso, uso;
	} kernels[] = {
		{ TSO | TUN_F_TSO_ECN | USO, TSO | TUN_F_TSO_ECN | USO, true, true },
		{ TSO | TUN_F_TSO_ECN | TUN_F_UFO, TSO | TUN_F_TSO_ECN, true, false },
		{ TSO, TSO, true, false },
		{ TUN_F_CSUM, 0, false, false },
		{ 0, 0, false, false },
	};

	for (size_t i = !kernel_has_uso(); i < sizeof kernels / sizeof kernels[0]; i++) {
		struct tun tun;

		offloads_known = kernels[i].known;
		assert_int_equal(tun_open(&tun, "ladder"), 0);
		assert_int_equal(offloads_set, kernels[i].set);
		assert_int_equal(tun.read_tso, kernels[i].tso);
		assert_int_equal(tun.read_uso, kernels[i].uso);
		tun_close(&tun);
	}
}

static void test_no_virtio(void **state)
{
	struct tun tun;

	vnet_known = false;
	assert_int_equal(tun_open(&tun, "plain"), 0);
	assert_false(tun.virtio || tun.read_tso || tun.read_uso || tun.write_tso || tun.write_uso);
	assert_int_equal(offloads_set, 0);
	tun_close(&tun);
}

static void test_super_refused(void **state)
{
	struct tun tun;

	super_known = false;
	assert_int_equal(tun_open(&tun, "refuses"), 0);
	assert_true(tun.virtio && tun.read_tso);
	assert_false(tun.write_tso || tun.write_uso);
	tun_close(&tun);
}

/* --- taking over --- */

static int raw_tun(const char *name, int flags)
{
	struct ifreq request = { .ifr_flags = (short)flags };
	int fd = open("/dev/net/tun", O_RDWR);

	strcpy(request.ifr_name, name);
	assert_int_equal(ioctl(fd, TUNSETIFF, &request), 0);
	return fd;
}

static int header_size(int fd)
{
	int size = 0;

	assert_int_equal(ioctl(fd, TUNGETVNETHDRSZ, &size), 0);
	return size;
}

static void test_adopt(void **state)
{
	int fd = raw_tun("passed", IFF_TUN | IFF_NO_PI | IFF_VNET_HDR), size = 12;
	struct tun tun;

	assert_int_equal(ioctl(fd, TUNSETVNETHDRSZ, &size), 0);
	assert_int_equal(tun_adopt(&tun, fd), 0);
	assert_int_equal(tun.fd, fd);
	assert_string_equal(tun.name, "passed");
	assert_true(tun.virtio && tun.read_tso && tun.write_tso);
	assert_int_equal(header_size(fd), TUN_VIRTIO);
	assert_true(fcntl(fd, F_GETFL) & O_NONBLOCK);
	tun_close(&tun);
}

static void test_adopt_plain(void **state)
{
	int fd = raw_tun("passed", IFF_TUN | IFF_NO_PI);
	struct tun tun;

	assert_int_equal(tun_adopt(&tun, fd), 0);
	assert_false(tun.virtio || tun.read_tso || tun.read_uso || tun.write_tso || tun.write_uso);
	assert_int_equal(offloads_set, 0);
	tun_close(&tun);
}

static void test_adopt_refused(void **state)
{
	int tap = raw_tun("tap", IFF_TAP | IFF_NO_PI);
	int none = open("/dev/null", O_RDWR), fresh = open("/dev/net/tun", O_RDWR);
	struct tun tun;

	assert_int_equal(tun_adopt(&tun, tap), -EINVAL);
	assert_int_equal(tun.fd, -1);
	assert_int_equal(tun_adopt(&tun, none), -ENOTTY);
	assert_int_equal(tun_adopt(&tun, fresh), -EBADFD);
	assert_int_equal(tun_adopt(&tun, -1), -EBADF);
	/* They stay the caller's. */
	assert_int_equal(close(tap) | close(none) | close(fresh), 0);
}

/* A persistent device keeps what its last user set. */
static void test_header_size_kept(void **state)
{
	int fd = raw_tun("keeps", IFF_TUN | IFF_NO_PI | IFF_VNET_HDR), size = 20;
	struct tun tun;

	assert_int_equal(ioctl(fd, TUNSETPERSIST, (void *)1), 0);
	assert_int_equal(ioctl(fd, TUNSETVNETHDRSZ, &size), 0);
	close(fd);
	assert_int_equal(tun_open(&tun, "keeps"), 0);
	assert_int_equal(header_size(tun.fd), TUN_VIRTIO);
	assert_int_equal(ioctl(tun.fd, TUNSETPERSIST, NULL), 0);
	tun_close(&tun);
}

/* The mask is the device's: a second queue must not take TSO and USO from the first. */
static void test_queues_share_offloads(void **state)
{
	int flags = IFF_TUN | IFF_NO_PI | IFF_VNET_HDR | IFF_MULTI_QUEUE;
	int fds[2] = { raw_tun("queues", flags), raw_tun("queues", flags) };
	struct tun tuns[2];

	for (int i = 0; i < 2; i++) {
		assert_int_equal(tun_adopt(&tuns[i], fds[i]), 0);
		assert_int_equal(header_size(fds[i]), TUN_VIRTIO);
		assert_true(tuns[i].read_tso);
		assert_true(offloads_set & TUN_F_TSO4);
	}
	tun_close(&tuns[1]);
	tun_close(&tuns[0]);
}

/* --- packets --- */

/* The device is 192.0.2.1/24, and whatever it sends to 192.0.2.2 comes to tun_read. */
static int open_up(struct tun *tun, const char *name)
{
	struct sockaddr_in local = { .sin_family = AF_INET, .sin_port = htons(1000) };
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK, 0);

	assert_int_equal(tun_open(tun, name), 0);
	sandbox_run("ip addr add 192.0.2.1/24 dev %s && ip link set %s mtu 65535 up", name, name);
	inet_pton(AF_INET, "192.0.2.1", &local.sin_addr);
	assert_int_equal(bind(fd, (struct sockaddr *)&local, sizeof local), 0);
	return fd;
}

static ssize_t send_peer(int fd, const void *data, size_t bytes)
{
	struct sockaddr_in peer = { .sin_family = AF_INET, .sin_port = htons(2000) };

	inet_pton(AF_INET, "192.0.2.2", &peer.sin_addr);
	return sendto(fd, data, bytes, 0, (struct sockaddr *)&peer, sizeof peer);
}

/* The next packet of IPv4: IPv6 says hello on every new device. */
static ssize_t read_v4(struct tun *tun, uint8_t *buffer)
{
	ssize_t bytes;

	do {
		bytes = tun_read(tun, buffer);
	} while (bytes > 0 && buffer[TUN_VIRTIO] >> 4 != 4);
	return bytes;
}

static void check_read(struct tun *tun, int fd)
{
	static uint8_t buffer[TUN_READ];
	const uint8_t *ip = buffer + TUN_VIRTIO;

	assert_int_equal(send_peer(fd, "hello", 5), 5);
	assert_int_equal(read_v4(tun, buffer), TUN_VIRTIO + 28 + 5);
	assert_int_equal(get_be16(ip + 2), 28 + 5);
	assert_int_equal(get_be16(ip + 22), 2000);
	assert_memory_equal(ip + 28, "hello", 5);
	assert_int_equal(buffer[1], VIRTIO_NET_HDR_GSO_NONE);
	assert_int_equal(read_v4(tun, buffer), -EAGAIN);
}

static void test_read(void **state)
{
	struct tun tun;
	int fd = open_up(&tun, "reads");

	check_read(&tun, fd);
	tun_close(&tun);
	close(fd);
}

static void test_read_plain(void **state)
{
	static const uint8_t empty[TUN_VIRTIO];
	static uint8_t buffer[TUN_READ];
	struct tun tun;
	int fd;

	vnet_known = false;
	fd = open_up(&tun, "plain");
	check_read(&tun, fd);
	assert_int_equal(send_peer(fd, "again", 5), 5);
	memset(buffer, 0xff, sizeof buffer);
	assert_int_equal(read_v4(&tun, buffer), TUN_VIRTIO + 33);
	assert_memory_equal(buffer, empty, sizeof empty);
	tun_close(&tun);
	close(fd);
}

/* The longest packet there is comes whole. */
static void test_read_longest(void **state)
{
	static uint8_t data[65507], buffer[TUN_READ];
	struct tun tun;
	int fd = open_up(&tun, "longest");

	data[sizeof data - 1] = 0x5a;
	assert_int_equal(send_peer(fd, data, sizeof data), sizeof data);
	assert_int_equal(read_v4(&tun, buffer), TUN_READ);
	assert_int_equal(buffer[TUN_READ - 1], 0x5a);
	tun_close(&tun);
	close(fd);
}

/* Several datagrams of one send come as one super-packet where the device has USO, else one by one. */
static void test_read_super(void **state)
{
	static uint8_t data[2500], buffer[TUN_READ];
	struct tun tun;
	int fd = open_up(&tun, "super"), size = 1000;

	assert_int_equal(setsockopt(fd, IPPROTO_UDP, UDP_SEGMENT, &size, sizeof size), 0);
	assert_int_equal(send_peer(fd, data, sizeof data), sizeof data);
	if (tun.read_uso) {
		struct virtio_net_hdr header;

		assert_int_equal(read_v4(&tun, buffer), TUN_VIRTIO + 28 + 2500);
		memcpy(&header, buffer, sizeof header);
		assert_int_equal(header.gso_type, UDP_L4);
		assert_int_equal(header.gso_size, 1000);
		assert_int_equal(header.csum_start, 20);
	} else {
		assert_int_equal(read_v4(&tun, buffer), TUN_VIRTIO + 28 + 1000);
		assert_int_equal(read_v4(&tun, buffer), TUN_VIRTIO + 28 + 1000);
		assert_int_equal(read_v4(&tun, buffer), TUN_VIRTIO + 28 + 500);
	}
	assert_int_equal(read_v4(&tun, buffer), -EAGAIN);
	tun_close(&tun);
	close(fd);
}

/* A UDP packet from 192.0.2.2 with `bytes` of payload. UDP checksum 0: none. */
static size_t packet_build(uint8_t *ip, uint8_t bytes)
{
	static const uint8_t addresses[] = { 192, 0, 2, 2, 192, 0, 2, 1 };
	uint32_t sum = 0;

	memset(ip, 0, 28);
	ip[0] = 0x45, ip[8] = 64, ip[9] = IPPROTO_UDP;
	put_be16(ip + 2, 28 + bytes);
	memcpy(ip + 12, addresses, sizeof addresses);
	for (int i = 0; i < 20; i += 2)
		sum += get_be16(ip + i);
	put_be16(ip + 10, (uint16_t) ~((sum & 0xffff) + (sum >> 16)));
	put_be16(ip + 20, 2000), put_be16(ip + 22, 1000), put_be16(ip + 24, 8 + bytes);
	for (uint8_t i = 0; i < bytes; i++)
		ip[28 + i] = i;
	return 28u + bytes;
}

static int write_packet(struct tun *tun, struct virtio_net_hdr header, uint8_t payload)
{
	uint8_t packet[28 + 255];
	size_t bytes = packet_build(packet, payload);
	struct iovec parts[] = { { &header, sizeof header }, { packet, 28 }, { packet + 28, bytes - 28 } };

	return tun_write(tun, parts, 3);
}

/* The checksum field of a GSO packet would hold the pseudo-header sum; the kernel does not check what it computes. */
static const struct virtio_net_hdr super_header = {
	.flags = VIRTIO_NET_HDR_F_NEEDS_CSUM,
	.gso_type = UDP_L4,
	.hdr_len = 28,
	.gso_size = 60,
	.csum_start = 20,
	.csum_offset = 6,
};

static void test_write(void **state)
{
	struct virtio_net_hdr none = { 0 }, wrong = { .flags = VIRTIO_NET_HDR_F_NEEDS_CSUM, .csum_start = 5000 };
	uint8_t data[300];
	struct tun tun;
	int fd = open_up(&tun, "writes");

	assert_int_equal(write_packet(&tun, none, 100), 0);
	assert_int_equal(recv(fd, data, sizeof data, 0), 100);
	assert_int_equal(data[99], 99);
	if (tun.write_uso) {
		assert_int_equal(write_packet(&tun, super_header, 100), 0);
		assert_int_equal(recv(fd, data, sizeof data, 0), 60);
		assert_int_equal(recv(fd, data, sizeof data, 0), 40);
		assert_int_equal(data[39], 99);
	}
	assert_int_equal(write_packet(&tun, wrong, 100), -EINVAL);
	assert_int_equal(recv(fd, data, sizeof data, 0), -1);
	tun_close(&tun);
	close(fd);
}

static void test_write_plain(void **state)
{
	struct virtio_net_hdr none = { 0 }, checksum = { .flags = VIRTIO_NET_HDR_F_NEEDS_CSUM },
						  gso = { .gso_type = UDP_L4 };
	uint8_t data[300];
	struct tun tun;
	int fd;

	vnet_known = false;
	fd = open_up(&tun, "plain");
	assert_int_equal(write_packet(&tun, super_header, 100), -EINVAL);
	assert_int_equal(write_packet(&tun, checksum, 100), -EINVAL);
	assert_int_equal(write_packet(&tun, gso, 100), -EINVAL);
	assert_int_equal(recv(fd, data, sizeof data, 0), -1);
	assert_int_equal(write_packet(&tun, none, 100), 0);
	assert_int_equal(recv(fd, data, sizeof data, 0), 100);
	tun_close(&tun);
	close(fd);
}

struct received {
	unsigned long long bytes, packets, errors, dropped;
};

/* What the device has received, as /proc/net/dev says. */
static struct received device_received(const char *name)
{
	FILE *stream = fopen("/proc/net/dev", "r");
	struct received received = { 0 };
	char line[256], head[IFNAMSIZ + 2];
	bool found = false;

	snprintf(head, sizeof head, "%s:", name);
	while (!found && fgets(line, sizeof line, stream)) {
		const char *at = strstr(line, head);

		found = at && sscanf(at + strlen(head), "%llu %llu %llu %llu", &received.bytes, &received.packets,
							 &received.errors, &received.dropped) == 4;
	}
	fclose(stream);
	assert_true(found);
	return received;
}

/* The probe at opening tells nobody anything: a device that is down drops it. */
static void test_probe_harmless(void **state)
{
	struct received received;
	struct tun tun;

	assert_int_equal(tun_open(&tun, "quiet"), 0);
	received = device_received("quiet");
	assert_int_equal(received.packets, 0);
	assert_int_equal(received.errors, kernel_has_uso() ? 0 : 1);
	assert_int_equal(received.dropped, kernel_has_uso() ? 2 : 1);
	tun_close(&tun);
}

/* In a device that is up the probe gets as far as the header checksum, and no answer or ICMP error comes of it. */
static void test_probe_up(void **state)
{
	static uint8_t buffer[TUN_READ];
	struct tun tun, again;
	int fd = open_up(&tun, "probed");

	assert_int_equal(tun_adopt(&again, dup(tun.fd)), 0);
	assert_true(again.write_tso);
	assert_int_equal(again.write_uso, kernel_has_uso());
	assert_int_equal(read_v4(&again, buffer), -EAGAIN);
	tun_close(&again);
	tun_close(&tun);
	close(fd);
}

static void test_down(void **state)
{
	struct virtio_net_hdr none = { 0 };
	static uint8_t buffer[TUN_READ];
	struct tun tun;
	int fd = open_up(&tun, "lowers");

	sandbox_run("ip link set lowers down");
	assert_int_equal(write_packet(&tun, none, 10), -EIO);
	assert_int_equal(read_v4(&tun, buffer), -EAGAIN);
	tun_close(&tun);
	close(fd);
}

static void test_deleted(void **state)
{
	struct virtio_net_hdr none = { 0 };
	static uint8_t buffer[TUN_READ];
	struct tun tun;
	int fd = open_up(&tun, "deleted");
	struct pollfd wait = { .events = POLLIN };

	sandbox_run("ip link del deleted");
	assert_int_equal(tun_read(&tun, buffer), -EBADFD);
	assert_int_equal(write_packet(&tun, none, 10), -EBADFD);
	wait.fd = tun.fd;
	assert_int_equal(poll(&wait, 1, 0), 1);
	assert_int_equal(wait.revents, POLLERR);
	tun_close(&tun);
	close(fd);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_open, reset),
		cmocka_unit_test_setup(test_close_zeroed, reset),
		cmocka_unit_test_setup(test_open_refused, reset),
		cmocka_unit_test_setup(test_ladder, reset),
		cmocka_unit_test_setup(test_no_virtio, reset),
		cmocka_unit_test_setup(test_super_refused, reset),
		cmocka_unit_test_setup(test_adopt, reset),
		cmocka_unit_test_setup(test_adopt_plain, reset),
		cmocka_unit_test_setup(test_adopt_refused, reset),
		cmocka_unit_test_setup(test_header_size_kept, reset),
		cmocka_unit_test_setup(test_queues_share_offloads, reset),
		cmocka_unit_test_setup(test_read, reset),
		cmocka_unit_test_setup(test_read_plain, reset),
		cmocka_unit_test_setup(test_read_longest, reset),
		cmocka_unit_test_setup(test_read_super, reset),
		cmocka_unit_test_setup(test_write, reset),
		cmocka_unit_test_setup(test_write_plain, reset),
		cmocka_unit_test_setup(test_probe_harmless, reset),
		cmocka_unit_test_setup(test_probe_up, reset),
		cmocka_unit_test_setup(test_down, reset),
		cmocka_unit_test_setup(test_deleted, reset),
	};

	sandbox_enter();
	return cmocka_run_group_tests_name("tun", tests, NULL, NULL);
}
