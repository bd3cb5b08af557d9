/* SPDX-License-Identifier: MIT */
/* INI: the keys, one row each, and the functions that parse their values. */
#include <arpa/inet.h>
#include <ctype.h>
#include <linux/rtnetlink.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/spelling.h"
#include "crypto/aead.h"
#include "ini_parser.h"

enum {
	MTU_MIN = 68,    /* of IPv4, RFC 791 */
	MTU_MAX = 65475, /* the largest UDP payload over IPv4, less 32 bytes of data message header and tag */
};

/* Traits of a key. */
enum {
	REPEATS = 1 << 0,      /* each line adds to the lines before it */
	MAY_BE_EMPTY = 1 << 1, /* an empty value means "none" or the default */
	HOOK = 1 << 2,         /* a shell command */
	LIST = 1 << 3,         /* items separated by commas or blanks */
	TEXT = 1 << 4,         /* may contain blanks */
	IN_PEER = 1 << 5,      /* belongs in [Peer], too */
	TURNS_OFF = 1 << 6,    /* a flag that turns a feature of the kernel off */
};

/* Reports that the value is not what the format describes. */
static void __attribute__((format(printf, 4, 5)))
reject_value(const struct ini_parser *parser, const struct ini_key_row *key, const char *value, const char *format, ...)
{
	char quoted[INI_QUOTE], expected[256];
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(expected, sizeof expected, format, arguments);
	va_end(arguments);
	ini_error(parser, parser->line, "%s: %s is not %s", key->name, ini_quote(quoted, value), expected);
}

/* Accepts digits of base 10 or 16 and nothing else: no sign, no blanks. */
static bool parse_digits(const char *text, int base, uint32_t max, uint32_t *number)
{
	const char *digits = base == 16 ? "0123456789abcdefABCDEF" : "0123456789";
	unsigned long long value;

	if (!*text || text[strspn(text, digits)])
		return false;
	value = strtoull(text, NULL, base); /* ULLONG_MAX on overflow */
	if (value > max)
		return false;
	*number = (uint32_t)value;
	return true;
}

static bool parse_decimal_or_hex(const char *text, uint32_t *number)
{
	bool hex = strncasecmp(text, "0x", 2) == 0;

	return parse_digits(hex ? text + 2 : text, hex ? 16 : 10, UINT32_MAX, number);
}

/* A secret key, or the file that contains it: one of the two may be set. */
static void ini_set_secret(struct ini_parser *parser, const struct ini_key_row *key, const char *value)
{
	enum ini_key other = (enum ini_key)key->target;
	bool private = key->section == SECTION_INTERFACE, in_file = key->traits & TEXT;
	uint8_t *secret = private ? parser->config->private_key : parser->peer->preshared_key;
	bool *present = private ? &parser->config->has_private_key : &parser->peer->has_preshared_key;

	if (parser->key_line[other])
		ini_error(parser, parser->line, "%s: %s is already set on line %d; only one of them is allowed", key->name,
				  ini_key_name(other), parser->key_line[other]);
	else if (in_file)
		ini_read_secret_file(parser, key->name, value, secret, present);
	else
		ini_read_secret(parser, key->name, value, secret, present);
}

static void ini_set_public_key(struct ini_parser *parser, const struct ini_key_row *key, const char *value)
{
	if (key_from_base64(parser->peer->public_key, value))
		parser->peer->has_public_key = true;
	else
		ini_error(parser, parser->line, "%s: the value is not a key (44 characters of base64, ending in \"=\")",
				  key->name);
}

static void ini_set_listen_port(struct ini_parser *parser, const struct ini_key_row *key, const char *value)
{
	uint16_t port;

	if (!ini_port(value, &port)) {
		reject_value(parser, key, value, "a port from 1 to 65535, 0 for a random port, or the name of a UDP service");
		return;
	}
	parser->config->listen_port = port;
	parser->config->has_listen_port = true;
}

static void ini_set_mtu(struct ini_parser *parser, const struct ini_key_row *key, const char *value)
{
	uint32_t mtu = 0;

	if (!*value || (parse_decimal_or_hex(value, &mtu) && mtu >= MTU_MIN && mtu <= MTU_MAX))
		parser->config->mtu = mtu;
	else
		reject_value(parser, key, value, "a number from %d to %d", MTU_MIN, MTU_MAX);
}

/* The kernel takes table 0 for the main table. */
static void ini_set_table(struct ini_parser *parser, const struct ini_key_row *key, const char *value)
{
	struct config *config = parser->config;
	uint32_t number;

	if (!*value || strcasecmp(value, "auto") == 0) {
		config->table = TABLE_AUTO;
	} else if (strcasecmp(value, "off") == 0) {
		config->table = TABLE_OFF;
	} else if (parse_decimal_or_hex(value, &number) || ini_table_by_name("", value, &number)) {
		config->table = TABLE_NUMBER;
		config->table_number = number ? number : RT_TABLE_MAIN;
	} else {
		reject_value(parser, key, value, "auto, off, or the number or name of a routing table");
	}
}

/* Sets the flag at the offset `target` of struct config: true or false, or, if it turns a feature off, off or auto. */
static void ini_set_flag(struct ini_parser *parser, const struct ini_key_row *key, const char *value)
{
	bool *flag = (bool *)((char *)parser->config + key->target), off = key->traits & TURNS_OFF;

	if (strcasecmp(value, off ? "off" : "true") == 0)
		*flag = true;
	else if (strcasecmp(value, off ? "auto" : "false") == 0)
		*flag = false;
	else
		reject_value(parser, key, value, "%s", off ? "auto or off" : "true or false");
}

static void ini_set_fwmark(struct ini_parser *parser, const struct ini_key_row *key, const char *value)
{
	uint32_t mark = 0;

	if (strcasecmp(value, "off") != 0 && !parse_decimal_or_hex(value, &mark)) {
		reject_value(parser, key, value, "off or a 32-bit number such as 51820 or 0xca6c");
		return;
	}
	parser->config->fwmark = mark;
	parser->config->has_fwmark = true;
}

static void ini_set_crypto_provider(struct ini_parser *parser, const struct ini_key_row *key, const char *value)
{
	struct config *config = parser->config;

	if (!aead_known(value))
		reject_value(parser, key, value, "one of " AEAD_NAMES);
	else if (!aead_built_in(value))
		ini_error(parser, parser->line, "%s: this build does not include %s; use auto", key->name, value);
	else
		snprintf(config->crypto_provider, sizeof config->crypto_provider, "%s", value);
}

static void ini_set_tun_backend(struct ini_parser *parser, const struct ini_key_row *key, const char *value)
{
	enum backend_kind kind;

	if (!backend_find(&kind, value))
		reject_value(parser, key, value, "one of " BACKEND_NAMES);
	else if (!backend_built_in(kind))
		ini_error(parser, parser->line, "%s: this build does not include %s; use auto", key->name, value);
	else
		parser->config->tun_backend = kind;
}

static void ini_set_workers(struct ini_parser *parser, const struct ini_key_row *key, const char *value)
{
	uint32_t workers = 0;

	if (strcasecmp(value, "auto") == 0 || (parse_digits(value, 10, CONFIG_WORKERS_MAX, &workers) && workers))
		parser->config->workers = workers;
	else
		reject_value(parser, key, value, "auto or a number from 1 to %d", CONFIG_WORKERS_MAX);
}

static void ini_set_log_level(struct ini_parser *parser, const struct ini_key_row *key, const char *value)
{
	if (!log_level_find(&parser->config->log_level, value))
		reject_value(parser, key, value, "one of " LOG_LEVEL_NAMES);
}

static void ini_set_cipher(struct ini_parser *parser, const struct ini_key_row *key, const char *value)
{
	struct config_peer *peer = parser->peer;
	enum suite suite;

	if (!suite_find(&suite, value)) {
		reject_value(parser, key, value, "one of " SUITE_NAMES);
	} else if (!suite_available(suite)) {
		ini_error(parser, parser->line, "%s: the processor of this machine does not support %s; use %s at both ends",
				  key->name, value, suite_name(SUITE_CHACHA20POLY1305));
	} else {
		peer->cipher = suite;
		peer->has_cipher = true;
	}
}

static void ini_set_keepalive(struct ini_parser *parser, const struct ini_key_row *key, const char *value)
{
	uint32_t seconds = 0;

	if (strcasecmp(value, "off") != 0 && !parse_digits(value, 10, UINT16_MAX, &seconds)) {
		reject_value(parser, key, value, "off or a number of seconds up to 65535");
		return;
	}
	parser->peer->keepalive = (uint16_t)seconds;
	parser->peer->has_keepalive = true;
}

static void ini_set_endpoint(struct ini_parser *parser, const struct ini_key_row *key, const char *value)
{
	struct config_peer *peer = parser->peer;
	const char *colon = strrchr(value, ':');
	char numeric[ENDPOINT_HOST + ENDPOINT_PORT] = "", quoted[INI_QUOTE];
	uint16_t port;

	/* Replace the name of a service by its number, because endpoint_split() accepts numbers only. */
	if (colon && ini_port(colon + 1, &port) && colon - value <= ENDPOINT_HOST + 1)
		snprintf(numeric, sizeof numeric, "%.*s:%u", (int)(colon - value), value, port);
	if (endpoint_split(numeric, peer->endpoint_host, peer->endpoint_port)) {
		reject_value(parser, key, value, "HOST:PORT or [IPV6]:PORT with a port from 1 to 65535 or a UDP service");
		return;
	}
	peer->has_endpoint = true;
	if (ini_mistyped_address(peer->endpoint_host))
		ini_advice_in(parser, parser->file, parser->line, "%s: %s %s", key->name,
					  ini_quote(quoted, peer->endpoint_host),
					  strchr(peer->endpoint_host, ':') ? "is neither an IP address nor a host name"
													   : "looks like an IP address, but it is not one");
}

static void ini_add_addresses(struct ini_parser *parser, const struct ini_key_row *key, const char *value)
{
	ini_append_prefixes(parser, key->name, value, &parser->address_tail);
}

static void ini_add_allowed_ips(struct ini_parser *parser, const struct ini_key_row *key, const char *value)
{
	struct config_prefix **added = parser->allowed_ip_tail;

	ini_append_prefixes(parser, key->name, value, &parser->allowed_ip_tail);
	for (struct config_prefix *prefix = *added; prefix; prefix = prefix->next) {
		char given[PREFIX_TEXT], masked[PREFIX_TEXT];
		struct ip_prefix host = prefix->prefix;

		prefix_mask(&prefix->prefix);
		if (memcmp(&host, &prefix->prefix, sizeof host) == 0)
			continue;
		prefix_to_text(given, &host);
		prefix_to_text(masked, &prefix->prefix);
		ini_advice_in(parser, parser->file, parser->line, "%s: %s has bits set beyond its length; it means %s",
					  key->name, given, masked);
	}
}

/* As in wg-quick(8): digits and dots, or anything with a colon, are a server; other words are search domains. */
static bool is_dns_server(const char *item)
{
	return strchr(item, ':') || !item[strspn(item, "0123456789.")];
}

/* The items become arguments of resolvectl(1) and lines for resolvconf(8). */
static bool is_dns_item(const char *item)
{
	return item[0] != '-' &&
		   !item[strspn(item, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.:-_%[]~")];
}

/* Accepts "ADDRESS" and, for a link-local address, "ADDRESS%IFNAME". */
static bool is_server_address(const char *item, size_t length)
{
	struct in6_addr address;
	char text[INET6_ADDRSTRLEN + 16];

	snprintf(text, sizeof text, "%.*s", (int)length, item);
	if (length >= sizeof text)
		return false;
	if (inet_pton(AF_INET, text, &address) == 1)
		return true;
	text[strcspn(text, "%")] = '\0';
	return inet_pton(AF_INET6, text, &address) == 1;
}

static void advise_on_dns_server(struct ini_parser *parser, const struct ini_key_row *key, const char *item)
{
	const char *bracket = item[0] == '[' ? strchr(item, ']') : NULL;
	size_t skip = bracket ? 1 : 0, length = bracket ? (size_t)(bracket - item - 1) : strcspn(item, ":");
	char quoted[INI_QUOTE];

	if (is_server_address(item, strlen(item)))
		return;
	if (is_server_address(item + skip, length))
		ini_advice_in(parser, parser->file, parser->line,
					  "%s: %s has a port or brackets, which systemd-resolved accepts, but resolvconf does not",
					  key->name, ini_quote(quoted, item));
	else
		ini_advice_in(parser, parser->file, parser->line, "%s: %s is not the address of a name server", key->name,
					  ini_quote(quoted, item));
}

static void ini_add_dns(struct ini_parser *parser, const struct ini_key_row *key, const char *value)
{
	static const char separators[] = ", \t\v\f\r";
	struct config *config = parser->config;
	char item[256], quoted[INI_QUOTE];

	for (value += strspn(value, separators); *value && !parser->status; value += strspn(value, separators)) {
		size_t length = strcspn(value, separators);

		snprintf(item, sizeof item, "%.*s", (int)length, value);
		value += length;
		if (length >= sizeof item || !is_dns_item(item))
			ini_error(parser, parser->line, "%s: %s is neither an address nor a domain", key->name,
					  ini_quote(quoted, item));
		else
			parser->status = config_line_append(is_dns_server(item) ? &config->dns_servers : &config->dns_search, item,
												parser->line);
		if (length < sizeof item && is_dns_item(item) && is_dns_server(item))
			advise_on_dns_server(parser, key, item);
	}
}

/*
 * Appends to the hooks of the enum hook_point `target`; or, for a key that belongs in [Peer], too, of the enum
 * peer_hook `target`: in [Interface] for all peers, in [Peer] for one.
 */
static void ini_add_hook(struct ini_parser *parser, const struct ini_key_row *key, const char *value)
{
	struct config_line **hooks = parser->config->hooks;

	if (key->traits & IN_PEER)
		hooks = parser->section == SECTION_PEER ? parser->peer->hooks : parser->config->peer_hooks;
	if (*value && !parser->status)
		parser->status = config_line_append(&hooks[key->target], value, parser->line);
}

static const struct ini_key_row keys[KEY_COUNT] = {
	[KEY_PRIVATE_KEY] = { "PrivateKey", SECTION_INTERFACE, 0, ini_set_secret, NULL, KEY_PRIVATE_KEY_FILE },
	[KEY_PRIVATE_KEY_FILE] = { "PrivateKeyFile", SECTION_INTERFACE, TEXT, ini_set_secret, NULL, KEY_PRIVATE_KEY },
	[KEY_LISTEN_PORT] = { "ListenPort", SECTION_INTERFACE, 0, ini_set_listen_port, NULL, 0 },
	[KEY_ADDRESS] = { "Address", SECTION_INTERFACE, REPEATS | MAY_BE_EMPTY | LIST, ini_add_addresses, NULL, 0 },
	[KEY_MTU] = { "MTU", SECTION_INTERFACE, MAY_BE_EMPTY, ini_set_mtu, NULL, 0 },
	[KEY_TABLE] = { "Table", SECTION_INTERFACE, MAY_BE_EMPTY, ini_set_table, NULL, 0 },
	[KEY_FWMARK] = { "FwMark", SECTION_INTERFACE, 0, ini_set_fwmark, NULL, 0 },
	[KEY_FAIL_CLOSED] = { "FailClosed", SECTION_INTERFACE, 0, ini_set_flag, NULL,
						  offsetof(struct config, fail_closed) },
	[KEY_CRYPTO_PROVIDER] = { "CryptoProvider", SECTION_INTERFACE, 0, ini_set_crypto_provider, "Aead", 0 },
	[KEY_TUN_BACKEND] = { "TunBackend", SECTION_INTERFACE, 0, ini_set_tun_backend, "Backend", 0 },
	[KEY_WORKERS] = { "Workers", SECTION_INTERFACE, 0, ini_set_workers, NULL, 0 },
	[KEY_UDP_GSO] = { "UdpGso", SECTION_INTERFACE, TURNS_OFF, ini_set_flag, NULL,
					  offsetof(struct config, udp_options.no_gso) },
	[KEY_UDP_GRO] = { "UdpGro", SECTION_INTERFACE, TURNS_OFF, ini_set_flag, NULL,
					  offsetof(struct config, udp_options.no_gro) },
	[KEY_TUN_OFFLOAD] = { "TunOffload", SECTION_INTERFACE, TURNS_OFF, ini_set_flag, NULL,
						  offsetof(struct config, no_tun_offload) },
	[KEY_LOG_LEVEL] = { "LogLevel", SECTION_INTERFACE, 0, ini_set_log_level, NULL, 0 },
	[KEY_INCLUDE] = { "Include", SECTION_INTERFACE, REPEATS | TEXT, ini_add_include, NULL, 0 },
	[KEY_DNS] = { "DNS", SECTION_INTERFACE, REPEATS | MAY_BE_EMPTY | LIST, ini_add_dns, NULL, 0 },
	[KEY_PRE_UP] = { "PreUp", SECTION_INTERFACE, REPEATS | MAY_BE_EMPTY | HOOK, ini_add_hook, NULL, HOOK_PRE_UP },
	[KEY_POST_UP] = { "PostUp", SECTION_INTERFACE, REPEATS | MAY_BE_EMPTY | HOOK, ini_add_hook, NULL, HOOK_POST_UP },
	[KEY_PRE_DOWN] = { "PreDown", SECTION_INTERFACE, REPEATS | MAY_BE_EMPTY | HOOK, ini_add_hook, NULL, HOOK_PRE_DOWN },
	[KEY_POST_DOWN] = { "PostDown", SECTION_INTERFACE, REPEATS | MAY_BE_EMPTY | HOOK, ini_add_hook, NULL,
						HOOK_POST_DOWN },
	[KEY_SAVE_CONFIG] = { "SaveConfig", SECTION_INTERFACE, 0, ini_set_flag, NULL,
						  offsetof(struct config, save_config) },
	[KEY_PUBLIC_KEY] = { "PublicKey", SECTION_PEER, 0, ini_set_public_key, NULL, 0 },
	[KEY_NAME] = { "Name", SECTION_PEER, TEXT, ini_set_label, NULL, KEY_NAME },
	[KEY_DESCRIPTION] = { "Description", SECTION_PEER, TEXT, ini_set_label, NULL, KEY_DESCRIPTION },
	[KEY_PRESHARED_KEY] = { "PresharedKey", SECTION_PEER, 0, ini_set_secret, NULL, KEY_PRESHARED_KEY_FILE },
	[KEY_PRESHARED_KEY_FILE] = { "PresharedKeyFile", SECTION_PEER, TEXT, ini_set_secret, NULL, KEY_PRESHARED_KEY },
	[KEY_ALLOWED_IPS] = { "AllowedIPs", SECTION_PEER, REPEATS | MAY_BE_EMPTY | LIST, ini_add_allowed_ips, NULL, 0 },
	[KEY_ENDPOINT] = { "Endpoint", SECTION_PEER, 0, ini_set_endpoint, NULL, 0 },
	[KEY_PERSISTENT_KEEPALIVE] = { "PersistentKeepalive", SECTION_PEER, 0, ini_set_keepalive, NULL, 0 },
	[KEY_CIPHER] = { "Cipher", SECTION_PEER, 0, ini_set_cipher, NULL, 0 },
	[KEY_PEER_UP] = { "PeerUp", SECTION_INTERFACE, REPEATS | MAY_BE_EMPTY | HOOK | IN_PEER, ini_add_hook, NULL,
					  PEER_HOOK_UP },
	[KEY_PEER_DOWN] = { "PeerDown", SECTION_INTERFACE, REPEATS | MAY_BE_EMPTY | HOOK | IN_PEER, ini_add_hook, NULL,
						PEER_HOOK_DOWN },
};

/* Compares the first letters before the whole words, because files can have a hundred thousand lines. */
static bool key_is_called(struct ini_slice text, const char *name)
{
	return name && tolower((unsigned char)text.at[0]) == tolower((unsigned char)name[0]) && ini_slice_is(text, name);
}

/* `name` does not begin with a blank. */
static const struct ini_key_row *find_key(struct ini_slice name)
{
	for (const struct ini_key_row *key = keys; name.length && key < keys + KEY_COUNT; key++) {
		if (key_is_called(name, key->name) || key_is_called(name, key->old_name))
			return key;
	}
	return NULL;
}

enum ini_key ini_key_find(struct ini_slice name)
{
	const struct ini_key_row *key = find_key(name);

	return key ? (enum ini_key)(key - keys) : KEY_COUNT;
}

const char *ini_key_name(enum ini_key key)
{
	return keys[key].name;
}

bool ini_key_is_hook(struct ini_slice name)
{
	const struct ini_key_row *key = find_key(name);

	return key && key->traits & HOOK;
}

bool ini_key_keeps_blanks(struct ini_slice name)
{
	const struct ini_key_row *key = find_key(name);

	return key && key->traits & (HOOK | LIST | TEXT);
}

void ini_key_reset(struct ini_parser *parser, enum ini_section section)
{
	for (int i = 0; i < KEY_COUNT; i++) {
		if (keys[i].section == section)
			parser->key_line[i] = 0;
	}
}

static bool key_belongs(const struct ini_key_row *key, enum ini_section section)
{
	return key->section == section || (section == SECTION_PEER && key->traits & IN_PEER);
}

static const char *section_title(enum ini_section section)
{
	return section == SECTION_PEER ? "[Peer]" : "[Interface]";
}

/* Returns the spelling distance to the nearer of the key's names, or SIZE_MAX if the name resembles neither. */
static size_t key_distance(const struct ini_key_row *key, const char *name)
{
	const char *const known[] = { key->name, key->old_name };
	size_t nearest = SIZE_MAX;

	for (size_t i = 0; i < sizeof known / sizeof *known; i++) {
		if (!known[i] || !spelling_resembles(name, known[i]))
			continue;
		if (spelling_distance(name, known[i]) < nearest)
			nearest = spelling_distance(name, known[i]);
	}
	return nearest;
}

/*
 * Names the nearest key, or all of them if none is near. Quotes only a name that is near, because any other may be the
 * second half of a key that was broken over two lines.
 */
static void report_unknown_key(const struct ini_parser *parser, const char *name)
{
	const struct ini_key_row *nearest = NULL;
	char names[512] = "", quoted[INI_QUOTE];
	size_t length = 0, least = SIZE_MAX;

	for (const struct ini_key_row *key = keys; key < keys + KEY_COUNT; key++) {
		size_t distance = key_distance(key, name);

		if (key_belongs(key, parser->section) && length < sizeof names)
			length += (size_t)snprintf(names + length, sizeof names - length, "%s%s", length ? ", " : "", key->name);
		if (distance < least) {
			least = distance;
			nearest = key;
		}
	}
	if (!nearest)
		ini_error(parser, parser->line, "unknown key; the keys of %s are %s", section_title(parser->section), names);
	else if (key_belongs(nearest, parser->section))
		ini_error(parser, parser->line, "unknown key %s; did you mean %s?", ini_quote_word(quoted, name),
				  nearest->name);
	else
		ini_error(parser, parser->line, "unknown key %s; did you mean %s, which belongs in %s?",
				  ini_quote_word(quoted, name), nearest->name, section_title(nearest->section));
}

void ini_key_read(struct ini_parser *parser, const char *name, const char *value)
{
	const struct ini_slice slice = { name, strlen(name) };
	const struct ini_key_row *key = find_key(slice);
	int *key_line;

	if (!key) {
		report_unknown_key(parser, name);
		return;
	}
	if (key_is_called(slice, key->old_name))
		ini_warning(parser, parser->line, "%s is now called %s", key->old_name, key->name);
	if (!key_belongs(key, parser->section)) {
		ini_error(parser, parser->line, "%s: the key belongs in %s", key->name, section_title(key->section));
		return;
	}
	key_line = &parser->key_line[key - keys];
	if (*key_line && !(key->traits & REPEATS))
		ini_warning(parser, parser->line, "%s: already set on line %d; this line overrides it", key->name, *key_line);
	*key_line = parser->line;
	if (*value || key->traits & MAY_BE_EMPTY)
		key->set(parser, key, value);
	else
		ini_error(parser, parser->line, "%s: the value is missing", key->name);
}
