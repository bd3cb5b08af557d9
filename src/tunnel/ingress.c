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
#include <stdlib.h>
#include <string.h>

#include "base/amount.h"
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
	struct session *session;  /* an authentic datagram came under it */
	struct peer *peer;        /* of that session; its endpoint is set */
	uint32_t bytes;           /* authentic bytes that peer->rx_bytes does not contain yet */
	const struct peer *owner; /* of the inner source that was looked up last */
	uint8_t inner_length, inner[16];
};

/* --- write ----- */

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
	char pause[AMOUNT_TEXT];
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
	atomic_store_explicit(&ingress->device->unmerged_until, retry->due, memory_order_relaxed);
	log_info(ingress->device->name, "the TUN takes no merged %s packets; writing them one by one for %s",
			 tcp ? "TCP" : "UDP", amount_age(pause, retry->pause / NS_PER_S));
}

/* Allows merging of a refused kind of super-packet again when its pause is over. */
static void retry_merging(struct merge_retry *retry, bool *allowed, uint64_t now)
{
	if (!retry->due || now < retry->due)
		return;
	retry->due = 0;
	retry->tried = now;
	*allowed = true;
}

/* Counts a write of `packets` packets to the TUN, which returned `error`. */
static void count_written(struct ingress *ingress, uint32_t packets, int error)
{
	ingress->counters->value[error ? DROP_TUN_WRITE : COUNT_TUN_WRITTEN]++;
	if (!error)
		counters_add_batches(ingress->counters, HISTOGRAM_TUN_WRITE, packets, 1);
}

static void write_run(void *context, const struct coalesce_run *run)
{
	struct ingress *ingress = context;
	struct coalesce_frame frame;
	struct iovec iov[COALESCE_IOVECS];
	int iov_count = coalesce_iovec(run, &frame, iov);
	int error = tun_write(ingress->tun, iov, iov_count);

	if (!error || run->count == 1) {
		count_written(ingress, run->count, error);
		return;
	}
	ingress->counters->value[COUNT_MERGE_REFUSED]++;
	if (error == -EINVAL)
		stop_merging(ingress, &frame);
	memset(frame.virtio, 0, sizeof frame.virtio);
	for (uint32_t i = 0; i < run->count; i++) {
		iov[1] = (struct iovec) { run->packets[i].data, run->packets[i].length };
		error = tun_write(ingress->tun, iov, 2);
		count_written(ingress, 1, error);
	}
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
	return 0;
}

void ingress_destroy(struct ingress *ingress)
{
	udp_batch_destroy(ingress->received);
	free(ingress->opened);
	*ingress = (struct ingress) { 0 };
}

/* --- inner packets ----- */

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

/*
 * Counts and reports an inner source that is not an allowed IP of the peer. Link-local and unspecified addresses are no
 * mistake: the kernel of the peer sends from them by itself.
 */
static __attribute__((cold, noinline)) void drop_source(struct ingress *ingress, const struct sender *sender,
														const uint8_t *packet)
{
	const uint8_t *source = ip_source(packet);
	struct problem problem = { .kind = PROBLEM_INNER_SOURCE, .address_length = packet[0] >> 4 == 4 ? 4 : 16 };

	ingress->counters->value[DROP_INNER_SOURCE]++;
	if (!ip_is_routable(source, problem.address_length))
		return;
	memcpy(problem.address, source, problem.address_length);
	peer_post_problem(sender->peer, &problem, sender->session, sender->now);
}

/* Checks an opened packet of `n` bytes, which include its padding, and hands it to the coalescer. */
static void packet_in(struct ingress *ingress, struct sender *sender, uint8_t *packet, size_t n)
{
	enum { NOT_ECT, ECT1, ECT0, CE };
	int version = ip_version(packet, n);
	size_t length = version ? ip_length(packet) : 0;
	uint8_t outer = sender->ecn, inner;

	if (!version || length > n || length < (version == 4 ? IPV4_HEADER : IPV6_HEADER)) {
		ingress->counters->value[DROP_INNER]++;
		return;
	}
	if (!is_source_allowed(ingress->device, sender, packet)) {
		drop_source(ingress, sender, packet);
		return;
	}
	/* Explicit congestion notification out of the tunnel (RFC 6040, section 4.2), except that nothing is dropped. */
	if (outer != NOT_ECT) {
		inner = ip_ecn(packet);
		if ((inner == ECT0 && outer != ECT0) || (inner == ECT1 && outer == CE))
			ip_set_ecn(packet, outer);
	}
	coalesce_add(&ingress->coalescer, packet, length);
}

/* --- datagrams ----- */

static void count_received(struct sender *sender)
{
	if (sender->bytes)
		atomic_fetch_add_explicit(&sender->peer->rx_bytes, sender->bytes, memory_order_relaxed);
	sender->bytes = 0;
}

/*
 * The first datagram of the message under this session was authentic and new: updates the peer, before the inner packet
 * is looked at. More datagrams would change nothing, because all of them come from one sender at the same time.
 */
static void authentic_session(struct ingress *ingress, struct sender *sender, struct session *session)
{
	struct peer *peer = sender->known->peer;

	sender->session = session;
	if (sender->peer != peer) {
		count_received(sender);
		sender->peer = peer;
		if (!endpoint_equal(peer_last_from(peer), sender->from) && peer_move(peer, sender->from))
			peer_post(peer, PEER_EVENT_MOVED, session, sender->now);
	}
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

static void data_in(struct ingress *ingress, struct sender *sender, uint8_t *datagram, size_t n)
{
	uint32_t index = get_le32(datagram + offsetof(struct message_data, receiver));
	struct session *session;
	uint8_t *packet = datagram + DATA_HEADER;
	int error;

	if (!sender->known || sender->index != index) {
		sender->index = index;
		sender->known = peer_index_find(ingress->device, index);
	}
	session = sender->known ? sender->known->session : NULL;
	if (!session || session_expired(session, sender->now)) {
		ingress->counters->value[session ? DROP_EXPIRED : DROP_INDEX]++;
		return;
	}
	if (!session->cipher->in_place) {
		/* This place in the area is not given back if the datagram is dropped, because few are. */
		packet = ingress->opened + ingress->used + GAP;
		ingress->used += GAP + ((n - DATA_OVERHEAD + ALIGNMENT - 1) & ~(size_t)(ALIGNMENT - 1));
	}
	error = session_open_by(session, ingress->aead, packet, datagram, n, sender->now);
	if (error) {
		ingress->counters->value[error == -EALREADY ? DROP_REPLAY : DROP_FORGED]++;
		return;
	}
	if (session != sender->session)
		authentic_session(ingress, sender, session);
	sender->bytes += (uint32_t)n;
	ingress->counters->value[COUNT_OPENED]++;
	if (n == DATA_OVERHEAD)
		return;
	timers_data_received(&ingress->device->timers, &sender->peer->timers, sender->now);
	packet_in(ingress, sender, packet, n - DATA_OVERHEAD);
}

static void message_in(struct ingress *ingress, const struct udp_message *message, uint64_t now)
{
	struct sender sender = { .from = &message->from, .now = now, .ecn = message->traffic_class & 3 };
	uint32_t datagrams = 0;

	for (uint32_t at = 0, n; at < message->length; at += n) {
		uint8_t *datagram = message->data + at;

		n = message->length - at < message->size ? message->length - at : message->size;
		datagrams++;
		if (n < MESSAGE_SMALLEST)
			ingress->counters->value[DROP_MALFORMED]++;
		else if (get_le32(datagram) == MESSAGE_DATA)
			data_in(ingress, &sender, datagram, n);
		else
			admission_post(ingress->device, ingress->counters, datagram, n, sender.from, now);
	}
	if (datagrams) {
		ingress->counters->value[COUNT_RECEIVED] += datagrams;
		counters_add_batches(ingress->counters, HISTOGRAM_UDP_RECEIVE, datagrams, 1);
	}
	count_received(&sender);
}

static_assert(UDP_MESSAGE + (UDP_MESSAGE_SEGMENTS + 1) * (GAP + ALIGNMENT) + AEAD_TAILROOM <= INGRESS_OPENED,
			  "each message that udp_receive returns fits the area");

void ingress_drain(struct ingress *ingress, int fd, uint64_t now)
{
	struct udp_message messages[UDP_BATCH];
	struct udp_dropped dropped = { 0 };
	int count = udp_receive(fd, ingress->received, messages, &dropped);

	if (count <= 0 && udp_take_errors(ingress->udp, fd))
		device_post_errors(ingress->device, ingress->counters, ingress->udp, now);
	ingress->now = now;
	retry_merging(&ingress->tcp_retry, &ingress->coalescer.limits.tcp, now);
	retry_merging(&ingress->udp_retry, &ingress->coalescer.limits.udp, now);
	if (dropped.truncated || dropped.segments) {
		ingress->counters->value[DROP_TRUNCATED] += dropped.truncated;
		ingress->counters->value[DROP_SEGMENTS] += dropped.segments;
	}
	for (int i = 0; i < count; i++) {
		const struct udp_message *message = &messages[i];
		/* Opened, the datagrams of the message take at most this many bytes of the area. */
		size_t needed = message->length + (message->length / message->size + 1) * (GAP + ALIGNMENT) + AEAD_TAILROOM;

		if (ingress->used + needed > INGRESS_OPENED) {
			write_all_runs(ingress);
			if (needed > INGRESS_OPENED) {
				ingress->counters->value[DROP_SEGMENTS]++;
				continue;
			}
		}
		message_in(ingress, message, now);
	}
	write_all_runs(ingress);
}
