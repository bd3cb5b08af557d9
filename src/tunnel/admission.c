/* SPDX-License-Identifier: MIT */
/*
 * Admission: the checks of a handshake message before any curve operation.
 *
 * Theory of operation
 *
 * Load is measured where messages arrive, by a bucket that holds more messages than a thousand peers send when they all
 * start at once. A message that finds a token is handled without a cookie, however long it waits, so later
 * messages do not cause the refusal of earlier ones.
 *
 * A handshake costs 100 to 300 us, a cookie reply about 5 us. So the cookie replies have a limit, too: in a flood of
 * initiations from forged addresses, each one beyond the limit costs only the check of its mac1. A sender without a
 * reply tries again 5 s later.
 */
#include "tunnel/admission.h"

#include "base/bytes.h"
#include "base/clock.h"
#include "crypto/message.h"
#include "tunnel/peer.h"

enum {
	LOAD_BURST = 1024,     /* handshake messages at once that are not load */
	LOAD_PER_SECOND = 640, /* the same, permanently: answering these takes a tenth of a core */
	LOAD_WAITING = MAILBOX_MESSAGES / 2,
	COOKIE_BURST = 64, /* cookie replies at once */
	COOKIES_PER_SECOND = 10000,
	PASSED = COUNTERS, /* no counter: the message is not dropped */
};
#define LOAD_INTERVAL (NS_PER_S / LOAD_PER_SECOND)
#define LOAD_TIME NS_PER_S /* how long the device stays under load after the last excess */
#define COOKIE_INTERVAL (NS_PER_S / COOKIES_PER_SECOND)

/* --- on the thread that received the message ----- */

/* Checks everything that costs little. Returns PASSED, or the counter of the drop. */
static unsigned screen_message(const struct device *device, const uint8_t *message, size_t n)
{
	uint32_t type = n >= sizeof(uint32_t) ? get_le32(message) : 0;
	const struct peer_index *index;

	if (!(type == MESSAGE_INITIATION && n == sizeof(struct message_initiation)) &&
		!(type == MESSAGE_RESPONSE && n == sizeof(struct message_response)) &&
		!(type == MESSAGE_COOKIE && n == sizeof(struct message_cookie)))
		return DROP_MALFORMED;
	if (!device->identity.has_key)
		return DROP_NO_KEY;
	if (type == MESSAGE_COOKIE) {
		/* It answers an initiation of ours, or a response that is not confirmed. */
		index = peer_index_find(device, get_le32(((const struct message_cookie *)message)->receiver));
		return index && (!index->session || index->session == index->peer->sessions.next) ? PASSED : DROP_HANDSHAKE;
	}
	if (!cookie_check_mac1(&device->checker, message, n))
		return DROP_MAC;
	if (type == MESSAGE_RESPONSE) {
		/* It answers an initiation of ours. */
		index = peer_index_find(device, get_le32(((const struct message_response *)message)->receiver));
		return index && !index->session ? PASSED : DROP_HANDSHAKE;
	}
	return PASSED;
}

void admission_post(struct device *device, struct counters *counters, const uint8_t *message, size_t n,
					const struct endpoint *from, uint64_t now)
{
	unsigned drop = screen_message(device, message, n);
	enum admission tag = ADMISSION_FREE;

	if (drop == PASSED && n != sizeof(struct message_cookie)) {
		/* Each initiation and response counts as load. */
		if (!token_bucket_take(&device->load, LOAD_BURST, LOAD_INTERVAL, now) ||
			mailbox_waiting(&device->mailbox) >= LOAD_WAITING)
			atomic_store_explicit(&device->load_until, now + LOAD_TIME, memory_order_relaxed);
		if (now < atomic_load_explicit(&device->load_until, memory_order_relaxed))
			tag = cookie_has_mac2(message, n) ? ADMISSION_MAC2 : ADMISSION_COOKIE;
		if (tag == ADMISSION_COOKIE && !token_bucket_take(&device->cookies, COOKIE_BURST, COOKIE_INTERVAL, now))
			drop = COUNT_UNDER_LOAD;
	}
	if (drop == DROP_MAC && token_bucket_take(&device->notices, NOTICE_BURST, NS_PER_S, now))
		mailbox_post_notice(&device->mailbox, NOTICE_WRONG_MAC1, message + offsetof(struct message_initiation, sender),
							sizeof(uint32_t), from, now);
	if (drop == PASSED && !mailbox_post_message(&device->mailbox, tag, message, n, from, now))
		drop = DROP_HANDSHAKE_QUEUE;
	if (drop != PASSED)
		counters->value[drop]++;
}

/* --- on control's thread ----- */

bool admission_allow(struct device *device, enum admission tag, const uint8_t *message, size_t n,
					 const struct endpoint *from, uint64_t now)
{
	uint8_t sender[ENDPOINT_BYTES];
	size_t length = endpoint_bytes(sender, from);
	struct message_cookie reply;

	if (tag == ADMISSION_FREE)
		return true;
	if (tag == ADMISSION_COOKIE || !cookie_check_mac2(&device->checker, message, n, sender, length, now)) {
		device_count(device, COUNT_UNDER_LOAD, 1);
		/* admission_post has taken the token of a message without mac2. */
		if (tag != ADMISSION_COOKIE && !token_bucket_take(&device->cookies, COOKIE_BURST, COOKIE_INTERVAL, now))
			return false;
		cookie_reply(&device->checker, &reply, message + offsetof(struct message_initiation, sender),
					 message + n - sizeof(struct message_macs), sender, length, now);
		device->ops->send(device->ops_context, NULL, from, &reply, sizeof reply, HANDSHAKE_TRAFFIC_CLASS);
		device_count(device, COUNT_COOKIE_SENT, 1);
		return false;
	}
	if (ratelimit_allow(device->ratelimit, sender, length - sizeof(in_port_t), now))
		return true;
	device_count(device, DROP_RATE, 1);
	return false;
}
