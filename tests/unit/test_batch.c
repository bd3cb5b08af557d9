/* SPDX-License-Identifier: MIT */
/* Tests of the segment buffer: its halves, and which datagrams form runs. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "packet/batch.h"

static int ends[2]; /* their addresses serve as two destinations */
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

static void a_full_half_is_left_only_for_an_empty_half(void **state)
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

static void datagrams_of_one_size_and_destination_form_a_run(void **state)
{
	struct batch batch;

	set_up(&batch);
	add(&batch, to_a, 500);
	add(&batch, to_a, 500);
	add(&batch, to_a, 200); /* shorter, so it closes the run */
	add(&batch, to_a, 200);
	add(&batch, to_b, 200);
	add(&batch, to_a, 200);   /* joins the run before the one of the other destination */
	add(&batch, marked, 200); /* another traffic class */
	add(&batch, marked, 201); /* longer than the first datagram */
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

static void a_run_holds_at_most_64_datagrams_and_64_kib(void **state)
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
	assert_int_equal(batch.runs[0].count, 45); /* 65,340 bytes, which with the headers fit in one IP packet */
	batch_destroy(&batch);
}

/* A half is freed even while a run in the other half is open. */
static void a_half_is_free_when_all_its_runs_are_sent(void **state)
{
	struct batch batch;

	set_up(&batch);
	assert_int_equal(batch_full_runs(&batch), 0);
	for (int i = 0; i < 2 * 45; i++)
		add(&batch, to_a, 1452);
	assert_int_equal(batch_full_runs(&batch), 2);
	assert_true(batch_room(&batch, 1452) >= 45); /* switches to the other half */
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
	add(&batch, to_a, 50); /* shorter, so it closes its run */
	assert_int_equal(batch_full_runs(&batch), 2);
	batch_sent(&batch, 2);
	assert_int_equal(batch_free_bytes(&batch), 2 * BATCH_HALF);
	batch_destroy(&batch);
}

static void the_number_of_runs_limits_tiny_datagrams(void **state)
{
	struct batch batch;
	uint32_t room, total = 0;

	set_up(&batch);
	for (int i = 0; (room = batch_room(&batch, 48)); i++) {
		for (uint32_t slot = 0; slot < room; slot++)
			batch_add(&batch, i % 2 ? &to_a : &to_b, 48); /* all reported slots can be used, with any label */
		total += room;
		assert_true(batch.run_count <= BATCH_RUNS);
	}
	assert_true(total > 1000);
	batch_destroy(&batch);
}

/* Fills the datagram with its number, so that a test can check the order. */
static void add_numbered(struct batch *batch, struct batch_label label, uint16_t size, uint8_t number)
{
	assert_true(batch_room(batch, size) > 0);
	memset(batch_slot(batch), number, size);
	batch_add(batch, &label, size);
}

static void alternating_flows_sizes_and_peers_form_one_run_each(void **state)
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

static void a_flow_of_changing_sizes_stays_in_order(void **state)
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

static void after_a_partial_send_no_datagram_joins_an_older_run(void **state)
{
	struct batch batch;

	set_up(&batch);
	add(&batch, to_a, 700);
	add(&batch, to_a, 900);
	add(&batch, to_b, 800);
	batch_sent(&batch, 1);
	add(&batch, to_a, 900); /* could join the run of 900, but batch_sent has discarded the order of the flows */
	assert_int_equal(batch.run_count, 3);
	batch_destroy(&batch);
}

static void a_run_advances_across_its_parts(void **state)
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

static void forgetting_a_destination_drops_its_runs(void **state)
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

static void headroom_and_tailroom_are_writable(void **state)
{
	struct batch batch;

	set_up(&batch);
	for (int half = 0; half < BATCH_HALVES; half++) {
		memset(batch.memory[half] - BATCH_HEADROOM, 1, BATCH_HEADROOM + BATCH_HALF + BATCH_TAILROOM);
		assert_int_equal(batch.memory[half][BATCH_HALF + BATCH_TAILROOM - 1], 1);
	}
	batch_destroy(&batch); /* a sanitizer reports any write out of bounds */
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_buffer_is_two_halves_of_128_kib),
		cmocka_unit_test(a_full_half_is_left_only_for_an_empty_half),
		cmocka_unit_test(datagrams_of_one_size_and_destination_form_a_run),
		cmocka_unit_test(a_half_is_free_when_all_its_runs_are_sent),
		cmocka_unit_test(a_run_holds_at_most_64_datagrams_and_64_kib),
		cmocka_unit_test(the_number_of_runs_limits_tiny_datagrams),
		cmocka_unit_test(alternating_flows_sizes_and_peers_form_one_run_each),
		cmocka_unit_test(a_flow_of_changing_sizes_stays_in_order),
		cmocka_unit_test(after_a_partial_send_no_datagram_joins_an_older_run),
		cmocka_unit_test(a_run_advances_across_its_parts),
		cmocka_unit_test(forgetting_a_destination_drops_its_runs),
		cmocka_unit_test(headroom_and_tailroom_are_writable),
	};
	return cmocka_run_group_tests_name("batch", tests, NULL, NULL);
}
