#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "batch.h"

static int ends[2]; /* two destinations, told apart by address alone */
static const struct batch_label to_a = { &ends[0], 0 }, to_b = { &ends[1], 0 }, marked = { &ends[0], 1 };

static void set_up(struct batch *batch)
{
	assert_int_equal(batch_init(batch, 64), 0);
}

static void add(struct batch *batch, struct batch_label label, uint16_t size)
{
	assert_true(batch_room(batch, size) > 0);
	memset(batch_slot(batch), 0xaa, size);
	batch_add(batch, label, size);
}

static void the_buffer_is_two_halves_of_128_kib(void **state)
{
	struct batch batch;
	uint32_t slots = 0;

	set_up(&batch);
	assert_int_equal(batch_free(&batch), 2 * 128 * 1024);
	for (; batch_room(&batch, 1452); slots++)
		add(&batch, to_a, 1452);
	assert_int_equal(slots, 2 * (128 * 1024 / 1452));
	assert_true(batch_free(&batch) < 2 * 1452);
	batch_destroy(&batch);
}

static void a_full_half_gives_over_to_the_other_only_when_that_is_empty(void **state)
{
	struct batch batch;

	set_up(&batch);
	while (batch.half == 0 && batch_room(&batch, 1000))
		if (batch.half == 0)
			add(&batch, to_a, 1000);
	assert_int_equal(batch.half, 1);
	while (batch_room(&batch, 1000))
		add(&batch, to_a, 1000);
	assert_int_equal(batch.half, 1);
	batch_sent(&batch, batch.runs - 1); /* one run of the second half still waits */
	assert_int_equal(batch_room(&batch, 1000), 0);
	batch_sent(&batch, 1);
	assert_int_equal(batch_room(&batch, 1000), 128 * 1024 / 1000);
	assert_int_equal(batch_free(&batch), 2 * 128 * 1024);
	batch_destroy(&batch);
}

static void equal_datagrams_of_one_destination_form_a_run(void **state)
{
	struct batch batch;

	set_up(&batch);
	add(&batch, to_a, 500);
	add(&batch, to_a, 500);
	add(&batch, to_a, 200); /* a shorter tail closes it */
	add(&batch, to_a, 200);
	add(&batch, to_b, 200);
	add(&batch, to_a, 200);
	add(&batch, marked, 200); /* another ECN field */
	add(&batch, marked, 201); /* larger than the first */
	assert_int_equal(batch.runs, 6);
	assert_int_equal(batch.run[0].count, 3);
	assert_int_equal(batch.run[0].bytes, 1200);
	assert_int_equal(batch.run[0].size, 500);
	for (int i = 1; i < batch.runs; i++) {
		assert_int_equal(batch.run[i].count, 1);
		assert_ptr_equal(batch.run[i].data, batch.run[i - 1].data + batch.run[i - 1].bytes);
	}
	batch_destroy(&batch);
}

static void a_run_keeps_to_64_datagrams_and_65000_bytes(void **state)
{
	struct batch batch;

	set_up(&batch);
	for (int i = 0; i < 65; i++)
		add(&batch, to_a, 100);
	assert_int_equal(batch.runs, 2);
	assert_int_equal(batch.run[0].count, 64);
	batch_sent(&batch, 2);
	for (int i = 0; i < 50; i++)
		add(&batch, to_a, 1452);
	assert_int_equal(batch.runs, 2);
	assert_int_equal(batch.run[0].count, 65000 / 1452);
	batch_destroy(&batch);
}

static void many_tiny_datagrams_run_out_of_runs_before_room(void **state)
{
	struct batch batch;
	uint32_t room, total = 0;

	set_up(&batch);
	for (int i = 0; (room = batch_room(&batch, 48)); i++) {
		for (uint32_t slot = 0; slot < room; slot++)
			batch_add(&batch, i % 2 ? to_a : to_b, 48); /* as many as were promised, whatever the label */
		total += room;
		assert_true(batch.runs <= BATCH_RUNS);
	}
	assert_true(total > 1000);
	batch_destroy(&batch);
}

static void a_destination_that_goes_takes_its_runs(void **state)
{
	struct batch batch;

	set_up(&batch);
	add(&batch, to_a, 100);
	add(&batch, to_b, 100);
	add(&batch, to_a, 100);
	batch_forget(&batch, to_a.destination);
	assert_int_equal(batch.runs, 1);
	assert_ptr_equal(batch.run[0].label.destination, to_b.destination);
	batch_forget(&batch, to_b.destination);
	assert_int_equal(batch.runs, 0);
	assert_int_equal(batch_free(&batch), 2 * 128 * 1024);
	batch_destroy(&batch);
}

static void the_scratch_around_a_half_is_writable(void **state)
{
	struct batch batch;

	set_up(&batch);
	for (int half = 0; half < BATCH_HALVES; half++) {
		memset(batch.memory[half] - BATCH_BEFORE, 1, BATCH_BEFORE + BATCH_HALF + BATCH_BEHIND);
		assert_int_equal(batch.memory[half][BATCH_HALF + BATCH_BEHIND - 1], 1);
	}
	batch_destroy(&batch); /* the sanitizers would tell */
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_buffer_is_two_halves_of_128_kib),
		cmocka_unit_test(a_full_half_gives_over_to_the_other_only_when_that_is_empty),
		cmocka_unit_test(equal_datagrams_of_one_destination_form_a_run),
		cmocka_unit_test(a_run_keeps_to_64_datagrams_and_65000_bytes),
		cmocka_unit_test(many_tiny_datagrams_run_out_of_runs_before_room),
		cmocka_unit_test(a_destination_that_goes_takes_its_runs),
		cmocka_unit_test(the_scratch_around_a_half_is_writable),
	};
	return cmocka_run_group_tests_name("batch", tests, NULL, NULL);
}
