/* SPDX-License-Identifier: MIT */
/*
 * The list of hosts from which `adit mesh` makes a network. Options come first, one "name = value" per line. Then each
 * line describes one host by columns: name, endpoint, address, networks and groups, followed by words such as
 * "ssh=...".
 * '#' starts a comment. adit(8) describes the format.
 */
#ifndef ADIT_MESH_HOST_LIST_H
#define ADIT_MESH_HOST_LIST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "config/config.h"
#include "config/ini.h"
#include "io/host_port.h"

enum {
	MESH_NAME = 64, /* bytes of a name with its NUL; the limit of Name in adit.conf(5) */
	MESH_SSH = 256,
	MESH_HOSTS_MAX = 2000,
	MESH_GROUPS_MAX = 64,
	MESH_HUBS_MAX = 2,
};

enum mesh_topology { TOPOLOGY_FULL, TOPOLOGY_HUB, TOPOLOGY_TWO_HUBS };

enum mesh_family { MESH_IPV4, MESH_IPV6, MESH_FAMILIES };

enum { MESH_NO_HUB = -1 };

struct mesh_host {
	char name[MESH_NAME];
	int line;
	bool has_endpoint; /* false: behind a NAT */
	char endpoint_host[ENDPOINT_HOST], endpoint_port[ENDPOINT_PORT];
	bool automatic_address;
	struct ip_prefix address[MESH_FAMILIES]; /* of full length; family 0: none */
	struct config_prefix *networks;          /* behind the host */
	uint64_t groups;                         /* a bit per group */
	bool in_all_groups;
	char ssh[MESH_SSH]; /* destination for ssh(1); "": the endpoint; "-": none */
	int hub;            /* the hub that the list names for this spoke, or MESH_NO_HUB */
};

struct host_list {
	enum mesh_topology topology;
	char interface[16];
	struct ip_prefix network[MESH_FAMILIES]; /* without host bits; family 0: none */
	uint16_t port;
	uint16_t keepalive; /* seconds; 0: off */
	uint32_t mtu;       /* 0: not given */
	struct mesh_host *hosts;
	size_t count;
	size_t hubs[MESH_HUBS_MAX]; /* indices in `hosts` */
	size_t hub_count;
	char groups[MESH_GROUPS_MAX][MESH_NAME];
	size_t group_count;
};

/*
 * Parses the text of a list. `name` is the file name used in findings, which have the form "file:line: error|warning:
 * column: problem". The caller passes a zeroed `list` and destroys it in every case. Returns 0, -EINVAL if errors were
 * reported, or -ENOMEM.
 */
int host_list_parse(struct host_list *list, const char *name, const char *text, size_t length,
					struct ini_report *report);
/* The same for a file, of at most 16 MiB. Returns the errno of the file as well, which is reported. */
int host_list_load(struct host_list *list, const char *path, struct ini_report *report);
/* Accepts a zeroed struct, and leaves one. */
void host_list_destroy(struct host_list *list);

/* Returns the index of the host, or list->count if there is none of this name. */
size_t host_list_find(const struct host_list *list, const char *name);
bool host_is_hub(const struct host_list *list, size_t host);

#endif
