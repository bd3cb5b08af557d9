/* SPDX-License-Identifier: MIT */
/* top: numbers as short texts. */
#ifndef ADIT_CLI_TOP_TEXT_H
#define ADIT_CLI_TOP_TEXT_H

#include <stdint.h>

enum { TOP_TEXT = 32 };

/* Each function writes into `text` and returns it. A negative number is unknown and becomes "-". */

/* Three digits and a prefix of 1000: "0", "950", "1.23k", "812M". */
const char *top_text_number(char text[TOP_TEXT], double number);
/* Bytes per second as "1.23 kbit/s". */
const char *top_text_bits(char text[TOP_TEXT], double bytes);
/* "5.00 MiB". */
const char *top_text_bytes(char text[TOP_TEXT], uint64_t bytes);
/* "0.02%", "12%". */
const char *top_text_percent(char text[TOP_TEXT], double percent);
/* Nanoseconds as "12.3 ms" or "1.23 s"; 0 is unknown. */
const char *top_text_time(char text[TOP_TEXT], uint64_t nanoseconds);
/* Seconds in the largest unit that fits: "32 s", "5 min", "3 h", "2 d". */
const char *top_text_age(char text[TOP_TEXT], uint64_t seconds);

#endif
