/* SPDX-License-Identifier: MIT */
/* Spelling: finds typing errors in words of which the program knows the correct spelling. Ignores case. */
#ifndef ADIT_BASE_SPELLING_H
#define ADIT_BASE_SPELLING_H

#include <stdbool.h>
#include <stddef.h>

enum { SPELLING_MAX = 31 };

/*
 * Returns the number of letters to insert, delete, replace or swap with their neighbour that turns one word into the
 * other: the optimal string alignment distance. Returns SIZE_MAX if a word has more than SPELLING_MAX letters.
 */
size_t spelling_distance(const char *typed, const char *word);

/*
 * True if `typed` is `word`, which must not be empty, with a typing error, or with two if `word` has more than five
 * letters. The first letter may be missing or swapped with the second, but not replaced: it is rarely wrong, and a
 * short word with another first letter, such as "tun" for "run", is more likely a different word.
 */
bool spelling_resembles(const char *typed, const char *word);

#endif
