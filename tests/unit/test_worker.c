/* SPDX-License-Identifier: MIT */
/* One worker against another (worker_rig.h): packets that pass, packets that are dropped, and peers that move. */
#include "worker_rig.h"

/* Seals `n` bytes of `inner` as the left end would, in a buffer with headroom and tailroom. */
static uint8_t *sealed(const uint8_t *inner, size_t n)
{
	static uint8_t memory[64 + 4096];
	uint64_t counter;

	assert_int_equal(session_reserve(left.peer->sessions.current, 1, &counter), 1);
	if (n)
		memcpy(memory + 64 + DATA_HEADER, inner, n);
	session_seal(left.peer->sessions.current, counter, memory + 64, n);
	return memory + 64;
}

static int unknown_socket(uint16_t *port)
{
	struct sockaddr_in at = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t size = sizeof at;
	int fd = socket(AF_INET, SOCK_DGRAM, 0);

	assert_int_equal(bind(fd, (void *)&at, sizeof at), 0);
	assert_int_equal(getsockname(fd, (void *)&at, &size), 0);
	*port = at.sin_port;
	at.sin_port = htons(right.worker->udp.port);
	assert_int_equal(connect(fd, (void *)&at, sizeof at), 0);
	return fd;
}

/* Sends a datagram to the right end from an unknown port, and returns that port. */
static uint16_t send_from_unknown_port(const uint8_t *datagram, size_t n, int tos)
{
	uint16_t port;
	int fd = unknown_socket(&port);

	setsockopt(fd, IPPROTO_IP, IP_TOS, &tos, sizeof tos);
	assert_int_equal(send(fd, datagram, n, 0), n);
	spin(3);
	close(fd);
	return port;
}

/* Refuses super-packets as the kernel would. */
static bool refuse_merged;

int __real_tun_write(struct tun *tun, const struct iovec *iov, int count);
int __wrap_tun_write(struct tun *tun, const struct iovec *iov, int count);

int __wrap_tun_write(struct tun *tun, const struct iovec *iov, int count)
{
	struct virtio_header header;

	virtio_decode(&header, iov[0].iov_base);
	return refuse_merged && header.gso_type ? -EINVAL : __real_tun_write(tun, iov, count);
}

/* --- egress to ingress ----- */

static void a_super_packet_arrives_whole(void **state)
{
	connect_ends();
	route_in(&left, tcp_packet(&left, &right, 65000, 1380));
	expect_tcp(&right, 65000);
	assert_int_equal(count(&left, COUNT_SEALED), 48);
	assert_int_equal(count(&right, COUNT_OPENED), 48 + 1);
	assert_uint_in_range(count(&right, COUNT_TUN_WRITTEN), 1, 4);
}

static void thousands_of_tiny_segments_are_all_sent(void **state)
{
	connect_ends();
	route_in(&left, tcp_packet(&left, &right, 20000, 1));
	expect_tcp(&right, 20000);
	assert_int_equal(count(&left, COUNT_SEALED), 20000);
}

/* Ten segments arrive at the right end at time `now`. Returns how many writes to its TUN that took. */
static uint64_t writes_for_ten_segments(uint64_t now)
{
	uint64_t written = count(&right, COUNT_TUN_WRITTEN), opened = count(&right, COUNT_OPENED);

	ev_io_stop(loop, &right.worker->v4_read);
	route_in(&left, tcp_packet(&left, &right, 13800, 1380));
	while (count(&right, COUNT_OPENED) < opened + 10) {
		spin(1);
		ingress_drain(&right.worker->ingress, right.worker->udp.v4, now);
	}
	ev_io_start(loop, &right.worker->v4_read);
	expect_tcp(&right, 13800);
	return count(&right, COUNT_TUN_WRITTEN) - written;
}

static void merging_is_tried_again_after_a_refusal(void **state)
{
	struct ingress *ingress = &right.worker->ingress;
	uint64_t start, whole;

	refuse_merged = false;
	connect_ends();
	start = clock_boottime();
	whole = writes_for_ten_segments(start); /* one, or a few without UDP_GRO */
	assert_true(whole < 10);
	refuse_merged = true;
	assert_int_equal(writes_for_ten_segments(start), 10);
	refuse_merged = false;
	assert_int_equal(writes_for_ten_segments(start + 59 * NS_PER_S), 10);
	refuse_merged = true;
	assert_int_equal(writes_for_ten_segments(start + 61 * NS_PER_S), 10); /* refused again */
	assert_int_equal(ingress->tcp_retry.pause, 120 * NS_PER_S);
	assert_int_equal(ingress->tcp_retry.due, start + (61 + 120) * NS_PER_S);
	refuse_merged = false;
	ingress->tcp_retry.due = start + 100 * NS_PER_S; /* the session would be too old */
	assert_int_equal(writes_for_ten_segments(start + 99 * NS_PER_S), 10);
	assert_int_equal(writes_for_ten_segments(start + 100 * NS_PER_S), whole);
	assert_int_equal(count(&right, COUNT_MERGE_REFUSED), 2);
	assert_int_equal(ingress->tcp_retry.due, 0);
}

static void a_full_socket_loses_no_packet_and_repeats_none(void **state)
{
	connect_ends();
	refuse_sends = -1;
	route_in(&left, tcp_packet(&left, &right, 9000, 3));
	expect_tcp(&right, 9000);
	assert_int_equal(count(&left, COUNT_SEALED), 3000);
	assert_int_equal(count(&left, COUNT_SENT), 3000);
	assert_int_equal(count(&right, DROP_REPLAY), 0);
}

static void a_full_socket_stops_the_reading_of_the_tun(void **state)
{
	connect_ends();
	refuse_sends = 1000000;
	for (int i = 0; i < 20; i++)
		route_in(&left, tcp_packet(&left, &right, 65000, 1380));
	for (int i = 0; i < 20; i++)
		spin(1);
	assert_uint_in_range(count(&left, COUNT_TUN_READ), 1, 4);
	assert_true(left.worker->egress.blocked);
	refuse_sends = 0;
	spin(300);
	assert_int_equal(count(&left, COUNT_TUN_READ), 20);
	assert_int_equal(count(&left, COUNT_SENT), count(&left, COUNT_SEALED));
}

static void a_peer_may_be_removed_while_its_packet_waits(void **state)
{
	connect_ends();
	refuse_sends = 1000000;
	route_in(&left, tcp_packet(&left, &right, 60000, 10)); /* more than both halves hold */
	spin(3);
	assert_ptr_equal(left.worker->egress.peer, left.peer);
	remove_peer(left.peer);
	refuse_sends = 0;
	spin(10);
	assert_null(left.worker->egress.peer);
	assert_int_equal(batch_free_bytes(&left.worker->egress.batch), 2 * 128 * 1024);
	assert_true(end_add_peer(&left, &right));
	route_in(&left, udp_packet(&left, &right, 100, 1));
	spin(1); /* the handshake is not answered within one turn */
	assert_int_equal(left.peer->staged.segments, 1);
}

static void a_session_may_be_replaced_while_a_packet_waits(void **state)
{
	connect_ends();
	refuse_sends = 1000000;
	route_in(&left, tcp_packet(&left, &right, 60000, 10));
	spin(3);
	forget_keys(left.peer);
	refuse_sends = 0;
	spin(30);
	assert_null(left.worker->egress.peer);
	assert_int_equal(count(&left, DROP_STAGED), 1); /* the rest of the packet, not the part that was sent */
	assert_int_equal(left.peer->staged.segments, 0);
}

static void staged_packets_are_sent_after_the_handshake(void **state)
{
	route_in(&left, tcp_packet(&left, &right, 50000, 1380));
	expect_tcp(&right, 50000);
	assert_int_equal(count(&left, DROP_STAGED), 0);
	assert_int_equal(left.peer->staged.segments, 0);
}

static void the_responder_sends_staged_packets_once_the_key_is_confirmed(void **state)
{
	refuse_sends = 1000000; /* the initiation of the right end is lost */
	route_in(&right, udp_packet(&right, &left, 200, 5));
	spin(3);
	refuse_sends = 0;
	assert_int_equal(right.peer->staged.segments, 1);
	handshake_initiate(left.peer, clock_boottime(), false);
	spin(20);
	assert_int_equal(right.peer->staged.segments, 0);
	assert_int_equal(read(left.kernel, received, sizeof received), VIRTIO_HEADER + 200);
}

static void padding_goes_to_16_but_never_past_the_mtu(void **state)
{
	static const struct {
		uint32_t mtu;
		uint16_t length, padded;
	} cases[] = {
		{ 1420, 28, 32 },     { 1420, 32, 32 },     { 1420, 1408, 1408 }, { 1420, 1409, 1420 },
		{ 1420, 1420, 1420 }, { 1420, 1421, 1436 }, { 1420, 2840, 2840 }, { 1420, 2841, 2856 },
		{ 0, 1420, 1424 },    { 0, 28, 32 },        { 40, 28, 32 },       { 30, 29, 30 },
	};

	connect_ends();
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		uint64_t before = right.peer->rx_bytes;
		left.device.mtu = cases[i].mtu;
		route_in(&left, udp_packet(&left, &right, cases[i].length, 3));
		spin(5);
		assert_int_equal(right.peer->rx_bytes - before, cases[i].padded + DATA_OVERHEAD);
		assert_int_equal(read(right.kernel, received, sizeof received), VIRTIO_HEADER + cases[i].length);
	}
}

static void full_segments_are_not_padded_and_the_last_not_beyond_them(void **state)
{
	connect_ends();
	uint64_t before = right.peer->rx_bytes;
	route_in(&left, tcp_packet(&left, &right, 3 * 1001, 1001));
	spin(5);
	assert_int_equal(right.peer->rx_bytes - before, 3 * (1041 + DATA_OVERHEAD));
	before = right.peer->rx_bytes;
	route_in(&left, tcp_packet(&left, &right, 995 + 994, 995));
	spin(5);
	assert_int_equal(right.peer->rx_bytes - before, 2 * (1035 + DATA_OVERHEAD));
	before = right.peer->rx_bytes;
	route_in(&left, tcp_packet(&left, &right, 1001 + 9, 1001));
	spin(5);
	assert_int_equal(right.peer->rx_bytes - before, 1041 + 64 + 2 * DATA_OVERHEAD);
}

static void each_rejection_has_a_counter(void **state)
{
	connect_ends();
	packet[VIRTIO_HEADER] = 0;
	memset(packet, 0, VIRTIO_HEADER + 40);
	route_in(&left, VIRTIO_HEADER + 40);
	route_in(&left, 5); /* shorter than the virtio header */
	udp_packet(&left, &left, 100, 1);
	route_in(&left, VIRTIO_HEADER + 100); /* an address that no peer has */
	spin(3);
	assert_int_equal(read(left.kernel, received, sizeof received), VIRTIO_HEADER + 128); /* host unreachable */
	assert_int_equal(count(&left, COUNT_UNREACHABLE), 1);
	assert_int_equal(count(&left, DROP_REFUSED + SEGMENT_NOT_IP), 1);
	assert_int_equal(count(&left, DROP_TUN_READ), 1);
	assert_int_equal(count(&left, DROP_NO_PEER), 1);
	left.peer->endpoint = (struct endpoint) { 0 };
	route_in(&left, udp_packet(&left, &right, 100, 1));
	spin(3);
	assert_int_equal(count(&left, DROP_NO_ENDPOINT), 1);
	assert_int_equal(count(&left, COUNT_SEALED), 0);
}

static void our_own_datagrams_routed_back_are_dropped(void **state)
{
	const uint8_t loopback[4] = { 127, 0, 0, 1 };
	uint8_t *ip = packet + VIRTIO_HEADER;
	size_t n;

	connect_ends();
	assert_int_equal(allowedips_insert(&left.device.allowed_ips, AF_INET, loopback, 8, &left.peer->allowed_ips), 0);
	n = udp_packet(&left, &right, 200, 1);
	memcpy(ip + 16, loopback, 4);
	put_be16(ip + 20, left.device.listen_port);
	put_be16(ip + 22, right.device.listen_port);
	route_in(&left, n);
	spin(3);
	assert_int_equal(count(&left, DROP_LOOP), 1);
	put_be16(ip + 20, (uint16_t)(left.device.listen_port + 1)); /* another program that sends to the peer's endpoint */
	route_in(&left, n);
	put_be16(ip + 20, left.device.listen_port);
	put_be16(ip + 6, 100); /* a later fragment */
	route_in(&left, n);
	spin(3);
	assert_int_equal(count(&left, DROP_LOOP), 1);
	assert_int_equal(count(&left, COUNT_SEALED), 2);
}

/* Lets the left end send from an address that the host does not have. */
static void send_from_gone_address(void)
{
	left.peer->endpoint.local.v4 = (struct in_pktinfo) { .ipi_spec_dst.s_addr = htonl(0xcb007109) };
	left.peer->last_from = left.peer->endpoint;
}

static void expect_no_local(unsigned lost)
{
	assert_int_equal(count(&left, COUNT_LOCAL_LOST), lost);
	assert_int_equal(count(&left, DROP_SEND), 0);
	assert_false(endpoint_local_known(&left.peer->endpoint));
	assert_false(endpoint_local_known(&left.peer->last_from));
}

static void a_local_address_that_is_gone_is_forgotten(void **state)
{
	uint64_t before;

	connect_ends();
	before = count(&right, COUNT_OPENED);
	send_from_gone_address();
	handshake_keepalive(left.peer, clock_boottime());
	spin(3);
	assert_int_equal(count(&right, COUNT_OPENED), before + 1);
	expect_no_local(1);
	send_from_gone_address();
	route_in(&left, udp_packet(&left, &right, 100, 1));
	spin(3);
	assert_int_equal(count(&right, COUNT_OPENED), before + 2);
	expect_no_local(2);
}

static void icmp_errors_are_rate_limited(void **state)
{
	connect_ends();
	for (int i = 0; i < 200; i++)
		route_in(&left, udp_packet(&left, &left, 100, 1));
	spin(10);
	assert_int_equal(count(&left, DROP_NO_PEER), 200);
	assert_uint_in_range(count(&left, COUNT_UNREACHABLE), 40, 60);
}

static void single_packets_of_a_drain_are_sent_as_one_run(void **state)
{
	connect_ends();
	uint64_t before = count(&right, COUNT_RECEIVED);
	for (int i = 0; i < 40; i++)
		route_in(&left, udp_packet(&left, &right, 92, 1));
	assert_int_equal(egress_drain(&left.worker->egress, clock_boottime()), 0);
	refuse_sends = 0;
	spin(5);
	assert_int_equal(count(&right, COUNT_RECEIVED) - before, 40);
	assert_int_equal(count(&left, COUNT_SENT), 40);
}

/* --- ingress ----- */

static uint16_t endpoint_port(const struct end *end)
{
	return end->peer->endpoint.to.v4.sin_port;
}

static void an_authentic_packet_moves_the_endpoint_and_a_replay_does_not(void **state)
{
	uint8_t copy[256];
	size_t n;
	uint16_t port;

	connect_ends();
	n = udp_packet(&left, &right, 96, 1) - VIRTIO_HEADER;
	memcpy(copy, sealed(packet + VIRTIO_HEADER, n), n + DATA_OVERHEAD);
	port = send_from_unknown_port(copy, n + DATA_OVERHEAD, 0);
	assert_int_equal(endpoint_port(&right), port);
	assert_int_not_equal(send_from_unknown_port(copy, n + DATA_OVERHEAD, 0), endpoint_port(&right));
	assert_int_equal(count(&right, DROP_REPLAY), 1);
	copy[8]++; /* another counter than the one it was sealed under */
	send_from_unknown_port(copy, n + DATA_OVERHEAD, 0);
	assert_int_equal(count(&right, DROP_FORGED), 1);
	assert_int_equal(endpoint_port(&right), port);
}

static in_addr_t local_of(const struct end *end)
{
	return ntohl(end->peer->endpoint.local.v4.ipi_spec_dst.s_addr);
}

/* Data alone decides: there is no handshake in between. */
static void answers_come_from_the_address_that_was_spoken_to(void **state)
{
	connect_ends();
	route_in(&left, udp_packet(&left, &right, 100, 1));
	spin(3);
	assert_int_equal(local_of(&right), INADDR_LOOPBACK);
	left.peer->endpoint.to.v4.sin_addr.s_addr = htonl(INADDR_LOOPBACK + 1);
	route_in(&left, udp_packet(&left, &right, 100, 1));
	spin(3);
	assert_int_equal(local_of(&right), INADDR_LOOPBACK + 1);
	route_in(&right, udp_packet(&right, &left, 100, 1));
	spin(3);
	assert_int_equal(read(left.kernel, received, sizeof received), VIRTIO_HEADER + 100);
	assert_int_equal(ntohl(left.peer->endpoint.to.v4.sin_addr.s_addr), INADDR_LOOPBACK + 1);
	assert_int_equal(count(&left, COUNT_HANDSHAKE_DONE), 1);
}

static void a_foreign_inner_source_is_dropped_but_the_endpoint_moves(void **state)
{
	uint16_t port;
	size_t n;

	connect_ends();
	n = udp_packet(&right, &left, 96, 1) - VIRTIO_HEADER; /* with the right end's own address as source */
	port = send_from_unknown_port(sealed(packet + VIRTIO_HEADER, n), n + DATA_OVERHEAD, 0);
	assert_int_equal(count(&right, DROP_INNER_SOURCE), 1);
	assert_int_equal(endpoint_port(&right), port);
	assert_int_equal(read(right.kernel, received, sizeof received), -1);
}

static void an_invalid_inner_packet_is_dropped_but_moves_the_timers(void **state)
{
	uint8_t inner[64] = { 0x45 };

	connect_ends();
	put_be16(inner + 2, 65); /* longer than the packet */
	send_from_unknown_port(sealed(inner, 64), 64 + DATA_OVERHEAD, 0);
	put_be16(inner + 2, 19); /* shorter than its header */
	send_from_unknown_port(sealed(inner, 64), 64 + DATA_OVERHEAD, 0);
	inner[0] = 0x60;
	put_be16(inner + 4, 65535 - 39); /* + 40 must not wrap */
	send_from_unknown_port(sealed(inner, 64), 64 + DATA_OVERHEAD, 0);
	inner[0] = 0x10;
	send_from_unknown_port(sealed(inner, 64), 64 + DATA_OVERHEAD, 0);
	inner[0] = 0x45;
	send_from_unknown_port(sealed(inner, 1), 1 + DATA_OVERHEAD, 0);
	assert_int_equal(count(&right, DROP_INNER), 5);
	assert_true(right.peer->timers.timer[TIMER_SEND_KEEPALIVE].due);
}

static void padding_is_trimmed(void **state)
{
	size_t n;

	connect_ends();
	n = udp_packet(&left, &right, 90, 1) - VIRTIO_HEADER;
	send_from_unknown_port(sealed(packet + VIRTIO_HEADER, n + 100), n + 100 + DATA_OVERHEAD, 0);
	assert_int_equal(read(right.kernel, received, sizeof received), VIRTIO_HEADER + 90);
}

static void congestion_marks_are_combined_by_rfc_6040(void **state)
{
	/* inner, outer, result: CE over Not-ECT is delivered unmarked */
	static const uint8_t cases[][3] = { { 0, 3, 0 }, { 2, 3, 3 }, { 1, 3, 3 }, { 3, 0, 3 }, { 2, 1, 1 },
										{ 2, 0, 2 }, { 1, 2, 1 }, { 2, 2, 2 }, { 0, 1, 0 } };

	connect_ends();
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		size_t n = udp_packet(&left, &right, 96, 1) - VIRTIO_HEADER;
		ip_set_ecn(packet + VIRTIO_HEADER, cases[i][0]);
		send_from_unknown_port(sealed(packet + VIRTIO_HEADER, n), n + DATA_OVERHEAD, cases[i][1]);
		assert_int_equal(read(right.kernel, received, sizeof received), VIRTIO_HEADER + 96);
		assert_int_equal(ip_ecn(received + VIRTIO_HEADER), cases[i][2]);
		assert_int_equal(checksum_fold(checksum_add(0, received + VIRTIO_HEADER, IPV4_HEADER)), 0xffff);
	}
}

static void short_and_unknown_messages_are_counted(void **state)
{
	uint8_t data[64] = { MESSAGE_DATA };

	connect_ends();
	send_from_unknown_port(data, 31, 0);
	send_from_unknown_port(data, 1, 0);
	assert_int_equal(count(&right, DROP_MALFORMED), 2);
	send_from_unknown_port(data, 64, 0);
	assert_int_equal(count(&right, DROP_INDEX), 1);
	data[0] = 5;
	send_from_unknown_port(data, 64, 0);
	assert_int_equal(count(&right, DROP_MALFORMED), 3);
	send_from_unknown_port(data, 0, 0);
	assert_int_equal(count(&right, DROP_FORGED), 0);
}

static void an_expired_session_opens_nothing(void **state)
{
	connect_ends();
	right.peer->sessions.current->created -= REJECT_AFTER_TIME;
	route_in(&left, udp_packet(&left, &right, 60, 1));
	spin(5);
	assert_int_equal(count(&right, DROP_EXPIRED), 1);
}

static void the_initiator_requests_one_late_rekey(void **state)
{
	connect_ends();
	left.peer->sessions.current->created -= 166 * NS_PER_S;
	left.peer->handshake_gate = 0;
	usleep(GATE_US);
	route_in(&right, udp_packet(&right, &left, 60, 1));
	spin(20);
	assert_int_equal(count(&left, COUNT_HANDSHAKE_DONE), 2);
	route_in(&right, udp_packet(&right, &left, 60, 1));
	spin(20);
	assert_int_equal(count(&left, COUNT_HANDSHAKE_DONE), 2);
}

static void only_the_initiator_rekeys_when_it_sends_late(void **state)
{
	connect_ends();
	right.peer->sessions.current->created -= 121 * NS_PER_S;
	right.peer->handshake_gate = 0;
	route_in(&right, udp_packet(&right, &left, 60, 1));
	spin(20);
	assert_int_equal(count(&left, COUNT_HANDSHAKE_DONE), 1);
	left.peer->sessions.current->created -= 121 * NS_PER_S;
	left.peer->handshake_gate = 0;
	usleep(GATE_US);
	route_in(&left, udp_packet(&left, &right, 60, 1));
	spin(20);
	assert_int_equal(count(&left, COUNT_HANDSHAKE_DONE), 2);
}

static void receive_answer(void)
{
	uint64_t now = clock_boottime();

	timers_any_received(&left.device.timers, &left.peer->timers, now);
	timers_data_received(&left.device.timers, &left.peer->timers, now);
}

static bool left_waits(enum timer_kind kind)
{
	return left.peer->timers.timer[kind].due;
}

/* Another worker may receive the answer before the system call returns, on a busy machine. */
static void an_answer_during_the_system_call_counts(void **state)
{
	connect_ends();
	route_in(&left, udp_packet(&left, &right, 60, 1));
	spin(3);
	assert_true(left_waits(TIMER_NEW_HANDSHAKE));
	after_send = receive_answer;
	route_in(&left, udp_packet(&left, &right, 60, 1));
	spin(3);
	assert_false(left_waits(TIMER_NEW_HANDSHAKE));
	assert_true(left_waits(TIMER_SEND_KEEPALIVE));
	/* The same for a keepalive. */
	handshake_keepalive(left.peer, clock_boottime());
	assert_false(left_waits(TIMER_NEW_HANDSHAKE));
	assert_true(left_waits(TIMER_SEND_KEEPALIVE));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_super_packet_arrives_whole),
		TEST(thousands_of_tiny_segments_are_all_sent),
		TEST(merging_is_tried_again_after_a_refusal),
		TEST(a_full_socket_loses_no_packet_and_repeats_none),
		TEST(a_full_socket_stops_the_reading_of_the_tun),
		TEST(a_peer_may_be_removed_while_its_packet_waits),
		TEST(a_session_may_be_replaced_while_a_packet_waits),
		TEST(staged_packets_are_sent_after_the_handshake),
		TEST(the_responder_sends_staged_packets_once_the_key_is_confirmed),
		TEST(padding_goes_to_16_but_never_past_the_mtu),
		TEST(full_segments_are_not_padded_and_the_last_not_beyond_them),
		TEST(each_rejection_has_a_counter),
		TEST(our_own_datagrams_routed_back_are_dropped),
		TEST(a_local_address_that_is_gone_is_forgotten),
		TEST(icmp_errors_are_rate_limited),
		TEST(single_packets_of_a_drain_are_sent_as_one_run),
		TEST(an_authentic_packet_moves_the_endpoint_and_a_replay_does_not),
		TEST(answers_come_from_the_address_that_was_spoken_to),
		TEST(a_foreign_inner_source_is_dropped_but_the_endpoint_moves),
		TEST(an_invalid_inner_packet_is_dropped_but_moves_the_timers),
		TEST(padding_is_trimmed),
		TEST(congestion_marks_are_combined_by_rfc_6040),
		TEST(short_and_unknown_messages_are_counted),
		TEST(an_expired_session_opens_nothing),
		TEST(the_initiator_requests_one_late_rekey),
		TEST(only_the_initiator_rekeys_when_it_sends_late),
		TEST(an_answer_during_the_system_call_counts),
	};
	int failed;

	if (sodium_init() < 0)
		return 1;
	backend = BACKEND_SYSCALLS;
	failed = cmocka_run_group_tests_name("worker", tests, NULL, NULL);
	backend = BACKEND_IO_URING;
	return failed + cmocka_run_group_tests_name("worker by io_uring", tests, NULL, NULL);
}
