/* SPDX-License-Identifier: MIT */
/* Tests of output for people: no control character gets through, columns are counted, and colors are for terminals. */
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/terminal.h"

static char output[256];

/* Returns the number of columns written; the text is in `output`. */
static int write_text(const char *text, int columns)
{
	FILE *to = fmemopen(output, sizeof output, "w");
	struct terminal terminal = { .to = to };
	int used;

	*output = '\0';
	assert_non_null(to);
	used = terminal_text(&terminal, text, columns);
	fclose(to);
	return used;
}

static void text_cannot_control_the_terminal(void **state)
{
	static const struct {
		const char *text, *written;
	} cases[] = {
		{ "a b", "a b" },
		{ "\033[31mred", "?[31mred" },
		{ "\033]0;title\007", "?]0;title?" },
		{ "a\nb\rc\td\x7f", "a?b?c?d?" },
		{ "\xc2\x9b"
		  "31m",
		  "?31m" }, /* CSI as one C1 character */
		{ "\x9b"
		  "31m",
		  "?31m" }, /* CSI as one byte */
		{ "\xe2\x80\x8f"
		  "abc",
		  "?abc" },             /* right-to-left mark */
		{ "a\xff\xc3", "a??" }, /* invalid UTF-8 */
		{ "J\xc3\xbcrgen", "J\xc3\xbcrgen" },
	};

	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		int used = write_text(cases[i].text, -1);

		assert_string_equal(output, cases[i].written);
		assert_int_equal(used, terminal_width(cases[i].text));
	}
}

static void text_ends_in_an_ellipsis_where_it_is_cut(void **state)
{
	static const struct {
		const char *text;
		int columns, used;
		const char *written;
	} cases[] = {
		{ "gateway", 7, 7, "gateway" },
		{ "gateway", 6, 6, "gatew\xe2\x80\xa6" },
		{ "gateway", 1, 1, "\xe2\x80\xa6" },
		{ "gateway", 0, 0, "" },
		{ "", 0, 0, "" },
		{ "\xe6\x9d\xb1\xe4\xba\xac", 4, 4, "\xe6\x9d\xb1\xe4\xba\xac" }, /* two columns each */
		{ "\xe6\x9d\xb1\xe4\xba\xac", 3, 3, "\xe6\x9d\xb1\xe2\x80\xa6" },
		{ "\xe6\x9d\xb1\xe4\xba\xac", 2, 1, "\xe2\x80\xa6" },
		{ "e\xcc\x81x", 2, 2, "e\xcc\x81x" }, /* a combining accent */
	};

	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		assert_int_equal(write_text(cases[i].text, cases[i].columns), cases[i].used);
		assert_string_equal(output, cases[i].written);
	}
}

static int color_of(FILE *to, const char *no_color, const char *type)
{
	struct terminal terminal;

	unsetenv("NO_COLOR");
	if (no_color)
		setenv("NO_COLOR", no_color, 1);
	setenv("TERM", type, 1);
	terminal_init(&terminal, to);
	return terminal.color;
}

static void colors_are_for_terminals_only(void **state)
{
	struct winsize size = { .ws_col = 97 };
	int master = posix_openpt(O_RDWR | O_NOCTTY);
	struct terminal terminal;
	FILE *tty, *file = tmpfile();

	assert_true(master >= 0);
	assert_int_equal(grantpt(master), 0);
	assert_int_equal(unlockpt(master), 0);
	tty = fopen(ptsname(master), "r+");
	assert_non_null(tty);
	assert_true(color_of(tty, NULL, "xterm"));
	assert_true(color_of(tty, "", "xterm"));
	assert_false(color_of(tty, "1", "xterm"));
	assert_false(color_of(tty, NULL, "dumb"));
	assert_false(color_of(file, NULL, "xterm"));
	assert_int_equal(ioctl(fileno(tty), TIOCSWINSZ, &size), 0);
	unsetenv("COLUMNS");
	terminal_init(&terminal, tty);
	assert_int_equal(terminal.columns, 97);
	terminal_init(&terminal, file);
	assert_int_equal(terminal.columns, 0);
	setenv("COLUMNS", "50", 1);
	terminal_init(&terminal, tty);
	assert_int_equal(terminal.columns, 50);
	setenv("COLUMNS", "-3", 1);
	terminal_init(&terminal, file);
	assert_int_equal(terminal.columns, 0);
	fclose(tty);
	fclose(file);
	close(master);
}

static void a_style_without_color_writes_nothing(void **state)
{
	FILE *to = fmemopen(output, sizeof output, "w");
	struct terminal terminal = { .to = to };

	terminal_style(&terminal, STYLE_BAD);
	fputs("x", to);
	terminal_style(&terminal, STYLE_PLAIN);
	terminal.color = true;
	terminal_style(&terminal, STYLE_BAD);
	terminal_style(&terminal, STYLE_PLAIN);
	terminal_blanks(&terminal, 2);
	terminal_blanks(&terminal, 0);
	terminal_blanks(&terminal, -1);
	fclose(to);
	assert_string_equal(output, "x\033[31m\033[0m  ");
}

static void words_are_not_below_each_other_on_a_narrow_terminal(void **state)
{
	static const struct {
		int columns, indent;
		const char *written;
	} cases[] = {
		{ 0, 22, "one two three four five six seven" },
		{ 42, 22, "one two three four\n                      five six seven" },
		{ 41, 22, "one two three four\n    five six seven" },
		{ 20, 22, "one\n    two three four\n    five six seven" },
		{ 16, 2, "one\n  two three four\n  five six seven" },
	};

	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		FILE *to = fmemopen(output, sizeof output, "w");
		struct terminal terminal = { .to = to, .columns = cases[i].columns };
		struct terminal_wrap wrap = { .terminal = &terminal, .indent = cases[i].indent, .used = 22 };

		terminal_wrap_text(&wrap, "one two three four five six seven");
		fclose(to);
		assert_string_equal(output, cases[i].written);
	}
}

/* The widths of characters depend on the locale. */
static int set_up(void **state)
{
	struct terminal terminal;

	terminal_init(&terminal, stdout);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(text_cannot_control_the_terminal),
		cmocka_unit_test(text_ends_in_an_ellipsis_where_it_is_cut),
		cmocka_unit_test(colors_are_for_terminals_only),
		cmocka_unit_test(a_style_without_color_writes_nothing),
		cmocka_unit_test(words_are_not_below_each_other_on_a_narrow_terminal),
	};

	return cmocka_run_group_tests(tests, set_up, NULL);
}
