/* SPDX-License-Identifier: MIT */
/* show: prints the counters of an interface with their meaning. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "show_output.h"
#include "uapi/counter_meaning.h"

enum {
	COUNTER_GAP = 2,
	COUNTER_INDENT = 2,
	COUNTER_VALUE = SHOW_COUNTER_VALUES * 24, /* bytes */
};

/* Writes the number or numbers of a counter to `text`. */
static void counter_value(const struct show_counter *counter, char *text, size_t room)
{
	size_t length = 0;

	for (unsigned i = 0; i < counter->count && length < room; i++)
		length += (size_t)snprintf(text + length, room - length, "%s%" PRIu64, i ? " " : "", counter->values[i]);
}

/* The sizes of batches are too long for the column of the values, so their meaning is on the next line. */
static void print_counter(const struct show_view *view, const struct show_counter *counter, int name_width,
						  int value_width)
{
	int indent = COUNTER_INDENT + name_width + COUNTER_GAP + value_width + COUNTER_GAP;
	struct terminal_wrap wrap = { .terminal = &view->terminal, .indent = indent, .used = indent };
	enum terminal_style style = show_drop_cause(counter->name) ? STYLE_WARNING : STYLE_PLAIN;
	const char *meaning = counter_meaning(counter->name);
	bool is_zero = true;
	char value[COUNTER_VALUE];

	for (unsigned i = 0; i < counter->count; i++)
		is_zero &= counter->values[i] == 0;
	counter_value(counter, value, sizeof value);
	terminal_style(&view->terminal, is_zero ? STYLE_DIM : style);
	terminal_blanks(&view->terminal, COUNTER_INDENT);
	terminal_blanks(&view->terminal, name_width - terminal_text(&view->terminal, counter->name, -1));
	fprintf(view->terminal.to, "%*s", COUNTER_GAP + value_width, value);
	if (meaning && counter->count > 1) {
		fputc('\n', view->terminal.to);
		terminal_blanks(&view->terminal, indent);
	} else if (meaning) {
		terminal_blanks(&view->terminal, COUNTER_GAP);
	}
	if (meaning)
		terminal_wrap_text(&wrap, meaning);
	terminal_style(&view->terminal, STYLE_PLAIN);
	fputc('\n', view->terminal.to);
}

void show_counters(const struct show_view *view, const struct show_interface *interface)
{
	char value[COUNTER_VALUE];
	int name_width = 0, value_width = 0;

	for (const struct show_counter *counter = interface->counters; counter; counter = counter->next) {
		int width = terminal_width(counter->name);

		if (width > name_width)
			name_width = width;
		counter_value(counter, value, sizeof value);
		if (counter->count == 1 && (int)strlen(value) > value_width)
			value_width = (int)strlen(value);
	}
	show_title(view, interface);
	fputc('\n', view->terminal.to);
	if (!interface->has_counters)
		fputs("  this daemon has no counters\n", view->terminal.to);
	for (const struct show_counter *counter = interface->counters; counter; counter = counter->next)
		print_counter(view, counter, name_width, value_width);
}
