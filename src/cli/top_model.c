/* SPDX-License-Identifier: MIT */
/* top: computes rates from samples, and matches the peers of a sample with those of the sample before. */
#include "top_model.h"

#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"

#define UNKNOWN (-1.0)

/* --- counters ----- */

static_assert((int)TOP_BATCH_BUCKETS == (int)SHOW_COUNTER_VALUES, "a counter has a value for each size of batches");

static const char *const batch_names[TOP_BATCHES] = {
	[TOP_UDP_RECEIVE] = "batch_udp_receive",
	[TOP_TUN_WRITE] = "batch_tun_write",
	[TOP_TUN_READ] = "batch_tun_read",
	[TOP_UDP_SEND] = "batch_udp_send",
};

/* Returns whether the counter is one of batches. */
static bool load_batch(struct top_counters *counters, const struct show_counter *counter)
{
	for (int i = 0; i < TOP_BATCHES; i++) {
		struct top_batch *batch = &counters->batches[i];
		size_t length = strlen(batch_names[i]);
		if (strncmp(counter->name, batch_names[i], length) != 0)
			continue;
		if (!counter->name[length] && counter->count == TOP_BATCH_BUCKETS) {
			memcpy(batch->buckets, counter->values, sizeof batch->buckets);
			batch->reported = true;
		} else if (!strcmp(counter->name + length, "_sum")) {
			batch->packets = counter->values[0];
		}
		return true;
	}
	return false;
}

/* Skips the time of the start, which does not count anything, and counters that this version does not understand. */
static void load_counters(struct top_counters *counters, const struct show_counter *from)
{
	memset(counters, 0, sizeof *counters);
	for (; from; from = from->next) {
		struct top_counter *counter = &counters->list[counters->count];
		size_t length = strlen(from->name);

		if (load_batch(counters, from) || from->count != 1 || length >= sizeof counter->name ||
			(length > 4 && !strcmp(from->name + length - 4, "_sec")))
			continue;
		memcpy(counter->name, from->name, length + 1);
		counter->value = from->values[0];
		counter->rate = UNKNOWN;
		if (++counters->count == TOP_COUNTERS_MAX)
			return;
	}
}

/* Totals that fall belong to another run of the daemon, so nothing is known about the time in between. */
static double rate_between(uint64_t before, uint64_t now, double seconds)
{
	return now >= before && seconds > 0 ? (double)(now - before) / seconds : UNKNOWN;
}

static const struct top_counter *earlier_counter(const struct top_counters *counters, const char *name, unsigned guess)
{
	if (guess < counters->count && !strcmp(counters->list[guess].name, name)) /* the order stays the same */
		return &counters->list[guess];
	for (unsigned i = 0; i < counters->count; i++)
		if (!strcmp(counters->list[i].name, name))
			return &counters->list[i];
	return NULL;
}

static void batch_advance(struct top_batch *batch, const struct top_batch *before)
{
	uint64_t batches = 0;

	if (!batch->reported || !before->reported || batch->packets < before->packets)
		return;
	for (int i = 0; i < TOP_BATCH_BUCKETS; i++)
		if (batch->buckets[i] < before->buckets[i])
			return;
	for (int i = 0; i < TOP_BATCH_BUCKETS; i++) {
		batch->latest[i] = (float)(batch->buckets[i] - before->buckets[i]);
		batches += batch->buckets[i] - before->buckets[i];
	}
	if (batches)
		batch->mean = (double)(batch->packets - before->packets) / (double)batches;
}

/* Computes the rates of `counters` against those of the sample before. Returns the sum over all causes of drops. */
static double counters_advance(struct top_counters *counters, const struct top_counters *before, double seconds)
{
	double dropped = UNKNOWN;

	for (unsigned i = 0; i < counters->count; i++) {
		struct top_counter *counter = &counters->list[i];
		const struct top_counter *earlier = earlier_counter(before, counter->name, i);
		counter->rate = earlier ? rate_between(earlier->value, counter->value, seconds) : UNKNOWN;
		if (counter->rate >= 0 && show_drop_cause(counter->name))
			dropped = (dropped < 0 ? 0 : dropped) + counter->rate;
	}
	for (int i = 0; i < TOP_BATCHES; i++)
		batch_advance(&counters->batches[i], &before->batches[i]);
	return dropped;
}

/* --- peers ----- */

static int compare_keys(const void *left, const void *right)
{
	const struct show_peer *const *a = left, *const *b = right;

	return strcmp((*a)->public_key, (*b)->public_key);
}

static void push_rate(float rates[TOP_HISTORY], double rate)
{
	memmove(rates + 1, rates, (TOP_HISTORY - 1) * sizeof *rates);
	rates[0] = (float)rate;
}

/* Records the totals from which the loss is measured, and keeps the totals before, see `loss`. */
static void peer_mark_loss(struct top_peer *peer)
{
	peer->loss[1] = peer->loss[0];
	peer->loss[0] = (struct top_loss) { peer->state->quality.datagrams, peer->state->quality.lost };
}

/* Moves a peer from one sample to the next, whose peer is `state`. `before` is NULL for a new peer. */
static void peer_update(struct top_peer *peer, const struct show_peer *state, double seconds, bool marks_loss)
{
	const struct show_peer *before = peer->state;

	peer->state = state;
	if (!before || marks_loss)
		peer_mark_loss(peer);
	if (!before) {
		peer_mark_loss(peer);
		peer->received = peer->sent = UNKNOWN;
		return;
	}
	peer->received = rate_between(before->rx_bytes, state->rx_bytes, seconds);
	peer->sent = rate_between(before->tx_bytes, state->tx_bytes, seconds);
	push_rate(peer->receive_rates, peer->received);
	push_rate(peer->send_rates, peer->sent);
	if (peer->filled < TOP_HISTORY)
		peer->filled++;
}

static void peers_free(struct top_peer **peers, size_t count)
{
	for (size_t i = 0; i < count; i++)
		free(peers[i]);
}

/* Returns the peers of a sample, sorted by key, in an array that the caller frees. NULL: no memory. */
static const struct show_peer **sort_sample(const struct show_interface *state, size_t *count)
{
	const struct show_peer **sorted;
	size_t i = 0;

	for (const struct show_peer *peer = state->peers; peer; peer = peer->next)
		i++;
	*count = i;
	sorted = calloc(i + 1, sizeof *sorted);
	if (!sorted)
		return NULL;
	i = 0;
	for (const struct show_peer *peer = state->peers; peer; peer = peer->next)
		sorted[i++] = peer;
	qsort(sorted, i, sizeof *sorted, compare_keys);
	return sorted;
}

/*
 * Replaces the peers of the model by those of a sample. Peers that are in both keep their history. Both lists are
 * sorted by key. Returns 0, or -ENOMEM, after which the caller clears the model.
 */
static int merge_peers(struct top_model *model, const struct show_peer **sorted, size_t count, double seconds)
{
	struct top_peer **peers = calloc(count + 1, sizeof *peers), **before = model->peers;
	bool marks_loss = model->samples % TOP_LOSS_SAMPLES == 0;
	size_t made = 0, old = 0;

	for (; peers && made < count; made++) {
		int order = 1;
		while (old < model->peer_count && (order = compare_keys(&before[old]->state, &sorted[made])) < 0)
			free(before[old++]);
		peers[made] = old < model->peer_count && !order ? before[old++] : calloc(1, sizeof **peers);
		if (!peers[made])
			break;
		peer_update(peers[made], sorted[made], seconds, marks_loss);
	}
	peers_free(before + old, model->peer_count - old);
	model->peers = peers;
	free(before);
	model->peer_count = peers ? made : 0;
	return peers && made == count ? 0 : -ENOMEM;
}

bool top_peer_lost(const struct top_peer *peer, uint64_t *lost, uint64_t *sent)
{
	const struct show_quality *now = &peer->state->quality;
	const struct top_loss *then = &peer->loss[1];

	if (!now->has_datagrams || now->datagrams < then->datagrams || now->lost < then->lost)
		return false;
	*lost = now->lost - then->lost;
	*sent = now->datagrams - then->datagrams + *lost;
	return *sent;
}

/* --- the model ----- */

void top_model_clear(struct top_model *model)
{
	peers_free(model->peers, model->peer_count);
	free(model->peers);
	show_free(&model->state);
	*model = (struct top_model) { .received = UNKNOWN, .sent = UNKNOWN, .dropped = UNKNOWN };
}

static void sum_peers(struct top_model *model)
{
	model->received = model->sent = UNKNOWN;
	model->up_count = 0;
	for (size_t i = 0; i < model->peer_count; i++) {
		struct top_peer *peer = model->peers[i]; /* NOLINT(clang-analyzer-unix.Malloc): of the new array */
		model->up_count += peer->state->state == SHOW_UP;
		if (peer->received >= 0)
			model->received = (model->received < 0 ? 0 : model->received) + peer->received;
		if (peer->sent >= 0)
			model->sent = (model->sent < 0 ? 0 : model->sent) + peer->sent;
	}
	if (model->samples < 2)
		return;
	push_rate(model->receive_rates, model->received);
	push_rate(model->send_rates, model->sent);
	if (model->filled < TOP_HISTORY)
		model->filled++;
}

int top_model_update(struct top_model *model, struct top_sample *sample)
{
	struct top_counters counters;
	double seconds = model->time && sample->time > model->time ? (double)(sample->time - model->time) / NS_PER_S : 0;
	const struct show_peer **sorted;
	size_t count;
	int error;

	if (sample->error) {
		show_free(&sample->state);
		if (sample->error != -EAGAIN)
			top_model_clear(model);
		model->error = sample->error;
		return 0;
	}
	sorted = sort_sample(&sample->state, &count);
	error = sorted ? merge_peers(model, sorted, count, seconds) : -ENOMEM;
	free(sorted);
	if (error) {
		show_free(&sample->state);
		top_model_clear(model);
		return error;
	}
	load_counters(&counters, sample->state.counters);
	model->dropped = counters_advance(&counters, &model->counters, seconds);
	model->counters = counters;
	show_free(&model->state); /* no peer points there any more */
	model->state = sample->state;
	memset(&sample->state, 0, sizeof sample->state);
	model->time = sample->time;
	model->wall_time = sample->wall_time;
	model->error = 0;
	model->samples++;
	sum_peers(model);
	return 0;
}
