/* SPDX-License-Identifier: MIT */
/* Samples for the tests of top, and the text of a grid. */
#ifndef ADIT_TOP_RIG_H
#define ADIT_TOP_RIG_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "top_layout.h"

enum { WALL = 1700000000 };

/* A sample that was taken `ms` milliseconds after the start of the test. */
static inline struct top_sample sample_at(uint64_t ms)
{
	struct top_sample sample = { .time = (1000000 + ms) * NS_PER_MS, .wall_time = WALL + ms / 1000 };

	snprintf(sample.state.name, sizeof sample.state.name, "site");
	return sample;
}

/* Adds a peer, whose public key begins with `key`. A NULL name is none. */
static inline struct show_peer *add_peer(struct top_sample *sample, const char *key, const char *name, uint64_t rx,
										 uint64_t tx)
{
	struct show_peer *peer = calloc(1, sizeof *peer);

	assert_non_null(peer);
	memset(peer->public_key, 'A', sizeof peer->public_key - 1);
	memcpy(peer->public_key, key, strlen(key));
	peer->name = name ? strdup(name) : NULL;
	peer->rx_bytes = rx;
	peer->tx_bytes = tx;
	peer->next = sample->state.peers; /* in reverse order, because the model must not depend on it */
	sample->state.peers = peer;
	return peer;
}

/* Adds a counter with the values "1" or "1,2,3". */
static inline void add_counter(struct top_sample *sample, const char *name, const char *values)
{
	struct show_counter *counter = calloc(1, sizeof *counter + strlen(name) + 1), **tail = &sample->state.counters;
	char *end = NULL;

	assert_non_null(counter);
	memcpy(counter->name, name, strlen(name) + 1);
	for (;; values = end + 1) {
		assert_uint_in_range(counter->count, 0, SHOW_COUNTER_VALUES - 1);
		counter->values[counter->count++] = strtoull(values, &end, 10);
		if (!*end)
			break;
	}
	while (*tail)
		tail = &(*tail)->next;
	*tail = counter;
}

static inline void update(struct top_model *model, struct top_sample *sample)
{
	assert_int_equal(top_model_update(model, sample), 0);
	assert_null(sample->state.peers);
}

/* The row of a grid as UTF-8, without the blanks at its end. */
static inline const char *grid_row(const struct top_grid *grid, int row)
{
	static char text[4096];
	size_t length = 0;

	for (int i = 0; i < grid->columns; i++) {
		wchar_t character = grid->cells[row * grid->columns + i].character;
		if (character)
			length += (size_t)snprintf(text + length, sizeof text - length, "%lc", (wint_t)character);
	}
	while (length && text[length - 1] == ' ')
		length--;
	text[length] = '\0';
	return text;
}

#endif
