/* SPDX-License-Identifier: MIT */
/* top: the pages about one peer, about the counters, and about the keys. */
#ifndef ADIT_CLI_TOP_PAGES_H
#define ADIT_CLI_TOP_PAGES_H

#include "top_grid.h"
#include "top_view.h"

/* All that a screen shows. */
struct top_shown {
	const struct top_model *model;
	struct top_view *view;
	const char *name;      /* of the interface; "": there is none */
	unsigned index, count; /* the position of the interface among all, from 0 */
	uint64_t now;          /* in nanoseconds of the boot clock */
	uint64_t pause;        /* nanoseconds between two samples */
};

/* Each function fills the rows from `top` up to, but without, `bottom`. */
void top_page_peer(struct top_grid *grid, const struct top_shown *shown, int top, int bottom);
void top_page_counters(struct top_grid *grid, const struct top_shown *shown, int top, int bottom);
void top_page_help(struct top_grid *grid, int top, int bottom);

/* The style in which the state of a peer is shown. */
enum top_style top_state_style(enum show_peer_state state);
/* True if more than 1 % of the peer's datagrams were lost lately. */
bool top_loses_much(const struct top_peer *peer);
/* The largest of the rates, and at least a rate that is worth a graph. */
float top_graph_max(const float *rates, int count);
/* Writes the allowed IPs, up to the size of `text`. Returns `text`. */
const char *top_allowed_ips(char *text, size_t size, const struct top_peer *peer);

#endif
