/* SPDX-License-Identifier: MIT */
/* Tests of SVG pictures: text cannot break the document, and labels do not overlap. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/svg.h"

static char output[4096];

static FILE *open_output(void)
{
	FILE *to;

	memset(output, 0, sizeof output);
	to = fmemopen(output, sizeof output, "w");
	assert_non_null(to);
	return to;
}

static void text_is_escaped(void **state)
{
	static const struct {
		const char *text, *written;
	} cases[] = {
		{ "a b", "a b" },
		{ "<script>&\"", "&lt;script&gt;&amp;&quot;" },
		{ "J\xc3\xbcrgen", "J\xc3\xbcrgen" },
		{ "\033[0m\n\x7f", "\xef\xbf\xbd[0m\xef\xbf\xbd\xef\xbf\xbd" },
		{ "\xff", "\xef\xbf\xbd" },
		{ "\xef\xbf\xbe\xef\xbf\xbf", "\xef\xbf\xbd\xef\xbf\xbd" }, /* valid UTF-8, but not in XML */
		{ "\xef\xbf\xbc", "\xef\xbf\xbc" },
	};

	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		FILE *to = open_output();

		svg_text(to, cases[i].text);
		fclose(to);
		assert_string_equal(output, cases[i].written);
	}
}

static void a_picture_has_a_background_in_light_and_dark(void **state)
{
	FILE *to = open_output();

	svg_begin(to, 100, 50, "a<b", ".x{}\n", ".y{}\n");
	svg_end(to);
	fclose(to);
	assert_memory_equal(output, "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"100\" height=\"50\" viewBox=", 63);
	assert_non_null(strstr(output, "<title>a&lt;b</title>"));
	assert_non_null(strstr(output, ".page{fill:#ffffff}\n.x{}\n@media (prefers-color-scheme: dark){\n"));
	assert_non_null(strstr(output, ".page{fill:#0d1117}\n.y{}\n}\n</style>\n"));
	assert_non_null(strstr(output, "<rect class=\"page\" width=\"100%\" height=\"100%\"/>\n</svg>\n"));
}

static void a_label_has_a_limit(void **state)
{
	struct svg_label label = { .count = 0 };

	for (int i = 0; i < SVG_LABEL_LINES + 2; i++)
		svg_label_printf(&label, "%*d", 2 * SVG_LABEL_LINE, i);
	assert_int_equal(label.count, SVG_LABEL_LINES);
	assert_int_equal(strlen(label.lines[0]), SVG_LABEL_LINE - 1);
}

static void nodes_of_any_ring_are_a_line_apart(void **state)
{
	struct svg_label label = { .count = 0 };

	for (int i = 0; i < SVG_LABEL_LINES; i++)
		svg_label_printf(&label, "a label of some length");
	for (size_t count = 1; count <= 300; count++) {
		struct svg_ring ring;
		struct svg_position first, second;
		double distance;

		svg_ring_begin(&ring, count);
		svg_ring_add_label(&ring, &label);
		svg_ring_layout(&ring, 100);
		first = svg_ring_position(&ring, 0);
		second = svg_ring_position(&ring, 1 / (double)count);
		distance = hypot(first.x - second.x, first.y - second.y);
		assert_true(count == 1 || distance >= SVG_LINE_HEIGHT);
		assert_true(fabs(first.y - (ring.center_y - ring.radius)) < 0.001); /* at the top */
		assert_true(first.y > 0 && first.y < ring.height);
		assert_true(ring.width >= 2 * (ring.radius + svg_label_width(&label)));
	}
}

static void radial_labels_have_one_line(void **state)
{
	struct svg_label label = { .count = 0 };
	struct svg_position at = { 100, 100, 0, false };
	struct svg_ring ring;
	FILE *to;

	svg_label_printf(&label, "one & only");
	svg_label_printf(&label, "second");
	for (size_t count = 3; count <= 30; count += 27) {
		svg_ring_begin(&ring, count);
		to = open_output();
		svg_ring_label(to, &ring, &label, &at);
		fclose(to);
		assert_non_null(strstr(output, ">one &amp; only</text>"));
		assert_int_equal(strstr(output, ">second</text>") == NULL, count == 30);
		assert_int_equal(strstr(output, "rotate(") != NULL, count == 30);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(text_is_escaped),
		cmocka_unit_test(a_picture_has_a_background_in_light_and_dark),
		cmocka_unit_test(a_label_has_a_limit),
		cmocka_unit_test(nodes_of_any_ring_are_a_line_apart),
		cmocka_unit_test(radial_labels_have_one_line),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
