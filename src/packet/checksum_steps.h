/* SPDX-License-Identifier: MIT */
/*
 * The loop of the checksum, for one width of registers: included with LANES, the vector type, and SUM_STEPS, the name
 * of the function. It stands in a file of its own because GCC keeps vectors wider than the registers in memory, so that
 * one body compiled for both widths is slow in one of them.
 *
 * The sum does not care how wide its words are as long as every carry comes back. So the lanes add 64 bits at a time,
 * and their upper halves once more on their own. The lanes wrap, but `whole - (high << 32)` is still the exact sum of
 * the lower halves: one shift and two additions a vector, and nothing to mask.
 */

/* Sums `n` bytes, a multiple of one vector, and copies them if `copy`, a constant where this is inlined. */
static inline __attribute__((always_inline)) uint64_t SUM_STEPS(uint64_t sum, bool copy, uint8_t *restrict to,
																const uint8_t *restrict from, size_t n)
{
	LANES whole[2] = { 0 }, high[2] = { 0 }, v, w;
	size_t pairs = n & ~(2 * sizeof(LANES) - 1);

	for (size_t at = 0; at < pairs; at += 2 * sizeof(LANES)) {
		memcpy(&v, from + at, sizeof v);
		memcpy(&w, from + at + sizeof v, sizeof w);
		if (copy) {
			memcpy(to + at, &v, sizeof v);
			memcpy(to + at + sizeof v, &w, sizeof w);
		}
		atomic_signal_fence(memory_order_acquire); /* or GCC loads v and w twice, once for each use */
		whole[0] += v;
		whole[1] += w;
		high[0] += v >> 32;
		high[1] += w >> 32;
	}
	if (pairs < n) {
		memcpy(&v, from + pairs, sizeof v);
		if (copy)
			memcpy(to + pairs, &v, sizeof v);
		whole[0] += v;
		high[0] += v >> 32;
	}
	whole[0] += whole[1];
	high[0] += high[1];
	whole[0] += high[0] - (high[0] << 32);
	for (size_t i = 0; i < sizeof(LANES) / sizeof sum; i++)
		sum += whole[0][i];
	return sum;
}

#undef LANES
#undef SUM_STEPS
