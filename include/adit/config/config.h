/* SPDX-License-Identifier: MIT */
/*
 * Configuration: the settings read from an INI file or from a set request on the control socket. It is data only;
 * config/apply.h applies it to a device. Values carry presence flags, because "not given" and "zero" differ.
 */
#ifndef ADIT_CONFIG_CONFIG_H
#define ADIT_CONFIG_CONFIG_H

#include <ifaddrs.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/keytext.h"
#include "base/log.h"
#include "crypto/suite.h"
#include "io/backend.h"
#include "io/host_port.h"
#include "io/netlink.h"
#include "io/udp.h"

/* A file that the main file includes, or a folder that it names. */
struct config_file {
	struct config_file *next;
	unsigned number; /* from 1, in the order of reading */
	int line;        /* of the Include in the main file */
	char path[];
};

struct config_prefix {
	struct config_prefix *next;
	struct ip_prefix prefix;
	bool remove;                    /* take the prefix from the peer; only in a set request */
	int line;                       /* in the file; 0: not from a file */
	const struct config_file *file; /* NULL: the main file */
};

struct peer_label;

enum { CONFIG_NAME_MAX = 64 }; /* bytes of the name of a peer, without the NUL */

/* A line of text: a hook, or an item of `DNS`. */
struct config_line {
	struct config_line *next;
	int line; /* in the file */
	char text[];
};

/* The commands that run when a peer goes up or down. */
enum peer_hook { PEER_HOOK_UP, PEER_HOOK_DOWN, PEER_HOOKS };

struct config_peer {
	struct config_peer *next;
	int line;                       /* of its [Peer] */
	const struct config_file *file; /* NULL: the main file */
	struct peer_label *label;       /* name and description, see tunnel/peer_label.h; NULL: none */
	uint8_t public_key[KEY_BYTES];
	bool has_public_key;
	uint8_t preshared_key[KEY_BYTES];
	bool has_preshared_key;
	bool has_endpoint;
	struct endpoint endpoint; /* numeric, from the control socket; if unknown, endpoint_host and endpoint_port apply */
	char endpoint_host[ENDPOINT_HOST], endpoint_port[ENDPOINT_PORT];
	bool has_keepalive;
	uint16_t keepalive; /* seconds; 0: off */
	struct config_prefix *allowed_ips;
	bool has_cipher;
	enum suite cipher;
	struct config_line *hooks[PEER_HOOKS];         /* as in the file: nothing is replaced yet */
	bool remove, update_only, replace_allowed_ips; /* only in a set request */
};

/* The points at which the commands of the file run. */
enum hook_point { HOOK_PRE_UP, HOOK_POST_UP, HOOK_PRE_DOWN, HOOK_POST_DOWN, HOOK_POINTS };

enum config_table { TABLE_AUTO, TABLE_OFF, TABLE_NUMBER };

enum { CONFIG_WORKERS_MAX = 32 };

/* The caller may move a configuration by assignment: nothing in it points back to it. */
struct config {
	char interface[16]; /* the file name without .conf */
	uint8_t private_key[KEY_BYTES];
	bool has_private_key;
	uint16_t listen_port; /* 0: random */
	bool has_listen_port;
	uint32_t fwmark; /* 0: off */
	bool has_fwmark;
	uint32_t mtu; /* 0: derived from the routes to the endpoints */
	enum config_table table;
	uint32_t table_number;
	bool fail_closed; /* keep the traffic of a full tunnel blocked when the daemon ends */
	struct config_prefix *addresses;
	struct config_line *hooks[HOOK_POINTS]; /* as in the file: "%i" is not replaced yet */
	struct config_line *peer_hooks[PEER_HOOKS];
	struct config_line *dns_servers, *dns_search;
	bool save_config;         /* write the running state to the file at the end */
	char crypto_provider[16]; /* "" or "auto": the fastest */
	enum backend_kind tun_backend;
	uint32_t workers; /* 0: auto */
	struct udp_options udp_options;
	bool no_tun_offload;
	enum log_level log_level;     /* LOG_SILENT: not set */
	struct config_file *includes; /* the folders of Include, as paths */
	struct config_file *files;    /* those that were included; the peers and their prefixes point to them */
	struct config_peer *peers;
	size_t peer_count;
	bool replace_peers; /* only in a set request */
};

/* Wipes the keys and frees all memory. Accepts a zeroed struct, and leaves one. */
void config_destroy(struct config *config);
/* Wipes and frees the peers and the list of included files. Both are empty afterwards. */
void config_forget_peers(struct config *config);
/* Wipes and frees one peer, which is in no list. */
void config_peer_free(struct config_peer *peer);
/* The name of the peer, "": none. Valid as long as the peer. */
const char *config_peer_name(const struct config_peer *peer);
/* Frees a list of prefixes. Accepts NULL. */
void config_prefixes_free(struct config_prefix *prefix);
/* Appends a copy of `text` to the list. Returns 0 or -ENOMEM. */
int config_line_append(struct config_line **list, const char *text, int line);
/* Replaces the list *to by a copy of `from`. Returns 0, or -ENOMEM and a part of the list. */
int config_lines_copy(struct config_line **to, const struct config_line *from);
/* Wipes and frees a list of lines, because a hook may contain a key. Accepts NULL. */
void config_lines_free(struct config_line *line);
bool config_lines_equal(const struct config_line *a, const struct config_line *b);

enum { PREFIX_TEXT = 50 }; /* bytes of the longest prefix as text, with its NUL */

/*
 * Parses "address/length" of IPv4 or IPv6 and keeps the host bits. An address without a length is a host: /32 or /128.
 * Returns false if the text is neither.
 */
bool prefix_from_text(struct ip_prefix *prefix, const char *text);
void prefix_to_text(char text[PREFIX_TEXT], const struct ip_prefix *prefix);
/* Reads the address and the length of an entry of getifaddrs(3). Returns false if it has no IP address. */
bool prefix_from_ifaddrs(struct ip_prefix *prefix, const struct ifaddrs *entry);
bool prefix_equal(const struct ip_prefix *a, const struct ip_prefix *b);
/* True if `inner` is part of `outer`, or equal. Ignores the host bits of both. */
bool prefix_contains(const struct ip_prefix *outer, const struct ip_prefix *inner);
/*
 * Why no interface of a tunnel should have this address: "a multicast address", "a loopback address", "the broadcast
 * address" or "the unspecified address". NULL: it may be that of a host. Ignores the length.
 */
const char *prefix_special(const struct ip_prefix *address);
/* True for an address or a network of IPv6 that every link has (RFC 4291, section 2.5.6). */
bool prefix_is_link_local(const struct ip_prefix *prefix);
/* Clears the host bits. */
void prefix_mask(struct ip_prefix *prefix);

/* True if an address of the interface or an allowed IP is of IPv6. */
bool config_uses_v6(const struct config *config);
/* True if the list contains exactly this prefix. */
bool config_has_prefix(const struct config_prefix *list, const struct ip_prefix *prefix);
/* Returns the crypto provider that the configuration names, "auto" if it names none. */
const char *config_crypto_provider(const struct config *config);

#endif
