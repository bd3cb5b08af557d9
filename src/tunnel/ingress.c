/* SPDX-License-Identifier: MIT */
/*
 * Theory of operation
 *
 * One message of the socket is one datagram, or several of one sender back to back. Each datagram is opened in the
 * receive buffer, where the packet stays until the coalescer has written its run to the TUN: the fewer bytes are
 * touched, the more of them are still in the cache. A cipher that scribbles around what it opens needs another place:
 * an area of opened packets with a gap between any two. It holds more than one message; when the next might not fit,
 * all runs are written and it begins anew.
 *
 * The order of the checks is the protocol's: index, age, authenticity, replay; then the peer's endpoint, timers,
 * counters and key confirmation; only then is the inner packet looked at.
 */
#include "tunnel/ingress.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "packet/ip.h"
#include "tunnel/notice.h"

enum { GAP = AEAD_HEADROOM, ALIGNMENT = 64 };

/* Writes one packet, without offload of any kind. */
static void write_alone(struct worker *worker, const struct coalesce_packet *packet)
{
	uint8_t plain[VIRTIO_HEADER] = { 0 };
	struct iovec iov[] = { { plain, sizeof plain }, { packet->data, packet->length } };
	int error = tun_write(&worker->tun, iov, 2);

	worker_count(worker, error ? DROP_TUN_WRITE : COUNT_TUN_WRITTEN, 1);
}

/* The device does not take super-packets of this kind: it gets none from now on. */
static void stop_merging(struct worker *worker, const struct coalesce_frame *frame)
{
	struct coalesce_limits *limits = &worker->ingress.coalescer.limits;
	struct virtio_header header;
	bool tcp;

	virtio_decode(&header, frame->virtio);
	tcp = header.gso_type != VIRTIO_GSO_UDP_L4;
	*(tcp ? &limits->tcp : &limits->udp) = false;
	*(tcp ? &worker->tun.write_tso : &worker->tun.write_uso) = false;
	log_info(worker->device->name, "the TUN takes no merged %s packets, writing them one by one", tcp ? "TCP" : "UDP");
}

static void write_run(void *context, const struct coalesce_run *run)
{
	struct worker *worker = context;
	struct coalesce_frame frame;
	struct iovec iov[COALESCE_IOVECS];
	int error = tun_write(&worker->tun, iov, coalesce_iovec(run, &frame, iov));

	if (!error || run->count == 1) {
		worker_count(worker, error ? DROP_TUN_WRITE : COUNT_TUN_WRITTEN, 1);
		return;
	}
	worker_count(worker, COUNT_MERGE_REFUSED, 1);
	if (error == -EINVAL)
		stop_merging(worker, &frame);
	for (uint32_t i = 0; i < run->count; i++)
		write_alone(worker, &run->packets[i]);
}

int ingress_init(struct ingress *ingress, struct worker *worker)
{
	struct coalesce_limits limits = { .tcp = worker->tun.write_tso, .udp = worker->tun.write_uso };

	ingress->received = udp_batch_create();
	ingress->opened = aligned_alloc(ALIGNMENT, INGRESS_OPENED);
	if (!ingress->received || !ingress->opened) {
		ingress_destroy(ingress);
		return -ENOMEM;
	}
	coalesce_init(&ingress->coalescer, limits, write_run, worker);
	return 0;
}

void ingress_destroy(struct ingress *ingress)
{
	udp_batch_destroy(ingress->received);
	free(ingress->opened);
	*ingress = (struct ingress) { 0 };
}

/* What the datagrams of one message share, so that it is done once: they have one sender and, nearly always, one
 * session. */
struct source {
	const struct endpoint *from;
	uint8_t ecn;
	uint32_t index;
	struct peer_index *known; /* what `index` stands for; NULL: not looked up */
	struct peer *peer;        /* an authentic datagram came; its endpoint is set */
	uint32_t bytes;           /* authentic ones from the peer, not yet counted there */
	const struct peer *owner; /* of the inner source looked up last */
	uint8_t inner_length, inner[16];
};

static void count_received(struct source *source)
{
	if (source->bytes)
		atomic_fetch_add_explicit(&source->peer->rx_bytes, source->bytes, memory_order_relaxed);
	source->bytes = 0;
}

static struct session *find_session(struct worker *worker, struct source *source, const uint8_t *datagram)
{
	uint32_t index = get_le32(datagram + offsetof(struct message_data, receiver));

	if (!source->known || source->index != index) {
		source->index = index;
		source->known = (struct peer_index *)(void *)map_first(&worker->device->by_index, index);
	}
	return source->known ? source->known->session : NULL;
}

/* A datagram was authentic and new: what that says about its peer, before its content is looked at. */
static void authentic(struct worker *worker, struct source *source, struct session *session, size_t n)
{
	struct peer *peer = source->known->peer;

	if (source->peer != peer) {
		count_received(source);
		source->peer = peer;
		if (!endpoint_equal(peer_last_from(peer), source->from) && peer_move(peer, source->from))
			notice_peer(peer, NOTICE_MOVED, worker->now);
	}
	source->bytes += (uint32_t)n;
	worker_count(worker, COUNT_OPENED, 1);
	timers_any_received(peer, worker->now);
	if (session == peer->sessions.next && !atomic_exchange(&session->confirmed, true))
		notice_peer(peer, NOTICE_CONFIRMED, worker->now);
	if (!peer->timers.late_rekey_sent && session == peer->sessions.current &&
		session_rekey_on_receive(session, worker->now)) {
		peer->timers.late_rekey_sent = true;
		notice_peer(peer, NOTICE_HANDSHAKE, worker->now);
	}
}

/* Explicit congestion notification out of the tunnel (RFC 6040, section 4.2), but nothing is dropped. */
static void combine_ecn(uint8_t *packet, uint8_t outer)
{
	enum { NOT_ECT, ECT1, ECT0, CE };
	uint8_t inner = ip_ecn(packet);

	if (inner == NOT_ECT || inner == CE)
		return;
	if (outer == CE || (outer == ECT1 && inner == ECT0))
		ip_set_ecn(packet, outer);
}

/* Whether the inner source belongs to the peer. Datagrams of one message mostly are of one flow: asked once. */
static bool owns(const struct device *device, struct source *source, const uint8_t *packet)
{
	const uint8_t *from = ip_source(packet);
	uint8_t length = packet[0] >> 4 == 4 ? 4 : 16;

	if (source->owner == source->peer && source->inner_length == length && !memcmp(source->inner, from, length))
		return true;
	source->owner =
		length == 4 ? allowedips_lookup4(&device->allowed_ips, from) : allowedips_lookup6(&device->allowed_ips, from);
	source->inner_length = length;
	memcpy(source->inner, from, length);
	return source->owner == source->peer;
}

/* An opened packet of `n` bytes, padding included: to the coalescer if it is what it says and may come from this peer.
 */
static void packet_in(struct worker *worker, struct source *source, uint8_t *packet, size_t n)
{
	int version = ip_version(packet, n);
	size_t length = version ? ip_length(packet) : 0;

	if (!version || length > n || length < (version == 4 ? IPV4_HEADER : IPV6_HEADER)) {
		worker_count(worker, DROP_INNER, 1);
		return;
	}
	if (!owns(worker->device, source, packet)) {
		worker_count(worker, DROP_SOURCE, 1);
		return;
	}
	if (source->ecn)
		combine_ecn(packet, source->ecn);
	coalesce_add(&worker->ingress.coalescer, packet, length);
}

/* Where to open a datagram. A place in the area is taken for good: few datagrams are dropped once they are here. */
static uint8_t *place_for(struct ingress *ingress, const struct session *session, uint8_t *datagram, size_t n)
{
	uint8_t *place = ingress->opened + ingress->used + GAP;

	if (session->cipher->in_place)
		return datagram + DATA_HEADER;
	ingress->used += GAP + ((n - DATA_OVERHEAD + ALIGNMENT - 1) & ~(size_t)(ALIGNMENT - 1));
	return place;
}

static void data_in(struct worker *worker, struct source *source, uint8_t *datagram, size_t n)
{
	struct session *session = find_session(worker, source, datagram);
	uint8_t *packet;
	int error;

	if (!session || session_expired(session, worker->now)) {
		worker_count(worker, session ? DROP_EXPIRED : DROP_INDEX, 1);
		return;
	}
	packet = place_for(&worker->ingress, session, datagram, n);
	error = session_open_by(session, worker->aead, packet, datagram, n);
	if (error) {
		worker_count(worker, error == -EALREADY ? DROP_REPLAY : DROP_FORGED, 1);
		return;
	}
	authentic(worker, source, session, n);
	if (n == DATA_OVERHEAD)
		return;
	timers_data_received(source->peer, worker->now);
	packet_in(worker, source, packet, n - DATA_OVERHEAD);
}

static void datagram_in(struct worker *worker, struct source *source, uint8_t *datagram, size_t n)
{
	worker_count(worker, COUNT_RECEIVED, 1);
	if (n < MESSAGE_SMALLEST) {
		worker_count(worker, DROP_MALFORMED, 1);
	} else if (get_le32(datagram) == MESSAGE_DATA) {
		data_in(worker, source, datagram, n);
	} else {
		if (!notice_message(worker->device, datagram, n, source->from, worker->now))
			worker_count(worker, DROP_HANDSHAKE_QUEUE, 1);
		source->known = NULL; /* it may have replaced sessions and indices */
	}
}

static void write_all(struct ingress *ingress)
{
	coalesce_flush(&ingress->coalescer);
	ingress->used = 0;
}

/* Opened, a message of `length` bytes in datagrams of `size` takes no more than this. */
static size_t opened_max(const struct udp_message *message)
{
	size_t datagrams = message->length / message->size + 1;

	return message->length + datagrams * (GAP + ALIGNMENT) + AEAD_TAILROOM;
}

static void message_in(struct worker *worker, const struct udp_message *message)
{
	struct source source = { .from = &message->from, .ecn = message->traffic_class & 3 };

	for (uint32_t at = 0, n; at < message->length; at += n) {
		n = message->length - at < message->size ? message->length - at : message->size;
		datagram_in(worker, &source, message->data + at, n);
	}
	count_received(&source);
}

void ingress_drain(struct worker *worker, int fd)
{
	struct ingress *ingress = &worker->ingress;
	struct udp_message messages[UDP_BATCH];
	uint64_t truncated = 0;
	int count = udp_receive(&worker->udp, fd, ingress->received, messages, &truncated);

	worker_count(worker, DROP_TRUNCATED, truncated);
	for (int i = 0; i < count; i++) {
		if (ingress->used + opened_max(&messages[i]) > INGRESS_OPENED)
			write_all(ingress);
		message_in(worker, &messages[i]);
	}
	write_all(ingress);
}
