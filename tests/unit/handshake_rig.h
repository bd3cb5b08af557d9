/* SPDX-License-Identifier: MIT */
/* Two devices that exchange messages through an array instead of a network, on a clock of the test. */
#ifndef ADIT_TEST_HANDSHAKE_RIG_H
#define ADIT_TEST_HANDSHAKE_RIG_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>
#include <sodium.h>

#include "base/bytes.h"
#include "base/clock.h"
#include "locked_calls.h"
#include "tunnel/control.h"
#include "tunnel/handshake.h"

enum { MAIL = 512 };

struct letter {
	uint8_t bytes[256];
	size_t n;
	uint8_t traffic_class;
	struct endpoint to;
	uint64_t at;
};

/* One end: a device, its only peer, and the messages that it sent. */
struct end {
	struct device device;
	struct peer *peer;
	struct endpoint address;
	struct letter sent[MAIL];
	int count, read;
	int send_error; /* of each message; 0: it is sent */
};

static uint64_t now;
static struct end left, right;
static int stamps;      /* timestamps made */
static int64_t stepped; /* by how much the wall clock was set forward */

static inline uint64_t realtime(void)
{
	stamps++;
	return 1700000000 * NS_PER_S + now + (uint64_t)stepped;
}

static inline uint64_t boottime(void)
{
	return now;
}

static inline int post(void *context, struct peer *peer, const struct endpoint *to, const void *message, size_t n,
					   uint8_t traffic_class)
{
	struct end *end = context;
	struct letter *letter = &end->sent[end->count];

	if (end->send_error)
		return end->send_error;
	assert_true(++end->count < MAIL && n <= sizeof letter->bytes);
	*letter = (struct letter) { .n = n, .traffic_class = traffic_class, .to = *to, .at = now };
	memcpy(letter->bytes, message, n);
	return 0;
}

static inline void peer_gone(void *context, struct peer *peer)
{
}

static inline int bind_nothing(void *context, uint16_t *port, uint32_t mark)
{
	return 0;
}

static inline void unbind_nothing(void *context)
{
}

static const struct device_ops ops = {
	.send = post, .bind = bind_nothing, .unbind = unbind_nothing, .peer_gone = peer_gone
};

static inline struct endpoint address(uint8_t host, uint16_t port)
{
	struct endpoint endpoint = { 0 };

	endpoint.to.v4.sin_family = AF_INET;
	endpoint.to.v4.sin_port = htons(port);
	endpoint.to.v4.sin_addr.s_addr = htonl(0xc0000200u + host);
	return endpoint;
}

static inline void end_init(struct end *end, const char *name, uint8_t host)
{
	uint8_t key[NOISE_KEY];

	memset(end, 0, sizeof *end);
	assert_int_equal(control_init(&end->device, name, &aead_libsodium, NULL), 0);
	end->device.realtime = realtime;
	end->device.boottime = boottime;
	end->device.ops = &ops;
	end->device.ops_context = end;
	end->device.up = true;
	end->address = address(host, 51820);
	randombytes_buf(key, sizeof key);
	control_set_private_key(&end->device, key);
}

static inline void add_each_other(struct end *end, const struct end *other)
{
	end->peer = peer_add(&end->device, other->device.identity.public_key);
	assert_non_null(end->peer);
	end->peer->endpoint = other->address;
}

static inline void confirm_next(struct peer *peer)
{
	device_lock(peer->device);
	peer_confirm_next(peer, now);
	device_unlock(peer->device);
}

static inline int set_up(void **state)
{
	now = 1000 * NS_PER_S;
	stepped = 0;
	end_init(&left, "left", 1);
	end_init(&right, "right", 2);
	add_each_other(&left, &right);
	add_each_other(&right, &left);
	return 0;
}

static inline int tear_down(void **state)
{
	control_destroy(&left.device, NULL);
	control_destroy(&right.device, NULL);
	return 0;
}

static inline const struct letter *last(const struct end *end)
{
	assert_true(end->count > 0);
	return &end->sent[end->count - 1];
}

static inline void hand_over(struct end *to, const struct letter *letter, const struct endpoint *from)
{
	uint8_t copy[sizeof letter->bytes];

	memcpy(copy, letter->bytes, sizeof copy);
	admission_post(&to->device, &to->device.counters, copy, letter->n, from, now);
}

/* Delivers handshake messages both ways until none is left. Data messages are not delivered. */
static inline void carry(void)
{
	for (bool busy = true; busy;) {
		struct end *const ends[] = { &left, &right };
		busy = false;
		for (int i = 0; i < 2; i++) {
			for (; ends[i]->read < ends[i]->count; ends[i]->read++, busy = true) {
				const struct letter *letter = &ends[i]->sent[ends[i]->read];
				if (get_le32(letter->bytes) != MESSAGE_DATA)
					hand_over(ends[!i], letter, &ends[i]->address);
			}
		}
	}
}

static inline uint64_t count(const struct end *end, enum counter counter)
{
	return end->device.counters.value[counter];
}

static inline void shake_hands(void)
{
	handshake_initiate(left.peer, now, false);
	carry();
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

#endif
