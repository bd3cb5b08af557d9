/* SPDX-License-Identifier: MIT */
/* adit peer list and adit peer remove. */
#include <errno.h>
#include <limits.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/keytext.h"
#include "base/spelling.h"
#include "base/usage.h"
#include "base/write_all.h"
#include "peer_site.h"

enum { LIST_ROOM = 80 };

/* The columns that a name takes on a terminal, if each character takes one. */
static int columns_of(const char *name)
{
	int columns = 0;

	for (; *name; name++)
		columns += (*name & 0xc0) != 0x80;
	return columns;
}

/* Writes the list as text. One that does not fit ends in "...". */
static void print_addresses(const struct config_prefix *prefix, char text[LIST_ROOM])
{
	size_t length = 0;

	snprintf(text, LIST_ROOM, "-");
	for (; prefix && length < LIST_ROOM; prefix = prefix->next) {
		char one[PREFIX_TEXT];

		prefix_to_text(one, &prefix->prefix);
		length += (size_t)snprintf(text + length, LIST_ROOM - length, "%s%s", one, prefix->next ? "," : "");
	}
	if (length >= LIST_ROOM)
		memcpy(text + LIST_ROOM - 4, "...", 4);
}

static void print_peers(const struct peer_site *site)
{
	int name_width = (int)strlen("NAME"), list_width = (int)strlen("ALLOWED IPS");
	char addresses[LIST_ROOM];

	for (const struct config_peer *peer = site->config.peers; peer; peer = peer->next) {
		int columns = columns_of(config_peer_name(peer)), length;

		print_addresses(peer->allowed_ips, addresses);
		length = (int)strlen(addresses);
		name_width = columns > name_width ? columns : name_width;
		list_width = length > list_width ? length : list_width;
	}
	printf("%-*s  %-44s  %-*s  FILE\n", name_width, "NAME", "PUBLIC KEY", list_width, "ALLOWED IPS");
	for (const struct config_peer *peer = site->config.peers; peer; peer = peer->next) {
		const char *name = *config_peer_name(peer) ? config_peer_name(peer) : "-";
		char key[KEY_BASE64];

		key_to_base64(key, peer->public_key);
		print_addresses(peer->allowed_ips, addresses);
		printf("%s%*s  %s  %-*s  %s:%d\n", name, name_width - columns_of(name), "", key, list_width, addresses,
			   peer->file ? peer->file->path : site->file, peer->line);
	}
}

int command_peer_list(int argc, char **argv)
{
	struct peer_site site;
	int error;

	if (!usage_check("peer list", argc, argv, "FILE", 1, 1))
		return EXIT_FAILURE;
	error = peer_site_open(&site, "adit peer list", argv[1], false);
	if (!error)
		print_peers(&site);
	peer_site_close(&site);
	return error ? EXIT_FAILURE : EXIT_SUCCESS;
}

/* Finds a peer by its name or public key. Returns NULL, after it has reported the nearest name, if there is none. */
static const struct config_peer *find_peer(const struct peer_site *site, const char *name)
{
	const char *nearest = NULL;
	size_t distance = strlen(name) / 3 + 2; /* farther names are not similar */
	uint8_t key[KEY_BYTES];
	bool is_key = key_from_base64(key, name);

	for (const struct config_peer *peer = site->config.peers; peer; peer = peer->next) {
		const char *other = config_peer_name(peer);
		size_t far = *other ? spelling_distance(name, other) : SIZE_MAX;

		if (strcmp(other, name) == 0 || (is_key && memcmp(peer->public_key, key, sizeof key) == 0))
			return peer;
		if (far < distance) {
			nearest = other;
			distance = far;
		}
	}
	if (nearest)
		fprintf(stderr, "%s: there is no peer \"%s\"; did you mean \"%s\"?\n", site->command, name, nearest);
	else
		fprintf(stderr, "%s: there is no peer \"%s\"; \"adit peer list %s\" lists all\n", site->command, name,
				site->file);
	return NULL;
}

/* Returns whether the peer has a file of its own, which may be deleted. Reports if it has not. */
static bool has_own_file(const struct peer_site *site, const struct config_peer *found)
{
	const char *name = *config_peer_name(found) ? config_peer_name(found) : "the peer";

	if (!found->file) {
		fprintf(stderr, "%s: %s is in %s itself, on line %d; delete its [Peer] there and run \"adit reload %s\"\n",
				site->command, name, site->file, found->line, site->config.interface);
		return false;
	}
	for (const struct config_peer *peer = site->config.peers; peer; peer = peer->next) {
		if (peer == found || peer->file != found->file)
			continue;
		fprintf(stderr, "%s: %s also contains other peers; delete the [Peer] on line %d and run \"adit reload %s\"\n",
				site->command, found->file->path, found->line, site->config.interface);
		return false;
	}
	return true;
}

/* Hides the file until the reload has succeeded, so that a failure can bring it back. */
static int remove_peer_file(const struct peer_site *site, const char *path, bool reload)
{
	const char *slash = strrchr(path, '/');
	int folder = slash ? (int)(slash + 1 - path) : 0;
	char hidden[PATH_MAX + sizeof "..removed"];
	int error;

	snprintf(hidden, sizeof hidden, "%.*s.%s.removed", folder, path, path + folder);
	if (rename(path, hidden) < 0) {
		fprintf(stderr, "%s: %s: %s\n", site->command, path, strerror(errno));
		return -1;
	}
	sync_folder_of(path);
	error = reload ? peer_site_reload(site) : 0;
	if (error >= 0) {
		if (error == PEER_SITE_ABSENT)
			peer_site_note_absent(site);
		unlink(hidden);
		return 0;
	}
	if (rename(hidden, path) < 0)
		fprintf(stderr, "%s: %s: %s\n", site->command, hidden, strerror(errno));
	sync_folder_of(path);
	return -1;
}

int command_peer_remove(int argc, char **argv)
{
	bool no_reload = usage_take_flag(&argc, argv, "--no-reload");
	const struct config_peer *peer;
	struct peer_site site;
	int error;

	if (!usage_check("peer remove", argc, argv, "FILE PEER [--no-reload]", 2, 2))
		return EXIT_FAILURE;
	error = peer_site_open(&site, "adit peer remove", argv[1], true);
	if (!error) {
		peer = find_peer(&site, argv[2]);
		error = peer && has_own_file(&site, peer) ? remove_peer_file(&site, peer->file->path, !no_reload) : -1;
	}
	peer_site_close(&site);
	return error ? EXIT_FAILURE : EXIT_SUCCESS;
}
