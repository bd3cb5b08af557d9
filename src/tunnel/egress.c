/* SPDX-License-Identifier: MIT */
/*
 * Theory of operation
 *
 * A packet read from the TUN stays in the backend's buffer until it is cut to its end. Each segment is cut straight
 * into its slot of the segment buffer and sealed there; the batch turns neighbours into runs. What is sealed leaves at
 * the end of the drain, or when both halves of the buffer are full.
 *
 * The socket may be full at any of these points. Then `blocked` is set, the TUN is read no more, and everything stays
 * where it is: the runs in the batch, the rest of the packet in the cutter. egress_resume goes on from there when the
 * socket can be written. Between the two anything may have happened to the peer, so its session is looked up anew; a
 * peer that is removed meanwhile takes its cut and its runs with it (egress_forget).
 */
#include "tunnel/egress.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "packet/icmp.h"
#include "packet/ip.h"
#include "packet/virtio.h"
#include "tunnel/notice.h"

enum { SEND_RUNS = BATCH_RUNS, ICMP_RATE = 50, ICMP_BURST = 50 };
#define UNGROUPED_TIME (60 * NS_PER_S) /* for how long a path that refused a group gets its datagrams one by one */

int egress_init(struct egress *egress)
{
	int error = batch_init(&egress->batch, 1);

	if (error)
		return error;
	egress->popped = malloc(TUN_READ);
	if (!egress->popped)
		egress_destroy(egress);
	return egress->popped ? 0 : -ENOMEM;
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

/* --- send ------------------------------------------------------------------------------------------------------- */

/* What the path of a run showed about itself. */
static void learn(struct worker *worker, struct peer *peer, const struct udp_run *run)
{
	if (run->gso_refused) {
		atomic_store_explicit(&peer->ungrouped_until, worker->now + UNGROUPED_TIME, memory_order_relaxed);
		worker_count(worker, COUNT_GROUP_REFUSED, 1);
	}
	if (run->local_gone) {
		notice_peer(peer, NOTICE_SOURCE_LOST, worker->now);
		worker_count(worker, COUNT_SOURCE_LOST, 1);
	}
	if (run->error && log_allowed(&peer->log, worker->now)) {
		char text[ENDPOINT_TEXT];
		log_info(peer->text, "sending to %s: %s", endpoint_text(text, peer_endpoint(peer)), strerror(run->error));
	}
}

/*
 * Accounts for what became of a run and takes that off its front. Of one that was sent apart the socket may have taken
 * only some datagrams; all of those have full size.
 */
static void settle(struct worker *worker, const struct udp_run *run, struct batch_run *from)
{
	struct peer *peer = from->label.destination;
	uint32_t bytes = run->sent + (uint32_t)run->failed * run->size;
	uint16_t datagrams = bytes >= from->bytes ? from->count : (uint16_t)(bytes / run->size);

	learn(worker, peer, run);
	worker_count(worker, COUNT_SENT, datagrams - run->failed);
	worker_count(worker, DROP_SEND, run->failed);
	atomic_fetch_add_explicit(&peer->tx_bytes, run->sent, memory_order_relaxed);
	if (datagrams < from->count)
		batch_run_advance(from, bytes);
}

/* Sends the first `count` runs. False, and `blocked` set, when the socket could not take all of them. */
static bool send_runs(struct worker *worker, int count)
{
	struct batch *batch = &worker->egress.batch;
	struct udp_run runs[SEND_RUNS];
	int done;

	for (int i = 0; i < count; i++) {
		const struct batch_run *from = &batch->runs[i];
		struct peer *peer = from->label.destination;

		if (peer->local_unverified)
			notice_peer(peer, NOTICE_SOURCE, worker->now);
		runs[i] = (struct udp_run) {
			.to = peer_endpoint(peer),
			.parts = from->parts,
			.part_count = from->part_count,
			.bytes = from->bytes,
			.size = from->size,
			.traffic_class = from->label.traffic_class,
			.no_gso = worker->now < atomic_load_explicit(&peer->ungrouped_until, memory_order_relaxed),
		};
	}
	done = count ? udp_send(&worker->udp, runs, count) : 0;
	for (int i = 0; i < count && i <= done; i++)
		settle(worker, &runs[i], &batch->runs[i]);
	batch_sent(batch, done);
	worker->egress.blocked = done < count;
	return done == count;
}

static bool flush(struct worker *worker)
{
	return send_runs(worker, worker->egress.batch.run_count);
}

/* --- cut and seal ------------------------------------------------------------------------------------------------ */

/*
 * How many zero bytes follow a packet of `n` bytes: to a multiple of 16, but not past the MTU (WireGuard paper,
 * section 5.4.6, and what its kernel implementation does with packets over the MTU).
 */
static size_t padding(size_t n, size_t mtu)
{
	size_t unit = mtu && n > mtu ? n % mtu : n;
	size_t padded = (unit + 15) & ~(size_t)15;

	if (mtu && padded > mtu)
		padded = mtu;
	return padded > unit ? padded - unit : 0;
}

/* The same for the next segment: full ones of a super-packet are left as they are, the last does not outgrow them. */
static size_t segment_padding(const struct segmenter *cut, size_t length, size_t mtu)
{
	size_t full = (size_t)cut->header + cut->size, zeros;

	if (!cut->gso_type)
		return padding(length, mtu);
	if (length == full)
		return 0;
	zeros = padding(length, mtu);
	return length + zeros > full ? full - length : zeros;
}

/* Cuts and seals `count` segments into consecutive slots, under the nonces from `counter` on. */
static void cut_and_seal(struct worker *worker, const struct session *session, uint64_t counter, uint32_t count)
{
	struct egress *egress = &worker->egress;
	const uint8_t *ip = egress->packet + VIRTIO_HEADER;
	const struct batch_label label = { egress->peer, ip_flow(ip, egress->length - VIRTIO_HEADER), ip_ecn(ip) };
	size_t mtu = worker->device->mtu;

	for (uint32_t i = 0; i < count; i++) {
		uint8_t *slot = batch_slot(&egress->batch), *packet = slot + DATA_HEADER;
		size_t zeros = segment_padding(&egress->cut, segment_length(&egress->cut), mtu);
		size_t length = segment_next(&egress->cut, packet);

		memset(packet + length, 0, zeros);
		session_seal_by(session, worker->aead, counter + i, slot, length + zeros);
		batch_add(&egress->batch, &label, (uint16_t)(length + zeros + DATA_OVERHEAD));
	}
	worker_count(worker, COUNT_SEALED, count);
}

/* Room a slot needs: the segment, its padding, header and tag. */
static size_t slot_size(const struct segmenter *cut)
{
	return segment_length(cut) + 15 + DATA_OVERHEAD;
}

/*
 * The packet cannot go under any session now: it waits, whole, and a handshake begins. Of one whose session ended
 * half-way the rest is dropped, for staging it would send the first half twice.
 */
static void stage(struct worker *worker, struct peer *peer)
{
	struct egress *egress = &worker->egress;
	uint32_t dropped = 1;

	if (!egress->cut.offset)
		dropped = staged_push(&worker->device->staged, &peer->staged, worker->number, egress->packet, egress->length,
							  egress->cut.left);
	worker_count(worker, DROP_STAGED, dropped);
	egress->peer = NULL;
	notice_peer(peer, NOTICE_HANDSHAKE, worker->now);
}

static void cut_finished(struct worker *worker, const struct session *session)
{
	struct peer *peer = worker->egress.peer;

	worker->egress.peer = NULL;
	timers_any_sent(peer, worker->now);
	timers_data_sent(peer, worker->now);
	if (session_rekey_on_send(session, worker->now))
		notice_peer(peer, NOTICE_HANDSHAKE, worker->now);
}

/* Cuts what is left of the packet at hand. False when a full socket stopped it. */
static bool cut_on(struct worker *worker)
{
	struct egress *egress = &worker->egress;
	struct session *session = peer_session(egress->peer, worker->now);

	while (session && egress->cut.left) {
		uint32_t room = batch_room(&egress->batch, slot_size(&egress->cut)), reserved;
		uint64_t counter;

		if (!room) {
			if (!flush(worker))
				return false;
			continue;
		}
		reserved = session_reserve(session, room < egress->cut.left ? room : egress->cut.left, &counter);
		if (!reserved)
			session = NULL;
		else
			cut_and_seal(worker, session, counter, reserved);
	}
	if (session)
		cut_finished(worker, session);
	else
		stage(worker, egress->peer);
	return true;
}

static struct peer *route(const struct device *device, const uint8_t *packet)
{
	const uint8_t *destination = ip_destination(packet);

	return packet[0] >> 4 == 4 ? allowedips_lookup4(&device->allowed_ips, destination)
							   : allowedips_lookup6(&device->allowed_ips, destination);
}

static void refuse(struct worker *worker, enum segment_error error)
{
	struct device *device = worker->device;

	worker_count(worker, DROP_REFUSED + error, 1);
	if (log_enabled(LOG_DEBUG) && log_allowed(&device->log, worker->now))
		log_debug(device->name, "a packet from the TUN was refused: %s", segment_error_text(error));
}

/* Begins the cut of the packet in the buffer. False, and counted, when it is refused. */
static bool begin(struct worker *worker, size_t length)
{
	struct egress *egress = &worker->egress;
	const uint8_t *packet = egress->packet + VIRTIO_HEADER;
	struct virtio_header header;
	enum segment_error error;

	if (length < VIRTIO_HEADER) {
		worker_count(worker, DROP_TUN_READ, 1);
		return false;
	}
	virtio_decode(&header, egress->packet);
	egress->length = length;
	error = segment_begin(&egress->cut, &header, packet, length - VIRTIO_HEADER);
	if (error)
		refuse(worker, error);
	return !error;
}

/* A bucket of ICMP_BURST that fills ICMP_RATE times a second (RFC 1812, section 4.3.2.8). */
static bool icmp_allowed(struct worker *worker)
{
	struct egress *egress = &worker->egress;
	uint64_t earned = (worker->now - egress->icmp_since) / (NS_PER_S / ICMP_RATE);

	if (earned) {
		egress->icmp_since = worker->now;
		egress->icmp_used -= earned < egress->icmp_used ? (uint32_t)earned : egress->icmp_used;
	}
	if (egress->icmp_used >= ICMP_BURST)
		return false;
	egress->icmp_used++;
	return true;
}

/* Tells the sender of the packet in the buffer that it goes nowhere, as a router would. */
static void say_unreachable(struct worker *worker, size_t length)
{
	uint8_t message[ICMP_MAX], header[VIRTIO_HEADER] = { 0 };
	size_t n = icmp_unreachable(message, worker->egress.packet + VIRTIO_HEADER, length - VIRTIO_HEADER);
	const struct iovec iov[] = { { header, sizeof header }, { message, n } };

	if (!n || !icmp_allowed(worker))
		return;
	if (!tun_write(&worker->tun, iov, 2))
		worker_count(worker, COUNT_UNREACHABLE, 1);
}

/*
 * True for a datagram of our own that the routes led back into the TUN: from our port to the very place where its peer
 * is. Sealing it would make another, without end. A fragment other than the first shows no ports; it becomes a datagram
 * that does.
 */
static bool is_our_own(const struct device *device, const struct peer *peer, const uint8_t *packet, size_t n)
{
	bool v4 = packet[0] >> 4 == 4;
	const struct endpoint *to = peer_endpoint(peer);
	uint8_t protocol;
	size_t udp;

	if (to->to.any.sa_family != (v4 ? AF_INET : AF_INET6))
		return false;
	udp = ip_transport(packet, n, &protocol);
	if (!udp || protocol != IPPROTO_UDP || n < udp + UDP_HEADER)
		return false;
	if (get_be16(packet + udp) != device->listen_port)
		return false;
	if (v4)
		return !memcmp(packet + 16, &to->to.v4.sin_addr, 4) && !memcmp(packet + udp + 2, &to->to.v4.sin_port, 2);
	return !memcmp(packet + 24, &to->to.v6.sin6_addr, 16) && !memcmp(packet + udp + 2, &to->to.v6.sin6_port, 2);
}

/* One packet from the TUN: to its peer, or dropped by cause. False when a full socket stopped it half-way. */
static bool packet_out(struct worker *worker, size_t length)
{
	struct egress *egress = &worker->egress;
	struct peer *peer;

	worker_count(worker, COUNT_TUN_READ, 1);
	if (!begin(worker, length))
		return true;
	peer = route(worker->device, egress->packet + VIRTIO_HEADER);
	if (!peer || !worker->device->up || !endpoint_known(peer_endpoint(peer))) {
		worker_count(worker, peer ? DROP_NO_ENDPOINT : DROP_NO_PEER, 1);
		say_unreachable(worker, length);
		return true;
	}
	if (is_our_own(worker->device, peer, egress->packet + VIRTIO_HEADER, length - VIRTIO_HEADER)) {
		worker_count(worker, DROP_LOOP, 1);
		return true;
	}
	egress->peer = peer;
	return cut_on(worker);
}

/* --- drain ------------------------------------------------------------------------------------------------------- */

/* Sends the staged packets of one peer. False when a full socket stopped it. */
static bool send_staged(struct worker *worker, struct peer *peer)
{
	struct egress *egress = &worker->egress;

	while (peer_session(peer, worker->now)) {
		size_t length = staged_pop(&worker->device->staged, &peer->staged, worker->number, egress->popped);
		if (!length)
			return true;
		egress->packet = egress->popped;
		if (!begin(worker, length))
			continue;
		egress->peer = peer;
		if (!cut_on(worker))
			return false;
	}
	device_peer_unready(worker->device, peer); /* its session has ended */
	return true;
}

void egress_resume(struct worker *worker)
{
	struct egress *egress = &worker->egress;
	struct peer *peer;

	if (!flush(worker) || (egress->peer && !cut_on(worker)))
		return;
	while ((peer = device_next_ready(worker->device, worker->number)))
		if (!send_staged(worker, peer))
			return; /* it stays in the list */
	flush(worker);
}

/*
 * True when another packet may be read. Full runs make room; the last one stays when more may join it, for what a path
 * costs it costs a run, not a byte. But soon what arrives has its turn. What was read ahead goes with this drain: no
 * wake-up would come for it. False also when a full socket stopped it.
 */
static bool make_room(struct worker *worker, int *sends)
{
	struct batch *batch = &worker->egress.batch;

	if (batch_free_bytes(batch) >= EGRESS_RESERVE)
		return true;
	if (backend_pending(&worker->backend))
		return flush(worker);
	if (++*sends > EGRESS_SENDS)
		return false;
	return send_runs(worker, batch_full_runs(batch)) && batch_free_bytes(batch) >= EGRESS_RESERVE;
}

int egress_drain(struct worker *worker)
{
	struct egress *egress = &worker->egress;
	int sends = 0;

	if (worker->device->ready) { /* what waited for a handshake goes before what comes now */
		egress_resume(worker);
		if (egress->blocked)
			return 0;
	}
	for (int reads = 0; reads < EGRESS_READS && make_room(worker, &sends); reads++) {
		uint8_t *packet;
		ssize_t length = backend_read(&worker->backend, &packet, EGRESS_READS - reads);
		if (length == -EAGAIN)
			break;
		if (length == -EBADFD)
			return -EBADFD;
		egress->packet = packet;
		if (length < 0)
			worker_count(worker, DROP_TUN_READ, 1);
		else if (!packet_out(worker, (size_t)length))
			return 0;
	}
	flush(worker);
	return 0;
}
