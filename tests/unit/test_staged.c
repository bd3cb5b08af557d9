#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "staged.h"

enum { LARGEST = 65545 };

static uint8_t packet[LARGEST], copy[LARGEST];

static void fill(uint8_t seed)
{
	for (size_t i = 0; i < sizeof packet; i++)
		packet[i] = (uint8_t)(i * 31 + seed);
}

static void packets_come_out_as_they_went_in(void **state)
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

static void the_oldest_go_first_and_the_new_one_stays_whole(void **state)
{
	struct staged_pool pool;
	struct staged_queue queue = { 0 };

	assert_int_equal(staged_pool_init(&pool), 0);
	for (uint8_t i = 0; i < 128; i++)
		assert_int_equal(staged_push(&pool, &queue, 0, &i, 1, 1), 0);
	assert_int_equal(staged_push(&pool, &queue, 0, (const uint8_t *)"\x80", 1, 1), 1);
	assert_int_equal(queue.segments, 128);
	assert_int_equal(staged_pop(&pool, &queue, 0, copy), 1);
	assert_int_equal(copy[0], 1); /* the 0 has gone */
	assert_int_equal(staged_push(&pool, &queue, 0, packet, 60000, 44), 43);
	assert_int_equal(queue.segments, 128);
	assert_int_equal(staged_push(&pool, &queue, 0, packet, 65000, 65000), 85); /* more than a queue, alone */
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
	assert_in_range(pushed, 16, 60); /* the pool is bounded, and holds a super-packet of some peers */
	assert_null(queues[pushed].first);
	assert_int_equal(staged_push(&pool, &queues[0], 0, packet, LARGEST, 48), 1); /* its own oldest makes room */
	assert_int_equal(queues[0].segments, 48);
	assert_int_equal(staged_clear(&pool, &queues[1]), 1);
	assert_int_equal(staged_push(&pool, &queues[pushed], 0, packet, LARGEST, 48), 0);
	for (uint32_t i = 0; i <= pushed; i++)
		staged_clear(&pool, &queues[i]);
	assert_int_equal(pool.available, STAGED_CHUNKS);
	staged_pool_destroy(&pool);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(packets_come_out_as_they_went_in),
		cmocka_unit_test(the_oldest_go_first_and_the_new_one_stays_whole),
		cmocka_unit_test(a_full_pool_drops_and_recovers),
	};
	return cmocka_run_group_tests_name("staged", tests, NULL, NULL);
}
