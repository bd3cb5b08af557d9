/* SPDX-License-Identifier: MIT */
/* The state of an interface for people. */
#include <inttypes.h>

#include "show_state.h"

/* What other programs named or said, without what a terminal would obey. */
static void put_plain(FILE *to, const char *text)
{
	for (; *text; text++)
		fputc((unsigned char)*text < ' ' || *text == 127 ? '?' : *text, to);
}

static void put_field(FILE *to, const char *title, const char *value)
{
	if (!*value)
		return;
	fputs(title, to);
	put_plain(to, value);
	fputc('\n', to);
}

static void put_bytes(FILE *to, uint64_t bytes)
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

/* The two largest units of it: "2 h 5 min". */
static void put_duration(FILE *to, uint64_t seconds)
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

/* A clock that was set back may put it ahead of us. */
static void put_handshake(FILE *to, uint64_t handshake, uint64_t now)
{
	fputs("    latest handshake  ", to);
	if (!handshake) {
		fputs("never\n", to);
		return;
	}
	put_duration(to, now > handshake ? now - handshake : 0);
	fputs(" ago\n", to);
}

static void put_allowed_ips(FILE *to, const struct config_prefix *prefix)
{
	char text[PREFIX_TEXT];

	fputs("    allowed IPs       ", to);
	if (!prefix)
		fputs("none", to);
	for (; prefix; prefix = prefix->next) {
		prefix_to_text(text, &prefix->prefix);
		fprintf(to, "%s%s", text, prefix->next ? ", " : "");
	}
	fputc('\n', to);
}

static void put_peer(FILE *to, const struct show_peer *peer, uint64_t now)
{
	fprintf(to, "\n  peer %s\n", peer->public_key);
	fputs("    endpoint          ", to);
	put_plain(to, *peer->endpoint ? peer->endpoint : "unknown");
	fputc('\n', to);
	put_allowed_ips(to, peer->allowed_ips);
	put_handshake(to, peer->handshake, now);
	fputs("    transfer          ", to);
	put_bytes(to, peer->received);
	fputs(" received, ", to);
	put_bytes(to, peer->sent);
	fputs(" sent\n", to);
	if (peer->keepalive)
		fprintf(to, "    keepalive         every %" PRIu32 " s\n", peer->keepalive);
	if (peer->preshared_key)
		fputs("    preshared key     set\n", to);
}

void show_text(FILE *to, const struct show_interface *interface, uint64_t now)
{
	fputs("interface ", to);
	put_plain(to, interface->name);
	fprintf(to, "\n  public key   %s\n", *interface->public_key ? interface->public_key : "none");
	if (interface->port)
		fprintf(to, "  listen port  %" PRIu32 "\n", interface->port);
	if (interface->mark)
		fprintf(to, "  mark         0x%" PRIx32 "\n", interface->mark);
	put_field(to, "  ciphers      ", interface->aead);
	put_field(to, "  backend      ", interface->backend);
	if (interface->workers)
		fprintf(to, "  workers      %" PRIu32 "\n", interface->workers);
	for (const struct show_peer *peer = interface->peers; peer; peer = peer->next)
		put_peer(to, peer, now);
}
