/* SPDX-License-Identifier: MIT */
/*
 * The warnings of a network. There is one text of each kind at a time. The owner of the network is notified of each
 * change, and the log receives each text once.
 *
 * A look compares the host with the desired state. A warning that a look reports is withdrawn after the first look that
 * does not report it again. A change of the configuration counts as a look.
 */
#ifndef ADIT_NETWORK_WARNINGS_H
#define ADIT_NETWORK_WARNINGS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/reason.h"

/* What `adit show` should warn of. There is one warning of each kind at a time. */
enum network_warning {
	NETWORK_LEFT_OUT, /* a part of the network was left out, or cannot be repaired */
	NETWORK_CONFLICT, /* a route, rule or address of another program takes traffic from the tunnel */
	NETWORK_WARNINGS
};

/* Notify the owner of a network. */
struct network_callbacks {
	/* There is another warning of this kind. NULL: there is none any more. */
	void (*warning)(void *context, enum network_warning kind, const char *text);
	/* Another program keeps changing the network. */
	void (*contested)(void *context);
	void *context;
};

enum { NETWORK_WARNINGS_REMEMBERED = 64 };

/* One kind. */
struct network_warning_state {
	struct reason text; /* empty: no warning */
	bool reported;      /* in this look */
	bool of_last_look;  /* the last look has reported it */
};

/* The texts of one kind that the log has received. */
struct network_warnings_logged {
	uint64_t hashes[NETWORK_WARNINGS_REMEMBERED]; /* the oldest is replaced */
	size_t count;
};

/* Zeroed memory with the first two: no warnings. */
struct network_warnings {
	const char *interface; /* its name, for the log */
	const struct network_callbacks *callbacks;
	struct network_warning_state current[NETWORK_WARNINGS];
	struct network_warning_state before[NETWORK_WARNINGS]; /* a change that can still be refused */
	struct network_warnings_logged logged[NETWORK_WARNINGS];
};

/* Sets and logs a warning that looks do not report: it stays until the next change or network_warnings_withdraw. */
void network_warnings_set(struct network_warnings *warnings, enum network_warning kind, const char *text);
/* Reports a warning of this look. Of several of one kind, the last one is kept. */
void network_warnings_report(struct network_warnings *warnings, enum network_warning kind, const char *text);
/* Withdraws a warning, because its cause is gone. If it occurs again, it is logged again. */
void network_warnings_withdraw(struct network_warnings *warnings, enum network_warning kind);

void network_warnings_begin_look(struct network_warnings *warnings);
/* `left_out`: looks skip parts of the network that were left out, so the warning of them stays. */
void network_warnings_end_look(struct network_warnings *warnings, bool left_out);
/* Returns whether the last look has reported a warning. */
bool network_warnings_stand(const struct network_warnings *warnings);

/* Begins a look without warnings, because a change of the configuration reports its own. */
void network_warnings_begin_change(struct network_warnings *warnings);
/* Restores the warnings from before the change, which was refused. */
void network_warnings_restore(struct network_warnings *warnings);

#endif
