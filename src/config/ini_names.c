/* SPDX-License-Identifier: MIT */
/* INI: names of services and routing tables, and hosts that are names by mistake. */
#include <arpa/inet.h>
#include <ctype.h>
#include <dirent.h>
#include <limits.h>
#include <linux/rtnetlink.h>
#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ini_parser.h"

enum { SERVICE_ROOM = 64, SERVICE_BUFFER = 4096, TABLE_NAME = 128, TABLE_LINE = 512 };

bool ini_port(const char *text, uint16_t *port)
{
	size_t digits = strspn(text, "0123456789");
	struct servent entry, *found = NULL;
	char buffer[SERVICE_BUFFER];
	unsigned long long number;

	if (digits && !text[digits]) {
		number = strtoull(text, NULL, 10); /* ULLONG_MAX on overflow */
		*port = (uint16_t)number;
		return number <= UINT16_MAX;
	}
	if (!isalnum((unsigned char)*text) || strlen(text) >= SERVICE_ROOM)
		return false;
	if (getservbyname_r(text, "udp", &entry, buffer, sizeof buffer, &found) || !found)
		return false;
	*port = ntohs((uint16_t)found->s_port);
	return true;
}

/* No top-level domain consists of digits, so a host whose last label does can only be an address. */
bool ini_mistyped_address(const char *host)
{
	char text[ENDPOINT_HOST];
	const char *last;
	struct in6_addr v6;
	struct in_addr v4;
	size_t length;

	snprintf(text, sizeof text, "%s", host);
	if (strchr(text, ':')) {
		text[strcspn(text, "%")] = '\0'; /* the zone need not exist yet */
		return inet_pton(AF_INET6, text, &v6) != 1;
	}
	length = strlen(text);
	if (length && text[length - 1] == '.')
		text[length - 1] = '\0';
	last = strrchr(text, '.');
	last = last ? last + 1 : text;
	return *last && !last[strspn(last, "0123456789")] && !inet_aton(text, &v4);
}

/* Searches an rt_tables file, whose lines have a number, decimal or with 0x, and a name. */
static bool table_in_file(const char *path, const char *name, uint32_t *number)
{
	FILE *file = fopen(path, "re");
	char line[TABLE_LINE], entry[TABLE_NAME];
	bool found = false;

	if (!file)
		return false;
	while (!found && fgets(line, sizeof line, file)) {
		char *start = line + strspn(line, " \t"), *end;
		unsigned long long value;

		if (!isdigit((unsigned char)*start))
			continue;
		value = strtoull(start, &end, strncmp(start, "0x", 2) == 0 ? 16 : 10);
		if (value > UINT32_MAX || sscanf(end, " %127s", entry) != 1 || strcmp(entry, name) != 0)
			continue;
		*number = (uint32_t)value;
		found = true;
	}
	fclose(file);
	return found;
}

/* Reads the files *.conf of a folder, as ip(8) does. */
static bool table_in_folder(const char *folder, const char *name, uint32_t *number)
{
	DIR *directory = opendir(folder);
	bool found = false;

	if (!directory)
		return false;
	while (!found) {
		const struct dirent *entry = readdir(directory);
		const char *suffix = entry ? strrchr(entry->d_name, '.') : NULL;
		char path[PATH_MAX];

		if (!entry)
			break;
		if (entry->d_name[0] == '.' || !suffix || strcmp(suffix, ".conf") != 0)
			continue;
		if (snprintf(path, sizeof path, "%s/%s", folder, entry->d_name) < PATH_MAX)
			found = table_in_file(path, name, number);
	}
	closedir(directory);
	return found;
}

bool ini_table_by_name(const char *root, const char *name, uint32_t *number)
{
	/* The administrator's folder precedes those of the distribution: Debian 13, and iproute2 6.5 and 6.6. */
	static const char *const folders[] = { "/etc/iproute2", "/usr/share/iproute2", "/usr/lib/iproute2" };
	static const struct {
		const char *name;
		uint32_t number;
	} built_in[] = { { "main", RT_TABLE_MAIN }, { "local", RT_TABLE_LOCAL }, { "default", RT_TABLE_DEFAULT } };
	char path[PATH_MAX];

	if (!*name || strlen(name) >= TABLE_NAME)
		return false;
	for (size_t i = 0; i < sizeof folders / sizeof *folders; i++) {
		snprintf(path, sizeof path, "%s%s/rt_tables", root, folders[i]);
		if (table_in_file(path, name, number))
			return true;
		snprintf(path, sizeof path, "%s%s/rt_tables.d", root, folders[i]);
		if (table_in_folder(path, name, number))
			return true;
	}
	for (size_t i = 0; i < sizeof built_in / sizeof *built_in; i++) {
		if (strcmp(name, built_in[i].name) == 0) {
			*number = built_in[i].number;
			return true;
		}
	}
	return false;
}
