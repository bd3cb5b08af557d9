/* SPDX-License-Identifier: MIT */
/* show: the state of an interface, as read from its daemon, and its two output formats. */
#ifndef ADIT_CLI_SHOW_STATE_H
#define ADIT_CLI_SHOW_STATE_H

#include <net/if.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "config/config.h"

enum { SHOW_ENDPOINT = 128, SHOW_NAME = 32, SHOW_TIMEOUT = 10 /* seconds, for people */ };

struct show_peer {
	struct show_peer *next;
	char public_key[KEY_BASE64];
	char *name, *description; /* NULL: none */
	bool has_preshared_key;
	char endpoint[SHOW_ENDPOINT]; /* "": unknown */
	uint64_t handshake;           /* seconds since the epoch; 0: never */
	uint64_t rx_bytes, tx_bytes;
	uint32_t keepalive; /* seconds; 0: off */
	struct config_prefix *allowed_ips, **allowed_ip_tail;
};

struct show_interface {
	struct show_interface *next;
	char name[IFNAMSIZ];
	char public_key[KEY_BASE64];                             /* "": no private key */
	uint32_t port, fwmark;                                   /* 0: none */
	uint32_t workers;                                        /* 0: not reported */
	char crypto_provider[SHOW_NAME], tun_backend[SHOW_NAME]; /* "": not reported */
	struct show_peer *peers;
};

/*
 * Queries the daemon of `interface->name`; the rest of the struct is zero. Returns 0; -EPROTO for a malformed reply;
 * -EAGAIN if the daemon sends nothing for `timeout` seconds, or its whole reply takes that long; or the error of
 * connecting or of the daemon. After an error the struct may be partly filled. The caller calls show_free in every
 * case.
 */
int show_read(struct show_interface *interface, const char *directory, int timeout);
/* Frees the peers, but not the struct itself. */
void show_free(struct show_interface *interface);

/* Prints text for people. `now`, in seconds since the epoch, turns handshake times into ages. */
void show_text(FILE *to, const struct show_interface *interface, uint64_t now);
/* Prints a list of interfaces as a JSON document; cli/show.h describes it. */
void show_json(FILE *to, const struct show_interface *interfaces);

#endif
