/* SPDX-License-Identifier: MIT */
/*
 * Fuzz target: adit mesh, from a list of hosts to the configuration files. If the first byte is even, the input is the
 * list itself; else each byte is a piece of a list, which is then often valid. The invariants: the parser returns, and
 * fails if and only if it reports an error; from a list without any finding, files without any finding are made.
 */
#include <errno.h>
#include <sodium.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "addresses.h"
#include "render.h"

enum { HOSTS_MAX = 30 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void count_line(void *context, const char *text)
{
	size_t *lines = context;

	if (strpbrk(text, "\r\n"))
		abort();
	++*lines;
}

static void make_files(struct host_list *list)
{
	static const struct ip_prefix none[HOSTS_MAX * MESH_FAMILIES];
	struct topology topology = { 0 };
	struct secrets secrets = { 0 };
	struct network network = { &topology, &secrets, "fuzz" };
	struct secret_text text = { 0 };
	struct reason reason;
	size_t full, lines = 0;
	int error = addresses_assign(list, none, &full);

	if (error == -ENOSPC)
		return;
	if (error || secrets_init(&secrets, list->count) || topology_init(&topology, list) ||
		secrets_complete(&secrets, &topology, &reason))
		abort();
	for (size_t i = 0; i < list->count; i++) {
		struct ini_report report = { .line = count_line, .context = &lines, .advice = true };
		struct config config = { 0 };

		secret_text_clear(&text);
		render_host(&text, &network, i);
		if (ini_parse_config(&config, "fuzz", text.bytes, text.length, &report) || lines)
			abort();
		config_destroy(&config);
	}
	secret_text_clear(&text);
	render_table(&text, &network);
	render_dot(&text, &network);
	render_svg(&text, &network);
	secret_text_destroy(&text);
	topology_destroy(&topology);
	secrets_destroy(&secrets);
}

static void run_list(const char *text, size_t length)
{
	size_t lines = 0;
	struct ini_report report = { .line = count_line, .context = &lines };
	struct host_list list = { 0 };
	int status = host_list_parse(&list, "fuzz", text, length, &report);

	if ((status == 0) != (report.errors == 0) || lines > 101)
		abort();
	if (!lines && list.count <= HOSTS_MAX)
		make_files(&list);
	host_list_destroy(&list);
}

/* Lines whose words depend on the input. There are as many hosts as the second byte says. */
static void run_pieces(const uint8_t *data, size_t size)
{
	static const char *const topologies[] = { "", "hub = h0\n", "topology = hub\nhub = h0\n",
											  "topology = two-hubs\nhub = h1, h0\n" };
	static const char *const tunnels[] = { "network = fd09::/64\n", "network = 10.9.0.0/28\n",
										   "network = 10.9.0.0/24, fd09::/120\n", "" };
	static const char *const options[] = { "", "mtu = 1279\n", "mtu = 1420\n", "port = 7\n", "keepalive = off\n" };
	static const char *const addresses[] = { "auto", "auto", "auto", "10.9.0.%d", "fd09::%d", "10.9.0.%d,fd09::%d" };
	static const char *const networks[] = { "-", "-", "-", "192.168.%d.0/24", "fd01:%d::/48,10.%d.0.0/16" };
	static const char *const words[] = { "-", "-", "x", "y", "x,y", "*", "- ssh=-" };
	char text[8192] = "";
	size_t length, at = 2;
	int hosts = size > 1 ? data[1] % HOSTS_MAX : 0;

#define PICK(list) (list)[at < size ? data[at++] % (sizeof(list) / sizeof *(list)) : 0]
	length = (size_t)snprintf(text, sizeof text, "%s", PICK(topologies));
	length += (size_t)snprintf(text + length, sizeof text - length, "%s", PICK(tunnels));
	length += (size_t)snprintf(text + length, sizeof text - length, "%s", PICK(options));
	for (int i = 0; i < hosts; i++) {
		length += (size_t)snprintf(text + length, sizeof text - length, "h%d ", i);
		if (i < 2 || (at < size && data[at++] % 4))
			length += (size_t)snprintf(text + length, sizeof text - length, "198.51.100.%d ", i);
		else
			length += (size_t)snprintf(text + length, sizeof text - length, "- ");
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
#pragma GCC diagnostic ignored "-Wformat-extra-args"
		length += (size_t)snprintf(text + length, sizeof text - length, PICK(addresses), i + 1, i + 1);
		length += (size_t)snprintf(text + length, sizeof text - length, " ");
		length += (size_t)snprintf(text + length, sizeof text - length, PICK(networks), i + 10, i + 10);
#pragma GCC diagnostic pop
		if (i == 2 && at < size && data[at++] % 8 == 0)
			length += (size_t)snprintf(text + length, sizeof text - length, ",0.0.0.0/0,::/0");
		length += (size_t)snprintf(text + length, sizeof text - length, " %s", PICK(words));
		if (i > 1 && strstr(text, "two-hubs") && at < size && data[at++] % 4 == 0)
			length += (size_t)snprintf(text + length, sizeof text - length, " hub=h%d", data[at - 1] / 4 % 2);
		length += (size_t)snprintf(text + length, sizeof text - length, "\n");
	}
	run_list(text, length);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (sodium_init() < 0)
		abort();
	if (size && data[0] % 2)
		run_pieces(data, size);
	else
		run_list((const char *)data, size);
	return 0;
}
