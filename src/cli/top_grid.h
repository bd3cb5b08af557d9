/* SPDX-License-Identifier: MIT */
/* top: a screen as a grid of cells in memory, and the text and graphs in it. */
#ifndef ADIT_CLI_TOP_GRID_H
#define ADIT_CLI_TOP_GRID_H

#include <stdbool.h>
#include <stddef.h>
#include <wchar.h>

/* What a cell means; the screen decides how it looks. */
enum top_style {
	TOP_PLAIN,
	TOP_BOLD,
	TOP_DIM,
	TOP_BAR,      /* title and column titles */
	TOP_SELECTED, /* the selected peer */
	TOP_GOOD,
	TOP_WARN,
	TOP_BAD,
	TOP_GRAPH,
	TOP_STYLES
};

struct top_cell {
	wchar_t character; /* 0: the right half of the character before it */
	unsigned char style;
};

struct top_grid {
	int rows, columns;
	bool ascii; /* only ASCII characters, because the terminal or its locale has no others */
	struct top_cell *cells;
};

/*
 * Makes a grid of blank cells, or changes the size of one and blanks it. 0, or -ENOMEM, after which the grid has no
 * cells. Accepts a zeroed struct.
 */
int top_grid_resize(struct top_grid *grid, int rows, int columns);
void top_grid_free(struct top_grid *grid);

/*
 * Writes text at a position. Cells outside of the grid are left out, and so is what exceeds `width` columns; the last
 * column then shows that text is missing. The text may come from anybody: a control character and invalid UTF-8 become
 * "?", and characters without a width are left out. Returns the number of columns that the text takes.
 */
int top_grid_text(struct top_grid *grid, int row, int column, int width, enum top_style style, const char *text);
/* The same, but the text ends at the right end of the `width` columns. */
void top_grid_right(struct top_grid *grid, int row, int column, int width, enum top_style style, const char *text);
/* Formats the text. Returns the number of columns that it takes. */
int top_grid_printf(struct top_grid *grid, int row, int column, enum top_style style, const char *format, ...)
	__attribute__((format(printf, 5, 6)));
/* Gives a whole row the style, without changing its text. */
void top_grid_row_style(struct top_grid *grid, int row, enum top_style style);

/*
 * Draws values as bars of `rows` rows, which end in row `bottom`. Of `count` values, values[0] is the newest and comes
 * last, at the right end of the `width` columns. A bar of `max` fills all rows. A value above 0 has a bar of at least
 * the smallest height; a negative one is unknown and has none.
 */
void top_grid_graph(struct top_grid *grid, int bottom, int column, int width, int rows, const float *values, int count,
					float max);

#endif
