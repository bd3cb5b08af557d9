/* SPDX-License-Identifier: MIT */
/*
 * The checksum loop for one vector width. The includer defines LANES, the vector type, and SUM_STEPS, the name of the
 * function. Each width needs its own instance, because GCC keeps vectors that are wider than the registers in memory.
 *
 * A ones' complement sum can be computed with words of any width if no carry is lost. `whole` adds 64-bit lanes and may
 * wrap. `high` adds the upper halves of the lanes and does not wrap. The sum of the lower halves is then exactly
 * `whole - (high << 32)` modulo 2^64. This takes one shift and two additions per vector, and no masks.
 */

/* Returns `sum` plus the sum of `n` bytes, a multiple of one vector, and copies them to `to` if `copy`, a constant. */
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
		atomic_signal_fence(memory_order_acquire); /* keeps GCC from loading v and w once per use */
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
