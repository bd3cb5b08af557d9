/* SPDX-License-Identifier: MIT */
/* Tests of the judgements on a host: facts in, findings out. */
#include "doctor_findings.h"

static const struct tunnel_facts no_tunnel;
static const struct process_facts as_root = { .root = true, .net_admin = true }, as_user;

/* --- privileges ----- */

static void containers_are_told_apart(void **state)
{
	assert_int_equal(container_kind(false, false, ""), CONTAINER_NONE);
	assert_int_equal(container_kind(false, false, "\n"), CONTAINER_NONE);
	assert_int_equal(container_kind(true, false, ""), CONTAINER_DOCKER);
	assert_int_equal(container_kind(false, true, ""), CONTAINER_PODMAN);
	assert_int_equal(container_kind(true, true, ""), CONTAINER_PODMAN);
	assert_int_equal(container_kind(false, false, "systemd-nspawn\n"), CONTAINER_NSPAWN);
	assert_int_equal(container_kind(false, false, "lxc"), CONTAINER_LXC);
	assert_int_equal(container_kind(false, false, "lxc-libvirt\n"), CONTAINER_LXC);
	assert_int_equal(container_kind(true, false, "podman\n"), CONTAINER_PODMAN);
	assert_int_equal(container_kind(false, false, "d"), CONTAINER_OTHER);
	assert_int_equal(container_kind(false, false, "wsl\n"), CONTAINER_OTHER);
	for (enum container kind = CONTAINER_NONE + 1; kind < CONTAINERS; kind++) {
		assert_non_null(container_remedy(kind));
		assert_contains(container_remedy(kind), "/dev/net/tun");
	}
}

static void a_missing_capability_is_a_failure_for_root_only(void **state)
{
	const struct tunnel_facts tunnel = { .given = true, .path = "/etc/adit/site.conf" };
	struct process_facts facts = { .root = true };

	judge_process(&found, &as_root, &no_tunnel);
	assert_only(VERDICT_OK, "CAP_NET_ADMIN", "has the capability", "");
	judge_process(&found, &facts, &no_tunnel);
	assert_contains(found.list[0].hint, "CapabilityBoundingSet=");
	assert_only(VERDICT_FAIL, "CAP_NET_ADMIN", "does not have", "");
	judge_process(&found, &as_user, &no_tunnel);
	assert_true(found.list[0].needs_root);
	assert_only(VERDICT_NOTE, "CAP_NET_ADMIN", "this user", "sudo adit doctor");
	judge_process(&found, &as_user, &tunnel);
	assert_only(VERDICT_NOTE, "CAP_NET_ADMIN", "this user", "sudo adit doctor /etc/adit/site.conf");
	facts.container = CONTAINER_PODMAN;
	judge_process(&found, &facts, &no_tunnel);
	assert_int_equal(found.count, 2);
	assert_finding(0, VERDICT_NOTE, "container", "podman", "");
	assert_finding(1, VERDICT_FAIL, "CAP_NET_ADMIN", "does not have", "");
	assert_contains(found.list[1].hint, "podman run --cap-add NET_ADMIN --device /dev/net/tun");
}

static void without_proc_nothing_is_known_of_capabilities(void **state)
{
	const struct process_facts facts = { .root = true, .no_proc = true };

	judge_process(&found, &facts, &no_tunnel);
	assert_only(VERDICT_FAIL, "/proc", "not mounted", "mount -t proc proc /proc");
}

/* --- TUN ----- */

static void the_node_of_the_tun_is_judged_by_cause(void **state)
{
	static const struct {
		struct tun_node_facts facts;
		struct process_facts process;
		enum verdict verdict;
		const char *fact, *command, *hint;
	} cases[] = {
		{ { .right_device = true }, { .root = true }, VERDICT_OK, "can be opened", "", "" },
		{ { .stat_error = -ENOENT }, { .root = true }, VERDICT_FAIL, "missing", "modprobe tun", "" },
		{ { .stat_error = -ENOENT, .driver_loaded = true },
		  { .root = true },
		  VERDICT_FAIL,
		  "missing",
		  "mkdir -p /dev/net && mknod -m 0666 /dev/net/tun c 10 200",
		  "" },
		{ { .stat_error = -ENOENT, .driver_loaded = true },
		  { .root = true, .container = CONTAINER_DOCKER },
		  VERDICT_FAIL,
		  "missing",
		  "",
		  "docker run" },
		{ { .right_device = true, .open_error = -EACCES, .mode = 0600 }, { 0 }, VERDICT_NOTE, "0600", "", "" },
		{ { .right_device = true, .open_error = -EPERM },
		  { .root = true },
		  VERDICT_FAIL,
		  "device policy",
		  "",
		  "DeviceAllow=/dev/net/tun rw" },
		{ { .right_device = true, .open_error = -EPERM },
		  { .root = true, .container = CONTAINER_LXC },
		  VERDICT_FAIL,
		  "device policy",
		  "",
		  "lxc.cgroup2.devices.allow" },
		{ { .right_device = true, .open_error = -ENODEV },
		  { .root = true },
		  VERDICT_FAIL,
		  "no TUN driver",
		  "modprobe tun",
		  "" },
		{ { .right_device = true, .open_error = -EACCES },
		  { .root = true },
		  VERDICT_FAIL,
		  "Permission denied",
		  "chmod 0666 /dev/net/tun",
		  "" },
		{ { .right_device = false },
		  { .root = true },
		  VERDICT_FAIL,
		  "not the character device",
		  "rm /dev/net/tun && mknod -m 0666 /dev/net/tun c 10 200",
		  "" },
	};

	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		judge_tun_node(&found, &cases[i].facts, &cases[i].process);
		assert_contains(found.list[0].hint, cases[i].hint);
		assert_only(cases[i].verdict, "/dev/net/tun", cases[i].fact, cases[i].command);
	}
}

static void offloads_of_the_tun_are_judged_by_what_is_missing(void **state)
{
	const struct tunnel_facts off = { .given = true, .tun_offload_off = true };
	struct tun_trial trial = {
		.virtio = true, .read_tso = true, .write_tso = true, .read_uso = true, .write_uso = true
	};

	judge_tun_trial(&found, &trial, 0, &no_tunnel);
	assert_only(VERDICT_OK, "TUN offloads", "TCP and UDP", "");
	trial.write_uso = false;
	judge_tun_trial(&found, &trial, 0, &no_tunnel);
	assert_only(VERDICT_NOTE, "TUN offloads", "Linux 6.2", "");
	trial.write_tso = false;
	judge_tun_trial(&found, &trial, 0, &no_tunnel);
	assert_only(VERDICT_WARN, "TUN offloads", "does not accept", "");
	judge_tun_trial(&found, &trial, 0, &off);
	assert_only(VERDICT_OK, "TUN offloads", "TunOffload = off", "");
	trial.virtio = false;
	judge_tun_trial(&found, &trial, 0, &no_tunnel);
	assert_only(VERDICT_WARN, "TUN offloads", "IFF_VNET_HDR", "");
	trial.error = -EACCES;
	judge_tun_trial(&found, &trial, 0, &no_tunnel);
	assert_true(found.list[0].needs_root);
	assert_only(VERDICT_NOTE, "TUN offloads", "test device: Permission denied", "");
	judge_tun_trial(&found, &trial, -EPERM, &no_tunnel);
	assert_only(VERDICT_NOTE, "TUN offloads", "network namespace: Operation not permitted", "");
}

/* --- UDP ----- */

static struct udp_trial good_trial(void)
{
	struct udp_trial trial = { .gso = true, .gro = true, .tested_v6 = true };

	for (int v6 = 0; v6 < 2; v6++)
		for (int path = 0; path < GSO_PATHS; path++)
			trial.paths[v6][path] = (struct gso_path_result) { .tested = true, .sent = 33, .received = 33 };
	return trial;
}

static void runs_that_arrive_are_counted(void **state)
{
	struct udp_trial trial = good_trial();

	judge_udp_trial(&found, &trial, 0, &no_tunnel);
	assert_only(VERDICT_OK, "UDP GSO", "198 datagrams in runs arrived unchanged, over 6 of 6 paths", "");
	trial.tested_v6 = false;
	trial.paths[0][GSO_TO_DEVICE] = (struct gso_path_result) { .error = -EACCES };
	judge_udp_trial(&found, &trial, 0, &no_tunnel);
	assert_only(VERDICT_OK, "UDP GSO", "66 datagrams in runs arrived unchanged, over 2 of 3 paths (IPv4 only)", "");
}

static void a_corrupted_run_is_a_failure_unless_gso_is_off(void **state)
{
	const struct tunnel_facts off = { .given = true, .gso_off = true };
	struct udp_trial trial = good_trial();

	trial.paths[1][GSO_TO_DEVICE].corrupt = 3;
	judge_udp_trial(&found, &trial, 0, &no_tunnel);
	assert_contains(found.list[0].hint, "UdpGso = off in [Interface]");
	assert_only(VERDICT_FAIL, "UDP GSO, IPv6, through a device", "3 of 33", "");
	judge_udp_trial(&found, &trial, 0, &off);
	assert_only(VERDICT_NOTE, "UDP GSO, IPv6, through a device", "3 of 33", "");
	trial = good_trial();
	trial.paths[0][GSO_TO_GRO].corrupt = 1;
	judge_udp_trial(&found, &trial, 0, &no_tunnel);
	assert_contains(found.list[0].hint, "UdpGro = off");
	assert_only(VERDICT_FAIL, "UDP GSO, IPv4, with UDP_GRO", "1 of 33", "");
	trial = good_trial();
	trial.paths[0][GSO_TO_PLAIN].received = 30;
	judge_udp_trial(&found, &trial, 0, &no_tunnel);
	assert_only(VERDICT_WARN, "UDP GSO, IPv4, without UDP_GRO", "3 of 33 datagrams were lost", "");
}

static void missing_udp_offloads_are_notes(void **state)
{
	struct udp_trial trial = { 0 };

	judge_udp_trial(&found, &trial, 0, &no_tunnel);
	assert_int_equal(found.count, 2);
	assert_finding(0, VERDICT_NOTE, "UDP GRO", "one by one", "");
	assert_finding(1, VERDICT_NOTE, "UDP GSO", "one by one", "");
	found.count = 0;
	trial.gso = trial.gro = true;
	judge_udp_trial(&found, &trial, 0, &no_tunnel);
	assert_only(VERDICT_NOTE, "UDP GSO", "no run could be sent", "");
	judge_udp_trial(&found, &trial, -EPERM, &no_tunnel);
	assert_only(VERDICT_NOTE, "UDP GSO", "not tested", "");
}

/* --- kernel ----- */

static void kernels_that_corrupt_runs_are_recognized(void **state)
{
	static const struct {
		const char *release;
		enum verdict verdict;
	} cases[] = {
		{ "6.18.44-fc-v669", VERDICT_OK }, { "6.99.9", VERDICT_OK },         { "7.0", VERDICT_WARN },
		{ "7.0.0-rc1", VERDICT_WARN },     { "7.0.12-amd64", VERDICT_WARN }, { "7.1-rc3", VERDICT_WARN },
		{ "7.1.4", VERDICT_WARN },         { "7.1.5", VERDICT_OK },          { "7.2.0", VERDICT_OK },
		{ "5.10.0-30-amd64", VERDICT_OK }, { "5.4.0", VERDICT_WARN },        { "odd", VERDICT_OK },
	};
	const struct tunnel_facts off = { .given = true, .gso_off = true };

	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct kernel_facts facts = { 0 };

		snprintf(facts.release, sizeof facts.release, "%s", cases[i].release);
		judge_kernel_version(&found, &facts, &no_tunnel);
		assert_int_equal(found.count, 1);
		assert_int_equal(found.list[0].verdict, cases[i].verdict);
		found.count = 0;
	}
	judge_kernel_version(&found, &(struct kernel_facts) { .release = "7.1.2" }, &no_tunnel);
	assert_contains(found.list[0].hint, "UdpGso = off");
	assert_only(VERDICT_WARN, "kernel", "7.0 to 7.1.4", "");
	judge_kernel_version(&found, &(struct kernel_facts) { .release = "7.1.2" }, &off);
	assert_only(VERDICT_OK, "kernel", "UdpGso = off avoids that", "");
}

static void io_uring_is_judged_by_what_forbids_it(void **state)
{
	const struct tunnel_facts wanted = { .given = true, .tun_backend = BACKEND_IO_URING };
	const struct tunnel_facts unused = { .given = true, .tun_backend = BACKEND_SYSCALLS };
	struct kernel_facts facts = { .uring_built_in = true, .uring_disabled = 0 };

	judge_io_uring(&found, &facts, &no_tunnel);
	assert_only(VERDICT_OK, "io_uring", "permitted", "");
	facts.uring_error = -EPERM;
	facts.uring_disabled = 2;
	judge_io_uring(&found, &facts, &no_tunnel);
	assert_only(VERDICT_NOTE, "io_uring", "kernel.io_uring_disabled is 2", "sysctl -w kernel.io_uring_disabled=0");
	judge_io_uring(&found, &facts, &wanted);
	assert_only(VERDICT_WARN, "io_uring", "kernel.io_uring_disabled is 2", "sysctl -w kernel.io_uring_disabled=0");
	judge_io_uring(&found, &facts, &unused);
	assert_only(VERDICT_OK, "io_uring", "TunBackend = syscalls", "");
	facts.uring_disabled = -1;
	facts.seccomp = true;
	judge_io_uring(&found, &facts, &no_tunnel);
	assert_only(VERDICT_NOTE, "io_uring", "seccomp", "");
	facts.seccomp = false;
	facts.uring_error = -ENOSYS;
	judge_io_uring(&found, &facts, &no_tunnel);
	assert_only(VERDICT_NOTE, "io_uring", "the kernel does not have it", "");
	facts.uring_built_in = false;
	judge_io_uring(&found, &facts, &no_tunnel);
	assert_only(VERDICT_NOTE, "io_uring", "this build", "");
}

static void small_buffers_are_warnings_for_root(void **state)
{
	struct buffer_facts facts = {
		.wanted = 7340032, .receive_granted = 7340032, .send_granted = 212992, .receive_max = 212992, .send_max = 212992
	};

	judge_buffers(&found, &facts, &as_root);
	assert_int_equal(found.count, 2);
	assert_finding(0, VERDICT_OK, "net.core.rmem_max", "7340032", "");
	assert_finding(1, VERDICT_WARN, "net.core.wmem_max", "212992 bytes instead of 7340032",
				   "sysctl -w net.core.wmem_max=7340032");
	found.count = 0;
	judge_buffers(&found, &facts, &as_user);
	assert_finding(1, VERDICT_OK, "net.core.wmem_max", "is not limited", "");
	assert_true(found.list[1].needs_root);
	found.count = 0;
	facts.send_max = 7340032;
	judge_buffers(&found, &facts, &as_root);
	assert_finding(1, VERDICT_OK, "net.core.wmem_max", "7340032", "");
}

/* --- routing ----- */

static void forwarding_matters_for_hubs_and_routers(void **state)
{
	struct forwarding_facts facts = { .networks = 1 };
	struct tunnel_facts tunnel = { .given = true, .uses_v4 = true };

	judge_forwarding(&found, &facts, &no_tunnel);
	assert_int_equal(found.count, 2);
	assert_finding(0, VERDICT_OK, "net.ipv4.ip_forward", "off", "");
	assert_finding(1, VERDICT_OK, "net.ipv6.conf.all.forwarding", "off", "");
	found.count = 0;

	tunnel.relays = true;
	tunnel.peers_without_endpoint = 3;
	judge_forwarding(&found, &facts, &tunnel);
	assert_finding(0, VERDICT_WARN, "net.ipv4.ip_forward", "3 peers have no Endpoint",
				   "sysctl -w net.ipv4.ip_forward=1");
	assert_finding(1, VERDICT_OK, "net.ipv6.conf.all.forwarding", "off", "");
	found.count = 0;

	tunnel.uses_v6 = true;
	judge_forwarding(&found, &facts, &tunnel);
	assert_finding(1, VERDICT_WARN, "net.ipv6.conf.all.forwarding", "3 peers",
				   "sysctl -w net.ipv6.conf.all.forwarding=1");
	assert_contains(found.list[1].hint, "accept_ra");
	found.count = 0;

	facts = (struct forwarding_facts) { .v4 = 1, .v6 = -1 };
	judge_forwarding(&found, &facts, &tunnel);
	assert_only(VERDICT_OK, "net.ipv4.ip_forward", "forwards", "");

	tunnel = (struct tunnel_facts) { .given = true, .routes_networks = { true } };
	facts = (struct forwarding_facts) { .v6 = -1, .networks = 1 };
	judge_forwarding(&found, &facts, &tunnel);
	assert_only(VERDICT_OK, "net.ipv4.ip_forward", "off", "");
	facts.networks = 2;
	judge_forwarding(&found, &facts, &tunnel);
	assert_only(VERDICT_NOTE, "net.ipv4.ip_forward", "several networks", "sysctl -w net.ipv4.ip_forward=1");
}

static void networks_of_the_tunnel_and_of_every_link_do_not_count(void **state)
{
	const struct ini_network list[] = {
		{ .prefix = { AF_INET, 8, { 127 } }, .interface = "lo" },
		{ .prefix = { AF_INET, 24, { 10, 9 } }, .interface = "site" },
		{ .prefix = { AF_INET, 24, { 192, 0, 2 } }, .interface = "eth0" },
		{ .prefix = { AF_INET6, 64, { 0xfe, 0x80 } }, .interface = "eth0" },
		{ .prefix = { AF_INET6, 64, { 0xfe, 0xbf } }, .interface = "eth1" },
		{ .prefix = { AF_INET6, 64, { 0xfe, 0xc0 } }, .interface = "eth1" }, /* of a site, not of a link */
		{ .prefix = { AF_INET6, 64, { 0x20, 0x01 } }, .interface = "eth1" },
	};

	assert_int_equal(count_host_networks(list, 7, "site"), 3);
	assert_int_equal(count_host_networks(list, 7, ""), 4);
}

static void a_strict_filter_matters_with_a_default_route(void **state)
{
	static const char loose[] = "sysctl -w net.ipv4.conf.all.rp_filter=2";
	const struct tunnel_facts full = { .given = true, .full_tunnel = { true } };
	const struct nft_facts usable = { .found = true, .tested = true }, missing = { 0 };
	const struct nft_facts broken = { .found = true, .tested = true, .status = 1 };
	struct rp_filter_facts facts = { .writable = true };

	judge_rp_filter(&found, &facts, &missing, &full);
	assert_only(VERDICT_OK, "rp_filter", "no interface", "");
	strcpy(facts.strict, "wan");
	judge_rp_filter(&found, &facts, &missing, &no_tunnel);
	assert_only(VERDICT_NOTE, "rp_filter", "strict on wan", "");
	judge_rp_filter(&found, &facts, &missing, &full);
	assert_only(VERDICT_FAIL, "rp_filter", "strict on wan", loose);
	judge_rp_filter(&found, &facts, &broken, &full);
	assert_only(VERDICT_FAIL, "rp_filter", "strict on wan", loose);
	judge_rp_filter(&found, &facts, &usable, &full);
	assert_only(VERDICT_NOTE, "rp_filter", "src_valid_mark", loose);
	facts.writable = false;
	judge_rp_filter(&found, &facts, &usable, &full);
	assert_only(VERDICT_FAIL, "rp_filter", "read-only", loose);
	facts.src_valid_mark = 1;
	judge_rp_filter(&found, &facts, &usable, &full);
	assert_only(VERDICT_NOTE, "rp_filter", "strict on wan", loose);
}

static void nft_is_a_warning_only_if_the_tunnel_needs_it(void **state)
{
	const struct tunnel_facts full = { .given = true, .full_tunnel = { false, true } };
	struct nft_facts facts = { .found = true, .tested = true };

	judge_nft(&found, &facts, &full);
	assert_only(VERDICT_OK, "nft", "usable", "");
	facts.status = 1;
	strcpy(facts.output, "Error: no such thing\nmore");
	judge_nft(&found, &facts, &full);
	assert_only(VERDICT_WARN, "nft", "fails: Error: no such thing; adit needs it", "");
	judge_nft(&found, &facts, &no_tunnel);
	assert_only(VERDICT_NOTE, "nft", "fails", "");
	facts.status = -ETIMEDOUT;
	judge_nft(&found, &facts, &full);
	assert_only(VERDICT_WARN, "nft", "timed out", "");
	facts.tested = false;
	judge_nft(&found, &facts, &full);
	assert_true(found.list[0].needs_root);
	assert_only(VERDICT_NOTE, "nft", "not tested", "");
	facts.found = false;
	judge_nft(&found, &facts, &full);
	assert_contains(found.list[0].hint, "apt-get install nftables");
	assert_only(VERDICT_WARN, "nft", "not in PATH", "");
}

static void disabled_ipv6_is_a_warning_only_if_the_file_uses_it(void **state)
{
	const struct tunnel_facts uses = { .given = true, .uses_v6 = true };
	struct ipv6_facts facts = { .in_kernel = true };

	judge_ipv6(&found, &facts, &uses);
	assert_only(VERDICT_OK, "IPv6", "enabled", "");
	facts.default_disabled = 1;
	judge_ipv6(&found, &facts, &uses);
	assert_only(VERDICT_WARN, "IPv6", "leaves out", "sysctl -w net.ipv6.conf.default.disable_ipv6=0");
	facts.all_disabled = 1;
	judge_ipv6(&found, &facts, &no_tunnel);
	assert_only(VERDICT_NOTE, "IPv6", "net.ipv6.conf.all.disable_ipv6 is 1",
				"sysctl -w net.ipv6.conf.all.disable_ipv6=0");
	facts = (struct ipv6_facts) { .all_disabled = -1, .default_disabled = -1 };
	judge_ipv6(&found, &facts, &uses);
	assert_only(VERDICT_WARN, "IPv6", "the kernel does not have it", "");
}

/* --- clock and managers ----- */

static void the_clock_must_be_sane(void **state)
{
	struct clock_facts facts = { .seconds = 1780000000, .battery = true };

	judge_clock(&found, &facts);
	assert_only(VERDICT_OK, "clock", "synchronized", "");
	facts.unsynchronized = true;
	judge_clock(&found, &facts);
	assert_only(VERDICT_NOTE, "clock", "not synchronized", "");
	facts.battery = false;
	facts.timedatectl = true;
	judge_clock(&found, &facts);
	assert_only(VERDICT_WARN, "clock", "no real-time clock", "timedatectl set-ntp true");
	facts.seconds = 100;
	judge_clock(&found, &facts);
	assert_only(VERDICT_FAIL, "clock", "the year is 1970", "timedatectl set-ntp true");
}

static void managers_are_notes_until_they_leave_the_interface_alone(void **state)
{
	const struct tunnel_facts tunnel = { .given = true, .interface = "site" };
	struct manager_facts facts = { .networkd = true, .network_manager = true };

	judge_managers(&found, &facts, &tunnel);
	assert_int_equal(found.count, 2);
	assert_finding(0, VERDICT_NOTE, "systemd-networkd", "restores", "");
	assert_finding(1, VERDICT_NOTE, "NetworkManager", "restores", "");
	assert_contains(found.list[1].hint, "interface-name:site");
	found.count = 0;
	facts.networkd_keeps = facts.network_manager_ignores = true;
	judge_managers(&found, &facts, &tunnel);
	assert_finding(0, VERDICT_OK, "systemd-networkd", "alone", "");
	assert_finding(1, VERDICT_OK, "NetworkManager", "does not manage", "");
	found.count = 0;
	judge_managers(&found, &(struct manager_facts) { 0 }, &tunnel);
	assert_int_equal(found.count, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		finding_test(containers_are_told_apart),
		finding_test(a_missing_capability_is_a_failure_for_root_only),
		finding_test(without_proc_nothing_is_known_of_capabilities),
		finding_test(the_node_of_the_tun_is_judged_by_cause),
		finding_test(offloads_of_the_tun_are_judged_by_what_is_missing),
		finding_test(runs_that_arrive_are_counted),
		finding_test(a_corrupted_run_is_a_failure_unless_gso_is_off),
		finding_test(missing_udp_offloads_are_notes),
		finding_test(kernels_that_corrupt_runs_are_recognized),
		finding_test(io_uring_is_judged_by_what_forbids_it),
		finding_test(small_buffers_are_warnings_for_root),
		finding_test(forwarding_matters_for_hubs_and_routers),
		finding_test(networks_of_the_tunnel_and_of_every_link_do_not_count),
		finding_test(a_strict_filter_matters_with_a_default_route),
		finding_test(nft_is_a_warning_only_if_the_tunnel_needs_it),
		finding_test(disabled_ipv6_is_a_warning_only_if_the_file_uses_it),
		finding_test(the_clock_must_be_sane),
		finding_test(managers_are_notes_until_they_leave_the_interface_alone),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
