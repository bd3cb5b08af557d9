/* SPDX-License-Identifier: MIT */
/*
 * The checks. Each theme has facts, functions that collect them from the host, and judgements: pure functions that turn
 * facts into findings.
 */
#ifndef ADIT_DOCTOR_CHECKS_H
#define ADIT_DOCTOR_CHECKS_H

#include <net/if.h>
#include <stdint.h>
#include <sys/types.h>

#include "config/config.h"
#include "config/ini_networks.h"
#include "finding.h"
#include "network/process.h"

/* --- the tunnel that the file configures ----- */

/* Zeroed without a file. */
struct tunnel_facts {
	bool given; /* the file was read without errors */
	char interface[IFNAMSIZ];
	char path[256];
	bool full_tunnel[2];           /* a default route with policy rules, for IPv4 and IPv6 */
	bool uses_v4, uses_v6;         /* Address or AllowedIPs contain the family */
	bool relays;                   /* peers without an endpoint can only reach each other through this host */
	bool routes_networks[2];       /* AllowedIPs contain networks beyond those of Address, for IPv4 and IPv6 */
	size_t peers_without_endpoint; /* these must send first */
	uint16_t listen_port;          /* 0: random */
	uint32_t mtu;                  /* 0: from the routes */
	enum backend_kind tun_backend;
	bool gso_off, tun_offload_off;
};

void collect_tunnel(struct tunnel_facts *facts, const struct config *config, const char *path);

/* --- the process and its container ----- */

enum container {
	CONTAINER_NONE,
	CONTAINER_DOCKER,
	CONTAINER_PODMAN,
	CONTAINER_NSPAWN,
	CONTAINER_LXC,
	CONTAINER_OTHER,
	CONTAINERS,
};

struct process_facts {
	bool root, net_admin;
	bool no_proc; /* /proc is not mounted */
	enum container container;
};

void collect_process(struct process_facts *facts);
/* The kind of container, from the files that mark one, and from the contents of /run/systemd/container. */
enum container container_kind(bool has_dockerenv, bool has_containerenv, const char *systemd_name);
/* How to start such a container with what a tunnel needs. */
const char *container_remedy(enum container container);
void judge_process(struct findings *findings, const struct process_facts *facts, const struct tunnel_facts *tunnel);

/* --- the TUN device ----- */

struct tun_node_facts {
	int stat_error; /* negative errno; 0: the node exists */
	bool right_device;
	mode_t mode;
	int open_error;     /* negative errno */
	bool driver_loaded; /* /sys/class/misc/tun exists */
};

/* From a device in the namespace of the trial. */
struct tun_trial {
	int error;
	bool virtio, read_tso, read_uso, write_tso, write_uso;
};

void collect_tun_node(struct tun_node_facts *facts);
void judge_tun_node(struct findings *findings, const struct tun_node_facts *facts, const struct process_facts *process);
void try_tun(struct tun_trial *trial);
/* `isolate_error`: why there was no trial. */
void judge_tun_trial(struct findings *findings, const struct tun_trial *trial, int isolate_error,
					 const struct tunnel_facts *tunnel);

/* --- UDP offloads ----- */

/* The ways of a run of datagrams through the kernel. */
enum gso_path {
	GSO_TO_GRO,    /* through lo, to a socket that receives runs */
	GSO_TO_PLAIN,  /* through lo, to a socket that does not, so the kernel segments the run on receipt */
	GSO_TO_DEVICE, /* out of a device without offloads, so the kernel segments the run on transmission */
	GSO_PATHS,
};

struct gso_path_result {
	bool tested;
	uint16_t sent, received, corrupt;
	int error; /* negative errno; why it was not tested, or why sending failed */
};

struct udp_trial {
	int error; /* negative errno: no sockets */
	bool gso, gro;
	bool tested_v6;
	struct gso_path_result paths[2][GSO_PATHS]; /* IPv4, IPv6 */
};

void try_udp(struct udp_trial *trial);
void judge_udp_trial(struct findings *findings, const struct udp_trial *trial, int isolate_error,
					 const struct tunnel_facts *tunnel);

/* --- the kernel ----- */

struct kernel_facts {
	char release[65]; /* of uname(2) */
	bool uring_built_in;
	int uring_error;        /* negative errno of io_uring_setup(2) */
	int64_t uring_disabled; /* kernel.io_uring_disabled; -1: no such sysctl */
	bool seccomp;           /* a filter is active in this process */
};

struct buffer_facts {
	uint32_t wanted;                       /* bytes */
	int64_t receive_granted, send_granted; /* bytes, as set by this process; -1: no socket */
	int64_t receive_max, send_max;         /* net.core.rmem_max and wmem_max; -1: not visible */
};

void collect_kernel(struct kernel_facts *facts);
void judge_kernel_version(struct findings *findings, const struct kernel_facts *facts,
						  const struct tunnel_facts *tunnel);
void judge_io_uring(struct findings *findings, const struct kernel_facts *facts, const struct tunnel_facts *tunnel);
void collect_buffers(struct buffer_facts *facts);
void judge_buffers(struct findings *findings, const struct buffer_facts *facts, const struct process_facts *process);

/* --- routing of the host ----- */

struct forwarding_facts {
	int64_t v4, v6;  /* net.ipv4.ip_forward, net.ipv6.conf.all.forwarding; -1: not there */
	size_t networks; /* of the host, besides those of the tunnel and of lo */
};

struct rp_filter_facts {
	int64_t all;
	char strict[IFNAMSIZ]; /* an interface with a strict filter; "": none */
	int64_t src_valid_mark;
	bool writable; /* root can set src_valid_mark */
};

struct nft_facts {
	bool found;
	bool tested;
	int status; /* of nft(8); negative errno if it did not run */
	char output[PROCESS_OUTPUT];
};

struct ipv6_facts {
	bool in_kernel;
	int64_t all_disabled, default_disabled; /* -1: not there */
};

size_t count_host_networks(const struct ini_network *list, size_t count, const char *interface);
void collect_forwarding(struct forwarding_facts *facts, size_t networks);
void judge_forwarding(struct findings *findings, const struct forwarding_facts *facts,
					  const struct tunnel_facts *tunnel);
void collect_rp_filter(struct rp_filter_facts *facts);
void judge_rp_filter(struct findings *findings, const struct rp_filter_facts *facts, const struct nft_facts *nft,
					 const struct tunnel_facts *tunnel);
void try_nft(struct nft_facts *facts);
void judge_nft(struct findings *findings, const struct nft_facts *facts, const struct tunnel_facts *tunnel);
void collect_ipv6(struct ipv6_facts *facts);
void judge_ipv6(struct findings *findings, const struct ipv6_facts *facts, const struct tunnel_facts *tunnel);

/* --- endpoints and ports ----- */

struct endpoint_facts {
	const char *host, *port; /* as in the file; NULL: the peer has no endpoint */
	int line;
	struct endpoint address; /* unknown if the name was not resolved */
	bool is_name;
	const char *failure; /* of the lookup; NULL: none */
	int route_error;     /* negative errno */
	uint32_t route_mtu;  /* 0: unknown, or the endpoint is on this host */
};

enum { ENDPOINT_LOOKUP_SECONDS = 5 }; /* for all names together */

/*
 * Returns an array of *count entries, one per peer with an endpoint, which the caller frees. NULL: none, or no memory.
 */
struct endpoint_facts *collect_endpoints(const struct config *config, size_t *count);
void judge_endpoints(struct findings *findings, const struct endpoint_facts *list, size_t count,
					 const struct tunnel_facts *tunnel);
void judge_mtu(struct findings *findings, const struct endpoint_facts *list, size_t count,
			   const struct tunnel_facts *tunnel);

struct interface_facts {
	bool exists;
	bool tun;         /* it is a TUN device */
	char kind[16];    /* DEVTYPE of the kernel, such as "wireguard"; "": none */
	int socket_error; /* negative errno of connecting to the control socket */
	pid_t daemon;     /* 0: unknown */
	char program[32]; /* of the daemon */
};

struct port_facts {
	bool used;
	pid_t process; /* 0: not visible, or a socket of the kernel */
	char program[32];
	bool ufw, firewalld; /* an active firewall manager */
};

void collect_interface(struct interface_facts *facts, const char *name);
void judge_interface(struct findings *findings, const struct interface_facts *facts, const struct tunnel_facts *tunnel);
void collect_port(struct port_facts *facts, uint16_t port);
/* Returns the inode of a socket on the UDP port, from a line of /proc/net/udp or udp6; 0 if the port is another. */
uint64_t udp_line_inode(const char *line, uint16_t port);
void judge_port(struct findings *findings, const struct port_facts *facts, const struct interface_facts *interface,
				const struct process_facts *process, const struct tunnel_facts *tunnel);

/* --- the system ----- */

struct clock_facts {
	int64_t seconds; /* since the epoch */
	bool unsynchronized;
	bool battery; /* a real-time clock keeps the time while the host is off */
	bool timedatectl;
};

void collect_clock(struct clock_facts *facts);
void judge_clock(struct findings *findings, const struct clock_facts *facts);

struct unit_facts {
	bool systemd; /* the host was started by systemd */
	int error;    /* negative errno, or the status of systemctl(1) */
	char load[24], enabled[24], active[24], result[32];
	char fragment[128], dropins[256];
};

void collect_unit(struct unit_facts *facts, const char *interface);
/* Reads the output of `systemctl show`. */
void parse_unit(struct unit_facts *facts, const char *text);
void judge_unit(struct findings *findings, const struct unit_facts *facts, const struct tunnel_facts *tunnel);

struct manager_facts {
	bool networkd, networkd_keeps; /* keeps foreign routes and rules */
	bool network_manager, network_manager_ignores;
};

void collect_managers(struct manager_facts *facts, const char *interface);
void judge_managers(struct findings *findings, const struct manager_facts *facts, const struct tunnel_facts *tunnel);

/* --- the file ----- */

struct permission_facts {
	char path[256];
	int error; /* negative errno */
	bool folder;
	uid_t owner, user; /* `user` runs adit doctor */
	mode_t mode;
};

/* Of the file and of its folder. */
void collect_permissions(struct permission_facts facts[2], const char *path);
void judge_permissions(struct findings *findings, const struct permission_facts *facts);

/* A finding of the INI parser: "file:line: error|warning: text". */
void judge_ini_line(struct findings *findings, const char *line, const char *path);

enum file_tool {
	TOOL_IPTABLES,
	TOOL_IP6TABLES,
	TOOL_NFT,
	TOOL_RESOLVECTL,
	TOOL_RESOLVCONF,
	TOOL_IP,
	TOOL_TC,
	TOOL_SYSCTL,
	FILE_TOOLS,
};

struct file_tool_facts {
	bool sets_dns;
	bool has_resolvectl, has_resolvconf; /* in PATH; resolvectl only while systemd-resolved runs */
	bool hook_uses[FILE_TOOLS], has[FILE_TOOLS];
};

/* Notes the programs that a hook runs: each known one that is the first word of a command. */
void scan_hook(struct file_tool_facts *facts, const char *hook);
void collect_file_tools(struct file_tool_facts *facts, const struct config *config);
void judge_file_tools(struct findings *findings, const struct file_tool_facts *facts);

#endif
