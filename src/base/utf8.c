/* SPDX-License-Identifier: MIT */
/* UTF-8: checks text byte by byte. */
#include "base/utf8.h"

#include <stddef.h>
#include <string.h>

int utf8_length(const char *text)
{
	static const struct {
		unsigned char first_min, first_max, second_min, second_max; /* ranges of the first and second byte */
		int length;
	} forms[] = {
		{ 0x00, 0x7f, 0x00, 0xff, 1 }, { 0xc2, 0xdf, 0x80, 0xbf, 2 }, { 0xe0, 0xe0, 0xa0, 0xbf, 3 },
		{ 0xe1, 0xec, 0x80, 0xbf, 3 }, { 0xed, 0xed, 0x80, 0x9f, 3 }, { 0xee, 0xef, 0x80, 0xbf, 3 },
		{ 0xf0, 0xf0, 0x90, 0xbf, 4 }, { 0xf1, 0xf3, 0x80, 0xbf, 4 }, { 0xf4, 0xf4, 0x80, 0x8f, 4 },
	};
	const unsigned char *bytes = (const unsigned char *)text;
	size_t form = 0;

	while (form < sizeof forms / sizeof *forms &&
		   (bytes[0] < forms[form].first_min || bytes[0] > forms[form].first_max))
		form++;
	if (form == sizeof forms / sizeof *forms)
		return 0;
	if (forms[form].length > 1 && (bytes[1] < forms[form].second_min || bytes[1] > forms[form].second_max))
		return 0;
	for (int i = 2; i < forms[form].length; i++)
		if ((bytes[i] & 0xc0) != 0x80)
			return 0;
	return forms[form].length;
}

unsigned utf8_code_point(const char *text, int length)
{
	unsigned point = (unsigned char)*text;

	if (length > 1)
		point &= 0xffu >> (length + 1);
	for (int i = 1; i < length; i++)
		point = point << 6 | ((unsigned char)text[i] & 0x3f);
	return point;
}

bool utf8_printable(const char *text)
{
	while (*text) {
		int length = utf8_length(text);
		unsigned point = length ? utf8_code_point(text, length) : 0;

		if (point < 0x20 || (point >= 0x7f && point < 0xa0)) /* invalid, or C0, DEL and C1 */
			return false;
		if (point == 0x200e || point == 0x200f || (point >= 0x2028 && point <= 0x202e) ||
			(point >= 0x2066 && point <= 0x2069))
			return false;
		text += length;
	}
	return true;
}

size_t utf8_mark_length(const char *text, size_t length)
{
	static const char mark[] = { '\xef', '\xbb', '\xbf' };

	return length >= sizeof mark && memcmp(text, mark, sizeof mark) == 0 ? sizeof mark : 0;
}
