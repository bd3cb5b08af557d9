/*
 * Two workers, left and right, joined by UDP on the loopback. Their TUNs are ends of sequenced-packet sockets, so the
 * test plays the kernel: what it writes to `kernel` was routed into the tunnel, what it reads there came out of it.
 *
 *   left.kernel = left.worker = 127.0.0.1 = right.worker = right.kernel
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
#include <ev.h>
#include <fcntl.h>
#include <sodium.h>
#include <sys/socket.h>
#include <unistd.h>

#include "bytes.h"
#include "checksum.h"
#include "clock.h"
#include "egress.h"
#include "handshake.h"
#include "ingress.h"
#include "ip.h"
#include "worker.h"

enum {
	MTU = 1420,
	ROOM = 4 << 20,
	GATE_US = 40000, /* after which a responder takes another initiation, with a newer time stamp */
};

struct end {
	struct device device;
	struct worker worker;
	struct peer *peer;
	int kernel;
	uint8_t inner[4]; /* its address inside */
};

static struct end left, right;
static struct ev_loop *loop;
static enum backend_kind backend; /* of both */
static int
	refuse_sends; /* how many calls of sendmmsg find the socket full from now on; every other one, when negative */

static int sends, runs_sent; /* calls of sendmmsg, and their messages */

int __real_sendmmsg(int fd, struct mmsghdr *messages, unsigned count, int flags);
int __wrap_sendmmsg(int fd, struct mmsghdr *messages, unsigned count, int flags);

int __wrap_sendmmsg(int fd, struct mmsghdr *messages, unsigned count, int flags)
{
	static int calls;

	sends++;
	runs_sent = (sends > 1 ? runs_sent : 0) + (int)count;
	if (refuse_sends > 0 || (refuse_sends < 0 && ++calls % 2)) {
		refuse_sends -= refuse_sends > 0;
		errno = EAGAIN;
		return -1;
	}
	if (refuse_sends < 0 && count > 1)
		count = 1 + count / 3; /* partial, too */
	return __real_sendmmsg(fd, messages, count, flags);
}

/* --- the lab -------------------------------------------------------------------------------------------------------
 */

static void gone(void *context)
{
	fail_msg("a TUN went away");
}

static void end_start(struct end *end, const char *name, uint8_t host)
{
	struct tun tun = { .virtio = true, .read_tso = true, .read_uso = true, .write_tso = true, .write_uso = true };
	uint8_t key[NOISE_KEY];
	int pair[2], room = ROOM;

	memset(end, 0, sizeof *end);
	assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK, 0, pair), 0);
	for (int i = 0; i < 2; i++)
		setsockopt(pair[i], SOL_SOCKET, SO_SNDBUFFORCE, &room, sizeof room);
	tun.fd = pair[0];
	end->kernel = pair[1];
	assert_int_equal(device_init(&end->device, name, &aead_libsodium, loop), 0);
	assert_int_equal(worker_start(&end->worker, &end->device, loop, &tun, backend, gone, NULL), 0);
	assert_int_equal(device_set_up(&end->device, true, clock_boottime()), 0);
	end->device.mtu = MTU;
	randombytes_buf(key, sizeof key);
	device_set_private_key(&end->device, key);
	memcpy(end->inner, (uint8_t[]) { 10, 0, 0, host }, 4);
}

static void acquaint(struct end *end, const struct end *other)
{
	end->peer = device_add_peer(&end->device, other->device.local.public_key);
	assert_non_null(end->peer);
	end->peer->endpoint.to.v4 = (struct sockaddr_in) { .sin_family = AF_INET,
													   .sin_port = htons(other->worker.udp.port),
													   .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	assert_int_equal(allowedips_insert(&end->device.allowed_ips, AF_INET, other->inner, 32, end->peer), 0);
}

static int set_up(void **state)
{
	refuse_sends = 0;
	loop = ev_loop_new(0);
	end_start(&left, "left", 1);
	end_start(&right, "right", 2);
	acquaint(&left, &right);
	acquaint(&right, &left);
	return 0;
}

static void end_stop(struct end *end)
{
	worker_stop(&end->worker);
	device_destroy(&end->device, loop);
	close(end->kernel);
}

static int tear_down(void **state)
{
	end_stop(&left);
	end_stop(&right);
	ev_loop_destroy(loop);
	return 0;
}

static void spin(int turns)
{
	while (turns--)
		ev_run(loop, EVRUN_NOWAIT);
}

static uint64_t count(const struct end *end, unsigned counter)
{
	return end->device.counters.value[counter];
}

static void connect_ends(void)
{
	handshake_initiate(left.peer, clock_boottime(), false);
	spin(20);
	assert_non_null(left.peer->sessions.current);
	assert_non_null(right.peer->sessions.current);
}

/* --- packets ---------------------------------------------------------------------------------------------------------
 */

static uint8_t packet[VIRTIO_HEADER + 65535], received[VIRTIO_HEADER + 65535];

static void ipv4(uint8_t *ip, const struct end *from, const struct end *to, uint8_t protocol, size_t length)
{
	memset(ip, 0, IPV4_HEADER);
	ip[0] = 0x45;
	put_be16(ip + 2, (uint16_t)length);
	ip[6] = 0x40; /* DF */
	ip[8] = 64;
	ip[9] = protocol;
	memcpy(ip + 12, from->inner, 4);
	memcpy(ip + 16, to->inner, 4);
	put_raw16(ip + 10, (uint16_t)~checksum_fold(checksum_add(0, ip, IPV4_HEADER)));
}

/* A UDP packet of `length` bytes in all, its checksum not used. Returns what to write to the kernel's side. */
static size_t udp_packet(const struct end *from, const struct end *to, size_t length, uint8_t fill)
{
	uint8_t *ip = packet + VIRTIO_HEADER;

	memset(packet, 0, VIRTIO_HEADER);
	ipv4(ip, from, to, IPPROTO_UDP, length);
	memset(ip + IPV4_HEADER, fill, length - IPV4_HEADER);
	put_be16(ip + 24, (uint16_t)(length - IPV4_HEADER));
	put_be16(ip + 26, 0);
	return VIRTIO_HEADER + length;
}

/* A TCP super-packet with `payload` bytes, byte i of them i * 7 + i / 256, cut at `size`. */
static size_t tcp_packet(const struct end *from, const struct end *to, size_t payload, uint16_t size)
{
	struct virtio_header header = { VIRTIO_NEEDS_CSUM, VIRTIO_GSO_TCPV4, 40, size, IPV4_HEADER, 16 };
	uint8_t *ip = packet + VIRTIO_HEADER, *tcp = ip + IPV4_HEADER;

	virtio_encode(packet, &header);
	ipv4(ip, from, to, IPPROTO_TCP, 40 + payload);
	memset(tcp, 0, TCP_HEADER);
	put_be16(tcp, 1000);
	put_be16(tcp + 2, 2000);
	put_be32(tcp + 4, 1);
	tcp[12] = 0x50;
	tcp[13] = 0x10;
	put_be16(tcp + 14, 512);
	put_raw16(tcp + 16, checksum_fold(checksum_pseudo(ip, IPPROTO_TCP, TCP_HEADER + payload)));
	for (size_t i = 0; i < payload; i++)
		tcp[TCP_HEADER + i] = (uint8_t)(i * 7 + i / 256);
	return VIRTIO_HEADER + 40 + payload;
}

static void route_in(const struct end *end, size_t n)
{
	assert_int_equal(write(end->kernel, packet, n), n);
}

/* Reads TCP payloads that come out until `payload` bytes have come, each exactly once and in order. */
static void expect_tcp(const struct end *end, size_t payload)
{
	size_t at = 0;

	for (int idle = 0; at < payload; idle++) {
		ssize_t n = read(end->kernel, received, sizeof received);
		const uint8_t *tcp = received + VIRTIO_HEADER + IPV4_HEADER;
		assert_true(idle < 20000);
		if (n < 0) {
			spin(1);
			continue;
		}
		idle = 0;
		assert_true(n > VIRTIO_HEADER + 40);
		assert_int_equal(get_be32(tcp + 4), 1 + at);
		for (size_t i = 0; i < (size_t)n - VIRTIO_HEADER - 40; i++, at++)
			if (tcp[TCP_HEADER + i] != (uint8_t)(at * 7 + at / 256))
				fail_msg("byte %zu is wrong", at);
	}
	spin(3);
	assert_int_equal(read(end->kernel, received, sizeof received), -1);
	assert_int_equal(at, payload);
}

/* Seals `n` bytes of `inner` as the left end would, in a buffer that is readable around it. */
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

static int stranger(uint16_t *port)
{
	struct sockaddr_in at = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t size = sizeof at;
	int fd = socket(AF_INET, SOCK_DGRAM, 0);

	assert_int_equal(bind(fd, (void *)&at, sizeof at), 0);
	assert_int_equal(getsockname(fd, (void *)&at, &size), 0);
	*port = at.sin_port;
	at.sin_port = htons(right.worker.udp.port);
	assert_int_equal(connect(fd, (void *)&at, sizeof at), 0);
	return fd;
}

/* Sends a datagram to the right end from a port that nobody knows; returns that port. */
static uint16_t send_strangely(const uint8_t *datagram, size_t n, int tos)
{
	uint16_t port;
	int fd = stranger(&port);

	setsockopt(fd, IPPROTO_IP, IP_TOS, &tos, sizeof tos);
	assert_int_equal(send(fd, datagram, n, 0), n);
	spin(3);
	close(fd);
	return port;
}

/* --- limits
 * ------------------------------------------------------------------------------------------------------------ */

static void a_drain_reads_64_packets_at_most(void **state)
{
	connect_ends();
	for (int i = 0; i < 70; i++)
		route_in(&left, udp_packet(&left, &right, 60, 1));
	assert_int_equal(egress_drain(&left.worker), 0);
	assert_int_equal(count(&left, COUNT_TUN_READ), 64);
	assert_int_equal(egress_drain(&left.worker), 0);
	assert_int_equal(count(&left, COUNT_TUN_READ), 70);
	assert_int_equal(EGRESS_READS, 64);
}

static void a_drain_ends_with_less_than_72_kib_free(void **state)
{
	connect_ends();
	for (int i = 0; i < 6; i++)
		route_in(&left, tcp_packet(&left, &right, 65000, 1380));
	refuse_sends = 1000000; /* or full runs would be sent, to make room for more */
	assert_int_equal(egress_drain(&left.worker), 0);
	assert_int_equal(count(&left, COUNT_TUN_READ), 3); /* 3 x 68 KiB of 256 KiB: a fourth would leave too little */
	assert_int_equal(BATCH_HALVES * BATCH_HALF, 2 * 128 * 1024);
	assert_int_equal(EGRESS_RESERVE, 72 * 1024);
	refuse_sends = 0;
	egress_resume(&left.worker);
	assert_int_equal(left.worker.egress.batch.runs, 0);
}

/* What leaves in the middle of a drain are full runs; one that more could join waits for the end of it. */
static void full_runs_make_room_in_a_drain(void **state)
{
	uint64_t sent;

	connect_ends();
	sent = count(&left, COUNT_SENT);
	for (int i = 0; i < 20; i++)
		route_in(&left, tcp_packet(&left, &right, 47 * 1380, 1380));
	sends = 0;
	assert_int_equal(egress_drain(&left.worker), 0);
	assert_int_equal(sends, EGRESS_SENDS + 1);
	assert_in_range(count(&left, COUNT_TUN_READ), 7, 12);
	assert_int_equal(count(&left, COUNT_SENT) - sent, 47 * count(&left, COUNT_TUN_READ));
	assert_int_equal(runs_sent, (count(&left, COUNT_SENT) - sent + 44) / 45);
}

/* --- egress to ingress
 * ------------------------------------------------------------------------------------------------- */

static void a_super_packet_arrives_whole(void **state)
{
	connect_ends();
	route_in(&left, tcp_packet(&left, &right, 65000, 1380));
	expect_tcp(&right, 65000);
	assert_int_equal(count(&left, COUNT_SEALED), 48);
	assert_int_equal(count(&right, COUNT_OPENED), 48 + 1);
	assert_in_range(count(&right, COUNT_TUN_WRITTEN), 1, 4);
}

static void thousands_of_tiny_segments_are_all_sent(void **state)
{
	connect_ends();
	route_in(&left, tcp_packet(&left, &right, 20000, 1));
	expect_tcp(&right, 20000);
	assert_int_equal(count(&left, COUNT_SEALED), 20000);
}

static void a_full_socket_loses_nothing_and_doubles_nothing(void **state)
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
	assert_in_range(count(&left, COUNT_TUN_READ), 1, 4);
	assert_true(left.worker.egress.blocked);
	refuse_sends = 0;
	spin(300);
	assert_int_equal(count(&left, COUNT_TUN_READ), 20);
	assert_int_equal(count(&left, COUNT_SENT), count(&left, COUNT_SEALED));
}

static void a_peer_may_go_while_its_cut_waits(void **state)
{
	connect_ends();
	refuse_sends = 1000000;
	route_in(&left, tcp_packet(&left, &right, 60000, 10)); /* more than both halves hold */
	spin(3);
	assert_ptr_equal(left.worker.egress.peer, left.peer);
	device_remove_peer(&left.device, left.peer);
	refuse_sends = 0;
	spin(10);
	assert_null(left.worker.egress.peer);
	assert_int_equal(batch_free(&left.worker.egress.batch), 2 * 128 * 1024);
	acquaint(&left, &right);
	route_in(&left, udp_packet(&left, &right, 100, 1));
	spin(5);
	assert_int_equal(left.peer->staged.segments, 1);
}

static void a_session_may_change_while_a_cut_waits(void **state)
{
	connect_ends();
	refuse_sends = 1000000;
	route_in(&left, tcp_packet(&left, &right, 60000, 10));
	spin(3);
	peer_forget_keys(left.peer);
	refuse_sends = 0;
	spin(30);
	assert_null(left.worker.egress.peer);
	assert_int_equal(count(&left, DROP_STAGED), 1); /* the rest of it, not the half that went */
	assert_int_equal(left.peer->staged.segments, 0);
}

static void what_waited_for_the_handshake_is_sent_after_it(void **state)
{
	route_in(&left, tcp_packet(&left, &right, 50000, 1380));
	expect_tcp(&right, 50000);
	assert_int_equal(count(&left, DROP_STAGED), 0);
	assert_int_equal(left.peer->staged.segments, 0);
}

static void the_responder_sends_what_waited_once_the_key_is_confirmed(void **state)
{
	refuse_sends = 1000000; /* its own initiation is lost */
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

static void refusals_have_their_counters(void **state)
{
	connect_ends();
	packet[VIRTIO_HEADER] = 0;
	memset(packet, 0, VIRTIO_HEADER + 40);
	route_in(&left, VIRTIO_HEADER + 40);
	route_in(&left, 5); /* not even a header */
	udp_packet(&left, &left, 100, 1);
	route_in(&left, VIRTIO_HEADER + 100); /* nobody has that address */
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
	assert_int_equal(allowedips_insert(&left.device.allowed_ips, AF_INET, loopback, 8, left.peer), 0);
	n = udp_packet(&left, &right, 200, 1);
	memcpy(ip + 16, loopback, 4);
	put_be16(ip + 20, left.device.listen_port);
	put_be16(ip + 22, right.device.listen_port);
	route_in(&left, n);
	spin(3);
	assert_int_equal(count(&left, DROP_LOOP), 1);
	put_be16(ip + 20, (uint16_t)(left.device.listen_port + 1)); /* somebody else who speaks to that place */
	route_in(&left, n);
	put_be16(ip + 20, left.device.listen_port);
	put_be16(ip + 6, 100); /* a later fragment */
	route_in(&left, n);
	spin(3);
	assert_int_equal(count(&left, DROP_LOOP), 1);
	assert_int_equal(count(&left, COUNT_SEALED), 2);
}

static void unreachable_is_said_in_bounds(void **state)
{
	connect_ends();
	for (int i = 0; i < 200; i++)
		route_in(&left, udp_packet(&left, &left, 100, 1));
	spin(10);
	assert_int_equal(count(&left, DROP_NO_PEER), 200);
	assert_in_range(count(&left, COUNT_UNREACHABLE), 40, 60);
}

static void lone_packets_of_a_drain_leave_as_one_run(void **state)
{
	connect_ends();
	uint64_t before = count(&right, COUNT_RECEIVED);
	for (int i = 0; i < 40; i++)
		route_in(&left, udp_packet(&left, &right, 92, 1));
	assert_int_equal(egress_drain(&left.worker), 0);
	refuse_sends = 0;
	spin(5);
	assert_int_equal(count(&right, COUNT_RECEIVED) - before, 40);
	assert_int_equal(count(&left, COUNT_SENT), 40);
}

/* --- ingress ---------------------------------------------------------------------------------------------------------
 */

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
	port = send_strangely(copy, n + DATA_OVERHEAD, 0);
	assert_int_equal(endpoint_port(&right), port);
	assert_int_not_equal(send_strangely(copy, n + DATA_OVERHEAD, 0), endpoint_port(&right));
	assert_int_equal(count(&right, DROP_REPLAY), 1);
	copy[8]++; /* another counter: not what was sealed */
	send_strangely(copy, n + DATA_OVERHEAD, 0);
	assert_int_equal(count(&right, DROP_FORGED), 1);
	assert_int_equal(endpoint_port(&right), port);
}

static void a_source_of_somebody_else_is_dropped_but_the_endpoint_moves(void **state)
{
	uint16_t port;
	size_t n;

	connect_ends();
	n = udp_packet(&right, &left, 96, 1) - VIRTIO_HEADER; /* claims to come from the right end itself */
	port = send_strangely(sealed(packet + VIRTIO_HEADER, n), n + DATA_OVERHEAD, 0);
	assert_int_equal(count(&right, DROP_SOURCE), 1);
	assert_int_equal(endpoint_port(&right), port);
	assert_int_equal(read(right.kernel, received, sizeof received), -1);
}

static void what_is_no_ip_packet_is_dropped_after_the_timers_were_stamped(void **state)
{
	uint8_t inner[64] = { 0x45 };

	connect_ends();
	put_be16(inner + 2, 65); /* longer than the packet */
	send_strangely(sealed(inner, 64), 64 + DATA_OVERHEAD, 0);
	put_be16(inner + 2, 19); /* shorter than its header */
	send_strangely(sealed(inner, 64), 64 + DATA_OVERHEAD, 0);
	inner[0] = 0x60;
	put_be16(inner + 4, 65535 - 39); /* + 40 must not wrap */
	send_strangely(sealed(inner, 64), 64 + DATA_OVERHEAD, 0);
	inner[0] = 0x10;
	send_strangely(sealed(inner, 64), 64 + DATA_OVERHEAD, 0);
	inner[0] = 0x45;
	send_strangely(sealed(inner, 1), 1 + DATA_OVERHEAD, 0);
	assert_int_equal(count(&right, DROP_INNER), 5);
	assert_true(right.peer->timers.timer[TIMER_SEND_KEEPALIVE].due);
}

static void padding_is_trimmed(void **state)
{
	size_t n;

	connect_ends();
	n = udp_packet(&left, &right, 90, 1) - VIRTIO_HEADER;
	send_strangely(sealed(packet + VIRTIO_HEADER, n + 100), n + 100 + DATA_OVERHEAD, 0);
	assert_int_equal(read(right.kernel, received, sizeof received), VIRTIO_HEADER + 90);
}

static void congestion_marks_come_in_by_rfc_6040(void **state)
{
	/* inner, outer, result: CE over Not-ECT is delivered unmarked */
	static const uint8_t cases[][3] = { { 0, 3, 0 }, { 2, 3, 3 }, { 1, 3, 3 }, { 3, 0, 3 }, { 2, 1, 1 },
										{ 2, 0, 2 }, { 1, 2, 1 }, { 2, 2, 2 }, { 0, 1, 0 } };

	connect_ends();
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		size_t n = udp_packet(&left, &right, 96, 1) - VIRTIO_HEADER;
		ip_set_ecn(packet + VIRTIO_HEADER, cases[i][0]);
		send_strangely(sealed(packet + VIRTIO_HEADER, n), n + DATA_OVERHEAD, cases[i][1]);
		assert_int_equal(read(right.kernel, received, sizeof received), VIRTIO_HEADER + 96);
		assert_int_equal(ip_ecn(received + VIRTIO_HEADER), cases[i][2]);
		assert_int_equal(checksum_fold(checksum_add(0, received + VIRTIO_HEADER, IPV4_HEADER)), 0xffff);
	}
}

static void short_and_unknown_messages_are_counted(void **state)
{
	uint8_t data[64] = { MESSAGE_DATA };

	connect_ends();
	send_strangely(data, 31, 0);
	send_strangely(data, 1, 0);
	assert_int_equal(count(&right, DROP_MALFORMED), 2);
	send_strangely(data, 64, 0);
	assert_int_equal(count(&right, DROP_INDEX), 1);
	data[0] = 5;
	send_strangely(data, 64, 0);
	assert_int_equal(count(&right, DROP_MALFORMED), 3);
	send_strangely(data, 0, 0);
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

static void the_initiator_asks_once_for_a_late_rekey(void **state)
{
	connect_ends();
	left.peer->sessions.current->created -= 166 * NS_PER_S;
	left.peer->handshake_sent -= 166 * NS_PER_S;
	usleep(GATE_US);
	route_in(&right, udp_packet(&right, &left, 60, 1));
	spin(20);
	assert_int_equal(count(&left, COUNT_HANDSHAKE_DONE), 2);
	route_in(&right, udp_packet(&right, &left, 60, 1));
	spin(20);
	assert_int_equal(count(&left, COUNT_HANDSHAKE_DONE), 2);
}

static void sending_late_brings_a_rekey_by_the_initiator_alone(void **state)
{
	connect_ends();
	right.peer->sessions.current->created -= 121 * NS_PER_S;
	right.peer->handshake_sent -= 121 * NS_PER_S;
	route_in(&right, udp_packet(&right, &left, 60, 1));
	spin(20);
	assert_int_equal(count(&left, COUNT_HANDSHAKE_DONE), 1);
	left.peer->sessions.current->created -= 121 * NS_PER_S;
	left.peer->handshake_sent -= 121 * NS_PER_S;
	usleep(GATE_US);
	route_in(&left, udp_packet(&left, &right, 60, 1));
	spin(20);
	assert_int_equal(count(&left, COUNT_HANDSHAKE_DONE), 2);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_drain_reads_64_packets_at_most),
		TEST(full_runs_make_room_in_a_drain),
		TEST(a_drain_ends_with_less_than_72_kib_free),
		TEST(a_super_packet_arrives_whole),
		TEST(thousands_of_tiny_segments_are_all_sent),
		TEST(a_full_socket_loses_nothing_and_doubles_nothing),
		TEST(a_full_socket_stops_the_reading_of_the_tun),
		TEST(a_peer_may_go_while_its_cut_waits),
		TEST(a_session_may_change_while_a_cut_waits),
		TEST(what_waited_for_the_handshake_is_sent_after_it),
		TEST(the_responder_sends_what_waited_once_the_key_is_confirmed),
		TEST(padding_goes_to_16_but_never_past_the_mtu),
		TEST(full_segments_are_not_padded_and_the_last_not_beyond_them),
		TEST(refusals_have_their_counters),
		TEST(our_own_datagrams_routed_back_are_dropped),
		TEST(unreachable_is_said_in_bounds),
		TEST(lone_packets_of_a_drain_leave_as_one_run),
		TEST(an_authentic_packet_moves_the_endpoint_and_a_replay_does_not),
		TEST(a_source_of_somebody_else_is_dropped_but_the_endpoint_moves),
		TEST(what_is_no_ip_packet_is_dropped_after_the_timers_were_stamped),
		TEST(padding_is_trimmed),
		TEST(congestion_marks_come_in_by_rfc_6040),
		TEST(short_and_unknown_messages_are_counted),
		TEST(an_expired_session_opens_nothing),
		TEST(the_initiator_asks_once_for_a_late_rekey),
		TEST(sending_late_brings_a_rekey_by_the_initiator_alone),
	};
	int failed;

	if (sodium_init() < 0)
		return 1;
	backend = BACKEND_SYSCALLS;
	failed = cmocka_run_group_tests_name("worker", tests, NULL, NULL);
	backend = BACKEND_IO_URING;
	return failed + cmocka_run_group_tests_name("worker by io_uring", tests, NULL, NULL);
}
