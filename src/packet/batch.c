#include "batch.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum { ALIGNMENT = 4096, HALF_TOTAL = BATCH_BEFORE + BATCH_HALF + BATCH_BEHIND };

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
		batch->memory[i] = memory + BATCH_BEFORE;
	}
	return 0;
}

void batch_destroy(struct batch *batch)
{
	for (int i = 0; i < BATCH_HALVES; i++)
		if (batch->memory[i])
			free(batch->memory[i] - BATCH_BEFORE);
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

static bool joins(const struct batch *batch, const struct batch_run *run, struct batch_label label, uint16_t size)
{
	return !run->closed && size <= run->size && run->count < batch->run_segments &&
		   run->bytes + size <= BATCH_RUN_BYTES && run->label.destination == label.destination &&
		   run->label.traffic_class == label.traffic_class && run->data + run->bytes == batch_slot(batch);
}

void batch_add(struct batch *batch, struct batch_label label, uint16_t size)
{
	struct batch_run *run = batch->runs ? &batch->run[batch->runs - 1] : NULL;

	if (!run || !joins(batch, run, label, size)) {
		run = &batch->run[batch->runs++];
		*run = (struct batch_run) { .label = label, .data = batch_slot(batch), .size = size };
	}
	run->bytes += size;
	run->count++;
	run->closed = size < run->size;
	batch->used[batch->half] += size;
}

void batch_sent(struct batch *batch, int count)
{
	batch->runs -= count;
	if (batch->runs) {
		memmove(batch->run, batch->run + count, (size_t)batch->runs * sizeof *batch->run);
		return;
	}
	batch->used[0] = batch->used[1] = 0;
	batch->half = 0;
}

void batch_forget(struct batch *batch, const void *destination)
{
	int kept = 0;

	for (int i = 0; i < batch->runs; i++)
		if (batch->run[i].label.destination != destination)
			batch->run[kept++] = batch->run[i];
	batch->runs = kept;
	if (!kept)
		batch_sent(batch, 0);
}
