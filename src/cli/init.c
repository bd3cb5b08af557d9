/* SPDX-License-Identifier: MIT */
/* adit init: writes a new configuration file, with a new private key. */
#include <errno.h>
#include <limits.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "address_pool.h"
#include "base/keytext.h"
#include "base/service_unit.h"
#include "cli/commands.h"
#include "config/ini.h"
#include "new_file.h"
#include "options.h"

enum { INIT_PEERS_MAX = 100, INIT_PORT = 51820 };

struct init_peer {
	const char *public_key, *name, *endpoint, *allowed_ips, *keepalive;
};

struct init {
	const char *file, *address, *listen_port;
	struct init_peer peers[INIT_PEERS_MAX];
	size_t peer_count;
	char interface[16];
};

static const struct {
	const char *option, *key;
	size_t offset;
} peer_options[] = {
	{ "--name", "Name", offsetof(struct init_peer, name) },
	{ "--endpoint", "Endpoint", offsetof(struct init_peer, endpoint) },
	{ "--allowed-ips", "AllowedIPs", offsetof(struct init_peer, allowed_ips) },
	{ "--keepalive", "PersistentKeepalive", offsetof(struct init_peer, keepalive) },
};

/* Takes --peer, and the options that follow it. */
static bool take_peer_option(struct options *options, struct init *init)
{
	const char *argument = options->list[options->at], *none = NULL;
	const char *public_key = NULL;

	if (options_value(options, "--peer", &public_key)) {
		options_check(options, "--peer", "PublicKey", true, public_key);
		if (init->peer_count == INIT_PEERS_MAX)
			options_fail(options, "--peer: at most %d peers are allowed", INIT_PEERS_MAX);
		else
			init->peers[init->peer_count++].public_key = public_key;
		return true;
	}
	for (size_t i = 0; i < sizeof peer_options / sizeof *peer_options; i++) {
		struct init_peer *peer = init->peer_count ? &init->peers[init->peer_count - 1] : NULL;
		const char **value = peer ? (const char **)(void *)((char *)peer + peer_options[i].offset) : &none;

		if (!options_value(options, peer_options[i].option, value))
			continue;
		if (!peer)
			options_fail(options, "%s: the option describes a peer; put it after --peer KEY", argument);
		else
			options_check(options, peer_options[i].option, peer_options[i].key, true, *value);
		return true;
	}
	return false;
}

/* An address without the length of its network would be alone in the tunnel. */
static void check_new_addresses(struct options *options, const struct init *init)
{
	struct config config = { 0 };
	size_t addresses = 0, lengths = 0;

	options_parse(options, &config, "--address", "Address", false, init->address);
	for (const struct config_prefix *own = config.addresses; own; own = own->next)
		addresses++;
	for (const char *slash = strchr(init->address, '/'); slash; slash = strchr(slash + 1, '/'))
		lengths++;
	if (lengths < addresses)
		options_fail(options, "--address: the length of the network is missing, as in 10.9.0.1/24 or fd09::1/64");
	for (const struct config_prefix *own = config.addresses; own && !options->failed; own = own->next) {
		enum address_place place = address_pool_place(&own->prefix, &own->prefix);
		const char *problem = prefix_special(&own->prefix);
		char text[PREFIX_TEXT];

		prefix_to_text(text, &own->prefix);
		if (!problem && place != ADDRESS_OF_HOST)
			problem = place == ADDRESS_OF_NETWORK ? "the network itself" : "the broadcast address";
		if (problem)
			options_fail(options, "--address: %s is %s; give the address of this host, as in 10.9.0.1/24", text,
						 problem);
	}
	config_destroy(&config);
}

static void check_init(struct options *options, struct init *init)
{
	const char *name;
	size_t length;

	if (!init->file || !init->address) {
		options_fail(options, "the arguments are FILE --address LIST [OPTION]...; see \"adit init --help\"");
		return;
	}
	length = ini_interface_name(init->file, &name);
	if (!length) {
		options_fail(
			options,
			"%s: the name of an interface is 1 to 15 characters of a-z A-Z 0-9 _ = + . -, not starting with -, and "
			"the file is NAME.conf",
			init->file);
		return;
	}
	snprintf(init->interface, sizeof init->interface, "%.*s", (int)length, name);
	check_new_addresses(options, init);
	options_check(options, "--listen-port", "ListenPort", false, init->listen_port);
	for (size_t i = 0; i < init->peer_count && init->peer_count > 1; i++)
		if (!init->peers[i].allowed_ips && !options->failed)
			options_fail(options, "--peer %s: --allowed-ips is missing; with several peers, each needs it",
						 init->peers[i].public_key);
}

static bool parse_init(struct init *init, char buffer[INI_PATH], int argc, char **argv)
{
	struct options options = { .command = "adit init", .list = argv, .count = argc, .at = 1 };

	while (options.at < argc && !options.failed) {
		const char *word;

		if (options_value(&options, "--address", &init->address) ||
			options_value(&options, "--listen-port", &init->listen_port) || take_peer_option(&options, init))
			continue;
		word = options_word(&options);
		if (word && !init->file)
			init->file = ini_path(word, buffer);
		else
			options_fail(&options, "\"%s\" is not an option; see \"adit init --help\"", word ? word : argv[options.at]);
	}
	if (!options.failed)
		check_init(&options, init);
	return !options.failed;
}

/* The networks of our addresses, which are all behind a single peer. */
static void write_networks(struct text *text, const char *list)
{
	struct options options = { .command = "adit init" };
	struct config config = { 0 };

	options_parse(&options, &config, "--address", "Address", false, list);
	text_printf(text, "AllowedIPs = ");
	for (struct config_prefix *own = config.addresses; own; own = own->next) {
		char prefix[PREFIX_TEXT];

		prefix_mask(&own->prefix);
		prefix_to_text(prefix, &own->prefix);
		text_printf(text, "%s%s", prefix, own->next ? ", " : "\n");
	}
	config_destroy(&config);
}

static void write_init(struct text *text, const struct init *init, const uint8_t private_key[KEY_BYTES])
{
	text_printf(text, "# The tunnel %s; see adit.conf(5).\n[Interface]\n", init->interface);
	text_key(text, "PrivateKey", private_key);
	text_printf(text, "Address = %s\n", init->address);
	if (init->listen_port)
		text_printf(text, "ListenPort = %s\n", init->listen_port);
	else
		text_printf(text, "ListenPort = %d\n", INIT_PORT);
	text_printf(text, "# More peers, one file each; see \"adit peer --help\".\nInclude = %s.d\n", init->interface);
	for (size_t i = 0; i < init->peer_count; i++) {
		const struct init_peer *peer = &init->peers[i];

		text_printf(text, "\n[Peer]\n");
		if (peer->name)
			text_printf(text, "Name = %s\n", peer->name);
		text_printf(text, "PublicKey = %s\n", peer->public_key);
		if (peer->endpoint)
			text_printf(text, "Endpoint = %s\n", peer->endpoint);
		if (peer->allowed_ips)
			text_printf(text, "AllowedIPs = %s\n", peer->allowed_ips);
		else
			write_networks(text, init->address);
		if (peer->keepalive)
			text_printf(text, "PersistentKeepalive = %s\n", peer->keepalive);
	}
}

/* Prints the first finding about the new text, such as a peer that is given twice. */
static void report_new_text(void *context, const char *text)
{
	options_fail(context, "not written: %s", text);
}

/* Parses the text as a start would. A new file has no warnings either, apart from those of "adit check" alone. */
static bool new_text_is_right(const struct init *init, const struct text *text)
{
	struct options options = { .command = "adit init" };
	struct ini_report report = { .line = report_new_text, .context = &options };
	struct config config = { 0 };
	int error;

	snprintf(config.interface, sizeof config.interface, "%s", init->interface);
	error = ini_parse_config(&config, init->file, text->bytes, text->length, &report);
	if (error == -ENOMEM)
		options_fail(&options, "out of memory");
	config_destroy(&config);
	return !error && !options.failed;
}

static int report_init(const char *path, int error)
{
	if (error)
		fprintf(stderr, "adit init: %s: %s\n", path, strerror(-error));
	return error;
}

/* Creates a folder that only root can use, or accepts one that exists. Sets *created accordingly. */
static int make_folder(const char *path, bool *created)
{
	struct stat status;

	*created = mkdir(path, 0700) == 0;
	if (*created)
		return 0;
	if (errno != EEXIST || stat(path, &status) < 0)
		return report_init(path, -errno);
	return S_ISDIR(status.st_mode) ? 0 : report_init(path, -ENOTDIR);
}

/* Writes the file, its folder and the folder of its peers, or changes nothing. */
static int create_init(const struct init *init, const struct text *text)
{
	const char *slash = strrchr(init->file, '/');
	char folder[PATH_MAX], peers[PATH_MAX];
	bool new_folder = false, new_peers = false;
	struct stat status;
	int error;

	snprintf(folder, sizeof folder, "%.*s", slash ? (int)(slash - init->file) : 0, init->file);
	if (snprintf(peers, sizeof peers, "%s%s%s.d", folder, slash ? "/" : "", init->interface) >= PATH_MAX)
		return report_init(init->file, -ENAMETOOLONG);
	if (lstat(init->file, &status) == 0) /* a symbolic link without a target counts */
		return report_init(init->file, -EEXIST);
	error = *folder ? make_folder(folder, &new_folder) : 0;
	if (!error)
		error = make_folder(peers, &new_peers);
	if (!error)
		error = report_init(init->file, new_file_write(init->file, text));
	if (error && new_peers)
		rmdir(peers);
	if (error && new_folder)
		rmdir(folder);
	return error;
}

/* The peers of the new file. Those that its command line does not name are in a folder that existed before. */
static size_t count_all_peers(const struct init *init)
{
	struct ini_report quiet = { 0 };
	struct config config = { 0 };
	size_t count;

	ini_load(&config, init->file, &quiet);
	count = config.peer_count;
	config_destroy(&config);
	return count;
}

static void print_next_steps(const struct init *init)
{
	bool in_etc = strncmp(init->file, INI_DIRECTORY "/", strlen(INI_DIRECTORY "/")) == 0;
	const char *port = init->listen_port ? init->listen_port : "51820", *name = in_etc ? init->interface : init->file;
	size_t earlier = count_all_peers(init) - init->peer_count;
	char unit[SERVICE_NAME];

	service_unit_name(unit, init->interface);
	fflush(stdout);
	fprintf(stderr, "\nWrote %s. Above is the public key of this host, for the other end.\n", init->file);
	if (in_etc && service_unit_allows(init->interface))
		fprintf(stderr,
				"  adit check %-*s  look for mistakes\n"
				"  systemctl enable --now %s  start it, now and at boot\n",
				(int)(strlen(unit) + strlen("systemctl enable --now ") - strlen("adit check ")), name, unit);
	else
		fprintf(stderr, "  adit check %s  look for mistakes\n  adit %s %s%s  start it\n", name, in_etc ? "up" : "run",
				name, in_etc ? "   " : "  ");
	if (earlier)
		fprintf(stderr,
				"The folder %s.d existed, and %zu peer%s in it belong%s to this tunnel, too:\n"
				"  adit peer list %s\n",
				init->interface, earlier, earlier == 1 ? "" : "s", earlier == 1 ? "s" : "", name);
	else if (!init->peer_count)
		fprintf(stderr,
				"There is no peer yet. For one that has a key:\n"
				"  adit peer add %s NAME --public-key KEY --address ADDRESS\n",
				name);
	if (strcmp(port, "0") != 0)
		fprintf(stderr, "A firewall must accept UDP to port %s.\n", port);
}

int command_init(int argc, char **argv)
{
	uint8_t private_key[KEY_BYTES], public_key[KEY_BYTES];
	struct init *init = calloc(1, sizeof *init);
	struct text *text = calloc(1, sizeof *text);
	char base64[KEY_BASE64], buffer[INI_PATH];
	int code = EXIT_FAILURE;

	if (!init || !text) {
		fputs("adit init: out of memory\n", stderr);
		goto out;
	}
	if (!parse_init(init, buffer, argc, argv))
		goto out;
	key_generate(private_key);
	crypto_scalarmult_base(public_key, private_key);
	write_init(text, init, private_key);
	sodium_memzero(private_key, sizeof private_key);
	if (text->full)
		report_init(init->file, -E2BIG);
	else if (new_text_is_right(init, text) && !create_init(init, text)) {
		key_to_base64(base64, public_key);
		printf("%s\n", base64);
		print_next_steps(init);
		code = EXIT_SUCCESS;
	}
out:
	if (text)
		text_wipe(text);
	free(text);
	free(init);
	return code;
}
