/* SPDX-License-Identifier: MIT */
/*
 * Handover: how a tunnel survives a restart of its daemon, an upgrade and kill -9.
 *
 * The service manager's store keeps the queues of the TUN, the UDP sockets, the claim on the routing table, the saved
 * endpoints, and a mark if name servers are set. So the interface stays, and with it addresses and routes; the port
 * stays in use; and no other tunnel takes the policy rules for the remains of a dead one. The next process takes over
 * what fits its file, and creates the rest. Then it sends a handshake initiation to each peer with a known endpoint.
 *
 * Without a service manager all functions do nothing.
 */
#ifndef ADIT_DAEMON_HANDOVER_H
#define ADIT_DAEMON_HANDOVER_H

#include <ev.h>
#include <stdbool.h>

#include "config/config.h"
#include "daemon/fd_store.h"
#include "daemon/saved_endpoints.h"
#include "io/tun.h"
#include "network/plan.h"
#include "tunnel/worker_pool.h"

struct handover {
	bool possible;         /* there is a service manager */
	bool resumed;          /* it has passed something */
	bool adopted;          /* the TUN comes from an earlier process */
	struct fd_store store; /* what that process has stored, without what has been taken over */
	int adopted_socket;    /* the first UDP socket of that process, until the workers have theirs; -1: none */
	struct saved_endpoints saved;
	uint32_t stored_table; /* of the claim in the store; 0: none */
	bool name_servers;     /* the store has the mark that name servers may be set */
	struct worker_pool *pool;
	struct ev_loop *loop;
	struct ev_timer store_sockets; /* runs once, soon after the sockets have changed */
	struct ev_timer greet;         /* sends the initiations */
	uint64_t greeted;              /* serial of the last peer that has got one */
};

/* --- the start, in this order ----- */

/* Receives the descriptors. Call it before anything is opened or closed. */
void handover_receive(struct handover *handover);

/* Takes over the claim on a routing table. `claim` stays zeroed if there is none. */
void handover_take_claim(struct handover *handover, struct table_claim *claim);
/* The plan does not use the claim: releases it everywhere, so that its rules count as remains. */
void handover_refuse_claim(struct handover *handover, struct table_claim *claim);

/*
 * Takes over the queues of the interface that `config` names. *count is the number of workers. Returns true; or false
 * if there are no queues, or if they do not fit: then they are closed, and their interface is deleted.
 */
bool handover_take_tun(struct handover *handover, struct tun *queues, unsigned *count, const struct config *config);

/*
 * Takes over the UDP sockets if they fit `config`, for the moment when the device opens its sockets. From then on the
 * store follows the sockets of the pool.
 */
void handover_take_sockets(struct handover *handover, struct worker_pool *pool, const struct config *config,
						   struct ev_loop *loop);

/* Sets the endpoints of the peers, to which `config` has been applied. */
void handover_take_endpoints(struct handover *handover, const struct config *config);

/*
 * The tunnel is up: stores what the store lacks, and drops what has not been taken over. After a restart, begins with
 * the initiations: a few at a time, so that 10,000 peers take some seconds, and packets flow in between.
 */
void handover_start(struct handover *handover, const struct config *config, const struct table_claim *claim);

/* --- later ----- */

/* A reload has succeeded: stores the endpoints of the new peers and the new claim. */
void handover_reloaded(struct handover *handover, const struct config *config, const struct table_claim *claim);

/* Ends what runs on the loop. The store keeps everything for the next process. */
void handover_leave(struct handover *handover);
/*
 * The same, but empties the store and deletes the interface. Call it when the network of the tunnel has been removed.
 */
void handover_stop(struct handover *handover);

/* The file has an error, so there will be no next process: removes everything that the previous one has left. */
void handover_sweep(struct handover *handover);

#endif
