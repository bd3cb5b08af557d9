/* SPDX-License-Identifier: MIT */
/*
 * Output for people: text that others wrote, colors, and columns of a terminal. Text never reaches the terminal as
 * control characters, whoever wrote it.
 */
#ifndef ADIT_BASE_TERMINAL_H
#define ADIT_BASE_TERMINAL_H

#include <stdbool.h>
#include <stdio.h>

enum terminal_style { STYLE_PLAIN, STYLE_BOLD, STYLE_DIM, STYLE_GOOD, STYLE_WARNING, STYLE_BAD };

struct terminal {
	FILE *to;
	int columns; /* 0: unlimited, because the output is not a terminal */
	bool can_clear, color;
};

/*
 * Finds out what the stream is. Terminals are cleared and get colors, unless TERM is "dumb" or not set; NO_COLOR
 * (no-color.org) switches colors off. The number of columns is that of the environment variable COLUMNS, or else that
 * of the terminal. Sets LC_CTYPE to UTF-8, on which the widths of characters depend.
 */
void terminal_init(struct terminal *terminal, FILE *to);

/* Clears the screen, if the output is a terminal that can. */
void terminal_clear(const struct terminal *terminal);

/* Switches to the style, until the next call. STYLE_PLAIN ends a style. */
void terminal_style(const struct terminal *terminal, enum terminal_style style);

/*
 * Writes `text` in at most `columns` columns, or completely if `columns` is negative. Text that does not fit ends in an
 * ellipsis. Characters that are invalid or not printable, in the sense of utf8_printable, become '?'. Returns the
 * number of columns written.
 */
int terminal_text(const struct terminal *terminal, const char *text, int columns);

/* The number of columns that terminal_text needs to write the whole text. */
int terminal_width(const char *text);

/*
 * Words that fill lines: a word that does not fit begins a new line, in column `indent`; further to the left, if the
 * terminal is so narrow that words would be below each other. The caller has written `used` columns of the current
 * line.
 */
struct terminal_wrap {
	const struct terminal *terminal;
	int indent, used;
	bool has_word; /* in the current line */
};

/* Writes a blank or a new line, and the word, which may contain blanks. */
void terminal_wrap_word(struct terminal_wrap *wrap, const char *word);
/* Writes each word of the text. */
void terminal_wrap_text(struct terminal_wrap *wrap, const char *text);

/* Writes `count` blanks; none if it is not positive. */
void terminal_blanks(const struct terminal *terminal, int count);

#endif
