/* SPDX-License-Identifier: MIT */
/*
 * The device: the state that all peers and workers of one interface share, such as key, lookup tables, timers and lock.
 *
 * Control is the thread that configures the device and makes handshakes. It alone changes this state. With one worker
 * everything runs on control's loop and the lock is not taken. With several, each worker is a thread of its own:
 *
 * - Control holds the lock exclusively while it changes anything that workers read. It reads without the lock.
 * - A worker holds the lock shared while it is awake. While it sleeps it keeps no pointer to a peer or a session,
 *   except those that device_ops.peer_gone takes from it.
 * - What workers change is atomic or has a lock of its own: counters, timers, staged packets, the mailbox.
 *
 * No system call that waits for an answer, such as a netlink request, happens under the lock.
 */
#ifndef ADIT_TUNNEL_DEVICE_H
#define ADIT_TUNNEL_DEVICE_H

#include <ev.h>
#include <net/if.h>
#include <pthread.h>
#include <sodium.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/event.h"
#include "base/list.h"
#include "base/log.h"
#include "base/map.h"
#include "base/token_bucket.h"
#include "crypto/aead.h"
#include "crypto/cookie.h"
#include "crypto/noise.h"
#include "io/endpoint.h"
#include "io/udp.h"
#include "tunnel/allowedips.h"
#include "tunnel/counters.h"
#include "tunnel/mailbox.h"
#include "tunnel/padding.h"
#include "tunnel/staged.h"
#include "tunnel/timers.h"
#include "tunnel/warning.h"

struct peer;

/* Operations that the workers provide, or a test in their place. Control calls them. */
struct device_ops {
	/*
	 * Sends one message that is not a data run: a handshake message or a keepalive. `peer` is the peer with that
	 * endpoint, or NULL. Called without the lock. Returns 0 or negative errno.
	 */
	int (*send)(void *context, struct peer *peer, const struct endpoint *to, const void *message, size_t n,
				uint8_t traffic_class);
	/*
	 * Replaces the sockets by new ones on *port, with the lock held. 0 is any port; *port is then set to the one
	 * chosen. Returns 0 or negative errno, and then the old sockets stay.
	 */
	int (*bind)(void *context, uint16_t *port, uint32_t mark);
	/* Closes the sockets, with the lock held. */
	void (*unbind)(void *context);
	/* Sets the firewall mark of the open sockets. Returns 0 or negative errno. */
	int (*set_mark)(void *context, uint32_t mark);
	/* Drops every reference to a peer that is being removed, with the lock held. */
	void (*peer_gone)(void *context, struct peer *peer);
	/* A peer does not answer: has the kernel report ICMP errors for a while. May be NULL. */
	void (*watch_errors)(void *context);
	/* Wakes the workers in the set (bit n: worker n): staged packets can be sent. May be NULL. */
	void (*wake)(void *context, uint32_t workers);
	/* Adds the counters of the workers to *sum, with the lock held. May be NULL. */
	void (*add_counters)(void *context, struct counters *sum);
};

/*
 * Tags of messages in the mailbox by which a worker notifies control of something that concerns no peer that the worker
 * knows. They differ from those of handshake messages, enum admission.
 */
enum { NOTICE_BURST = 10 }; /* notices at once; then one per second */
enum device_notice {
	NOTICE_WRONG_MAC1 = 16, /* a handshake message without a valid mac1; the message is its sender index */
	NOTICE_NO_PEER,         /* a packet for an address that no peer has; the message is the address */
	NOTICE_UNREACHABLE, /* an ICMP error; the sender is the destination in question, the message a struct udp_error */
};

struct device {
	char name[IFNAMSIZ];
	const struct aead_provider *aead; /* of control's thread */
	const char *backend;              /* how the workers read the TUN; NULL: there are no workers */
	unsigned workers;                 /* how many there are */
	struct noise_identity identity;
	uint32_t mtu;
	bool up;                        /* the link is up and the sockets are open */
	uint16_t listen_port;           /* host order; 0: any, until the sockets are open */
	bool random_port;               /* listen_port was chosen by the kernel */
	uint32_t mark;                  /* firewall mark of the sockets; 0: none */
	struct udp_options udp_options; /* of the sockets that are opened from now on */

	struct list peers; /* struct peer, in the order they were added */
	size_t peer_count;
	struct map by_key;                           /* struct peer; not read by workers */
	uint8_t hash_key[crypto_shorthash_KEYBYTES]; /* secret, of the hashes in by_key */
	struct map by_index;                         /* struct peer_index */
	struct allowedips allowed_ips;
	struct list spare; /* unused struct peer, see peer_reserve */
	uint64_t serial;   /* of the peer that was added last */

	struct padding_limits padding_limits; /* the MTUs of the routes through the device that have one */

	struct timers timers;
	struct staged_pool staged;
	struct mailbox mailbox;
	const struct session *session_in_use; /* one worker only, see peer_post */

	pthread_rwlock_t lock;
	bool locked; /* control holds the lock; set with one worker, too, for assertions */

	struct cookie_checker checker;
	struct ratelimit *ratelimit;
	struct token_bucket load;    /* handshake messages that do not count as load */
	struct token_bucket cookies; /* cookie replies that may be sent */
	_Atomic uint64_t load_until; /* under load until then */

	struct warnings warnings;
	struct token_bucket notices;      /* that workers may post, see enum device_notice */
	struct token_bucket strangers;    /* reports about unknown public keys */
	_Atomic uint64_t ungrouped_until; /* the latest peer.ungrouped_until */
	_Atomic uint64_t unmerged_until;  /* until then, super-packets of one kind are not written to the TUN */

	uint64_t (*realtime)(void); /* ns since the epoch; tests replace it */
	uint64_t (*boottime)(void); /* ns of CLOCK_BOOTTIME, where the time of the wake-up is too coarse; likewise */
	int64_t stamp_offset;       /* the largest difference between the two clocks so far, see device_stamp_time */
	const struct device_ops *ops;
	void *ops_context;

	/*
	 * Returns false if the local address of `endpoint` cannot be used any more: it is gone, or the route to the peer
	 * uses another interface. Otherwise sets endpoint->pinned. Asks the kernel, so it is called without the lock. NULL:
	 * every address is usable.
	 */
	bool (*local_usable)(void *context, struct endpoint *endpoint);
	void *local_usable_context;
	/* The peer does not answer: its name may resolve to another address now. May be NULL. */
	void (*unanswered)(void *context, struct peer *peer);
	/* The control socket has set the endpoint of the peer. May be NULL. */
	void (*endpoint_set)(void *context, struct peer *peer);
	/*
	 * Describes the lookup of the name that is to become the endpoint of the peer. Returns false if there is none. May
	 * be NULL.
	 */
	bool (*describe_lookup)(void *context, const struct peer *peer, char *text, size_t size);
	void *unanswered_context; /* of all three */
	/*
	 * The peer has another endpoint than before, or counts as up or down. Called with or without the lock. May be NULL.
	 */
	void (*endpoint_changed)(void *context, struct peer *peer);
	void *endpoint_changed_context;
	/* A session with the peer has come into use. Called with or without the lock. May be NULL. */
	void (*handshake_completed)(void *context, struct peer *peer);
	void *handshake_completed_context;
	/* The TUN was deleted. */
	void (*gone)(void *context);
	void *gone_context;

	struct event_bus events;
	bool leaving;                       /* the next process takes over: the end is no event of the peers */
	struct token_bucket refused_events; /* of handshakes, because any sender can cause them */

	uint64_t started;         /* seconds since the epoch */
	struct counters counters; /* of control; device_counters adds those of the workers */
	struct log_limit log;
};

/*
 * Prepares a device without a key and without peers. `loop` may be NULL; then the caller calls timers_expire. Use
 * control_init, which supplies the two tables. Returns 0 or negative errno.
 */
int device_init(struct device *device, const char *name, const struct aead_provider *aead, struct ev_loop *loop,
				const struct timer_ops *timer_ops, const struct mailbox_ops *mailbox_ops);
/* Frees everything and wipes the key. The peers have been removed. */
void device_destroy(struct device *device, struct ev_loop *loop);

/* Control takes the lock for a change, not nested, and releases it. */
void device_lock(struct device *device);
void device_unlock(struct device *device);

/* Returns SipHash under a secret key, so that nobody can choose public keys that share a bucket. */
uint64_t device_key_hash(const struct device *device, const uint8_t public_key[NOISE_KEY]);

/*
 * Returns the time for the timestamp of an initiation, in ns since the epoch. It runs with CLOCK_BOOTTIME and follows
 * the wall clock forward but not back, because peers reject a timestamp that is older than the last one.
 */
uint64_t device_stamp_time(struct device *device, uint64_t now);

/*
 * Sets a warning, one of those that are not derived from other state, until the time `until`; UINT64_MAX: for good.
 * Returns whether the caller may log it: it is new, or was not logged for ten minutes, and there were few lines lately.
 */
bool device_warn(struct device *device, enum warning kind, uint64_t until, uint64_t now, const char *format, ...)
	__attribute__((format(printf, 5, 6)));
void device_withdraw_warning(struct device *device, enum warning kind);
/*
 * Sets a warning about a datagram or packet for three minutes, and logs it as information if device_warn allows that.
 * `from` is the sender of a datagram, or NULL.
 */
void device_notice(struct device *device, enum warning kind, const struct endpoint *from, uint64_t now,
				   const char *format, ...) __attribute__((format(printf, 5, 6)));
/*
 * Withdraws warnings whose cause is mended: those about messages of `from`, which are right now, or with NULL all that
 * messages and packets have caused, because the settings have changed. If the cause persists, the next message sets the
 * warning again, and the log does not repeat it.
 */
void device_withdraw_notices(struct device *device, const struct endpoint *from);
/* Returns whether the warning holds at `now`, and then writes its text: one sentence, without a full stop. */
bool device_warning(const struct device *device, enum warning kind, char text[WARNING_TEXT], uint64_t now);

/* A worker calls this when its sockets have reported ICMP errors: counts them, and posts the last one to control. */
__attribute__((cold)) void device_post_errors(struct device *device, struct counters *counters, struct udp *udp,
											  uint64_t now);

/* Returns the sum of the counters of control and all workers. Takes the lock. */
void device_counters(struct device *device, struct counters *sum);

/* Counts `n` events in control's counters. */
static inline void device_count(struct device *device, unsigned counter, uint64_t n)
{
	device->counters.value[counter] += n;
}

#endif
