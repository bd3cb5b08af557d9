/* SPDX-License-Identifier: MIT */
/*
 * The control socket: a unix stream socket that speaks the cross-platform userspace configuration protocol of WireGuard
 * (wireguard.com/xplatform), so that wg(8), wg-quick(8) and what is built on them work with a device.
 *
 * Requests are `get=1`, `set=1` and verbs of our own, each ended by a blank line, any number of them on a connection;
 * an answer ends with `errno=N` (0 or negative) and a blank line. A set is read whole before it is carried out, and an
 * answer to a get is made as the client reads it: so a client costs bounded memory, and of the loop's time at most a
 * fraction of a ms for each part of a get, and some 10 ms for each MiB of a set.
 */
#ifndef ADIT_UAPI_UAPI_H
#define ADIT_UAPI_UAPI_H

#include <ev.h>
#include <net/if.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>
#include <sys/un.h>

#include "tunnel/device.h"

#define UAPI_DIRECTORY "/var/run/wireguard" /* where wg(8) looks for IFNAME.sock */

enum {
	UAPI_CLIENTS = 16,           /* at a time; others wait in the backlog */
	UAPI_REQUEST_MAX = 16 << 20, /* bytes of large requests that are held, those of all clients together */
	UAPI_REPLY_MAX = 64 << 10,   /* bytes that a verb may answer */
	UAPI_IDLE_TIMEOUT = 30,      /* seconds that a client may neither send nor read anything */
	UAPI_PATH = sizeof((struct sockaddr_un *)NULL)->sun_path,
};

/* What a verb answers before its errno. */
struct uapi_reply {
	char *text;
	size_t length, room;
};

/* Adds the line `key=value`; control characters in the value become blanks. A line that does not fit is left out. */
void uapi_reply_line(struct uapi_reply *reply, const char *key, const char *value);

/* A verb `name=1` beside get and set. It is called from the loop and returns 0 or negative errno. */
struct uapi_verb {
	const char *name;
	int (*call)(void *context, struct uapi_reply *reply);
};

struct uapi_options {
	const char *directory; /* NULL: UAPI_DIRECTORY; it outlives the server, as do the verbs */
	bool adopt;            /* take over `fd`, which listens already (WG_UAPI_FD, or uapi_listen before a fork) */
	int fd;
	double idle_timeout;           /* seconds, in the place of UAPI_IDLE_TIMEOUT; 0: that */
	const struct uapi_verb *verbs; /* ends with a NULL name; NULL: none */
	void (*gone)(void *context);   /* somebody removed or replaced the socket: the daemon is to end */
	void *context;                 /* of `verbs` and `gone`, neither of which may stop the server */
};

struct uapi_client;

struct uapi {
	struct device *device;
	struct ev_loop *loop;
	struct uapi_options options;
	char path[UAPI_PATH];
	dev_t home; /* with `inode`, what tells our socket from another of the same name; 0: it has no file */
	ino_t inode;
	struct ev_io accepting, watching;
	struct ev_timer again; /* after an accept that failed */
	struct uapi_client *first;
	unsigned clients;
	size_t held; /* bytes of room for large requests */
};

/*
 * Makes the listening socket directory/NAME.sock (0600; the directory, 0755, when it is not there) of the interface
 * `name`. It answers from the moment it has that name, for wg(8) unlinks a socket that refuses. The descriptor, or
 * -EADDRINUSE when a living daemon answers there; -EEXIST for a file that is no socket; -EINVAL for a name that is no
 * interface's; another errno.
 */
int uapi_listen(const char *directory, const char *name);

/*
 * Serves `device` in `loop` from now on. 0, or as uapi_listen; -EINVAL when the descriptor to adopt is no listening
 * unix socket. On failure a descriptor to adopt stays the caller's.
 */
int uapi_start(struct uapi *uapi, struct device *device, struct ev_loop *loop, const struct uapi_options *options);
/* Closes all connections, and removes the socket unless another has taken its name. Takes a zeroed struct. */
void uapi_stop(struct uapi *uapi);

#endif
