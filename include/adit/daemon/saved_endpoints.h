/* SPDX-License-Identifier: MIT */
/*
 * Saved endpoints: the last endpoint of each peer, and whether the peer counts as up, in a memory file
 * (memfd_create(2)) that the service manager keeps while the daemon restarts. It contains no secrets.
 *
 * The file is mapped and updated in place, so it is current even if the process is killed. Each entry has a checksum of
 * its own: an entry that was being written when the process died is ignored.
 *
 *     header   magic, version, size of an entry, number of entries, checksum
 *     entries  sorted by public key
 *
 * An entry also contains a digest of the endpoint in the configuration. If that has changed, the entry is ignored.
 */
#ifndef ADIT_DAEMON_SAVED_ENDPOINTS_H
#define ADIT_DAEMON_SAVED_ENDPOINTS_H

#include <stddef.h>
#include <stdint.h>

#include "config/config.h"
#include "io/endpoint.h"
#include "tunnel/device.h"

enum {
	SAVED_HEADER = 32, /* bytes */
	SAVED_ENTRY = 96,  /* bytes */
	SAVED_ENTRIES_MAX = 1 << 20,
};

/* Zeroed memory has no file. */
struct saved_endpoints {
	uint8_t *map;
	size_t count;
	int fd; /* valid if `map` is not NULL */
};

/*
 * Creates the file for the peers of `config`, which are those of `device`, with the current endpoints of the device. An
 * open file is replaced. 0 or negative errno, and then there is no file.
 */
int saved_endpoints_create(struct saved_endpoints *saved, const struct config *config, const struct device *device);

/* Writes the endpoint of a peer, and whether it counts as up, if the peer has an entry. */
void saved_endpoints_update(struct saved_endpoints *saved, const uint8_t public_key[KEY_BYTES],
							const struct endpoint *endpoint, bool up);

/* Closes the file. Accepts a zeroed struct. */
void saved_endpoints_close(struct saved_endpoints *saved);

/*
 * Sets the endpoints of the peers of `device` from the file `fd` of an earlier process, where the endpoint in `config`
 * has not changed. Marks the peers that counted as up, so that the hook PeerUp does not run again. The caller has
 * applied `config` and keeps `fd`. Returns the number of endpoints, or a negative errno for a file that is none of
 * ours: -EINVAL (size, magic or checksum), -EPROTONOSUPPORT (version).
 */
int saved_endpoints_restore(int fd, const struct config *config, struct device *device);

#endif
