/* SPDX-License-Identifier: MIT */
/* Control sockets of other network namespaces. */
#include "other_namespace.h"

#include <dirent.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "uapi/interface_lock.h"
#include "uapi/socket.h"
#include "uapi/uapi.h"

#define NAMES_FOLDER "/run/netns" /* of ip-netns(8) */

enum { OTHER_CONNECT_SECONDS = 10 };

/* The process that listens on the control socket; 0: we cannot see it; -1: nobody listens. */
static pid_t find_listener(const char *interface)
{
	struct ucred credentials = { 0 };
	socklen_t length = sizeof credentials;
	int fd = uapi_connect(UAPI_DIRECTORY, interface, OTHER_CONNECT_SECONDS);

	if (fd < 0)
		return -1;
	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &credentials, &length))
		credentials.pid = 0;
	close(fd);
	return credentials.pid;
}

static bool is_same_namespace(const struct stat *left, const struct stat *right)
{
	return left->st_dev == right->st_dev && left->st_ino == right->st_ino;
}

/* Leaves `name` empty if the namespace has none. */
static void find_namespace_name(char *name, size_t room, const struct stat *network)
{
	DIR *folder = opendir(NAMES_FOLDER);
	int fd = folder ? dirfd(folder) : -1;
	const struct dirent *entry;

	*name = '\0';
	if (!folder)
		return;
	while (fd >= 0 && !*name && (entry = readdir(folder))) {
		size_t size = strlen(entry->d_name) + 1;
		struct stat status;

		if (size <= room && !fstatat(fd, entry->d_name, &status, 0) && is_same_namespace(&status, network))
			memcpy(name, entry->d_name, size);
	}
	closedir(folder);
}

bool other_namespace_find(struct other_namespace *other, const char *interface)
{
	struct stat own, network;
	char path[64];

	*other = (struct other_namespace) { .process = find_listener(interface) };
	if (other->process < 0)
		return false;
	snprintf(path, sizeof path, "/proc/%d/ns/net", (int)other->process);
	/* The process may belong to another PID namespace, and the daemon is not dumpable, so this needs CAP_SYS_PTRACE. */
	if (!other->process || stat(path, &network) || stat("/proc/self/ns/net", &own))
		return interface_lock_is_elsewhere(UAPI_DIRECTORY, interface);
	if (is_same_namespace(&own, &network))
		return false;
	find_namespace_name(other->name, sizeof other->name, &network);
	return true;
}

void other_namespace_report(const struct other_namespace *other, const char *command, const char *interface)
{
	struct interface_holder holder;

	fprintf(stderr, "%s: %s: ", command, interface);
	if (interface_lock_find(&holder, UAPI_DIRECTORY, interface))
		fprintf(stderr, "process %d has no control socket, because another network namespace has this interface, too\n",
				(int)holder.process);
	else if (*other->name)
		fprintf(stderr, "the interface is in the network namespace \"%s\"; use \"ip netns exec %s adit ...\"\n",
				other->name, other->name);
	else if (other->process)
		fprintf(stderr, "the interface is in another network namespace; use \"nsenter --net --target %d adit ...\"\n",
				(int)other->process);
	else
		fputs("the interface is in another network namespace\n", stderr);
}
