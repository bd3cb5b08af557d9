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

/* --- a full pool ----- */

enum { PEERS = 1100 };

static struct staged_queue peers[PEERS];

static void clear_all(struct staged_pool *pool)
{
	for (int i = 0; i < PEERS; i++)
		staged_clear(pool, &peers[i]);
	assert_int_equal(pool->available, STAGED_CHUNKS);
	assert_int_equal(pool->holders.count, 0);
	staged_pool_destroy(pool);
}

static void open_pool(struct staged_pool *pool)
{
	memset(peers, 0, sizeof peers);
	assert_int_equal(staged_pool_init(pool), 0);
}

static void a_full_pool_stays_bounded_and_recovers(void **state)
{
	struct staged_pool pool;
	uint32_t pushed = 0;

	open_pool(&pool);
	while (pushed < 64 && !staged_push(&pool, &peers[pushed], 0, packet, LARGEST, 48))
		pushed++;
	assert_uint_in_range(pushed, 16, 60); /* the pool has room for super-packets of several peers */
	assert_null(peers[0].first);          /* of equal peers the one that has waited longest loses its packet */
	assert_int_equal(peers[pushed].segments, 48);
	assert_int_equal(staged_push(&pool, &peers[1], 0, packet, LARGEST, 48), 1);
	assert_int_equal(peers[1].segments, 48); /* its own oldest packet has made room */
	assert_int_equal(staged_clear(&pool, &peers[1]), 1);
	assert_int_equal(staged_push(&pool, &peers[0], 0, packet, LARGEST, 48), 0);
	clear_all(&pool);
}

/* Eight offline peers fill their queues, and with them the pool, and keep sending. */
static void offline_peers_leave_room_for_the_first_packets_of_others(void **state)
{
	struct staged_pool pool;

	open_pool(&pool);
	for (int i = 0; i < 3 * STAGED_SEGMENTS; i++)
		for (int peer = 0; peer < 8; peer++)
			staged_push(&pool, &peers[peer], 0, packet, 1420, 1);
	assert_int_equal(pool.available, 0);
	for (int peer = 8; peer < 108; peer++)
		assert_int_equal(staged_push(&pool, &peers[peer], 0, packet, 100, 1), 1);
	for (int i = 0; i < STAGED_SEGMENTS; i++)
		for (int peer = 0; peer < 8; peer++)
			staged_push(&pool, &peers[peer], 0, packet, 1420, 1);
	for (int peer = 8; peer < 108; peer++)
		assert_int_equal(peers[peer].segments, 1);
	for (int peer = 0; peer < 8; peer++) /* the offline peers share the loss */
		assert_uint_in_range(peers[peer].chunks, (STAGED_CHUNKS - 100) / 8, (STAGED_CHUNKS - 100) / 8 + 1);
	clear_all(&pool);
}

/* As many offline peers as there are chunks: the one that has waited longest makes room. */
static void many_offline_peers_make_room_in_the_order_of_their_wait(void **state)
{
	struct staged_pool pool;

	open_pool(&pool);
	for (int peer = 0; peer < STAGED_CHUNKS; peer++)
		assert_int_equal(staged_push(&pool, &peers[peer], 0, packet, 100, 1), 0);
	assert_int_equal(staged_push(&pool, &peers[STAGED_CHUNKS], 0, packet, 100, 1), 1);
	assert_null(peers[0].first);
	assert_int_equal(staged_push(&pool, &peers[STAGED_CHUNKS + 1], 0, packet, LARGEST, 48), 33);
	for (int peer = 1; peer <= 33; peer++)
		assert_null(peers[peer].first);
	assert_int_equal(peers[STAGED_CHUNKS + 1].segments, 48);
	clear_all(&pool);
}

static void a_peer_keeps_its_packets_if_dropping_them_would_not_make_room(void **state)
{
	struct staged_pool pool;

	open_pool(&pool);
	for (int peer = 0; peer < 31; peer++)
		assert_int_equal(staged_push(&pool, &peers[peer], 0, packet, LARGEST, 48), 0);
	assert_int_equal(staged_push(&pool, &peers[31], 0, packet, 100, 1), 0);
	assert_int_equal(pool.available, 0);
	assert_int_equal(staged_push(&pool, &peers[31], 0, packet, LARGEST, 48), 1);
	assert_int_equal(peers[31].segments, 49);
	assert_int_equal(staged_pop(&pool, &peers[31], 0, copy), 100);
	clear_all(&pool);
}

/* The same rule, computed by a scan of all queues. `held` has the chunks of each packet of each queue, oldest first. */
struct model {
	uint32_t held[8][STAGED_SEGMENTS + 1], packets[8], chunks[8], since[8], serial;
};

static uint32_t model_pop(struct model *model, int peer)
{
	uint32_t chunks = model->held[peer][0];

	model->packets[peer]--;
	memmove(model->held[peer], model->held[peer] + 1, model->packets[peer] * sizeof(uint32_t));
	model->chunks[peer] -= chunks;
	return chunks;
}

static int model_victim(const struct model *model, int peer, uint32_t available, uint32_t chunks)
{
	int victim = -1;

	for (int i = 0; i < 8; i++)
		if (i != peer && model->packets[i] &&
			(victim < 0 || model->chunks[i] > model->chunks[victim] ||
			 (model->chunks[i] == model->chunks[victim] && model->since[i] < model->since[victim])))
			victim = i;
	if (victim < 0 ||
		(model->chunks[peer] + available >= chunks && model->chunks[peer] + chunks > model->chunks[victim]))
		return peer;
	return victim;
}

static uint32_t model_push(struct model *model, int peer, uint32_t chunks)
{
	uint32_t available = STAGED_CHUNKS, dropped = 0;

	for (int i = 0; i < 8; i++)
		available -= model->chunks[i];
	for (; model->packets[peer] == STAGED_SEGMENTS; dropped++)
		available += model_pop(model, peer);
	for (; available < chunks; dropped++)
		available += model_pop(model, model_victim(model, peer, available, chunks));
	if (!model->since[peer])
		model->since[peer] = ++model->serial;
	model->held[peer][model->packets[peer]++] = chunks;
	model->chunks[peer] += chunks;
	return dropped;
}

static void the_pool_drops_the_same_packets_as_a_naive_model(void **state)
{
	static struct model model;
	struct staged_pool pool;
	uint32_t random = 1;

	open_pool(&pool);
	for (int step = 0; step < 100000; step++) {
		int peer = (int)(random >> 8) % 8;
		size_t length = random >> 12 & 1 ? 1 + (random >> 13) % LARGEST : 1 + (random >> 13) % 2016;

		random = random * 1664525 + 1013904223;
		if (random >> 16 & 7) {
			assert_int_equal(staged_push(&pool, &peers[peer], 0, packet, length, 1),
							 model_push(&model, peer, (uint32_t)(length + 2015) / 2016));
		} else if (model.packets[peer]) {
			assert_int_equal((staged_pop(&pool, &peers[peer], 0, copy) + 2015) / 2016, model_pop(&model, peer));
		}
		for (int i = 0; i < 8; i++) {
			assert_int_equal(peers[i].segments, model.packets[i]);
			assert_int_equal(peers[i].chunks, model.chunks[i]);
			if (!model.packets[i])
				model.since[i] = 0;
		}
	}
	clear_all(&pool);
}

/* --- several workers ----- */

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
		cmocka_unit_test(a_full_pool_stays_bounded_and_recovers),
		cmocka_unit_test(offline_peers_leave_room_for_the_first_packets_of_others),
		cmocka_unit_test(many_offline_peers_make_room_in_the_order_of_their_wait),
		cmocka_unit_test(a_peer_keeps_its_packets_if_dropping_them_would_not_make_room),
		cmocka_unit_test(the_pool_drops_the_same_packets_as_a_naive_model),
		cmocka_unit_test(each_worker_pops_its_own_packets_in_order),
		cmocka_unit_test(the_queue_knows_which_workers_have_packets),
		cmocka_unit_test(the_oldest_packet_of_another_worker_makes_room),
		cmocka_unit_test(threads_share_the_pool_and_count_each_lost_packet),
	};
	return cmocka_run_group_tests_name("staged", tests, NULL, NULL);
}
