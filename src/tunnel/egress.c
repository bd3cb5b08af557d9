/* SPDX-License-Identifier: MIT */
/*
 * Egress: reads packets from the TUN, cuts and seals them, and sends the datagrams.
 *
 * Theory of operation
 *
 * A packet stays in the buffer of the backend until all its segments are cut. Each segment is cut into its slot of the
 * segment buffer and sealed there. The batch joins neighbouring datagrams into runs. Runs are sent at the end of the
 * drain, or earlier when both halves of the segment buffer are full.
 *
 * The socket may be full at any of these points. Then `blocked` is set, the TUN is not read any more, and the runs stay
 * in the batch and the rest of the packet in the segmenter. egress_resume continues when the socket is writable.
 * Meanwhile anything may happen to the peer: its session is looked up again, and egress_forget drops the packet and the
 * runs of a removed peer.
 */
#include "tunnel/egress.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "base/clock.h"
#include "packet/icmp.h"
#include "packet/ip.h"
#include "packet/virtio.h"
#include "tunnel/padding.h"
#include "tunnel/peer.h"

enum { ICMP_BURST = 50 };
#define ICMP_INTERVAL (NS_PER_S / 50)  /* RFC 1812, section 4.3.2.8 */
#define UNGROUPED_TIME (60 * NS_PER_S) /* how long a path that refused a UDP_SEGMENT send gets single datagrams */

static_assert((int)BATCH_HEADROOM >= (int)AEAD_HEADROOM && (int)BATCH_TAILROOM >= (int)AEAD_TAILROOM,
			  "a cipher may write around a slot");
static_assert((int)BATCH_RUN_BYTES == (int)UDP_RUN_BYTES, "a full run is what one send takes");
static_assert((int)PADDING_MAX <= (int)NOISE_TAG, "the place of the tag has room for clearing the padding");
static_assert((int)VIRTIO_HEADER == (int)TUN_VIRTIO, "one virtio header");

/* A packet of at most this length fits a UDP datagram, with any padding and over IPv4 as well as IPv6. */
enum { ALWAYS_FITS = UINT16_MAX - IPV4_HEADER - UDP_HEADER - DATA_OVERHEAD - PADDING_MAX };

int egress_init(struct egress *egress)
{
	int error = batch_init(&egress->batch, 1);

	if (error)
		return error;
	egress->popped = malloc(TUN_READ);
	if (!egress->popped) {
		batch_destroy(&egress->batch);
		return -ENOMEM;
	}
	return 0;
}

void egress_destroy(struct egress *egress)
{
	batch_destroy(&egress->batch);
	free(egress->popped);
	*egress = (struct egress) { 0 };
}

void egress_drop(struct egress *egress)
{
	batch_sent(&egress->batch, egress->batch.run_count);
	egress->peer = NULL;
	egress->blocked = false;
}

void egress_forget(struct egress *egress, const struct peer *peer)
{
	batch_forget(&egress->batch, peer);
	if (egress->peer == peer)
		egress->peer = NULL;
}

static __attribute__((cold)) void report_peer(struct peer *peer, enum problem_kind kind, int error, uint64_t now)
{
	const struct problem problem = { .kind = kind, .error = error, .endpoint = *peer_endpoint(peer) };

	peer_post_problem(peer, &problem, NULL, now);
}

/* --- send ----- */

/*
 * Accounts for the part of a run that the socket has taken, and removes it from the run. If a run was sent as single
 * datagrams, the socket may have taken only some of them; all of those have full size.
 */
static void account_run(struct egress *egress, const struct udp_run *run, struct batch_run *from, uint64_t now)
{
	struct peer *peer = from->label.destination;
	uint32_t bytes = run->sent + (uint32_t)run->failed * run->size;
	uint16_t datagrams = bytes >= from->bytes ? from->count : (uint16_t)(bytes / run->size);
	uint32_t sent = datagrams - run->failed;
	bool grouped = !run->no_gso && !run->gso_refused && egress->udp->gso;

	if (run->gso_refused) {
		atomic_store_explicit(&peer->ungrouped_until, now + UNGROUPED_TIME, memory_order_relaxed);
		atomic_store_explicit(&egress->device->ungrouped_until, now + UNGROUPED_TIME, memory_order_relaxed);
		egress->counters->value[COUNT_GROUP_REFUSED]++;
		peer_post(peer, PEER_EVENT_UNGROUPED, NULL, now);
	}
	if (run->local_gone) {
		peer_post(peer, PEER_EVENT_LOCAL_LOST, NULL, now);
		egress->counters->value[COUNT_LOCAL_LOST]++;
	}
	if (run->error)
		report_peer(peer, PROBLEM_SEND, run->error, now);
	if (bytes && atomic_load_explicit(&peer->state.send_error, memory_order_relaxed) != run->error) {
		atomic_store_explicit(&peer->state.send_error, run->error, memory_order_relaxed);
		peer_post(peer, PEER_EVENT_SEND_RESULT, NULL, now);
	}
	egress->counters->value[COUNT_SENT] += sent;
	if (sent)
		counters_add_batches(egress->counters, HISTOGRAM_UDP_SEND, grouped ? sent : 1, grouped ? 1 : sent);
	egress->counters->value[DROP_SEND] += run->failed;
	atomic_fetch_add_explicit(&peer->tx_bytes, run->sent, memory_order_relaxed);
	if (datagrams < from->count)
		batch_run_advance(from, bytes);
}

/* Sends the first `count` runs. Returns false, and sets `blocked`, when the socket could not take all of them. */
static bool send_runs(struct egress *egress, int count, uint64_t now)
{
	struct batch *batch = &egress->batch;
	struct udp_run runs[BATCH_RUNS];
	int done;

	for (int i = 0; i < count; i++) {
		const struct batch_run *from = &batch->runs[i];
		struct peer *peer = from->label.destination;

		if (atomic_load_explicit(&peer->local_unverified, memory_order_relaxed))
			peer_post(peer, PEER_EVENT_LOCAL_UNVERIFIED, NULL, now);
		/* Once per run, and before it is sent: another worker may receive the answer before the system call returns. */
		timers_any_sent(&egress->device->timers, &peer->timers, now);
		timers_data_sent(&egress->device->timers, &peer->timers, now);
		runs[i] = (struct udp_run) {
			.to = peer_endpoint(peer),
			.parts = from->parts,
			.part_count = from->part_count,
			.bytes = from->bytes,
			.size = from->size,
			.traffic_class = from->label.traffic_class,
			.no_gso = now < atomic_load_explicit(&peer->ungrouped_until, memory_order_relaxed),
		};
	}
	done = count ? udp_send(egress->udp, runs, count) : 0;
	if (egress->udp->error_count)
		device_post_errors(egress->device, egress->counters, egress->udp, now);
	for (int i = 0; i < count && i <= done; i++)
		account_run(egress, &runs[i], &batch->runs[i], now);
	batch_sent(batch, done);
	egress->blocked = done < count;
	return done == count;
}

static bool send_all_runs(struct egress *egress, uint64_t now)
{
	return send_runs(egress, egress->batch.run_count, now);
}

/* --- cut and seal ----- */

static size_t segment_padding(const struct segmenter *cut, size_t length, size_t mtu,
							  const struct padding_limits *limits)
{
	if (!cut->gso_type)
		return padding_of_packet(length, mtu, limits);
	return padding_of_segment(length, (size_t)cut->header + cut->size, mtu);
}

/*
 * Whether the longest segment of the packet at hand, sealed, fits a UDP datagram to the peer. One that does not is
 * possible when the MTU of the device is greater than 65475.
 */
static bool fits_datagram(const struct egress *egress, const struct peer *peer)
{
	const struct segmenter *cut = &egress->cut;
	const struct device *device = egress->device;
	size_t length = segment_length(cut), headers = UDP_HEADER;

	if (peer_endpoint(peer)->to.any.sa_family == AF_INET) /* IPv6 does not count its header */
		headers += IPV4_HEADER;
	return length + segment_padding(cut, length, device->mtu, &device->padding_limits) + DATA_OVERHEAD + headers <=
		   UINT16_MAX;
}

/* Cuts and seals `count` segments into consecutive slots, under the nonces from `counter` on. */
static void cut_and_seal(struct egress *egress, const struct session *session, uint64_t counter, uint32_t count)
{
	struct segmenter *cut = &egress->cut;
	const struct batch_label label = { egress->peer, ip_flow(cut->packet, cut->length), ip_ecn(cut->packet) };
	const struct padding_limits *limits = &egress->device->padding_limits;
	size_t mtu = egress->device->mtu;

	for (uint32_t i = 0; i < count; i++) {
		uint8_t *slot = batch_slot(&egress->batch), *packet = slot + DATA_HEADER;
		size_t length = segment_next(cut, packet);
		size_t zeros = cut->left ? 0 : segment_padding(cut, length, mtu, limits); /* all but the last are full */

		memset(packet + length, 0, PADDING_MAX); /* may clear a part of the tag's place: a fixed size needs no call */
		session_seal_by(session, egress->aead, counter + i, slot, length + zeros);
		batch_add(&egress->batch, &label, (uint16_t)(length + zeros + DATA_OVERHEAD));
	}
	egress->counters->value[COUNT_SEALED] += count;
}

/*
 * Cuts and seals the rest of the packet at hand, or stages the packet if there is no session for it. Returns false when
 * a full socket stopped it.
 */
static bool cut_packet(struct egress *egress, uint64_t now)
{
	struct peer *peer = egress->peer;
	struct session *session = peer_session(peer, now);
	struct segmenter *cut = &egress->cut;

	while (session && cut->left) {
		uint32_t room = batch_room(&egress->batch, segment_length(cut) + PADDING_MAX + DATA_OVERHEAD), reserved;
		uint64_t counter;

		if (!room) {
			/* The events that this posts retire no session. */
			if (!send_all_runs(egress, now))
				return false;
			continue;
		}
		reserved = session_reserve(session, room < cut->left ? room : cut->left, &counter);
		if (!reserved)
			session = NULL;
		else
			cut_and_seal(egress, session, counter, reserved);
	}
	egress->peer = NULL;
	if (!session) {
		uint32_t dropped = 1;

		/* If some segments have been sent, the rest is dropped: staging the packet would send them twice. */
		if (!cut->offset)
			dropped = staged_push(&egress->device->staged, &peer->staged, egress->worker, cut->packet - VIRTIO_HEADER,
								  cut->length + VIRTIO_HEADER, cut->left);
		egress->counters->value[DROP_STAGED] += dropped;
		peer_post(peer, PEER_EVENT_HANDSHAKE, NULL, now);
		return true;
	}
	if (session_rekey_on_send(session, now))
		peer_post(peer, PEER_EVENT_HANDSHAKE, session, now);
	return true;
}

/* Sends the packet that begin_cut has prepared. Returns false when a full socket stopped it. */
static bool send_packet(struct egress *egress, struct peer *peer, uint64_t now)
{
	if (egress->cut.length > ALWAYS_FITS && !fits_datagram(egress, peer)) {
		egress->counters->value[DROP_TOO_LONG]++;
		return true;
	}
	egress->peer = peer;
	return cut_packet(egress, now);
}

/* Prepares to cut `packet`, which begins with its virtio header. Counts a rejected packet and returns false. */
static bool begin_cut(struct egress *egress, const uint8_t *packet, size_t length, uint64_t now)
{
	struct device *device = egress->device;
	struct virtio_header header;
	enum segment_error error;

	if (length < VIRTIO_HEADER) {
		egress->counters->value[DROP_TUN_READ]++;
		return false;
	}
	virtio_decode(&header, packet);
	error = segment_begin(&egress->cut, &header, packet + VIRTIO_HEADER, length - VIRTIO_HEADER);
	if (!error)
		return true;
	egress->counters->value[DROP_REFUSED + error]++;
	if (log_debug_allowed(&device->log, now))
		log_debug(device->name, "a packet from the TUN was rejected: %s", segment_error_text(error));
	return false;
}

/* --- packets from the TUN ----- */

/*
 * Returns true for a datagram of our own that the routes led back into the TUN: it comes from our port and goes to the
 * endpoint of its peer. Sealing it would make another such datagram, without end. A fragment other than the first has
 * no ports, so it is sealed once; the result is a whole datagram again, which has ports.
 */
static bool is_our_own(const struct device *device, const struct peer *peer, const uint8_t *packet, size_t n)
{
	bool v4 = packet[0] >> 4 == 4;
	const struct endpoint *to = peer_endpoint(peer);
	uint8_t protocol;
	size_t udp;

	if (to->to.any.sa_family != (v4 ? AF_INET : AF_INET6))
		return false;
	/* The address first, because it rules out nearly all packets. */
	if (v4 ? memcmp(packet + 16, &to->to.v4.sin_addr, 4) : memcmp(packet + 24, &to->to.v6.sin6_addr, 16))
		return false;
	udp = ip_transport(packet, n, &protocol);
	if (!udp || protocol != IPPROTO_UDP || n < udp + UDP_HEADER)
		return false;
	return get_be16(packet + udp) == device->listen_port &&
		   !memcmp(packet + udp + 2, v4 ? &to->to.v4.sin_port : &to->to.v6.sin6_port, 2);
}

/*
 * Counts and reports a packet that has no peer, or whose peer cannot be reached because it has no endpoint or the link
 * is down. Sends an ICMP error to the sender of the packet, as a router would.
 */
static __attribute__((cold)) void refuse_packet(struct egress *egress, struct peer *peer, const uint8_t *ip,
												size_t length, uint64_t now)
{
	struct device *device = egress->device;
	const uint8_t *to = ip_destination(ip);
	const uint8_t address_length = ip[0] >> 4 == 4 ? 4 : 16;
	uint8_t message[ICMP_MAX], header[VIRTIO_HEADER] = { 0 };
	size_t n = icmp_unreachable(message, ip, length);
	const struct iovec iov[] = { { header, sizeof header }, { message, n } };

	egress->counters->value[peer ? DROP_NO_ENDPOINT : DROP_NO_PEER]++;
	if (n && token_bucket_take(&egress->icmp, ICMP_BURST, ICMP_INTERVAL, now) && !tun_write(egress->tun, iov, 2))
		egress->counters->value[COUNT_UNREACHABLE]++;
	if (peer && device->up)
		report_peer(peer, PROBLEM_NO_ENDPOINT, 0, now);
	/* The kernel sends to link-local and multicast addresses by itself. */
	if (!peer && ip_is_routable(to, address_length) && token_bucket_take(&device->notices, NOTICE_BURST, NS_PER_S, now))
		mailbox_post_notice(&device->mailbox, NOTICE_NO_PEER, to, address_length, &(struct endpoint) { 0 }, now);
}

/* Sends a packet from the TUN to its peer, or counts why not. Returns false when a full socket stopped it. */
static bool packet_out(struct egress *egress, const uint8_t *packet, size_t length, uint64_t now)
{
	const struct device *device = egress->device;
	const uint8_t *ip = packet + VIRTIO_HEADER, *destination;
	struct peer *peer;

	egress->counters->value[COUNT_TUN_READ]++;
	if (!begin_cut(egress, packet, length, now))
		return true;
	counters_add_batches(egress->counters, HISTOGRAM_TUN_READ, egress->cut.left, 1);
	destination = ip_destination(ip);
	peer = peer_of_allowed_ips(ip[0] >> 4 == 4 ? allowedips_lookup4(&device->allowed_ips, destination)
											   : allowedips_lookup6(&device->allowed_ips, destination));
	if (!peer || !device->up || !endpoint_known(peer_endpoint(peer))) {
		refuse_packet(egress, peer, ip, length - VIRTIO_HEADER, now);
		return true;
	}
	if (is_our_own(device, peer, ip, length - VIRTIO_HEADER)) {
		egress->counters->value[DROP_LOOP]++;
		report_peer(peer, PROBLEM_LOOP, 0, now);
		return true;
	}
	return send_packet(egress, peer, now);
}

/* --- drain ----- */

/* Sends the staged packets of one peer. Returns false when a full socket stopped it. */
static bool drain_staged(struct egress *egress, struct peer *peer, uint64_t now)
{
	struct staged_pool *staged = &egress->device->staged;

	while (peer_session(peer, now)) {
		size_t length = staged_pop(staged, &peer->staged, egress->worker, egress->popped);

		if (!length)
			return true;
		if (!begin_cut(egress, egress->popped, length, now))
			continue;
		if (!send_packet(egress, peer, now))
			return false;
	}
	staged_clear_ready(staged, &peer->staged); /* the session has ended */
	return true;
}

void egress_resume(struct egress *egress, uint64_t now)
{
	struct staged_pool *staged = &egress->device->staged;
	struct staged_queue *queue;

	if (!send_all_runs(egress, now) || (egress->peer && !cut_packet(egress, now)))
		return;
	queue = staged_next_ready(staged, egress->worker);
	while (queue) {
		if (!drain_staged(egress, container_of(queue, struct peer, staged), now))
			return; /* the queue stays in the list */
		queue = staged_next_ready(staged, egress->worker);
	}
	send_all_runs(egress, now);
}

/*
 * Returns true when another packet may be read. If there is little room, full runs are sent; the last run stays,
 * because more datagrams may join it and a path charges per run, not per byte. After EGRESS_SENDS sends the drain ends,
 * so that ingress gets its turn; but packets that the backend has read ahead belong to this drain, because no wake-up
 * would come for them. Returns false also when a full socket stopped it.
 */
static bool make_batch_room(struct egress *egress, int *sends, uint64_t now)
{
	struct batch *batch = &egress->batch;

	if (batch_free_bytes(batch) >= EGRESS_RESERVE)
		return true;
	if (backend_pending(egress->backend))
		return send_all_runs(egress, now);
	if (++*sends > EGRESS_SENDS)
		return false;
	return send_runs(egress, batch_full_runs(batch), now) && batch_free_bytes(batch) >= EGRESS_RESERVE;
}

int egress_drain(struct egress *egress, uint64_t now)
{
	int sends = 0;

	if (staged_any_ready(&egress->device->staged)) { /* these packets are older than those in the TUN */
		egress_resume(egress, now);
		if (egress->blocked)
			return 0;
	}
	for (int reads = 0; reads < EGRESS_READS && make_batch_room(egress, &sends, now); reads++) {
		uint8_t *packet;
		ssize_t length = backend_read(egress->backend, &packet, EGRESS_READS - reads);

		if (length == -EAGAIN)
			break;
		if (length == -EBADFD)
			return -EBADFD;
		if (length < 0)
			egress->counters->value[DROP_TUN_READ]++;
		else if (!packet_out(egress, packet, (size_t)length, now))
			return 0;
	}
	send_all_runs(egress, now);
	return 0;
}
