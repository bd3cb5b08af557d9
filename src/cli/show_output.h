/* SPDX-License-Identifier: MIT */
/* show: the output formats of `adit show`. */
#ifndef ADIT_CLI_SHOW_OUTPUT_H
#define ADIT_CLI_SHOW_OUTPUT_H

#include "base/terminal.h"
#include "show_state.h"

enum {
	SHOW_JSON_VERSION = 1,  /* rises if a member of the JSON document goes or changes its meaning */
	SHOW_DETAILS_PEERS = 8, /* interfaces with more peers are shown as tables */
};

/* How a look is printed. */
struct show_view {
	struct terminal terminal;
	uint64_t now;    /* seconds since the epoch; turns times into ages */
	double interval; /* seconds since the look before; 0: there was none, so there are no rates */
};

/* Prints all that is known about an interface and its peers; with `peers_only`, not the values of the interface. */
void show_text(const struct show_view *view, const struct show_interface *interface, bool peers_only);

/*
 * Prints an interface as a table with one line per peer: first those that are up, last those with problems, which a
 * terminal still shows after a long table. Columns that do not fit are left out; the line of a peer with a reason
 * contains the reason in place of its quality and traffic.
 */
void show_table(const struct show_view *view, const struct show_interface *interface);

/* Prints the names and values of the counters of an interface, with their meaning. */
void show_counters(const struct show_view *view, const struct show_interface *interface);

/* Prints a list of interfaces as a JSON document; adit(8) and docs/show.schema.json describe it. */
void show_json(FILE *to, const struct show_interface *interfaces);

/* Prints a list of interfaces with their peers as an SVG picture. */
void show_svg(FILE *to, const struct show_interface *interfaces);

/* --- parts that the text and the table share ----- */

/* Prints "interface NAME", without the end of the line. */
void show_title(const struct show_view *view, const struct show_interface *interface);
/* Prints the warnings of the interface, each on a line of its own that starts with `indent` blanks. */
void show_warnings(const struct show_view *view, const struct show_interface *interface, int indent);
/* Prints the line of an interface whose daemon has died, does not answer or sent nonsense. */
void show_unreadable(const struct show_view *view, const struct show_interface *interface);
/* Prints the number of peers, `noun`, and how many are in each state: "3 peers (2 up, 1 silent)\n". */
void show_peer_counts(struct terminal_wrap *wrap, const struct show_interface *interface, const char *noun);
/* The style of a state, and its words for people, such as "no endpoint". NULL for the unknown state. */
enum terminal_style show_state_style(enum show_peer_state state);
const char *show_state_text(enum show_peer_state state);
/* The name of the peer, or its public key. */
const char *show_peer_title(const struct show_peer *peer);
/* Bytes per second since the look before. Returns false if there is none. */
bool show_rates(const struct show_view *view, const struct show_peer *peer, double *received, double *sent);
/* Datagrams that arrived and that were lost: since the look before, or else in total. Returns false if unknown. */
bool show_loss(const struct show_peer *peer, uint64_t *arrived, uint64_t *lost);

#endif
