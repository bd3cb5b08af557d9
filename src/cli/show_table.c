/* SPDX-License-Identifier: MIT */
/* show: prints the peers of an interface as a table, one line per peer. */
#include <assert.h>
#include <stdio.h>
#include <string.h>

#include "base/amount.h"
#include "show_output.h"

enum table_column {
	COLUMN_PEER,
	COLUMN_STATE,
	COLUMN_HANDSHAKE,
	COLUMN_RTT, /* from here on, a reason replaces the cells */
	COLUMN_LOST,
	COLUMN_RECEIVED,
	COLUMN_SENT,
	COLUMN_ENDPOINT,
	COLUMN_ORIGIN,
	COLUMNS
};

enum {
	COLUMN_GAP = 2,
	PEER_MIN = 16, /* columns that a name keeps while there are others to leave out */
	CELL = SHOW_ENDPOINT
};

struct table {
	const struct show_view *view;
	bool rates;         /* the columns of the traffic contain rates */
	int width[COLUMNS]; /* 0: the column is left out */
};

static const char *column_title(const struct table *table, enum table_column column)
{
	static const char *const titles[] = {
		[COLUMN_PEER] = "PEER", [COLUMN_STATE] = "STATE",       [COLUMN_HANDSHAKE] = "HANDSHAKE",
		[COLUMN_RTT] = "RTT",   [COLUMN_LOST] = "LOST IN",      [COLUMN_RECEIVED] = "RECEIVED",
		[COLUMN_SENT] = "SENT", [COLUMN_ENDPOINT] = "ENDPOINT", [COLUMN_ORIGIN] = "LEARNED",
	};

	if (table->rates && column == COLUMN_RECEIVED)
		return "IN bit/s";
	if (table->rates && column == COLUMN_SENT)
		return "OUT bit/s";
	return titles[column];
}

static const char *traffic_cell(const struct table *table, const struct show_peer *peer, bool is_received,
								char cell[CELL])
{
	double received, sent;
	char *unit;

	if (!table->rates)
		return amount_bytes(cell, is_received ? peer->rx_bytes : peer->tx_bytes);
	if (!show_rates(table->view, peer, &received, &sent))
		return "";
	amount_bit_rate(cell, is_received ? received : sent);
	unit = strstr(cell, "bit/s"); /* the title contains it */
	unit -= unit[-1] == ' ';
	*unit = '\0';
	return cell;
}

/* Returns the text of a cell, which may be in `cell`; "": the value is unknown. */
static const char *cell_text(const struct table *table, const struct show_peer *peer, enum table_column column,
							 char cell[CELL])
{
	uint64_t now = table->view->now, arrived, lost;
	const char *text = NULL;
	char age[AMOUNT_TEXT];

	switch (column) {
	case COLUMN_PEER:
		return show_peer_title(peer);
	case COLUMN_STATE:
		text = show_state_text(peer->state);
		break;
	case COLUMN_HANDSHAKE:
		if (!peer->handshake)
			return "never";
		snprintf(cell, CELL, "%s ago", amount_age(age, now > peer->handshake ? now - peer->handshake : 0));
		return cell;
	case COLUMN_RTT:
		if (peer->quality.rtt_ns)
			text = amount_latency(cell, peer->quality.rtt_ns);
		break;
	case COLUMN_LOST:
		if (show_loss(peer, &arrived, &lost))
			text = arrived + lost ? amount_percent(cell, lost, arrived + lost) : "-";
		break;
	case COLUMN_RECEIVED:
	case COLUMN_SENT:
		return traffic_cell(table, peer, column == COLUMN_RECEIVED, cell);
	case COLUMN_ENDPOINT:
		return peer->endpoint;
	case COLUMN_ORIGIN:
		text = show_origin_word(peer->endpoint_origin);
		break;
	case COLUMNS:
		break;
	}
	return text ? text : "";
}

static int total_width(const struct table *table)
{
	int total = -COLUMN_GAP;

	for (unsigned column = 0; column < COLUMNS; column++)
		total += table->width[column] ? table->width[column] + COLUMN_GAP : 0;
	return total;
}

/*
 * Fits the table to the terminal: leaves out columns from the right, as long as a name has less than PEER_MIN columns.
 */
static void fit_columns(struct table *table)
{
	int room = table->view->terminal.columns, natural = table->width[COLUMN_PEER];

	if (!room)
		return;
	table->width[COLUMN_PEER] = natural < PEER_MIN ? natural : PEER_MIN;
	for (unsigned column = COLUMNS - 1; column > COLUMN_STATE && total_width(table) > room; column--)
		table->width[column] = 0;
	table->width[COLUMN_PEER] += room - total_width(table);
	if (table->width[COLUMN_PEER] > natural)
		table->width[COLUMN_PEER] = natural;
	if (table->width[COLUMN_PEER] < 1)
		table->width[COLUMN_PEER] = 1;
}

/* A column without a single value is left out: daemons of earlier versions do not report everything. */
static void measure_columns(struct table *table, const struct show_interface *interface)
{
	char cell[CELL];

	for (unsigned column = 0; column < COLUMNS; column++) {
		int *width = &table->width[column];

		for (const struct show_peer *peer = interface->peers; peer; peer = peer->next) {
			int needed = 0;

			if (column < COLUMN_RTT || !peer->state_reason)
				needed = terminal_width(cell_text(table, peer, column, cell));
			if (needed > *width)
				*width = needed;
		}
		if (*width && *width < (int)strlen(column_title(table, column)))
			*width = (int)strlen(column_title(table, column));
	}
	fit_columns(table);
}

/* Prints a cell. `pending` is the number of blanks before it; on return, those before the next cell. */
static void print_cell(const struct table *table, enum table_column column, const char *text, enum terminal_style style,
					   int *pending)
{
	const struct terminal *terminal = &table->view->terminal;
	bool is_number = column >= COLUMN_HANDSHAKE && column <= COLUMN_SENT; /* aligned to the right */
	int width = table->width[column], needed = terminal_width(text);

	if (!needed) { /* no blanks at the end of a line */
		*pending += width + COLUMN_GAP;
		return;
	}
	if (needed > width)
		needed = width;
	if (is_number)
		*pending += width - needed;
	terminal_blanks(terminal, *pending);
	if (style != STYLE_PLAIN)
		terminal_style(terminal, style);
	terminal_text(terminal, text, width);
	if (style != STYLE_PLAIN)
		terminal_style(terminal, STYLE_PLAIN);
	*pending = COLUMN_GAP + (is_number ? 0 : width - needed);
}

/* Prints "for 5 min: REASON" up to the right edge of the terminal. */
static void print_reason(const struct table *table, const struct show_peer *peer, int pending)
{
	const struct terminal *terminal = &table->view->terminal;
	uint64_t now = table->view->now;
	int room = terminal->columns ? terminal->columns : -1;
	char age[AMOUNT_TEXT], since[AMOUNT_TEXT + 8] = "";

	for (unsigned column = 0; room > 0 && column < COLUMN_RTT; column++)
		room -= table->width[column] ? table->width[column] + COLUMN_GAP : 0;
	if (terminal->columns && room < 1)
		return;
	if (peer->state_since)
		snprintf(since, sizeof since,
				 "for %s: ", amount_age(age, now > peer->state_since ? now - peer->state_since : 0));
	terminal_blanks(terminal, pending);
	if (room < 0) {
		fputs(since, terminal->to);
		terminal_text(terminal, peer->state_reason, -1);
		return;
	}
	room -= terminal_text(terminal, since, room);
	terminal_text(terminal, peer->state_reason, room);
}

static void print_peer(const struct table *table, const struct show_peer *peer)
{
	int pending = 0;
	char cell[CELL];

	for (unsigned column = 0; column < COLUMNS; column++) {
		enum terminal_style style = column == COLUMN_PEER    ? STYLE_BOLD
									: column == COLUMN_STATE ? show_state_style(peer->state)
															 : STYLE_PLAIN;

		if (column == COLUMN_RTT && peer->state_reason) {
			print_reason(table, peer, pending);
			break;
		}
		if (table->width[column])
			print_cell(table, column, cell_text(table, peer, column, cell), style, &pending);
	}
	fputc('\n', table->view->terminal.to);
}

void show_table(const struct show_view *view, const struct show_interface *interface)
{
	static const enum show_peer_state order[] = { SHOW_UP,          SHOW_IDLE,   SHOW_STATE_UNKNOWN, SHOW_WAITING,
												  SHOW_NO_ENDPOINT, SHOW_SILENT, SHOW_UNREACHABLE };
	struct terminal_wrap wrap = { .terminal = &view->terminal, .indent = 2 };
	struct table table = { .view = view };
	int pending = 0;

	static_assert(sizeof order / sizeof *order == SHOW_STATES, "each state has its place");
	for (const struct show_peer *peer = interface->peers; peer; peer = peer->next)
		table.rates |= view->interval > 0 && peer->earlier;
	show_title(view, interface);
	fputs(": ", view->terminal.to);
	wrap.used = (int)strlen("interface : ") + terminal_width(interface->name);
	show_peer_counts(&wrap, interface, interface->peers && !interface->peers->next ? " peer" : " peers");
	show_warnings(view, interface, 0);
	if (!interface->peers)
		return;
	fputc('\n', view->terminal.to);
	measure_columns(&table, interface);
	for (unsigned column = 0; column < COLUMNS; column++) {
		if (table.width[column])
			print_cell(&table, column, column_title(&table, column), STYLE_DIM, &pending);
	}
	fputc('\n', view->terminal.to);
	for (size_t i = 0; i < SHOW_STATES; i++) {
		for (const struct show_peer *peer = interface->peers; peer; peer = peer->next)
			if (peer->state == order[i])
				print_peer(&table, peer);
	}
}
