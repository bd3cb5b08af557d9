/* SPDX-License-Identifier: MIT */
/*
 * adit peer add: makes the file of a new peer here, and the peer's own configuration.
 *
 * The peer's file appears in the folder at once and complete, and it disappears again if anything after that fails: the
 * check of the whole configuration, the reload, or the output of the peer's own configuration, the only place of its
 * private key.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "address_pool.h"
#include "base/keytext.h"
#include "base/write_all.h"
#include "new_file.h"
#include "options.h"
#include "peer_site.h"
#include "qr.h"
#include "show_state.h"
#include "uapi/uapi.h"

struct peer_options {
	const char *file, *name;
	const char *address, *allowed_ips, *endpoint, *public_key, *description;
	const char *our_endpoint, *routes, *dns, *keepalive;
	const char *output;
	bool qr, no_reload;
};

struct new_peer {
	uint8_t private_key[KEY_BYTES], public_key[KEY_BYTES], preshared_key[KEY_BYTES];
	char addresses[2 * PREFIX_TEXT + 4]; /* "10.9.0.2/32, fd09::2/128" */
	char our_key[KEY_BASE64];
	uint32_t our_port;                                    /* 0: none */
	char our_endpoint[ENDPOINT_HOST + ENDPOINT_PORT + 4]; /* "": unknown */
	struct text here, there;                              /* the file in our folder, and the peer's own file */
};

/* --- the command line ----- */

/* The options with a value. A NULL key: complete_endpoint and new_file_write check the value. */
static const struct {
	const char *option, *key;
	bool in_peer;
	size_t offset;
} value_options[] = {
	{ "--address", "Address", false, offsetof(struct peer_options, address) },
	{ "--allowed-ips", "AllowedIPs", true, offsetof(struct peer_options, allowed_ips) },
	{ "--endpoint", "Endpoint", true, offsetof(struct peer_options, endpoint) },
	{ "--public-key", "PublicKey", true, offsetof(struct peer_options, public_key) },
	{ "--description", "Description", true, offsetof(struct peer_options, description) },
	{ "--our-endpoint", NULL, true, offsetof(struct peer_options, our_endpoint) },
	{ "--routes", "AllowedIPs", true, offsetof(struct peer_options, routes) },
	{ "--keepalive", "PersistentKeepalive", true, offsetof(struct peer_options, keepalive) },
	{ "--dns", "DNS", false, offsetof(struct peer_options, dns) },
	{ "--output", NULL, false, offsetof(struct peer_options, output) },
};
enum { VALUE_OPTIONS = sizeof value_options / sizeof *value_options };

static const char **value_of(struct peer_options *given, size_t i)
{
	return (const char **)(void *)((char *)given + value_options[i].offset);
}

static void check_options(struct options *options, struct peer_options *given)
{
	if (!given->file || !given->name)
		options_fail(options, "the arguments are FILE NAME [OPTION]...; see \"adit peer --help\"");
	for (size_t i = 0; i < VALUE_OPTIONS; i++) {
		if (value_options[i].key)
			options_check(options, value_options[i].option, value_options[i].key, value_options[i].in_peer,
						  *value_of(given, i));
	}
	if (given->public_key &&
		(given->our_endpoint || given->routes || given->dns || given->keepalive || given->output || given->qr))
		options_fail(options,
					 "--public-key: the peer has a configuration of its own, so --our-endpoint, --routes, --dns, "
					 "--keepalive, --output and --qr are not allowed");
	if (given->output && given->qr)
		options_fail(options, "--output and --qr: only one of them is allowed");
	if (given->qr && !qr_built_in())
		options_fail(options, "--qr: this build has no QR support; use --output FILE");
}

static bool parse_options(struct peer_options *given, int argc, char **argv)
{
	struct options options = { .command = "adit peer add", .list = argv, .count = argc, .at = 1 };

	while (options.at < argc && !options.failed) {
		bool taken =
			options_flag(&options, "--qr", &given->qr) || options_flag(&options, "--no-reload", &given->no_reload);
		const char *word;

		for (size_t i = 0; i < VALUE_OPTIONS && !taken; i++)
			taken = options_value(&options, value_options[i].option, value_of(given, i));
		if (taken)
			continue;
		word = options_word(&options);
		if (word && !given->file)
			given->file = word;
		else if (word && !given->name)
			given->name = word;
		else
			options_fail(&options, "\"%s\" is not an option; see \"adit peer --help\"", word ? word : argv[options.at]);
	}
	if (!options.failed)
		check_options(&options, given);
	return !options.failed && given->file && given->name;
}

/* --- what the peer gets ----- */

/* Our public key and port, from the file, or else from the daemon: only the daemon has our credentials. */
static bool read_our_key(const struct peer_site *site, struct new_peer *peer)
{
	struct show_interface running = { 0 };
	uint8_t key[KEY_BYTES];

	peer->our_port = site->config.listen_port;
	if (site->config.has_private_key && crypto_scalarmult_base(key, site->config.private_key) == 0) {
		key_to_base64(peer->our_key, key);
		return true;
	}
	snprintf(running.name, sizeof running.name, "%s", site->config.interface);
	if (!show_read(&running, UAPI_DIRECTORY, SHOW_TIMEOUT) && *running.public_key) {
		memcpy(peer->our_key, running.public_key, sizeof peer->our_key);
		if (!peer->our_port)
			peer->our_port = running.port;
	}
	show_free(&running);
	return *peer->our_key;
}

/* Adds our port to an endpoint that has none. */
static bool complete_endpoint(const struct peer_site *site, struct new_peer *peer, const char *given)
{
	struct options options = { .command = site->command };
	const char *colon = strrchr(given, ':'), *bracket = strrchr(given, ']');
	bool has_port = colon && (bracket ? colon == bracket + 1 : strchr(given, ':') == colon);
	bool bare_v6 = colon && !bracket && !has_port;
	int length;

	if (bare_v6 && inet_pton(AF_INET6, given, &(struct in6_addr) { 0 }) != 1) {
		fprintf(stderr, "%s: --our-endpoint: \"%s\" is not HOST or HOST:PORT\n", site->command, given);
		return false;
	}
	if (!has_port && !peer->our_port) {
		fprintf(stderr, "%s: --our-endpoint: \"%s\" needs a port, because %s has no ListenPort\n", site->command, given,
				site->file);
		return false;
	}
	if (has_port)
		length = snprintf(peer->our_endpoint, sizeof peer->our_endpoint, "%s", given);
	else
		length = snprintf(peer->our_endpoint, sizeof peer->our_endpoint, "%s%s%s:%u", bare_v6 ? "[" : "", given,
						  bare_v6 ? "]" : "", peer->our_port);
	if (length >= (int)sizeof peer->our_endpoint) {
		fprintf(stderr, "%s: --our-endpoint: the value is too long\n", site->command);
		return false;
	}
	options_check(&options, "--our-endpoint", "Endpoint", true, peer->our_endpoint);
	return !options.failed;
}

static void append_address(struct new_peer *peer, const struct ip_prefix *address)
{
	char text[PREFIX_TEXT];
	size_t length = strlen(peer->addresses);

	prefix_to_text(text, address);
	snprintf(peer->addresses + length, sizeof peer->addresses - length, "%s%s", length ? ", " : "", text);
}

/* Takes the next free address of one family. Reports if all networks of the family are full. */
static int next_address(const struct peer_site *site, struct new_peer *peer, uint8_t family)
{
	const struct config_prefix *full = NULL;
	char text[PREFIX_TEXT];

	for (const struct config_prefix *own = site->config.addresses; own; own = own->next) {
		struct ip_prefix address, network = own->prefix;
		int error;

		if (network.family != family || network.length == (family == AF_INET6 ? 128 : 32))
			continue;
		error = address_pool_next(&site->config, &network, &address);
		if (!error) {
			append_address(peer, &address);
			return 0;
		}
		if (error != -ENOSPC) {
			fprintf(stderr, "%s: %s\n", site->command, strerror(-error));
			return -1;
		}
		full = own;
	}
	if (!full)
		return 0;
	prefix_to_text(text, &full->prefix);
	fprintf(stderr, "%s: no address of %s is free\n", site->command, text);
	return -1;
}

/* Reports whether a peer has this prefix in its AllowedIPs, and prints it. */
static bool prefix_in_use(const struct peer_site *site, const char *option, const struct ip_prefix *prefix)
{
	char text[PREFIX_TEXT];

	prefix_to_text(text, prefix);
	for (const struct config_peer *other = site->config.peers; other; other = other->next) {
		for (const struct config_prefix *entry = other->allowed_ips; entry; entry = entry->next) {
			if (!prefix_equal(&entry->prefix, prefix))
				continue;
			fprintf(stderr, "%s: %s: %s belongs to the peer %s in %s:%d\n", site->command, option, text,
					config_peer_name(other), other->file ? other->file->path : site->file, other->line);
			return true;
		}
	}
	return false;
}

/* Reports whether a host cannot have this address because of our own addresses and their networks, and prints it. */
static bool address_is_reserved(const struct peer_site *site, const char *option, const struct ip_prefix *address)
{
	size_t bytes = address->family == AF_INET6 ? 16 : 4;
	char text[PREFIX_TEXT], network_text[PREFIX_TEXT];

	prefix_to_text(text, address);
	for (const struct config_prefix *own = site->config.addresses; own; own = own->next) {
		const char *problem = NULL;

		if (own->prefix.family != address->family)
			continue;
		if (memcmp(own->prefix.address, address->address, bytes) == 0) {
			fprintf(stderr, "%s: %s: %s is the address of this host in %s\n", site->command, option, text, site->file);
			return true;
		}
		switch (address_pool_place(&own->prefix, address)) {
		case ADDRESS_OF_NETWORK:
			problem = "the address of the network";
			break;
		case ADDRESS_BROADCAST:
			problem = "the broadcast address of";
			break;
		case ADDRESS_OF_HOST:
			break;
		}
		if (problem) {
			struct ip_prefix network = own->prefix;

			prefix_mask(&network);
			prefix_to_text(network_text, &network);
			fprintf(stderr, "%s: %s: %s is %s %s\n", site->command, option, text, problem, network_text);
			return true;
		}
	}
	return false;
}

/*
 * The address of another peer would move from that peer to the new one. A network may do so, with a warning: it is not
 * the address of anybody.
 */
static bool allowed_ips_are_free(const struct peer_site *site, const char *list)
{
	struct options options = { .command = site->command };
	struct config config = { 0 };
	bool free = true;

	options_parse(&options, &config, "--allowed-ips", "AllowedIPs", true, list);
	if (!config.peers)
		free = false;
	for (const struct config_prefix *entry = free ? config.peers->allowed_ips : NULL; entry && free;
		 entry = entry->next) {
		bool host = entry->prefix.length == (entry->prefix.family == AF_INET6 ? 128 : 32);

		free = !host || !(prefix_in_use(site, "--allowed-ips", &entry->prefix) ||
						  address_is_reserved(site, "--allowed-ips", &entry->prefix));
	}
	config_destroy(&config);
	return free;
}

/* Uses the addresses that were given, as hosts: their networks are routed to us by other entries. */
static int given_addresses(const struct peer_site *site, struct new_peer *peer, const char *list)
{
	struct options options = { .command = site->command };
	struct config config = { 0 };
	bool has_v4 = false, has_v6 = false;
	int error = 0;

	options_parse(&options, &config, "--address", "Address", false, list);
	for (const struct config_prefix *address = config.addresses; address && !error; address = address->next) {
		const char *special = prefix_special(&address->prefix);
		struct ip_prefix host = address->prefix;
		bool *has_family = host.family == AF_INET6 ? &has_v6 : &has_v4;
		char text[PREFIX_TEXT];

		host.length = host.family == AF_INET6 ? 128 : 32;
		prefix_to_text(text, &host);
		if (special)
			fprintf(stderr, "%s: --address: %s is %s; give the address of a host\n", site->command, text, special);
		else if (*has_family)
			fprintf(stderr, "%s: --address: at most one IPv4 and one IPv6 address are allowed\n", site->command);
		if (special || *has_family || prefix_in_use(site, "--address", &host) ||
			address_is_reserved(site, "--address", &host))
			error = -1;
		else
			append_address(peer, &host);
		*has_family = true;
	}
	config_destroy(&config);
	return error;
}

static int choose_addresses(const struct peer_site *site, struct new_peer *peer, const char *list)
{
	if (list)
		return given_addresses(site, peer, list);
	if (next_address(site, peer, AF_INET) || next_address(site, peer, AF_INET6))
		return -1;
	if (*peer->addresses)
		return 0;
	fprintf(stderr, "%s: %s has no Address with a network, such as 10.9.0.1/24; add one, or use --address\n",
			site->command, site->file);
	return -1;
}

static void make_keys(struct new_peer *peer, const char *public_key)
{
	if (public_key) {
		key_from_base64(peer->public_key, public_key);
		return;
	}
	key_generate(peer->private_key);
	crypto_scalarmult_base(peer->public_key, peer->private_key);
	randombytes_buf(peer->preshared_key, sizeof peer->preshared_key);
}

/* Writes the file in our folder. */
static void write_here(struct new_peer *peer, const struct peer_options *given)
{
	struct text *text = &peer->here;

	text_printf(text, "[Peer]\nName = %s\n", given->name);
	if (given->description)
		text_printf(text, "Description = %s\n", given->description);
	text_key(text, "PublicKey", peer->public_key);
	if (!given->public_key)
		text_key(text, "PresharedKey", peer->preshared_key);
	text_printf(text, "AllowedIPs = %s%s%s\n", peer->addresses, given->allowed_ips ? ", " : "",
				given->allowed_ips ? given->allowed_ips : "");
	if (given->endpoint)
		text_printf(text, "Endpoint = %s\n", given->endpoint);
}

/* Writes the peer's own file, in the format of wg-quick(8), because the peer may be any implementation. */
static void write_there(struct new_peer *peer, const struct peer_options *given, const struct config *config)
{
	struct text *text = &peer->there;

	text_printf(text, "[Interface]\n");
	text_key(text, "PrivateKey", peer->private_key);
	text_printf(text, "Address = %s\n", peer->addresses);
	if (given->dns)
		text_printf(text, "DNS = %s\n", given->dns);
	text_printf(text, "\n[Peer]\nPublicKey = %s\n", peer->our_key);
	text_key(text, "PresharedKey", peer->preshared_key);
	text_printf(text, "AllowedIPs = ");
	if (given->routes)
		text_printf(text, "%s", given->routes);
	for (const struct config_prefix *own = config->addresses; own && !given->routes; own = own->next) {
		struct ip_prefix network = own->prefix;
		char prefix[PREFIX_TEXT];

		prefix_mask(&network);
		prefix_to_text(prefix, &network);
		text_printf(text, "%s%s", prefix, own->next ? ", " : "");
	}
	if (*peer->our_endpoint)
		text_printf(text, "\nEndpoint = %s\n", peer->our_endpoint);
	else
		text_printf(text, "\n# Endpoint = HOST:%u\n", peer->our_port ? peer->our_port : 51820);
	if (given->keepalive)
		text_printf(text, "PersistentKeepalive = %s\n", given->keepalive);
}

/* --- the change ----- */

static bool name_is_free(const struct peer_site *site, const char *name)
{
	for (const struct config_peer *other = site->config.peers; other; other = other->next) {
		if (strcmp(config_peer_name(other), name) != 0)
			continue;
		fprintf(stderr, "%s: there is a peer \"%s\" already, in %s:%d\n", site->command, name,
				other->file ? other->file->path : site->file, other->line);
		return false;
	}
	return true;
}

/* Checks that the key of the peer is new, and finds our own, which the peer needs unless it has a configuration. */
static bool check_keys(const struct peer_site *site, struct new_peer *peer, bool has_config)
{
	char key[KEY_BASE64];
	bool found;

	for (const struct config_peer *other = site->config.peers; other; other = other->next) {
		if (memcmp(other->public_key, peer->public_key, sizeof other->public_key) != 0)
			continue;
		fprintf(stderr, "%s: --public-key: the peer in %s:%d has this key\n", site->command,
				other->file ? other->file->path : site->file, other->line);
		return false;
	}
	found = read_our_key(site, peer);
	if (!found && !has_config) {
		fprintf(stderr, "%s: the private key of %s is not available here; start %s first, which has it\n",
				site->command, site->file, site->config.interface);
		return false;
	}
	/* The most likely mistake of a user who copies keys between two hosts. */
	key_to_base64(key, peer->public_key);
	if (found && strcmp(key, peer->our_key) == 0) {
		fprintf(stderr, "%s: --public-key: this is the key of this host; give the key of the peer\n", site->command);
		return false;
	}
	return true;
}

static int report_file(const struct peer_site *site, const char *path, int error)
{
	if (error)
		fprintf(stderr, "%s: %s: %s\n", site->command, path, strerror(-error));
	return error;
}

/* A daemon of this name may have been started with another file, and then its reload did not find the peer. */
static void warn_if_unknown(const struct peer_site *site, const struct new_peer *peer)
{
	struct show_interface running = { 0 };
	const struct show_peer *found;
	char key[KEY_BASE64];

	snprintf(running.name, sizeof running.name, "%s", site->config.interface);
	key_to_base64(key, peer->public_key);
	if (!show_read(&running, UAPI_DIRECTORY, SHOW_TIMEOUT)) {
		for (found = running.peers; found && strcmp(found->public_key, key) != 0;)
			found = found->next;
		if (!found)
			fprintf(stderr, "%s: warning: %s was not started with %s, so it does not know the peer\n", site->command,
					running.name, site->file);
	}
	show_free(&running);
}

/* Hands out the peer's own file. */
static int deliver(const struct peer_site *site, const struct new_peer *peer, const struct peer_options *given)
{
	if (given->public_key)
		return 0;
	if (given->output)
		return report_file(site, given->output, new_file_write(given->output, &peer->there));
	if (given->qr)
		return report_file(site, "QR code", qr_print(&peer->there));
	return report_file(site, "standard output", new_file_print(&peer->there));
}

/* Adds the file and everything that follows from it, or nothing. */
static int commit_peer(const struct peer_site *site, const struct new_peer *peer, const struct peer_options *given,
					   const char *path)
{
	bool reloaded = false, absent = false;
	int error = report_file(site, path, new_file_write(path, &peer->here));

	if (error)
		return error;
	error = peer_site_verify(site, path);
	if (!error && !given->no_reload) {
		error = peer_site_reload(site);
		reloaded = error == 0;
		absent = error == PEER_SITE_ABSENT;
	}
	if (reloaded)
		warn_if_unknown(site, peer);
	if (!error || absent)
		error = deliver(site, peer, given);
	if (!error && absent)
		peer_site_note_absent(site);
	if (!error)
		return 0;
	unlink(path);
	sync_folder_of(path);
	if (reloaded)
		peer_site_reload(site);
	return error;
}

static int add_peer(struct peer_site *site, struct new_peer *peer, const struct peer_options *given)
{
	char path[PATH_MAX];

	if (!peer_site_path(site, given->name, path) || !name_is_free(site, given->name))
		return -1;
	if (given->output && access(given->output, F_OK) == 0)
		return report_file(site, given->output, -EEXIST);
	if (given->allowed_ips && !allowed_ips_are_free(site, given->allowed_ips))
		return -1;
	if (choose_addresses(site, peer, given->address))
		return -1;
	make_keys(peer, given->public_key);
	if (!check_keys(site, peer, given->public_key != NULL))
		return -1;
	if (given->our_endpoint && !complete_endpoint(site, peer, given->our_endpoint))
		return -1;
	write_here(peer, given);
	write_there(peer, given, &site->config);
	if (peer->here.full || peer->there.full)
		return report_file(site, given->name, -E2BIG);
	if (commit_peer(site, peer, given, path))
		return -1;
	fprintf(stderr, "%s: %s has %s, in %s\n", site->command, given->name, peer->addresses, path);
	if (!given->public_key && !given->our_endpoint)
		fprintf(stderr, "%s: warning: the peer's file has no Endpoint; fill it in, or give --our-endpoint\n",
				site->command);
	return 0;
}

int command_peer_add(int argc, char **argv)
{
	struct peer_options given = { 0 };
	struct new_peer *peer;
	struct peer_site site;
	int error;

	if (!parse_options(&given, argc, argv))
		return EXIT_FAILURE;
	peer = calloc(1, sizeof *peer);
	if (!peer) {
		fputs("adit peer add: out of memory\n", stderr);
		return EXIT_FAILURE;
	}
	error = peer_site_open(&site, "adit peer add", given.file, true);
	if (!error)
		error = add_peer(&site, peer, &given);
	peer_site_close(&site);
	sodium_memzero(peer, sizeof *peer);
	free(peer);
	return error ? EXIT_FAILURE : EXIT_SUCCESS;
}
