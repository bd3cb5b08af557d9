/* SPDX-License-Identifier: MIT */
/*
 * The keys of a network. They have no store of their own: each run reads them back from the configuration files that
 * the last run wrote. A second copy could differ from the files that the hosts use; it would also be one more file with
 * every key in it.
 *
 * The preshared key of a pair is in the files of both hosts. Either is enough, so a run that was interrupted between
 * two files is completed by the next one.
 */
#ifndef ADIT_MESH_SECRETS_H
#define ADIT_MESH_SECRETS_H

#include "base/reason.h"
#include "secret_text.h"
#include "topology.h"

struct earlier_peer {
	uint8_t public_key[KEY_BYTES], psk[KEY_BYTES];
	bool has_psk;
};

struct mesh_secret {
	bool has_private_key; /* from a file */
	bool rotate;          /* make new keys, whatever the file contains */
	uint8_t private_key[KEY_BYTES], public_key[KEY_BYTES];
	struct earlier_peer *peers; /* as the file lists them */
	size_t peer_count;
	struct secret_text kept; /* lines of [Interface] that the administrator has added, set by the caller */
};

struct secrets {
	struct mesh_secret *hosts;   /* as in the list */
	struct ip_prefix *addresses; /* MESH_FAMILIES of each host, from the files; family 0: none */
	size_t count;
};

/* Returns 0 or -ENOMEM. The caller calls secrets_destroy in every case. */
int secrets_init(struct secrets *secrets, size_t count);
/* Wipes the keys. Accepts a zeroed struct. */
void secrets_destroy(struct secrets *secrets);
/*
 * Takes keys, peers and addresses of host `i` from the file at `path`. Returns 0, or a negative errno and the reason,
 * for example if the file has errors.
 */
int secrets_read(struct secrets *secrets, size_t i, const char *path, struct reason *reason);
/*
 * Gives the spokes their earlier primary hubs, makes the keys that are missing or to be rotated, and gives each link
 * its earlier or a new preshared key. Returns 0, -ENOMEM, or -EEXIST and the reason if two hosts have the same private
 * key.
 */
int secrets_complete(struct secrets *secrets, struct topology *topology, struct reason *reason);

#endif
