/* SPDX-License-Identifier: MIT */
/* top: writes text and graphs into a grid of cells. */
#include "top_grid.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/utf8.h"

enum { GRAPH_LEVELS = 8, GRID_LINE = 1024 };

int top_grid_resize(struct top_grid *grid, int rows, int columns)
{
	size_t count = (size_t)rows * (size_t)columns;

	if (rows != grid->rows || columns != grid->columns || !grid->cells) {
		struct top_cell *cells = calloc(count ? count : 1, sizeof *cells);
		free(grid->cells);
		grid->cells = cells;
		grid->rows = cells ? rows : 0;
		grid->columns = cells ? columns : 0;
		if (!cells)
			return -ENOMEM;
	}
	for (size_t i = 0; i < count; i++)
		grid->cells[i] = (struct top_cell) { L' ', TOP_PLAIN };
	return 0;
}

void top_grid_free(struct top_grid *grid)
{
	free(grid->cells);
	*grid = (struct top_grid) { 0 };
}

/* NULL: outside of the grid. */
static struct top_cell *grid_cell(struct top_grid *grid, int row, int column)
{
	if (row < 0 || row >= grid->rows || column < 0 || column >= grid->columns)
		return NULL;
	return &grid->cells[(size_t)row * (size_t)grid->columns + (size_t)column];
}

static void grid_put(struct top_grid *grid, int row, int column, enum top_style style, wchar_t character)
{
	struct top_cell *cell = grid_cell(grid, row, column);

	if (cell)
		*cell = (struct top_cell) { character, (unsigned char)style };
}

/*
 * Takes the next character from the text. Returns the number of columns that it needs, 0 for a character that is left
 * out, or -1 at the end of the text.
 */
static int grid_next_character(const struct top_grid *grid, const char **text, wchar_t *character)
{
	int length = utf8_length(*text), width;

	if (!**text)
		return -1;
	*character = length ? (wchar_t)utf8_code_point(*text, length) : L'?';
	*text += length ? length : 1;
	if (*character >= L' ' && *character < 127)
		return 1;
	width = *character < 160 ? 1 : wcwidth(*character); /* control characters end at 159 */
	if (*character < 160 || width < 0 || grid->ascii) {
		*character = L'?';
		return width ? 1 : 0;
	}
	return width;
}

static int text_width(const struct top_grid *grid, const char *text)
{
	wchar_t character;
	int total = 0, width;

	while ((width = grid_next_character(grid, &text, &character)) >= 0)
		total += width;
	return total;
}

int top_grid_text(struct top_grid *grid, int row, int column, int width, enum top_style style, const char *text)
{
	int end = column + width, begin = column;
	bool fits = text_width(grid, text) <= width;
	wchar_t character;

	if (width <= 0)
		return 0;
	for (;;) {
		int wide = grid_next_character(grid, &text, &character);
		if (wide < 0)
			return column - begin;
		if (!wide)
			continue;
		if (!fits && column + wide > end - 1)
			break;
		/* Half of a character cannot be shown. */
		if (wide == 2 && column + 1 >= grid->columns)
			character = L' ';
		grid_put(grid, row, column, style, character);
		for (int i = 1; i < wide; i++)
			grid_put(grid, row, column + i, style, character == L' ' ? L' ' : L'\0');
		column += wide;
	}
	while (column < end - 1)
		grid_put(grid, row, column++, style, L' ');
	grid_put(grid, row, column, style, grid->ascii ? L'~' : L'…');
	return width;
}

void top_grid_right(struct top_grid *grid, int row, int column, int width, enum top_style style, const char *text)
{
	int taken = text_width(grid, text);

	if (taken < width) {
		column += width - taken;
		width = taken;
	}
	top_grid_text(grid, row, column, width, style, text);
}

int top_grid_printf(struct top_grid *grid, int row, int column, enum top_style style, const char *format, ...)
{
	char text[GRID_LINE];
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(text, sizeof text, format, arguments);
	va_end(arguments);
	return top_grid_text(grid, row, column, grid->columns - column, style, text);
}

void top_grid_row_style(struct top_grid *grid, int row, enum top_style style)
{
	struct top_cell *cell = grid_cell(grid, row, 0);

	for (int i = 0; cell && i < grid->columns; i++)
		cell[i].style = (unsigned char)style;
}

/* Returns the height of a bar in eighths of a row. */
static int bar_height(float value, float max, int rows)
{
	int full = rows * GRAPH_LEVELS, height;

	if (value <= 0 || max <= 0)
		return 0;
	if (value >= max)
		return full;
	height = (int)(value / max * (float)full + 0.5f);
	return height ? height : 1;
}

void top_grid_graph(struct top_grid *grid, int bottom, int column, int width, int rows, const float *values, int count,
					float max)
{
	static const wchar_t blocks[] = L" ▁▂▃▄▅▆▇█", ascii[] = L" .,:-=+*#";

	for (int i = 0; i < width && i < count; i++) {
		int height = bar_height(values[i], max, rows);

		for (int row = 0; row < rows && height > 0; row++, height -= GRAPH_LEVELS) {
			int level = height < GRAPH_LEVELS ? height : GRAPH_LEVELS;
			grid_put(grid, bottom - row, column + width - 1 - i, TOP_GRAPH, grid->ascii ? ascii[level] : blocks[level]);
		}
	}
}
