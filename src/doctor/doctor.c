/* SPDX-License-Identifier: MIT */
/*
 * adit doctor: runs the checks and prints their findings.
 *
 * Theory of operation
 *
 * The tests that send packets or create devices run first, in one child process with a network namespace of its own
 * (isolate.h), before the file with its keys is read. Everything else only reads. Each entry of `checks` collects its
 * facts and passes them to a judgement, which is tested with facts that no machine at hand has.
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

static void check_privileges(struct doctor *doctor)
{
	judge_process(&doctor->findings, &doctor->process, &doctor->tunnel);
}

static void check_tun(struct doctor *doctor)
{
	struct tun_node_facts facts;

	collect_tun_node(&facts);
	judge_tun_node(&doctor->findings, &facts, &doctor->process);
}

static void check_tun_offload(struct doctor *doctor)
{
	judge_tun_trial(&doctor->findings, &doctor->trial.tun, doctor->isolate_error, &doctor->tunnel);
}

static void check_udp_offload(struct doctor *doctor)
{
	judge_udp_trial(&doctor->findings, &doctor->trial.udp, doctor->isolate_error, &doctor->tunnel);
}

static void check_kernel(struct doctor *doctor)
{
	struct kernel_facts facts;

	collect_kernel(&facts);
	judge_kernel_version(&doctor->findings, &facts, &doctor->tunnel);
}

static void check_io_uring(struct doctor *doctor)
{
	struct kernel_facts facts;

	collect_kernel(&facts);
	judge_io_uring(&doctor->findings, &facts, &doctor->tunnel);
}

static void check_buffers(struct doctor *doctor)
{
	struct buffer_facts facts;

	collect_buffers(&facts);
	judge_buffers(&doctor->findings, &facts, &doctor->process);
}

static void check_forwarding(struct doctor *doctor)
{
	struct forwarding_facts facts;

	collect_forwarding(&facts, count_host_networks(doctor->networks, doctor->network_count, doctor->tunnel.interface));
	judge_forwarding(&doctor->findings, &facts, &doctor->tunnel);
}

static void check_nft(struct doctor *doctor)
{
	judge_nft(&doctor->findings, &doctor->trial.nft, &doctor->tunnel);
}

static void check_rp_filter(struct doctor *doctor)
{
	struct rp_filter_facts facts;

	collect_rp_filter(&facts);
	judge_rp_filter(&doctor->findings, &facts, &doctor->trial.nft, &doctor->tunnel);
}

static void check_ipv6(struct doctor *doctor)
{
	struct ipv6_facts facts;

	collect_ipv6(&facts);
	judge_ipv6(&doctor->findings, &facts, &doctor->tunnel);
}

static void check_clock(struct doctor *doctor)
{
	struct clock_facts facts;

	collect_clock(&facts);
	judge_clock(&doctor->findings, &facts);
}

static void check_managers(struct doctor *doctor)
{
	struct manager_facts facts;

	collect_managers(&facts, doctor->tunnel.interface);
	judge_managers(&doctor->findings, &facts, &doctor->tunnel);
}

/* --- checks that need the file ----- */

static void check_permissions(struct doctor *doctor)
{
	struct permission_facts facts[2];

	collect_permissions(facts, doctor->path);
	judge_permissions(&doctor->findings, &facts[0]);
	judge_permissions(&doctor->findings, &facts[1]);
}

static void check_programs(struct doctor *doctor)
{
	struct file_tool_facts facts;

	collect_file_tools(&facts, &doctor->config);
	judge_file_tools(&doctor->findings, &facts);
}

static void check_interface(struct doctor *doctor)
{
	judge_interface(&doctor->findings, &doctor->interface, &doctor->tunnel);
}

static void check_port(struct doctor *doctor)
{
	struct port_facts facts;

	collect_port(&facts, doctor->tunnel.listen_port);
	judge_port(&doctor->findings, &facts, &doctor->interface, &doctor->process, &doctor->tunnel);
}

static void check_endpoints(struct doctor *doctor)
{
	judge_endpoints(&doctor->findings, doctor->endpoints, doctor->endpoint_count, &doctor->tunnel);
}

static void check_mtu(struct doctor *doctor)
{
	judge_mtu(&doctor->findings, doctor->endpoints, doctor->endpoint_count, &doctor->tunnel);
}

static void check_unit(struct doctor *doctor)
{
	struct unit_facts facts;

	collect_unit(&facts, doctor->tunnel.interface);
	judge_unit(&doctor->findings, &facts, &doctor->tunnel);
}

static const struct {
	const char *name;
	void (*run)(struct doctor *doctor);
	enum { NEEDS_NOTHING, NEEDS_PATH, NEEDS_TUNNEL } needs;
} checks[] = {
	{ "privileges", check_privileges, NEEDS_NOTHING },
	{ "tun", check_tun, NEEDS_NOTHING },
	{ "tun-offload", check_tun_offload, NEEDS_NOTHING },
	{ "udp-offload", check_udp_offload, NEEDS_NOTHING },
	{ "kernel", check_kernel, NEEDS_NOTHING },
	{ "io_uring", check_io_uring, NEEDS_NOTHING },
	{ "buffers", check_buffers, NEEDS_NOTHING },
	{ "forwarding", check_forwarding, NEEDS_NOTHING },
	{ "nft", check_nft, NEEDS_NOTHING },
	{ "rp_filter", check_rp_filter, NEEDS_NOTHING },
	{ "ipv6", check_ipv6, NEEDS_NOTHING },
	{ "clock", check_clock, NEEDS_NOTHING },
	{ "managers", check_managers, NEEDS_NOTHING },
	{ "permissions", check_permissions, NEEDS_PATH },
	{ "programs", check_programs, NEEDS_TUNNEL },
	{ "interface", check_interface, NEEDS_TUNNEL },
	{ "port", check_port, NEEDS_TUNNEL },
	{ "endpoint", check_endpoints, NEEDS_TUNNEL },
	{ "mtu", check_mtu, NEEDS_TUNNEL },
	{ "unit", check_unit, NEEDS_TUNNEL },
};

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
	for (size_t i = 0; i < sizeof checks / sizeof *checks; i++) {
		if ((checks[i].needs == NEEDS_PATH && !doctor->path) ||
			(checks[i].needs == NEEDS_TUNNEL && !doctor->tunnel.given))
			continue;
		doctor->findings.check = checks[i].name;
		checks[i].run(doctor);
	}
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
