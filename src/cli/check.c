/* SPDX-License-Identifier: MIT */
/* adit check: reports the errors and warnings in configuration files. */
#include <ifaddrs.h>
#include <net/if.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/commands.h"
#include "config/ini.h"

struct host_networks {
	struct ini_network *list;
	size_t count;
};

static void check_print_finding(void *context, const char *text)
{
	fprintf(stderr, "%s\n", text);
}

/* Returns false if the entry has no network: it is not an IP address, or the link is down. */
static bool network_of(const struct ifaddrs *entry, struct ini_network *network)
{
	int family = entry->ifa_addr && entry->ifa_netmask ? entry->ifa_addr->sa_family : AF_UNSPEC;
	const uint8_t *address, *mask;
	size_t bytes;

	if (family == AF_INET) {
		address = (const uint8_t *)&((const struct sockaddr_in *)(const void *)entry->ifa_addr)->sin_addr;
		mask = (const uint8_t *)&((const struct sockaddr_in *)(const void *)entry->ifa_netmask)->sin_addr;
		bytes = sizeof(struct in_addr);
	} else if (family == AF_INET6) {
		address = ((const struct sockaddr_in6 *)(const void *)entry->ifa_addr)->sin6_addr.s6_addr;
		mask = ((const struct sockaddr_in6 *)(const void *)entry->ifa_netmask)->sin6_addr.s6_addr;
		bytes = sizeof(struct in6_addr);
	} else {
		return false;
	}
	*network = (struct ini_network) { .prefix.family = (uint8_t)family };
	memcpy(network->prefix.address, address, bytes);
	for (size_t i = 0; i < bytes; i++)
		network->prefix.length += (uint8_t)__builtin_popcount(mask[i]);
	prefix_mask(&network->prefix);
	snprintf(network->interface, sizeof network->interface, "%s", entry->ifa_name);
	return entry->ifa_flags & IFF_UP;
}

/* Networks are only needed for advice, so a failure leaves the list empty. */
static struct host_networks read_networks(void)
{
	struct host_networks networks = { 0 };
	struct ifaddrs *entries = NULL;
	size_t count = 0;

	if (getifaddrs(&entries) < 0)
		return networks;
	for (const struct ifaddrs *entry = entries; entry; entry = entry->ifa_next)
		count++;
	networks.list = calloc(count + 1, sizeof *networks.list);
	for (const struct ifaddrs *entry = entries; entry && networks.list; entry = entry->ifa_next)
		networks.count += network_of(entry, &networks.list[networks.count]);
	freeifaddrs(entries);
	return networks;
}

static int check_file(const char *path, bool strict, const struct host_networks *networks)
{
	struct ini_report report = {
		.line = check_print_finding,
		.advice = true,
		.strict = strict,
		.any_process = true,
		.networks = networks->list,
		.network_count = networks->count,
	};
	struct config config = { 0 };
	int error = ini_load(&config, path, &report);

	if (!error)
		printf("%s: OK, %zu peer%s\n", path, config.peer_count, config.peer_count == 1 ? "" : "s");
	else if (report.errors == 0)
		fprintf(stderr, "%s: error: out of memory\n", path);
	config_destroy(&config);
	return error;
}

int command_check(int argc, char **argv)
{
	struct host_networks networks;
	bool strict = argc > 1 && strcmp(argv[1], "--strict") == 0;
	int code = EXIT_SUCCESS;

	if (argc < 2 + strict) {
		fprintf(stderr, "usage: adit check [--strict] FILE...\n");
		return EXIT_FAILURE;
	}
	networks = read_networks();
	for (int i = 1 + strict; i < argc; i++) {
		if (check_file(argv[i], strict, &networks) < 0)
			code = EXIT_FAILURE;
	}
	free(networks.list);
	return code;
}
