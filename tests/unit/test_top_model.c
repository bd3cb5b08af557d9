/* SPDX-License-Identifier: MIT */
/* Tests of the model of top: rates from samples, peers that come and go, counters and batches. */
#include "top_rig.h"

#include <errno.h>
#include <math.h>

static struct top_model model;

static int clear(void **state)
{
	top_model_clear(&model);
	return 0;
}

static void assert_rate(double rate, double expected)
{
	if (fabs(rate - expected) > 1e-6)
		fail_msg("%f instead of %f", rate, expected);
}

static const struct top_peer *peer_with(const char *key)
{
	for (size_t i = 0; i < model.peer_count; i++)
		if (!strncmp(model.peers[i]->state->public_key, key, strlen(key)))
			return model.peers[i];
	fail_msg("there is no peer %s", key);
	return NULL;
}

static void take(uint64_t ms, uint64_t b_rx, uint64_t b_tx, uint64_t c_rx, uint64_t c_tx)
{
	struct top_sample sample = sample_at(ms);

	add_peer(&sample, "b", "berlin", b_rx, b_tx);
	add_peer(&sample, "c", NULL, c_rx, c_tx);
	update(&model, &sample);
}

static void the_first_sample_has_no_rates(void **state)
{
	take(0, 5000, 6000, 7000, 8000);
	assert_int_equal(model.peer_count, 2);
	assert_true(peer_with("b")->received < 0 && peer_with("b")->sent < 0);
	assert_int_equal(peer_with("b")->filled, 0);
	assert_true(model.received < 0 && model.sent < 0 && model.dropped < 0);
	assert_int_equal(model.filled, 0);
}

static void rates_are_differences_per_second(void **state)
{
	take(0, 5000, 6000, 7000, 8000);
	take(500, 5100, 6000, 7000, 8250);
	assert_rate(peer_with("b")->received, 200);
	assert_rate(peer_with("b")->sent, 0);
	assert_rate(peer_with("c")->received, 0);
	assert_rate(peer_with("c")->sent, 500);
	assert_rate(model.received, 200);
	assert_rate(model.sent, 500);
	take(2500, 5300, 6002, 7000, 8250);
	assert_rate(peer_with("b")->received, 100);
	assert_rate(peer_with("b")->sent, 1);
	assert_rate(peer_with("b")->receive_rates[0], 100);
	assert_rate(peer_with("b")->receive_rates[1], 200);
	assert_int_equal(peer_with("b")->filled, 2);
	assert_rate(model.receive_rates[0], 100);
	assert_rate(model.receive_rates[1], 200);
	assert_int_equal(model.filled, 2);
}

static void a_total_that_falls_has_no_rate(void **state)
{
	take(0, 5000, 6000, 7000, 8000);
	take(1000, 10, 6001, 7000, 8000);
	assert_true(peer_with("b")->received < 0);
	assert_rate(peer_with("b")->sent, 1);
	assert_true(peer_with("b")->receive_rates[0] < 0);
	assert_rate(model.received, 0);
	take(2000, 30, 6001, 7000, 8000);
	assert_rate(peer_with("b")->received, 20);
}

static void two_samples_of_the_same_time_have_no_rate(void **state)
{
	take(1000, 1, 2, 3, 4);
	take(1000, 11, 12, 13, 14);
	assert_true(peer_with("b")->received < 0 && peer_with("c")->sent < 0);
	take(500, 21, 22, 23, 24);
	assert_true(peer_with("b")->received < 0 && peer_with("c")->sent < 0);
}

static void the_history_has_a_limit_and_begins_with_the_newest(void **state)
{
	for (unsigned i = 0; i < TOP_HISTORY + 10; i++)
		take(i * 1000, i * i, 0, 0, i);
	assert_int_equal(peer_with("b")->filled, TOP_HISTORY);
	assert_int_equal(model.filled, TOP_HISTORY);
	for (unsigned i = 0; i < TOP_HISTORY; i++) {
		unsigned last = TOP_HISTORY + 9 - i;
		assert_rate(peer_with("b")->receive_rates[i], last * last - (last - 1) * (last - 1));
		assert_rate(peer_with("c")->send_rates[i], 1);
	}
}

/* Peers appear and disappear at the beginning, in the middle and at the end of the order. */
static void peers_keep_their_history_when_others_come_and_go(void **state)
{
	static const char *const sets[] = { "bdf", "abcdefg", "d", "", "bd", "db", "aceg", "fa", "abcdefg" };
	uint64_t total[256] = { 0 };
	unsigned filled[256] = { 0 };

	for (unsigned i = 0; i < sizeof sets / sizeof *sets; i++) {
		struct top_sample sample = sample_at(i * 1000);
		for (const char *key = sets[i]; *key; key++) {
			bool was_there = i && strchr(sets[i - 1], *key);
			total[(unsigned char)*key] += (unsigned char)*key;
			filled[(unsigned char)*key] = was_there ? filled[(unsigned char)*key] + 1 : 0;
			add_peer(&sample, (char[]) { *key, '\0' }, NULL, total[(unsigned char)*key], 0);
		}
		update(&model, &sample);
		assert_int_equal(model.peer_count, strlen(sets[i]));
		for (size_t j = 0; j < model.peer_count; j++) {
			const struct top_peer *peer = model.peers[j];
			unsigned char key = (unsigned char)*peer->state->public_key;
			assert_true(!j || strcmp(model.peers[j - 1]->state->public_key, peer->state->public_key) < 0);
			assert_int_equal(peer->filled, filled[key]);
			if (filled[key])
				assert_rate(peer->received, key);
			else
				assert_true(peer->received < 0);
		}
	}
}

static void two_peers_with_the_same_key_do_no_harm(void **state)
{
	for (unsigned i = 0; i < 3; i++) {
		struct top_sample sample = sample_at(i * 1000);
		for (unsigned j = 0; j <= i; j++)
			add_peer(&sample, "x", NULL, i, i);
		update(&model, &sample);
		assert_int_equal(model.peer_count, i + 1);
	}
}

static void a_daemon_that_does_not_answer_keeps_the_values(void **state)
{
	struct top_sample sample = sample_at(2000);

	take(0, 0, 0, 0, 0);
	take(1000, 100, 0, 0, 0);
	sample.error = -EAGAIN;
	add_peer(&sample, "half", NULL, 1, 2); /* an answer that was not complete */
	update(&model, &sample);
	assert_int_equal(model.error, -EAGAIN);
	assert_int_equal(model.peer_count, 2);
	assert_rate(peer_with("b")->received, 100);
	take(3000, 500, 0, 0, 0); /* and the rates are those of the whole time */
	assert_int_equal(model.error, 0);
	assert_rate(peer_with("b")->received, 200);
}

static void a_daemon_that_is_gone_leaves_nothing(void **state)
{
	struct top_sample sample = sample_at(2000);

	take(0, 0, 0, 0, 0);
	take(1000, 100, 0, 0, 0);
	sample.error = -ECONNREFUSED;
	update(&model, &sample);
	assert_int_equal(model.error, -ECONNREFUSED);
	assert_int_equal(model.peer_count, 0);
	assert_true(!model.time && !model.filled && model.received < 0);
	take(3000, 500, 0, 0, 0);
	assert_int_equal(model.error, 0);
	assert_true(peer_with("b")->received < 0);
}

static void peers_that_are_up_are_counted(void **state)
{
	struct top_sample sample = sample_at(0);

	add_peer(&sample, "silent", NULL, 0, 0)->state = SHOW_SILENT;
	add_peer(&sample, "reported", NULL, 0, 0)->state = SHOW_UP;
	update(&model, &sample);
	assert_int_equal(model.up_count, 1);
}

/* In percent; -1 if it is unknown. */
static double loss(void)
{
	uint64_t lost, sent;

	return top_peer_lost(model.peers[0], &lost, &sent) ? 100 * (double)lost / (double)sent : -1;
}

static void take_quality(unsigned second, uint64_t datagrams, uint64_t lost)
{
	struct top_sample sample = sample_at(second * 1000);

	add_peer(&sample, "q", NULL, 0, 0)->quality =
		(struct show_quality) { .has_datagrams = true, .datagrams = datagrams, .lost = lost };
	update(&model, &sample);
}

static void loss_is_that_of_the_last_samples(void **state)
{
	take_quality(0, 1000, 1000);
	assert_true(loss() < 0); /* nothing arrived since */
	take_quality(1, 1090, 1010);
	assert_rate(loss(), 10);
	for (unsigned i = 2; i < 2 * TOP_LOSS_SAMPLES; i++)
		take_quality(i, 1090 + i, 1010);
	assert_true(loss() > 5); /* 10 of 159 */
	for (unsigned i = 2 * TOP_LOSS_SAMPLES; i <= 4 * TOP_LOSS_SAMPLES; i++)
		take_quality(i, 1090 + i, 1010);
	assert_rate(loss(), 0);  /* the loss was more than a minute ago */
	take_quality(500, 5, 5); /* another run of the daemon */
	assert_true(loss() < 0);
}

static void loss_is_unknown_if_it_is_not_reported(void **state)
{
	take(0, 0, 0, 0, 0);
	take(1000, 100, 0, 0, 0);
	assert_true(loss() < 0);
}

/* --- counters ----- */

static void take_counters(uint64_t ms, const char *const (*lines)[2])
{
	struct top_sample sample = sample_at(ms);

	for (; (*lines)[0]; lines++)
		add_counter(&sample, (*lines)[0], (*lines)[1]);
	update(&model, &sample);
}

static const struct top_counter *counter_named(const char *name)
{
	for (unsigned i = 0; i < model.counters.count; i++)
		if (!strcmp(model.counters.list[i].name, name))
			return &model.counters.list[i];
	fail_msg("there is no counter %s", name);
	return NULL;
}

static void counters_have_rates_and_drops_a_sum(void **state)
{
	take_counters(
		0, (const char *const[][2]) { { "sealed", "100" }, { "drop_replay", "7" }, { "drop_inner", "1" }, { 0 } });
	assert_true(counter_named("sealed")->rate < 0 && model.dropped < 0);
	assert_int_equal(counter_named("drop_replay")->value, 7);
	/* A later version has more counters, in another order. */
	take_counters(2000,
				  (const char *const[][2]) {
					  { "new", "9" }, { "drop_inner", "3" }, { "sealed", "300" }, { "drop_replay", "8" }, { 0 } });
	assert_rate(counter_named("sealed")->rate, 100);
	assert_rate(counter_named("drop_inner")->rate, 1);
	assert_rate(counter_named("drop_replay")->rate, 0.5);
	assert_true(counter_named("new")->rate < 0);
	assert_rate(model.dropped, 1.5);
	assert_string_equal(show_drop_cause(counter_named("drop_inner")->name), "inner");
	assert_null(show_drop_cause(counter_named("sealed")->name));
}

static void unknown_counters_are_skipped(void **state)
{
	take_counters(0, (const char *const[][2]) { { "several", "1,2" },
												{ "start_time_sec", "1700000000" },
												{ "batch_tun_read_max", "3" },
												{ "a_name_of_a_counter_that_is_much_longer_than_any_other", "1" },
												{ "e", "18446744073709551615" },
												{ 0 } });
	assert_int_equal(model.counters.count, 1);
	assert_true(counter_named("e")->value == UINT64_MAX);
	assert_false(model.counters.batches[TOP_TUN_READ].reported);
}

static void too_many_counters_are_skipped(void **state)
{
	struct top_sample sample = sample_at(0);
	char name[16];

	for (unsigned i = 0; i < 2 * TOP_COUNTERS_MAX; i++) {
		snprintf(name, sizeof name, "c%u", i);
		add_counter(&sample, name, "1");
	}
	update(&model, &sample);
	assert_int_equal(model.counters.count, TOP_COUNTERS_MAX);
}

static void batches_are_those_since_the_sample_before(void **state)
{
	const struct top_batch *batch = &model.counters.batches[TOP_TUN_READ];

	take_counters(0, (const char *const[][2]) { { "batch_tun_read", "10,0,0,0,0,0,0,0" },
												{ "batch_tun_read_sum", "10" },
												{ "batch_udp_send", "1,2,3" },
												{ 0 } });
	assert_true(batch->reported);
	assert_rate(batch->mean, 0);
	assert_false(model.counters.batches[TOP_UDP_SEND].reported);
	assert_false(model.counters.batches[TOP_UDP_RECEIVE].reported);
	assert_int_equal(model.counters.count, 0);
	take_counters(1000, (const char *const[][2]) {
							{ "batch_tun_read", "10,1,0,0,0,0,0,3" }, { "batch_tun_read_sum", "412" }, { 0 } });
	assert_rate(batch->latest[0], 0);
	assert_rate(batch->latest[1], 1);
	assert_rate(batch->latest[7], 3);
	assert_rate(batch->mean, 100.5);
	take_counters(2000, (const char *const[][2]) {
							{ "batch_tun_read", "10,1,0,0,0,0,0,3" }, { "batch_tun_read_sum", "412" }, { 0 } });
	assert_rate(batch->mean, 0);
	take_counters(3000, (const char *const[][2]) {
							{ "batch_tun_read", "1,0,0,0,0,0,0,0" }, { "batch_tun_read_sum", "1" }, { 0 } });
	assert_rate(batch->mean, 0); /* another run of the daemon */
	assert_rate(batch->latest[0], 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(the_first_sample_has_no_rates, clear, clear),
		cmocka_unit_test_setup_teardown(rates_are_differences_per_second, clear, clear),
		cmocka_unit_test_setup_teardown(a_total_that_falls_has_no_rate, clear, clear),
		cmocka_unit_test_setup_teardown(two_samples_of_the_same_time_have_no_rate, clear, clear),
		cmocka_unit_test_setup_teardown(the_history_has_a_limit_and_begins_with_the_newest, clear, clear),
		cmocka_unit_test_setup_teardown(peers_keep_their_history_when_others_come_and_go, clear, clear),
		cmocka_unit_test_setup_teardown(two_peers_with_the_same_key_do_no_harm, clear, clear),
		cmocka_unit_test_setup_teardown(a_daemon_that_does_not_answer_keeps_the_values, clear, clear),
		cmocka_unit_test_setup_teardown(a_daemon_that_is_gone_leaves_nothing, clear, clear),
		cmocka_unit_test_setup_teardown(peers_that_are_up_are_counted, clear, clear),
		cmocka_unit_test_setup_teardown(loss_is_that_of_the_last_samples, clear, clear),
		cmocka_unit_test_setup_teardown(loss_is_unknown_if_it_is_not_reported, clear, clear),
		cmocka_unit_test_setup_teardown(counters_have_rates_and_drops_a_sum, clear, clear),
		cmocka_unit_test_setup_teardown(unknown_counters_are_skipped, clear, clear),
		cmocka_unit_test_setup_teardown(too_many_counters_are_skipped, clear, clear),
		cmocka_unit_test_setup_teardown(batches_are_those_since_the_sample_before, clear, clear),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
