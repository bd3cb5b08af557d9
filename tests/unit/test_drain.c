/* SPDX-License-Identifier: MIT */
/* The limits of one drain of the TUN (worker_rig.h). */
#include "worker_rig.h"

static void a_drain_reads_64_packets_at_most(void **state)
{
	connect_ends();
	for (int i = 0; i < 70; i++)
		route_in(&left, udp_packet(&left, &right, 60, 1));
	assert_int_equal(egress_drain(&left.worker->egress, clock_boottime()), 0);
	assert_int_equal(count(&left, COUNT_TUN_READ), 64);
	assert_int_equal(egress_drain(&left.worker->egress, clock_boottime()), 0);
	assert_int_equal(count(&left, COUNT_TUN_READ), 70);
	assert_int_equal(EGRESS_READS, 64);
}

static void a_drain_ends_with_less_than_72_kib_free(void **state)
{
	connect_ends();
	for (int i = 0; i < 6; i++)
		route_in(&left, tcp_packet(&left, &right, 65000, 1380));
	refuse_sends = 1000000; /* otherwise full runs would be sent to make room */
	assert_int_equal(egress_drain(&left.worker->egress, clock_boottime()), 0);
	assert_int_equal(count(&left, COUNT_TUN_READ), 3); /* 3 x 68 KiB of 256 KiB: a fourth would leave too little */
	assert_int_equal(BATCH_HALVES * BATCH_HALF, 2 * 128 * 1024);
	assert_int_equal(EGRESS_RESERVE, 72 * 1024);
	refuse_sends = 0;
	egress_resume(&left.worker->egress, clock_boottime());
	assert_int_equal(left.worker->egress.batch.run_count, 0);
}

/* During a drain only full runs are sent. A run that more datagrams may join is sent at the end. */
static void full_runs_make_room_in_a_drain(void **state)
{
	uint64_t sent;

	connect_ends();
	sent = count(&left, COUNT_SENT);
	for (int i = 0; i < 20; i++)
		route_in(&left, tcp_packet(&left, &right, 47 * 1380, 1380));
	sends = 0;
	assert_int_equal(egress_drain(&left.worker->egress, clock_boottime()), 0);
	assert_int_equal(sends, EGRESS_SENDS + 1);
	assert_uint_in_range(count(&left, COUNT_TUN_READ), 7, 12);
	assert_int_equal(count(&left, COUNT_SENT) - sent, 47 * count(&left, COUNT_TUN_READ));
	assert_int_equal(runs_sent, (count(&left, COUNT_SENT) - sent + 44) / 45);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_drain_reads_64_packets_at_most),
		TEST(full_runs_make_room_in_a_drain),
		TEST(a_drain_ends_with_less_than_72_kib_free),
	};
	int failed;

	if (sodium_init() < 0)
		return 1;
	backend = BACKEND_SYSCALLS;
	failed = cmocka_run_group_tests_name("drain", tests, NULL, NULL);
	backend = BACKEND_IO_URING;
	return failed + cmocka_run_group_tests_name("drain by io_uring", tests, NULL, NULL);
}
