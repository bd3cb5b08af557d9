/* SPDX-License-Identifier: MIT */
/* Locking the name of the interface, and opening the TUN interface. */
#include "daemon/interface.h"

#include <errno.h>
#include <fcntl.h>
#include <net/if.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"

#define NODE "/dev/net/tun"

enum { BUSY_ATTEMPTS = 50, BUSY_WAIT_US = 20000 };

/* Sets the reason why tun_open_queues failed with `error`. Returns the negative errno of the cause. */
static int interface_set_reason(struct reason *reason, int error, const char *name)
{
	int node = open(NODE, O_RDWR | O_NONBLOCK | O_CLOEXEC);
	/* A failure to open the node has other causes than a failure to create the interface, but both may be EPERM. */
	int node_error = node < 0 ? -errno : 0;

	if (node >= 0)
		close(node);
	switch (node_error) {
	case 0:
		break;
	case -EPERM:
		return reason_set(reason, node_error,
						  NODE ": the device policy of the service or container forbids it (DeviceAllow=" NODE
							   " rw in a unit, --device " NODE " for a container)");
	case -EACCES:
		return reason_set(reason, node_error,
						  NODE ": no permission to read and write it (run as root; or its mode, or a security module)");
	case -ENOENT:
		return reason_set(reason, node_error,
						  NODE " does not exist (modprobe tun; a container must be given the device)");
	case -ENXIO:
	case -ENODEV:
		return reason_set(reason, node_error, NODE ": the kernel has no TUN driver (modprobe tun)");
	default:
		return reason_set_errno(reason, node_error, NODE);
	}
	if (error == -ENOTTY)
		return reason_set(reason, error, NODE " is not the TUN device (mknod " NODE " c 10 200)");
	if (error == -EPERM)
		return reason_set(reason, error, "creating the interface requires root or CAP_NET_ADMIN");
	if (error == -EBUSY)
		return reason_set(reason, error, "an interface of this name exists already, and another process uses it");
	if (error == -EINVAL && if_nametoindex(name))
		return reason_set(reason, error, "an interface of this name exists already, and is not a TUN interface");
	return reason_set_errno(reason, error, "TUN interface");
}

/* A daemon of this name that ends right now has the interface open until its end. */
static int open_when_free(struct tun *queues, unsigned count, const char *name)
{
	int error = tun_open_queues(queues, count, name);

	for (int attempt = 0; error == -EBUSY && attempt < BUSY_ATTEMPTS; attempt++) {
		usleep(BUSY_WAIT_US);
		error = tun_open_queues(queues, count, name);
	}
	return error;
}

int interface_open(struct tun *queues, unsigned *count, const char *name, bool warn, struct reason *reason)
{
	int error = open_when_free(queues, *count, name);

	if (error == -EINVAL && *count > 1 && if_nametoindex(name)) {
		error = open_when_free(queues, 1, name);
		if (!error && warn)
			log_warning(name, "the interface was created without multiple queues; using 1 worker instead of %u",
						*count);
		*count = 1;
	}
	return error ? interface_set_reason(reason, error, name) : 0;
}

/* Sets the reason why the folder of lock and control socket cannot be used. */
static int folder_set_reason(struct reason *reason, int error)
{
	switch (error) {
	case -EACCES:
	case -EPERM:
		return reason_set(reason, error,
						  UAPI_DIRECTORY ": %s; run adit as root, or as a user who can create files in this folder",
						  strerror(-error));
	case -EROFS:
		return reason_set(reason, error,
						  UAPI_DIRECTORY ": %s; the control socket of adit must be created there (mount a tmpfs)",
						  strerror(-error));
	default:
		return reason_set(reason, error, UAPI_DIRECTORY ": %s; the control socket of adit must be created there",
						  strerror(-error));
	}
}

int interface_lock_name(struct interface_lock *lock, const char *name, struct reason *reason)
{
	struct interface_holder holder = { 0 };
	int error = interface_lock_take(lock, UAPI_DIRECTORY, name, INTERFACE_STARTING, UAPI_END_TIMEOUT * 1000);

	if (!error)
		return 0;
	if (error != -EBUSY)
		return folder_set_reason(reason, error);
	interface_lock_find(&holder, UAPI_DIRECTORY, name);
	if (holder.phase == INTERFACE_STARTING)
		return reason_set(reason, error, "process %d is already starting this interface", (int)holder.process);
	if (holder.phase == INTERFACE_ENDING)
		return reason_set(reason, error, "process %d is still removing this interface", (int)holder.process);
	return reason_set(reason, error, "an interface of this name exists already, and another process uses it");
}
