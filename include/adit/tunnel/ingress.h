/* SPDX-License-Identifier: MIT */
/* Ingress: UDP to TUN. Receive, open, check, coalesce, write. */
#ifndef ADIT_TUNNEL_INGRESS_H
#define ADIT_TUNNEL_INGRESS_H

#include "tunnel/worker.h"

/* 0 or -ENOMEM. */
int ingress_init(struct ingress *ingress, struct worker *worker);
void ingress_destroy(struct ingress *ingress);

/* One batch from `fd`, one of the worker's sockets. */
void ingress_drain(struct worker *worker, int fd);

#endif
