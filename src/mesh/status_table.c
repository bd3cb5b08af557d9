/* SPDX-License-Identifier: MIT */
/* Status: the matrix as text for a terminal, and the problems as sentences. */
#include "status_render.h"

#include <stdlib.h>
#include <string.h>

#include "base/terminal.h"
#include "base/wg_state.h"

enum { TABLE_HOSTS_MAX = 20, PROBLEMS_MAX = 20, COLUMN_MIN = 5, COLUMN_GAP = 2 };

static const enum terminal_style styles[] = {
	[REACH_NONE] = STYLE_DIM,        [REACH_UP] = STYLE_GOOD,  [REACH_IDLE] = STYLE_PLAIN,
	[REACH_RELAYED] = STYLE_GOOD,    [REACH_DOWN] = STYLE_BAD, [REACH_MISSING] = STYLE_BAD,
	[REACH_UNKNOWN] = STYLE_WARNING,
};
_Static_assert(sizeof styles / sizeof *styles == REACH_KINDS, "each kind of cell has a style");

/* A cell and the blanks after it, or the end of the line if the cell is the last one. */
static void table_cell(const struct terminal *terminal, const char *text, int width, enum terminal_style style,
					   bool is_last)
{
	int used;

	terminal_style(terminal, style);
	used = terminal_text(terminal, text, width);
	terminal_style(terminal, STYLE_PLAIN);
	if (is_last)
		fputc('\n', terminal->to);
	else
		terminal_blanks(terminal, width - used + COLUMN_GAP);
}

/* Fills `widths` with those of the columns. Returns the width of the names. */
static int measure_status_columns(const struct status_matrix *matrix, int *widths)
{
	int name_width = 0;

	for (size_t to = 0; to < matrix->list->count; to++) {
		int width = terminal_width(matrix->list->hosts[to].name);

		name_width = width > name_width ? width : name_width;
		widths[to] = width > COLUMN_MIN ? width : COLUMN_MIN;
		for (size_t from = 0; from < matrix->list->count; from++) {
			struct status_cell cell = status_matrix_cell(matrix, from, to);
			char text[STATUS_CELL];

			if (matrix->hosts[from].outcome == STATUS_FAILED)
				continue;
			width = terminal_width(status_cell_text(text, matrix, &cell));
			widths[to] = width > widths[to] ? width : widths[to];
		}
	}
	return name_width;
}

/* Returns the column after those from `first` on that fit the terminal; one at least. */
static size_t columns_that_fit(const struct terminal *terminal, const struct status_matrix *matrix, size_t first,
							   const int *widths, int used)
{
	size_t end = first;

	do
		used += widths[end++] + COLUMN_GAP;
	while (end < matrix->list->count && (!terminal->columns || used + widths[end] <= terminal->columns));
	return end;
}

static void print_row(const struct terminal *terminal, const struct status_matrix *matrix, size_t from, size_t first,
					  size_t end, const int *widths)
{
	for (size_t to = first; to < end; to++) {
		struct status_cell cell = status_matrix_cell(matrix, from, to);
		char text[STATUS_CELL];

		table_cell(terminal, status_cell_text(text, matrix, &cell), widths[to], styles[cell.reach], to + 1 == end);
	}
}

/* The columns from `first` to before `end`. The first part of the matrix has a row for a host that failed, too. */
static void print_part(const struct terminal *terminal, const struct status_matrix *matrix, size_t first, size_t end,
					   const int *widths, int name_width)
{
	terminal_blanks(terminal, name_width + COLUMN_GAP);
	for (size_t to = first; to < end; to++)
		table_cell(terminal, matrix->list->hosts[to].name, widths[to], STYLE_BOLD, to + 1 == end);
	for (size_t from = 0; from < matrix->list->count; from++) {
		const struct status_host *host = &matrix->hosts[from];

		if (host->outcome == STATUS_FAILED && first)
			continue;
		table_cell(terminal, matrix->list->hosts[from].name, name_width, STYLE_BOLD, false);
		if (host->outcome == STATUS_FAILED) {
			terminal_style(terminal, STYLE_BAD);
			terminal_text(terminal, host->reason, -1);
			terminal_style(terminal, STYLE_PLAIN);
			fputc('\n', terminal->to);
		} else {
			print_row(terminal, matrix, from, first, end, widths);
		}
	}
	fputc('\n', terminal->to);
}

/* In several parts, below each other, if the terminal is narrow. */
static void print_matrix(const struct terminal *terminal, const struct status_matrix *matrix)
{
	int widths[TABLE_HOSTS_MAX], name_width = measure_status_columns(matrix, widths);
	size_t end;

	for (size_t first = 0; first < matrix->list->count; first = end) {
		end = columns_that_fit(terminal, matrix, first, widths, name_width + COLUMN_GAP);
		print_part(terminal, matrix, first, end, widths, name_width);
	}
}

/* --- sentences ----- */

/* Hosts that did not answer. The matrix contains them already, if it was printed. */
static void print_failures(const struct terminal *terminal, const struct status_matrix *matrix)
{
	for (size_t i = 0; i < matrix->list->count; i++) {
		if (matrix->hosts[i].outcome != STATUS_FAILED)
			continue;
		fprintf(terminal->to, "%s: ", matrix->list->hosts[i].name);
		terminal_text(terminal, matrix->hosts[i].reason, -1);
		fputc('\n', terminal->to);
	}
}

static void print_old_hosts(const struct terminal *terminal, const struct status_matrix *matrix)
{
	for (size_t i = 0; i < matrix->list->count; i++)
		if (matrix->hosts[i].outcome == STATUS_ANSWERED && matrix->hosts[i].is_old)
			fprintf(terminal->to,
					"%s: its adit is too old to report states; a handshake in the last %d s counts as up\n",
					matrix->list->hosts[i].name, WG_STATE_UP_SECONDS);
}

/* "a to b: silent: REASON". A path through a hub is left out: the tunnels to the hub explain it. */
static void print_problems(const struct terminal *terminal, const struct status_matrix *matrix)
{
	size_t count = matrix->list->count, problems = 0;

	for (size_t from = 0; from < count; from++) {
		for (size_t to = 0; to < count; to++) {
			struct status_cell cell = status_matrix_cell(matrix, from, to);
			bool is_tunnel_down = cell.reach == REACH_DOWN && cell.peer;

			if ((!is_tunnel_down && cell.reach != REACH_MISSING) || problems++ >= PROBLEMS_MAX)
				continue;
			fprintf(terminal->to, "%s to %s: ", matrix->list->hosts[from].name, matrix->list->hosts[to].name);
			if (!is_tunnel_down) {
				fputs("there is no such peer\n", terminal->to);
				continue;
			}
			terminal_text(terminal, cell.peer->state, -1);
			fputs(*cell.peer->reason ? ": " : "", terminal->to);
			terminal_text(terminal, cell.peer->reason, -1);
			fputc('\n', terminal->to);
		}
	}
	if (problems > PROBLEMS_MAX)
		fprintf(terminal->to, "%zu more tunnels are not up\n", problems - PROBLEMS_MAX);
}

static void print_totals(const struct terminal *terminal, const struct status_matrix *matrix)
{
	size_t count = matrix->list->count, skipped = count - matrix->answered - matrix->failed;

	fprintf(terminal->to, "%zu of %zu hosts answered", matrix->answered, count);
	if (matrix->failed)
		fprintf(terminal->to, ", %zu failed", matrix->failed);
	if (skipped)
		fprintf(terminal->to, ", %zu skipped", skipped);
	fprintf(terminal->to, "; %zu of %zu directions work", matrix->reached, matrix->wanted);
	if (matrix->unchecked)
		fprintf(terminal->to, ", %zu could not be checked", matrix->unchecked);
	fputc('\n', terminal->to);
}

void status_table(FILE *to, const struct status_matrix *matrix)
{
	struct terminal terminal;

	terminal_init(&terminal, to);
	if (matrix->list->count <= TABLE_HOSTS_MAX)
		print_matrix(&terminal, matrix);
	else
		print_failures(&terminal, matrix);
	print_old_hosts(&terminal, matrix);
	print_problems(&terminal, matrix);
	print_totals(&terminal, matrix);
}
