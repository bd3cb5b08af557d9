/* SPDX-License-Identifier: MIT */
/*
 * The device: one interface with its key, its peers and its routing table. What control configures; what the workers
 * move packets by.
 *
 * With one worker there is one thread, and no lock. With several, control is a thread of its own and alone changes what
 * is here: it holds the lock while it changes what workers read, and reads without it. A worker shares the lock for as
 * long as it is awake, so it may keep no pointer to a peer or a session while it sleeps but what peer_gone takes from
 * it. What workers themselves change has its own means: peer.h tells.
 */
#ifndef ADIT_TUNNEL_DEVICE_H
#define ADIT_TUNNEL_DEVICE_H

#include <ev.h>
#include <net/if.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/log.h"
#include "base/map.h"
#include "crypto/aead.h"
#include "crypto/cookie.h"
#include "crypto/noise.h"
#include "io/udp.h"
#include "tunnel/allowedips.h"
#include "tunnel/counters.h"
#include "tunnel/notice.h"
#include "tunnel/peer.h"
#include "tunnel/staged.h"
#include "tunnel/timers.h"

/* What a device needs of whoever moves its packets: the worker, or a test. */
struct device_ops {
	/* Sends one message that is no data run: a handshake or a keepalive. `peer` may be NULL. 0 or negative errno. */
	int (*send)(void *context, struct peer *peer, const struct endpoint *to, const void *message, size_t n,
				uint8_t traffic_class);
	/* Opens sockets on *port (0: any, which it then tells) in the place of those there are. An error changes nothing.
	 */
	int (*bind)(void *context, uint16_t *port, uint32_t mark);
	void (*unbind)(void *context);
	/* Marks the sockets there are. 0 or negative errno. */
	int (*set_mark)(void *context, uint32_t mark);
	/* Lets go of a peer that is being removed. */
	void (*peer_gone)(void *context, struct peer *peer);
	/* The workers of this set (bit n: worker n) have staged packets that can go. NULL: the one there is sees it. */
	void (*wake)(void *context, uint32_t workers);
	/* Adds what the workers counted themselves. NULL: they count in the device's. */
	void (*add_counters)(void *context, struct counters *sum);
};

struct device {
	char name[IFNAMSIZ];
	const struct aead_provider *aead;
	const char *backend; /* by which its workers read the TUN; NULL: it has none */
	unsigned workers;    /* how many move its packets */
	struct noise_identity identity;
	uint32_t mtu;
	bool up;              /* the link is up: sockets are open, peers are spoken to */
	uint16_t listen_port; /* wanted, and once bound the real one; 0: any */
	uint32_t mark;        /* firewall mark of the sockets; 0: none */

	struct map by_index; /* struct peer_index */
	struct map by_key;   /* struct peer */
	struct peer *first, *last;
	size_t peer_count;
	uint64_t serial;    /* of the peer added last */
	struct peer *spare; /* see device_reserve */
	struct allowedips allowed_ips;

	struct timers timers;
	struct staged_pool staged;
	_Atomic(struct peer *) ready; /* peers whose staged packets can go */
	pthread_mutex_t ready_lock;

	struct notices *notices; /* NULL: there is one worker, in control's own thread */
	pthread_rwlock_t lock;   /* see above */
	unsigned locked;         /* how often control holds it */

	struct cookie_checker checker;
	struct ratelimit *ratelimit;
	uint64_t load_since, load_until; /* handshakes are counted from load_since; under load until load_until */
	uint32_t load_count;

	uint64_t (*realtime)(void); /* ns since the epoch; clock_realtime, but for tests */
	const struct device_ops *ops;
	void *context; /* of ops */

	/* False: the routes lead to `from` by another interface than the one it came in by. NULL: nobody asks. */
	bool (*local_usable)(void *sources, const struct endpoint *from);
	void *sources;
	void (*unanswered)(void *context,
					   struct peer *peer); /* the peer is silent: its name may mean another address now */
	void *unanswered_context;

	struct counters counters; /* of control; see device_counters */
	struct log_limit log;
};

/* Prepares a device without key or peers. `loop` may be NULL: then timers_expire is called by hand. 0 or negative
 * errno. */
int device_init(struct device *device, const char *name, const struct aead_provider *aead, struct ev_loop *loop);
/* Removes all peers and wipes all keys. */
void device_destroy(struct device *device, struct ev_loop *loop);

/*
 * Sets (NULL: clears) the private key. Sessions and handshakes of all peers end; a peer that has our new public key is
 * removed.
 */
void device_set_private_key(struct device *device, const uint8_t *private_key);

struct peer *device_find_peer(const struct device *device, const uint8_t public_key[NOISE_KEY]);
/* Adds a peer; NULL and errno: EEXIST, ENOMEM, EADDRINUSE for our own public key. */
struct peer *device_add_peer(struct device *device, const uint8_t public_key[NOISE_KEY]);
/*
 * Allocates ahead, so that adding `peers` peers and `prefixes` allowed IPs cannot fail; what is left of it goes with
 * device_unreserve. 0, or -ENOMEM and nothing is kept.
 */
int device_reserve(struct device *device, size_t peers, size_t prefixes);
void device_unreserve(struct device *device);
/* Removes a peer: first nothing finds it any more, then it is freed. */
void device_remove_peer(struct device *device, struct peer *peer);

/*
 * The link went up or down. Up opens the sockets, and peers with a persistent keepalive are spoken to. Down closes them
 * and wipes the keys of all sessions; what a replay is told by stays. 0 or the errno of bind.
 */
int device_set_up(struct device *device, bool up, uint64_t now);

/* Changes port (0: any) or mark, at once when the link is up. 0 or negative errno, and then the old one stays. */
int device_set_port(struct device *device, uint16_t port);
int device_set_mark(struct device *device, uint32_t mark);

/* Routes or addresses have changed: before a peer is spoken to again, it is asked whether its source still holds. */
void device_recheck_locals(struct device *device);
/* From where peers are spoken to is open again. */
void device_clear_locals(struct device *device);

/* The peer's staged packets can go: the workers will send them. */
void device_peer_ready(struct device *device, struct peer *peer);
/* The next such peer that has packets of this worker, or NULL. It stays the next until they are sent. */
struct peer *device_next_ready(struct device *device, unsigned worker);
/* They cannot, after all. */
void device_peer_unready(struct device *device, struct peer *peer);

/* Control's, around changes of what workers read. May be nested. */
void device_lock(struct device *device);
void device_unlock(struct device *device);

/* The sum of what control and all workers counted. */
void device_counters(struct device *device, struct counters *sum);

static inline void device_count(struct device *device, unsigned counter, uint64_t n)
{
	device->counters.value[counter] += n;
}

#endif
