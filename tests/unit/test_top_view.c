/* SPDX-License-Identifier: MIT */
/* Tests of the view of top: order, filter, selection and keys. */
#include "top_rig.h"

static struct top_model model;
static struct top_view view;

static void take(uint64_t ms)
{
	static const struct {
		const char *key, *name;
		uint64_t rx, tx; /* per second */
	} peers[] = {
		{ "k", "kyoto", 10, 0 }, { "l", "lima 9", 0, 300 }, { "m", "lima 10", 200, 50 }, { "z", NULL, 0, 0 }
	};
	struct top_sample sample = sample_at(ms);

	for (size_t i = 0; i < sizeof peers / sizeof *peers; i++)
		add_peer(&sample, peers[i].key, peers[i].name, peers[i].rx * ms / 1000, peers[i].tx * ms / 1000);
	update(&model, &sample);
	assert_int_equal(top_view_update(&view, &model), 0);
}

static int prepare(void **state)
{
	top_model_clear(&model);
	top_view_free(&view);
	view.visible = 10;
	take(0);
	take(1000);
	return 0;
}

static int clear(void **state)
{
	top_model_clear(&model);
	top_view_free(&view);
	return 0;
}

/* The first letters of the keys of all rows. */
static const char *rows(void)
{
	static char text[64];
	size_t i = 0;

	for (; i < view.row_count; i++)
		text[i] = *view.rows[i]->state->public_key;
	text[i] = '\0';
	return text;
}

static void press(unsigned key)
{
	assert_int_equal(top_view_key(&view, key), TOP_STAY);
	assert_int_equal(top_view_update(&view, &model), 0);
}

static void type(const char *text)
{
	for (; *text; text++)
		press((unsigned char)*text);
}

static char selected(void)
{
	const struct top_peer *peer = top_view_peer(&view);

	return peer ? *peer->state->public_key : '-';
}

static void peers_are_sorted_by_rate_at_first(void **state)
{
	assert_string_equal(rows(), "lmkz");
	press('r');
	assert_string_equal(rows(), "zkml");
}

static void each_order_sorts(void **state)
{
	static const char *const expected[TOP_ORDERS] = {
		[TOP_BY_RATE] = "lmkz",  [TOP_BY_RECEIVED] = "mklz", [TOP_BY_SENT] = "lmkz", [TOP_BY_NAME] = "klmz",
		[TOP_BY_STATE] = "mzkl", [TOP_BY_LOSS] = "zklm",     [TOP_BY_RTT] = "zmkl",  [TOP_BY_HANDSHAKE] = "mlkz",
	};
	struct show_peer *k = (struct show_peer *)model.peers[0]->state, *l = (struct show_peer *)model.peers[1]->state;
	struct show_peer *m = (struct show_peer *)model.peers[2]->state, *z = (struct show_peer *)model.peers[3]->state;

	m->state = SHOW_UNREACHABLE;
	z->state = SHOW_UP;
	k->quality = (struct show_quality) { .has_datagrams = true, .datagrams = 99, .lost = 1, .rtt_ns = 1000 };
	z->quality = (struct show_quality) { .has_datagrams = true, .datagrams = 98, .lost = 2, .rtt_ns = 9000 };
	m->quality = (struct show_quality) { .rtt_ns = 5000 };
	k->handshake = 5;
	l->handshake = 6;
	m->handshake = 7;
	for (unsigned i = 0; i < TOP_ORDERS; i++) {
		assert_int_equal(view.order, i);
		assert_non_null(top_order_name(view.order));
		if (strcmp(rows(), expected[i]) != 0)
			fail_msg("by %s: %s instead of %s", top_order_name(view.order), rows(), expected[i]);
		press('s');
	}
	assert_int_equal(view.order, TOP_BY_RATE);
	press('S');
	assert_int_equal(view.order, TOP_BY_HANDSHAKE);
}

static void the_selection_stays_with_its_peer(void **state)
{
	assert_int_equal(selected(), 'l');
	press(TOP_KEY_DOWN);
	press('j');
	assert_int_equal(selected(), 'k');
	press('s');
	assert_string_equal(rows(), "mklz");
	assert_int_equal(selected(), 'k');
	take(2000);
	assert_int_equal(selected(), 'k');
	press(TOP_KEY_UP);
	press('k');
	assert_int_equal(selected(), 'm');
}

static void the_first_row_is_selected_whoever_it_is(void **state)
{
	assert_int_equal(selected(), 'l');
	press('s');
	assert_int_equal(selected(), 'm');
}

static void the_selection_ends_at_both_ends(void **state)
{
	press(TOP_KEY_UP);
	assert_int_equal(selected(), 'l');
	press(TOP_KEY_END);
	assert_int_equal(selected(), 'z');
	press(TOP_KEY_DOWN);
	press(TOP_KEY_PAGE_DOWN);
	assert_int_equal(selected(), 'z');
	press(TOP_KEY_HOME);
	assert_int_equal(selected(), 'l');
	press('G');
	press(TOP_KEY_PAGE_UP);
	assert_int_equal(selected(), 'l');
}

static void the_table_scrolls_to_the_selection(void **state)
{
	top_view_show(&view, 2);
	assert_int_equal(view.first, 0);
	press(TOP_KEY_DOWN);
	assert_int_equal(view.first, 0);
	press(TOP_KEY_DOWN);
	assert_int_equal(view.first, 1);
	press(TOP_KEY_END);
	assert_int_equal(view.first, 2);
	top_view_show(&view, 3);
	assert_int_equal(view.first, 1);
	top_view_show(&view, 100);
	assert_int_equal(view.first, 0);
	top_view_show(&view, 0);
	assert_true(view.cursor == 3 && view.first == 3);
	press(TOP_KEY_HOME);
	assert_int_equal(view.first, 0);
}

static void the_filter_looks_at_all_texts_of_a_peer(void **state)
{
	static const char *const filters[][2] = {
		{ "LIMA", "lm" },       { "lima 9", "l" }, { "192.0.2", "k" },        { "fd00:7", "z" },      { "second", "m" },
		{ "unreachable", "l" }, { "zAAA", "z" },   { "nothing of that", "" }, { "10.1.0.0/16", "z" },
	};
	struct config_prefix *prefix;
	struct show_peer *k = (struct show_peer *)model.peers[0]->state, *m = (struct show_peer *)model.peers[2]->state;
	struct show_peer *z = (struct show_peer *)model.peers[3]->state;

	snprintf(k->endpoint, sizeof k->endpoint, "192.0.2.7:51820");
	m->description = strdup("the second one");
	z->allowed_ips = calloc(1, sizeof *prefix);
	assert_true(prefix_from_text(&z->allowed_ips->prefix, "10.1.0.0/16"));
	z->allowed_ips->next = calloc(1, sizeof *prefix);
	assert_true(prefix_from_text(&z->allowed_ips->next->prefix, "fd00:7::/64"));
	((struct show_peer *)model.peers[1]->state)->state = SHOW_UNREACHABLE;
	for (size_t i = 0; i < sizeof filters / sizeof *filters; i++) {
		press('/');
		assert_true(view.editing);
		press(TOP_KEY_ESCAPE);
		assert_string_equal(rows(), "lmkz");
		press('/');
		type(filters[i][0]);
		if (strcmp(rows(), filters[i][1]) != 0)
			fail_msg("%s: %s instead of %s", filters[i][0], rows(), filters[i][1]);
		press(TOP_KEY_ENTER);
		assert_false(view.editing);
		assert_string_equal(rows(), filters[i][1]);
	}
	press(TOP_KEY_ESCAPE);
	assert_string_equal(rows(), "lmkz");
}

static void the_filter_is_edited_by_characters(void **state)
{
	press('/');
	type("q\x01s"); /* keys are text here, and control characters are none */
	assert_string_equal(view.filter, "qs");
	press(0xfc);
	press(0x20ac);
	press(0x1f600);
	assert_string_equal(view.filter, "qsü€😀");
	press(TOP_KEY_BACKSPACE);
	press(TOP_KEY_BACKSPACE);
	assert_string_equal(view.filter, "qsü");
	for (int i = 0; i < 9; i++)
		press(TOP_KEY_BACKSPACE);
	assert_string_equal(view.filter, "");
	for (int i = 0; i < 100; i++)
		press(0x20ac);
	assert_int_equal(strlen(view.filter), (TOP_FILTER - 1) / 3 * 3);
	assert_true(view.editing);
}

static void enter_shows_the_selected_peer_and_escape_goes_back(void **state)
{
	press(TOP_KEY_ENTER);
	assert_int_equal(view.page, TOP_DETAIL);
	press('s'); /* "m" is first now */
	assert_int_equal(selected(), 'l');
	press(TOP_KEY_ESCAPE);
	assert_int_equal(view.page, TOP_TABLE);
	press(TOP_KEY_ENTER);
	press(TOP_KEY_ENTER);
	assert_int_equal(view.page, TOP_TABLE);
}

static void the_page_of_a_peer_that_is_gone_is_left(void **state)
{
	struct top_sample sample = sample_at(2000);

	press(TOP_KEY_ENTER);
	add_peer(&sample, "k", "kyoto", 0, 0);
	update(&model, &sample);
	assert_int_equal(top_view_update(&view, &model), 0);
	assert_int_equal(view.page, TOP_TABLE);
	assert_int_equal(selected(), 'k');
}

static void without_peers_there_is_no_page_of_one(void **state)
{
	top_model_clear(&model);
	assert_int_equal(top_view_update(&view, &model), 0);
	assert_null(top_view_peer(&view));
	press(TOP_KEY_ENTER);
	assert_int_equal(view.page, TOP_TABLE);
	press(TOP_KEY_DOWN);
	press(TOP_KEY_END);
	assert_null(top_view_peer(&view));
}

static void keys_choose_pages_and_actions(void **state)
{
	press('d');
	assert_int_equal(view.page, TOP_COUNTERS);
	press('?');
	assert_int_equal(view.page, TOP_HELP);
	press('h');
	assert_int_equal(view.page, TOP_TABLE);
	press('d');
	press('d');
	assert_int_equal(view.page, TOP_TABLE);
	press('p');
	assert_true(view.paused);
	press(' ');
	assert_false(view.paused);
	press('x');
	assert_int_equal(top_view_key(&view, TOP_KEY_TAB), TOP_NEXT_INTERFACE);
	assert_int_equal(top_view_key(&view, TOP_KEY_BACK_TAB), TOP_PREVIOUS_INTERFACE);
	assert_int_equal(top_view_key(&view, TOP_KEY_REDRAW), TOP_REDRAW);
	assert_int_equal(top_view_key(&view, 'q'), TOP_QUIT);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(peers_are_sorted_by_rate_at_first, prepare, clear),
		cmocka_unit_test_setup_teardown(each_order_sorts, prepare, clear),
		cmocka_unit_test_setup_teardown(the_selection_stays_with_its_peer, prepare, clear),
		cmocka_unit_test_setup_teardown(the_first_row_is_selected_whoever_it_is, prepare, clear),
		cmocka_unit_test_setup_teardown(the_selection_ends_at_both_ends, prepare, clear),
		cmocka_unit_test_setup_teardown(the_table_scrolls_to_the_selection, prepare, clear),
		cmocka_unit_test_setup_teardown(the_filter_looks_at_all_texts_of_a_peer, prepare, clear),
		cmocka_unit_test_setup_teardown(the_filter_is_edited_by_characters, prepare, clear),
		cmocka_unit_test_setup_teardown(enter_shows_the_selected_peer_and_escape_goes_back, prepare, clear),
		cmocka_unit_test_setup_teardown(the_page_of_a_peer_that_is_gone_is_left, prepare, clear),
		cmocka_unit_test_setup_teardown(without_peers_there_is_no_page_of_one, prepare, clear),
		cmocka_unit_test_setup_teardown(keys_choose_pages_and_actions, prepare, clear),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
