/* SPDX-License-Identifier: MIT */
/* Tests of a TUN with several queues and of steering, on a real device in a network namespace. */
#include "io/tun.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/if_packet.h>
#include <linux/if_tun.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>

#include "base/bytes.h"
#include "sandbox.h"

#include <cmocka.h>

enum { QUEUES_MAX = 4, FLOWS = 64, MTU = 1500, NOWHERE = -1, TRIES = 10000 };

/* Simulated failures: of the queue with this number and all later ones, of bpf(2), of installing the program. */
static int queues_known;
static bool no_bpf, no_steering;
static bool is_root; /* others may not load the program that steers */

int __real_ioctl(int fd, unsigned long request, void *argument);
int __wrap_ioctl(int fd, unsigned long request, void *argument);
int __wrap_ioctl(int fd, unsigned long request, void *argument)
{
	if ((request == TUNSETIFF && queues_known-- <= 0) || (request == TUNSETSTEERINGEBPF && no_steering)) {
		errno = E2BIG;
		return -1;
	}
	return __real_ioctl(fd, request, argument);
}

long __real_syscall(long number, long a, long b, long c);
long __wrap_syscall(long number, long a, long b, long c);
long __wrap_syscall(long number, long a, long b, long c)
{
	if (number != SYS_bpf || !no_bpf)
		return __real_syscall(number, a, b, c);
	errno = EPERM;
	return -1;
}

static int reset(void **state)
{
	queues_known = 1000;
	no_bpf = no_steering = false;
	return 0;
}

/* --- opening ----- */

/* Returns the lowest free descriptor, which shows whether any descriptor was leaked. */
static int lowest_free(void)
{
	int fd = dup(0);

	close(fd);
	return fd;
}

static void close_all(struct tun *queues, unsigned count)
{
	while (count)
		tun_close(&queues[--count]);
}

static void all_queues_are_opened_alike(void **state)
{
	static const unsigned counts[] = { 1, 2, 4 };

	for (size_t i = 0; i < sizeof counts / sizeof *counts; i++) {
		struct tun queues[QUEUES_MAX] = { 0 };

		assert_int_equal(tun_open_queues(queues, counts[i], "adit%d"), 0);
		for (unsigned k = 0; k < counts[i]; k++) {
			assert_string_equal(queues[k].name, "adit0"); /* the kernel has chosen a number once */
			assert_true(queues[k].virtio && queues[k].read_tso && queues[k].write_tso);
			assert_int_equal(queues[k].read_uso, queues[0].read_uso);
			assert_int_equal(queues[k].write_uso, queues[0].write_uso);
			if (is_root)
				assert_int_equal(queues[k].steered, counts[i] > 1 && k == 0);
			assert_true(fcntl(queues[k].fd, F_GETFL) & O_NONBLOCK);
		}
		close_all(queues, counts[i]);
		assert_int_equal(if_nametoindex("adit0"), 0);
	}
}

static void a_failing_queue_closes_all(void **state)
{
	struct tun queues[QUEUES_MAX];
	int free_before = lowest_free();

	for (int known = 0; known < QUEUES_MAX; known++) {
		queues_known = known;
		assert_int_equal(tun_open_queues(queues, QUEUES_MAX, "some"), -E2BIG);
		assert_int_equal(lowest_free(), free_before);
		for (int i = 0; i <= known; i++)
			assert_int_equal(queues[i].fd, -1);
		assert_int_equal(if_nametoindex("some"), 0);
	}
}

static void single_and_multiple_queues_do_not_mix(void **state)
{
	struct tun one, queues[2];

	assert_int_equal(tun_open(&one, "single"), 0);
	assert_int_equal(ioctl(one.fd, TUNSETPERSIST, (void *)1), 0);
	assert_int_equal(tun_open_queues(queues, 2, "single"), -EINVAL);
	tun_close(&one);
	assert_int_equal(tun_open_queues(queues, 2, "single"), -EINVAL);
	assert_int_equal(tun_open_queues(queues, 1, "single"), 0);
	assert_int_equal(ioctl(queues[0].fd, TUNSETPERSIST, NULL), 0);
	tun_close(&queues[0]);
	assert_int_equal(tun_open_queues(queues, 2, "several"), 0);
	assert_int_equal(tun_open(&one, "several"), -EBUSY);
	close_all(queues, 2);
}

/* Others may attach to a device with multiple queues, and would take a part of its packets. */
static void a_device_with_multiple_queues_is_used_by_one_daemon(void **state)
{
	struct tun queues[3], others[2], one;

	assert_int_equal(tun_open_queues(queues, 3, "shared"), 0);
	assert_int_equal(tun_open_queues(others, 2, "shared"), -EBUSY);
	assert_int_equal(tun_open(&one, "shared"), -EBUSY);
	assert_int_equal(ioctl(queues[0].fd, TUNSETPERSIST, (void *)1), 0);
	close_all(queues, 3);
	assert_int_equal(tun_open(&one, "shared"), 0);
	assert_int_equal(tun_open_queues(others, 2, "shared"), -EBUSY);
	tun_close(&one);
	assert_int_equal(tun_open_queues(others, 2, "shared"), 0);
	assert_int_equal(ioctl(others[0].fd, TUNSETPERSIST, NULL), 0);
	close_all(others, 2);
}

static void without_bpf_steering_is_off(void **state)
{
	struct tun queues[2];

	for (int i = 0; i < 2; i++) {
		no_bpf = i;
		no_steering = !i;
		assert_int_equal(tun_open_queues(queues, 2, "plain"), 0);
		assert_false(queues[0].steered);
		close_all(queues, 2);
	}
}

/* --- steering ----- */

static struct tun queues[QUEUES_MAX];
static int wire; /* sends raw packets through the device */

static void open_up(const char *name)
{
	struct sockaddr_ll to = { .sll_family = AF_PACKET, .sll_protocol = htons(0x0800) };

	assert_int_equal(tun_open_queues(queues, QUEUES_MAX, name), 0);
	sandbox_run("ip link set %s mtu %d up", name, MTU);
	to.sll_ifindex = (int)if_nametoindex(name);
	wire = socket(AF_PACKET, SOCK_DGRAM, 0);
	assert_int_equal(bind(wire, (struct sockaddr *)&to, sizeof to), 0);
}

static int set_up(void **state)
{
	reset(state);
	open_up("steers");
	return 0;
}

static int set_up_default_steering(void **state)
{
	reset(state);
	no_bpf = true;
	open_up("kernel");
	return 0;
}

static int tear_down(void **state)
{
	close_all(queues, QUEUES_MAX);
	close(wire);
	return 0;
}

/* Sends a packet and returns the queue on which it arrives unchanged. */
static int queue_of(const uint8_t *packet, size_t n)
{
	static uint8_t read[TUN_READ];
	struct sockaddr_ll to = { .sll_family = AF_PACKET, .sll_ifindex = (int)if_nametoindex(queues[0].name) };
	int found = NOWHERE;

	to.sll_protocol = htons(packet[0] >> 4 == 6 ? 0x86dd : 0x0800);
	assert_int_equal(sendto(wire, packet, n, 0, (struct sockaddr *)&to, sizeof to), n);
	/* If another processor sends a packet of the kernel at this moment, it also sends this one, but later. */
	for (int tries = 0; found == NOWHERE && tries < TRIES; tries++) {
		if (tries)
			usleep(1000);
		for (int i = 0; i < QUEUES_MAX; i++) {
			for (ssize_t bytes; (bytes = tun_read(&queues[i], read)) != -EAGAIN;) {
				assert_true(bytes > 0);
				if (bytes != (ssize_t)(TUN_VIRTIO + n) || memcmp(read + TUN_VIRTIO, packet, n) != 0)
					continue; /* an IPv6 packet of the kernel */
				assert_int_equal(found, NOWHERE);
				found = i;
			}
		}
	}
	assert_int_not_equal(found, NOWHERE);
	return found;
}

struct flow {
	uint8_t protocol;
	uint8_t from, to; /* hosts */
	uint16_t from_port, to_port;
};

static struct flow reversed(struct flow flow)
{
	return (struct flow) { flow.protocol, flow.to, flow.from, flow.to_port, flow.from_port };
}

enum { PAYLOAD = 32, ROOM = 60 + 40 + PAYLOAD };

/* Builds an IPv4 packet with `options` bytes of options. `fragment` is the field with flags and offset. */
static size_t build4(uint8_t packet[ROOM], struct flow flow, size_t options, uint16_t fragment)
{
	size_t header = 20 + options, n = header + PAYLOAD;

	memset(packet, 0, ROOM);
	packet[0] = (uint8_t)(0x40 | header / 4);
	put_be16(packet + 2, (uint16_t)n);
	put_be16(packet + 6, fragment);
	packet[8] = 64;
	packet[9] = flow.protocol;
	put_be32(packet + 12, 0xc0000200u + flow.from);
	put_be32(packet + 16, 0xc0000200u + flow.to);
	memset(packet + 20, 1, options); /* no operation */
	put_be16(packet + header, flow.from_port);
	put_be16(packet + header + 2, flow.to_port);
	return n;
}

static size_t build6(uint8_t packet[ROOM], struct flow flow)
{
	memset(packet, 0, ROOM);
	packet[0] = 0x60;
	put_be16(packet + 4, PAYLOAD);
	packet[6] = flow.protocol;
	packet[7] = 64;
	packet[8] = packet[24] = 0xfd;
	packet[23] = flow.from;
	packet[39] = flow.to;
	put_be16(packet + 40, flow.from_port);
	put_be16(packet + 42, flow.to_port);
	return 40 + PAYLOAD;
}

static int queue4(struct flow flow, size_t options, uint16_t fragment)
{
	uint8_t packet[ROOM];

	return queue_of(packet, build4(packet, flow, options, fragment));
}

static int queue6(struct flow flow)
{
	uint8_t packet[ROOM];

	return queue_of(packet, build6(packet, flow));
}

static struct flow flow_of(uint8_t protocol, int number)
{
	return (struct flow) { protocol, 1, (uint8_t)(2 + number % 3), (uint16_t)(1000 + number), 443 };
}

/* Writes a packet of the other direction of the flow to the given queue. */
static void write_by(int queue, struct flow flow)
{
	uint8_t header[TUN_VIRTIO] = { 0 }, packet[ROOM];
	size_t n = build4(packet, reversed(flow), 0, 0);
	struct iovec parts[] = { { header, sizeof header }, { packet, n } };

	assert_int_equal(tun_write(&queues[queue], parts, 2), 0);
}

/*
 * Writes the other direction of each flow to all queues in turn. Returns the number of flows that change their queue.
 */
static int unsteady_flows(void)
{
	int unsteady = 0;

	for (int i = 0; i < FLOWS; i++) {
		struct flow flow = flow_of(IPPROTO_TCP, i);
		int first = queue4(flow, 0, 0), changes = 0;

		for (int by = 0; by < QUEUES_MAX; by++) {
			write_by(by, flow);
			changes += queue4(flow, 0, 0) != first;
		}
		unsteady += changes > 0;
	}
	return unsteady;
}

static void a_flow_stays_on_its_queue(void **state)
{
	if (!queues[0].steered && !is_root)
		skip();
	assert_true(queues[0].steered);
	assert_int_equal(unsteady_flows(), 0);
}

/* Shows that the program is needed, and that the previous test can fail. */
static void default_steering_follows_the_writer(void **state)
{
	assert_false(queues[0].steered);
	assert_int_equal(unsteady_flows(), FLOWS);
}

static void expect_spread(const int used[QUEUES_MAX])
{
	for (int i = 0; i < QUEUES_MAX; i++)
		assert_uint_in_range(used[i], FLOWS / QUEUES_MAX / 3, FLOWS); /* not uniform, but no queue is idle */
}

static void many_flows_use_all_queues(void **state)
{
	static const uint8_t protocols[] = { IPPROTO_TCP, IPPROTO_UDP };

	for (size_t p = 0; p < sizeof protocols; p++) {
		int used4[QUEUES_MAX] = { 0 }, with_options[QUEUES_MAX] = { 0 }, used6[QUEUES_MAX] = { 0 };

		for (int i = 0; i < FLOWS; i++) {
			used4[queue4(flow_of(protocols[p], i), 0, 0)]++;
			with_options[queue4(flow_of(protocols[p], i), 24, 0)]++;
			used6[queue6(flow_of(protocols[p], i))]++;
		}
		expect_spread(used4);
		expect_spread(with_options);
		expect_spread(used6);
	}
}

/* The addresses count even without ports. */
static void many_hosts_use_all_queues(void **state)
{
	int used4[QUEUES_MAX] = { 0 }, used6[QUEUES_MAX] = { 0 };

	for (int i = 0; i < FLOWS; i++) {
		struct flow flow = { IPPROTO_ICMP, 1, (uint8_t)(2 + i), 0, 0 };

		used4[queue4(flow, 0, 0)]++;
		used6[queue6(flow)]++;
	}
	expect_spread(used4);
	expect_spread(used6);
}

/* The ports follow the options. */
static void ports_are_found_after_options(void **state)
{
	for (int i = 0; i < FLOWS; i++)
		for (size_t options = 4; options <= 40; options += 12)
			assert_int_equal(queue4(flow_of(IPPROTO_UDP, i), options, 0), queue4(flow_of(IPPROTO_UDP, i), 0, 0));
}

/* Later fragments have no ports, so the ports of the first one must not count. */
static void fragments_of_a_datagram_use_one_queue(void **state)
{
	enum { MORE = 0x2000, DONT = 0x4000 };
	int moved = 0;

	for (int i = 0; i < FLOWS; i++) {
		struct flow flow = flow_of(IPPROTO_UDP, i), later = flow;
		int first = queue4(flow, 0, MORE);

		later.from_port = (uint16_t)(i * 7919);
		later.to_port = (uint16_t)(i * 104729);
		assert_int_equal(queue4(later, 0, MORE | 4), first);
		assert_int_equal(queue4(later, 0, 8), first);
		assert_int_equal(queue4(later, 0, 0x1fff), first);
		assert_int_equal(queue4(flow, 0, DONT), queue4(flow, 0, 0)); /* DF only, so not a fragment */
		moved += queue4(flow, 0, 0) != first;
	}
	assert_true(moved > 0);
}

/* ICMP errors and echoes of two hosts use one queue, whatever bytes are at the offset of the ports. */
static void other_protocols_use_the_addresses(void **state)
{
	struct flow flow = { IPPROTO_ICMP, 1, 2, 0, 0 }, flow6 = { IPPROTO_ICMPV6, 1, 2, 0, 0 };
	int first = queue4(flow, 0, 0), first6 = queue6(flow6);

	for (uint16_t i = 1; i < FLOWS; i++) {
		flow.from_port = flow.to_port = flow6.from_port = flow6.to_port = (uint16_t)(i * 7919);
		assert_int_equal(queue4(flow, 0, 0), first);
		assert_int_equal(queue6(flow6), first6);
	}
}

/* A truncated packet arrives, and always on the same queue. Later flows are not affected. */
static void truncated_packets_are_delivered(void **state)
{
	uint8_t packet[ROOM];
	size_t n;

	for (int version = 4; version <= 6; version += 2) {
		for (size_t length = 1; length <= 60; length++) {
			struct flow flow = flow_of(IPPROTO_TCP, 7);

			n = version == 4 ? build4(packet, flow, 20, 0) : build6(packet, flow);
			assert_true(length < n);
			assert_int_equal(queue_of(packet, length), queue_of(packet, length));
			if (length < 20 && queues[0].steered) /* the program exits before the hash */
				assert_int_equal(queue_of(packet, length), 0);
		}
	}
	memset(packet, 0xff, sizeof packet);
	assert_int_equal(queue_of(packet, sizeof packet), queue_of(packet, sizeof packet));
	assert_int_equal(queue4(flow_of(IPPROTO_TCP, 7), 0, 0), queue4(flow_of(IPPROTO_TCP, 7), 40, 0));
}

/* --- taking over queues ----- */

static void get_fds(const struct tun *opened, unsigned count, int *fds)
{
	for (unsigned i = 0; i < count; i++)
		fds[i] = opened[i].fd;
}

static void queues_are_taken_over(void **state)
{
	static const unsigned counts[] = { 1, 2, 4 };

	for (size_t i = 0; i < sizeof counts / sizeof *counts; i++) {
		struct tun opened[QUEUES_MAX] = { 0 }, adopted[QUEUES_MAX] = { 0 };
		int fds[QUEUES_MAX];
		unsigned index;

		assert_int_equal(tun_open_queues(opened, counts[i], "kept"), 0);
		index = if_nametoindex("kept");
		tun_disable_offloads(&opened[0]);
		get_fds(opened, counts[i], fds);
		assert_int_equal(tun_adopt_queues(adopted, counts[i], "kept", fds), 0);
		assert_int_equal(if_nametoindex("kept"), index);
		for (unsigned k = 0; k < counts[i]; k++) {
			assert_int_equal(adopted[k].fd, fds[k]);
			assert_string_equal(adopted[k].name, "kept");
			assert_true(adopted[k].virtio && adopted[k].read_tso && adopted[k].write_tso);
			if (is_root)
				assert_int_equal(adopted[k].steered, counts[i] > 1 && k == 0);
		}
		close_all(adopted, counts[i]);
		assert_int_equal(if_nametoindex("kept"), 0);
	}
}

static void other_queues_are_refused(void **state)
{
	struct tun opened[3], other, adopted[QUEUES_MAX];
	int fds[QUEUES_MAX], pipes[2], free_before;

	assert_int_equal(tun_open_queues(opened, 3, "kept"), 0);
	assert_int_equal(tun_open(&other, "other"), 0);
	assert_int_equal(pipe(pipes), 0);
	free_before = lowest_free();
	get_fds(opened, 3, fds);
	assert_int_equal(tun_adopt_queues(adopted, 3, "wanted", fds), -EINVAL);
	assert_int_equal(tun_adopt_queues(adopted, 2, "kept", fds),
					 -EINVAL); /* the third would get a part of the packets */
	fds[2] = other.fd;
	assert_int_equal(tun_adopt_queues(adopted, 3, "kept", fds), -EINVAL);
	fds[2] = pipes[0];
	assert_true(tun_adopt_queues(adopted, 3, "kept", fds) < 0);
	fds[2] = open("/dev/net/tun", O_RDWR); /* without a device */
	assert_true(tun_adopt_queues(adopted, 3, "kept", fds) < 0);
	close(fds[2]);
	assert_int_equal(tun_adopt_queues(adopted, 1, "kept", pipes), -EINVAL);
	fds[0] = fds[1] = other.fd; /* it has one queue */
	assert_int_equal(tun_adopt_queues(adopted, 2, "other", fds), -EINVAL);
	assert_int_equal(lowest_free(), free_before);
	close(pipes[0]);
	close(pipes[1]);
	tun_close(&other);
	close_all(opened, 3);
}

static void a_tap_is_refused(void **state)
{
	struct ifreq request = { .ifr_name = "tap", .ifr_flags = IFF_TAP | IFF_NO_PI };
	int fd = open("/dev/net/tun", O_RDWR);
	struct tun adopted;

	assert_int_equal(ioctl(fd, TUNSETIFF, &request), 0);
	assert_int_equal(tun_adopt_queues(&adopted, 1, "tap", &fd), -EINVAL);
	close(fd);
}

static void a_deleted_device_is_refused(void **state)
{
	struct tun queue, adopted;

	assert_int_equal(tun_open(&queue, "kept"), 0);
	sandbox_run("ip link del kept");
	assert_int_equal(tun_adopt_queues(&adopted, 1, "kept", &queue.fd), -EBADFD);
	tun_close(&queue);
}

static void a_device_in_another_namespace_is_refused(void **state)
{
	struct tun queue, adopted;

	if (!is_root)
		skip();
	assert_int_equal(tun_open(&queue, "kept"), 0);
	/* All runs of this test on the host share the names of namespaces. */
	sandbox_run("ip netns add adit-test-%d && ip link set kept netns adit-test-%d", getpid(), getpid());
	assert_int_equal(tun_adopt_queues(&adopted, 1, "kept", &queue.fd), -EINVAL);
	tun_delete(queue.fd);
	sandbox_run("ip -n adit-test-%d link show kept >/dev/null && ip netns del adit-test-%d", getpid(), getpid());
	tun_close(&queue);
}

static void a_device_is_deleted_although_others_have_it_open(void **state)
{
	struct tun queue;
	int other;

	assert_int_equal(tun_open(&queue, "kept"), 0);
	other = dup(queue.fd);
	tun_delete(queue.fd);
	assert_int_equal(if_nametoindex("kept"), 0);
	tun_delete(queue.fd); /* it is deleted already */
	close(other);
	tun_close(&queue);
	assert_int_equal(tun_open(&queue, "kept"), 0);
	assert_int_equal(ioctl(queue.fd, TUNSETPERSIST, (void *)1), 0);
	tun_delete(queue.fd);
	assert_int_not_equal(if_nametoindex("kept"), 0); /* the user has made it */
	assert_int_equal(ioctl(queue.fd, TUNSETPERSIST, NULL), 0);
	tun_close(&queue);
}

#define STEERED(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(all_queues_are_opened_alike, reset),
		cmocka_unit_test_setup(a_failing_queue_closes_all, reset),
		cmocka_unit_test_setup(single_and_multiple_queues_do_not_mix, reset),
		cmocka_unit_test_setup(a_device_with_multiple_queues_is_used_by_one_daemon, reset),
		cmocka_unit_test_setup(without_bpf_steering_is_off, reset),
		cmocka_unit_test_setup(queues_are_taken_over, reset),
		cmocka_unit_test_setup(other_queues_are_refused, reset),
		cmocka_unit_test_setup(a_tap_is_refused, reset),
		cmocka_unit_test_setup(a_deleted_device_is_refused, reset),
		cmocka_unit_test_setup(a_device_in_another_namespace_is_refused, reset),
		cmocka_unit_test_setup(a_device_is_deleted_although_others_have_it_open, reset),
		STEERED(a_flow_stays_on_its_queue),
		cmocka_unit_test_setup_teardown(default_steering_follows_the_writer, set_up_default_steering, tear_down),
		STEERED(many_flows_use_all_queues),
		STEERED(many_hosts_use_all_queues),
		STEERED(ports_are_found_after_options),
		STEERED(fragments_of_a_datagram_use_one_queue),
		STEERED(other_protocols_use_the_addresses),
		STEERED(truncated_packets_are_delivered),
	};

	is_root = !geteuid();
	sandbox_need_tun();
	sandbox_enter();
	return cmocka_run_group_tests_name("tun_queues", tests, NULL, NULL);
}
