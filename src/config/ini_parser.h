/* SPDX-License-Identifier: MIT */
/* What the files of the INI parser share. */
#ifndef ADIT_CONFIG_INI_PARSER_H
#define ADIT_CONFIG_INI_PARSER_H

#include <stdbool.h>
#include <stddef.h>

#include "config/config.h"
#include "config/ini.h"

enum ini_section { SECTION_NONE, SECTION_UNKNOWN, SECTION_INTERFACE, SECTION_PEER };

enum ini_key {
	KEY_PRIVATE_KEY,
	KEY_LISTEN_PORT,
	KEY_ADDRESS,
	KEY_MTU,
	KEY_TABLE,
	KEY_FWMARK,
	KEY_AEAD,
	KEY_BACKEND,
	KEY_WORKERS,
	KEY_DNS,
	KEY_PRE_UP,
	KEY_POST_UP,
	KEY_PRE_DOWN,
	KEY_POST_DOWN,
	KEY_SAVE_CONFIG,
	KEY_PUBLIC_KEY,
	KEY_PRESHARED_KEY,
	KEY_ALLOWED_IPS,
	KEY_ENDPOINT,
	KEY_PERSISTENT_KEEPALIVE,
	KEY_CIPHER,
	KEY_COUNT,
};

/* A part of the text being read: not a string, nothing is copied. */
struct ini_slice {
	const char *at;
	size_t length;
};

struct ini_parser {
	struct config *config;
	struct ini_report *report;
	const char *name; /* of the file, for messages */

	struct ini_slice rest; /* what has not been read */
	int line;              /* the one being read, from 1 */
	int status;            /* negative errno: stop */

	enum ini_section section;
	int interface_line;  /* of the first [Interface]; 0: none yet */
	int said[KEY_COUNT]; /* the line that gave this key last, in [Interface] or in this [Peer]; 0: none */

	struct config_prefix **address_tail, **allowed_ip_tail;
	struct config_peer *peer, **peer_tail; /* the peer of this section; where the next one goes */
};

/* Report a finding; line 0 means the file as a whole. */
void ini_error(const struct ini_parser *parser, int line, const char *format, ...)
	__attribute__((format(printf, 3, 4)));
void ini_warning(const struct ini_parser *parser, int line, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

enum { INI_QUOTE = 72 };
/* `text` as a message may show it: printable, cut, and withheld when a key may be in it. Returns `shown`. */
const char *ini_quote(char shown[INI_QUOTE], const char *text);

/* Reads one `name = value` of the open section into the configuration. */
void ini_key_read(struct ini_parser *parser, const char *name, const char *value);
/* True for the keys whose value is a shell command, where '#' may mean anything. */
bool ini_key_is_hook(struct ini_slice name);
/* Forgets which keys of a section were said. */
void ini_key_forget(struct ini_parser *parser, enum ini_section section);

/*
 * Looks at the configuration as a whole: peers against each other and against our own key. A prefix that several peers
 * claim stays with the last. 0 or -ENOMEM.
 */
int ini_check(struct ini_parser *parser);

#endif
