/* SPDX-License-Identifier: MIT */
/*
 * Egress and ingress, each alone: no worker, no loop and no handshake. The session is made from fixed keys, the backend
 * is a table of packets, the TUN is one end of a socket pair, and the peer is a UDP socket of the test.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <arpa/inet.h>
#include <errno.h>
#include <sodium.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/bytes.h"
#include "base/clock.h"
#include "packet/ip.h"
#include "tunnel/control.h"
#include "tunnel/egress.h"
#include "tunnel/ingress.h"
#include "tunnel/peer.h"

enum { LENGTH = 100, NUMBER = 3, SLOT = 4096 };

static const uint8_t theirs[4] = { 10, 0, 0, 2 }, ours[4] = { 10, 0, 0, 1 };

static struct device device;
static struct peer *peer;
static struct session *remote; /* the session of the other end */
static struct counters counters;
static struct tun tun;
static int kernel, far; /* the other end of the TUN; the socket of the peer */
static struct udp udp;
static uint64_t now;

static uint8_t packet[VIRTIO_HEADER + 65535], memory[SLOT];
static size_t packet_length; /* without the virtio header */
static int packets;          /* how many times the backend still delivers `packet` */

static ssize_t read_packet(struct backend *backend, uint8_t **out, int most)
{
	if (!packets)
		return -EAGAIN;
	packets--;
	*out = packet;
	return (ssize_t)(VIRTIO_HEADER + packet_length);
}

static const struct backend_ops backend_ops = { .name = "table", .read = read_packet };
static struct backend backend = { .ops = &backend_ops };

static void make_long_packet(const uint8_t from[4], const uint8_t to[4], size_t length)
{
	uint8_t *ip = packet + VIRTIO_HEADER;

	memset(packet, 0, sizeof packet);
	packet_length = length;
	ip[0] = 0x45;
	put_be16(ip + 2, (uint16_t)length);
	ip[9] = IPPROTO_ICMP;
	memcpy(ip + 12, from, 4);
	memcpy(ip + 16, to, 4);
}

static void make_packet(const uint8_t from[4], const uint8_t to[4])
{
	make_long_packet(from, to, LENGTH);
}

/* Both ends of a session: what one seals the other opens. */
static void make_sessions_of(struct peer *owner)
{
	struct noise_keys keys = { .suite = SUITE_CHACHA20POLY1305, .initiator = true, .send = { 1 }, .receive = { 2 } };
	struct noise_keys reverse = { .suite = SUITE_CHACHA20POLY1305, .send = { 2 }, .receive = { 1 } };
	struct peer_index *index = peer_index_create(owner);

	keys.local_index = reverse.remote_index = index->index;
	remote = session_create(&aead_libsodium, &reverse, now);
	device_lock(&device);
	peer_set_handshake_index(owner, index);
	peer_install_session(owner, session_create(&aead_libsodium, &keys, now));
	device_unlock(&device);
}

static void make_sessions(void)
{
	make_sessions_of(peer);
}

static int set_up(void **state)
{
	struct sockaddr_in at = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	struct endpoint endpoint = { 0 };
	socklen_t size = sizeof at;
	int pair[2];

	now = clock_boottime();
	memset(&counters, 0, sizeof counters);
	assert_int_equal(control_init(&device, "path", &aead_libsodium, NULL), 0);
	device.mtu = 1420;
	device.up = true;
	assert_int_equal(udp_open(&udp, 0, 0), 0);
	device.listen_port = udp.port;
	assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK, 0, pair), 0);
	tun = (struct tun) { .fd = pair[0], .virtio = true };
	kernel = pair[1];
	far = socket(AF_INET, SOCK_DGRAM, 0);
	assert_int_equal(bind(far, (struct sockaddr *)&at, sizeof at), 0);
	assert_int_equal(getsockname(far, (struct sockaddr *)&at, &size), 0);
	endpoint.to.v4 = at;
	peer = peer_add(&device, (const uint8_t[NOISE_KEY]) { 9 });
	peer_set_endpoint(peer, &endpoint, ORIGIN_ROAMED);
	allowedips_insert(&device.allowed_ips, AF_INET, theirs, 32, &peer->allowed_ips);
	return 0;
}

static int tear_down(void **state)
{
	session_destroy(remote);
	remote = NULL;
	close(kernel);
	close(far);
	tun_close(&tun);
	udp_close(&udp);
	control_destroy(&device, NULL);
	return 0;
}

static struct egress *open_egress(void)
{
	struct egress *egress = calloc(1, sizeof *egress);

	*egress = (struct egress) { .device = &device,
								.tun = &tun,
								.backend = &backend,
								.udp = &udp,
								.aead = &aead_libsodium,
								.counters = &counters,
								.worker = NUMBER };
	assert_int_equal(egress_init(egress), 0);
	return egress;
}

static void close_egress(struct egress *egress)
{
	egress_destroy(egress);
	free(egress);
}

static void egress_seals_what_the_backend_reads(void **state)
{
	struct egress *egress = open_egress();
	uint8_t *datagram = memory + 64, opened[SLOT];

	make_sessions();
	make_packet(ours, theirs);
	packets = 1;
	assert_int_equal(egress_drain(egress, now), 0);
	assert_int_equal(counters.value[COUNT_SEALED], 1);
	assert_int_equal(counters.value[COUNT_SENT], 1);
	assert_int_equal(recv(far, datagram, SLOT / 2, 0), 112 + DATA_OVERHEAD); /* padded to 16 */
	assert_int_equal(session_open(remote, opened + 64, datagram, 112 + DATA_OVERHEAD, now), 0);
	assert_memory_equal(opened + 64, packet + VIRTIO_HEADER, LENGTH);
	assert_int_equal(peer->tx_bytes, 112 + DATA_OVERHEAD);
	close_egress(egress);
}

static void make_super_packet(size_t length, uint16_t size)
{
	const struct virtio_header header = {
		.flags = VIRTIO_NEEDS_CSUM, .gso_type = VIRTIO_GSO_TCPV4, .gso_size = size, .csum_start = 20, .csum_offset = 16
	};

	make_long_packet(ours, theirs, length);
	packet[VIRTIO_HEADER + 9] = IPPROTO_TCP;
	packet[VIRTIO_HEADER + 32] = 5 << 4;
	virtio_encode(packet, &header);
}

/* Fails unless the histogram counted `batches` batches of this size, and no others. */
static void assert_batches(enum histogram_kind kind, uint32_t size, uint32_t batches)
{
	struct counters expected = { 0 };

	counters_add_batches(&expected, kind, size, batches);
	assert_memory_equal(&counters.histogram[kind], &expected.histogram[kind], sizeof *expected.histogram);
}

static void egress_counts_the_sizes_of_batches(void **state)
{
	struct egress *egress = open_egress();

	if (!udp.gso)
		skip();
	egress->batch.run_segments = udp.run_segments;
	make_sessions();
	make_super_packet(40 + 10 * 1000, 1000);
	packets = 1;
	assert_int_equal(egress_drain(egress, now), 0);
	assert_batches(HISTOGRAM_TUN_READ, 10, 1);
	assert_batches(HISTOGRAM_UDP_SEND, 10, 1);
	assert_int_equal(counters.value[COUNT_SENT], 10);
	peer->ungrouped_until = now + 1; /* the path has refused GSO */
	memset(&counters, 0, sizeof counters);
	packets = 1;
	assert_int_equal(egress_drain(egress, now), 0);
	assert_batches(HISTOGRAM_TUN_READ, 10, 1);
	assert_batches(HISTOGRAM_UDP_SEND, 1, 10);
	memset(&counters, 0, sizeof counters);
	packet[VIRTIO_HEADER] = 0; /* not IP */
	packets = 1;
	assert_int_equal(egress_drain(egress, now), 0);
	assert_batches(HISTOGRAM_TUN_READ, 1, 0);
	assert_batches(HISTOGRAM_UDP_SEND, 1, 0);
	close_egress(egress);
}

/* --- rejected packets ----- */

/* Makes a super-packet that segment_begin rejects for this cause. */
static void make_rejected(enum segment_error cause)
{
	struct virtio_header header;
	uint8_t *ip = packet + VIRTIO_HEADER;

	make_super_packet(40 + 10 * 1000, 1000);
	virtio_decode(&header, packet);
	switch (cause) {
	case SEGMENT_NOT_IP:
		ip[0] = 0x15;
		break;
	case SEGMENT_RSC_INFO:
		header.flags |= VIRTIO_RSC_INFO;
		break;
	case SEGMENT_NO_CHECKSUM:
		header.flags = 0;
		break;
	case SEGMENT_NO_SIZE:
		header.gso_size = 0;
		break;
	case SEGMENT_GSO_UNKNOWN:
		header.gso_type = 3; /* UFO */
		break;
	case SEGMENT_GSO_VERSION:
		header.gso_type = VIRTIO_GSO_TCPV6;
		break;
	case SEGMENT_ECN_NOT_TCP:
		header.gso_type = VIRTIO_GSO_UDP_L4 | VIRTIO_GSO_ECN;
		break;
	case SEGMENT_CSUM_START:
		header.csum_start = 24;
		break;
	case SEGMENT_CSUM_OFFSET:
		header.csum_offset = 6;
		break;
	case SEGMENT_PROTOCOL:
		ip[9] = IPPROTO_UDP;
		break;
	case SEGMENT_IP_HEADER:
		ip[0] = 0x44;
		break;
	case SEGMENT_TCP_HEADER:
		ip[32] = 4 << 4;
		break;
	case SEGMENT_HEADER_LONG:
		packet_length = 39;
		break;
	case SEGMENT_CSUM_OUTSIDE:
		header.gso_type = VIRTIO_GSO_NONE;
		header.csum_start = (uint16_t)packet_length;
		break;
	default:
		fail_msg("no packet for cause %d", cause);
	}
	virtio_encode(packet, &header);
}

static void each_cause_of_a_rejection_is_counted_and_the_reading_continues(void **state)
{
	struct egress *egress = open_egress();

	make_sessions();
	for (int cause = SEGMENT_OK + 1; cause < SEGMENT_ERRORS; cause++) {
		if (cause == SEGMENT_TOO_LONG) /* no TUN returns so many bytes */
			continue;
		make_rejected((enum segment_error)cause);
		memset(&counters, 0, sizeof counters);
		packets = 3;
		assert_int_equal(egress_drain(egress, now), 0);
		assert_int_equal(counters.value[COUNT_TUN_READ], 3);
		for (int other = SEGMENT_OK + 1; other < SEGMENT_ERRORS; other++)
			assert_int_equal(counters.value[DROP_REFUSED + other], other == cause ? 3 : 0);
		assert_int_equal(counters.value[COUNT_SENT], 0);
	}
	close_egress(egress);
}

/* --- paths that refuse UDP_SEGMENT sends ----- */

static bool catch_sends; /* no message reaches the kernel */
static int refusal;      /* the error of each UDP_SEGMENT message that is caught; 0: none */
static int groups, singles;

int __real_sendmmsg(int fd, struct mmsghdr *messages, unsigned count, int flags);
int __wrap_sendmmsg(int fd, struct mmsghdr *messages, unsigned count, int flags);

int __wrap_sendmmsg(int fd, struct mmsghdr *messages, unsigned count, int flags)
{
	if (!catch_sends)
		return __real_sendmmsg(fd, messages, count, flags);
	for (unsigned i = 0; i < count; i++) {
		bool group = messages[i].msg_hdr.msg_controllen; /* without a local address and a mark, nothing else is there */

		groups += group;
		singles += !group;
		if (group && refusal) {
			errno = refusal;
			return i ? (int)i : -1;
		}
	}
	return (int)count;
}

/* Sends a super-packet of ten segments at `at`. Returns the number of groups that were tried. */
static int groups_tried(struct egress *egress, const uint8_t to[4], uint64_t at)
{
	make_super_packet(40 + 10 * 1000, 1000);
	memcpy(packet + VIRTIO_HEADER + 16, to, 4);
	packets = 1;
	groups = singles = 0;
	memset(&counters, 0, sizeof counters);
	assert_int_equal(egress_drain(egress, at), 0);
	assert_int_equal(counters.value[COUNT_SENT], 10);
	assert_int_equal(counters.value[DROP_SEND], 0);
	return groups;
}

/* Nothing is dropped, only that peer gets single datagrams, and a minute later a group is tried again. */
static void a_path_that_refuses_groups_is_remembered_for_its_peer(void **state)
{
	static const int errors[] = { EIO, EMSGSIZE, EINVAL };
	const uint8_t others[4] = { 10, 0, 0, 3 };
	struct egress *egress = open_egress();
	struct peer *other = peer_add(&device, (const uint8_t[NOISE_KEY]) { 8 });
	struct endpoint moved = peer->endpoint;
	struct session *unused;

	udp.gso = catch_sends = true;
	egress->batch.run_segments = 64;
	make_sessions();
	unused = remote;
	peer_set_endpoint(other, &peer->endpoint, ORIGIN_ROAMED);
	allowedips_insert(&device.allowed_ips, AF_INET, others, 32, &other->allowed_ips);
	make_sessions_of(other);
	session_destroy(unused);
	for (size_t i = 0; i < sizeof errors / sizeof *errors; i++) {
		refusal = errors[i];
		peer->ungrouped_until = 0;
		assert_int_equal(groups_tried(egress, theirs, now), 1);
		assert_int_equal(singles, 10);
		assert_int_equal(counters.value[COUNT_GROUP_REFUSED], 1);
		refusal = 0;
		assert_int_equal(groups_tried(egress, theirs, now + 59 * NS_PER_S), 0);
		assert_int_equal(groups_tried(egress, others, now + 59 * NS_PER_S), 1);
		assert_int_equal(groups_tried(egress, theirs, now + 60 * NS_PER_S), 1);
		assert_int_equal(counters.value[COUNT_GROUP_REFUSED], 0);
	}
	refusal = EIO;
	assert_int_equal(groups_tried(egress, theirs, now + 61 * NS_PER_S), 1);
	refusal = 0;
	moved.to.v4.sin_port = htons(1);
	peer_set_endpoint(peer, &moved, ORIGIN_ROAMED); /* that is another path */
	assert_int_equal(groups_tried(egress, theirs, now + 61 * NS_PER_S), 1);
	catch_sends = false;
	close_egress(egress);
}

/* --- staged and long packets ----- */

static void egress_stages_without_a_session_and_sends_later(void **state)
{
	struct egress *egress = open_egress();

	make_packet(ours, theirs);
	packets = 2;
	device.up = true;
	peer->handshake_gate = now + 1; /* the last initiation is so recent that none is sent */
	assert_int_equal(egress_drain(egress, now), 0);
	assert_int_equal(counters.value[COUNT_SEALED], 0);
	assert_int_equal(staged_waiting(&peer->staged), 1 << NUMBER);
	make_sessions();
	assert_true(peer_send_staged(peer));
	egress_resume(egress, now);
	assert_int_equal(counters.value[COUNT_SENT], 2);
	assert_int_equal(staged_waiting(&peer->staged), 0);
	assert_false(staged_any_ready(&device.staged));
	close_egress(egress);
}

/* Lets egress read a packet of `length` bytes. Returns whether it was sealed; if not, it was dropped as too long. */
static bool is_sealed(struct egress *egress, size_t length)
{
	uint64_t sealed = counters.value[COUNT_SEALED], too_long = counters.value[DROP_TOO_LONG];

	make_long_packet(ours, theirs, length);
	packets = 1;
	assert_int_equal(egress_drain(egress, now), 0);
	sealed = counters.value[COUNT_SEALED] - sealed;
	assert_int_equal(sealed + counters.value[DROP_TOO_LONG] - too_long, 1);
	assert_int_equal(counters.value[DROP_SEND], 0);
	return sealed;
}

/* The largest MTUs of a TUN: a datagram of 65536 bytes would have size 0. */
static void a_packet_too_long_for_a_datagram_is_dropped(void **state)
{
	static const struct {
		sa_family_t family;
		size_t longest; /* UDP payload; IPv6 does not count its header */
	} outer[] = { { AF_INET, 65507 }, { AF_INET6, 65527 } };
	struct egress *egress = open_egress();
	struct endpoint endpoint = { .to.v6 = { .sin6_family = AF_INET6, .sin6_addr = IN6ADDR_LOOPBACK_INIT } };

	make_sessions();
	for (int i = 0; i < 2; i++) {
		size_t longest = (outer[i].longest - DATA_OVERHEAD) & ~(size_t)15; /* longer ones are padded past the limit */

		if (outer[i].family == AF_INET6) {
			endpoint.to.v6.sin6_port = peer->endpoint.to.v4.sin_port;
			peer_set_endpoint(peer, &endpoint, ORIGIN_ROAMED);
		}
		device.mtu = 65535;
		assert_true(is_sealed(egress, longest));
		for (size_t length = longest + 1; length <= 65535; length++)
			assert_false(is_sealed(egress, length));
		device.mtu = 1420; /* padded by its length modulo the MTU */
		assert_false(is_sealed(egress, 65504));
		assert_true(is_sealed(egress, 65440));
	}
	close_egress(egress);
}

static void a_packet_too_long_for_a_datagram_is_not_staged(void **state)
{
	struct egress *egress = open_egress();

	device.mtu = 65535;
	assert_false(is_sealed(egress, 65535));
	assert_int_equal(staged_waiting(&peer->staged), 0);
	assert_int_equal(peer->handshake_sent, 0);
	close_egress(egress);
}

/* A segment of a super-packet may be as long as the packet. */
static void a_segment_too_long_for_a_datagram_is_dropped(void **state)
{
	struct egress *egress = open_egress();

	make_sessions();
	device.mtu = 65535;
	make_super_packet(65530, 65480);
	packets = 1;
	assert_int_equal(egress_drain(egress, now), 0);
	assert_int_equal(counters.value[DROP_TOO_LONG], 1);
	assert_int_equal(counters.value[COUNT_SEALED], 0);
	close_egress(egress);
}

/* --- ingress ----- */

static struct udp_message forged; /* the next message that udp_receive returns, if it has data */

int __real_udp_receive(int fd, struct udp_batch *batch, struct udp_message messages[UDP_BATCH],
					   struct udp_dropped *dropped);
int __wrap_udp_receive(int fd, struct udp_batch *batch, struct udp_message messages[UDP_BATCH],
					   struct udp_dropped *dropped);

int __wrap_udp_receive(int fd, struct udp_batch *batch, struct udp_message messages[UDP_BATCH],
					   struct udp_dropped *dropped)
{
	if (!forged.data)
		return __real_udp_receive(fd, batch, messages, dropped);
	messages[0] = messages[1] = forged;
	messages[1].length = messages[1].size = LENGTH;
	forged.data = NULL;
	return 2;
}

static struct ingress *open_ingress(void)
{
	struct ingress *ingress = calloc(1, sizeof *ingress);

	*ingress = (struct ingress) {
		.device = &device, .tun = &tun, .udp = &udp, .aead = &aead_libsodium, .counters = &counters
	};
	assert_int_equal(ingress_init(ingress), 0);
	return ingress;
}

static void close_ingress(struct ingress *ingress)
{
	ingress_destroy(ingress);
	free(ingress);
}

/* A message that the area for opened packets could not hold is dropped whole, and the next one is not. */
static void a_message_larger_than_the_area_is_dropped(void **state)
{
	static uint8_t data[UDP_MESSAGE];
	struct ingress *ingress = open_ingress();

	for (uint32_t size = 1; size <= 64; size += 21) {
		forged = (struct udp_message) { .data = data, .length = sizeof data, .size = size };
		ingress_drain(ingress, udp.v4, now);
		assert_int_equal(counters.value[COUNT_RECEIVED], counters.value[DROP_SEGMENTS]);
	}
	assert_int_equal(counters.value[DROP_SEGMENTS], 4);
	forged = (struct udp_message) { .data = data, .length = sizeof data, .size = sizeof data / UDP_MESSAGE_SEGMENTS };
	ingress_drain(ingress, udp.v4, now);
	assert_int_equal(counters.value[DROP_SEGMENTS], 4);
	assert_int_equal(counters.value[COUNT_RECEIVED], 4 + UDP_MESSAGE_SEGMENTS + 1);
	assert_int_equal(counters.histogram[HISTOGRAM_UDP_RECEIVE].bucket[0], 5);
	assert_int_equal(counters.histogram[HISTOGRAM_UDP_RECEIVE].bucket[HISTOGRAM_BUCKETS - 1], 1);
	assert_int_equal(histogram_sum(&counters.histogram[HISTOGRAM_UDP_RECEIVE]), counters.value[COUNT_RECEIVED]);
	close_ingress(ingress);
}

/* Sends the first `n` bytes of the packet from the peer, sealed. */
static void send_sealed_part(size_t n)
{
	struct sockaddr_in to = { .sin_family = AF_INET,
							  .sin_port = htons(udp.port),
							  .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	uint8_t *slot = memory + 64;
	uint64_t counter;

	assert_int_equal(session_reserve(remote, 1, &counter), 1);
	memcpy(slot + DATA_HEADER, packet + VIRTIO_HEADER, n);
	session_seal(remote, counter, slot, n);
	assert_int_equal(sendto(far, slot, n + DATA_OVERHEAD, 0, (struct sockaddr *)&to, sizeof to), n + DATA_OVERHEAD);
}

static void send_sealed(void)
{
	send_sealed_part(LENGTH);
}

static void ingress_writes_what_it_opens(void **state)
{
	struct ingress *ingress = open_ingress();
	uint8_t written[SLOT];

	make_sessions();
	make_packet(theirs, ours);
	send_sealed();
	ingress_drain(ingress, udp.v4, now);
	assert_int_equal(counters.value[COUNT_OPENED], 1);
	assert_int_equal(read(kernel, written, sizeof written), VIRTIO_HEADER + LENGTH);
	assert_memory_equal(written + VIRTIO_HEADER, packet + VIRTIO_HEADER, LENGTH);
	assert_int_equal(peer->rx_bytes, LENGTH + DATA_OVERHEAD);
	assert_batches(HISTOGRAM_UDP_RECEIVE, 1, 1);
	assert_batches(HISTOGRAM_TUN_WRITE, 1, 1);
	make_packet(ours, ours); /* not the peer's address */
	send_sealed();
	ingress_drain(ingress, udp.v4, now);
	assert_int_equal(counters.value[DROP_INNER_SOURCE], 1);
	assert_batches(HISTOGRAM_TUN_WRITE, 1, 1);
	assert_int_equal(read(kernel, written, sizeof written), -1);
	close_ingress(ingress);
}

/* Two ends would otherwise answer each other's keepalives for ever. */
static void a_keepalive_is_not_answered(void **state)
{
	const struct timer *answer = &peer->timers.timer[TIMER_SEND_KEEPALIVE];
	struct ingress *ingress = open_ingress();

	make_sessions();
	make_packet(theirs, ours);
	send_sealed_part(0);
	ingress_drain(ingress, udp.v4, now);
	assert_int_equal(counters.value[COUNT_OPENED], 1);
	assert_int_equal(counters.value[DROP_INNER], 0);
	assert_int_equal(answer->due, 0);
	send_sealed();
	ingress_drain(ingress, udp.v4, now);
	assert_int_equal(answer->due, now + KEEPALIVE_TIMEOUT);
	close_ingress(ingress);
}

/* Skipped counters count as lost only after they have left the replay window. */
static void ingress_counts_what_is_lost(void **state)
{
	struct ingress *ingress = open_ingress();
	struct replay_counts counts;
	uint64_t counter;

	make_sessions();
	make_packet(theirs, ours);
	send_sealed();
	assert_int_equal(session_reserve(remote, 2, &counter), 2);
	send_sealed();
	ingress_drain(ingress, udp.v4, now);
	ingress_drain(ingress, udp.v4, now);
	quality_counts(&peer->quality, &peer->sessions, now + REPLAY_HOLD - 1, &counts);
	assert_int_equal(counts.accepted, 2);
	assert_int_equal(counts.lost, 0);
	quality_counts(&peer->quality, &peer->sessions, now + REPLAY_HOLD, &counts);
	assert_int_equal(counts.accepted, 2);
	assert_int_equal(counts.lost, 2);
	close_ingress(ingress);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(egress_seals_what_the_backend_reads),
		TEST(egress_counts_the_sizes_of_batches),
		TEST(each_cause_of_a_rejection_is_counted_and_the_reading_continues),
		TEST(a_path_that_refuses_groups_is_remembered_for_its_peer),
		TEST(egress_stages_without_a_session_and_sends_later),
		TEST(a_packet_too_long_for_a_datagram_is_dropped),
		TEST(a_packet_too_long_for_a_datagram_is_not_staged),
		TEST(a_segment_too_long_for_a_datagram_is_dropped),
		TEST(a_message_larger_than_the_area_is_dropped),
		TEST(ingress_writes_what_it_opens),
		TEST(a_keepalive_is_not_answered),
		TEST(ingress_counts_what_is_lost),
	};
	if (sodium_init() < 0)
		return 1;
	return cmocka_run_group_tests_name("data path", tests, NULL, NULL);
}
