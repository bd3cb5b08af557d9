/* SPDX-License-Identifier: MIT */
/* show: what the text and the table share: words for states, warnings, and differences between two looks. */
#include <assert.h>
#include <inttypes.h>
#include <string.h>

#include "show_output.h"

static const struct {
	const char *text;
	enum terminal_style style;
} states[] = {
	[SHOW_STATE_UNKNOWN] = { NULL, STYLE_PLAIN },
	[SHOW_UP] = { "up", STYLE_GOOD },
	[SHOW_IDLE] = { "idle", STYLE_DIM },
	[SHOW_WAITING] = { "waiting", STYLE_WARNING },
	[SHOW_SILENT] = { "silent", STYLE_BAD },
	[SHOW_NO_ENDPOINT] = { "no endpoint", STYLE_WARNING },
	[SHOW_UNREACHABLE] = { "unreachable", STYLE_BAD },
};
static_assert(sizeof states / sizeof *states == SHOW_STATES, "each state has words for people");

enum terminal_style show_state_style(enum show_peer_state state)
{
	return states[state].style;
}

const char *show_state_text(enum show_peer_state state)
{
	return states[state].text;
}

const char *show_peer_title(const struct show_peer *peer)
{
	return peer->name ? peer->name : peer->public_key;
}

void show_title(const struct show_view *view, const struct show_interface *interface)
{
	fputs("interface ", view->terminal.to);
	terminal_style(&view->terminal, STYLE_BOLD);
	terminal_text(&view->terminal, interface->name, -1);
	terminal_style(&view->terminal, STYLE_PLAIN);
}

void show_warnings(const struct show_view *view, const struct show_interface *interface, int indent)
{
	for (const struct show_warning *warning = interface->warnings; warning; warning = warning->next) {
		struct terminal_wrap wrap = { .terminal = &view->terminal, .indent = indent + 2, .used = indent };

		terminal_blanks(&view->terminal, indent);
		terminal_style(&view->terminal, STYLE_WARNING);
		terminal_wrap_word(&wrap, "warning:");
		terminal_wrap_text(&wrap, warning->text);
		terminal_style(&view->terminal, STYLE_PLAIN);
		fputc('\n', view->terminal.to);
	}
}

void show_unreadable(const struct show_view *view, const struct show_interface *interface)
{
	struct terminal_wrap wrap = { .terminal = &view->terminal, .indent = 2 };

	show_title(view, interface);
	fputs(": ", view->terminal.to);
	wrap.used = (int)strlen("interface : ") + terminal_width(interface->name);
	terminal_style(&view->terminal, STYLE_BAD);
	for (const struct show_warning *warning = interface->warnings; warning; warning = warning->next)
		terminal_wrap_text(&wrap, warning->text);
	terminal_style(&view->terminal, STYLE_PLAIN);
	fputc('\n', view->terminal.to);
}

void show_peer_counts(struct terminal_wrap *wrap, const struct show_interface *interface, const char *noun)
{
	size_t counts[SHOW_STATES] = { 0 }, total = 0, known;
	char word[64];
	const char *opening = "(";

	for (const struct show_peer *peer = interface->peers; peer; peer = peer->next) {
		counts[peer->state]++;
		total++;
	}
	known = total - counts[SHOW_STATE_UNKNOWN];
	snprintf(word, sizeof word, "%zu%s", total, noun);
	terminal_wrap_word(wrap, word);
	for (unsigned state = SHOW_UP; state < SHOW_STATES; state++) {
		if (!counts[state])
			continue;
		known -= counts[state];
		snprintf(word, sizeof word, "%s%zu %s%s", opening, counts[state], states[state].text, known ? "," : ")");
		opening = "";
		terminal_style(wrap->terminal, states[state].style);
		terminal_wrap_word(wrap, word);
		terminal_style(wrap->terminal, STYLE_PLAIN);
	}
	fputc('\n', wrap->terminal->to);
}

bool show_rates(const struct show_view *view, const struct show_peer *peer, double *received, double *sent)
{
	if (!peer->earlier || view->interval <= 0)
		return false;
	*received = (double)(peer->rx_bytes - peer->earlier->rx_bytes) / view->interval;
	*sent = (double)(peer->tx_bytes - peer->earlier->tx_bytes) / view->interval;
	return true;
}

bool show_loss(const struct show_peer *peer, uint64_t *arrived, uint64_t *lost)
{
	const struct show_quality *now = &peer->quality, *then;

	if (!now->has_datagrams)
		return false;
	*arrived = now->datagrams;
	*lost = now->lost;
	if (peer->earlier && peer->earlier->quality.has_datagrams) {
		then = &peer->earlier->quality;
		*arrived -= then->datagrams;
		*lost -= then->lost;
	}
	return true;
}

/* --- two looks ----- */

/*
 * Daemons keep the order of their peers, so the search begins after the peer that was found before. A peer whose totals
 * fell was added again meanwhile, and has no earlier look.
 */
static void link_peers(struct show_interface *interface, const struct show_interface *before)
{
	const struct show_peer *expected = before->peers;

	for (struct show_peer *peer = interface->peers; peer; peer = peer->next) {
		const struct show_peer *earlier = expected;

		if (!earlier || strcmp(earlier->public_key, peer->public_key) != 0) {
			for (earlier = before->peers; earlier; earlier = earlier->next)
				if (!strcmp(earlier->public_key, peer->public_key))
					break;
		}
		if (!earlier)
			continue;
		expected = earlier->next;
		if (peer->rx_bytes >= earlier->rx_bytes && peer->tx_bytes >= earlier->tx_bytes &&
			peer->quality.datagrams >= earlier->quality.datagrams && peer->quality.lost >= earlier->quality.lost)
			peer->earlier = earlier;
	}
}

void show_link_looks(struct show_interface *interfaces, const struct show_interface *before)
{
	for (struct show_interface *interface = interfaces; interface; interface = interface->next) {
		const struct show_interface *earlier = before;

		while (earlier && strcmp(earlier->name, interface->name) != 0)
			earlier = earlier->next;
		if (earlier)
			link_peers(interface, earlier);
	}
}
