/* SPDX-License-Identifier: MIT */
/*
 * adit doctor: runs the checks and prints their findings.
 *
 * Theory of operation
 *
 * The tests that send packets or create devices run first, in one child process with a network namespace of its own
 * (isolate.h), before the file with its keys is read. Everything else only reads. Each check collects its facts and
 * passes them to a judgement, which is tested with facts that no machine at hand has.
 */
#include "doctor/doctor.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/terminal.h"
#include "base/usage.h"
#include "checks.h"
#include "host_files.h"
#include "isolate.h"
#include "report.h"

enum { TRIAL_TIMEOUT_MS = 20000 };

/* The results of the tests in the namespace. */
struct trial {
	struct tun_trial tun;
	struct udp_trial udp;
	struct nft_facts nft;
};

struct doctor {
	struct findings findings;
	struct trial trial;
	int isolate_error; /* negative errno: there was no trial */
	bool user_namespace;
	const char *path; /* NULL: no file */
	struct config config;
	struct tunnel_facts tunnel;
	struct process_facts process;
	struct interface_facts interface;
	struct ini_network *networks;
	size_t network_count;
	struct endpoint_facts *endpoints;
	size_t endpoint_count;
};

static void run_trial(void *result)
{
	struct trial *trial = result;

	try_tun(&trial->tun);
	try_udp(&trial->udp);
	try_nft(&trial->nft);
}

/* --- checks ----- */

static void check_devices(struct doctor *doctor)
{
	struct findings *findings = &doctor->findings;
	struct tun_node_facts node;
	struct kernel_facts kernel;
	struct buffer_facts buffers;

	findings->check = "privileges";
	judge_process(findings, &doctor->process, &doctor->tunnel);
	findings->check = "tun";
	collect_tun_node(&node);
	judge_tun_node(findings, &node, &doctor->process);
	findings->check = "tun-offload";
	judge_tun_trial(findings, &doctor->trial.tun, doctor->isolate_error, &doctor->tunnel);
	findings->check = "udp-offload";
	judge_udp_trial(findings, &doctor->trial.udp, doctor->isolate_error, &doctor->tunnel);
	findings->check = "kernel";
	collect_kernel(&kernel);
	judge_kernel_version(findings, &kernel, &doctor->tunnel);
	findings->check = "io_uring";
	judge_io_uring(findings, &kernel, &doctor->tunnel);
	findings->check = "buffers";
	collect_buffers(&buffers);
	judge_buffers(findings, &buffers, &doctor->process);
}

static void check_system(struct doctor *doctor)
{
	struct findings *findings = &doctor->findings;
	struct forwarding_facts forwarding;
	struct rp_filter_facts filter;
	struct ipv6_facts ipv6;
	struct clock_facts clock;
	struct manager_facts managers;

	findings->check = "forwarding";
	collect_forwarding(&forwarding,
					   count_host_networks(doctor->networks, doctor->network_count, doctor->tunnel.interface));
	judge_forwarding(findings, &forwarding, &doctor->tunnel);
	findings->check = "nft";
	judge_nft(findings, &doctor->trial.nft, &doctor->tunnel);
	findings->check = "rp_filter";
	collect_rp_filter(&filter);
	judge_rp_filter(findings, &filter, &doctor->trial.nft, &doctor->tunnel);
	findings->check = "ipv6";
	collect_ipv6(&ipv6);
	judge_ipv6(findings, &ipv6, &doctor->tunnel);
	findings->check = "clock";
	collect_clock(&clock);
	judge_clock(findings, &clock);
	findings->check = "managers";
	collect_managers(&managers, doctor->tunnel.interface);
	judge_managers(findings, &managers, &doctor->tunnel);
}

static void check_permissions(struct doctor *doctor)
{
	struct permission_facts facts[2];

	doctor->findings.check = "permissions";
	collect_permissions(facts, doctor->path);
	judge_permissions(&doctor->findings, &facts[0]);
	judge_permissions(&doctor->findings, &facts[1]);
}

static void check_tunnel(struct doctor *doctor)
{
	struct findings *findings = &doctor->findings;
	struct file_tool_facts programs;
	struct port_facts port;
	struct unit_facts unit;

	findings->check = "programs";
	collect_file_tools(&programs, &doctor->config);
	judge_file_tools(findings, &programs);
	findings->check = "interface";
	judge_interface(findings, &doctor->interface, &doctor->tunnel);
	findings->check = "port";
	collect_port(&port, doctor->tunnel.listen_port);
	judge_port(findings, &port, &doctor->interface, &doctor->process, &doctor->tunnel);
	findings->check = "endpoint";
	judge_endpoints(findings, doctor->endpoints, doctor->endpoint_count, &doctor->tunnel);
	findings->check = "mtu";
	judge_mtu(findings, doctor->endpoints, doctor->endpoint_count, &doctor->tunnel);
	findings->check = "unit";
	collect_unit(&unit, doctor->tunnel.interface);
	judge_unit(findings, &unit, &doctor->tunnel);
}

/* --- the command ----- */

static void on_ini_line(void *context, const char *text)
{
	struct doctor *doctor = context;

	judge_ini_line(&doctor->findings, text, doctor->path);
}

static void load_file(struct doctor *doctor)
{
	struct ini_report report = { .line = on_ini_line,
								 .context = doctor,
								 .advice = true,
								 .any_process = true,
								 .networks = doctor->networks,
								 .network_count = doctor->network_count };
	struct findings *findings = &doctor->findings;
	int error;

	findings->check = "file";
	if (!doctor->process.root && access(doctor->path, R_OK) < 0 && errno == EACCES) {
		finding_add(findings, VERDICT_NOTE, doctor->path, "this user may not read the file, so it is not checked");
		finding_needs_root(findings);
		return;
	}
	error = ini_load(&doctor->config, doctor->path, &report);
	/* The parser passes on only the first hundred findings, and none if there is no memory. */
	if (error && !findings_count(findings, VERDICT_FAIL))
		finding_add(findings, VERDICT_FAIL, doctor->path, "%s",
					report.errors ? "further lines have errors" : strerror(-error));
	if (error)
		return;
	if (!report.warnings)
		finding_add(findings, VERDICT_OK, doctor->path, "no mistakes, %zu peer%s", doctor->config.peer_count,
					doctor->config.peer_count == 1 ? "" : "s");
	collect_tunnel(&doctor->tunnel, &doctor->config, doctor->path);
	collect_interface(&doctor->interface, doctor->tunnel.interface);
	doctor->endpoints = collect_endpoints(&doctor->config, &doctor->endpoint_count);
}

static void examine_host(struct doctor *doctor)
{
	doctor->isolate_error =
		isolate_run(run_trial, &doctor->trial, sizeof doctor->trial, &doctor->user_namespace, TRIAL_TIMEOUT_MS);
	doctor->trial.nft.found = host_has_program("nft");
	/* In a user namespace, nft(8) has no capabilities. */
	if (doctor->user_namespace || doctor->isolate_error)
		doctor->trial.nft.tested = false;
	collect_process(&doctor->process);
	doctor->networks = ini_networks_read(&doctor->network_count);
	if (doctor->path)
		load_file(doctor);
	check_devices(doctor);
	check_system(doctor);
	if (doctor->path)
		check_permissions(doctor);
	if (doctor->tunnel.given)
		check_tunnel(doctor);
}

int command_doctor(int argc, char **argv)
{
	struct doctor doctor = { 0 };
	bool json = usage_take_flag(&argc, argv, "--json");
	struct terminal terminal;
	const char *argument;
	char buffer[INI_PATH];
	int code;

	if (!usage_check("doctor", argc, argv, "[FILE] [--json]", 0, 1))
		return EXIT_FAILURE;
	argument = argv[1];
	if (argument && !*argument)
		return usage_error("doctor", "[FILE] [--json]", argument);
	if (argument)
		doctor.path = ini_path(argument, buffer);
	examine_host(&doctor);
	if (json) {
		const struct report_subject subject = { doctor.path, doctor.tunnel.interface, doctor.process.root };
		report_json(stdout, &doctor.findings, &subject);
	} else {
		terminal_init(&terminal, stdout);
		report_text(stdout, &doctor.findings, terminal.color);
	}
	code = findings_count(&doctor.findings, VERDICT_FAIL) || doctor.findings.incomplete ? EXIT_FAILURE : EXIT_SUCCESS;
	if (doctor.findings.incomplete)
		fputs("adit: doctor: out of memory; findings are missing\n", stderr);
	free(doctor.endpoints);
	free(doctor.networks);
	config_destroy(&doctor.config);
	findings_free(&doctor.findings);
	return code;
}
