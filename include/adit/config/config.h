/* SPDX-License-Identifier: MIT */
/*
 * A configuration: what an INI file or a set on the control socket says. "Not said" and "zero" differ, so values carry
 * presence flags. It is data only: apply.h makes it so.
 */
#ifndef ADIT_CONFIG_CONFIG_H
#define ADIT_CONFIG_CONFIG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/keytext.h"
#include "crypto/suite.h"
#include "io/backend.h"
#include "io/netlink.h"
#include "io/resolve.h"

struct config_prefix {
	struct config_prefix *next;
	struct ip_prefix prefix;
	bool remove; /* take it away from the peer; a set on the control socket alone says this */
	int line;    /* of the file; 0: not from a file */
};

struct config_peer {
	struct config_peer *next;
	int line; /* of its section */
	uint8_t public_key[KEY_BYTES];
	bool has_public_key;
	uint8_t preshared_key[KEY_BYTES];
	bool has_preshared_key;
	bool has_endpoint;
	struct endpoint endpoint; /* from the control socket, numeric; else unknown, and what follows says it */
	char endpoint_host[ENDPOINT_HOST], endpoint_port[ENDPOINT_PORT];
	bool has_keepalive;
	uint16_t keepalive; /* seconds; 0: off */
	struct config_prefix *allowed_ips;
	bool has_cipher;
	enum suite cipher;
	bool remove, update_only, replace_allowed_ips; /* said by a set on the control socket */
};

enum config_table { TABLE_AUTO, TABLE_OFF, TABLE_NUMBER };

enum { CONFIG_WORKERS_MAX = 32 };

struct config {
	char interface[16]; /* the file's name without .conf */
	uint8_t private_key[KEY_BYTES];
	bool has_private_key;
	uint16_t listen_port; /* 0: random */
	bool has_listen_port;
	uint32_t fwmark; /* 0: off */
	bool has_fwmark;
	uint32_t mtu; /* 0: as wg-quick computes it */
	enum config_table table;
	uint32_t table_number;
	struct config_prefix *addresses;
	char aead[16]; /* "" or auto: the best */
	enum backend_kind backend;
	uint32_t workers; /* 0: auto */
	struct config_peer *peers;
	size_t peer_count;
	bool replace_peers; /* said by a set on the control socket */
};

/* Wipes keys and frees; takes a zeroed struct. */
void config_destroy(struct config *config);
/* The same for the peers alone: then there are none. */
void config_forget_peers(struct config *config);
/* Frees a list; takes NULL. */
void config_prefixes_free(struct config_prefix *prefix);

enum { PREFIX_TEXT = 50 }; /* the longest prefix as text, and the end of the string */

/* Reads "address/length" of IPv4 or IPv6, host bits kept; "address" alone is a host, /32 or /128. False: neither. */
bool prefix_from_text(struct ip_prefix *prefix, const char *text);
void prefix_to_text(char text[PREFIX_TEXT], const struct ip_prefix *prefix);
/* Clears the bits behind the length. */
void prefix_mask(struct ip_prefix *prefix);

#endif
