/* SPDX-License-Identifier: MIT */
/*
 * Ingress: receives datagrams, opens and checks them, and writes the packets to the TUN.
 *
 * Theory of operation
 *
 * A message from the socket is one datagram, or several of one sender back to back. Each datagram is opened in the
 * receive buffer, and the packet stays there until the coalescer has written its run to the TUN: the fewer bytes are
 * touched, the more of them are still in the cache. A cipher that writes around what it opens needs another place: an
 * area for opened packets with a gap between any two. The area holds more than one message; when the next message might
 * not fit, all runs are written and the area is empty again.
 *
 * The checks follow the order of the protocol: index, age, authenticity, replay; then endpoint, timers, counters and
 * key confirmation of the peer; only then the inner packet.
 *
 * With one worker, events that are posted are handled before the call returns. Handling an event does not free the
 * session in use (peer_post asserts it) nor its index. Handshake messages always wait for control.
 */
#include "tunnel/ingress.h"

#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "crypto/message.h"
#include "packet/ip.h"
#include "packet/virtio.h"
#include "tunnel/admission.h"
#include "tunnel/peer.h"

enum { GAP = AEAD_HEADROOM, ALIGNMENT = 64 };

/* How long a refused kind of super-packet is not tried again. The pause doubles with each refusal. */
#define RETRY_MIN (60 * NS_PER_S)
#define RETRY_MAX (64 * RETRY_MIN)

static_assert((int)UDP_HEADROOM >= (int)AEAD_HEADROOM && (int)UDP_TAILROOM >= (int)AEAD_TAILROOM,
			  "a cipher may read around a message");
static_assert((int)VIRTIO_HEADER == (int)TUN_VIRTIO, "one virtio header");

/* The sender of one message, and results that its datagrams share. Nearly always all of them have one session. */
struct sender {
	const struct endpoint *from;
	uint64_t now;
	uint8_t ecn;
	uint32_t index;
	struct peer_index *known; /* the entry of `index`; NULL: not looked up */
	struct peer *peer;        /* an authentic datagram came from it; its endpoint is set */
	uint32_t bytes;           /* authentic bytes that peer->rx_bytes does not contain yet */
	const struct peer *owner; /* of the inner source that was looked up last */
	uint8_t inner_length, inner[16];
};

static void ingress_count(struct ingress *ingress, unsigned counter, uint64_t n)
{
	ingress->counters->value[counter] += n;
}

/* --- write -------------------------------------------------------------------------- */

static void write_packet(struct ingress *ingress, const struct coalesce_packet *packet)
{
	uint8_t plain[VIRTIO_HEADER] = { 0 };
	struct iovec iov[] = { { plain, sizeof plain }, { packet->data, packet->length } };
	int error = tun_write(ingress->tun, iov, 2);

	ingress_count(ingress, error ? DROP_TUN_WRITE : COUNT_TUN_WRITTEN, 1);
}

static void update_retry_due(struct ingress *ingress)
{
	uint64_t tcp = ingress->tcp_retry.due, udp = ingress->udp_retry.due;

	ingress->retry_due = !tcp || (udp && udp < tcp) ? udp : tcp;
	if (!ingress->retry_due)
		ingress->retry_due = UINT64_MAX;
}

/*
 * The TUN has refused a super-packet of this kind: writes single packets, and tries again after a pause. A kind that
 * was accepted for longer than the last pause begins with the shortest one again.
 */
static void stop_merging(struct ingress *ingress, const struct coalesce_frame *frame)
{
	struct coalesce_limits *limits = &ingress->coalescer.limits;
	uint64_t now = ingress->now;
	struct merge_retry *retry;
	struct virtio_header header;
	bool tcp;

	virtio_decode(&header, frame->virtio);
	tcp = header.gso_type != VIRTIO_GSO_UDP_L4;
	*(tcp ? &limits->tcp : &limits->udp) = false;
	retry = tcp ? &ingress->tcp_retry : &ingress->udp_retry;
	if (!retry->pause || now - retry->tried > retry->pause)
		retry->pause = RETRY_MIN;
	else if (retry->pause < RETRY_MAX)
		retry->pause *= 2;
	retry->due = now + retry->pause;
	update_retry_due(ingress);
	log_info(ingress->device->name, "the TUN takes no merged %s packets; writing them one by one for %" PRIu64 " s",
			 tcp ? "TCP" : "UDP", retry->pause / NS_PER_S);
}

static void retry_merging(struct ingress *ingress, uint64_t now)
{
	struct coalesce_limits *limits = &ingress->coalescer.limits;

	if (ingress->tcp_retry.due && now >= ingress->tcp_retry.due) {
		ingress->tcp_retry = (struct merge_retry) { .tried = now, .pause = ingress->tcp_retry.pause };
		limits->tcp = true;
	}
	if (ingress->udp_retry.due && now >= ingress->udp_retry.due) {
		ingress->udp_retry = (struct merge_retry) { .tried = now, .pause = ingress->udp_retry.pause };
		limits->udp = true;
	}
	update_retry_due(ingress);
}

static void write_run(void *context, const struct coalesce_run *run)
{
	struct ingress *ingress = context;
	struct coalesce_frame frame;
	struct iovec iov[COALESCE_IOVECS];
	int iov_count = coalesce_iovec(run, &frame, iov);
	int error = tun_write(ingress->tun, iov, iov_count);

	if (!error || run->count == 1) {
		ingress_count(ingress, error ? DROP_TUN_WRITE : COUNT_TUN_WRITTEN, 1);
		return;
	}
	ingress_count(ingress, COUNT_MERGE_REFUSED, 1);
	if (error == -EINVAL)
		stop_merging(ingress, &frame);
	for (uint32_t i = 0; i < run->count; i++)
		write_packet(ingress, &run->packets[i]);
}

static void write_all_runs(struct ingress *ingress)
{
	coalesce_flush(&ingress->coalescer);
	ingress->used = 0;
}

int ingress_init(struct ingress *ingress)
{
	struct coalesce_limits limits = { .tcp = ingress->tun->write_tso, .udp = ingress->tun->write_uso };

	ingress->received = udp_batch_create();
	ingress->opened = aligned_alloc(ALIGNMENT, INGRESS_OPENED);
	if (!ingress->received || !ingress->opened) {
		ingress_destroy(ingress);
		return -ENOMEM;
	}
	coalesce_init(&ingress->coalescer, limits, write_run, ingress);
	update_retry_due(ingress);
	return 0;
}

void ingress_destroy(struct ingress *ingress)
{
	udp_batch_destroy(ingress->received);
	free(ingress->opened);
	*ingress = (struct ingress) { 0 };
}

/* --- inner packets ------------------------------------------------------------------ */

/* Explicit congestion notification out of the tunnel (RFC 6040, section 4.2), except that nothing is dropped. */
static void combine_ecn(uint8_t *packet, uint8_t outer)
{
	enum { NOT_ECT, ECT1, ECT0, CE };
	uint8_t inner = ip_ecn(packet);

	if (inner == NOT_ECT || inner == CE)
		return;
	if (outer == CE || (outer == ECT1 && inner == ECT0))
		ip_set_ecn(packet, outer);
}

/*
 * Returns whether the inner source belongs to the peer. Most datagrams of a message are of one flow, so the last answer
 * is kept.
 */
static bool is_source_allowed(const struct device *device, struct sender *sender, const uint8_t *packet)
{
	const uint8_t *from = ip_source(packet);
	uint8_t length = packet[0] >> 4 == 4 ? 4 : 16;

	if (sender->owner == sender->peer && sender->inner_length == length && !memcmp(sender->inner, from, length))
		return true;
	sender->owner = peer_of_allowed_ips(length == 4 ? allowedips_lookup4(&device->allowed_ips, from)
													: allowedips_lookup6(&device->allowed_ips, from));
	sender->inner_length = length;
	memcpy(sender->inner, from, length);
	return sender->owner == sender->peer;
}

/* Checks an opened packet of `n` bytes, which include its padding, and hands it to the coalescer. */
static void packet_in(struct ingress *ingress, struct sender *sender, uint8_t *packet, size_t n)
{
	int version = ip_version(packet, n);
	size_t length = version ? ip_length(packet) : 0;

	if (!version || length > n || length < (version == 4 ? IPV4_HEADER : IPV6_HEADER)) {
		ingress_count(ingress, DROP_INNER, 1);
		return;
	}
	if (!is_source_allowed(ingress->device, sender, packet)) {
		ingress_count(ingress, DROP_INNER_SOURCE, 1);
		return;
	}
	if (sender->ecn)
		combine_ecn(packet, sender->ecn);
	coalesce_add(&ingress->coalescer, packet, length);
}

/* --- datagrams ---------------------------------------------------------------------- */

static void count_received(struct sender *sender)
{
	if (sender->bytes)
		atomic_fetch_add_explicit(&sender->peer->rx_bytes, sender->bytes, memory_order_relaxed);
	sender->bytes = 0;
}

static struct session *find_session(const struct device *device, struct sender *sender, const uint8_t *datagram)
{
	uint32_t index = get_le32(datagram + offsetof(struct message_data, receiver));

	if (!sender->known || sender->index != index) {
		struct map_node *node = map_first(&device->by_index, index);

		sender->index = index;
		sender->known = node ? container_of(node, struct peer_index, node) : NULL;
	}
	return sender->known ? sender->known->session : NULL;
}

/* A datagram of `n` bytes was authentic and new: updates its peer, before the inner packet is looked at. */
static void authentic_datagram(struct ingress *ingress, struct sender *sender, struct session *session, size_t n)
{
	struct peer *peer = sender->known->peer;

	if (sender->peer != peer) {
		count_received(sender);
		sender->peer = peer;
		if (!endpoint_equal(peer_last_from(peer), sender->from) && peer_move(peer, sender->from))
			peer_post(peer, PEER_EVENT_MOVED, session, sender->now);
	}
	sender->bytes += (uint32_t)n;
	ingress_count(ingress, COUNT_OPENED, 1);
	timers_any_received(&ingress->device->timers, &peer->timers, sender->now);
	/* NOLINTNEXTLINE(clang-analyzer-core.NullDereference): each index belongs to a peer */
	if (session == peer->sessions.next && !atomic_exchange(&session->confirmed, true))
		peer_post(peer, PEER_EVENT_CONFIRMED, session, sender->now);
	if (!peer->timers.late_rekey_sent && session == peer->sessions.current &&
		session_rekey_on_receive(session, sender->now)) {
		peer->timers.late_rekey_sent = true;
		peer_post(peer, PEER_EVENT_HANDSHAKE, session, sender->now);
	}
}

/* Returns where to open a datagram. A place in the area is not given back; few datagrams are dropped at this point. */
static uint8_t *place_for(struct ingress *ingress, const struct session *session, uint8_t *datagram, size_t n)
{
	uint8_t *place = ingress->opened + ingress->used + GAP;

	if (session->cipher->in_place)
		return datagram + DATA_HEADER;
	ingress->used += GAP + ((n - DATA_OVERHEAD + ALIGNMENT - 1) & ~(size_t)(ALIGNMENT - 1));
	return place;
}

static void data_in(struct ingress *ingress, struct sender *sender, uint8_t *datagram, size_t n)
{
	struct session *session = find_session(ingress->device, sender, datagram);
	uint8_t *packet;
	int error;

	if (!session || session_expired(session, sender->now)) {
		ingress_count(ingress, session ? DROP_EXPIRED : DROP_INDEX, 1);
		return;
	}
	packet = place_for(ingress, session, datagram, n);
	error = session_open_by(session, ingress->aead, packet, datagram, n);
	if (error) {
		ingress_count(ingress, error == -EALREADY ? DROP_REPLAY : DROP_FORGED, 1);
		return;
	}
	authentic_datagram(ingress, sender, session, n);
	if (n == DATA_OVERHEAD)
		return;
	timers_data_received(&ingress->device->timers, &sender->peer->timers, sender->now);
	packet_in(ingress, sender, packet, n - DATA_OVERHEAD);
}

static void datagram_in(struct ingress *ingress, struct sender *sender, uint8_t *datagram, size_t n)
{
	ingress_count(ingress, COUNT_RECEIVED, 1);
	if (n < MESSAGE_SMALLEST) {
		ingress_count(ingress, DROP_MALFORMED, 1);
	} else if (get_le32(datagram) == MESSAGE_DATA) {
		data_in(ingress, sender, datagram, n);
	} else {
		admission_post(ingress->device, ingress->counters, datagram, n, sender->from, sender->now);
	}
}

static_assert(UDP_MESSAGE + (UDP_MESSAGE_SEGMENTS + 1) * (GAP + ALIGNMENT) + AEAD_TAILROOM <= INGRESS_OPENED,
			  "each message that udp_receive returns fits the area");

/* Opened, the datagrams of the message take at most this many bytes of the area. */
static size_t opened_max(const struct udp_message *message)
{
	size_t datagrams = message->length / message->size + 1;

	return message->length + datagrams * (GAP + ALIGNMENT) + AEAD_TAILROOM;
}

static void message_in(struct ingress *ingress, const struct udp_message *message, uint64_t now)
{
	struct sender sender = { .from = &message->from, .now = now, .ecn = message->traffic_class & 3 };

	for (uint32_t at = 0, n; at < message->length; at += n) {
		n = message->length - at < message->size ? message->length - at : message->size;
		datagram_in(ingress, &sender, message->data + at, n);
	}
	count_received(&sender);
}

void ingress_drain(struct ingress *ingress, int fd, uint64_t now)
{
	struct udp_message messages[UDP_BATCH];
	struct udp_dropped dropped = { 0 };
	int count = udp_receive(ingress->udp, fd, ingress->received, messages, &dropped);

	ingress->now = now;
	if (now >= ingress->retry_due)
		retry_merging(ingress, now);
	if (dropped.truncated || dropped.segments) {
		ingress_count(ingress, DROP_TRUNCATED, dropped.truncated);
		ingress_count(ingress, DROP_SEGMENTS, dropped.segments);
	}
	for (int i = 0; i < count; i++) {
		size_t needed = opened_max(&messages[i]);

		if (ingress->used + needed > INGRESS_OPENED) {
			write_all_runs(ingress);
			if (needed > INGRESS_OPENED) {
				ingress_count(ingress, DROP_SEGMENTS, 1);
				continue;
			}
		}
		message_in(ingress, &messages[i], now);
	}
	write_all_runs(ingress);
}
