/* SPDX-License-Identifier: MIT */
/*
 * top: draws the title, the summary of the interface and the table of peers.
 *
 *     title        interface, order, filter, time
 *     interface    port, crypto provider, TUN backend, workers, peers; or the reason why there are no values
 *     in, out      rates of all peers, with the sizes of batches
 *     drops        by cause
 *     warnings     of the daemon
 *     table        one peer per row
 *     keys         or the filter that is being typed
 *
 * The lines above the table leave, from the last one on, when the terminal has few rows, and columns of the table by
 * their priority when it is narrow.
 */
#include "top_layout.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "show_output.h"
#include "top_text.h"
#include "uapi_client.h"

/* The rows that a terminal needs before a line is shown. */
enum { ROWS_INTERFACE = 3, ROWS_TITLES = 4, ROWS_KEYS = 6, ROWS_RATES = 8, ROWS_DROPS = 12, ROWS_WARNING = 16 };

enum {
	RATE_WIDTH = 16,    /* "out 12.3 Mbit/s " */
	BATCHES_WIDTH = 50, /* two of them, with names and means */
	WARNINGS_MAX = 3,
	STALE_SECONDS = 3,
	CELL_TEXT = 256,
};

/* --- the lines above the table ----- */

static void draw_title(struct top_grid *grid, const struct top_shown *shown)
{
	const struct top_view *view = shown->view;
	time_t seconds = (time_t)shown->model->wall_time;
	char right[TOP_FILTER + 128], filter[TOP_FILTER + 16] = "", clock[16] = "";
	struct tm local;
	int taken;

	if (seconds && localtime_r(&seconds, &local))
		strftime(clock, sizeof clock, "%H:%M:%S", &local);
	if (*view->filter)
		snprintf(filter, sizeof filter, "filter \"%s\"  ", view->filter);
	snprintf(right, sizeof right, "%s%sby %s%s  every %" PRIu64 " s  %s", view->paused ? "PAUSED  " : "", filter,
			 top_order_name(view->order), view->reverse ? ", reversed" : "", (shown->pause + NS_PER_S / 2) / NS_PER_S,
			 clock);
	taken = top_grid_printf(grid, 0, 0, TOP_BAR, "adit top  %s", shown->name);
	if (shown->count > 1)
		taken += top_grid_printf(grid, 0, taken, TOP_BAR, "  %u of %u", shown->index + 1, shown->count);
	top_grid_right(grid, 0, taken + 2, grid->columns - taken - 2, TOP_BAR, right);
	top_grid_row_style(grid, 0, TOP_BAR);
}

/* Writes why the values are missing or old. Returns false if they are neither. */
static bool draw_problem(struct top_grid *grid, const struct top_shown *shown, int row)
{
	const struct top_model *model = shown->model;
	uint64_t limit = 3 * shown->pause > STALE_SECONDS * NS_PER_S ? 3 * shown->pause : STALE_SECONDS * NS_PER_S;
	uint64_t age = shown->now > model->time ? shown->now - model->time : 0;
	char text[AMOUNT_TEXT];

	if (!*shown->name)
		top_grid_printf(grid, row, 0, TOP_WARN, "No tunnel is running.");
	else if (model->time && !shown->view->paused && (model->error || age > limit))
		top_grid_printf(grid, row, 0, TOP_BAD, "The daemon does not answer. These values are %s old.",
						amount_age(text, age / NS_PER_S));
	else if (model->error == -EACCES || model->error == -EPERM)
		top_grid_printf(grid, row, 0, TOP_BAD, "Only root can read the state of %s.", shown->name);
	else if (model->error)
		top_grid_printf(grid, row, 0, TOP_BAD, "%s: %s", shown->name, uapi_client_error(model->error));
	else if (!model->time)
		top_grid_printf(grid, row, 0, TOP_WARN, "%s: waiting for the daemon", shown->name);
	else
		return false;
	return true;
}

static void draw_facts(struct top_grid *grid, const struct top_shown *shown, int row)
{
	const struct top_model *model = shown->model;
	const struct show_interface *state = &model->state;
	int column = 0;

	if (draw_problem(grid, shown, row))
		return;
	column += top_grid_printf(grid, row, column, TOP_PLAIN, "%zu peer%s, %u up", model->peer_count,
							  model->peer_count == 1 ? "" : "s", model->up_count);
	if (*shown->view->filter)
		column += top_grid_printf(grid, row, column, TOP_PLAIN, ", %zu shown", shown->view->row_count);
	if (state->port)
		column += top_grid_printf(grid, row, column, TOP_PLAIN, "   port %" PRIu32, state->port);
	if (*state->crypto_provider)
		column += top_grid_printf(grid, row, column, TOP_PLAIN, "   crypto %s", state->crypto_provider);
	if (*state->tun_backend)
		column += top_grid_printf(grid, row, column, TOP_PLAIN, "   TUN %s", state->tun_backend);
	if (state->workers)
		top_grid_printf(grid, row, column, TOP_PLAIN, "   %" PRIu32 " worker%s", state->workers,
						state->workers == 1 ? "" : "s");
}

static void draw_batch(struct top_grid *grid, int row, int column, const char *name, const struct top_batch *batch)
{
	float newest_first[TOP_BATCH_BUCKETS], max = 0;

	if (!batch->reported)
		return;
	for (int i = 0; i < TOP_BATCH_BUCKETS; i++) {
		newest_first[TOP_BATCH_BUCKETS - 1 - i] = batch->latest[i];
		if (batch->latest[i] > max)
			max = batch->latest[i];
	}
	column += top_grid_printf(grid, row, column, TOP_PLAIN, "%s ", name);
	top_grid_graph(grid, row, column, TOP_BATCH_BUCKETS, 1, newest_first, TOP_BATCH_BUCKETS, max);
	if (batch->mean > 0)
		top_grid_printf(grid, row, column + TOP_BATCH_BUCKETS, TOP_PLAIN, " %.1f", batch->mean);
	else
		top_grid_printf(grid, row, column + TOP_BATCH_BUCKETS, TOP_PLAIN, " -");
}

/* Draws the line of one direction: "in  812 Mbit/s", the latest rates, and the batches of both sides. */
static void draw_rate(struct top_grid *grid, const struct top_shown *shown, int row, bool received)
{
	const struct top_model *model = shown->model;
	const struct top_batch *first = &model->counters.batches[received ? TOP_UDP_RECEIVE : TOP_TUN_READ];
	const struct top_batch *second = &model->counters.batches[received ? TOP_TUN_WRITE : TOP_UDP_SEND];
	const float *rates = received ? model->receive_rates : model->send_rates;
	int graph = grid->columns - RATE_WIDTH, column, filled = (int)model->filled;
	bool has_batches = first->reported && second->reported && graph >= BATCHES_WIDTH + TOP_BATCH_BUCKETS;
	char text[AMOUNT_TEXT];

	if (has_batches)
		graph -= BATCHES_WIDTH;
	if (graph > TOP_HISTORY)
		graph = TOP_HISTORY;
	top_grid_text(grid, row, 0, 3, TOP_BOLD, received ? "in" : "out");
	top_grid_right(grid, row, 4, RATE_WIDTH - 5, TOP_PLAIN,
				   top_text_bit_rate(text, received ? model->received : model->sent));
	if (graph > 0)
		top_grid_graph(grid, row, RATE_WIDTH, graph, 1, rates, filled,
					   top_graph_max(rates, filled < graph ? filled : graph));
	column = RATE_WIDTH + graph + 2;
	if (!has_batches)
		return;
	draw_batch(grid, row, column, received ? "UDP recv" : "TUN read", first);
	draw_batch(grid, row, column + 24, received ? "TUN write" : "UDP send ", second);
}

/* Those that happen now first. */
static int compare_causes(const void *left, const void *right)
{
	const struct top_counter *a = *(const struct top_counter *const *)left;
	const struct top_counter *b = *(const struct top_counter *const *)right;
	int order = (a->rate < b->rate) - (a->rate > b->rate);

	if (!order)
		order = (a->value < b->value) - (a->value > b->value);
	return order ? order : strcmp(a->name, b->name);
}

static void draw_drops(struct top_grid *grid, const struct top_shown *shown, int row)
{
	const struct top_counters *counters = &shown->model->counters;
	const struct top_counter *causes[TOP_COUNTERS_MAX];
	bool dropping = shown->model->dropped > 0;
	size_t count = 0;
	int column;
	char text[AMOUNT_TEXT];

	for (unsigned i = 0; i < counters->count; i++)
		if (show_drop_cause(counters->list[i].name) && counters->list[i].value)
			causes[count++] = &counters->list[i];
	if (count)
		qsort(causes, count, sizeof *causes, compare_causes);
	column = top_grid_printf(grid, row, 0, TOP_BOLD, "drops ");
	if (!count)
		top_grid_printf(grid, row, column, TOP_PLAIN, "none");
	else if (dropping)
		column += top_grid_printf(grid, row, column, TOP_WARN, "%s/s: ", top_text_number(text, shown->model->dropped));
	else
		column += top_grid_printf(grid, row, column, TOP_PLAIN, "none now, in all: ");
	for (size_t i = 0; i < count && column < grid->columns; i++) {
		const struct top_counter *cause = causes[i];
		if (dropping && cause->rate <= 0)
			break;
		column +=
			top_grid_printf(grid, row, column, dropping ? TOP_WARN : TOP_PLAIN, "%s%s %s%s", i ? ", " : "",
							show_drop_cause(cause->name),
							top_text_number(text, dropping ? cause->rate : (double)cause->value), dropping ? "/s" : "");
	}
}

/* --- the table ----- */

struct top_column {
	const char *title;
	int min, max;  /* width */
	int priority;  /* the column with the largest one leaves first */
	bool is_right; /* numbers are aligned on the right */
};

enum {
	COLUMN_NAME,
	COLUMN_STATE,
	COLUMN_RECEIVED,
	COLUMN_SENT,
	COLUMN_TRAFFIC,
	COLUMN_LOST,
	COLUMN_RTT,
	COLUMN_HANDSHAKE,
	COLUMN_ENDPOINT,
	COLUMN_ALLOWED_IPS,
	COLUMN_REASON,
	COLUMNS
};

/* The first eight columns take 80 columns of the terminal. */
static const struct top_column columns[COLUMNS] = {
	[COLUMN_NAME] = { "PEER", 14, 28, 0, false },
	[COLUMN_STATE] = { "STATE", 11, 11, 3, false },
	[COLUMN_RECEIVED] = { "IN bit/s", 8, 8, 1, true },
	[COLUMN_SENT] = { "OUT bit/s", 9, 9, 2, true },
	[COLUMN_TRAFFIC] = { "TRAFFIC", 8, 40, 4, false },
	[COLUMN_LOST] = { "LOST", 7, 7, 6, true },
	[COLUMN_RTT] = { "RTT", 7, 7, 5, true },
	[COLUMN_HANDSHAKE] = { "HANDSHAKE", 9, 9, 7, true },
	[COLUMN_ENDPOINT] = { "ENDPOINT", 21, 30, 8, false },
	[COLUMN_ALLOWED_IPS] = { "ALLOWED IPS", 18, 40, 9, false },
	[COLUMN_REASON] = { "REASON", 24, 60, 10, false },
};

/* Returns the text of a cell, in `text` or elsewhere. NULL: the cell is a graph of the traffic. */
static const char *top_cell_text(char text[CELL_TEXT], const struct top_shown *shown, const struct top_peer *peer,
								 int column)
{
	const struct show_peer *state = peer->state;
	uint64_t now = shown->model->wall_time;
	const char *word;

	switch (column) {
	case COLUMN_NAME:
		return show_peer_title(state);
	case COLUMN_STATE:
		word = show_state_text(peer->state->state);
		return word ? word : "-";
	case COLUMN_RECEIVED:
		return top_text_number(text, 8 * peer->received);
	case COLUMN_SENT:
		return top_text_number(text, 8 * peer->sent);
	case COLUMN_LOST:
		return top_text_loss(text, peer);
	case COLUMN_RTT:
		return top_text_latency(text, state->quality.rtt_ns);
	case COLUMN_HANDSHAKE:
		return state->handshake ? amount_age(text, now > state->handshake ? now - state->handshake : 0) : "never";
	case COLUMN_ENDPOINT:
		return state->endpoint;
	case COLUMN_ALLOWED_IPS:
		return top_allowed_ips(text, CELL_TEXT, peer);
	case COLUMN_REASON:
		return state->state_reason ? state->state_reason : "";
	default:
		return NULL;
	}
}

/* Chooses the columns that fit, and their widths; a width of 0 leaves a column out. The first column always fits. */
static void choose_columns(int available, int widths[COLUMNS])
{
	int rest = available + 1; /* each column is followed by a space, but for the last one */
	bool fits = true;

	memset(widths, 0, COLUMNS * sizeof *widths);
	for (int priority = 0; priority < COLUMNS && fits; priority++) {
		for (int i = 0; i < COLUMNS; i++) {
			if (columns[i].priority != priority)
				continue;
			fits = priority == 0 || rest > columns[i].min;
			if (fits) {
				widths[i] = columns[i].min;
				rest -= columns[i].min + 1;
			}
		}
	}
	/* Divide the rest among the columns that can use it. */
	for (bool grows = true; grows && rest > 0;) {
		grows = false;
		for (int i = 0; i < COLUMNS && rest > 0; i++) {
			if (!widths[i] || widths[i] == columns[i].max)
				continue;
			widths[i]++;
			rest--;
			grows = true;
		}
	}
}

static void draw_traffic(struct top_grid *grid, const struct top_peer *peer, int row, int column, int width)
{
	float rates[TOP_HISTORY] = { 0 };
	int count = (int)peer->filled < width ? (int)peer->filled : width;

	for (int i = 0; i < count; i++)
		rates[i] = peer->receive_rates[i] < 0 ? -1 : peer->receive_rates[i] + peer->send_rates[i];
	top_grid_graph(grid, row, column, width, 1, rates, count, top_graph_max(rates, count));
}

static void draw_peer(struct top_grid *grid, const struct top_shown *shown, const struct top_peer *peer,
					  const int widths[COLUMNS], int row)
{
	char text[CELL_TEXT];
	int column = 0;

	for (int i = 0; i < COLUMNS; i++) {
		enum top_style style = i == COLUMN_STATE ? top_state_style(peer->state->state) : TOP_PLAIN;
		const char *cell;

		if (!widths[i])
			continue;
		if (i == COLUMN_LOST && top_loses_much(peer))
			style = TOP_BAD;
		cell = top_cell_text(text, shown, peer, i);
		if (!cell)
			draw_traffic(grid, peer, row, column, widths[i]);
		else if (columns[i].is_right)
			top_grid_right(grid, row, column, widths[i], style, cell);
		else
			top_grid_text(grid, row, column, widths[i], style, cell);
		column += widths[i] + 1;
	}
}

/* Fills the rows from `top` up to, but without, `bottom`. */
static void draw_table(struct top_grid *grid, const struct top_shown *shown, int top, int bottom)
{
	struct top_view *view = shown->view;
	int widths[COLUMNS], column = 0;

	choose_columns(grid->columns, widths);
	for (int i = 0; i < COLUMNS && grid->rows >= ROWS_TITLES; i++) {
		if (columns[i].is_right)
			top_grid_right(grid, top, column, widths[i], TOP_BAR, columns[i].title);
		else
			top_grid_text(grid, top, column, widths[i], TOP_BAR, columns[i].title);
		column += widths[i] ? widths[i] + 1 : 0;
	}
	if (grid->rows >= ROWS_TITLES)
		top_grid_row_style(grid, top++, TOP_BAR);
	top_view_show(view, bottom > top ? (size_t)(bottom - top) : 0);
	if (!view->row_count && shown->model->time && top < bottom)
		top_grid_printf(grid, top, 0, TOP_PLAIN, "%s",
						shown->model->peer_count ? "No peer matches the filter." : "This interface has no peers.");
	for (size_t i = 0; i < view->visible && view->first + i < view->row_count; i++) {
		draw_peer(grid, shown, view->rows[view->first + i], widths, top + (int)i);
		if (view->first + i == view->cursor)
			top_grid_row_style(grid, top + (int)i, TOP_SELECTED);
	}
}

/* --- the whole screen ----- */

static void draw_keys(struct top_grid *grid, const struct top_view *view, int row)
{
	int column;

	if (view->editing) {
		column = top_grid_printf(grid, row, 0, TOP_BOLD, "filter: %s", view->filter);
		column += top_grid_printf(grid, row, column, TOP_BOLD, "_");
		top_grid_printf(grid, row, column, TOP_DIM, "  Enter keeps it, Esc removes it");
		return;
	}
	switch (view->page) {
	case TOP_TABLE:
		top_grid_printf(grid, row, 0, TOP_DIM,
						"q quit  s sort  / filter  p pause  Enter peer  d drops  Tab interface  ? help");
		break;
	case TOP_DETAIL:
		top_grid_printf(grid, row, 0, TOP_DIM, "q quit  Esc back  Up, Down other peers  p pause  ? help");
		break;
	case TOP_COUNTERS:
	case TOP_HELP:
		top_grid_printf(grid, row, 0, TOP_DIM, "q quit  Esc back");
		break;
	}
}

/* Returns the row after the lines that all pages have. */
static int draw_summary(struct top_grid *grid, const struct top_shown *shown)
{
	const struct show_warning *warning = shown->model->state.warnings;
	int row = 1;

	draw_title(grid, shown);
	if (grid->rows >= ROWS_INTERFACE)
		draw_facts(grid, shown, row++);
	if (shown->view->page != TOP_TABLE)
		return row;
	if (grid->rows >= ROWS_RATES && shown->model->time) {
		draw_rate(grid, shown, row++, true);
		draw_rate(grid, shown, row++, false);
	}
	if (grid->rows >= ROWS_DROPS && shown->model->counters.count)
		draw_drops(grid, shown, row++);
	for (int i = 0; warning && i < WARNINGS_MAX && grid->rows >= ROWS_WARNING; i++, warning = warning->next)
		top_grid_printf(grid, row++, 0, TOP_WARN, "%s%s", warning->text,
						warning->next && i == WARNINGS_MAX - 1 ? " (and more: adit show)" : "");
	return row;
}

void top_layout(struct top_grid *grid, const struct top_shown *shown)
{
	int top, bottom = grid->rows;

	if (!grid->cells)
		return;
	top = draw_summary(grid, shown);
	if (grid->rows >= ROWS_KEYS || (shown->view->editing && grid->rows > 1))
		draw_keys(grid, shown->view, --bottom);
	switch (shown->view->page) {
	case TOP_TABLE:
		draw_table(grid, shown, top, bottom);
		break;
	case TOP_DETAIL:
		top_page_peer(grid, shown, top, bottom);
		break;
	case TOP_COUNTERS:
		top_page_counters(grid, shown, top, bottom);
		break;
	case TOP_HELP:
		top_page_help(grid, top, bottom);
		break;
	}
}
