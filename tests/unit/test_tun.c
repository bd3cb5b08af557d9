/* SPDX-License-Identifier: MIT */
/* Tests of the TUN on a real device in a network namespace. Wrapped system calls simulate other kernels. */
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

/* The simulated limits of the kernel, and its last request. */
static unsigned offloads_known = ALL;
static bool vnet_known = true, super_known = true;
static bool is_root; /* of the host */
static unsigned long offloads_set;

int __real_ioctl(int fd, unsigned long request, void *argument);
int __wrap_ioctl(int fd, unsigned long request, void *argument);
int __wrap_ioctl(int fd, unsigned long request, void *argument)
{
	bool rejected = false;

	if (request == TUNSETOFFLOAD) {
		offloads_set = (unsigned long)(uintptr_t)argument;
		rejected = offloads_set & ~(unsigned long)offloads_known;
	} else if (request == TUNSETIFF) {
		rejected = !vnet_known && ((struct ifreq *)argument)->ifr_flags & IFF_VNET_HDR;
	}
	if (!rejected)
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

/* --- opening ----- */

static void open_requests_all_offloads(void **state)
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

/* Descriptor 0 must stay open. */
static void a_zeroed_tun_can_be_closed(void **state)
{
	struct tun tun = { 0 };

	assert_true(fcntl(0, F_GETFD) >= 0);
	tun_close(&tun);
	assert_true(fcntl(0, F_GETFD) >= 0);
}

static void errors_of_open_are_returned(void **state)
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

static void offloads_are_requested_in_decreasing_order(void **state)
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

static void a_kernel_without_virtio_gives_a_plain_device(void **state)
{
	struct tun tun;

	vnet_known = false;
	assert_int_equal(tun_open(&tun, "plain"), 0);
	assert_false(tun.virtio || tun.read_tso || tun.read_uso || tun.write_tso || tun.write_uso);
	assert_int_equal(offloads_set, 0);
	tun_close(&tun);
}

static void a_kernel_may_reject_super_packets(void **state)
{
	struct tun tun;

	super_known = false;
	assert_int_equal(tun_open(&tun, "refuses"), 0);
	assert_true(tun.virtio && tun.read_tso);
	assert_false(tun.write_tso || tun.write_uso);
	tun_close(&tun);
}

/* --- adopting a descriptor ----- */

static int raw_tun(const char *name, int flags)
{
	struct ifreq request = { .ifr_flags = (short)flags };
	int fd = open("/dev/net/tun", O_RDWR);

	strcpy(request.ifr_name, name);
	assert_int_equal(ioctl(fd, TUNSETIFF, &request), 0);
	return fd;
}

static int queue_length(const char *name, int set)
{
	struct ifreq request = { .ifr_qlen = set };
	int fd = socket(AF_INET, SOCK_DGRAM, 0);

	strncpy(request.ifr_name, name, sizeof request.ifr_name - 1);
	if (set)
		assert_int_equal(ioctl(fd, SIOCSIFTXQLEN, &request), 0);
	assert_int_equal(ioctl(fd, SIOCGIFTXQLEN, &request), 0);
	close(fd);
	return request.ifr_qlen;
}

/* A length that the user has set stays. Only root of the host may set one by an ioctl. */
static void the_default_queue_length_is_raised(void **state)
{
	struct tun tun;
	int fd;

	if (!is_root)
		skip();
	assert_int_equal(tun_open(&tun, "long"), 0);
	assert_int_equal(queue_length("long", 0), TUN_QUEUE);
	tun_close(&tun);
	fd = raw_tun("chosen", IFF_TUN | IFF_NO_PI | IFF_VNET_HDR);
	assert_int_equal(queue_length("chosen", 0), 500);
	assert_int_equal(queue_length("chosen", 300), 300);
	assert_int_equal(ioctl(fd, TUNSETPERSIST, 1), 0);
	close(fd);
	assert_int_equal(tun_open(&tun, "chosen"), 0);
	assert_int_equal(queue_length("chosen", 0), 300);
	assert_int_equal(ioctl(tun.fd, TUNSETPERSIST, 0), 0);
	tun_close(&tun);
}

static void offloads_are_turned_off(void **state)
{
	struct tun tun;

	assert_int_equal(tun_open(&tun, "plainer"), 0);
	assert_int_not_equal(offloads_set, 0);
	tun_disable_offloads(&tun);
	assert_int_equal(offloads_set, 0);
	assert_true(tun.virtio);
	assert_false(tun.read_tso || tun.read_uso || tun.write_tso || tun.write_uso);
	tun_close(&tun);
}

static int header_size(int fd)
{
	int size = 0;

	assert_int_equal(ioctl(fd, TUNGETVNETHDRSZ, &size), 0);
	return size;
}

static void a_descriptor_is_adopted(void **state)
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

static void a_plain_descriptor_is_adopted(void **state)
{
	int fd = raw_tun("passed", IFF_TUN | IFF_NO_PI);
	struct tun tun;

	assert_int_equal(tun_adopt(&tun, fd), 0);
	assert_false(tun.virtio || tun.read_tso || tun.read_uso || tun.write_tso || tun.write_uso);
	assert_int_equal(offloads_set, 0);
	tun_close(&tun);
}

static void unsuitable_descriptors_are_rejected(void **state)
{
	int tap = raw_tun("tap", IFF_TAP | IFF_NO_PI);
	int none = open("/dev/null", O_RDWR), fresh = open("/dev/net/tun", O_RDWR);
	struct tun tun;

	assert_int_equal(tun_adopt(&tun, tap), -EINVAL);
	assert_int_equal(tun.fd, -1);
	assert_int_equal(tun_adopt(&tun, none), -ENOTTY);
	assert_int_equal(tun_adopt(&tun, fresh), -EBADFD);
	assert_int_equal(tun_adopt(&tun, -1), -EBADF);
	/* The caller keeps the descriptors. */
	assert_int_equal(close(tap) | close(none) | close(fresh), 0);
}

/* A persistent device has the header size that its last user set. */
static void the_header_size_is_reset(void **state)
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

/* The mask belongs to the device: a second queue must not take TSO and USO from the first. */
static void queues_share_offloads(void **state)
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

/* --- packets ----- */

/* Opens a device with address 192.0.2.1/24. Packets to 192.0.2.2 then arrive at tun_read. */
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

/* Reads the next IPv4 packet. Skips IPv6 packets, which the kernel sends on every new device. */
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

static void packets_are_read(void **state)
{
	struct tun tun;
	int fd = open_up(&tun, "reads");

	check_read(&tun, fd);
	tun_close(&tun);
	close(fd);
}

static void a_plain_device_gets_empty_headers(void **state)
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

static void the_longest_packet_is_not_truncated(void **state)
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

/* Datagrams of one UDP_SEGMENT send arrive as one super-packet if the device has USO, else one by one. */
static void super_packets_are_read(void **state)
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

/* Builds a UDP packet from 192.0.2.2 with `bytes` of payload and without a UDP checksum. */
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

/*
 * The checksum field should contain the pseudo-header sum, but the kernel does not verify checksums that it computes.
 */
static const struct virtio_net_hdr super_header = {
	.flags = VIRTIO_NET_HDR_F_NEEDS_CSUM,
	.gso_type = UDP_L4,
	.hdr_len = 28,
	.gso_size = 60,
	.csum_start = 20,
	.csum_offset = 6,
};

static void packets_are_written(void **state)
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

static void a_plain_device_rejects_super_packets(void **state)
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

/* The receive counters of the device in /proc/net/dev. */
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

/* A device that is down drops the test write of tun_open. */
static void the_test_write_is_dropped_while_down(void **state)
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

/* A device that is up drops the test write because of its header checksum, and sends no reply or ICMP error. */
static void the_test_write_is_dropped_while_up(void **state)
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

static void a_write_while_down_returns_eio(void **state)
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

static void a_deleted_device_returns_ebadfd(void **state)
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
		cmocka_unit_test_setup(open_requests_all_offloads, reset),
		cmocka_unit_test_setup(a_zeroed_tun_can_be_closed, reset),
		cmocka_unit_test_setup(errors_of_open_are_returned, reset),
		cmocka_unit_test_setup(offloads_are_requested_in_decreasing_order, reset),
		cmocka_unit_test_setup(a_kernel_without_virtio_gives_a_plain_device, reset),
		cmocka_unit_test_setup(a_kernel_may_reject_super_packets, reset),
		cmocka_unit_test_setup(a_descriptor_is_adopted, reset),
		cmocka_unit_test_setup(a_plain_descriptor_is_adopted, reset),
		cmocka_unit_test_setup(unsuitable_descriptors_are_rejected, reset),
		cmocka_unit_test_setup(the_header_size_is_reset, reset),
		cmocka_unit_test_setup(queues_share_offloads, reset),
		cmocka_unit_test_setup(packets_are_read, reset),
		cmocka_unit_test_setup(a_plain_device_gets_empty_headers, reset),
		cmocka_unit_test_setup(the_default_queue_length_is_raised, reset),
		cmocka_unit_test_setup(offloads_are_turned_off, reset),
		cmocka_unit_test_setup(the_longest_packet_is_not_truncated, reset),
		cmocka_unit_test_setup(super_packets_are_read, reset),
		cmocka_unit_test_setup(packets_are_written, reset),
		cmocka_unit_test_setup(a_plain_device_rejects_super_packets, reset),
		cmocka_unit_test_setup(the_test_write_is_dropped_while_down, reset),
		cmocka_unit_test_setup(the_test_write_is_dropped_while_up, reset),
		cmocka_unit_test_setup(a_write_while_down_returns_eio, reset),
		cmocka_unit_test_setup(a_deleted_device_returns_ebadfd, reset),
	};

	is_root = !geteuid();
	sandbox_need_tun();
	sandbox_enter();
	return cmocka_run_group_tests_name("tun", tests, NULL, NULL);
}
