/* SPDX-License-Identifier: MIT */
/*
 * show: the state of an interface, as read from its daemon.
 *
 * A daemon of an earlier version, or another implementation, sends only some of the values.
 */
#ifndef ADIT_CLI_SHOW_STATE_H
#define ADIT_CLI_SHOW_STATE_H

#include <net/if.h>
#include <stdbool.h>
#include <stdint.h>

#include "config/config.h"

enum { SHOW_ENDPOINT = 128, SHOW_NAME = 32, SHOW_TIMEOUT = 10 /* seconds, for people */ };
enum { SHOW_GAPS = 8 }; /* classes of gaps: 1, 2 to 3, 4 to 7, ... 64 to 127, and 128 or more datagrams */

enum show_peer_state {
	SHOW_STATE_UNKNOWN, /* before show_read, which derives the states that are not reported */
	SHOW_UP,
	SHOW_IDLE,
	SHOW_WAITING,
	SHOW_SILENT,
	SHOW_NO_ENDPOINT,
	SHOW_UNREACHABLE,
	SHOW_STATES
};

/* The event from which the daemon has the endpoint. */
enum show_origin {
	SHOW_ORIGIN_UNKNOWN,
	SHOW_CONFIGURED, /* an address in the file */
	SHOW_RESOLVED,   /* a name in the file */
	SHOW_ROAMED,     /* the peer sent from it */
	SHOW_SET,        /* a client of the control socket */
	SHOW_SAVED,      /* the last run of the daemon */
	SHOW_ORIGINS
};

/* Totals of what the peer sent us, over all sessions. */
struct show_quality {
	bool has_datagrams; /* the daemon reports the five values below */
	uint64_t datagrams, lost, late, duplicate;
	uint64_t gaps[SHOW_GAPS];
	uint64_t rtt_ns, rtt_min_ns, jitter_ns; /* 0: unknown */
};

struct show_peer {
	struct show_peer *next;
	char public_key[KEY_BASE64];
	char *name, *description; /* NULL: none; never empty */
	bool has_preshared_key;
	char endpoint[SHOW_ENDPOINT]; /* "": unknown */
	uint64_t handshake;           /* seconds since the epoch; 0: never */
	uint64_t rx_bytes, tx_bytes;
	uint32_t keepalive; /* seconds; 0: off */
	enum show_peer_state state;
	uint64_t state_since;             /* seconds since the epoch; 0: unknown */
	char *state_reason;               /* why the peer is not up, a clause for people; NULL: none; never empty */
	enum show_origin endpoint_origin; /* unknown without an endpoint */
	struct show_quality quality;
	const struct show_peer *earlier; /* the same peer in the previous reading, by show_link_looks; NULL: none */
	struct config_prefix *allowed_ips, **allowed_ip_tail;
};

/* A sentence for people about a problem of the interface. */
struct show_warning {
	struct show_warning *next;
	char text[];
};

enum { SHOW_COUNTER_VALUES = 8 };

/* A counter of the data path. The sizes of batches are a counter with several values. */
struct show_counter {
	struct show_counter *next;
	uint64_t values[SHOW_COUNTER_VALUES];
	unsigned count; /* of the values, at least 1 */
	char name[];    /* as the daemon sends it, such as "sealed" or "drop_no_peer" */
};

struct show_interface {
	struct show_interface *next;
	char name[IFNAMSIZ];
	bool unreadable;             /* no valid reply came; a warning states the cause, and the rest is unknown */
	char public_key[KEY_BASE64]; /* "": no private key */
	uint32_t port, fwmark;       /* 0: none */
	uint32_t workers;            /* 0: not reported */
	char crypto_provider[SHOW_NAME], tun_backend[SHOW_NAME]; /* "": not reported */
	char log_level[SHOW_NAME];                               /* "": not reported */
	struct show_warning *warnings;
	bool has_counters; /* show_read_counters has read them */
	struct show_counter *counters;
	struct show_peer *peers;
};

/*
 * Queries the daemon of `interface->name`; the rest of the struct is zero. Returns 0; -EPROTO for a malformed reply;
 * -EAGAIN if the whole reply takes longer than `timeout` seconds; or the error of connecting or of the daemon. After an
 * error the struct may be partly filled. The caller calls show_free in every case.
 */
int show_read(struct show_interface *interface, const char *directory, int timeout);
/* Reads the counters, or none at all; errors as for show_read. wireguard-go answers -EINVAL, because it has none. */
int show_read_counters(struct show_interface *interface, const char *directory, int timeout);
/* Appends a warning to the list. 0 or -ENOMEM. */
int show_add_warning(struct show_warning **tail, const char *value);
/* Frees the peers. */
void show_free_peers(struct show_interface *interface);
/* Frees the peers, counters and warnings, but not the struct itself. */
void show_free(struct show_interface *interface);

/* The words that daemons use, such as "no-endpoint" and "roamed". NULL for the unknown ones. */
const char *show_state_word(enum show_peer_state state);
const char *show_origin_word(enum show_origin origin);
/* The cause of a drop, such as "no_peer", in the name of a counter, such as "drop_no_peer". NULL for other counters. */
const char *show_drop_cause(const char *counter);

/*
 * Sets `earlier` of each peer that `before`, the previous reading, contains, too. If a total of the peer has fallen
 * since then, `earlier` stays NULL: the daemon was restarted, or the peer was added again. `before` may be NULL.
 */
void show_link_looks(struct show_interface *interfaces, const struct show_interface *before);

#endif
