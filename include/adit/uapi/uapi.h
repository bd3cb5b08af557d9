/* SPDX-License-Identifier: MIT */
/*
 * The server of the control socket: a Unix stream socket with the cross-platform userspace protocol of WireGuard
 * (wireguard.com/xplatform), so that wg(8), wg-quick(8) and other tools can configure a device.
 *
 * Requests are `get=1`, `set=1`, and ours: `counters=1` (one line per counter of the device), `log=1` (the level of the
 * log, which a line `level=LEVEL` changes), `monitor=1` and the verbs of the daemon. A blank line ends a request, and a
 * connection may carry any number of them. An answer ends with `errno=N` (0 or negative) and a blank line. `monitor=1`
 * is answered at once, and then by a block of lines for each event, until the client closes the connection or the
 * daemon ends. A set is applied when it has arrived completely; the answer to a get is generated while the client reads
 * it. This bounds the memory per client. A large request is handled in parts of about a millisecond, and packets flow
 * in between.
 */
#ifndef ADIT_UAPI_UAPI_H
#define ADIT_UAPI_UAPI_H

#include <ev.h>
#include <net/if.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>
#include <sys/un.h>

#include "base/list.h"
#include "io/path_watch.h"
#include "tunnel/device.h"

#define UAPI_DIRECTORY "/var/run/wireguard" /* where wg(8) looks for IFNAME.sock */

enum {
	UAPI_MONITORS_MAX = 16,      /* clients that follow events; they do not count as connections */
	UAPI_CONNECTIONS_MAX = 16,   /* a further client takes the place of one that is idle or slow */
	UAPI_REQUEST_MAX = 16 << 20, /* bytes buffered for large requests, over all connections */
	UAPI_REPLY_MAX = 64 << 10,   /* bytes in the reply to a verb */
	UAPI_IDLE_TIMEOUT = 30,      /* seconds without traffic after which a connection is closed */
	UAPI_REQUEST_TIMEOUT = 60,   /* seconds for a whole request and its answer */
	UAPI_END_TIMEOUT = 3,        /* seconds to wait for the end of another daemon */
	UAPI_PATH = sizeof((struct sockaddr_un *)NULL)->sun_path,
};

/* The lines of an answer to a verb, without the final errno. */
struct uapi_reply {
	char *text;
	size_t length, room;
	int fd; /* the connection, for a verb that sends more after the answer: it duplicates the descriptor */
};

/* Appends the line `key=value`, or nothing if it does not fit. Control characters in the value become spaces. */
void uapi_reply_line(struct uapi_reply *reply, const char *key, const char *value);

/* Sends the lines now, before anything that the verb sends to a duplicate of the descriptor. */
void uapi_reply_flush(struct uapi_reply *reply);

/* Our own verb `name=1`, beside get and set. `call` runs in the event loop and returns 0 or negative errno. */
struct uapi_verb {
	const char *name;
	int (*call)(void *context, struct uapi_reply *reply);
};

struct uapi_options {
	const char *directory; /* NULL: UAPI_DIRECTORY. Must outlive the server, as must the verbs. */
	bool adopt;            /* use `fd`, which listens already (WG_UAPI_FD, or uapi_listen before a fork) */
	int fd;
	double idle_timeout;                   /* seconds; 0: UAPI_IDLE_TIMEOUT */
	double request_timeout;                /* seconds; 0: UAPI_REQUEST_TIMEOUT */
	const struct uapi_verb *verbs;         /* ends with a NULL name; NULL: none */
	struct path_watches *paths;            /* for `socket_removed` */
	void (*socket_removed)(void *context); /* the file was removed or replaced, so the daemon must end */
	void *context;                         /* for `verbs` and `socket_removed`, which must not stop the server */
};

struct uapi_connection;

struct uapi {
	struct device *device;
	struct ev_loop *loop;
	struct uapi_options options;
	char path[UAPI_PATH];
	dev_t socket_device; /* with `socket_inode`, identifies our socket file */
	ino_t socket_inode;  /* 0: the socket has no file */
	struct ev_io accept_watcher;
	struct path_watch directory_watch;
	struct ev_timer accept_retry; /* runs after accept(2) has failed, or while all clients are busy */
	struct list connections;      /* of struct uapi_connection */
	unsigned connection_count;
	struct list monitors; /* of struct uapi_monitor */
	unsigned monitor_count;
	struct event_consumer event_consumer; /* subscribed while there are monitors */
	struct uapi_connection *setting;      /* whose set is carried out in parts; NULL: none */
	struct ev_timer set_timer;            /* for the next part */
	size_t request_bytes;                 /* counted against UAPI_REQUEST_MAX */
};

/*
 * Creates the listening socket directory/NAME.sock (mode 0600) for the interface `name`, and the directory (0755) if
 * there is none. The socket listens before it gets this name, because wg(8) unlinks a socket that refuses connections.
 *
 * If another daemon listens there but is about to end, because its interface was deleted, waits for its end for up to
 * UAPI_END_TIMEOUT.
 *
 * Returns the descriptor, or -EADDRINUSE: another daemon answers there; -EEXIST: the file is not a socket; -EINVAL: no
 * interface can have this name; or another negative errno.
 */
int uapi_listen(const char *directory, const char *name);

/*
 * Starts to serve `device` in `loop`. 0, or negative errno as uapi_listen; -EINVAL also if the descriptor to adopt is
 * not a listening Unix socket. On failure the caller still owns the descriptor to adopt.
 */
int uapi_start(struct uapi *uapi, struct device *device, struct ev_loop *loop, const struct uapi_options *options);
/*
 * Carries out the sets that are under way. The caller does so before it changes the peers of the device, as
 * apply_set_part requires. Accepts a zeroed struct.
 */
void uapi_finish_sets(struct uapi *uapi);
/*
 * Reports the end to monitors, closes all connections, and removes the socket file unless another has replaced it.
 * Accepts a zeroed struct.
 */
void uapi_stop(struct uapi *uapi);

#endif
