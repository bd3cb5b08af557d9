/* SPDX-License-Identifier: MIT */
/* top: what the user has chosen: page, order, filter, selected peer. Reads keys, but no terminal. */
#ifndef ADIT_CLI_TOP_VIEW_H
#define ADIT_CLI_TOP_VIEW_H

#include "top_model.h"

enum { TOP_FILTER = 64 };

/* Keys that are not characters, above all of Unicode. */
enum top_key {
	TOP_KEY_NONE = 0x110000,
	TOP_KEY_UP,
	TOP_KEY_DOWN,
	TOP_KEY_PAGE_UP,
	TOP_KEY_PAGE_DOWN,
	TOP_KEY_HOME,
	TOP_KEY_END,
	TOP_KEY_ENTER,
	TOP_KEY_ESCAPE,
	TOP_KEY_BACKSPACE,
	TOP_KEY_TAB,
	TOP_KEY_BACK_TAB,
	TOP_KEY_REDRAW,
};

/* What the caller has to do after a key. */
enum top_action { TOP_STAY, TOP_QUIT, TOP_NEXT_INTERFACE, TOP_PREVIOUS_INTERFACE, TOP_REDRAW };

enum top_page { TOP_TABLE, TOP_DETAIL, TOP_COUNTERS, TOP_HELP };

enum top_order {
	TOP_BY_RATE, /* received and sent */
	TOP_BY_RECEIVED,
	TOP_BY_SENT,
	TOP_BY_NAME,
	TOP_BY_STATE,
	TOP_BY_LOSS,
	TOP_BY_RTT,
	TOP_BY_HANDSHAKE,
	TOP_ORDERS
};

struct top_view {
	enum top_page page;
	enum top_order order;
	bool reverse, paused;
	bool editing; /* keys change the filter */
	char filter[TOP_FILTER];
	char selected[KEY_BASE64]; /* "": the first row */
	struct top_peer **rows;    /* the peers that match the filter, in order */
	size_t row_count, room;
	size_t cursor, first; /* the rows that are selected and at the top of the table */
	size_t visible;       /* rows that the table has */
};

/*
 * Chooses and sorts the rows, after a sample or a key. They belong to the model and are valid until its next update.
 * The selection stays with its peer. 0, or -ENOMEM, after which there are no rows.
 */
int top_view_update(struct top_view *view, const struct top_model *model);
void top_view_free(struct top_view *view);

/* Notes how many rows the table has, and scrolls so that the selected one is visible. */
void top_view_show(struct top_view *view, size_t visible);

/* Handles a key: a character of Unicode or an enum top_key. Call top_view_update afterwards. */
enum top_action top_view_key(struct top_view *view, unsigned key);

/* Returns the selected peer, or NULL. Valid until the next update. */
const struct top_peer *top_view_peer(const struct top_view *view);
/* The name for people of an order, such as "rate". */
const char *top_order_name(enum top_order order);

#endif
