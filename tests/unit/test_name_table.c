/* SPDX-License-Identifier: MIT */
/* Tests of the name table: which name is looked up when, and which answer becomes an endpoint. */
#include "name_table_rig.h"

static void an_answer_becomes_the_endpoint(void **state)
{
	load();
	assert_int_equal(query_count, 2);
	assert_false(name_table_all_tried(&table));
	answer_both("192.0.2.1", NULL);
	assert_at("192.0.2.1");
	assert_true(name_table_all_tried(&table));
	assert_int_equal(name_table_next(&table), 0); /* nothing is due */
}

static void a_late_family_delays_the_address_by_the_grace_only(void **state)
{
	load();
	answer_host("vpn.example", AF_INET, "192.0.2.1");
	assert_false(endpoint_known(&peer->endpoint));
	assert_int_equal(name_table_next(&table), now + NAME_GRACE);
	advance(NAME_GRACE);
	assert_at("192.0.2.1");
	answer_host("vpn.example", AF_INET6, "2001:db8::1"); /* a candidate for later */
	assert_at("192.0.2.1");
	assert_int_equal(name_table_next(&table), 0);
	stay_silent(true);
	assert_at("2001:db8::1");
}

static void ipv6_comes_first_if_there_is_a_route(void **state)
{
	load();
	answer_both("192.0.2.1", "2001:db8::1");
	assert_at("2001:db8::1");
}

static void an_address_without_a_route_is_skipped(void **state)
{
	route_v6 = false;
	load();
	answer_both("192.0.2.1", "2001:db8::1");
	assert_at("192.0.2.1");
	stay_silent(true);
	assert_at("192.0.2.1");
}

static void an_address_without_a_route_is_no_reason_to_end_the_wait(void **state)
{
	route_v6 = false;
	load();
	answer_host("vpn.example", AF_INET6, "2001:db8::1");
	advance(NAME_GRACE);
	assert_false(endpoint_known(&peer->endpoint));
	answer_host("vpn.example", AF_INET, "192.0.2.1");
	assert_at("192.0.2.1");
}

static void a_host_without_routes_takes_ipv4(void **state)
{
	route_v4 = route_v6 = false;
	load();
	answer_both("192.0.2.1", "2001:db8::1");
	assert_at("192.0.2.1");
}

static void a_host_without_ipv6_queries_ipv4_only(void **state)
{
	ipv6 = false;
	load();
	assert_int_equal(query_count, 1);
	answer_host("vpn.example", AF_INET, "192.0.2.1");
	assert_at("192.0.2.1");
}

static void failures_back_off_and_success_resets(void **state)
{
	uint64_t wait = NAME_RETRY_MIN;

	load();
	for (int i = 0; i < 10; i++) {
		uint64_t next;

		answer_both(NULL, NULL);
		next = name_table_next(&table);
		assert_uint_in_range(next - now, wait, wait + wait / 4 + NS_PER_MS);
		advance(next - now - 1);
		assert_int_equal(query_count, 2 * (i + 1));
		advance(1);
		assert_int_equal(query_count, 2 * (i + 2));
		wait = wait * 2 < NAME_RETRY_MAX ? wait * 2 : NAME_RETRY_MAX;
	}
	answer_both("192.0.2.1", NULL);
	assert_at("192.0.2.1");
	now += 60 * NS_PER_S;
	stay_silent(false);
	answer_both(NULL, NULL);
	assert_uint_in_range(name_table_next(&table) - now, NAME_RETRY_MIN, NAME_RETRY_MIN * 5 / 4 + NS_PER_MS);
	assert_at("192.0.2.1"); /* a failure removes no address */
}

static const char *description(void)
{
	static char text[PROBLEM_TEXT];

	return name_table_describe(&table, peer, text, sizeof text) ? text : "none";
}

static void the_lookup_is_described(void **state)
{
	static char long_host[ENDPOINT_HOST];

	assert_string_equal(description(), "none");
	load();
	assert_string_equal(description(), "looking up its endpoint vpn.example");
	answer_both("", NULL);
	assert_string_equal(description(), "cannot resolve its endpoint vpn.example: no answer");
	advance(2 * NAME_RETRY_MIN); /* the next lookup has begun */
	assert_string_equal(description(), "cannot resolve its endpoint vpn.example: no answer");
	answer_both(NULL, ""); /* IPv6 first */
	assert_string_equal(description(), "cannot resolve its endpoint vpn.example: no answer");
	advance(4 * NAME_RETRY_MIN);
	answer_both("", "");
	assert_string_equal(description(), "cannot resolve its endpoint vpn.example: no address");
	name_table_peer_set(&table, peer);
	assert_string_equal(description(), "none");
	strcpy(config.peers->endpoint_host, "fe80::1%nosuch");
	load();
	assert_string_equal(description(), "cannot resolve its endpoint fe80::1%nosuch: the interface of this address does "
									   "not exist");
	strcpy(config.peers->endpoint_host, "http://vpn.example");
	load();
	assert_string_equal(description(), "cannot resolve its endpoint http://vpn.example: this is neither an IP address "
									   "nor a host name");
	memset(long_host, 'a', sizeof long_host - 1);
	strcpy(config.peers->endpoint_host, long_host);
	load();
	assert_int_equal(strlen(description()), strlen("looking up its endpoint ") + 150);
}

static void a_change_of_the_host_ends_the_back_off(void **state)
{
	load();
	for (int i = 0; i < 8; i++) {
		answer_both(NULL, NULL);
		advance(name_table_next(&table) - now);
	}
	answer_both(NULL, NULL);
	assert_true(name_table_next(&table) - now >= NAME_RETRY_MAX);
	assert_true(name_table_host_changed(&table, now));
	assert_int_equal(name_table_next(&table), now + NAME_EVENT_DELAY);
	advance(NAME_EVENT_DELAY);
	answer_both(NULL, NULL);
	assert_uint_in_range(name_table_next(&table) - now, NAME_RETRY_MIN, NAME_RETRY_MIN * 5 / 4 + NS_PER_MS);
}

static void frequent_changes_of_the_host_cause_no_storm(void **state)
{
	unsigned before;

	load();
	answer_both(NULL, NULL);
	before = query_count;
	for (int i = 0; i < 6000; i++) { /* a minute */
		name_table_host_changed(&table, now);
		advance(10 * NS_PER_MS);
		for (unsigned j = 0; j < query_count; j++)
			if (queries[j].open)
				answer_host("vpn.example", queries[j].family, NULL);
	}
	assert_uint_in_range(query_count - before, 2 * 10, 2 * 40);
	assert_false(name_table_host_changed(&table, now) && name_table_host_changed(&table, now) &&
				 name_table_host_changed(&table, now));
}

static void a_change_of_the_host_is_ignored_if_no_name_waits(void **state)
{
	load();
	answer_both("192.0.2.1", NULL);
	assert_false(name_table_host_changed(&table, now));
	assert_int_equal(name_table_next(&table), 0);
}

static void the_first_answer_does_not_move_a_peer_that_responds(void **state)
{
	load();
	receive_from("198.51.100.7");
	answer_both("192.0.2.1", NULL);
	assert_at("198.51.100.7");
}

static void a_refresh_does_not_move_a_peer_that_has_responded_since(void **state)
{
	load();
	answer_both("192.0.2.1", NULL);
	now += 60 * NS_PER_S;
	stay_silent(false);
	assert_int_equal(query_count, 4);
	peer_received(peer, 32, now); /* from its current endpoint */
	answer_both("192.0.2.2", NULL);
	assert_at("192.0.2.1");
	stay_silent(true);
	assert_at("192.0.2.2"); /* the address is known, and the peer is silent again */
}

static void a_cookie_is_no_sign_of_life(void **state)
{
	load();
	answer_both("192.0.2.1", NULL);
	now += 60 * NS_PER_S;
	stay_silent(false);
	peer->rx_bytes += sizeof(struct message_cookie);
	peer->cookie_bytes += sizeof(struct message_cookie);
	answer_both("192.0.2.2", NULL);
	assert_at("192.0.2.2");
}

static void a_peer_follows_its_name_until_the_control_socket_sets_another_address(void **state)
{
	struct endpoint set;

	load();
	assert_true(name_table_follows(&table, peer));
	answer_both("192.0.2.1", NULL);
	assert_true(name_table_follows(&table, peer));
	name_table_peer_set(&table, peer); /* to an address of the name */
	assert_true(name_table_follows(&table, peer));
	assert_int_equal(endpoint_numeric("198.51.100.9", "51820", &set), 0);
	peer_set_endpoint(peer, &set, ORIGIN_ROAMED);
	assert_false(name_table_follows(&table, peer));
}

static void an_answer_does_not_override_the_control_socket(void **state)
{
	struct endpoint set;

	load();
	assert_int_equal(endpoint_numeric("198.51.100.9", "51820", &set), 0);
	peer_set_endpoint(peer, &set, ORIGIN_ROAMED);
	name_table_peer_set(&table, peer);
	answer_both("192.0.2.1", NULL);
	assert_at("198.51.100.9");
	stay_silent(false);
	stay_silent(true);
	stay_silent(true);
	assert_at("198.51.100.9");
	assert_int_equal(query_count, 2);
	load(); /* the file determines the endpoint again */
	assert_int_equal(query_count, 4);
	answer_both("192.0.2.1", NULL);
	assert_at("192.0.2.1");
}

static void a_silent_peer_is_looked_up_again(void **state)
{
	load();
	answer_both("192.0.2.1", NULL);
	peer_received(peer, 32, now);
	now += 60 * NS_PER_S;
	stay_silent(false);
	name_table_peer_silent(&table, peer, now); /* one query is enough */
	assert_int_equal(query_count, 4);
	answer_both("192.0.2.2", NULL);
	assert_at("192.0.2.2");
	stay_silent(false);
	assert_int_equal(query_count, 4); /* the answer is 5 s old */
	stay_silent(false);
	assert_int_equal(query_count, 6);
}

static void each_unanswered_handshake_tries_the_next_address(void **state)
{
	load();
	answer_both("192.0.2.1 192.0.2.2", "2001:db8::1");
	assert_at("2001:db8::1");
	stay_silent(false); /* only data went unanswered so far, no handshake */
	assert_at("2001:db8::1");
	stay_silent(true);
	assert_at("192.0.2.1");
	name_table_peer_silent(&table, peer, now); /* no handshake was sent there yet */
	peer->handshake_sent = now - NS_PER_S;
	name_table_peer_silent(&table, peer, now);
	assert_at("192.0.2.1");
	stay_silent(true);
	assert_at("192.0.2.2");
	stay_silent(true);
	assert_at("2001:db8::1");
}

static void the_same_answer_does_not_restart_the_rotation(void **state)
{
	load();
	answer_both("192.0.2.1 192.0.2.2", NULL);
	now += 60 * NS_PER_S;
	stay_silent(true);
	assert_at("192.0.2.2");
	answer_both("192.0.2.2 192.0.2.1", NULL); /* servers rotate their lists */
	assert_at("192.0.2.2");
}

static void the_endpoint_of_a_roamed_peer_stays_a_candidate(void **state)
{
	load();
	answer_both("192.0.2.1", NULL);
	receive_from("198.51.100.7");
	now += 60 * NS_PER_S;
	stay_silent(false);
	answer_both("192.0.2.1", NULL);
	assert_at("198.51.100.7"); /* the answer is not new */
	stay_silent(true);
	assert_at("192.0.2.1");
	stay_silent(true);
	assert_at("198.51.100.7");
	receive_from("192.0.2.1");
	stay_silent(false);
	stay_silent(true);
	assert_at("192.0.2.1"); /* the peer has returned: the other endpoint is forgotten */
}

static void a_peer_that_is_alive_ends_the_retries(void **state)
{
	load();
	answer_both(NULL, NULL);
	receive_from("198.51.100.7");
	advance(2 * NS_PER_S);
	assert_int_equal(query_count, 2);
	assert_int_equal(name_table_next(&table), 0);
	stay_silent(false);
	assert_int_equal(query_count, 4);
}

static void the_hosts_file_comes_before_the_servers(void **state)
{
	hosts_host = "VPN.example";
	hosts_address = "192.0.2.9";
	load();
	assert_at("192.0.2.9");
	assert_int_equal(query_count, 0);
	hosts_address = "192.0.2.10";
	now += 60 * NS_PER_S;
	stay_silent(false);
	assert_at("192.0.2.9"); /* the file has not changed */
	hosts_version++;
	now += 60 * NS_PER_S;
	stay_silent(false);
	assert_at("192.0.2.10");
}

static void an_address_with_a_missing_scope_interface_is_not_queried(void **state)
{
	strcpy(config.peers->endpoint_host, "fe80::1%nosuch");
	load();
	assert_int_equal(query_count, 0);
	assert_true(name_table_next(&table) > now);
}

static void an_interface_that_is_made_again_changes_the_scope(void **state)
{
	struct endpoint before, stale;

	strcpy(config.peers->endpoint_host, "fe80::1%lo");
	assert_int_equal(endpoint_numeric("fe80::1%lo", "51820", &before), 0);
	load();
	assert_true(endpoint_same_remote(&peer->endpoint, &before));
	stale = before;
	stale.to.v6.sin6_scope_id = 77; /* as if the index had been another one */
	peer_set_endpoint(peer, &stale, ORIGIN_CONFIGURED);
	now += NAME_REFRESH_MIN;
	stay_silent(true);
	assert_true(endpoint_same_remote(&peer->endpoint, &before));
	assert_int_equal(query_count, 0);
	receive_from("192.0.2.7"); /* the peer roams */
	now += NAME_REFRESH_MIN;
	name_table_run(&table, now);
	assert_at("192.0.2.7");
}

static void a_reload_keeps_known_addresses(void **state)
{
	load();
	load();
	assert_int_equal(query_count, 2);
	answer_both("192.0.2.1", NULL);
	load();
	assert_int_equal(query_count, 2);
	strcpy(config.peers->endpoint_port, "51821");
	load();
	assert_int_equal(query_count, 4);
	answer_both("192.0.2.2", NULL);
	assert_int_equal(ntohs(peer->endpoint.to.v4.sin_port), 51821);
	config_forget_peers(&config);
	load();
	assert_int_equal(table.count, 0);
}

static void a_dropped_name_abandons_its_queries(void **state)
{
	load();
	config_forget_peers(&config);
	load();
	assert_true(queries[0].abandoned && queries[1].abandoned);
	assert_true(name_table_all_tried(&table));
	assert_int_equal(table.querying, 0);
	assert_int_equal(table.fast, 0);
}

static unsigned count_open(void)
{
	unsigned open = 0;

	for (unsigned i = 0; i < query_count; i++)
		open += queries[i].open;
	return open;
}

static void queries_in_flight_are_bounded(void **state)
{
	char host[32];

	for (unsigned i = 0; i < 1200; i++) {
		snprintf(host, sizeof host, "dead-%u.example", i);
		memcpy(add_config_peer(0, host)->public_key, &(unsigned) { i + 1 }, sizeof i);
	}
	load();
	assert_int_equal(count_open(), 2 * NAME_FAST_MAX);
	for (int i = 0; i < 100; i++)
		advance(NAME_SLOW);
	assert_int_equal(count_open(), 2 * NAME_QUERYING_MAX);
	for (unsigned i = 0; i < query_count; i++)
		if (queries[i].open)
			answer_host(queries[i].host, queries[i].family, NULL);
	for (int i = 0; i < 100; i++) {
		advance(NAME_SLOW);
		for (unsigned j = 0; j < query_count; j++)
			if (queries[j].open)
				answer_host(queries[j].host, queries[j].family, "192.0.2.1");
	}
	assert_true(name_table_all_tried(&table));
	assert_int_equal(table.querying, 0);
	assert_int_equal(table.fast, 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(an_answer_becomes_the_endpoint),
		TEST(a_late_family_delays_the_address_by_the_grace_only),
		TEST(ipv6_comes_first_if_there_is_a_route),
		TEST(an_address_without_a_route_is_skipped),
		TEST(an_address_without_a_route_is_no_reason_to_end_the_wait),
		TEST(a_host_without_routes_takes_ipv4),
		TEST(a_host_without_ipv6_queries_ipv4_only),
		TEST(failures_back_off_and_success_resets),
		TEST(the_lookup_is_described),
		TEST(a_change_of_the_host_ends_the_back_off),
		TEST(frequent_changes_of_the_host_cause_no_storm),
		TEST(a_change_of_the_host_is_ignored_if_no_name_waits),
		TEST(the_first_answer_does_not_move_a_peer_that_responds),
		TEST(a_refresh_does_not_move_a_peer_that_has_responded_since),
		TEST(a_cookie_is_no_sign_of_life),
		TEST(a_peer_follows_its_name_until_the_control_socket_sets_another_address),
		TEST(an_answer_does_not_override_the_control_socket),
		TEST(a_silent_peer_is_looked_up_again),
		TEST(each_unanswered_handshake_tries_the_next_address),
		TEST(the_same_answer_does_not_restart_the_rotation),
		TEST(the_endpoint_of_a_roamed_peer_stays_a_candidate),
		TEST(a_peer_that_is_alive_ends_the_retries),
		TEST(the_hosts_file_comes_before_the_servers),
		TEST(an_address_with_a_missing_scope_interface_is_not_queried),
		TEST(an_interface_that_is_made_again_changes_the_scope),
		TEST(a_reload_keeps_known_addresses),
		TEST(a_dropped_name_abandons_its_queries),
		TEST(queries_in_flight_are_bounded),
	};
	if (sodium_init() < 0)
		return 1;
	log_set_level(LOG_SILENT);
	return cmocka_run_group_tests_name("name_table", tests, NULL, NULL);
}
