/* SPDX-License-Identifier: MIT */
/* show: prints the state of an interface as text for people, with all details of its peers. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/amount.h"
#include "show_output.h"

enum { INTERFACE_VALUE = 15, PEER_VALUE = 22 }; /* the columns in which the values start */

static void text_title(const struct show_view *view, int value_column, const char *title)
{
	int indent = value_column == PEER_VALUE ? 4 : 2;

	terminal_blanks(&view->terminal, indent);
	fprintf(view->terminal.to, "%-*s", value_column - indent, title);
}

static void text_field(const struct show_view *view, int value_column, const char *title, const char *value)
{
	if (!value || !*value)
		return;
	text_title(view, value_column, title);
	terminal_wrap_text(&(struct terminal_wrap) { &view->terminal, value_column, value_column, false }, value);
	fputc('\n', view->terminal.to);
}

static void text_number(const struct show_view *view, const char *title, uint64_t number)
{
	if (!number)
		return;
	text_title(view, INTERFACE_VALUE, title);
	fprintf(view->terminal.to, "%" PRIu64 "\n", number);
}

/* Prints "up for 2 h 5 min" or "silent for 3 min 0 s: REASON". */
static void text_state(const struct show_view *view, const struct show_peer *peer)
{
	struct terminal_wrap wrap = { .terminal = &view->terminal, .indent = PEER_VALUE, .used = PEER_VALUE };
	const char *word = show_state_text(peer->state);
	char text[AMOUNT_TEXT], state[2 * AMOUNT_TEXT] = "";

	if (!word)
		return;
	if (peer->state_since)
		amount_duration(text, view->now > peer->state_since ? view->now - peer->state_since : 0);
	snprintf(state, sizeof state, "%s%s%s%s", word, peer->state_since ? " for " : "", peer->state_since ? text : "",
			 peer->state_reason ? ":" : "");
	text_title(view, PEER_VALUE, "state");
	terminal_style(&view->terminal, show_state_style(peer->state));
	terminal_wrap_word(&wrap, state);
	if (peer->state_reason)
		terminal_wrap_text(&wrap, peer->state_reason);
	terminal_style(&view->terminal, STYLE_PLAIN);
	fputc('\n', view->terminal.to);
}

static void text_allowed_ips(const struct show_view *view, const struct show_peer *peer)
{
	struct terminal_wrap wrap = { .terminal = &view->terminal, .indent = PEER_VALUE, .used = PEER_VALUE };
	char text[PREFIX_TEXT], word[PREFIX_TEXT + 1];

	text_title(view, PEER_VALUE, "allowed IPs");
	if (!peer->allowed_ips)
		fputs("none", view->terminal.to);
	for (const struct config_prefix *prefix = peer->allowed_ips; prefix; prefix = prefix->next) {
		prefix_to_text(text, &prefix->prefix);
		snprintf(word, sizeof word, "%s%s", text, prefix->next ? "," : "");
		terminal_wrap_word(&wrap, word);
	}
	fputc('\n', view->terminal.to);
}

/*
 * Prints "rtt 12.3 ms (min 11.9 ms, jitter 0.40 ms), lost 0.02 % in, 3 late, 1 duplicate". The jitter is unknown after
 * a single handshake.
 */
static void text_quality(const struct show_view *view, const struct show_peer *peer)
{
	struct terminal_wrap wrap = { .terminal = &view->terminal, .indent = PEER_VALUE, .used = PEER_VALUE };
	char rtt[AMOUNT_TEXT], min[AMOUNT_TEXT], jitter[AMOUNT_TEXT] = "", share[AMOUNT_TEXT], word[4 * AMOUNT_TEXT];
	const struct show_quality *quality = &peer->quality;
	uint64_t arrived, lost;
	bool has_loss = show_loss(peer, &arrived, &lost) && arrived + lost;

	if (!quality->rtt_ns && !has_loss)
		return;
	text_title(view, PEER_VALUE, "quality");
	if (quality->jitter_ns)
		amount_latency(jitter, quality->jitter_ns);
	if (quality->rtt_ns) {
		snprintf(word, sizeof word, "rtt %s (min %s%s%s)%s", amount_latency(rtt, quality->rtt_ns),
				 amount_latency(min, quality->rtt_min_ns), *jitter ? ", jitter " : "", jitter, has_loss ? "," : "");
		terminal_wrap_word(&wrap, word);
	}
	if (has_loss) {
		snprintf(word, sizeof word, "lost %s in%s", amount_percent(share, lost, arrived + lost),
				 quality->late || quality->duplicate ? "," : "");
		terminal_wrap_word(&wrap, word);
	}
	if (has_loss && quality->late) {
		snprintf(word, sizeof word, "%" PRIu64 " late%s", quality->late, quality->duplicate ? "," : "");
		terminal_wrap_word(&wrap, word);
	}
	if (has_loss && quality->duplicate) {
		snprintf(word, sizeof word, "%" PRIu64 " duplicate", quality->duplicate);
		terminal_wrap_word(&wrap, word);
	}
	fputc('\n', view->terminal.to);
}

static void text_transfer(const struct show_view *view, const struct show_peer *peer)
{
	char received_text[AMOUNT_TEXT], sent_text[AMOUNT_TEXT];
	double received, sent;

	text_title(view, PEER_VALUE, "transfer");
	fprintf(view->terminal.to, "%s received, %s sent\n", amount_bytes(received_text, peer->rx_bytes),
			amount_bytes(sent_text, peer->tx_bytes));
	if (!show_rates(view, peer, &received, &sent))
		return;
	text_title(view, PEER_VALUE, "rate");
	fprintf(view->terminal.to, "%s in, %s out\n", amount_bit_rate(received_text, received),
			amount_bit_rate(sent_text, sent));
}

static void text_peer(const struct show_view *view, const struct show_peer *peer)
{
	const char *title = show_peer_title(peer), *origin = show_origin_word(peer->endpoint_origin);
	char age[AMOUNT_TEXT];

	fputs("\n  peer ", view->terminal.to);
	terminal_style(&view->terminal, STYLE_BOLD);
	terminal_text(&view->terminal, title, -1);
	terminal_style(&view->terminal, STYLE_PLAIN);
	fputc('\n', view->terminal.to);
	text_state(view, peer);
	if (title != peer->public_key)
		text_field(view, PEER_VALUE, "public key", peer->public_key);
	text_field(view, PEER_VALUE, "description", peer->description);
	text_title(view, PEER_VALUE, "endpoint");
	terminal_text(&view->terminal, *peer->endpoint ? peer->endpoint : "unknown", -1);
	if (origin)
		fprintf(view->terminal.to, " (%s)", origin);
	fputc('\n', view->terminal.to);
	text_allowed_ips(view, peer);
	text_title(view, PEER_VALUE, "latest handshake");
	if (!peer->handshake)
		fputs("never\n", view->terminal.to);
	else /* the handshake appears to be in the future if the clock was set back */
		fprintf(view->terminal.to, "%s ago\n",
				amount_duration(age, view->now > peer->handshake ? view->now - peer->handshake : 0));
	text_quality(view, peer);
	text_transfer(view, peer);
	if (peer->keepalive) {
		text_title(view, PEER_VALUE, "keepalive");
		fprintf(view->terminal.to, "every %" PRIu32 " s\n", peer->keepalive);
	}
	if (peer->has_preshared_key)
		text_field(view, PEER_VALUE, "preshared key", "set");
}

static void text_interface(const struct show_view *view, const struct show_interface *interface)
{
	struct terminal_wrap wrap = { .terminal = &view->terminal, .indent = INTERFACE_VALUE, .used = INTERFACE_VALUE };

	text_field(view, INTERFACE_VALUE, "public key", *interface->public_key ? interface->public_key : "none");
	text_number(view, "listen port", interface->port);
	if (interface->fwmark) {
		text_title(view, INTERFACE_VALUE, "fwmark");
		fprintf(view->terminal.to, "0x%" PRIx32 "\n", interface->fwmark);
	}
	text_field(view, INTERFACE_VALUE, "crypto", interface->crypto_provider);
	text_field(view, INTERFACE_VALUE, "TUN backend", interface->tun_backend);
	text_number(view, "workers", interface->workers);
	text_field(view, INTERFACE_VALUE, "log level", interface->log_level);
	if (interface->peers && interface->peers->next) {
		text_title(view, INTERFACE_VALUE, "peers");
		show_peer_counts(&wrap, interface, "");
	}
}

void show_text(const struct show_view *view, const struct show_interface *interface, bool peers_only)
{
	show_title(view, interface);
	fputc('\n', view->terminal.to);
	show_warnings(view, interface, 2);
	if (!peers_only)
		text_interface(view, interface);
	for (const struct show_peer *peer = interface->peers; peer; peer = peer->next)
		text_peer(view, peer);
}
