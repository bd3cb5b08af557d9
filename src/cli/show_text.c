/* SPDX-License-Identifier: MIT */
/* show: prints the state of an interface as text for people. */
#include <inttypes.h>

#include "show_state.h"

/* Replaces control characters, because another program chose this text and a terminal would obey them. */
static void text_plain(FILE *to, const char *text)
{
	for (; *text; text++)
		fputc((unsigned char)*text < ' ' || *text == 127 ? '?' : *text, to);
}

static void text_field(FILE *to, const char *title, const char *value)
{
	if (!*value)
		return;
	fputs(title, to);
	text_plain(to, value);
	fputc('\n', to);
}

static void text_bytes(FILE *to, uint64_t bytes)
{
	static const char *const units[] = { "KiB", "MiB", "GiB", "TiB", "PiB", "EiB" };
	double amount = (double)bytes / 1024;
	int unit = 0;

	if (bytes < 1024) {
		fprintf(to, "%" PRIu64 " B", bytes);
		return;
	}
	for (; amount >= 1024; unit++)
		amount /= 1024;
	fprintf(to, "%.2f %s", amount, units[unit]);
}

/* Prints the two largest units, such as "2 h 5 min". */
static void text_duration(FILE *to, uint64_t seconds)
{
	static const struct {
		uint64_t seconds;
		const char *name;
	} units[] = { { 86400, "d" }, { 3600, "h" }, { 60, "min" }, { 1, "s" } };
	int unit = 0;

	while (unit < 3 && seconds < units[unit].seconds)
		unit++;
	fprintf(to, "%" PRIu64 " %s", seconds / units[unit].seconds, units[unit].name);
	if (unit < 3)
		fprintf(to, " %" PRIu64 " %s", seconds % units[unit].seconds / units[unit + 1].seconds, units[unit + 1].name);
}

static void text_peer(FILE *to, const struct show_peer *peer, uint64_t now)
{
	char text[PREFIX_TEXT];

	fprintf(to, "\n  peer %s\n", peer->public_key);
	text_field(to, "    name              ", peer->name ? peer->name : "");
	text_field(to, "    description       ", peer->description ? peer->description : "");
	fputs("    endpoint          ", to);
	text_plain(to, *peer->endpoint ? peer->endpoint : "unknown");
	fputs("\n    allowed IPs       ", to);
	if (!peer->allowed_ips)
		fputs("none", to);
	for (const struct config_prefix *prefix = peer->allowed_ips; prefix; prefix = prefix->next) {
		prefix_to_text(text, &prefix->prefix);
		fprintf(to, "%s%s", text, prefix->next ? ", " : "");
	}
	fputs("\n    latest handshake  ", to);
	if (!peer->handshake) {
		fputs("never\n", to);
	} else {
		/* The handshake appears to be in the future if the clock was set back. */
		text_duration(to, now > peer->handshake ? now - peer->handshake : 0);
		fputs(" ago\n", to);
	}
	fputs("    transfer          ", to);
	text_bytes(to, peer->rx_bytes);
	fputs(" received, ", to);
	text_bytes(to, peer->tx_bytes);
	fputs(" sent\n", to);
	if (peer->keepalive)
		fprintf(to, "    keepalive         every %" PRIu32 " s\n", peer->keepalive);
	if (peer->has_preshared_key)
		fputs("    preshared key     set\n", to);
}

void show_text(FILE *to, const struct show_interface *interface, uint64_t now)
{
	fputs("interface ", to);
	text_plain(to, interface->name);
	fprintf(to, "\n  public key   %s\n", *interface->public_key ? interface->public_key : "none");
	if (interface->port)
		fprintf(to, "  listen port  %" PRIu32 "\n", interface->port);
	if (interface->fwmark)
		fprintf(to, "  fwmark       0x%" PRIx32 "\n", interface->fwmark);
	text_field(to, "  crypto       ", interface->crypto_provider);
	text_field(to, "  TUN backend  ", interface->tun_backend);
	if (interface->workers)
		fprintf(to, "  workers      %" PRIu32 "\n", interface->workers);
	for (const struct show_peer *peer = interface->peers; peer; peer = peer->next)
		text_peer(to, peer, now);
}
