/* SPDX-License-Identifier: MIT */
/* Staged packets: order, limits, several workers and several threads. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include <pthread.h>

#include "tunnel/staged.h"

enum { LARGEST = 65545, THREADS = 4, ROUNDS = 4000, SHARED = 3 };

static uint8_t packet[LARGEST], copy[LARGEST];

static void fill(uint8_t seed)
{
	for (size_t i = 0; i < sizeof packet; i++)
		packet[i] = (uint8_t)(i * 31 + seed);
}

static void packets_are_popped_as_they_were_pushed(void **state)
{
	static const size_t lengths[] = { 1, 30, 2015, 2016, 2017, 4032, 40000, LARGEST };
	struct staged_pool pool;
	struct staged_queue queue = { 0 };

	assert_int_equal(staged_pool_init(&pool), 0);
	for (uint8_t i = 0; i < 8; i++) {
		fill(i);
		assert_int_equal(staged_push(&pool, &queue, 0, packet, lengths[i], 2), 0);
	}
	assert_int_equal(queue.segments, 16);
	for (uint8_t i = 0; i < 8; i++) {
		fill(i);
		assert_int_equal(staged_pop(&pool, &queue, 0, copy), lengths[i]);
		assert_memory_equal(copy, packet, lengths[i]);
	}
	assert_int_equal(staged_pop(&pool, &queue, 0, copy), 0);
	assert_int_equal(queue.segments, 0);
	assert_int_equal(pool.available, STAGED_CHUNKS);
	staged_pool_destroy(&pool);
}

static void the_oldest_packets_are_dropped_and_the_new_one_stays_whole(void **state)
{
	struct staged_pool pool;
	struct staged_queue queue = { 0 };

	assert_int_equal(staged_pool_init(&pool), 0);
	for (uint8_t i = 0; i < 128; i++)
		assert_int_equal(staged_push(&pool, &queue, 0, &i, 1, 1), 0);
	assert_int_equal(staged_push(&pool, &queue, 0, (const uint8_t *)"\x80", 1, 1), 1);
	assert_int_equal(queue.segments, 128);
	assert_int_equal(staged_pop(&pool, &queue, 0, copy), 1);
	assert_int_equal(copy[0], 1); /* packet 0 was dropped */
	assert_int_equal(staged_push(&pool, &queue, 0, packet, 60000, 44), 43);
	assert_int_equal(queue.segments, 128);
	assert_int_equal(staged_push(&pool, &queue, 0, packet, 65000, 65000),
					 85); /* one packet with more segments than a queue may hold */
	assert_int_equal(staged_pop(&pool, &queue, 0, copy), 65000);
	assert_null(queue.first);
	staged_pool_destroy(&pool);
}

static void a_full_pool_drops_and_recovers(void **state)
{
	struct staged_pool pool;
	static struct staged_queue queues[64];
	uint32_t pushed = 0;

	memset(queues, 0, sizeof queues);
	assert_int_equal(staged_pool_init(&pool), 0);
	while (pushed < 64 && !staged_push(&pool, &queues[pushed], 0, packet, LARGEST, 48))
		pushed++;
	assert_uint_in_range(pushed, 16, 60); /* the pool is bounded, and has room for super-packets of several peers */
	assert_null(queues[pushed].first);
	assert_int_equal(staged_push(&pool, &queues[0], 0, packet, LARGEST, 48),
					 1); /* the oldest packet of this queue makes room */
	assert_int_equal(queues[0].segments, 48);
	assert_int_equal(staged_clear(&pool, &queues[1]), 1);
	assert_int_equal(staged_push(&pool, &queues[pushed], 0, packet, LARGEST, 48), 0);
	for (uint32_t i = 0; i <= pushed; i++)
		staged_clear(&pool, &queues[i]);
	assert_int_equal(pool.available, STAGED_CHUNKS);
	staged_pool_destroy(&pool);
}

/* --- several workers ---------------------------------------------------------------- */

static void push(struct staged_pool *pool, struct staged_queue *queue, unsigned worker, uint8_t content)
{
	assert_int_equal(staged_push(pool, queue, worker, &content, 1, 1), 0);
}

static void expect(struct staged_pool *pool, struct staged_queue *queue, unsigned worker, uint8_t content)
{
	assert_int_equal(staged_pop(pool, queue, worker, copy), 1);
	assert_int_equal(copy[0], content);
}

static void each_worker_pops_its_own_packets_in_order(void **state)
{
	static const uint8_t by[] = { 0, 1, 31, 1, 0, 31, 0, 1 };
	struct staged_pool pool;
	struct staged_queue queue = { 0 };

	assert_int_equal(staged_pool_init(&pool), 0);
	for (uint8_t i = 0; i < sizeof by; i++)
		push(&pool, &queue, by[i], i);
	assert_int_equal(staged_pop(&pool, &queue, 7, copy), 0);
	expect(&pool, &queue, 1, 1);
	expect(&pool, &queue, 31, 2);
	expect(&pool, &queue, 1, 3);
	expect(&pool, &queue, 1, 7); /* the last packet of the queue */
	assert_int_equal(staged_pop(&pool, &queue, 1, copy), 0);
	push(&pool, &queue, 1, 8); /* the queue still has a valid last packet */
	expect(&pool, &queue, 0, 0);
	expect(&pool, &queue, 31, 5);
	expect(&pool, &queue, 0, 4);
	expect(&pool, &queue, 1, 8);
	expect(&pool, &queue, 0, 6);
	assert_null(queue.first);
	assert_null(queue.last);
	assert_int_equal(queue.segments, 0);
	assert_int_equal(pool.available, STAGED_CHUNKS);
	staged_pool_destroy(&pool);
}

static void the_queue_knows_which_workers_have_packets(void **state)
{
	struct staged_pool pool;
	struct staged_queue queue = { 0 };

	assert_int_equal(staged_pool_init(&pool), 0);
	assert_int_equal(staged_waiting(&queue), 0);
	push(&pool, &queue, 0, 0);
	push(&pool, &queue, 31, 1);
	push(&pool, &queue, 0, 2);
	assert_int_equal(staged_waiting(&queue), UINT32_C(1) << 31 | 1);
	expect(&pool, &queue, 0, 0);
	assert_int_equal(staged_waiting(&queue), UINT32_C(1) << 31 | 1);
	expect(&pool, &queue, 0, 2);
	assert_int_equal(staged_waiting(&queue), UINT32_C(1) << 31);
	push(&pool, &queue, 3, 3);
	assert_int_equal(staged_waiting(&queue), UINT32_C(1) << 31 | 1 << 3);
	assert_int_equal(staged_clear(&pool, &queue), 2);
	assert_int_equal(staged_waiting(&queue), 0);
	staged_pool_destroy(&pool);
}

/* The oldest packet of the peer is dropped, whichever worker staged it. That worker then has nothing waiting. */
static void the_oldest_packet_of_another_worker_makes_room(void **state)
{
	struct staged_pool pool;
	struct staged_queue queue = { 0 };

	assert_int_equal(staged_pool_init(&pool), 0);
	push(&pool, &queue, 5, 1);
	push(&pool, &queue, 6, 2);
	for (uint8_t i = 0; i < STAGED_SEGMENTS - 2; i++)
		push(&pool, &queue, 7, i);
	assert_int_equal(staged_push(&pool, &queue, 8, packet, 1, 1), 1);
	assert_int_equal(staged_waiting(&queue), 1 << 6 | 1 << 7 | 1 << 8);
	assert_int_equal(staged_pop(&pool, &queue, 5, copy), 0);
	expect(&pool, &queue, 6, 2);
	assert_int_equal(queue.segments, STAGED_SEGMENTS - 1);
	staged_pool_destroy(&pool);
}

struct player {
	pthread_t id;
	unsigned number;
	struct staged_pool *pool;
	struct staged_queue *queues;
	uint64_t pushed, popped, dropped, disorder;
};

/* A packet of varying length that contains its number and its queue. */
static void push_numbered(struct player *player, uint32_t number)
{
	uint8_t numbered[5000] = { (uint8_t)player->number };
	size_t length = 8 + number * 37 % (sizeof numbered - 8);

	memcpy(numbered + 4, &number, sizeof number);
	player->dropped += staged_push(player->pool, &player->queues[number % SHARED], player->number, numbered, length, 3);
	player->pushed++;
}

static void pop_numbered(struct player *player, struct staged_queue *queue, uint32_t *last)
{
	uint8_t popped[5000];
	size_t length = staged_pop(player->pool, queue, player->number, popped);
	uint32_t number;

	if (!length)
		return;
	memcpy(&number, popped + 4, sizeof number);
	player->popped++;
	player->disorder += popped[0] != player->number || number <= *last || length != 8 + number * 37 % 4992;
	*last = number;
}

static void *play(void *argument)
{
	struct player *player = argument;
	uint32_t last[SHARED] = { 0 };

	for (uint32_t number = 1; number <= ROUNDS; number++) {
		push_numbered(player, number);
		for (uint32_t pops = number % 5; pops; pops--)
			pop_numbered(player, &player->queues[(number + pops) % SHARED], &last[(number + pops) % SHARED]);
		if (number % 500 == 0)
			player->dropped += staged_clear(player->pool, &player->queues[number % SHARED]);
	}
	return NULL;
}

static void threads_share_the_pool_and_count_each_lost_packet(void **state)
{
	struct staged_pool pool;
	struct staged_queue queues[SHARED] = { 0 };
	struct player players[THREADS], sum = { 0 };

	assert_int_equal(staged_pool_init(&pool), 0);
	for (unsigned i = 0; i < THREADS; i++) {
		players[i] = (struct player) { .number = i, .pool = &pool, .queues = queues };
		assert_int_equal(pthread_create(&players[i].id, NULL, play, &players[i]), 0);
	}
	for (int i = 0; i < THREADS; i++) {
		pthread_join(players[i].id, NULL);
		sum.pushed += players[i].pushed;
		sum.popped += players[i].popped;
		sum.dropped += players[i].dropped;
		sum.disorder += players[i].disorder;
	}
	for (int i = 0; i < SHARED; i++)
		sum.dropped += staged_clear(&pool, &queues[i]);
	assert_int_equal(sum.disorder, 0);
	assert_true(sum.popped > ROUNDS);
	assert_int_equal(sum.pushed, sum.popped + sum.dropped);
	assert_int_equal(pool.available, STAGED_CHUNKS);
	staged_pool_destroy(&pool);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(packets_are_popped_as_they_were_pushed),
		cmocka_unit_test(the_oldest_packets_are_dropped_and_the_new_one_stays_whole),
		cmocka_unit_test(a_full_pool_drops_and_recovers),
		cmocka_unit_test(each_worker_pops_its_own_packets_in_order),
		cmocka_unit_test(the_queue_knows_which_workers_have_packets),
		cmocka_unit_test(the_oldest_packet_of_another_worker_makes_room),
		cmocka_unit_test(threads_share_the_pool_and_count_each_lost_packet),
	};
	return cmocka_run_group_tests_name("staged", tests, NULL, NULL);
}
