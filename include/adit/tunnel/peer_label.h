/* SPDX-License-Identifier: MIT */
/*
 * The label of a peer: its name and description in the configuration. A label never changes. The configuration and the
 * peer share it by a count of references, so that a reload that applies it cannot fail. Control alone takes and
 * releases references; workers only read the label of a peer.
 */
#ifndef ADIT_TUNNEL_PEER_LABEL_H
#define ADIT_TUNNEL_PEER_LABEL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { PEER_NAME_MAX = 64, PEER_DESCRIPTION_MAX = 256 }; /* bytes without the NUL */

struct peer_label {
	unsigned references;
	const char *name, *description; /* "": none */
	const char *text;               /* the subject of log lines: "wg0: peer alice (abcd…wxyz)" */
	char bytes[];
};

/*
 * Makes a label with one reference. `name` and `description` are "" or printable UTF-8 of at most PEER_NAME_MAX and
 * PEER_DESCRIPTION_MAX bytes. Returns NULL without memory.
 */
struct peer_label *peer_label_create(const char *interface, const uint8_t public_key[32], const char *name,
									 const char *description);
/* Takes another reference, and returns the label. Accepts NULL. */
struct peer_label *peer_label_take(struct peer_label *label);
/* Releases a reference; the last one frees the label. Accepts NULL. */
void peer_label_release(struct peer_label *label);
/* True if both have the same content, or both are NULL. */
bool peer_label_equal(const struct peer_label *a, const struct peer_label *b);

/*
 * Writes the subject of log lines about a peer: "wg0: peer abcd…wxyz", with the first and last four characters of its
 * key, as users of wg(8) know them. With a name: "wg0: peer alice (abcd…wxyz)".
 */
void peer_label_subject(char *text, size_t room, const char *interface, const uint8_t public_key[32], const char *name);

#endif
