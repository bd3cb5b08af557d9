/* SPDX-License-Identifier: MIT */
/* Tests of the judgements on a tunnel: its file, interface, port, endpoints, MTU and unit. */
#include "doctor_findings.h"

#include "config/ini.h"

#define PRIVATE_KEY "yOIrcmTD5+EZV6rUqnPlTY4S9/OqJh2epT7vU6FjTXg="
#define PUBLIC_KEY "+d6ITabZ3wPagXq2kcR1jrneQRSy/ghs4hyXww5w8TU="
#define OTHER_KEY "xTIBA5rboUvnH4htodjb6e697QjLERt1NAB4mZqp8Dg="

static const struct process_facts as_root = { .root = true, .net_admin = true }, as_user;

/* The facts of a tunnel with this file. */
static struct tunnel_facts tunnel_of(const char *text)
{
	struct ini_report report = { 0 };
	struct config config = { .interface = "site" };
	struct tunnel_facts facts;

	assert_int_equal(ini_parse_config(&config, "site.conf", text, strlen(text), &report), 0);
	collect_tunnel(&facts, &config, "/etc/adit/site.conf");
	config_destroy(&config);
	return facts;
}

static void the_file_says_what_the_tunnel_needs(void **state)
{
	struct tunnel_facts facts = tunnel_of("[Interface]\nPrivateKey=" PRIVATE_KEY "\nAddress=10.9.0.1/24\nMTU=1400\n"
										  "ListenPort=51820\nUdpGso=off\nTunBackend=syscalls\n"
										  "[Peer]\nPublicKey=" PUBLIC_KEY "\nAllowedIPs=10.9.0.0/28, 10.9.0.2/32\n");

	assert_true(facts.given && facts.uses_v4 && facts.gso_off);
	assert_false(facts.uses_v6 || facts.relays || facts.routes_networks[0] || facts.full_tunnel[0]);
	assert_int_equal(facts.peers_without_endpoint, 1);
	assert_int_equal(facts.listen_port, 51820);
	assert_int_equal(facts.mtu, 1400);
	assert_int_equal(facts.tun_backend, BACKEND_SYSCALLS);
	assert_string_equal(facts.interface, "site");

	facts = tunnel_of("[Interface]\nPrivateKey=" PRIVATE_KEY "\nAddress=10.9.0.1/24\n"
					  "[Peer]\nPublicKey=" PUBLIC_KEY "\nAllowedIPs=192.168.0.0/24\n"
					  "[Peer]\nPublicKey=" OTHER_KEY "\nAllowedIPs=0.0.0.0/0, ::/0\n");
	assert_true(facts.relays && facts.routes_networks[0] && facts.full_tunnel[0] && facts.full_tunnel[1]);
	assert_true(facts.uses_v6);
	assert_false(facts.routes_networks[1]);

	facts = tunnel_of("[Interface]\nPrivateKey=" PRIVATE_KEY "\nTable=off\n"
					  "[Peer]\nPublicKey=" PUBLIC_KEY "\nEndpoint=192.0.2.1:1\nAllowedIPs=0.0.0.0/0\n");
	assert_false(facts.full_tunnel[0]);
	assert_int_equal(facts.peers_without_endpoint, 0);
}

/* --- interface and port ----- */

static void an_interface_of_another_program_is_a_failure(void **state)
{
	const struct tunnel_facts tunnel = { .given = true, .interface = "site" };
	struct interface_facts facts = { .socket_error = -ENOENT };

	judge_interface(&found, &facts, &tunnel);
	assert_only(VERDICT_OK, "interface site", "no interface", "");
	facts.socket_error = -ECONNREFUSED;
	judge_interface(&found, &facts, &tunnel);
	assert_only(VERDICT_NOTE, "interface site", "left by a daemon", "");
	facts = (struct interface_facts) { .daemon = 7, .program = "adit" };
	judge_interface(&found, &facts, &tunnel);
	assert_only(VERDICT_OK, "interface site", "adit (process 7)", "");
	strcpy(facts.program, "wireguard-go");
	judge_interface(&found, &facts, &tunnel);
	assert_only(VERDICT_FAIL, "interface site", "wireguard-go", "wg-quick down site || kill 7");
	facts = (struct interface_facts) { .exists = true, .kind = "wireguard", .socket_error = -ENOENT };
	judge_interface(&found, &facts, &tunnel);
	assert_only(VERDICT_FAIL, "interface site", "WireGuard device of the kernel",
				"wg-quick down site || ip link delete site");
	facts = (struct interface_facts) { .exists = true, .socket_error = -ENOENT };
	judge_interface(&found, &facts, &tunnel);
	assert_only(VERDICT_FAIL, "interface site", "not a TUN device", "");
	facts.tun = true;
	judge_interface(&found, &facts, &tunnel);
	assert_only(VERDICT_NOTE, "interface site", "will use it", "");
	facts.socket_error = -EACCES;
	judge_interface(&found, &facts, &tunnel);
	assert_only(VERDICT_NOTE, "interface site", "only for root", "");
}

static void sockets_on_a_port_are_found_in_the_table(void **state)
{
	static const char v4[] =
		" 1234: 00000000:CA6C 00000000:0000 07 00000000:00000000 00:00000000 00000000     0        "
		"0 98765 2 0000000000000000 0\n";
	static const char v6[] = "  12: 00000000000000000000000000000000:CA6C 00000000000000000000000000000000:0000 07 "
							 "00000000:00000000 00:00000000 00000000  1000        0 0 2 0000000000000000 0\n";

	assert_int_equal(udp_line_inode(v4, 51820), 98765);
	assert_int_equal(udp_line_inode(v4, 51821), 0);
	assert_true(udp_line_inode(v6, 51820) == UINT64_MAX);
	assert_int_equal(udp_line_inode("  sl  local_address rem_address   st tx_queue rx_queue", 51820), 0);
	assert_int_equal(udp_line_inode("", 51820), 0);
}

static void a_used_port_names_its_owner(void **state)
{
	const struct tunnel_facts tunnel = { .given = true, .interface = "site", .listen_port = 51820 };
	const struct interface_facts absent = { .socket_error = -ENOENT }, running = { .daemon = 7, .program = "adit" };
	struct port_facts facts = { 0 };

	judge_port(&found, &facts, &absent, &as_root, &tunnel);
	assert_int_equal(found.count, 2);
	assert_finding(0, VERDICT_OK, "ListenPort 51820", "free", "");
	assert_finding(1, VERDICT_NOTE, "firewall", "51820", "");
	found.count = 0;

	facts = (struct port_facts) { .used = true, .process = 9, .program = "dnsmasq", .ufw = true };
	judge_port(&found, &facts, &absent, &as_root, &tunnel);
	assert_finding(0, VERDICT_FAIL, "ListenPort 51820", "dnsmasq (process 9)", "ss -ulnp 'sport = :51820'");
	assert_finding(1, VERDICT_NOTE, "firewall", "51820", "ufw allow 51820/udp");
	found.count = 0;
	judge_port(&found, &facts, &running, &as_root, &tunnel);
	assert_finding(0, VERDICT_FAIL, "ListenPort 51820", "dnsmasq", "ss -ulnp 'sport = :51820'");
	found.count = 0;

	facts = (struct port_facts) { .used = true, .process = 7, .program = "adit", .firewalld = true };
	judge_port(&found, &facts, &running, &as_root, &tunnel);
	assert_finding(0, VERDICT_OK, "ListenPort 51820", "this tunnel", "");
	assert_finding(1, VERDICT_NOTE, "firewall", "51820",
				   "firewall-cmd --permanent --add-port=51820/udp && firewall-cmd --reload");
	found.count = 0;

	facts = (struct port_facts) { .used = true, .process = 1, .program = "systemd" };
	judge_port(&found, &facts, &absent, &as_root, &tunnel);
	assert_finding(0, VERDICT_NOTE, "ListenPort 51820", "kept by systemd", "");
	found.count = 0;

	facts = (struct port_facts) { .used = true };
	judge_port(&found, &facts, &absent, &as_root, &tunnel);
	assert_finding(0, VERDICT_FAIL, "ListenPort 51820", "the kernel", "wg show all listen-port");
	found.count = 0;
	judge_port(&found, &facts, &absent, &as_user, &tunnel);
	assert_finding(0, VERDICT_FAIL, "ListenPort 51820", "another user", "ss -ulnp 'sport = :51820'");
	assert_true(found.list[0].needs_root);
}

static void a_random_port_does_not_serve_peers_without_an_endpoint(void **state)
{
	struct tunnel_facts tunnel = { .given = true, .interface = "site" };
	const struct interface_facts absent = { .socket_error = -ENOENT };
	const struct port_facts unused = { 0 };

	judge_port(&found, &unused, &absent, &as_root, &tunnel);
	assert_only(VERDICT_OK, "ListenPort", "random", "");
	tunnel.peers_without_endpoint = 1;
	judge_port(&found, &unused, &absent, &as_root, &tunnel);
	assert_contains(found.list[0].hint, "ListenPort = 51820");
	assert_only(VERDICT_WARN, "ListenPort", "1 peer without", "");
}

/* --- endpoints and MTU ----- */

static struct endpoint_facts endpoint_at(const char *address, uint32_t mtu)
{
	struct endpoint_facts facts = { .host = address, .port = "51820", .route_mtu = mtu };

	assert_int_equal(endpoint_numeric(address, "51820", &facts.address), 0);
	return facts;
}

static void endpoints_need_an_address_and_a_route(void **state)
{
	const struct tunnel_facts tunnel = { .given = true, .interface = "site" };
	struct endpoint_facts list[12];

	list[0] = endpoint_at("192.0.2.1", 1500);
	list[1] = endpoint_at("2001:db8::1", 1500);
	list[1].route_error = -ENETUNREACH;
	list[2] = (struct endpoint_facts) { .host = "a.example", .port = "1", .is_name = true, .failure = "no answer" };
	judge_endpoints(&found, list, 3, &tunnel);
	assert_int_equal(found.count, 3);
	assert_finding(0, VERDICT_OK, "Endpoint 192.0.2.1:51820", "route", "");
	assert_finding(1, VERDICT_FAIL, "Endpoint [2001:db8::1]:51820", "no route", "");
	assert_finding(2, VERDICT_FAIL, "Endpoint a.example:1", "no answer", "");
	found.count = 0;
	for (int i = 3; i < 12; i++)
		list[i] = list[0];
	judge_endpoints(&found, list, 12, &tunnel);
	assert_int_equal(found.count, 3);
	assert_finding(2, VERDICT_OK, "Endpoint", "10 of 12", "");
}

static void the_mtu_must_fit_the_narrowest_route(void **state)
{
	struct tunnel_facts tunnel = { .given = true };
	struct endpoint_facts list[3] = { endpoint_at("192.0.2.1", 1500), endpoint_at("2001:db8::1", 1492),
									  endpoint_at("192.0.2.9", 0) };

	judge_mtu(&found, list, 3, &tunnel);
	assert_only(VERDICT_OK, "MTU",
				"1492, which leaves 1412; the file names none, so adit uses the MTU of the routes minus 80", "");
	tunnel.mtu = 1412;
	judge_mtu(&found, list, 3, &tunnel);
	assert_only(VERDICT_OK, "MTU", "leaves 1412", "");
	tunnel.mtu = 1413;
	judge_mtu(&found, list, 3, &tunnel);
	assert_contains(found.list[0].hint, "MTU = 1412");
	assert_only(VERDICT_WARN, "MTU", "1413 in the file", "");
	tunnel.mtu = 1440;
	judge_mtu(&found, list, 1, &tunnel);
	assert_only(VERDICT_OK, "MTU", "leaves 1440", "");
	tunnel = (struct tunnel_facts) { .given = true, .uses_v6 = true };
	list[0].route_mtu = 1300;
	judge_mtu(&found, list, 1, &tunnel);
	assert_only(VERDICT_WARN, "MTU", "needs 1280", "");
	judge_mtu(&found, list + 2, 1, &tunnel);
	assert_int_equal(found.count, 0);
}

/* --- unit ----- */

static void the_unit_is_read_from_systemctl(void **state)
{
	struct unit_facts facts = { .systemd = true };

	parse_unit(&facts, "Result=exit-code\nLoadState=loaded\nActiveState=failed\nFragmentPath=/usr/lib/x\n"
					   "DropInPaths=/etc/a.conf /etc/b.conf\nUnitFileState=enabled\nOther=1\n");
	assert_string_equal(facts.load, "loaded");
	assert_string_equal(facts.enabled, "enabled");
	assert_string_equal(facts.active, "failed");
	assert_string_equal(facts.result, "exit-code");
	assert_string_equal(facts.fragment, "/usr/lib/x");
	assert_string_equal(facts.dropins, "/etc/a.conf /etc/b.conf");
	parse_unit(&facts, "");
	parse_unit(&facts, "LoadState=a name that is longer than the room for it");
	assert_int_equal(strlen(facts.load), sizeof facts.load - 1);
}

static void the_unit_is_judged_by_its_state(void **state)
{
	const struct tunnel_facts tunnel = { .given = true, .interface = "site" };
	const struct tunnel_facts without_unit = { .given = true, .interface = "a=b" };
	struct unit_facts facts = { .systemd = true, .load = "not-found" };

	judge_unit(&found, &(struct unit_facts) { 0 }, &tunnel);
	assert_int_equal(found.count, 0);
	judge_unit(&found, &facts, &tunnel);
	assert_only(VERDICT_NOTE, "adit@site.service", "not installed", "");
	strcpy(facts.load, "loaded");
	strcpy(facts.enabled, "disabled");
	strcpy(facts.active, "inactive");
	judge_unit(&found, &facts, &tunnel);
	assert_only(VERDICT_NOTE, "adit@site.service", "not enabled", "systemctl enable --now adit@site");
	strcpy(facts.enabled, "enabled");
	strcpy(facts.active, "active");
	judge_unit(&found, &facts, &tunnel);
	assert_only(VERDICT_OK, "adit@site.service", "enabled and active", "");
	strcpy(facts.active, "failed");
	strcpy(facts.result, "exit-code");
	judge_unit(&found, &facts, &tunnel);
	assert_only(VERDICT_FAIL, "adit@site.service", "failed (exit-code)", "journalctl -u adit@site -n 20");
	strcpy(facts.active, "active");
	strcpy(facts.fragment, "/etc/systemd/system/adit@.service");
	strcpy(facts.dropins, "/etc/systemd/system/adit@.service.d/x.conf");
	judge_unit(&found, &facts, &tunnel);
	assert_int_equal(found.count, 3);
	assert_finding(1, VERDICT_NOTE, "adit@site.service", "instead of the unit of the package", "");
	assert_finding(2, VERDICT_NOTE, "adit@site.service", "x.conf", "systemctl cat adit@site");
	found.count = 0;
	judge_unit(&found, &facts, &without_unit);
	assert_only(VERDICT_NOTE, "adit@a=b.service", "no unit can have this name", "adit up a=b");
}

/* --- file ----- */

static void findings_of_the_parser_keep_their_place(void **state)
{
	judge_ini_line(&found, "site.conf:12: error: Endpoint: \"a\" is not HOST:PORT", "site.conf");
	assert_int_equal(found.list[0].verdict, VERDICT_FAIL);
	assert_string_equal(found.list[0].object, "site.conf:12");
	assert_string_equal(found.list[0].fact, "Endpoint: \"a\" is not HOST:PORT");
	found.count = 0;
	judge_ini_line(&found,
				   "/etc/adit/site.conf: warning: the file contains keys, and its mode 0640 lets others access it",
				   "/etc/adit/site.conf");
	assert_only(VERDICT_WARN, "/etc/adit/site.conf", "lets others", "chmod 0600 /etc/adit/site.conf");
	judge_ini_line(&found,
				   "/etc/adit/s.d/a b.conf: warning: the file contains keys, and its mode 0644 lets others access it",
				   "/etc/adit/s.conf");
	assert_only(VERDICT_WARN, "/etc/adit/s.d/a b.conf", "lets others", "chmod 0600 -- '/etc/adit/s.d/a b.conf'");
	judge_ini_line(&found,
				   "s.conf:2: warning: PrivateKeyFile: the mode 0644 of /etc/adit/key lets others access the key; x",
				   "s.conf");
	assert_only(VERDICT_WARN, "s.conf:2", "lets others", "chmod 0600 /etc/adit/key");
	judge_ini_line(&found, "s.conf:7: warning: Include: the mode 0777 of /etc/adit/s.d lets others add peers; x",
				   "s.conf");
	assert_only(VERDICT_WARN, "s.conf:7", "lets others", "chmod 0700 /etc/adit/s.d");
	judge_ini_line(&found, "100 further findings", "site.conf");
	assert_int_equal(found.list[0].verdict, VERDICT_WARN);
}

static void others_must_not_change_the_file(void **state)
{
	struct permission_facts facts = { .path = "/etc/adit/site.conf", .mode = 0600 };

	judge_permissions(&found, &facts);
	assert_only(VERDICT_OK, "/etc/adit/site.conf", "0600", "");
	facts.mode = 0620;
	judge_permissions(&found, &facts);
	assert_only(VERDICT_FAIL, "/etc/adit/site.conf", "0620", "chmod go-w /etc/adit/site.conf");
	facts = (struct permission_facts) { .path = "/tmp", .folder = true, .mode = 01777 };
	judge_permissions(&found, &facts);
	assert_only(VERDICT_OK, "/tmp", "other users can add files", "");
	facts = (struct permission_facts) { .path = "x", .owner = 1000, .mode = 0600 };
	judge_permissions(&found, &facts);
	assert_only(VERDICT_WARN, "x", "user 1000", "chown root: x");
	facts.user = 1000;
	judge_permissions(&found, &facts);
	assert_only(VERDICT_OK, "x", "0600", "");
	facts.error = -ENOENT;
	judge_permissions(&found, &facts);
	assert_int_equal(found.count, 0);
}

static void programs_of_hooks_are_found(void **state)
{
	struct file_tool_facts facts = { 0 };

	scan_hook(&facts, "ip route add x; [ -e y ] && iptables -A FORWARD -i %i -j ACCEPT");
	scan_hook(&facts, "nft delete table x || true");
	scan_hook(&facts, "echo tc; ./sysctl; ip6tablesx");
	scan_hook(&facts, "");
	assert_true(facts.hook_uses[TOOL_IP] && facts.hook_uses[TOOL_IPTABLES] && facts.hook_uses[TOOL_NFT]);
	assert_false(facts.hook_uses[TOOL_TC] || facts.hook_uses[TOOL_SYSCTL] || facts.hook_uses[TOOL_IP6TABLES]);
}

static void search_domains_alone_need_no_program(void **state)
{
	struct config config = { 0 };
	struct file_tool_facts facts;

	assert_int_equal(config_line_append(&config.dns_search, "example.org", 3), 0);
	collect_file_tools(&facts, &config);
	assert_false(facts.sets_dns);
	assert_int_equal(config_line_append(&config.dns_servers, "10.9.0.53", 4), 0);
	collect_file_tools(&facts, &config);
	assert_true(facts.sets_dns);
	config_destroy(&config);
}

static void missing_programs_are_failures(void **state)
{
	struct file_tool_facts facts = { .sets_dns = true };

	judge_file_tools(&found, &facts);
	assert_only(VERDICT_FAIL, "DNS", "neither", "");
	facts.has_resolvconf = true;
	judge_file_tools(&found, &facts);
	assert_only(VERDICT_OK, "DNS", "resolvconf", "");
	facts = (struct file_tool_facts) { .hook_uses[TOOL_IPTABLES] = true };
	judge_file_tools(&found, &facts);
	assert_only(VERDICT_FAIL, "iptables", "not in PATH", "");
	facts.has[TOOL_IPTABLES] = true;
	judge_file_tools(&found, &facts);
	assert_only(VERDICT_OK, "iptables", "in PATH", "");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		finding_test(the_file_says_what_the_tunnel_needs),
		finding_test(an_interface_of_another_program_is_a_failure),
		finding_test(sockets_on_a_port_are_found_in_the_table),
		finding_test(a_used_port_names_its_owner),
		finding_test(a_random_port_does_not_serve_peers_without_an_endpoint),
		finding_test(endpoints_need_an_address_and_a_route),
		finding_test(the_mtu_must_fit_the_narrowest_route),
		finding_test(the_unit_is_read_from_systemctl),
		finding_test(the_unit_is_judged_by_its_state),
		finding_test(findings_of_the_parser_keep_their_place),
		finding_test(others_must_not_change_the_file),
		finding_test(programs_of_hooks_are_found),
		finding_test(search_domains_alone_need_no_program),
		finding_test(missing_programs_are_failures),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
