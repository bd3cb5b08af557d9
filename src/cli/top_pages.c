/* SPDX-License-Identifier: MIT */
/* top: draws the pages about one peer, about the counters, and about the keys. */
#include "top_pages.h"

#include <assert.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "show_output.h"
#include "top_text.h"

enum {
	LABEL = 14,      /* columns of the names on the page of a peer */
	GRAPH_ROWS = 12, /* the highest graph */
	COUNTER_NAME = 26,
	COUNTER_CELL = 40, /* a counter with its name, its value and its rate */
};

/* The sizes of batches, and the lengths of gaps. */
static const char *const size_classes[] = { "1", "2-3", "4-7", "8-15", "16-31", "32-63", "64-127", "128+" };
enum { SIZE_CLASSES = sizeof size_classes / sizeof *size_classes };
static_assert((int)SIZE_CLASSES == (int)SHOW_GAPS && (int)SIZE_CLASSES == (int)TOP_BATCH_BUCKETS,
			  "each class has a name");

/* --- shared with the table ----- */

enum top_style top_state_style(enum show_peer_state state)
{
	switch (state) {
	case SHOW_UP:
		return TOP_GOOD;
	case SHOW_WAITING:
		return TOP_WARN;
	case SHOW_SILENT:
	case SHOW_UNREACHABLE:
		return TOP_BAD;
	default:
		return TOP_PLAIN;
	}
}

bool top_loses_much(const struct top_peer *peer)
{
	uint64_t lost, sent;

	return top_peer_lost(peer, &lost, &sent) && lost > sent / 100;
}

float top_graph_max(const float *rates, int count)
{
	float max = 125; /* bytes per second: less would look like much */

	for (int i = 0; i < count; i++)
		if (rates[i] > max)
			max = rates[i];
	return max;
}

const char *top_allowed_ips(char *text, size_t size, const struct top_peer *peer)
{
	size_t length = 0;

	snprintf(text, size, "%s", peer->state->allowed_ips ? "" : "none");
	for (const struct config_prefix *prefix = peer->state->allowed_ips; prefix && length + 1 < size;
		 prefix = prefix->next) {
		char part[PREFIX_TEXT];
		prefix_to_text(part, &prefix->prefix);
		length += (size_t)snprintf(text + length, size - length, "%s%s", length ? ", " : "", part);
	}
	return text;
}

/* --- one peer ----- */

/* The rows of a page that are not filled yet. */
struct page_rows {
	struct top_grid *grid;
	int row, bottom;
};

static void page_line(struct page_rows *page, const char *label, enum top_style style, const char *format, ...)
	__attribute__((format(printf, 4, 5)));

static void page_line(struct page_rows *page, const char *label, enum top_style style, const char *format, ...)
{
	char text[1024];
	va_list arguments;

	if (page->row >= page->bottom)
		return;
	va_start(arguments, format);
	vsnprintf(text, sizeof text, format, arguments);
	va_end(arguments);
	top_grid_text(page->grid, page->row, 0, LABEL - 1, TOP_BOLD, label);
	top_grid_text(page->grid, page->row++, LABEL, page->grid->columns - LABEL, style, text);
}

static void page_state(struct page_rows *page, const struct top_shown *shown, const struct top_peer *peer)
{
	const struct show_peer *state = peer->state;
	const char *word = show_state_text(peer->state->state);
	uint64_t now = shown->model->wall_time;
	char age[AMOUNT_TEXT] = "";

	if (state->state_since && now >= state->state_since)
		amount_duration(age, now - state->state_since);
	page_line(page, "state", top_state_style(peer->state->state), "%s%s%s%s%s", word ? word : "-", *age ? " for " : "",
			  age, state->state_reason ? ": " : "", state->state_reason ? state->state_reason : "");
	if (state->handshake)
		page_line(page, "handshake", TOP_PLAIN, "%s ago",
				  amount_duration(age, now > state->handshake ? now - state->handshake : 0));
	else
		page_line(page, "handshake", TOP_PLAIN, "never");
}

static void page_quality(struct page_rows *page, const struct top_peer *peer)
{
	const struct show_quality *quality = &peer->state->quality;
	char rtt[AMOUNT_TEXT], min[AMOUNT_TEXT], jitter[AMOUNT_TEXT], percent[AMOUNT_TEXT], gaps[256] = "";
	size_t length = 0;

	if (quality->rtt_ns)
		page_line(page, "rtt", TOP_PLAIN, "%s (min %s%s%s)", top_text_latency(rtt, quality->rtt_ns),
				  top_text_latency(min, quality->rtt_min_ns), quality->jitter_ns ? ", jitter " : "",
				  quality->jitter_ns ? amount_latency(jitter, quality->jitter_ns) : "");
	if (!quality->has_datagrams)
		return;
	page_line(page, "lost", top_loses_much(peer) ? TOP_BAD : TOP_PLAIN,
			  "%s recently; in all %" PRIu64 " of %" PRIu64 ", %" PRIu64 " late, %" PRIu64 " duplicate",
			  top_text_loss(percent, peer), quality->lost, quality->datagrams + quality->lost, quality->late,
			  quality->duplicate);
	for (int i = 0; i < SHOW_GAPS; i++)
		if (quality->gaps[i])
			length += (size_t)snprintf(gaps + length, sizeof gaps - length, "%s%s: %" PRIu64, length ? "   " : "",
									   size_classes[i], quality->gaps[i]);
	if (length)
		page_line(page, "gaps", TOP_PLAIN, "%s", gaps);
}

static void page_graph(struct page_rows *page, const char *label, const float *rates, int filled, int rows)
{
	int columns = page->grid->columns, width = columns < TOP_HISTORY ? columns : TOP_HISTORY;
	float max = top_graph_max(rates, filled);
	char text[AMOUNT_TEXT];

	page_line(page, label, TOP_DIM, "a full bar is %s", top_text_bit_rate(text, (double)max));
	page->row += rows;
	top_grid_graph(page->grid, page->row - 1, 0, width, rows, rates, filled, max);
}

void top_page_peer(struct top_grid *grid, const struct top_shown *shown, int top, int bottom)
{
	const struct top_peer *peer = top_view_peer(shown->view);
	struct page_rows page = { grid, top, bottom };
	char bytes[AMOUNT_TEXT], rate[AMOUNT_TEXT], text[1024];
	const struct show_peer *state;
	const char *origin;
	int rows;

	if (!peer)
		return;
	state = peer->state;
	origin = show_origin_word(state->endpoint_origin);
	page_line(&page, "peer", TOP_BOLD, "%s", state->name ? state->name : "");
	if (state->description)
		page_line(&page, "description", TOP_PLAIN, "%s", state->description);
	page_line(&page, "public key", TOP_PLAIN, "%s", state->public_key);
	page_state(&page, shown, peer);
	page_line(&page, "endpoint", TOP_PLAIN, "%s%s%s%s", *state->endpoint ? state->endpoint : "unknown",
			  origin ? " (" : "", origin ? origin : "", origin ? ")" : "");
	page_line(&page, "allowed IPs", TOP_PLAIN, "%s", top_allowed_ips(text, sizeof text, peer));
	page_line(&page, "received", TOP_PLAIN, "%s, %s", top_text_bit_rate(rate, peer->received),
			  amount_bytes(bytes, state->rx_bytes));
	page_line(&page, "sent", TOP_PLAIN, "%s, %s", top_text_bit_rate(rate, peer->sent),
			  amount_bytes(bytes, state->tx_bytes));
	page_quality(&page, peer);
	if (state->keepalive)
		page_line(&page, "keepalive", TOP_PLAIN, "every %" PRIu32 " s", state->keepalive);
	if (state->has_preshared_key)
		page_line(&page, "preshared key", TOP_PLAIN, "set");
	rows = (bottom - page.row) / 2 - 1;
	if (rows < 1)
		return;
	rows = rows < GRAPH_ROWS ? rows : GRAPH_ROWS;
	page_graph(&page, "in", peer->receive_rates, (int)peer->filled, rows);
	page_graph(&page, "out", peer->send_rates, (int)peer->filled, rows);
}

/* --- counters ----- */

static int page_batches(struct top_grid *grid, const struct top_counters *counters, int row)
{
	static const char *const names[TOP_BATCHES] = { "UDP receive", "TUN write", "TUN read", "UDP send" };
	bool titled = false;
	char text[AMOUNT_TEXT];

	for (int i = 0; i < TOP_BATCHES; i++) {
		const struct top_batch *batch = &counters->batches[i];
		if (!batch->reported)
			continue;
		if (!titled) {
			top_grid_text(grid, row, 0, 12, TOP_BAR, "batches of");
			for (int j = 0; j < TOP_BATCH_BUCKETS; j++)
				top_grid_right(grid, row, 12 + 7 * j, 7, TOP_BAR, size_classes[j]);
			top_grid_right(grid, row, 12 + 7 * TOP_BATCH_BUCKETS, 9, TOP_BAR, "mean now");
			top_grid_row_style(grid, row++, TOP_BAR);
			titled = true;
		}
		top_grid_text(grid, row, 0, 12, TOP_BOLD, names[i]);
		for (int j = 0; j < TOP_BATCH_BUCKETS; j++)
			top_grid_right(grid, row, 12 + 7 * j, 7, TOP_PLAIN, top_text_number(text, (double)batch->buckets[j]));
		top_grid_right(grid, row++, 12 + 7 * TOP_BATCH_BUCKETS, 9, TOP_PLAIN,
					   batch->mean > 0 ? (snprintf(text, sizeof text, "%.1f", batch->mean), text) : "-");
	}
	return row;
}

/* Drops first, each group with the largest values first. */
static int compare_counter_rows(const void *left, const void *right)
{
	const struct top_counter *a = *(const struct top_counter *const *)left;
	const struct top_counter *b = *(const struct top_counter *const *)right;
	int order = !show_drop_cause(a->name) - !show_drop_cause(b->name);

	if (!order)
		order = (a->value < b->value) - (a->value > b->value);
	return order ? order : strcmp(a->name, b->name);
}

void top_page_counters(struct top_grid *grid, const struct top_shown *shown, int top, int bottom)
{
	const struct top_counters *counters = &shown->model->counters;
	const struct top_counter *sorted[TOP_COUNTERS_MAX] = { NULL };
	int row = page_batches(grid, counters, top), rows, columns = grid->columns / COUNTER_CELL, count = 0;
	char text[AMOUNT_TEXT];

	if (!counters->count) {
		top_grid_text(grid, row, 0, grid->columns, TOP_PLAIN, "This daemon has no counters.");
		return;
	}
	for (unsigned i = 0; i < counters->count; i++)
		if (counters->list[i].value)
			sorted[count++] = &counters->list[i];
	qsort(sorted, (size_t)count, sizeof *sorted, compare_counter_rows);
	top_grid_printf(grid, row, 0, TOP_BAR, "%-*s%*s%*s", COUNTER_NAME, "counter, if not 0", 6, "total", 7, "per s");
	top_grid_row_style(grid, row++, TOP_BAR);
	rows = bottom - row;
	columns = columns ? columns : 1;
	for (int i = 0; i < count && rows > 0 && i < rows * columns; i++) {
		const struct top_counter *counter = sorted[i];
		bool is_drop = show_drop_cause(counter->name);
		int at = row + i % rows, column = i / rows * COUNTER_CELL;
		enum top_style style = is_drop && counter->rate > 0 ? TOP_WARN : TOP_PLAIN;

		top_grid_text(grid, at, column, COUNTER_NAME - 1, style, counter->name);
		top_grid_right(grid, at, column + COUNTER_NAME, 6, style, top_text_number(text, (double)counter->value));
		top_grid_right(grid, at, column + COUNTER_NAME + 6, 7, style, top_text_number(text, counter->rate));
	}
}

/* --- keys ----- */

void top_page_help(struct top_grid *grid, int top, int bottom)
{
	static const char *const lines[][2] = {
		{ "q, Ctrl-C", "quit" },
		{ "Up, Down, j, k", "select a peer; Page Up, Page Down, Home and End, too" },
		{ "Enter", "show the selected peer; Enter or Esc goes back" },
		{ "s, S", "sort by the next or the previous column" },
		{ "r", "reverse the order" },
		{ "/", "show only peers whose name, description, key, endpoint," },
		{ "", "allowed IPs or state contain a text; Esc removes the filter" },
		{ "p, Space", "pause: keep the values that are shown" },
		{ "d", "show all counters, with the causes of drops" },
		{ "Tab, Shift-Tab", "show the next or the previous interface" },
		{ "Ctrl-L", "draw the screen again" },
		{ "", "" },
		{ "in, out", "what the peer sends and what we send, as UDP payload" },
		{ "traffic", "both in the latest samples; each peer has its own scale" },
		{ "lost", "datagrams of the peer that did not arrive in the last minute" },
		{ "RTT", "round-trip time of the latest handshake" },
		{ "UDP recv, ...", "the batches of one sample: from 1 packet on the left to 128" },
		{ "", "and more on the right, and the mean" },
	};

	for (size_t i = 0; i < sizeof lines / sizeof *lines && top + (int)i < bottom; i++) {
		top_grid_text(grid, top + (int)i, 1, 15, TOP_BOLD, lines[i][0]);
		top_grid_text(grid, top + (int)i, 17, grid->columns - 17, TOP_PLAIN, lines[i][1]);
	}
}
