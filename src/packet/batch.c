/* SPDX-License-Identifier: MIT */
/* The segment buffer: places sealed datagrams one after the other in memory and assigns each to a run. */
#include "packet/batch.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum {
	ALIGNMENT = 4096,
	HALF_TOTAL = BATCH_HEADROOM + BATCH_HALF + BATCH_TAILROOM,
	LOOK_BACK = 16, /* max runs before the last one that batch_find_run considers */
};

static_assert(BATCH_RUNS < UINT8_MAX, "1 + the index of a run must fit an entry of batch->latest");

int batch_init(struct batch *batch, uint16_t run_segments)
{
	size_t total = (HALF_TOTAL + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;

	*batch = (struct batch) { .run_segments = run_segments };
	for (int i = 0; i < BATCH_HALVES; i++) {
		uint8_t *memory = aligned_alloc(ALIGNMENT, total);

		if (!memory) {
			batch_destroy(batch);
			return -ENOMEM;
		}
		batch->memory[i] = memory + BATCH_HEADROOM;
	}
	return 0;
}

void batch_destroy(struct batch *batch)
{
	for (int i = 0; i < BATCH_HALVES; i++)
		if (batch->memory[i])
			free(batch->memory[i] - BATCH_HEADROOM);
	*batch = (struct batch) { 0 };
}

size_t batch_free_bytes(const struct batch *batch)
{
	return (size_t)BATCH_HALVES * BATCH_HALF - batch->used[0] - batch->used[1];
}

/* --- adding datagrams ----- */

uint32_t batch_room(struct batch *batch, size_t size)
{
	uint32_t in_half = (uint32_t)((BATCH_HALF - batch->used[batch->half]) / size);
	uint32_t per_run = (uint32_t)(BATCH_RUN_BYTES / size), in_runs;

	/* Assume that no datagram joins a run in use. */
	if (per_run > batch->run_segments)
		per_run = batch->run_segments;
	in_runs = (uint32_t)(BATCH_RUNS - batch->run_count) * (per_run ? per_run : 1);
	if (!in_half && !batch->used[!batch->half]) {
		batch->half = !batch->half;
		in_half = (uint32_t)(BATCH_HALF / size);
	}
	return in_half < in_runs ? in_half : in_runs;
}

/* Whether batch_slot is directly after the last byte of the run. */
static bool is_adjacent(const struct batch *batch, const struct batch_run *run)
{
	const struct iovec *last = &run->parts[run->part_count - 1];

	return (uint8_t *)last->iov_base + last->iov_len == batch_slot(batch);
}

/* A shorter datagram closes the run, so it may only join if it belongs to the flow of the first datagram. */
static bool run_accepts(const struct batch *batch, const struct batch_run *run, const struct batch_label *label,
						uint16_t size)
{
	return !run->closed && (size == run->size || (size < run->size && label->flow == run->label.flow)) &&
		   run->count < batch->run_segments && run->bytes + size <= BATCH_RUN_BYTES &&
		   run->label.destination == label->destination && run->label.traffic_class == label->traffic_class &&
		   (run->part_count < BATCH_PARTS || is_adjacent(batch, run));
}

/*
 * Returns the index of the run that the datagram joins, or -1 if it needs a run of its own. The last run is tried
 * first. Older runs must have the same datagram size, and none may be older than the latest run with the datagram's
 * flow.
 */
static int batch_find_run(const struct batch *batch, const struct batch_label *label, uint16_t size)
{
	int last = batch->run_count - 1, oldest = batch->latest[label->flow % BATCH_FLOWS] - 1;

	if (last >= 0 && run_accepts(batch, &batch->runs[last], label, size))
		return last;
	if (oldest < last - LOOK_BACK)
		oldest = last - LOOK_BACK;
	for (int i = last - 1; i >= 0 && i >= oldest; i--)
		if (batch->runs[i].size == size && run_accepts(batch, &batch->runs[i], label, size))
			return i;
	return -1;
}

void batch_add(struct batch *batch, const struct batch_label *label, uint16_t size)
{
	int index = batch_find_run(batch, label, size);
	struct batch_run *run;

	if (index < 0) {
		index = batch->run_count++;
		run = &batch->runs[index];
		run->label = *label;
		run->part_count = 0;
		run->bytes = 0;
		run->count = 0;
		run->size = size;
	} else {
		run = &batch->runs[index];
	}
	if (run->part_count && is_adjacent(batch, run))
		run->parts[run->part_count - 1].iov_len += size;
	else
		run->parts[run->part_count++] = (struct iovec) { batch_slot(batch), size };
	run->bytes += size;
	run->count++;
	run->closed = size < run->size;
	batch->used[batch->half] += size;
	batch->latest[label->flow % BATCH_FLOWS] = (uint8_t)(index + 1);
}

/* --- removing datagrams ----- */

int batch_full_runs(const struct batch *batch)
{
	const struct batch_run *last = batch->run_count ? &batch->runs[batch->run_count - 1] : NULL;
	bool open =
		last && !last->closed && last->count < batch->run_segments && last->bytes + last->size <= BATCH_RUN_BYTES;

	return batch->run_count - open;
}

void batch_run_advance(struct batch_run *run, uint32_t bytes)
{
	int whole = 0; /* parts that have been sent completely */

	run->bytes -= bytes;
	run->count -= (uint16_t)(bytes / run->size);
	while (bytes && bytes >= run->parts[whole].iov_len) {
		bytes -= (uint32_t)run->parts[whole].iov_len;
		whole++;
	}
	run->part_count -= (uint16_t)whole;
	memmove(run->parts, run->parts + whole, run->part_count * sizeof *run->parts);
	run->parts[0].iov_base = (uint8_t *)run->parts[0].iov_base + bytes;
	run->parts[0].iov_len -= bytes;
}

/* Whether any run has a datagram in the half. */
static bool half_in_use(const struct batch *batch, int half)
{
	const uint8_t *first = batch->memory[half];

	for (const struct batch_run *run = batch->runs; run < batch->runs + batch->run_count; run++)
		for (int i = 0; i < run->part_count; i++)
			if ((uint8_t *)run->parts[i].iov_base >= first && (uint8_t *)run->parts[i].iov_base < first + BATCH_HALF)
				return true;
	return false;
}

/*
 * Frees the halves that no run uses. The indices in `latest` are no longer valid, so every flow is recorded in the last
 * remaining run: no flow may then join an older one.
 */
static void runs_removed(struct batch *batch)
{
	memset(batch->latest, batch->run_count, sizeof batch->latest);
	for (int half = 0; half < BATCH_HALVES; half++)
		if (!half_in_use(batch, half))
			batch->used[half] = 0;
	if (!batch->run_count)
		batch->half = 0;
}

void batch_sent(struct batch *batch, int count)
{
	batch->run_count -= count;
	memmove(batch->runs, batch->runs + count, (size_t)batch->run_count * sizeof *batch->runs);
	runs_removed(batch);
}

void batch_forget(struct batch *batch, const void *destination)
{
	int kept = 0;

	for (int i = 0; i < batch->run_count; i++)
		if (batch->runs[i].label.destination != destination)
			batch->runs[kept++] = batch->runs[i];
	batch->run_count = kept;
	runs_removed(batch);
}
