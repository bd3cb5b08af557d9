/* SPDX-License-Identifier: MIT */
/* Tests of the layout of top: numbers, text in cells, graphs, and whole screens of all sizes. */
#include "top_rig.h"

#include <errno.h>
#include <locale.h>

#include "top_text.h"

enum { SKIPPED = 77 };

static struct top_model model;
static struct top_view view;
static struct top_grid grid;

static int clear(void **state)
{
	top_model_clear(&model);
	top_view_free(&view);
	top_grid_free(&grid);
	return 0;
}

/* --- numbers ----- */

static void numbers_have_three_digits(void **state)
{
	static const struct {
		double number;
		const char *text;
	} cases[] = { { -1, "-" },        { 0, "0" },        { 0.4, "0" },       { 9.7, "10" },     { 999.4, "999" },
				  { 999.6, "1.00k" }, { 1234, "1.23k" }, { 9994, "9.99k" },  { 9996, "10.0k" }, { 99940, "99.9k" },
				  { 99960, "100k" },  { 812e6, "812M" }, { 1.5e18, "1.50E" } };
	char text[AMOUNT_TEXT];

	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
		assert_string_equal(top_text_number(text, cases[i].number), cases[i].text);
	assert_string_equal(top_text_bit_rate(text, 125), "1.00 kbit/s");
	assert_string_equal(top_text_bit_rate(text, 0), "0 bit/s");
	assert_string_equal(top_text_bit_rate(text, -1), "-");
	assert_string_equal(top_text_latency(text, 0), "-");
	assert_string_equal(top_text_latency(text, 12340000), "12.3 ms");
}

/* --- text ----- */

/* Writes the text into a row of 12 columns, from column 2 on. Returns the row. */
static const char *written(bool ascii, int width, const char *text, int expected)
{
	grid.ascii = ascii;
	assert_int_equal(top_grid_resize(&grid, 3, 12), 0);
	assert_int_equal(top_grid_text(&grid, 1, 2, width, TOP_BOLD, text), expected);
	for (int i = 0; i < 12; i++)
		assert_true(grid.cells[i].character == L' ' && grid.cells[24 + i].character == L' ');
	return grid_row(&grid, 1);
}

static void text_fits_its_columns(void **state)
{
	assert_string_equal(written(false, 5, "abcde", 5), "  abcde");
	assert_string_equal(written(false, 5, "abcdef", 5), "  abcd…");
	assert_string_equal(written(true, 5, "abcdef", 5), "  abcd~");
	assert_string_equal(written(false, 5, "ab", 2), "  ab");
	assert_string_equal(written(false, 0, "ab", 0), "");
	assert_string_equal(written(false, -3, "ab", 0), "");
	assert_string_equal(written(false, 1, "ab", 1), "  …");
	assert_string_equal(written(false, 20, "abcdefghijklmnop", 16), "  abcdefghij");
}

static void wide_characters_take_two_columns(void **state)
{
	assert_string_equal(written(false, 6, "東京x", 5), "  東京x");
	assert_int_equal(grid.cells[12 + 3].character, 0);
	assert_string_equal(written(false, 4, "東京x", 4), "  東 …");
	assert_string_equal(written(false, 3, "東京x", 3), "  東…");
	assert_string_equal(written(false, 30, "12345678東", 10), "  12345678東");
	assert_string_equal(written(false, 30, "123456789東", 11), "  123456789"); /* half of it would be outside */
	assert_int_equal(grid.cells[12 + 11].character, L' ');
}

static void characters_that_confuse_a_terminal_are_replaced(void **state)
{
	assert_string_equal(written(false, 9, "a\033[31mb", 7), "  a?[31mb");
	assert_string_equal(written(false, 9, "a\r\n\tb\x7f", 6), "  a???b?");
	assert_string_equal(written(false, 9,
								"a\xc2\x9b"
								"b",
								3),
						"  a?b");                                    /* C1: CSI in one character */
	assert_string_equal(written(false, 9, "a\xff\xc3", 3), "  a??"); /* not UTF-8 */
	assert_string_equal(written(false, 9,
								"a\xe2\x80\xae"
								"b",
								2),
						"  ab");                                                     /* turns the direction around */
	assert_string_equal(written(false, 9, "e\xcc\x81\xcc\x81\xcc\x81x", 2), "  ex"); /* combining accents */
	assert_string_equal(written(false, 9, "ü€", 2), "  ü€");
	assert_string_equal(written(true, 9, "ü€東", 3), "  ???");
}

static void numbers_end_on_the_right(void **state)
{
	assert_int_equal(top_grid_resize(&grid, 1, 12), 0);
	top_grid_right(&grid, 0, 2, 6, TOP_PLAIN, "12%");
	assert_string_equal(grid_row(&grid, 0), "     12%");
	top_grid_right(&grid, 0, 2, 6, TOP_PLAIN, "1234567");
	assert_string_equal(grid_row(&grid, 0), "  12345…");
}

static void cells_outside_of_the_grid_are_left_out(void **state)
{
	const float values[] = { 1, 2, 3 };

	assert_int_equal(top_grid_resize(&grid, 2, 4), 0);
	top_grid_text(&grid, -1, 0, 4, TOP_PLAIN, "xxxx");
	top_grid_text(&grid, 2, 0, 4, TOP_PLAIN, "xxxx");
	top_grid_text(&grid, 0, 4, 4, TOP_PLAIN, "xxxx");
	top_grid_graph(&grid, 0, 2, 40, 3, values, 3, 3);
	top_grid_row_style(&grid, 7, TOP_BAR);
	assert_string_equal(grid_row(&grid, 0), "");
	assert_int_equal(top_grid_resize(&grid, 0, 0), 0);
	top_grid_text(&grid, 0, 0, 4, TOP_PLAIN, "xxxx");
	top_grid_row_style(&grid, 0, TOP_BAR);
}

/* --- graphs ----- */

static const char *graph(bool ascii, int rows, int row, const float *values, int count)
{
	grid.ascii = ascii;
	assert_int_equal(top_grid_resize(&grid, 4, 12), 0);
	top_grid_graph(&grid, 3, 1, 10, rows, values, count, 800);
	return grid_row(&grid, row);
}

static void graphs_end_with_the_newest_value(void **state)
{
	const float values[] = { 800, 700, 600, 500, 400, 300, 200, 100, 1, 0, -1, 800 };

	assert_string_equal(graph(false, 1, 3, values, 3), "        ▆▇█");
	assert_string_equal(graph(false, 1, 3, values, 12), "  ▁▁▂▃▄▅▆▇█");
	assert_string_equal(graph(true, 1, 3, values, 12), "  ..,:-=+*#");
	assert_string_equal(graph(false, 1, 2, values, 12), "");
	assert_string_equal(graph(false, 1, 3, values, 0), "");
}

static void high_graphs_have_bars_of_several_rows(void **state)
{
	const float values[] = { 800, 600, 400, 200, 100, 9000 };

	assert_string_equal(graph(false, 2, 3, values, 6), "     █▂▄███");
	assert_string_equal(graph(false, 2, 2, values, 6), "     █   ▄█");
	assert_string_equal(graph(false, 2, 1, values, 6), "");
}

/* --- screens ----- */

static void add_counters(struct top_sample *sample, unsigned second)
{
	char text[32];

	snprintf(text, sizeof text, "%u", 100 * second);
	add_counter(sample, "drop_replay", text);
	add_counter(sample, "drop_no_peer", "3");
	add_counter(sample, "drop_inner", "0");
	add_counter(sample, "sealed", "123456");
	snprintf(text, sizeof text, "%u,%u,0,0,0,0,0,%u", second, 2 * second, 4 * second);
	for (size_t i = 0; i < 4; i++) {
		static const char *const names[] = { "udp_receive", "tun_write", "tun_read", "udp_send" };
		char key[64];

		snprintf(key, sizeof key, "batch_%s", names[i]);
		add_counter(sample, key, text);
		snprintf(key, sizeof key, "batch_%s_sum", names[i]);
		add_counter(sample, key, second ? "700" : "0");
	}
}

static struct show_warning *make_warning(const char *text)
{
	struct show_warning *warning = calloc(1, sizeof *warning + strlen(text) + 1);

	assert_non_null(warning);
	memcpy(warning->text, text, strlen(text));
	return warning;
}

static void take(unsigned second)
{
	struct top_sample sample = sample_at(second * 1000);
	struct show_interface *site = &sample.state;
	struct show_peer *berlin = add_peer(&sample, "b", "berlin", 125000 * second, 0);
	struct show_peer *tokyo = add_peer(&sample, "t", "東京\033[2J", 0, 250 * second);

	add_peer(&sample, "x", NULL, 0, 0);
	berlin->state = SHOW_UP;
	berlin->state_since = WALL - 7200;
	berlin->handshake = WALL - 30;
	berlin->endpoint_origin = SHOW_ROAMED;
	berlin->keepalive = 25;
	berlin->has_preshared_key = true;
	berlin->description = strdup("the office");
	berlin->quality = (struct show_quality) { .has_datagrams = true,
											  .datagrams = 980 * second,
											  .lost = 20 * second,
											  .late = 3,
											  .duplicate = 4,
											  .gaps = { 18, 1 },
											  .rtt_ns = 12340000,
											  .rtt_min_ns = 11000000,
											  .jitter_ns = 250000 };
	snprintf(berlin->endpoint, sizeof berlin->endpoint, "192.0.2.7:51820");
	berlin->allowed_ips = calloc(1, sizeof *berlin->allowed_ips);
	assert_true(prefix_from_text(&berlin->allowed_ips->prefix, "10.7.0.2/32"));
	tokyo->state = SHOW_SILENT;
	tokyo->state_reason = strdup("no answer to 5 initiations");
	site->port = 51820;
	site->workers = 2;
	snprintf(site->crypto_provider, sizeof site->crypto_provider, "libsodium");
	snprintf(site->tun_backend, sizeof site->tun_backend, "io_uring");
	site->warnings = make_warning("UDP GSO is refused.");
	add_counters(&sample, second);
	update(&model, &sample);
}

/* Draws a screen that is 2 s old. */
static void lay(int rows, int columns)
{
	struct top_shown shown = { .model = &model,
							   .view = &view,
							   .name = "site",
							   .index = 1,
							   .count = 3,
							   .now = model.time + 2 * NS_PER_S,
							   .pause = NS_PER_S };

	assert_int_equal(top_view_update(&view, &model), 0);
	assert_int_equal(top_grid_resize(&grid, rows, columns), 0);
	top_layout(&grid, &shown);
}

static void assert_rows(const char *const *expected)
{
	for (int row = 0; expected[row]; row++)
		if (strcmp(grid_row(&grid, row), expected[row]) != 0)
			fail_msg("row %d:\n%s\ninstead of\n%s", row, grid_row(&grid, row), expected[row]);
}

static bool on_screen(const char *text)
{
	for (int row = 0; row < grid.rows; row++)
		if (strstr(grid_row(&grid, row), text))
			return true;
	return false;
}

static void prepare(void)
{
	setenv("TZ", "UTC", 1);
	grid.ascii = false;
	take(0);
	take(1);
}

static void a_screen_of_80_columns(void **state)
{
	prepare();
	lay(24, 80);
	assert_rows((const char *const[]) {
		"adit top  site  2 of 3                              by rate  every 1 s  22:13:21",
		"3 peers, 1 up   port 51820   crypto libsodium   TUN io_uring   2 workers",
		"in  1.00 Mbit/s              █  UDP recv ▂▄     █ 100.0 TUN write ▂▄     █ 100.0",
		"out 2.00 kbit/s              █  TUN read ▂▄     █ 100.0 UDP send  ▂▄     █ 100.0", "drops 100/s: replay 100/s",
		"UDP GSO is refused.", "PEER           STATE       IN bit/s OUT bit/s TRAFFIC     LOST     RTT HANDSHAKE",
		"berlin         up             1.00M         0        █  2.00 % 12.3 ms      31 s",
		"東京?[2J       silent             0     2.00k        █       -       -     never",
		"xAAAAAAAAAAAA… -                  0         0                -       -     never", "", NULL });
	assert_string_equal(grid_row(&grid, 23),
						"q quit  s sort  / filter  p pause  Enter peer  d drops  Tab interface  ? help");
	assert_int_equal(grid.cells[7 * 80].style, TOP_SELECTED);
	assert_int_equal(grid.cells[8 * 80 + 15].style, TOP_BAD);
}

static void a_screen_of_200_columns_has_all_columns(void **state)
{
	prepare();
	lay(60, 200);
	assert_true(on_screen("ENDPOINT"));
	assert_true(on_screen("192.0.2.7:51820"));
	assert_true(on_screen("10.7.0.2/32"));
	assert_true(on_screen("no answer to 5 initiations"));
}

static void a_narrow_screen_keeps_the_most_important_columns(void **state)
{
	prepare();
	lay(24, 40);
	assert_true(on_screen("IN bit/s OUT bit/s"));
	assert_false(on_screen("STATE"));
	lay(24, 24);
	assert_true(on_screen("PEER            IN bit/s"));
	lay(24, 8);
	assert_true(on_screen("PEER"));
	assert_true(on_screen("berlin"));
}

static void a_low_screen_keeps_the_peers(void **state)
{
	static const struct {
		int rows;
		const char *shown, *left_out;
	} cases[] = { { 15, "drops 100", "GSO" },    { 11, "out ", "drops 100" }, { 7, "q quit", "out " },
				  { 5, "PEER", "q quit" },       { 4, "berlin", "q quit" },   { 3, "berlin", "PEER" },
				  { 2, "berlin", "port 51820" }, { 1, "adit top", "berlin" } };

	prepare();
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		lay(cases[i].rows, 80);
		if (!on_screen(cases[i].shown) || on_screen(cases[i].left_out))
			fail_msg("%d rows: without %s, or with %s", cases[i].rows, cases[i].shown, cases[i].left_out);
	}
}

/* Each page, with and without peers, in ASCII and in UTF-8. The sanitizers look for cells outside of the grid. */
static void every_size_has_a_screen(void **state)
{
	prepare();
	for (int turn = 0; turn < 16; turn++) {
		grid.ascii = turn & 1;
		view.editing = turn & 2;
		if (turn == 8)
			top_model_clear(&model);
		for (int rows = 0; rows < 70; rows += rows < 28 ? 1 : 13) {
			for (int columns = 0; columns < 220; columns += columns < 90 ? 1 : 23) {
				view.page = (enum top_page)(turn / 4 % 4);
				lay(rows, columns);
				for (int i = 0; grid.ascii && i < rows * columns; i++)
					assert_true(grid.cells[i].character >= ' ' && grid.cells[i].character < 127);
			}
		}
	}
}

static void the_page_of_a_peer_has_all_that_is_known(void **state)
{
	prepare();
	lay(24, 80);
	view.page = TOP_DETAIL;
	lay(24, 80);
	assert_rows(
		(const char *const[]) { "adit top  site  2 of 3                              by rate  every 1 s  22:13:21",
								"3 peers, 1 up   port 51820   crypto libsodium   TUN io_uring   2 workers",
								"peer          berlin",
								"description   the office",
								"public key    bAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA",
								"state         up for 2 h 0 min",
								"handshake     31 s ago",
								"endpoint      192.0.2.7:51820 (roamed)",
								"allowed IPs   10.7.0.2/32",
								"received      1.00 Mbit/s, 122 KiB",
								"sent          0 bit/s, 0 B",
								"rtt           12.3 ms (min 11.0 ms, jitter 250 us)",
								"lost          2.00 % recently; in all 20 of 1000, 3 late, 4 duplicate",
								"gaps          1: 18   2-3: 1",
								"keepalive     every 25 s",
								"preshared key set",
								"in            a full bar is 1.00 Mbit/s",
								"                                                                               █",
								"                                                                               █",
								"out           a full bar is 1.00 kbit/s",
								"",
								"",
								"",
								"q quit  Esc back  Up, Down other peers  p pause  ? help",
								NULL });
}

static void the_page_of_a_silent_peer_has_the_reason(void **state)
{
	prepare();
	top_view_update(&view, &model);
	top_view_key(&view, TOP_KEY_DOWN);
	view.page = TOP_DETAIL;
	lay(24, 80);
	assert_true(on_screen("state         silent: no answer to 5 initiations"));
	assert_true(on_screen("handshake     never"));
	assert_true(on_screen("endpoint      unknown"));
	assert_true(on_screen("allowed IPs   none"));
	assert_false(on_screen("rtt  "));
}

static void the_page_of_counters_begins_with_drops(void **state)
{
	prepare();
	view.page = TOP_COUNTERS;
	lay(24, 80);
	assert_rows((const char *const[]) {
		"adit top  site  2 of 3                              by rate  every 1 s  22:13:21",
		"3 peers, 1 up   port 51820   crypto libsodium   TUN io_uring   2 workers",
		"batches of        1    2-3    4-7   8-15  16-31  32-63 64-127   128+ mean now",
		"UDP receive       1      2      0      0      0      0      0      4    100.0",
		"TUN write         1      2      0      0      0      0      0      4    100.0",
		"TUN read          1      2      0      0      0      0      0      4    100.0",
		"UDP send          1      2      0      0      0      0      0      4    100.0",
		"counter, if not 0          total  per s", "drop_replay                  100    100",
		"drop_no_peer                   3      0", "sealed                      123k      0", "", NULL });
}

static void the_page_of_keys_explains_each(void **state)
{
	prepare();
	view.page = TOP_HELP;
	lay(24, 80);
	assert_true(on_screen("sort by the next or the previous column"));
	assert_true(on_screen("and more on the right, and the mean"));
	for (int row = 0; row < 24; row++)
		assert_null(strstr(grid_row(&grid, row), "…"));
}

static void drops_of_earlier_are_shown_as_totals(void **state)
{
	struct top_sample sample = sample_at(0);

	add_counters(&sample, 5);
	update(&model, &sample);
	sample = sample_at(1000);
	add_counters(&sample, 5);
	update(&model, &sample);
	lay(24, 80);
	assert_true(on_screen("drops none now, in all: replay 500, no_peer 3"));
	assert_true(on_screen("This interface has no peers."));
}

static void an_interface_of_another_program_has_no_counters(void **state)
{
	struct top_sample sample = sample_at(0);

	add_peer(&sample, "b", NULL, 1, 2);
	update(&model, &sample);
	lay(24, 80);
	assert_true(on_screen("1 peer, 0 up"));
	assert_false(on_screen("drops none"));
	assert_false(on_screen("UDP recv"));
	view.page = TOP_COUNTERS;
	lay(24, 80);
	assert_true(on_screen("This daemon has no counters."));
}

static void the_filter_is_shown(void **state)
{
	prepare();
	snprintf(view.filter, sizeof view.filter, "ber");
	lay(24, 80);
	assert_true(on_screen("filter \"ber\"  by rate"));
	assert_true(on_screen("3 peers, 1 up, 1 shown"));
	assert_false(on_screen("silent"));
	view.editing = true;
	lay(24, 80);
	assert_string_equal(grid_row(&grid, 23), "filter: ber_  Enter keeps it, Esc removes it");
	snprintf(view.filter, sizeof view.filter, "nobody");
	lay(24, 80);
	assert_true(on_screen("No peer matches the filter."));
}

static void problems_are_shown_instead_of_the_interface(void **state)
{
	struct top_shown shown = { .model = &model, .view = &view, .name = "", .pause = NS_PER_S };
	struct top_sample sample = sample_at(5000);

	assert_int_equal(top_grid_resize(&grid, 24, 80), 0);
	top_layout(&grid, &shown);
	assert_string_equal(grid_row(&grid, 1), "No tunnel is running.");
	lay(24, 80);
	assert_string_equal(grid_row(&grid, 1), "site: waiting for the daemon");
	take(0);
	take(1);
	shown.name = "site";
	shown.now = model.time + 5 * NS_PER_S;
	assert_int_equal(top_grid_resize(&grid, 24, 80), 0);
	top_view_update(&view, &model);
	top_layout(&grid, &shown);
	assert_string_equal(grid_row(&grid, 1), "The daemon does not answer. These values are 5 s old.");
	assert_true(on_screen("berlin"));
	view.paused = true;
	top_grid_resize(&grid, 24, 80);
	top_layout(&grid, &shown);
	assert_true(on_screen("PAUSED"));
	assert_false(on_screen("does not answer"));
	view.paused = false;
	sample.error = -ECONNREFUSED;
	update(&model, &sample);
	lay(24, 80);
	assert_string_equal(grid_row(&grid, 1),
						"site: the daemon has died; start it again, or clean up with \"adit stop\"");
	assert_false(on_screen("berlin"));
	sample = sample_at(6000);
	sample.error = -EACCES;
	update(&model, &sample);
	lay(24, 80);
	assert_string_equal(grid_row(&grid, 1), "Only root can read the state of site.");
}

static void many_warnings_are_cut(void **state)
{
	struct show_warning **tail;

	prepare();
	tail = &model.state.warnings->next;
	for (int i = 0; i < 5; i++) {
		char text[] = "warning 0";
		text[8] = (char)('1' + i);
		*tail = make_warning(text);
		tail = &(*tail)->next;
	}
	lay(24, 80);
	assert_true(on_screen("warning 2 (and more: adit show)"));
	assert_false(on_screen("warning 3"));
}

static void many_peers_scroll(void **state)
{
	struct top_sample sample = sample_at(0);

	for (int i = 0; i < 300; i++) {
		char name[16], key[16];
		snprintf(name, sizeof name, "peer %d", i);
		snprintf(key, sizeof key, "%03d", i);
		add_peer(&sample, key, name, 0, 0);
	}
	update(&model, &sample);
	lay(24, 80);
	assert_true(on_screen("peer 0 "));
	assert_true(view.visible > 10);
	top_view_key(&view, TOP_KEY_END);
	lay(24, 80);
	assert_true(on_screen("peer 299"));
	assert_false(on_screen("peer 0 "));
	lay(3, 80);
	assert_true(on_screen("peer 299"));
	lay(60, 200);
	assert_true(on_screen("peer 299"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(numbers_have_three_digits, clear, clear),
		cmocka_unit_test_setup_teardown(text_fits_its_columns, clear, clear),
		cmocka_unit_test_setup_teardown(wide_characters_take_two_columns, clear, clear),
		cmocka_unit_test_setup_teardown(characters_that_confuse_a_terminal_are_replaced, clear, clear),
		cmocka_unit_test_setup_teardown(numbers_end_on_the_right, clear, clear),
		cmocka_unit_test_setup_teardown(cells_outside_of_the_grid_are_left_out, clear, clear),
		cmocka_unit_test_setup_teardown(graphs_end_with_the_newest_value, clear, clear),
		cmocka_unit_test_setup_teardown(high_graphs_have_bars_of_several_rows, clear, clear),
		cmocka_unit_test_setup_teardown(a_screen_of_80_columns, clear, clear),
		cmocka_unit_test_setup_teardown(a_screen_of_200_columns_has_all_columns, clear, clear),
		cmocka_unit_test_setup_teardown(a_narrow_screen_keeps_the_most_important_columns, clear, clear),
		cmocka_unit_test_setup_teardown(a_low_screen_keeps_the_peers, clear, clear),
		cmocka_unit_test_setup_teardown(every_size_has_a_screen, clear, clear),
		cmocka_unit_test_setup_teardown(the_page_of_a_peer_has_all_that_is_known, clear, clear),
		cmocka_unit_test_setup_teardown(the_page_of_a_silent_peer_has_the_reason, clear, clear),
		cmocka_unit_test_setup_teardown(the_page_of_counters_begins_with_drops, clear, clear),
		cmocka_unit_test_setup_teardown(the_page_of_keys_explains_each, clear, clear),
		cmocka_unit_test_setup_teardown(drops_of_earlier_are_shown_as_totals, clear, clear),
		cmocka_unit_test_setup_teardown(an_interface_of_another_program_has_no_counters, clear, clear),
		cmocka_unit_test_setup_teardown(the_filter_is_shown, clear, clear),
		cmocka_unit_test_setup_teardown(problems_are_shown_instead_of_the_interface, clear, clear),
		cmocka_unit_test_setup_teardown(many_warnings_are_cut, clear, clear),
		cmocka_unit_test_setup_teardown(many_peers_scroll, clear, clear),
	};

	if (!setlocale(LC_CTYPE, "C.UTF-8")) {
		fputs("there is no locale C.UTF-8\n", stderr);
		return SKIPPED;
	}
	return cmocka_run_group_tests(tests, NULL, NULL);
}
