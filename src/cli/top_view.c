/* SPDX-License-Identifier: MIT */
/* top: sorts and filters peers, and handles keys. */
#include "top_view.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "show_output.h"

static const char *const order_names[] = {
	[TOP_BY_RATE] = "rate",   [TOP_BY_RECEIVED] = "in", [TOP_BY_SENT] = "out", [TOP_BY_NAME] = "name",
	[TOP_BY_STATE] = "state", [TOP_BY_LOSS] = "loss",   [TOP_BY_RTT] = "rtt",  [TOP_BY_HANDSHAKE] = "handshake",
};
static_assert(sizeof order_names / sizeof *order_names == TOP_ORDERS, "each order has a name");

const char *top_order_name(enum top_order order)
{
	return order_names[order];
}

/* --- order ----- */

/* Larger values first. */
static int compare_descending(double left, double right)
{
	return (left < right) - (left > right);
}

/* -1 if the loss is unknown. */
static double loss_share(const struct top_peer *peer)
{
	uint64_t lost, sent;

	return top_peer_lost(peer, &lost, &sent) ? (double)lost / (double)sent : -1;
}

/* An unknown rate counts as 0, because a peer must not jump between the rows when its rate becomes known. */
static double known(double rate)
{
	return rate > 0 ? rate : 0;
}

static int compare_peer_names(const struct top_peer *left, const struct top_peer *right)
{
	bool left_named = left->state->name, right_named = right->state->name;
	int order = right_named - left_named;

	if (!order)
		order = strverscmp(show_peer_title(left->state), show_peer_title(right->state));
	return order ? order : strcmp(left->state->public_key, right->state->public_key);
}

static int compare_rows(const void *a, const void *b, void *context)
{
	const struct top_view *view = context;
	const struct top_peer *left = *(struct top_peer *const *)a, *right = *(struct top_peer *const *)b;
	int order = 0;

	switch (view->order) {
	case TOP_BY_RATE:
		order =
			compare_descending(known(left->received) + known(left->sent), known(right->received) + known(right->sent));
		break;
	case TOP_BY_RECEIVED:
		order = compare_descending(known(left->received), known(right->received));
		break;
	case TOP_BY_SENT:
		order = compare_descending(known(left->sent), known(right->sent));
		break;
	case TOP_BY_STATE:
		order = compare_descending(left->state->state, right->state->state);
		break;
	case TOP_BY_LOSS:
		order = compare_descending(loss_share(left), loss_share(right));
		break;
	case TOP_BY_RTT:
		order = compare_descending((double)left->state->quality.rtt_ns, (double)right->state->quality.rtt_ns);
		break;
	case TOP_BY_HANDSHAKE:
		order = compare_descending((double)left->state->handshake, (double)right->state->handshake);
		break;
	case TOP_BY_NAME:
	case TOP_ORDERS:
		break;
	}
	if (!order)
		order = compare_peer_names(left, right);
	return view->reverse ? -order : order;
}

/* --- filter ----- */

static bool contains(const char *text, const char *filter)
{
	return text && strcasestr(text, filter);
}

static bool matches(const struct top_view *view, const struct top_peer *peer)
{
	const struct show_peer *state = peer->state;
	char text[PREFIX_TEXT];

	if (!*view->filter || contains(state->name, view->filter) || contains(state->description, view->filter) ||
		contains(state->public_key, view->filter) || contains(state->endpoint, view->filter) ||
		contains(show_state_text(peer->state->state), view->filter))
		return true;
	for (const struct config_prefix *prefix = state->allowed_ips; prefix; prefix = prefix->next) {
		prefix_to_text(text, &prefix->prefix);
		if (contains(text, view->filter))
			return true;
	}
	return false;
}

/* --- rows ----- */

static void clamp_rows(struct top_view *view)
{
	size_t visible = view->visible ? view->visible : 1;

	if (view->cursor >= view->row_count)
		view->cursor = view->row_count ? view->row_count - 1 : 0;
	if (view->first > view->cursor)
		view->first = view->cursor;
	if (view->cursor - view->first >= visible)
		view->first = view->cursor - visible + 1;
	if (view->first + visible > view->row_count)
		view->first = view->row_count > visible ? view->row_count - visible : 0;
}

void top_view_show(struct top_view *view, size_t visible)
{
	view->visible = visible;
	clamp_rows(view);
}

/* Moves the cursor to the selected peer. If the peer is gone, the cursor stays where it is, in the table. */
static void find_selected(struct top_view *view)
{
	if (!*view->selected) {
		view->cursor = 0;
		return;
	}
	for (size_t i = 0; i < view->row_count; i++) {
		if (!strcmp(view->rows[i]->state->public_key, view->selected)) {
			view->cursor = i;
			return;
		}
	}
	if (view->page == TOP_DETAIL)
		view->page = TOP_TABLE;
}

int top_view_update(struct top_view *view, const struct top_model *model)
{
	view->row_count = 0;
	if (view->room < model->peer_count) {
		free(view->rows);
		view->rows = calloc(model->peer_count, sizeof *view->rows);
		view->room = view->rows ? model->peer_count : 0;
		if (!view->rows)
			return -ENOMEM;
	}
	for (size_t i = 0; i < model->peer_count; i++)
		if (matches(view, model->peers[i]))
			view->rows[view->row_count++] = model->peers[i];
	if (view->row_count)
		qsort_r(view->rows, view->row_count, sizeof *view->rows, compare_rows, view);
	find_selected(view);
	clamp_rows(view);
	return 0;
}

void top_view_free(struct top_view *view)
{
	free(view->rows);
	*view = (struct top_view) { 0 };
}

const struct top_peer *top_view_peer(const struct top_view *view)
{
	return view->cursor < view->row_count ? view->rows[view->cursor] : NULL;
}

/* --- keys ----- */

/* Selects another row. The first row is selected as such, so that it shows whichever peer is first. */
static void move_cursor(struct top_view *view, size_t cursor)
{
	const struct top_peer *peer;

	view->cursor = cursor;
	clamp_rows(view);
	peer = top_view_peer(view);
	*view->selected = '\0';
	if (peer && (view->cursor || view->page == TOP_DETAIL))
		memcpy(view->selected, peer->state->public_key, sizeof view->selected);
}

static bool cursor_key(struct top_view *view, unsigned key)
{
	size_t page = view->visible > 1 ? view->visible - 1 : 1, cursor = view->cursor;

	switch (key) {
	case 'k':
	case TOP_KEY_UP:
		move_cursor(view, cursor ? cursor - 1 : 0);
		return true;
	case 'j':
	case TOP_KEY_DOWN:
		move_cursor(view, cursor + 1);
		return true;
	case TOP_KEY_PAGE_UP:
		move_cursor(view, cursor > page ? cursor - page : 0);
		return true;
	case TOP_KEY_PAGE_DOWN:
		move_cursor(view, cursor + page);
		return true;
	case 'g':
	case TOP_KEY_HOME:
		move_cursor(view, 0);
		return true;
	case 'G':
	case TOP_KEY_END:
		move_cursor(view, view->row_count);
		return true;
	default:
		return false;
	}
}

/* Appends a character to the filter as UTF-8. */
static void filter_append(struct top_view *view, unsigned point)
{
	size_t length = strlen(view->filter), more = point < 0x80 ? 1 : point < 0x800 ? 2 : point < 0x10000 ? 3 : 4;
	static const unsigned char first[] = { 0, 0, 0xc0, 0xe0, 0xf0 };

	if (point < ' ' || point == 127 || length + more >= sizeof view->filter)
		return;
	for (size_t i = more - 1; i; i--, point >>= 6)
		view->filter[length + i] = (char)(0x80 | (point & 0x3f));
	view->filter[length] = (char)(first[more] | point);
	view->filter[length + more] = '\0';
}

/* Escape removes the filter, Enter keeps it. */
static void filter_key(struct top_view *view, unsigned key)
{
	size_t length = strlen(view->filter);

	switch (key) {
	case TOP_KEY_ESCAPE:
		*view->filter = '\0';
		view->editing = false;
		break;
	case TOP_KEY_ENTER:
		view->editing = false;
		break;
	case TOP_KEY_BACKSPACE: /* removes all bytes of the last character */
		while (length > 1 && ((unsigned char)view->filter[length - 1] & 0xc0) == 0x80)
			length--;
		view->filter[length ? length - 1 : 0] = '\0';
		break;
	default:
		if (key < TOP_KEY_NONE)
			filter_append(view, key);
		else
			cursor_key(view, key);
	}
}

/* Shows the page, or the table again if the page is shown. */
static void toggle_page(struct top_view *view, enum top_page page)
{
	view->page = view->page == page ? TOP_TABLE : page;
	if (view->page == TOP_DETAIL && !top_view_peer(view))
		view->page = TOP_TABLE;
	move_cursor(view, view->cursor); /* the detail page stays with its peer */
}

static void table_key(struct top_view *view, unsigned key)
{
	switch (key) {
	case 's':
		view->order = (view->order + 1) % TOP_ORDERS;
		break;
	case 'S':
		view->order = (view->order + TOP_ORDERS - 1) % TOP_ORDERS;
		break;
	case 'r':
		view->reverse = !view->reverse;
		break;
	case '/':
		view->page = TOP_TABLE;
		view->editing = true;
		break;
	case 'p':
	case ' ':
		view->paused = !view->paused;
		break;
	case TOP_KEY_ENTER:
		toggle_page(view, view->page == TOP_TABLE ? TOP_DETAIL : view->page);
		break;
	case TOP_KEY_ESCAPE:
		if (view->page == TOP_TABLE)
			*view->filter = '\0';
		view->page = TOP_TABLE;
		break;
	case 'd':
		toggle_page(view, TOP_COUNTERS);
		break;
	case 'h':
	case '?':
		toggle_page(view, TOP_HELP);
		break;
	default:
		break;
	}
}

enum top_action top_view_key(struct top_view *view, unsigned key)
{
	if (key == TOP_KEY_REDRAW)
		return TOP_REDRAW;
	if (view->editing) {
		filter_key(view, key);
		return TOP_STAY;
	}
	switch (key) {
	case 'q':
		return TOP_QUIT;
	case TOP_KEY_TAB:
		return TOP_NEXT_INTERFACE;
	case TOP_KEY_BACK_TAB:
		return TOP_PREVIOUS_INTERFACE;
	default:
		if (!cursor_key(view, key))
			table_key(view, key);
		return TOP_STAY;
	}
}
