/* SPDX-License-Identifier: MIT */
/* Spelling: the distance between a word that somebody typed and a word that the program knows. */
#include "base/spelling.h"

#include <ctype.h>
#include <stdint.h>
#include <string.h>
#include <strings.h>

static size_t minimum(size_t a, size_t b)
{
	return a < b ? a : b;
}

static bool same_letter(char a, char b)
{
	return tolower((unsigned char)a) == tolower((unsigned char)b);
}

size_t spelling_distance(const char *typed, const char *word)
{
	size_t rows = strlen(typed), columns = strlen(word);
	size_t distance[SPELLING_MAX + 1][SPELLING_MAX + 1];

	if (rows > SPELLING_MAX || columns > SPELLING_MAX)
		return SIZE_MAX;
	for (size_t i = 0; i <= rows; i++)
		distance[i][0] = i;
	for (size_t j = 0; j <= columns; j++)
		distance[0][j] = j;
	for (size_t i = 1; i <= rows; i++) {
		for (size_t j = 1; j <= columns; j++) {
			size_t replaced = distance[i - 1][j - 1] + !same_letter(typed[i - 1], word[j - 1]);
			distance[i][j] = minimum(replaced, minimum(distance[i - 1][j], distance[i][j - 1]) + 1);
			if (i > 1 && j > 1 && same_letter(typed[i - 1], word[j - 2]) && same_letter(typed[i - 2], word[j - 1]))
				distance[i][j] = minimum(distance[i][j], distance[i - 2][j - 2] + 1);
		}
	}
	return distance[rows][columns];
}

bool spelling_resembles(const char *typed, const char *word)
{
	size_t allowed = strlen(word) > 5 ? 2 : 1;

	if (strcasecmp(typed, word + 1) == 0)
		return true;
	if (!same_letter(typed[0], word[0]) && (!same_letter(typed[0], word[1]) || !same_letter(typed[1], word[0])))
		return false;
	return spelling_distance(typed, word) <= allowed;
}
