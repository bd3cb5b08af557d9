/* SPDX-License-Identifier: MIT */
/*
 * A replacement for libFuzzer: calls a fuzz target with random inputs, which are the same in each run.
 *
 *     fuzz_TARGET [rounds]
 */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

enum { INPUT_MAX = 70000, ROUNDS = 20000 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* xorshift64 */
static uint64_t next_random(uint64_t *state)
{
	*state ^= *state << 13;
	*state ^= *state >> 7;
	*state ^= *state << 17;
	return *state;
}

/* Most inputs are short, some are up to INPUT_MAX bytes long. */
static size_t choose_size(uint64_t *state)
{
	static const size_t limits[] = { 64, 200, 200, 1500, 1500, 1500, 5000, INPUT_MAX };
	size_t limit = limits[(next_random(state) >> 20) % (sizeof limits / sizeof *limits)];

	return (next_random(state) >> 20) % (limit + 1);
}

int main(int argc, char **argv)
{
	long rounds = argc > 1 ? atol(argv[1]) : ROUNDS;
	uint64_t state = UINT64_C(0x243f6a8885a308d3);

	for (long round = 0; round < rounds; round++) {
		size_t size = choose_size(&state);
		uint8_t *data = malloc(size + sizeof state); /* filled by whole words */
		uint8_t *input = malloc(size ? size : 1);

		if (!data || !input)
			return 1;
		for (size_t at = 0; at < size; at += sizeof state) {
			uint64_t word = next_random(&state);

			memcpy(data + at, &word, sizeof word);
		}
		memcpy(input, data, size);
		LLVMFuzzerTestOneInput(input, size);
		free(input);
		free(data);
	}
	return 0;
}
