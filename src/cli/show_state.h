/* SPDX-License-Identifier: MIT */
/* The state of an interface as its daemon tells it, and the two ways to print it. */
#ifndef ADIT_CLI_SHOW_STATE_H
#define ADIT_CLI_SHOW_STATE_H

#include <net/if.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "config/config.h"

enum { SHOW_ENDPOINT = 128, SHOW_LIBRARY = 32 };

struct show_peer {
	struct show_peer *next;
	char public_key[KEY_BASE64];
	bool preshared_key;           /* there is one */
	char endpoint[SHOW_ENDPOINT]; /* as people write it; "": unknown */
	uint64_t handshake;           /* seconds since the epoch; 0: never */
	uint64_t received, sent;      /* bytes */
	uint32_t keepalive;           /* seconds; 0: off */
	struct config_prefix *allowed_ips, **tail;
};

struct show_interface {
	struct show_interface *next;
	char name[IFNAMSIZ];
	char public_key[KEY_BASE64];                    /* "": no private key */
	uint32_t port, mark;                            /* 0: none */
	uint32_t workers;                               /* 0: it does not say */
	char aead[SHOW_LIBRARY], backend[SHOW_LIBRARY]; /* what does the ciphers and the reading; "": it does not say */
	struct show_peer *peers;
};

/*
 * Asks the daemon of `interface->name`, the rest of which is zero. 0; -EPROTO for an answer that is none, -EAGAIN for
 * none in time, what connecting gave, or what the daemon said; then parts may be filled in. show_free in any case.
 */
int show_read(struct show_interface *interface, const char *directory);
/* Frees all in it, and not itself. */
void show_free(struct show_interface *interface);

/* For people, with handshakes as seen from `now` (seconds since the epoch). */
void show_text(FILE *to, const struct show_interface *interface, uint64_t now);
/* As a JSON document, see show.h. */
void show_json(FILE *to, const struct show_interface *interfaces);

#endif
