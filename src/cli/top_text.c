/* SPDX-License-Identifier: MIT */
/* top: writes amounts as text. */
#include "top_text.h"

#include <stdio.h>

const char *top_text_number(char text[AMOUNT_TEXT], double number)
{
	static const char prefixes[] = "kMGTPE";
	int prefix = 0, decimals;

	if (number < 0)
		return "-";
	if (number < 999.5) {
		snprintf(text, AMOUNT_TEXT, "%.0f", number);
		return text;
	}
	for (number /= 1000; number >= 999.5 && prefixes[prefix + 1]; prefix++)
		number /= 1000;
	decimals = number < 9.995 ? 2 : number < 99.95 ? 1 : 0;
	snprintf(text, AMOUNT_TEXT, "%.*f%c", decimals, number, prefixes[prefix]);
	return text;
}

const char *top_text_bit_rate(char text[AMOUNT_TEXT], double bytes_per_second)
{
	return bytes_per_second < 0 ? "-" : amount_bit_rate(text, bytes_per_second);
}

const char *top_text_latency(char text[AMOUNT_TEXT], uint64_t nanoseconds)
{
	return nanoseconds ? amount_latency(text, nanoseconds) : "-";
}

const char *top_text_loss(char text[AMOUNT_TEXT], const struct top_peer *peer)
{
	uint64_t lost, sent;

	return top_peer_lost(peer, &lost, &sent) ? amount_percent(text, lost, sent) : "-";
}
