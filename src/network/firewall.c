/* SPDX-License-Identifier: MIT */
/*
 * The firewall of a default route: writes nft(8) transactions and runs nft.
 *
 * The rules do two things while there is a default route into the tunnel.
 *
 * preraw: a packet for an address of the tunnel must arrive through the tunnel. If it arrives on another interface, a
 * host on the local network sent it to probe for the address or to forge answers (CVE-2019-14899). It is dropped early,
 * unless its source address is local.
 *
 * postmangle and premangle: datagrams from the peers must pass the reverse path filter, which looks up the route back
 * to their source. Without our mark, that route leads into the tunnel. postmangle therefore saves the mark of our
 * outgoing datagrams in conntrack, and premangle restores it on incoming ones. net.ipv4.conf.all.src_valid_mark makes
 * the filter consider the mark.
 */
#include "firewall.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "network/process.h"

enum { NFT_TIMEOUT_MS = 10000, TABLE_NAME = 64, TABLE_CLAUSE = TABLE_NAME + 16 };

static const char *nft_family(uint8_t family)
{
	return family == AF_INET6 ? "ip6" : "ip";
}

/* Permits the same characters as wg-quick(8). None is special in a quoted string of nft(8), unlike " and *. */
static bool firewall_name_valid(const char *interface)
{
	size_t length = strlen(interface);

	if (length == 0 || length >= IFNAMSIZ)
		return false;
	for (; *interface; interface++)
		if (!isalnum((unsigned char)*interface) && !strchr("_=+.-", *interface))
			return false;
	return true;
}

/*
 * Writes "ip adit-wg0". An nft(8) identifier cannot contain `=` or `+`, so each becomes a slash and its hexadecimal
 * code. The result is unique, because interface names contain no slash.
 */
static void nft_write_table(char clause[TABLE_CLAUSE], const char *interface, uint8_t family)
{
	char *end = clause + sprintf(clause, "%s adit-", nft_family(family));

	for (; *interface; interface++)
		end += sprintf(end, *interface == '=' || *interface == '+' ? "/%x" : "%c", *interface);
}

static void nft_write_drops(FILE *file, const struct network_firewall *firewall)
{
	for (size_t i = 0; i < firewall->addresses->count; i++) {
		const struct ip_prefix *address = &firewall->addresses->items[i].prefix;
		char text[INET6_ADDRSTRLEN];

		if (address->family != firewall->family)
			continue;
		inet_ntop(address->family, address->address, text, sizeof text);
		fprintf(file, "\t\tiifname != \"%s\" %s daddr %s fib saddr type != local drop\n", firewall->interface,
				nft_family(firewall->family), text);
	}
}

static void nft_write_chains(FILE *file, const struct network_firewall *firewall)
{
	fputs("\tchain preraw {\n\t\ttype filter hook prerouting priority raw; policy accept;\n", file);
	nft_write_drops(file, firewall);
	fputs("\t}\n\tchain premangle {\n\t\ttype filter hook prerouting priority mangle; policy accept;\n", file);
	fputs("\t\tmeta l4proto udp meta mark set ct mark\n", file);
	fputs("\t}\n\tchain postmangle {\n\t\ttype filter hook postrouting priority mangle; policy accept;\n", file);
	fprintf(file, "\t\tmeta l4proto udp meta mark 0x%08x ct mark set meta mark\n\t}\n", firewall->mark);
}

/* The input for nft(8): deletes the table and, unless `firewall` is NULL, creates it. NULL: no memory. Caller frees. */
static char *nft_transaction(const char *interface, uint8_t family, const struct network_firewall *firewall)
{
	char *text = NULL, table[TABLE_CLAUSE];
	size_t length;
	FILE *file = open_memstream(&text, &length);

	if (!file)
		return NULL;
	nft_write_table(table, interface, family);
	fprintf(file, "add table %s\ndelete table %s\n", table, table); /* add, so that delete succeeds */
	if (firewall) {
		fprintf(file, "table %s {\n", table);
		nft_write_chains(file, firewall);
		fputs("}\n", file);
	}
	if (fclose(file) == 0)
		return text;
	free(text);
	return NULL;
}

/* Runs nft on `text` and frees it. NULL: nft_transaction had no memory. */
static int nft_run(char *text, struct reason *reason)
{
	static const char *const command[] = { "nft", "-f", "-", NULL };
	char output[PROCESS_OUTPUT] = "";
	int status = text ? process_run(command, text, strlen(text), output, NFT_TIMEOUT_MS) : -ENOMEM;

	free(text);
	if (status < 0)
		return reason_set_errno(reason, status, "firewall: nft");
	if (status > 0)
		return reason_set(reason, -EIO, "firewall: nft: %.*s", (int)strcspn(output, "\n"), output);
	return 0;
}

int network_firewall_set(const struct network_firewall *firewall, struct reason *reason)
{
	if (!firewall_name_valid(firewall->interface))
		return reason_set_errno(reason, -EINVAL, "firewall: interface name");
	return nft_run(nft_transaction(firewall->interface, firewall->family, firewall), reason);
}

int network_firewall_remove(const char *interface, uint8_t family, struct reason *reason)
{
	if (!firewall_name_valid(interface))
		return reason_set_errno(reason, -EINVAL, "firewall: interface name");
	return nft_run(nft_transaction(interface, family, NULL), reason);
}
