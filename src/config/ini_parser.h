/* SPDX-License-Identifier: MIT */
/* INI: what the files of the parser share. */
#ifndef ADIT_CONFIG_INI_PARSER_H
#define ADIT_CONFIG_INI_PARSER_H

#include <limits.h>
#include <stdbool.h>
#include <stddef.h>

#include "config/config.h"
#include "config/ini.h"
#include "tunnel/peer_label.h"

enum ini_section { SECTION_NONE, SECTION_UNKNOWN, SECTION_INTERFACE, SECTION_PEER };

enum ini_key {
	KEY_PRIVATE_KEY,
	KEY_PRIVATE_KEY_FILE,
	KEY_LISTEN_PORT,
	KEY_ADDRESS,
	KEY_MTU,
	KEY_TABLE,
	KEY_FWMARK,
	KEY_FAIL_CLOSED,
	KEY_CRYPTO_PROVIDER,
	KEY_TUN_BACKEND,
	KEY_WORKERS,
	KEY_UDP_GSO,
	KEY_UDP_GRO,
	KEY_TUN_OFFLOAD,
	KEY_LOG_LEVEL,
	KEY_INCLUDE,
	KEY_DNS,
	KEY_PRE_UP,
	KEY_POST_UP,
	KEY_PRE_DOWN,
	KEY_POST_DOWN,
	KEY_SAVE_CONFIG,
	KEY_PUBLIC_KEY,
	KEY_NAME,
	KEY_DESCRIPTION,
	KEY_PRESHARED_KEY,
	KEY_PRESHARED_KEY_FILE,
	KEY_ALLOWED_IPS,
	KEY_ENDPOINT,
	KEY_PERSISTENT_KEEPALIVE,
	KEY_CIPHER,
	KEY_PEER_UP,
	KEY_PEER_DOWN,
	KEY_COUNT,
};

/* A part of the input. It is not copied, and has no terminating NUL byte. */
struct ini_slice {
	const char *at;
	size_t length;
};

/* White space as wg(8) defines it. */
bool ini_is_blank(char c);
/* Compares without regard to case and to blanks in `text`. */
bool ini_slice_is(struct ini_slice text, const char *word);
/* The part before the first `c`, or all of it; and the text without the blanks around it. */
struct ini_slice ini_slice_before(struct ini_slice text, char c);
struct ini_slice ini_slice_trim(struct ini_slice text);

struct ini_parser {
	struct config *config;
	struct ini_report *report;
	const char *name;               /* of the main file, for findings */
	const struct config_file *file; /* the included file that is being read; NULL: the main file */
	struct config_file **file_tail; /* where to link the next one */
	bool reads_files;               /* read includes, credentials and files with keys */
	bool file_has_keys;             /* the current file contains a secret key */

	struct ini_slice rest; /* input that has not been read yet */
	int line;              /* the current line, from 1 */
	int status;            /* negative errno: stop parsing */
	bool has_nul;          /* a line of the current file contains a NUL byte, which has been reported */

	enum ini_section section;
	int interface_line;      /* of the first [Interface]; 0: none yet */
	int key_line[KEY_COUNT]; /* last line that set this key, in [Interface] or in the current [Peer]; 0: none */

	struct config_prefix **address_tail, **allowed_ip_tail;
	struct config_peer *peer, **peer_tail; /* the current peer; where to link the next one */
	/* Of the current peer, until its section ends; "": none. */
	char peer_name[PEER_NAME_MAX + 1], peer_description[PEER_DESCRIPTION_MAX + 1];
};

struct ini_key_row {
	const char *name;
	enum ini_section section;
	int traits;
	void (*set)(struct ini_parser *parser, const struct ini_key_row *key, const char *value);
	const char *old_name; /* still accepted, with a warning; NULL: none */
	size_t target;        /* for a `set` that serves several keys: what it sets */
};

/* Prepares the parser for a main file of that name. `config` is zeroed. */
void ini_parser_init(struct ini_parser *parser, struct config *config, const char *name, struct ini_report *report);
/* Parses the text of the main file or of an included one. Returns 0 or -ENOMEM; errors have been reported. */
int ini_parse_text(struct ini_parser *parser, const char *text, size_t length);
/* Opens, checks and parses the file `path`, relative to `folder`. Returns 0 or a negative errno, reported. */
int ini_read_file(struct ini_parser *parser, int folder, const char *path);
/* The length of a file name without its ".conf", or 0 if it has none. */
size_t ini_stem_length(const char *base);
/* Reads the files that the main file includes. Returns 0 or -ENOMEM; errors have been reported. */
int ini_read_includes(struct ini_parser *parser);
/* Checks the whole configuration. Returns 0 or -ENOMEM; errors have been reported. */
int ini_finish(struct ini_parser *parser);

/*
 * Makes `value` relative to the folder of the current file, unless it is absolute. False if it is too long, or contains
 * control characters.
 */
bool ini_resolve_path(const struct ini_parser *parser, const char *value, char path[PATH_MAX]);

enum ini_severity {
	INI_ERROR,
	INI_WARNING,
	INI_ADVICE,   /* a warning, if the report asks for advice */
	INI_EXPOSURE, /* others can read a key: an error in a strict report, else a warning */
};

/* Reports a finding in `line` of the file; 0: in the file as a whole. NULL: the main file. */
void ini_finding(const struct ini_parser *parser, enum ini_severity severity, const struct config_file *file, int line,
				 const char *format, ...) __attribute__((format(printf, 5, 6)));

/* In the current file. */
#define ini_error(parser, line, ...) ini_finding(parser, INI_ERROR, (parser)->file, line, __VA_ARGS__)
#define ini_warning(parser, line, ...) ini_finding(parser, INI_WARNING, (parser)->file, line, __VA_ARGS__)
#define ini_exposure(parser, line, ...) ini_finding(parser, INI_EXPOSURE, (parser)->file, line, __VA_ARGS__)
/* In any file. */
#define ini_error_in(parser, file, line, ...) ini_finding(parser, INI_ERROR, file, line, __VA_ARGS__)
#define ini_warning_in(parser, file, line, ...) ini_finding(parser, INI_WARNING, file, line, __VA_ARGS__)
#define ini_advice_in(parser, file, line, ...) ini_finding(parser, INI_ADVICE, file, line, __VA_ARGS__)

enum { INI_QUOTE = 72 };
/*
 * Quotes `text` for a finding: cut to fit, without control characters, and withheld if it may contain a key. Returns
 * `quoted`.
 */
const char *ini_quote(char quoted[INI_QUOTE], const char *text);
/* As ini_quote, but withholds nothing; for words that resemble a known one. */
const char *ini_quote_word(char quoted[INI_QUOTE], const char *text);

/* Reads a `name = value` line of the current section into the configuration. */
void ini_key_read(struct ini_parser *parser, const char *name, const char *value);
/* Returns the key of this name, or KEY_COUNT. */
enum ini_key ini_key_find(struct ini_slice name);
const char *ini_key_name(enum ini_key key);
/* True for the keys whose value is a shell command, which may contain '#'. */
bool ini_key_is_hook(struct ini_slice name);
/* True for the keys whose value may contain blanks: hooks, lists, paths and names. */
bool ini_key_keeps_blanks(struct ini_slice name);
/* Marks all keys of a section as not set. */
void ini_key_reset(struct ini_parser *parser, enum ini_section section);

/*
 * Appends the prefixes of a list to **tail and moves *tail to the new end. As wg(8) does, ignores blanks within an
 * item; as wg-quick(8) does, accepts blanks in place of commas, superfluous commas, and netmasks such as 255.255.255.0.
 * Other items become errors.
 */
void ini_append_prefixes(struct ini_parser *parser, const char *name, const char *value, struct config_prefix ***tail);

/* Values of keys: a folder to include, and the name or description of the current peer. */
void ini_add_include(struct ini_parser *parser, const struct ini_key_row *key, const char *value);
void ini_set_label(struct ini_parser *parser, const struct ini_key_row *key, const char *value);

/*
 * Read a secret key: from `value` itself or, if it is "@NAME", from a credential of systemd; and from the file `value`.
 * Set `key` and `present`; anything else is reported and leaves both unchanged, so that an earlier good value stays.
 */
void ini_read_secret(struct ini_parser *parser, const char *name, const char *value, uint8_t key[KEY_BYTES],
					 bool *present);
void ini_read_secret_file(struct ini_parser *parser, const char *name, const char *value, uint8_t key[KEY_BYTES],
						  bool *present);

/* Gives the current peer its label. Without memory it sets the status of the parser. */
void ini_make_label(struct ini_parser *parser);
/* Adds the label of `from`. Where both have a name or a description, that of `from` counts. Returns 0 or -ENOMEM. */
int ini_merge_label(const struct ini_parser *parser, struct config_peer *to, const struct config_peer *from);
/* Warns about peers with the same name. Returns 0 or -ENOMEM. */
int ini_check_names(const struct ini_parser *parser);

enum { INI_PEER = PATH_MAX + 128, INI_TITLE = PEER_NAME_MAX + 16 };
/* Describe a peer in a finding in the file `from`: "the peer alice on line 7"; and at its start: "[Peer] alice". */
const char *ini_peer_text(char text[INI_PEER], const struct ini_parser *parser, const struct config_peer *peer,
						  const struct config_file *from);
const char *ini_peer_title(char text[INI_TITLE], const struct config_peer *peer);

/* A UDP port: a number from 0 to 65535, or the name of a service (services(5)). */
bool ini_port(const char *text, uint16_t *port);
/* True if no name server can know the host, because it looks like an IP address but is not valid: "300.1.1.1". */
bool ini_mistyped_address(const char *host);
/*
 * The number of the routing table that is called `name` in the files of ip-route(8) below `root`, which is "" except in
 * tests. False if there is none.
 */
bool ini_table_by_name(const char *root, const char *name, uint32_t *number);

/*
 * Checks the peers against each other and against our own key. Peers with the same key are merged. A prefix that
 * several peers list stays with the last one. Returns 0 or -ENOMEM.
 */
int ini_check(struct ini_parser *parser);

struct map;
/* Returns the entry of an AllowedIPs list that contains exactly this prefix, or NULL. */
const struct config_prefix *ini_find_claim(const struct map *claims, const struct ip_prefix *prefix);
/* Gives advice on the whole file. `claims` holds the AllowedIPs of all peers. */
void ini_advise(const struct ini_parser *parser, const struct map *claims);

#endif
