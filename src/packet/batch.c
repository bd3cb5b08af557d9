/* SPDX-License-Identifier: MIT */
#include "packet/batch.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum {
	ALIGNMENT = 4096,
	HALF_TOTAL = BATCH_HEADROOM + BATCH_HALF + BATCH_TAILROOM,
	LOOK_BACK = 16, /* runs behind the last that are looked at */
};
_Static_assert(BATCH_RUNS < UINT8_MAX, "the number of a run fits its place in `youngest`");

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

size_t batch_free(const struct batch *batch)
{
	return (size_t)BATCH_HALVES * BATCH_HALF - batch->used[0] - batch->used[1];
}

/* How many datagrams of `size` bytes the runs that are left can hold, should none of them join the last one. */
static uint32_t runs_room(const struct batch *batch, size_t size)
{
	uint32_t per_run = (uint32_t)(BATCH_RUN_BYTES / size);

	if (per_run > batch->run_segments)
		per_run = batch->run_segments;
	return (uint32_t)(BATCH_RUNS - batch->runs) * (per_run ? per_run : 1);
}

uint32_t batch_room(struct batch *batch, size_t size)
{
	uint32_t fits = (uint32_t)((BATCH_HALF - batch->used[batch->half]) / size);
	uint32_t runs = runs_room(batch, size);

	if (!fits && !batch->used[!batch->half]) {
		batch->half = !batch->half;
		fits = (uint32_t)(BATCH_HALF / size);
	}
	return fits < runs ? fits : runs;
}

/* True when the datagram in batch_slot lies right behind the run. */
static bool adjacent(const struct batch *batch, const struct batch_run *run)
{
	const struct iovec *last = &run->parts[run->part_count - 1];

	return (uint8_t *)last->iov_base + last->iov_len == batch_slot(batch);
}

static bool joins(const struct batch *batch, const struct batch_run *run, const struct batch_label *label,
				  uint16_t size)
{
	return !run->closed && (size == run->size || (size < run->size && label->flow == run->label.flow)) &&
		   run->count < batch->run_segments && run->bytes + size <= BATCH_RUN_BYTES &&
		   run->label.destination == label->destination && run->label.traffic_class == label->traffic_class &&
		   (run->part_count < BATCH_PARTS || adjacent(batch, run));
}

/*
 * The run that the datagram joins: the last one, also as the shorter tail of its own flow, or else the youngest of its
 * own size that is not older than what its flow has sent already. -1: a run of its own.
 */
static int find_run(const struct batch *batch, const struct batch_label *label, uint16_t size)
{
	int last = batch->runs - 1, oldest = batch->youngest[label->flow % BATCH_FLOWS] - 1;

	if (last >= 0 && joins(batch, &batch->run[last], label, size))
		return last;
	if (oldest < last - LOOK_BACK)
		oldest = last - LOOK_BACK;
	for (int i = last - 1; i >= 0 && i >= oldest; i--)
		if (batch->run[i].size == size && joins(batch, &batch->run[i], label, size))
			return i;
	return -1;
}

static struct batch_run *begin_run(struct batch *batch, const struct batch_label *label, uint16_t size)
{
	struct batch_run *run = &batch->run[batch->runs++];

	run->label = *label;
	run->part_count = 0;
	run->bytes = 0;
	run->count = 0;
	run->size = size;
	return run;
}

void batch_add(struct batch *batch, const struct batch_label *label, uint16_t size)
{
	int at = find_run(batch, label, size);
	struct batch_run *run = at < 0 ? begin_run(batch, label, size) : &batch->run[at];

	if (run->part_count && adjacent(batch, run))
		run->parts[run->part_count - 1].iov_len += size;
	else
		run->parts[run->part_count++] = (struct iovec) { batch_slot(batch), size };
	run->bytes += size;
	run->count++;
	run->closed = size < run->size;
	batch->used[batch->half] += size;
	batch->youngest[label->flow % BATCH_FLOWS] = (uint8_t)(run - batch->run + 1);
}

int batch_full_runs(const struct batch *batch)
{
	const struct batch_run *last = batch->runs ? &batch->run[batch->runs - 1] : NULL;
	bool open =
		last && !last->closed && last->count < batch->run_segments && last->bytes + last->size <= BATCH_RUN_BYTES;

	return batch->runs - open;
}

void batch_run_advance(struct batch_run *run, uint32_t bytes)
{
	int whole = 0;

	run->bytes -= bytes;
	run->count -= (uint16_t)(bytes / run->size);
	while (bytes && bytes >= run->parts[whole].iov_len)
		bytes -= (uint32_t)run->parts[whole++].iov_len;
	run->part_count -= (uint16_t)whole;
	memmove(run->parts, run->parts + whole, run->part_count * sizeof *run->parts);
	run->parts[0].iov_base = (uint8_t *)run->parts[0].iov_base + bytes;
	run->parts[0].iov_len -= bytes;
}

/* True when a datagram that waits to be sent lies in the half. */
static bool in_use(const struct batch *batch, int half)
{
	const uint8_t *first = batch->memory[half];

	for (const struct batch_run *run = batch->run; run < batch->run + batch->runs; run++)
		for (int i = 0; i < run->part_count; i++)
			if ((uint8_t *)run->parts[i].iov_base >= first && (uint8_t *)run->parts[i].iov_base < first + BATCH_HALF)
				return true;
	return false;
}

/* Runs have gone or moved, so `youngest` is told anew: as if every flow had sent in the last of those that are left. */
static void runs_changed(struct batch *batch)
{
	memset(batch->youngest, batch->runs, sizeof batch->youngest);
	for (int half = 0; half < BATCH_HALVES; half++)
		if (!in_use(batch, half))
			batch->used[half] = 0;
	if (!batch->runs)
		batch->half = 0;
}

void batch_sent(struct batch *batch, int count)
{
	batch->runs -= count;
	memmove(batch->run, batch->run + count, (size_t)batch->runs * sizeof *batch->run);
	runs_changed(batch);
}

void batch_forget(struct batch *batch, const void *destination)
{
	int kept = 0;

	for (int i = 0; i < batch->runs; i++)
		if (batch->run[i].label.destination != destination)
			batch->run[kept++] = batch->run[i];
	batch->runs = kept;
	runs_changed(batch);
}
