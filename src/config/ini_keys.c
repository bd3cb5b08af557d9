/* SPDX-License-Identifier: MIT */
/* The keys of the INI format, one row each, and how their values are read. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "crypto/aead.h"
#include "ini_parser.h"

enum {
	MTU_MIN = 68,    /* the least that IPv4 allows, RFC 791 */
	MTU_MAX = 65475, /* what fits one UDP datagram over IPv4 beside 32 bytes of header and tag */
};

/* Traits of a key. */
enum {
	REPEATS = 1 << 0,      /* each line adds to the ones before */
	MAY_BE_EMPTY = 1 << 1, /* an empty value says "none" */
	HOOK = 1 << 2,         /* a shell command */
};

struct key {
	const char *name;
	enum ini_section section;
	int traits;
	void (*read)(struct ini_parser *parser, const char *name, const char *value);
};

/* Digits of base 10 or 16 and nothing else: no sign, no blanks. */
static bool read_digits(const char *text, int base, uint32_t most, uint32_t *number)
{
	const char *digits = base == 16 ? "0123456789abcdefABCDEF" : "0123456789";
	unsigned long long value;

	if (!*text || text[strspn(text, digits)])
		return false;
	/* What is too large even for strtoull reads as its largest number. */
	value = strtoull(text, NULL, base);
	if (value > most)
		return false;
	*number = (uint32_t)value;
	return true;
}

static bool read_decimal_or_hex(const char *text, uint32_t *number)
{
	bool hex = strncasecmp(text, "0x", 2) == 0;

	return read_digits(hex ? text + 2 : text, hex ? 16 : 10, UINT32_MAX, number);
}

/* For presence flags, which are or'ed: a key that is given again and badly does not unsay the good one. */
static bool read_key(struct ini_parser *parser, const char *name, const char *value, uint8_t key[KEY_BYTES])
{
	if (key_from_base64(key, value))
		return true;
	ini_error(parser, parser->line, "%s: not a key; a key is 44 characters of base64 that end in '='", name);
	return false;
}

static void read_private_key(struct ini_parser *parser, const char *name, const char *value)
{
	struct config *config = parser->config;

	config->has_private_key |= read_key(parser, name, value, config->private_key);
}

static void read_public_key(struct ini_parser *parser, const char *name, const char *value)
{
	struct config_peer *peer = parser->peer;

	peer->has_public_key |= read_key(parser, name, value, peer->public_key);
}

static void read_preshared_key(struct ini_parser *parser, const char *name, const char *value)
{
	struct config_peer *peer = parser->peer;

	peer->has_preshared_key |= read_key(parser, name, value, peer->preshared_key);
}

static void read_listen_port(struct ini_parser *parser, const char *name, const char *value)
{
	char shown[INI_QUOTE];
	uint32_t port;

	if (read_digits(value, 10, UINT16_MAX, &port)) {
		parser->config->listen_port = (uint16_t)port;
		parser->config->has_listen_port = true;
		return;
	}
	ini_error(parser, parser->line, "%s: %s is not a port from 1 to 65535, or 0 for a random one", name,
			  ini_quote(shown, value));
}

static void read_mtu(struct ini_parser *parser, const char *name, const char *value)
{
	char shown[INI_QUOTE];
	uint32_t mtu;

	if (read_digits(value, 10, MTU_MAX, &mtu) && mtu >= MTU_MIN)
		parser->config->mtu = mtu;
	else
		ini_error(parser, parser->line, "%s: %s is not a number from %d to %d", name, ini_quote(shown, value), MTU_MIN,
				  MTU_MAX);
}

static void read_table(struct ini_parser *parser, const char *name, const char *value)
{
	struct config *config = parser->config;
	char shown[INI_QUOTE];
	uint32_t number;

	if (strcasecmp(value, "auto") == 0) {
		config->table = TABLE_AUTO;
	} else if (strcasecmp(value, "off") == 0) {
		config->table = TABLE_OFF;
	} else if (read_decimal_or_hex(value, &number) && number) {
		config->table = TABLE_NUMBER;
		config->table_number = number;
	} else {
		ini_error(parser, parser->line, "%s: %s is not auto, off or the number of a routing table", name,
				  ini_quote(shown, value));
	}
}

static void read_fwmark(struct ini_parser *parser, const char *name, const char *value)
{
	char shown[INI_QUOTE];
	uint32_t mark = 0;

	if (strcasecmp(value, "off") == 0 || read_decimal_or_hex(value, &mark)) {
		parser->config->fwmark = mark;
		parser->config->has_fwmark = true;
		return;
	}
	ini_error(parser, parser->line, "%s: %s is not off or a number of 32 bits such as 51820 or 0xca6c", name,
			  ini_quote(shown, value));
}

static void read_aead(struct ini_parser *parser, const char *name, const char *value)
{
	char shown[INI_QUOTE];

	if (!aead_known(value))
		ini_error(parser, parser->line, "%s: %s is not one of: %s", name, ini_quote(shown, value), aead_names());
	else if (!aead_built_in(value))
		ini_error(parser, parser->line, "%s: this build is without %s; auto takes the best there is", name, value);
	else
		snprintf(parser->config->aead, sizeof parser->config->aead, "%s", value);
}

static void read_workers(struct ini_parser *parser, const char *name, const char *value)
{
	char shown[INI_QUOTE];
	uint32_t workers = 0;

	if (strcasecmp(value, "auto") == 0 || (read_digits(value, 10, CONFIG_WORKERS_MAX, &workers) && workers))
		parser->config->workers = workers;
	else
		ini_error(parser, parser->line, "%s: %s is not auto or a number from 1 to %u", name, ini_quote(shown, value),
				  CONFIG_WORKERS_MAX);
}

static void read_backend(struct ini_parser *parser, const char *name, const char *value)
{
	char shown[INI_QUOTE];
	enum backend_kind kind;

	if (!backend_find(&kind, value))
		ini_error(parser, parser->line, "%s: %s is not one of: %s", name, ini_quote(shown, value), backend_names());
	else if (!backend_built_in(kind))
		ini_error(parser, parser->line, "%s: this build is without %s; auto takes the best there is", name, value);
	else
		parser->config->backend = kind;
}

static void read_cipher(struct ini_parser *parser, const char *name, const char *value)
{
	struct config_peer *peer = parser->peer;
	char shown[INI_QUOTE];
	enum suite suite;

	if (!suite_find(&suite, value)) {
		ini_error(parser, parser->line, "%s: %s is not one of: %s", name, ini_quote(shown, value), suite_names());
	} else if (!suite_available(suite)) {
		ini_error(parser, parser->line, "%s: the processor lacks what %s needs; both ends can do %s", name, value,
				  suite_name(SUITE_CHACHA20POLY1305));
	} else {
		peer->cipher = suite;
		peer->has_cipher = true;
	}
}

static void read_keepalive(struct ini_parser *parser, const char *name, const char *value)
{
	struct config_peer *peer = parser->peer;
	char shown[INI_QUOTE];
	uint32_t seconds = 0;

	if (strcasecmp(value, "off") == 0 || read_digits(value, 10, UINT16_MAX, &seconds)) {
		peer->keepalive = (uint16_t)seconds;
		peer->has_keepalive = true;
		return;
	}
	ini_error(parser, parser->line, "%s: %s is not off or a number of seconds up to 65535", name,
			  ini_quote(shown, value));
}

static void read_endpoint(struct ini_parser *parser, const char *name, const char *value)
{
	struct config_peer *peer = parser->peer;
	char shown[INI_QUOTE];

	if (endpoint_split(value, peer->endpoint_host, peer->endpoint_port) == 0)
		peer->has_endpoint = true;
	else
		ini_error(parser, parser->line, "%s: %s is not HOST:PORT or [IPV6]:PORT with a port from 1 to 65535", name,
				  ini_quote(shown, value));
}

/* Adds one item of a list, `length` bytes at `text`. */
static void add_prefix(struct ini_parser *parser, const char *name, const char *text, size_t length,
					   struct config_prefix ***tail)
{
	char item[INI_QUOTE], shown[INI_QUOTE];
	size_t shorter = length < sizeof item ? length : sizeof item - 1;
	struct config_prefix *added;
	struct ip_prefix prefix;

	memcpy(item, text, shorter);
	item[shorter] = '\0';
	if (shorter < length || !prefix_from_text(&prefix, item)) {
		ini_error(parser, parser->line, "%s: %s is not an address or a network such as 10.0.0.0/24 or fd00::/64", name,
				  ini_quote(shown, item));
		return;
	}
	added = calloc(1, sizeof *added);
	if (!added) {
		parser->status = -ENOMEM;
		return;
	}
	added->prefix = prefix;
	added->line = parser->line;
	**tail = added;
	*tail = &added->next;
}

/* Items stand apart by a comma, or by blanks alone as wg-quick allows in Address. */
static void read_prefixes(struct ini_parser *parser, const char *name, const char *value, struct config_prefix ***tail)
{
	bool comma = false;

	while (*value || comma) {
		size_t length = strcspn(value, ", \t");

		add_prefix(parser, name, value, length, tail);
		value += length;
		value += strspn(value, " \t");
		comma = *value == ',';
		value += comma;
		value += strspn(value, " \t");
	}
}

static void read_address(struct ini_parser *parser, const char *name, const char *value)
{
	read_prefixes(parser, name, value, &parser->address_tail);
}

static void read_allowed_ips(struct ini_parser *parser, const char *name, const char *value)
{
	struct config_prefix **added = parser->allowed_ip_tail;

	read_prefixes(parser, name, value, &parser->allowed_ip_tail);
	for (struct config_prefix *prefix = *added; prefix; prefix = prefix->next)
		prefix_mask(&prefix->prefix);
}

static void read_dns(struct ini_parser *parser, const char *name, const char *value)
{
	if (*value)
		ini_warning(parser, parser->line, "%s: not done yet, name servers stay as they are; set them by hand", name);
}

static void read_hook(struct ini_parser *parser, const char *name, const char *value)
{
	if (*value)
		ini_warning(parser, parser->line, "%s: not done yet, the command is not run; run it by hand", name);
}

static void read_save_config(struct ini_parser *parser, const char *name, const char *value)
{
	char shown[INI_QUOTE];

	if (strcasecmp(value, "true") == 0)
		ini_warning(parser, parser->line, "%s: not done yet, this file is never written; edit it by hand", name);
	else if (strcasecmp(value, "false") != 0)
		ini_error(parser, parser->line, "%s: %s is not true or false", name, ini_quote(shown, value));
}

static const struct key keys[KEY_COUNT] = {
	[KEY_PRIVATE_KEY] = { "PrivateKey", SECTION_INTERFACE, 0, read_private_key },
	[KEY_LISTEN_PORT] = { "ListenPort", SECTION_INTERFACE, 0, read_listen_port },
	[KEY_ADDRESS] = { "Address", SECTION_INTERFACE, REPEATS, read_address },
	[KEY_MTU] = { "MTU", SECTION_INTERFACE, 0, read_mtu },
	[KEY_TABLE] = { "Table", SECTION_INTERFACE, 0, read_table },
	[KEY_FWMARK] = { "FwMark", SECTION_INTERFACE, 0, read_fwmark },
	[KEY_AEAD] = { "Aead", SECTION_INTERFACE, 0, read_aead },
	[KEY_WORKERS] = { "Workers", SECTION_INTERFACE, 0, read_workers },
	[KEY_BACKEND] = { "Backend", SECTION_INTERFACE, 0, read_backend },
	[KEY_DNS] = { "DNS", SECTION_INTERFACE, REPEATS | MAY_BE_EMPTY, read_dns },
	[KEY_PRE_UP] = { "PreUp", SECTION_INTERFACE, REPEATS | MAY_BE_EMPTY | HOOK, read_hook },
	[KEY_POST_UP] = { "PostUp", SECTION_INTERFACE, REPEATS | MAY_BE_EMPTY | HOOK, read_hook },
	[KEY_PRE_DOWN] = { "PreDown", SECTION_INTERFACE, REPEATS | MAY_BE_EMPTY | HOOK, read_hook },
	[KEY_POST_DOWN] = { "PostDown", SECTION_INTERFACE, REPEATS | MAY_BE_EMPTY | HOOK, read_hook },
	[KEY_SAVE_CONFIG] = { "SaveConfig", SECTION_INTERFACE, 0, read_save_config },
	[KEY_PUBLIC_KEY] = { "PublicKey", SECTION_PEER, 0, read_public_key },
	[KEY_PRESHARED_KEY] = { "PresharedKey", SECTION_PEER, 0, read_preshared_key },
	[KEY_ALLOWED_IPS] = { "AllowedIPs", SECTION_PEER, REPEATS | MAY_BE_EMPTY, read_allowed_ips },
	[KEY_ENDPOINT] = { "Endpoint", SECTION_PEER, 0, read_endpoint },
	[KEY_PERSISTENT_KEEPALIVE] = { "PersistentKeepalive", SECTION_PEER, 0, read_keepalive },
	[KEY_CIPHER] = { "Cipher", SECTION_PEER, 0, read_cipher },
};

static const struct key *find_key(struct ini_slice name)
{
	for (const struct key *key = keys; key < keys + KEY_COUNT; key++) {
		if (strlen(key->name) == name.length && strncasecmp(key->name, name.at, name.length) == 0)
			return key;
	}
	return NULL;
}

bool ini_key_is_hook(struct ini_slice name)
{
	const struct key *key = find_key(name);

	return key && key->traits & HOOK;
}

void ini_key_forget(struct ini_parser *parser, enum ini_section section)
{
	for (int i = 0; i < KEY_COUNT; i++) {
		if (keys[i].section == section)
			parser->said[i] = 0;
	}
}

static const char *section_title(enum ini_section section)
{
	return section == SECTION_PEER ? "[Peer]" : "[Interface]";
}

/* The name itself is not repeated: a line of a torn key may stand in its place. */
static void report_unknown(struct ini_parser *parser)
{
	char names[256] = "";

	for (const struct key *key = keys; key < keys + KEY_COUNT; key++) {
		if (key->section == parser->section) {
			strcat(names, *names ? ", " : "");
			strcat(names, key->name);
		}
	}
	ini_error(parser, parser->line, "unknown key; %s takes %s", section_title(parser->section), names);
}

void ini_key_read(struct ini_parser *parser, const char *name, const char *value)
{
	const struct key *key = find_key((struct ini_slice) { name, strlen(name) });
	int *said;

	if (!key) {
		report_unknown(parser);
		return;
	}
	if (key->section != parser->section) {
		ini_error(parser, parser->line, "%s belongs to %s", key->name, section_title(key->section));
		return;
	}
	said = &parser->said[key - keys];
	if (*said && !(key->traits & REPEATS))
		ini_warning(parser, parser->line, "%s: said in line %d too; this line counts", key->name, *said);
	*said = parser->line;
	if (*value || key->traits & MAY_BE_EMPTY)
		key->read(parser, key->name, value);
	else
		ini_error(parser, parser->line, "%s: no value behind the '='", key->name);
}
