/* SPDX-License-Identifier: MIT */
/*
 * Status: reads the document of a host.
 *
 * The host may print more than the document: a login script may print a greeting before it. The document follows the
 * last line that begins with "time=". Another host wrote all of this, so no length and no character is trusted.
 */
#include "status_host.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/json_reader.h"
#include "base/wg_state.h"
#include "remote.h"

enum { STATUS_KEY = 32 }; /* bytes of the name of a member */

static void host_failed(struct status_host *host, const char *format, ...) __attribute__((format(printf, 2, 3)));

static void host_failed(struct status_host *host, const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(host->reason, sizeof host->reason, format, arguments);
	va_end(arguments);
	host->outcome = STATUS_FAILED;
}

/* Returns false if the member is unknown, so that it must be skipped. */
static bool read_wg_value(struct json_reader *reader, struct wg_values *values, const char *key)
{
	char endpoint[2];
	uint64_t keepalive = 0;

	if (strcmp(key, "latest_handshake") == 0)
		json_read_u64(reader, &values->handshake);
	else if (strcmp(key, "transfer_tx") == 0)
		json_read_u64(reader, &values->sent);
	else if (strcmp(key, "persistent_keepalive") == 0)
		values->has_keepalive = json_read_u64(reader, &keepalive) && keepalive;
	else if (strcmp(key, "endpoint") == 0)
		values->has_endpoint = json_read_string(reader, endpoint, sizeof endpoint);
	else
		return false;
	return true;
}

/* A host with an earlier version of adit reports no states. */
static void read_peer(struct json_reader *reader, const struct status_host *host, struct status_peer *peer,
					  bool *has_state)
{
	struct wg_values values = { 0 };
	char key[STATUS_KEY];

	while (json_next_member(reader, key, sizeof key)) {
		if (strcmp(key, "public_key") == 0)
			json_read_string(reader, peer->public_key, sizeof peer->public_key);
		else if (strcmp(key, "name") == 0)
			json_read_string(reader, peer->name, sizeof peer->name);
		else if (strcmp(key, "state") == 0)
			*has_state |= json_read_string(reader, peer->state, sizeof peer->state);
		else if (strcmp(key, "state_reason") == 0)
			json_read_string(reader, peer->reason, sizeof peer->reason);
		else if (strcmp(key, "rtt_ns") == 0)
			json_read_u64(reader, &peer->rtt_ns);
		else if (strcmp(key, "rx_datagrams") == 0)
			json_read_u64(reader, &peer->rx_datagrams);
		else if (strcmp(key, "rx_lost") == 0)
			json_read_u64(reader, &peer->rx_lost);
		else if (!read_wg_value(reader, &values, key))
			json_skip(reader);
	}
	if (!*peer->state)
		snprintf(peer->state, sizeof peer->state, "%s", wg_state_word(&values, host->time));
}

/* Returns the next peer, zeroed, or NULL if there is no memory or the document has too many peers. */
static struct status_peer *add_status_peer(struct status_host *host)
{
	/* The second condition implies the first, which clang-tidy does not see. */
	if (host->peer_count == host->peer_room || !host->peers) {
		size_t room = host->peer_room ? 2 * host->peer_room : 16;
		struct status_peer *larger = NULL;

		if (room <= STATUS_PEERS_MAX)
			larger = realloc(host->peers, room * sizeof *larger);
		if (!larger)
			return NULL;
		host->peers = larger;
		host->peer_room = room;
	}
	host->peers[host->peer_count] = (struct status_peer) { 0 };
	return &host->peers[host->peer_count++];
}

/* Returns false if there is no memory or the document has too many peers. */
static bool read_peers(struct json_reader *reader, struct status_host *host)
{
	bool has_state = false;

	while (json_next_item(reader)) {
		struct status_peer *peer;

		if (!json_enter(reader, '{'))
			continue;
		peer = add_status_peer(host);
		if (!peer)
			return false;
		read_peer(reader, host, peer, &has_state);
	}
	host->is_old = !has_state && host->peer_count;
	return true;
}

static bool read_status_interface(struct json_reader *reader, struct status_host *host)
{
	char key[STATUS_KEY];

	while (json_next_member(reader, key, sizeof key)) {
		if (strcmp(key, "public_key") == 0) {
			json_read_string(reader, host->public_key, sizeof host->public_key);
		} else if (strcmp(key, "peers") == 0 && !host->peers) {
			if (json_enter(reader, '[') && !read_peers(reader, host))
				return false;
		} else {
			json_skip(reader);
		}
	}
	return true;
}

/* The document describes one interface, which was asked for by its name. Returns the number of interfaces, or -1. */
static int read_document(struct json_reader *reader, struct status_host *host)
{
	char key[STATUS_KEY];
	int interfaces = 0;

	if (!json_enter(reader, '{'))
		return -1;
	while (json_next_member(reader, key, sizeof key)) {
		if (strcmp(key, "interfaces") != 0) {
			json_skip(reader);
			continue;
		}
		if (!json_enter(reader, '['))
			continue;
		while (json_next_item(reader)) {
			if (!json_enter(reader, '{'))
				continue;
			if (interfaces++ || !read_status_interface(reader, host))
				return -1;
		}
	}
	return json_reader_done(reader) ? interfaces : -1;
}

/* Returns what follows the last line "time=...", or NULL, and sets the time. */
static const char *find_document(struct status_host *host, const char *text)
{
	static const char mark[] = "time=";
	const char *found = NULL;

	for (const char *line = text; line; line = strchr(line, '\n')) {
		line += *line == '\n';
		if (strncmp(line, mark, sizeof mark - 1) == 0)
			found = line + sizeof mark - 1;
	}
	if (!found)
		return NULL;
	host->time = strtoull(found, NULL, 10);
	found = strchr(found, '\n');
	return found ? found + 1 : NULL;
}

/* Sets the reason why the command failed. An adit without `show --json` complains about its arguments. */
static void explain_failure(struct status_host *host, const struct status_answer *answer)
{
	const char *line = remote_last_line(answer->errors);

	if (answer->status == -ETIMEDOUT)
		host_failed(host, "no answer within %d s", STATUS_TIMEOUT);
	else if (answer->status < 0)
		host_failed(host, "%s", strerror(-answer->status));
	else if (strstr(line, "usage:") || strstr(line, "--help"))
		host_failed(host, "its adit is too old for --status: %s", line);
	else
		host_failed(host, "%s", line);
}

void status_host_read(struct status_host *host, const struct status_answer *answer, const char *interface)
{
	struct json_reader reader;
	const char *document;
	int interfaces;

	host->outcome = STATUS_ANSWERED;
	if (answer->status) {
		explain_failure(host, answer);
		return;
	}
	document = find_document(host, answer->text);
	if (!document) {
		host_failed(host, "adit show printed nothing");
		return;
	}
	json_reader_init(&reader, document, answer->length - (size_t)(document - answer->text));
	interfaces = read_document(&reader, host);
	if (interfaces < 0)
		host_failed(host, "the answer of adit show --json cannot be read");
	else if (!interfaces)
		host_failed(host, "there is no interface %s", interface);
}

void status_host_destroy(struct status_host *host)
{
	free(host->peers);
	*host = (struct status_host) { 0 };
}
