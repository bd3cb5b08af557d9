/* SPDX-License-Identifier: MIT */
/*
 * With a default route into the tunnel, two things must hold.
 *
 * An address of the tunnel is reached through the tunnel alone: what comes for it by another interface was sent by a
 * neighbour on the link who probes for it or forges answers (CVE-2019-14899), so it is dropped before anything sees it,
 * unless it comes from this host itself (a source of type local).
 *
 * The answers to our own datagrams must pass the reverse path filter. It asks by which way the answer's source would be
 * reached, and without our mark that is the tunnel. So the mark is kept with the connection when a datagram leaves and
 * put on what comes back; net.ipv4.conf.all.src_valid_mark makes the filter look at it.
 */
#include "firewall.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "network/process.h"
#include "why.h"

enum { NFT_TIMEOUT_MS = 10000, TABLE_NAME = 64, TABLE_CLAUSE = TABLE_NAME + 16 };

static const char *family_word(uint8_t family)
{
	return family == AF_INET6 ? "ip6" : "ip";
}

/* The characters of wg-quick(8): none of them means anything inside the quotes of nft(8), as " and * would. */
static bool name_valid(const char *interface)
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
 * "ip adit-wg0". A word of nft(8) has no `=` and no `+`; they are written as a slash and their code, which keeps names
 * apart because an interface's name has no slash.
 */
static void write_table(char clause[TABLE_CLAUSE], const char *interface, uint8_t family)
{
	char *end = clause + sprintf(clause, "%s adit-", family_word(family));

	for (; *interface; interface++)
		end += sprintf(end, *interface == '=' || *interface == '+' ? "/%x" : "%c", *interface);
}

static void write_guards(FILE *file, const struct network_firewall *firewall)
{
	for (size_t i = 0; i < firewall->addresses->count; i++) {
		const struct ip_prefix *address = &firewall->addresses->items[i].prefix;
		char text[INET6_ADDRSTRLEN];

		if (address->family != firewall->family)
			continue;
		inet_ntop(address->family, address->address, text, sizeof text);
		fprintf(file, "\t\tiifname != \"%s\" %s daddr %s fib saddr type != local drop\n", firewall->interface,
				family_word(firewall->family), text);
	}
}

static void write_chains(FILE *file, const struct network_firewall *firewall)
{
	fputs("\tchain preraw {\n\t\ttype filter hook prerouting priority raw; policy accept;\n", file);
	write_guards(file, firewall);
	fputs("\t}\n\tchain premangle {\n\t\ttype filter hook prerouting priority mangle; policy accept;\n", file);
	fputs("\t\tmeta l4proto udp meta mark set ct mark\n", file);
	fputs("\t}\n\tchain postmangle {\n\t\ttype filter hook postrouting priority mangle; policy accept;\n", file);
	fprintf(file, "\t\tmeta l4proto udp meta mark 0x%08x ct mark set meta mark\n\t}\n", firewall->mark);
}

/* What nft(8) is to read, to be freed; without a firewall it is the removal alone. NULL: no memory. */
static char *transaction(const char *interface, uint8_t family, const struct network_firewall *firewall)
{
	char *text = NULL, table[TABLE_CLAUSE];
	size_t length;
	FILE *file = open_memstream(&text, &length);

	if (!file)
		return NULL;
	write_table(table, interface, family);
	fprintf(file, "add table %s\ndelete table %s\n", table, table); /* added first, so that deleting cannot fail */
	if (firewall) {
		fprintf(file, "table %s {\n", table);
		write_chains(file, firewall);
		fputs("}\n", file);
	}
	if (fclose(file) == 0)
		return text;
	free(text);
	return NULL;
}

/* Runs nft on `text` (NULL: there was no memory for it) and frees it. */
static int run_nft(char *text, char why[NETWORK_WHY])
{
	static const char *const command[] = { "nft", "-f", "-", NULL };
	char output[PROCESS_OUTPUT] = "";
	int status = text ? process_run(command, text, strlen(text), output, NFT_TIMEOUT_MS) : -ENOMEM;

	free(text);
	if (status < 0)
		return network_why(why, status, "firewall: nft");
	if (status > 0)
		snprintf(why, NETWORK_WHY, "firewall: nft: %.*s", (int)strcspn(output, "\n"), output);
	return status > 0 ? -EIO : 0;
}

int network_firewall_set(const struct network_firewall *firewall, char why[NETWORK_WHY])
{
	if (!name_valid(firewall->interface))
		return network_why(why, -EINVAL, "firewall: interface name");
	return run_nft(transaction(firewall->interface, firewall->family, firewall), why);
}

int network_firewall_remove(const char *interface, uint8_t family, char why[NETWORK_WHY])
{
	if (!name_valid(interface))
		return network_why(why, -EINVAL, "firewall: interface name");
	return run_nft(transaction(interface, family, NULL), why);
}
