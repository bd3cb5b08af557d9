/* SPDX-License-Identifier: MIT */
/*
 * Status: the matrix of who reaches whom. A cell is about one direction: what the host of the row reports about the
 * host of the column.
 */
#ifndef ADIT_MESH_STATUS_MATRIX_H
#define ADIT_MESH_STATUS_MATRIX_H

#include <stdint.h>

#include "status_host.h"
#include "topology.h"

enum status_reach {
	REACH_NONE,    /* the same host, or two hosts that are not to reach each other */
	REACH_UP,      /* the tunnel is up */
	REACH_IDLE,    /* it was never needed, or not lately; nothing is known to be wrong */
	REACH_RELAYED, /* through a hub, and both tunnels on the way are up or idle */
	REACH_DOWN,    /* the tunnel, or one of the two on the way, is not up */
	REACH_MISSING, /* the host has no such peer */
	REACH_UNKNOWN, /* the host of the row did not answer */
	REACH_KINDS
};

struct status_cell {
	enum status_reach reach;
	const struct status_peer *peer; /* of REACH_UP, REACH_IDLE and, without a hub, REACH_DOWN */
	int hub;                        /* index of the hub, or TOPOLOGY_NOWHERE */
};

struct status_matrix {
	const struct host_list *list;
	const struct topology *topology;
	const struct status_host *hosts;
	int32_t *peers;   /* [row * count + column]: index of the peer in hosts[row].peers, or -1 */
	size_t wanted;    /* directions that the list asks for and that could be checked */
	size_t reached;   /* of these */
	size_t answered;  /* hosts */
	size_t failed;    /* hosts */
	size_t unchecked; /* directions between two hosts that were skipped */
};

/*
 * Finds the peers of all hosts by public key, or by name if the key of a host is unknown. All arguments must outlive
 * the matrix. Returns 0 or -ENOMEM. The caller destroys the matrix in every case.
 */
int status_matrix_init(struct status_matrix *matrix, const struct topology *topology, const struct status_host *hosts);
void status_matrix_destroy(struct status_matrix *matrix);

/* What `from` reports about `to`, or if `from` was skipped, what `to` reports about `from`. */
struct status_cell status_matrix_cell(const struct status_matrix *matrix, size_t from, size_t to);
/* True if the direction works, or nothing is known to be wrong with it. */
bool status_reach_good(enum status_reach reach);
/* True if all hosts answered, except those that were skipped, and all reach all. */
bool status_matrix_good(const struct status_matrix *matrix);

/* A few words for the cell, such as "12.3 ms, 1 %", "silent" or "via hub". Returns `text`. */
enum { STATUS_CELL = 48 };
const char *status_cell_text(char text[STATUS_CELL], const struct status_matrix *matrix,
							 const struct status_cell *cell);

#endif
