/* SPDX-License-Identifier: MIT */
/* The routing of the host: forwarding, reverse path filters, the firewall and IPv6. */
#include <dirent.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "checks.h"
#include "host_files.h"

#define CONF_V4 "/proc/sys/net/ipv4/conf"
#define PERMANENT "; to keep it after a restart, write it to a file in /etc/sysctl.d"

/* --- forwarding ----- */

size_t count_host_networks(const struct ini_network *list, size_t count, const char *interface)
{
	size_t networks = 0;

	for (size_t i = 0; i < count; i++) {
		const char *name = list[i].interface;

		networks += strcmp(name, interface) != 0 && strcmp(name, "lo") != 0 && !prefix_is_link_local(&list[i].prefix);
	}
	return networks;
}

void collect_forwarding(struct forwarding_facts *facts, size_t networks)
{
	facts->v4 = host_read_number("/proc/sys/net/ipv4/ip_forward", -1);
	facts->v6 = host_read_number("/proc/sys/net/ipv6/conf/all/forwarding", -1);
	facts->networks = networks;
}

void judge_forwarding(struct findings *findings, const struct forwarding_facts *facts,
					  const struct tunnel_facts *tunnel)
{
	static const char *const names[] = { "net.ipv4.ip_forward", "net.ipv6.conf.all.forwarding" };
	const int64_t values[] = { facts->v4, facts->v6 };

	for (int v6 = 0; v6 < 2; v6++) {
		const char *object = names[v6];
		/* With more than one network, this host may be the router of one of them. */
		bool routes = tunnel->routes_networks[v6] && facts->networks > 1;
		bool relays = tunnel->relays && (v6 ? tunnel->uses_v6 : tunnel->uses_v4);

		if (values[v6] < 0)
			continue;
		if (values[v6] > 0) {
			finding_add(findings, VERDICT_OK, object, "this host forwards packets");
			continue;
		}
		if (!relays && !routes) {
			finding_add(findings, VERDICT_OK, object, "off, and %s",
						tunnel->given ? "the file does not suggest that this host forwards"
									  : "only a host that forwards between its networks and a tunnel needs it");
			continue;
		}
		if (relays)
			finding_add(findings, VERDICT_WARN, object,
						"off, but %zu peers have no Endpoint and can reach each other only through this host",
						tunnel->peers_without_endpoint);
		else
			finding_add(
				findings, VERDICT_NOTE, object,
				"off; this host has several networks, and the hosts there can use the tunnel only if it forwards");
		finding_command(findings, "sysctl -w %s=1", object);
		finding_hint(
			findings, "%s" PERMANENT,
			v6 ? "if this host gets its address by Router Advertisements, first set accept_ra of that interface to 2"
			   : "let the firewall accept forwarded packets, too");
	}
}

/* --- reverse path filter ----- */

void collect_rp_filter(struct rp_filter_facts *facts)
{
	DIR *directory = opendir(CONF_V4);
	const struct dirent *entry;

	*facts = (struct rp_filter_facts) {
		.all = host_read_number(CONF_V4 "/all/rp_filter", 0),
		.src_valid_mark = host_read_number(CONF_V4 "/all/src_valid_mark", 0),
		.writable = geteuid() || access(CONF_V4 "/all/src_valid_mark", W_OK) == 0,
	};
	if (facts->all == 1)
		snprintf(facts->strict, sizeof facts->strict, "all interfaces");
	if (!directory)
		return;
	/* The larger of `all` and the interface's own value applies. 1 is strict, 2 is loose. */
	while (!facts->strict[0] && facts->all < 2 && (entry = readdir(directory))) {
		char path[300];
		int64_t own;

		if (entry->d_name[0] == '.' || strcmp(entry->d_name, "all") == 0 || strcmp(entry->d_name, "lo") == 0)
			continue;
		snprintf(path, sizeof path, CONF_V4 "/%s/rp_filter", entry->d_name);
		own = host_read_number(path, 0);
		if ((own > facts->all ? own : facts->all) == 1)
			snprintf(facts->strict, sizeof facts->strict, "%.15s", entry->d_name);
	}
	closedir(directory);
}

void judge_rp_filter(struct findings *findings, const struct rp_filter_facts *facts, const struct nft_facts *nft,
					 const struct tunnel_facts *tunnel)
{
	static const char object[] = "rp_filter";
	bool nft_usable = nft->found && (!nft->tested || nft->status == 0);

	if (!facts->strict[0]) {
		finding_add(findings, VERDICT_OK, object, "no interface has a strict reverse path filter");
	} else if (!tunnel->full_tunnel[0]) {
		finding_add(findings, VERDICT_NOTE, object,
					"strict on %s: packets whose way back is another interface are dropped there", facts->strict);
	} else if (!nft_usable) {
		finding_add(findings, VERDICT_FAIL, object,
					"strict on %s: with a default route through the tunnel it drops the datagrams of the peers, unless "
					"nft(8) is usable",
					facts->strict);
	} else if (facts->src_valid_mark <= 0 && !facts->writable) {
		finding_add(
			findings, VERDICT_FAIL, object,
			"strict on %s, and adit cannot set net.ipv4.conf.all.src_valid_mark, because /proc/sys is read-only here",
			facts->strict);
	} else {
		finding_add(findings, VERDICT_NOTE, object,
					"strict on %s: adit sets net.ipv4.conf.all.src_valid_mark and marks replies by nft(8), so that the "
					"datagrams of the peers pass",
					facts->strict);
	}
	if (facts->strict[0] && tunnel->full_tunnel[0]) {
		finding_command(findings, "sysctl -w net.ipv4.conf.all.rp_filter=2");
		finding_hint(findings, "2 is the loose filter" PERMANENT);
	}
}

/* --- firewall ----- */

void try_nft(struct nft_facts *facts)
{
	static const char *const command[] = { "nft", "-f", "-", NULL };
	/* The rules of src/network/ruleset.c, which need several modules of the kernel. */
	static const char script[] = "table ip adit_doctor {\n"
								 "chain preraw {\n"
								 "type filter hook prerouting priority raw; policy accept;\n"
								 "iif != 1 ip daddr 192.0.2.1 fib saddr type != local drop\n"
								 "}\n"
								 "chain premangle {\n"
								 "type filter hook prerouting priority mangle; policy accept;\n"
								 "meta l4proto { tcp, udp } ct mark 1 meta mark set ct mark\n"
								 "}\n"
								 "chain postmangle {\n"
								 "type filter hook postrouting priority mangle; policy accept;\n"
								 "meta l4proto { tcp, udp } meta mark 1 ct mark set meta mark\n"
								 "}\n"
								 "}\n";

	facts->tested = true;
	facts->status = process_run(command, script, sizeof script - 1, facts->output, 5000);
}

void judge_nft(struct findings *findings, const struct nft_facts *facts, const struct tunnel_facts *tunnel)
{
	bool needed = tunnel->full_tunnel[0] || tunnel->full_tunnel[1];
	enum verdict bad = needed ? VERDICT_WARN : VERDICT_NOTE;
	const char *use = needed ? "adit needs it for the default route of this tunnel"
							 : "adit needs it only for a default route through the tunnel";

	if (!facts->found) {
		finding_add(findings, bad, "nft", "the program is not in PATH; %s", use);
		finding_hint(findings,
					 "install the package nftables (Debian: apt-get install nftables); adit does not use iptables");
	} else if (!facts->tested) {
		finding_add(findings, VERDICT_NOTE, "nft", "found, but not tested; %s", use);
		finding_needs_root(findings);
	} else if (facts->status == 0) {
		finding_add(findings, VERDICT_OK, "nft", "usable");
	} else {
		finding_add(findings, bad, "nft", "fails: %.*s; %s",
					facts->status < 0 ? 100 : (int)strcspn(facts->output, "\n"),
					facts->status < 0 ? strerror(-facts->status) : facts->output, use);
		finding_hint(findings, "the kernel needs the modules nf_tables, nft_ct and nft_fib_ipv4");
	}
}

/* --- IPv6 ----- */

void collect_ipv6(struct ipv6_facts *facts)
{
	int fd = socket(AF_INET6, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	*facts = (struct ipv6_facts) {
		.in_kernel = fd >= 0,
		.all_disabled = host_read_number("/proc/sys/net/ipv6/conf/all/disable_ipv6", -1),
		.default_disabled = host_read_number("/proc/sys/net/ipv6/conf/default/disable_ipv6", -1),
	};
	if (fd >= 0)
		close(fd);
}

void judge_ipv6(struct findings *findings, const struct ipv6_facts *facts, const struct tunnel_facts *tunnel)
{
	enum verdict bad = tunnel->uses_v6 ? VERDICT_WARN : VERDICT_NOTE;
	const char *consequence = tunnel->uses_v6 ? "; adit leaves out the IPv6 addresses and routes of the file" : "";

	if (!facts->in_kernel || facts->all_disabled < 0) {
		finding_add(findings, bad, "IPv6", "the kernel does not have it%s", consequence);
		finding_hint(findings, "remove ipv6.disable=1 from the kernel command line, or load the module ipv6");
	} else if (facts->all_disabled > 0 || facts->default_disabled > 0) {
		const char *which = facts->all_disabled > 0 ? "all" : "default";

		finding_add(findings, bad, "IPv6", "net.ipv6.conf.%s.disable_ipv6 is 1%s", which, consequence);
		finding_command(findings, "sysctl -w net.ipv6.conf.%s.disable_ipv6=0", which);
		if (facts->all_disabled > 0)
			finding_hint(findings, "this enables IPv6 on every interface" PERMANENT);
		else
			finding_hint(findings, "this applies to interfaces that are created afterwards" PERMANENT);
	} else {
		finding_add(findings, VERDICT_OK, "IPv6", "enabled");
	}
}
