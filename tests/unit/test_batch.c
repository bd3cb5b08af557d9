/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "packet/batch.h"

static int ends[2]; /* two destinations, told apart by address alone */
static const struct batch_label to_a = { &ends[0], 1, 0 }, to_b = { &ends[1], 2, 0 }, marked = { &ends[0], 1, 1 };

static void set_up(struct batch *batch)
{
	assert_int_equal(batch_init(batch, 64), 0);
}

static void add(struct batch *batch, struct batch_label label, uint16_t size)
{
	assert_true(batch_room(batch, size) > 0);
	memset(batch_slot(batch), 0xaa, size);
	batch_add(batch, &label, size);
}

static void the_buffer_is_two_halves_of_128_kib(void **state)
{
	struct batch batch;
	uint32_t slots = 0;

	set_up(&batch);
	assert_int_equal(batch_free_bytes(&batch), 2 * 128 * 1024);
	for (; batch_room(&batch, 1452); slots++)
		add(&batch, to_a, 1452);
	assert_int_equal(slots, 2 * (128 * 1024 / 1452));
	assert_true(batch_free_bytes(&batch) < 2 * 1452);
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
	batch_sent(&batch, batch.run_count - 1); /* one run of the second half still waits */
	assert_int_equal(batch_room(&batch, 1000), 128 * 1024 / 1000);
	assert_int_equal(batch.half, 0);
	while (batch_room(&batch, 1000) && batch.half == 0)
		add(&batch, to_a, 1000);
	assert_int_equal(batch.half, 0);
	batch_sent(&batch, batch.run_count);
	assert_int_equal(batch_room(&batch, 1000), 128 * 1024 / 1000);
	assert_int_equal(batch_free_bytes(&batch), 2 * 128 * 1024);
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
	add(&batch, to_a, 200);   /* joins the run before that of the other destination */
	add(&batch, marked, 200); /* another ECN field */
	add(&batch, marked, 201); /* larger than the first */
	assert_int_equal(batch.run_count, 5);
	assert_int_equal(batch.runs[0].count, 3);
	assert_int_equal(batch.runs[0].bytes, 1200);
	assert_int_equal(batch.runs[0].size, 500);
	assert_int_equal(batch.runs[1].count, 2);
	assert_int_equal(batch.runs[1].part_count, 2);
	for (int i = 2; i < batch.run_count; i++)
		assert_int_equal(batch.runs[i].count, 1);
	batch_destroy(&batch);
}

static void a_run_keeps_to_64_datagrams_and_its_bytes(void **state)
{
	struct batch batch;

	set_up(&batch);
	for (int i = 0; i < 65; i++)
		add(&batch, to_a, 100);
	assert_int_equal(batch.run_count, 2);
	assert_int_equal(batch.runs[0].count, 64);
	batch_sent(&batch, 2);
	for (int i = 0; i < 50; i++)
		add(&batch, to_a, 1452);
	assert_int_equal(batch.run_count, 2);
	assert_int_equal(batch.runs[0].count, 45); /* 65,340 bytes: one packet of IP, with its headers */
	batch_destroy(&batch);
}

/* What is sent frees the half it lay in, also while a run in the other half waits for more. */
static void a_half_is_free_when_nothing_in_it_waits(void **state)
{
	struct batch batch;

	set_up(&batch);
	assert_int_equal(batch_full_runs(&batch), 0);
	for (int i = 0; i < 2 * 45; i++)
		add(&batch, to_a, 1452);
	assert_int_equal(batch_full_runs(&batch), 2);
	assert_true(batch_room(&batch, 1452) >= 45); /* goes over to the other half */
	for (int i = 0; i < 10; i++)
		add(&batch, to_a, 1452);
	assert_int_equal(batch.run_count, 3);
	assert_int_equal(batch_full_runs(&batch), 2);
	batch_sent(&batch, 1);
	assert_int_equal(batch_free_bytes(&batch), 2 * BATCH_HALF - 100 * 1452);
	batch_sent(&batch, 1);
	assert_int_equal(batch_free_bytes(&batch), 2 * BATCH_HALF - 10 * 1452);
	for (int i = 0; i < 35; i++)
		add(&batch, to_a, 1452);
	assert_int_equal(batch.run_count, 1);
	assert_int_equal(batch.runs[0].count, 45);
	assert_int_equal(batch.runs[0].part_count, 1);
	add(&batch, to_a, 200);
	assert_int_equal(batch_full_runs(&batch), 1);
	add(&batch, to_a, 50); /* shorter: it closes its run */
	assert_int_equal(batch_full_runs(&batch), 2);
	batch_sent(&batch, 2);
	assert_int_equal(batch_free_bytes(&batch), 2 * BATCH_HALF);
	batch_destroy(&batch);
}

static void many_tiny_datagrams_run_out_of_runs_before_room(void **state)
{
	struct batch batch;
	uint32_t room, total = 0;

	set_up(&batch);
	for (int i = 0; (room = batch_room(&batch, 48)); i++) {
		for (uint32_t slot = 0; slot < room; slot++)
			batch_add(&batch, i % 2 ? &to_a : &to_b, 48); /* as many as were promised, whatever the label */
		total += room;
		assert_true(batch.run_count <= BATCH_RUNS);
	}
	assert_true(total > 1000);
	batch_destroy(&batch);
}

/* Datagram `i` of a flow is filled with its number, so that the order can be read from the runs. */
static void add_numbered(struct batch *batch, struct batch_label label, uint16_t size, uint8_t number)
{
	assert_true(batch_room(batch, size) > 0);
	memset(batch_slot(batch), number, size);
	batch_add(batch, &label, size);
}

static void mixed_flows_sizes_and_peers_form_few_runs(void **state)
{
	const struct batch_label other = { &ends[0], 3, 0 };
	struct batch batch;

	set_up(&batch);
	for (uint8_t i = 0; i < 10; i++) {
		add_numbered(&batch, to_a, 1452, i);
		add_numbered(&batch, other, 96, i); /* pure ACKs of another flow */
		add_numbered(&batch, to_b, 1452, i);
	}
	assert_int_equal(batch.run_count, 3);
	for (int i = 0; i < 3; i++) {
		assert_int_equal(batch.runs[i].count, 10);
		assert_int_equal(batch.runs[i].part_count, 10);
		for (uint8_t part = 0; part < 10; part++)
			assert_int_equal(*(uint8_t *)batch.runs[i].parts[part].iov_base, part);
	}
	batch_destroy(&batch);
}

static void a_flow_keeps_its_order_through_its_sizes(void **state)
{
	uint8_t next = 0;
	struct batch batch;

	set_up(&batch);
	for (uint8_t i = 0; i < 60; i++) {
		add_numbered(&batch, to_a, i % 3 ? 500 : 700, i);
		add_numbered(&batch, to_b, 300, 255);
	}
	for (int i = 0; i < batch.run_count; i++) {
		if (batch.runs[i].label.destination != to_a.destination)
			continue;
		for (int part = 0; part < batch.runs[i].part_count; part++)
			for (size_t at = 0; at < batch.runs[i].parts[part].iov_len; at += batch.runs[i].size)
				assert_int_equal(((uint8_t *)batch.runs[i].parts[part].iov_base)[at], next++);
	}
	assert_int_equal(next, 60);
	batch_destroy(&batch);
}

static void after_a_partial_send_nothing_goes_before_what_waits(void **state)
{
	struct batch batch;

	set_up(&batch);
	add(&batch, to_a, 700);
	add(&batch, to_a, 900);
	add(&batch, to_b, 800);
	batch_sent(&batch, 1);
	add(&batch, to_a, 900); /* its flow has nothing behind the run of 900, but who knows by now */
	assert_int_equal(batch.run_count, 3);
	batch_destroy(&batch);
}

static void a_run_advances_over_its_parts(void **state)
{
	struct batch batch;
	struct batch_run *run;

	set_up(&batch);
	add(&batch, to_a, 100);
	add(&batch, to_a, 100);
	for (int i = 0; i < 3; i++) {
		add(&batch, to_b, 200);
		add(&batch, to_a, 100);
	}
	run = &batch.runs[0];
	assert_int_equal(run->count, 5);
	assert_int_equal(run->part_count, 4);
	batch_run_advance(run, 100);
	assert_int_equal(run->part_count, 4);
	assert_int_equal(run->parts[0].iov_len, 100);
	batch_run_advance(run, 200);
	assert_int_equal(run->part_count, 2);
	assert_int_equal(run->count, 2);
	assert_int_equal(run->bytes, 200);
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
	assert_int_equal(batch.run_count, 1);
	assert_ptr_equal(batch.runs[0].label.destination, to_b.destination);
	batch_forget(&batch, to_b.destination);
	assert_int_equal(batch.run_count, 0);
	assert_int_equal(batch_free_bytes(&batch), 2 * 128 * 1024);
	batch_destroy(&batch);
}

static void the_scratch_around_a_half_is_writable(void **state)
{
	struct batch batch;

	set_up(&batch);
	for (int half = 0; half < BATCH_HALVES; half++) {
		memset(batch.memory[half] - BATCH_HEADROOM, 1, BATCH_HEADROOM + BATCH_HALF + BATCH_TAILROOM);
		assert_int_equal(batch.memory[half][BATCH_HALF + BATCH_TAILROOM - 1], 1);
	}
	batch_destroy(&batch); /* the sanitizers would tell */
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_buffer_is_two_halves_of_128_kib),
		cmocka_unit_test(a_full_half_gives_over_to_the_other_only_when_that_is_empty),
		cmocka_unit_test(equal_datagrams_of_one_destination_form_a_run),
		cmocka_unit_test(a_half_is_free_when_nothing_in_it_waits),
		cmocka_unit_test(a_run_keeps_to_64_datagrams_and_its_bytes),
		cmocka_unit_test(many_tiny_datagrams_run_out_of_runs_before_room),
		cmocka_unit_test(mixed_flows_sizes_and_peers_form_few_runs),
		cmocka_unit_test(a_flow_keeps_its_order_through_its_sizes),
		cmocka_unit_test(after_a_partial_send_nothing_goes_before_what_waits),
		cmocka_unit_test(a_run_advances_over_its_parts),
		cmocka_unit_test(a_destination_that_goes_takes_its_runs),
		cmocka_unit_test(the_scratch_around_a_half_is_writable),
	};
	return cmocka_run_group_tests_name("batch", tests, NULL, NULL);
}
