/* SPDX-License-Identifier: MIT */
/* The summary of a reload. */
#include "daemon/reload_summary.h"

#include <sodium.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "daemon/hooks.h"
#include "tunnel/peer.h"

enum {
	LISTED_MAX = 10,
	LIST_ROOM = SUMMARY_TEXT - 32, /* the rest is for the number of changes that are not listed */
	CHANGED_MAX = 4,
	CHANGED_TEXT = 240,
};

/* Appends an entry, after a separator if it is not the first. Returns false if `room` bytes cannot hold all of it. */
static bool append_entry(char *list, size_t room, const char *separator, const char *entry)
{
	size_t length = strlen(list);
	int added = snprintf(list + length, room - length, "%s%s", length ? separator : "", entry);

	if (added >= 0 && (size_t)added < room - length)
		return true;
	list[length] = '\0';
	return false;
}

static void summary_add(struct reload_summary *summary, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Appends a change, or counts it if there is no room. */
static void summary_add(struct reload_summary *summary, const char *format, ...)
{
	char change[CHANGED_TEXT + 64];
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(change, sizeof change, format, arguments);
	va_end(arguments);
	if (summary->listed < LISTED_MAX && append_entry(summary->text, LIST_ROOM, ", ", change))
		summary->listed++;
	else
		summary->more++;
}

/* "2 peers added", or "2 added" after another count. */
static void summary_add_count(struct reload_summary *summary, size_t count, const char *verb)
{
	const char *noun = count == 1 ? " peer" : " peers";

	if (count)
		summary_add(summary, "%zu%s %s", count, summary->listed ? "" : noun, verb);
}

/* Writes "alice: Endpoint, AllowedIPs". A peer without a name is "abcd…wxyz". */
static void describe_changes(const struct peer *peer, char text[CHANGED_TEXT])
{
	static const char *const settings[PEER_SETTINGS] = {
		"Name",         "Description", "Endpoint", "AllowedIPs", "PersistentKeepalive",
		"PresharedKey", "Cipher",      "PeerUp",   "PeerDown",
	};
	const char *name = peer->label ? peer->label->name : "", *separator = ": ";
	size_t length;

	if (!*name)
		name = peer_text(peer).text + strlen(peer->device->name) + strlen(": peer ");
	length = (size_t)snprintf(text, CHANGED_TEXT, "%s", name);
	for (int i = 0; i < PEER_SETTINGS; i++) {
		if (!(peer->changed & UINT32_C(1) << i))
			continue;
		length += (size_t)snprintf(text + length, CHANGED_TEXT - length, "%s%s", separator, settings[i]);
		separator = ", ";
	}
}

/* "2 peers changed (alice: Endpoint; bob: Name)", for as many peers as fit. */
static void add_changed_peers(struct reload_summary *summary, const struct device *device)
{
	char list[CHANGED_TEXT] = "", one[CHANGED_TEXT], verb[CHANGED_TEXT + 48];
	size_t changed = 0, described = 0;

	list_for_each (peer, &device->peers, const struct peer, node) {
		if (peer->serial > summary->serial || !peer->changed)
			continue;
		changed++;
		describe_changes(peer, one);
		described += described < CHANGED_MAX && append_entry(list, sizeof list, "; ", one);
	}
	if (described == changed)
		snprintf(verb, sizeof verb, "changed (%s)", list);
	else if (described)
		snprintf(verb, sizeof verb, "changed (%s; and %zu more)", list, changed - described);
	else
		snprintf(verb, sizeof verb, "changed");
	summary_add_count(summary, changed, verb);
}

void summary_start(struct reload_summary *summary, const struct device *device)
{
	*summary = (struct reload_summary) {
		.peer_count = device->peer_count,
		.serial = device->serial,
		.identity = device->identity,
		.listen_port = device->listen_port,
		.mark = device->mark,
		.log_level = log_level(),
	};
}

static void on_network_change(void *context, const char *text, const char *verb)
{
	struct reload_summary *summary = context;

	summary_add(summary, "%s %s", text, verb);
}

void summary_add_network(struct reload_summary *summary, const struct network *network)
{
	network_changes(network, on_network_change, summary);
}

static void add_settings(struct reload_summary *summary, const struct config *before, const struct config *after)
{
	static const char *const peer_hooks[PEER_HOOKS] = { [PEER_HOOK_UP] = "PeerUp", [PEER_HOOK_DOWN] = "PeerDown" };

	if (!config_lines_equal(before->dns_servers, after->dns_servers) ||
		!config_lines_equal(before->dns_search, after->dns_search))
		summary_add(summary, "DNS changed");
	for (int i = 0; i < HOOK_POINTS; i++)
		if (!config_lines_equal(before->hooks[i], after->hooks[i]))
			summary_add(summary, "%s changed", hook_point_name(i));
	for (int i = 0; i < PEER_HOOKS; i++)
		if (!config_lines_equal(before->peer_hooks[i], after->peer_hooks[i]))
			summary_add(summary, "%s changed", peer_hooks[i]);
	if (before->save_config != after->save_config)
		summary_add(summary, "SaveConfig is %s", after->save_config ? "on" : "off");
	if (before->fail_closed != after->fail_closed)
		summary_add(summary, "FailClosed is %s", after->fail_closed ? "on" : "off");
}

void summary_finish(struct reload_summary *summary, const struct device *device, const struct config *before,
					const struct config *after)
{
	char network[SUMMARY_TEXT]; /* the peers come first */
	size_t added = 0, listed = summary->listed, length;

	memcpy(network, summary->text, sizeof network);
	summary->text[0] = '\0';
	summary->listed = 0;
	list_for_each (peer, &device->peers, const struct peer, node)
		added += peer->serial > summary->serial;
	summary_add_count(summary, added, "added");
	summary_add_count(summary, summary->peer_count + added - device->peer_count, "removed");
	add_changed_peers(summary, device);
	if (sodium_memcmp(&summary->identity, &device->identity, sizeof device->identity) != 0)
		summary_add(summary, "PrivateKey changed");
	if (summary->listen_port != device->listen_port)
		summary_add(summary, "ListenPort is %u", device->listen_port);
	if (summary->mark != device->mark)
		summary_add(summary, "FwMark is 0x%x", device->mark);
	if (summary->log_level != log_level())
		summary_add(summary, "LogLevel is %s", log_level_name(log_level()));
	add_settings(summary, before, after);
	sodium_memzero(&summary->identity, sizeof summary->identity);
	if (*network && !append_entry(summary->text, LIST_ROOM, ", ", network))
		summary->more += listed;
	length = strlen(summary->text);
	if (!length)
		snprintf(summary->text, SUMMARY_TEXT, "nothing has changed");
	else if (summary->more)
		snprintf(summary->text + length, SUMMARY_TEXT - length, ", and %zu more", summary->more);
}
