/* SPDX-License-Identifier: MIT */
/* Configuration: memory management, and IP prefixes as text. */
#include "config/config.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tunnel/peer_label.h"

void config_prefixes_free(struct config_prefix *prefix)
{
	while (prefix) {
		struct config_prefix *next = prefix->next;
		free(prefix);
		prefix = next;
	}
}

void config_peer_free(struct config_peer *peer)
{
	config_prefixes_free(peer->allowed_ips);
	for (int hook = 0; hook < PEER_HOOKS; hook++)
		config_lines_free(peer->hooks[hook]);
	peer_label_release(peer->label);
	sodium_memzero(peer, sizeof *peer);
	free(peer);
}

const char *config_peer_name(const struct config_peer *peer)
{
	return peer->label ? peer->label->name : "";
}

static void config_files_free(struct config_file *file)
{
	while (file) {
		struct config_file *next = file->next;
		free(file);
		file = next;
	}
}

int config_line_append(struct config_line **list, const char *text, int line)
{
	size_t bytes = strlen(text) + 1;
	struct config_line *added = calloc(1, sizeof *added + bytes);

	if (!added)
		return -ENOMEM;
	added->line = line;
	memcpy(added->text, text, bytes);
	while (*list)
		list = &(*list)->next;
	*list = added;
	return 0;
}

int config_lines_copy(struct config_line **to, const struct config_line *from)
{
	int error = 0;

	config_lines_free(*to);
	*to = NULL;
	for (; from && !error; from = from->next)
		error = config_line_append(to, from->text, from->line);
	return error;
}

bool config_lines_equal(const struct config_line *a, const struct config_line *b)
{
	for (; a && b; a = a->next, b = b->next)
		if (strcmp(a->text, b->text) != 0)
			return false;
	return a == b;
}

void config_lines_free(struct config_line *line)
{
	while (line) {
		struct config_line *next = line->next;
		sodium_memzero(line->text, strlen(line->text));
		free(line);
		line = next;
	}
}

void config_forget_peers(struct config *config)
{
	for (struct config_peer *peer = config->peers, *next; peer; peer = next) {
		next = peer->next;
		config_peer_free(peer);
	}
	config->peers = NULL;
	config->peer_count = 0;
	config_files_free(config->files);
	config->files = NULL;
}

void config_destroy(struct config *config)
{
	config_forget_peers(config);
	config_prefixes_free(config->addresses);
	config_files_free(config->includes);
	for (int point = 0; point < HOOK_POINTS; point++)
		config_lines_free(config->hooks[point]);
	for (int hook = 0; hook < PEER_HOOKS; hook++)
		config_lines_free(config->peer_hooks[hook]);
	config_lines_free(config->dns_servers);
	config_lines_free(config->dns_search);
	sodium_memzero(config, sizeof *config);
}

static int address_bits(uint8_t family)
{
	return family == AF_INET6 ? 128 : 32;
}

bool prefix_from_text(struct ip_prefix *prefix, const char *text)
{
	struct ip_prefix found = { .family = strchr(text, ':') ? AF_INET6 : AF_INET };
	char address[INET6_ADDRSTRLEN];
	size_t length = strcspn(text, "/");

	if (length >= sizeof address)
		return false;
	memcpy(address, text, length);
	address[length] = '\0';
	if (inet_pton(found.family, address, found.address) != 1)
		return false;
	found.length = (uint8_t)address_bits(found.family);
	if (text[length]) {
		const char *number = text + length + 1;
		size_t digits = strspn(number, "0123456789");

		if (digits < 1 || digits > 3 || number[digits] || strtol(number, NULL, 10) > found.length)
			return false;
		found.length = (uint8_t)strtol(number, NULL, 10);
	}
	*prefix = found;
	return true;
}

void prefix_to_text(char text[PREFIX_TEXT], const struct ip_prefix *prefix)
{
	char address[INET6_ADDRSTRLEN] = "?";

	inet_ntop(prefix->family, prefix->address, address, sizeof address);
	snprintf(text, PREFIX_TEXT, "%s/%u", address, prefix->length);
}

bool prefix_from_ifaddrs(struct ip_prefix *prefix, const struct ifaddrs *entry)
{
	int family = entry->ifa_addr && entry->ifa_netmask ? entry->ifa_addr->sa_family : AF_UNSPEC;
	const uint8_t *address, *mask;

	if (family == AF_INET) {
		address = (const void *)&((const struct sockaddr_in *)(const void *)entry->ifa_addr)->sin_addr;
		mask = (const void *)&((const struct sockaddr_in *)(const void *)entry->ifa_netmask)->sin_addr;
	} else if (family == AF_INET6) {
		address = ((const struct sockaddr_in6 *)(const void *)entry->ifa_addr)->sin6_addr.s6_addr;
		mask = ((const struct sockaddr_in6 *)(const void *)entry->ifa_netmask)->sin6_addr.s6_addr;
	} else {
		return false;
	}
	*prefix = (struct ip_prefix) { .family = (uint8_t)family };
	for (int i = 0; i < address_bits(prefix->family) / 8; i++) {
		prefix->address[i] = address[i];
		prefix->length += (uint8_t)__builtin_popcount(mask[i]);
	}
	return true;
}

bool prefix_equal(const struct ip_prefix *a, const struct ip_prefix *b)
{
	return a->family == b->family && a->length == b->length && memcmp(a->address, b->address, sizeof a->address) == 0;
}

void prefix_mask(struct ip_prefix *prefix)
{
	int bytes = address_bits(prefix->family) / 8, whole = prefix->length / 8;

	if (whole == bytes)
		return;
	prefix->address[whole] &= (uint8_t) ~(0xff >> prefix->length % 8);
	memset(prefix->address + whole + 1, 0, (size_t)(bytes - whole - 1));
}

bool prefix_contains(const struct ip_prefix *outer, const struct ip_prefix *inner)
{
	struct ip_prefix network = *outer, part = *inner;

	if (outer->family != inner->family || outer->length > inner->length)
		return false;
	part.length = outer->length;
	prefix_mask(&part);
	prefix_mask(&network);
	return prefix_equal(&network, &part);
}

bool config_has_prefix(const struct config_prefix *list, const struct ip_prefix *prefix)
{
	for (const struct config_prefix *entry = list; entry; entry = entry->next)
		if (prefix_equal(&entry->prefix, prefix))
			return true;
	return false;
}

bool config_uses_v6(const struct config *config)
{
	for (const struct config_prefix *address = config->addresses; address; address = address->next)
		if (address->prefix.family == AF_INET6)
			return true;
	for (const struct config_peer *peer = config->peers; peer; peer = peer->next)
		for (const struct config_prefix *ip = peer->allowed_ips; ip; ip = ip->next)
			if (ip->prefix.family == AF_INET6)
				return true;
	return false;
}

const char *prefix_special(const struct ip_prefix *address)
{
	const uint8_t *bytes = address->address;
	struct in6_addr v6;
	uint32_t v4;

	if (address->family == AF_INET6) {
		memcpy(&v6, bytes, sizeof v6);
		if (IN6_IS_ADDR_MULTICAST(&v6))
			return "a multicast address";
		if (IN6_IS_ADDR_LOOPBACK(&v6))
			return "a loopback address";
		return IN6_IS_ADDR_UNSPECIFIED(&v6) ? "the unspecified address" : NULL;
	}
	v4 = (uint32_t)bytes[0] << 24 | (uint32_t)bytes[1] << 16 | (uint32_t)bytes[2] << 8 | bytes[3];
	if (IN_MULTICAST(v4))
		return "a multicast address";
	if (bytes[0] == IN_LOOPBACKNET)
		return "a loopback address";
	if (v4 == INADDR_BROADCAST)
		return "the broadcast address";
	return v4 == INADDR_ANY ? "the unspecified address" : NULL;
}

bool prefix_is_link_local(const struct ip_prefix *prefix)
{
	return prefix->family == AF_INET6 && prefix->address[0] == 0xfe && (prefix->address[1] & 0xc0) == 0x80;
}

const char *config_crypto_provider(const struct config *config)
{
	return config->crypto_provider[0] ? config->crypto_provider : "auto";
}
