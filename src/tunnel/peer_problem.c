/* SPDX-License-Identifier: MIT */
/*
 * Peers: their problems.
 *
 * Theory of operation
 *
 * A problem stays until the peer is up again, or until its settings change. One that does not keep the peer from being
 * up ends PROBLEM_LIFETIME after its last report. A less certain problem does not replace a more certain one that was
 * reported recently: that a handshake is not answered follows from most of the others.
 *
 * Each kind is logged once, and again after REPEAT_AFTER or after the peer was up. A packet can cause a report, so
 * workers report once per second and peer at most, and a bucket limits the lines.
 */
#include <arpa/inet.h>
#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/amount.h"
#include "base/clock.h"
#include "base/keytext.h"
#include "crypto/message.h"
#include "tunnel/peer.h"

#define PROBLEM_LIFETIME (180 * NS_PER_S)
#define CERTAIN_TIME (30 * NS_PER_S) /* for which a more certain problem stays */
#define REPEAT_AFTER (600 * NS_PER_S)
#define LINE_INTERVAL (60 * NS_PER_S)
#define RETURN_TIME (80 * NS_PER_S)

enum {
	REPORT_BURST = 4,
	LINE_BURST = 5,
	UNCONFIRMED_MIN = 2, /* responses; one may be lost */
	STALE_MIN = 2,       /* initiations; one may be late */
	RETURNS_MIN = 6,     /* within RETURN_TIME: idle clones with PersistentKeepalive = 25 need 75 s; a host with two
							uplinks changes less often */
};

static const struct {
	enum log_level level;
	uint8_t certainty;
	bool while_up;    /* a handshake does not end it */
	bool path;        /* the peer is not up while it lasts */
	bool unproven;    /* anybody who can forge the sender of a datagram can cause the report */
	const char *text; /* NULL: describe_problem makes it */
} kinds[PROBLEMS] = {
	[PROBLEM_NONE] = { .text = "" },
	[PROBLEM_SILENT] = { .level = LOG_INFO, .certainty = 0, .path = true },
	[PROBLEM_NO_ENDPOINT] = { .level = LOG_INFO, .certainty = 0 },
	[PROBLEM_UNCONFIRMED] = { .level = LOG_INFO, .certainty = 1 },
	[PROBLEM_SEND] = { .level = LOG_INFO, .certainty = 2, .path = true },
	[PROBLEM_UNREACHABLE] = { .level = LOG_INFO, .certainty = 2, .path = true, .unproven = true },
	[PROBLEM_CLOCK] = { .level = LOG_INFO, .certainty = 2 },
	[PROBLEM_SHARED_KEY] = { .level = LOG_WARNING, .certainty = 2, .while_up = true },
	[PROBLEM_INNER_SOURCE] = { .level = LOG_INFO, .certainty = 2, .while_up = true },
	[PROBLEM_LOOP] = { .level = LOG_WARNING, .certainty = 3 },
	[PROBLEM_OWN_ENDPOINT] = { .level = LOG_INFO, .certainty = 3, .unproven = true },
	[PROBLEM_OTHER_KEY] = { .level = LOG_INFO, .certainty = 3, .unproven = true },
	[PROBLEM_WRONG_RECIPIENT] = { .level = LOG_INFO, .certainty = 3, .unproven = true },
	[PROBLEM_PRESHARED_KEY] = { .level = LOG_WARNING,
								.certainty = 3,
								.text = "its answer to our handshake cannot be decrypted: PresharedKey is not the same "
										"at both ends" },
	[PROBLEM_CIPHER] = { .level = LOG_WARNING, .certainty = 3 },
	[PROBLEM_NO_KEY] = { .level = LOG_WARNING, .certainty = 3, .text = "the interface has no private key" },
	[PROBLEM_BAD_KEY] = { .level = LOG_WARNING,
						  .certainty = 3,
						  .text = "its public key is not valid: it is a point of low order" },
};
static_assert(PROBLEMS <= 32, "one bit of problem_state.logged per kind");

/* --- text ----- */

static const char *address_text(char text[INET6_ADDRSTRLEN], const struct problem *problem)
{
	if (!inet_ntop(problem->address_length == 4 ? AF_INET : AF_INET6, problem->address, text, INET6_ADDRSTRLEN))
		*text = '\0';
	return text;
}

/* The subject of the peer's log lines without that of the interface: "peer alice (abcd…wxyz)". */
static const char *name_of(const struct peer *peer)
{
	return peer_text(peer).text + strlen(peer->device->name) + 2;
}

const char *peer_send_error_text(const struct endpoint *endpoint, int error)
{
	const bool v6 = endpoint->to.any.sa_family == AF_INET6;

	switch (error) {
	case EAFNOSUPPORT:
		return v6 ? "this host has no IPv6" : "this host has no IPv4";
	case ENETUNREACH:
	case EHOSTUNREACH:
		return v6 ? "this host has no IPv6 route there" : "this host has no route there";
	case EPERM:
		return "a firewall of this host rejects it";
	case EACCES:
		return "a route or policy of this host prohibits it";
	default:
		return strerror(error);
	}
}

static void describe_unreachable(const struct problem *problem, char text[PROBLEM_TEXT])
{
	char endpoint[ENDPOINT_TEXT], reporter[INET6_ADDRSTRLEN] = "this host";
	const char *why;

	endpoint_text(endpoint, &problem->endpoint);
	if (problem->address_length)
		address_text(reporter, problem);
	switch (problem->error) {
	case ECONNREFUSED:
		snprintf(text, PROBLEM_TEXT,
				 "%s reports that nothing listens at %s: the port is wrong, or no tunnel runs there", reporter,
				 endpoint);
		return;
	case EHOSTUNREACH:
		why = "no host answers there, or a firewall rejects it";
		break;
	case ENETUNREACH:
		why = "no route leads there";
		break;
	case EACCES:
		why = "a firewall prohibits it";
		break;
	default:
		why = strerror(problem->error);
	}
	snprintf(text, PROBLEM_TEXT, "%s reports that %s is unreachable: %s", reporter, endpoint, why);
}

/* NULL: no peer has the inner source in its AllowedIPs. */
static const struct peer *inner_source_owner(const struct device *device, const struct problem *problem)
{
	return peer_of_allowed_ips(problem->address_length == 4
								   ? allowedips_lookup4(&device->allowed_ips, problem->address)
								   : allowedips_lookup6(&device->allowed_ips, problem->address));
}

static void describe_inner_source(const struct peer *peer, const struct problem *problem, char text[PROBLEM_TEXT])
{
	const struct peer *owner = inner_source_owner(peer->device, problem);
	char address[INET6_ADDRSTRLEN];

	snprintf(text, PROBLEM_TEXT, "packets from %s are dropped: the address is not in AllowedIPs of this peer%s%s",
			 address_text(address, problem), owner ? ", but belongs to " : "", owner ? name_of(owner) : "");
}

static void describe_silent(const struct peer *peer, const char *endpoint, char text[PROBLEM_TEXT])
{
	const char *hint = peer->origin == ORIGIN_ROAMED ? " (PersistentKeepalive at its end keeps a NAT open)" : "";

	if (peer->handshake_wall) /* it has answered before */
		snprintf(text, PROBLEM_TEXT,
				 "no answer from %s any more: the peer is off or has moved, its keys have changed, or a firewall or "
				 "NAT blocks it%s",
				 endpoint, hint);
	else
		snprintf(text, PROBLEM_TEXT,
				 "no answer from %s: the endpoint, a firewall%s or a public key at either end may be wrong", endpoint,
				 peer->remote.suite ? ", the Cipher" : "");
}

static void describe_problem(const struct peer *peer, const struct problem *problem, char text[PROBLEM_TEXT])
{
	char endpoint[ENDPOINT_TEXT], other[ENDPOINT_TEXT], key[KEY_BASE64], age[AMOUNT_TEXT];
	const struct device *device = peer->device;

	endpoint_text(endpoint, &problem->endpoint);
	switch (problem->kind) {
	case PROBLEM_SILENT:
		describe_silent(peer, endpoint, text);
		break;
	case PROBLEM_NO_ENDPOINT:
		if (!device->describe_lookup || !device->describe_lookup(device->unanswered_context, peer, text, PROBLEM_TEXT))
			snprintf(text, PROBLEM_TEXT, "no endpoint is set here, and the peer has not sent anything yet");
		break;
	case PROBLEM_UNCONFIRMED:
		snprintf(text, PROBLEM_TEXT,
				 "our answers to its handshakes are not accepted: PresharedKey differs, or they do not reach %s",
				 endpoint);
		break;
	case PROBLEM_SEND:
		snprintf(text, PROBLEM_TEXT, "cannot send to %s: %s", endpoint,
				 peer_send_error_text(&problem->endpoint, problem->error));
		break;
	case PROBLEM_UNREACHABLE:
		describe_unreachable(problem, text);
		break;
	case PROBLEM_CLOCK:
		snprintf(text, PROBLEM_TEXT,
				 "its handshakes are %s older than one before: its clock was set back, or they are replays",
				 amount_duration(age, problem->seconds));
		break;
	case PROBLEM_SHARED_KEY:
		snprintf(text, PROBLEM_TEXT,
				 "its endpoint changes back and forth between %s and %s: two hosts may use the same private key",
				 endpoint_text(other, &peer->problem.former), endpoint_text(endpoint, &peer->endpoint));
		break;
	case PROBLEM_INNER_SOURCE:
		describe_inner_source(peer, problem, text);
		break;
	case PROBLEM_LOOP:
		snprintf(text, PROBLEM_TEXT,
				 "the route to its endpoint %s leads into this tunnel: the host needs another route to it", endpoint);
		break;
	case PROBLEM_OWN_ENDPOINT:
		snprintf(text, PROBLEM_TEXT, "its endpoint %s is this host itself: our handshakes come back", endpoint);
		break;
	case PROBLEM_OTHER_KEY:
		key_to_base64(key, problem->key);
		snprintf(text, PROBLEM_TEXT, "the host at %s uses another public key than is set here: %s", endpoint, key);
		break;
	case PROBLEM_WRONG_RECIPIENT:
		key_to_base64(key, device->identity.public_key);
		snprintf(text, PROBLEM_TEXT, "handshakes from %s are for another public key than that of this interface, %s",
				 endpoint, key);
		break;
	case PROBLEM_CIPHER:
		snprintf(text, PROBLEM_TEXT,
				 "the peer uses another Cipher than %s, which is set here; both ends must set the same",
				 suite_name(peer->remote.suite));
		break;
	default:
		snprintf(text, PROBLEM_TEXT, "%s", kinds[problem->kind].text);
	}
}

bool peer_problem_text(const struct peer *peer, char text[PROBLEM_TEXT], uint64_t now)
{
	const struct problem_state *state = &peer->problem;
	struct problem problem = state->latest;
	const struct peer_facts facts = peer_facts(peer, now);
	const bool has_endpoint = facts.endpoint_known;

	if (peer->device->backend && !peer->device->up && has_endpoint) { /* the state is unreachable for this reason */
		snprintf(text, PROBLEM_TEXT, "the link is down");
		return true;
	}
	if (problem.kind && peer_session(peer, now) && now - state->last > PROBLEM_LIFETIME)
		problem.kind = PROBLEM_NONE;
	if (kinds[problem.kind].path && peer_state_condition(&peer->state, &facts) == PEER_UP)
		problem.kind = PROBLEM_NONE; /* it was repaired without a new session, or one initiation was lost */
	if (problem.kind == PROBLEM_INNER_SOURCE && inner_source_owner(peer->device, &problem) == peer)
		problem.kind = PROBLEM_NONE; /* AllowedIPs of this peer or of another one have changed */
	if (problem.kind == PROBLEM_NO_ENDPOINT && has_endpoint)
		problem.kind = PROBLEM_NONE;
	if (!problem.kind && peer->device->backend && !peer->device->identity.has_key)
		problem.kind = PROBLEM_NO_KEY;
	if (!problem.kind && peer->device->backend && !has_endpoint)
		problem.kind = PROBLEM_NO_ENDPOINT;
	describe_problem(peer, &problem, text);
	return problem.kind;
}

/* --- reports ----- */

static bool may_log(struct problem_state *state, const struct problem *problem, uint64_t now)
{
	const uint32_t bit = UINT32_C(1) << problem->kind;
	bool another = problem->kind == PROBLEM_INNER_SOURCE &&
				   memcmp(problem->address, state->latest.address, sizeof problem->address) != 0;

	if (now - state->logged_at >= REPEAT_AFTER)
		state->logged = 0;
	if ((state->logged & bit && !another) || !token_bucket_take(&state->lines, LINE_BURST, LINE_INTERVAL, now))
		return false;
	if (!state->logged)
		state->logged_at = now;
	state->logged |= bit;
	return true;
}

void peer_report_problem(struct peer *peer, const struct problem *problem, uint64_t now)
{
	struct problem_state *state = &peer->problem;
	const enum problem_kind before = state->latest.kind;
	char text[PROBLEM_TEXT];
	bool logged;

	if (before && now - state->last < CERTAIN_TIME && kinds[problem->kind].certainty < kinds[before].certainty)
		return;
	if (kinds[problem->kind].unproven && !before && peer_session(peer, now))
		return;
	logged = may_log(state, problem, now);
	state->latest = *problem;
	state->last = now;
	if (problem->kind == PROBLEM_CIPHER)
		device_warn(peer->device, WARNING_CIPHER, now + PROBLEM_LIFETIME, now,
					"%s uses another Cipher than is set here", name_of(peer));
	if (!logged)
		return;
	describe_problem(peer, problem, text);
	log_at(kinds[problem->kind].level, peer_text(peer), "%s", text);
}

void peer_post_problem(struct peer *peer, const struct problem *problem, const struct session *in_use, uint64_t now)
{
	struct problem_state *state = &peer->problem;
	unsigned none = POST_NONE;

	if (!token_bucket_take(&state->reports, REPORT_BURST, NS_PER_S, now) ||
		!atomic_compare_exchange_strong(&state->post, &none, POST_WRITING))
		return;
	state->posted = *problem;
	atomic_store_explicit(&state->post, POST_PENDING, memory_order_release);
	peer_post(peer, PEER_EVENT_PROBLEM, in_use, now);
}

void peer_take_problem(struct peer *peer, uint64_t now)
{
	struct problem_state *state = &peer->problem;
	struct problem problem;

	if (atomic_load_explicit(&state->post, memory_order_acquire) != POST_PENDING)
		return;
	problem = state->posted;
	atomic_store_explicit(&state->post, POST_NONE, memory_order_release);
	peer_report_problem(peer, &problem, now);
}

void peer_clear_problem(struct peer *peer)
{
	peer->problem.latest.kind = PROBLEM_NONE;
	peer->problem.logged = 0;
	peer->problem.unconfirmed = peer->problem.stale = peer->problem.returns = 0;
}

void peer_is_up(struct peer *peer)
{
	struct problem_state *state = &peer->problem;

	state->unconfirmed = state->stale = 0;
	device_withdraw_notices(peer->device, &peer->endpoint);
	if (state->latest.kind == PROBLEM_CIPHER)
		device_withdraw_warning(peer->device, WARNING_CIPHER);
	if (kinds[state->latest.kind].while_up)
		return;
	state->latest.kind = PROBLEM_NONE;
	state->logged &= UINT32_C(1) << PROBLEM_SHARED_KEY | UINT32_C(1) << PROBLEM_INNER_SOURCE;
}

/* --- what several messages show ----- */

void peer_answered(struct peer *peer, uint64_t now)
{
	struct problem_state *state = &peer->problem;

	state->stale = 0;
	if (state->unconfirmed)
		device_count(peer->device, COUNT_UNCONFIRMED, 1);
	if (++state->unconfirmed >= UNCONFIRMED_MIN)
		peer_report_problem(peer, &(struct problem) { .kind = PROBLEM_UNCONFIRMED, .endpoint = peer->endpoint }, now);
}

void peer_sent_stale(struct peer *peer, uint64_t now)
{
	if (++peer->problem.stale >= STALE_MIN)
		peer_report_problem(peer, &(struct problem) { .kind = PROBLEM_CLOCK, .seconds = peer->remote.seconds_late },
							now);
}

void peer_moved(struct peer *peer, const struct endpoint *former, uint64_t now)
{
	struct problem_state *state = &peer->problem;
	const bool returned = endpoint_same_remote(&state->former, &peer->last_from);

	if (!endpoint_known(former) || endpoint_same_remote(former, &peer->last_from))
		return;
	state->former = *former;
	if (!returned || now - state->returns_since > RETURN_TIME) {
		state->returns = 0;
		state->returns_since = now;
	} else if (++state->returns >= RETURNS_MIN) {
		peer_report_problem(peer, &(struct problem) { .kind = PROBLEM_SHARED_KEY }, now);
	}
}

void peer_report_unreachable(struct device *device, const struct udp_error *error, uint64_t now)
{
	struct problem problem = { .kind = PROBLEM_UNREACHABLE, .error = error->error, .endpoint = error->to };
	struct peer *peer = peer_find_at(device, &error->to);

	if (!peer)
		return;
	problem.address_length = error->reporter_length;
	memcpy(problem.address, error->reporter, sizeof problem.address);
	peer_report_problem(peer, &problem, now);
	peer_update_state(peer, now);
}

struct peer *peer_find_at(const struct device *device, const struct endpoint *endpoint)
{
	struct peer *only = NULL;
	unsigned count = 0;

	list_for_each (peer, &device->peers, struct peer, node) {
		struct endpoint same_port = peer->endpoint;

		if (!endpoint_known(&peer->endpoint))
			continue;
		if (endpoint_same_remote(&peer->endpoint, endpoint))
			return peer;
		endpoint_set_port(&same_port, endpoint_get_port(endpoint));
		if (endpoint_same_remote(&same_port, endpoint)) {
			only = peer;
			count++;
		}
	}
	return count == 1 ? only : NULL;
}
