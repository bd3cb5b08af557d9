/* SPDX-License-Identifier: MIT */
/* Allocations that fail on demand. The test program wraps malloc, calloc and realloc. */
#ifndef ADIT_TEST_FAILING_MALLOC_H
#define ADIT_TEST_FAILING_MALLOC_H

#include <stdbool.h>
#include <stddef.h>

static long allocations_left = -1; /* until one fails; -1: none fails */

void *__real_malloc(size_t size);
void *__wrap_malloc(size_t size);
void *__real_calloc(size_t count, size_t size);
void *__wrap_calloc(size_t count, size_t size);
void *__real_realloc(void *memory, size_t size);
void *__wrap_realloc(void *memory, size_t size);

static inline bool allocation_fails(void)
{
	return allocations_left >= 0 && allocations_left-- == 0;
}

void *__wrap_malloc(size_t size)
{
	return allocation_fails() ? NULL : __real_malloc(size);
}

void *__wrap_calloc(size_t count, size_t size)
{
	return allocation_fails() ? NULL : __real_calloc(count, size);
}

void *__wrap_realloc(void *memory, size_t size)
{
	return allocation_fails() ? NULL : __real_realloc(memory, size);
}

#endif
