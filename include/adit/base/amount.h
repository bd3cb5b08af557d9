/* SPDX-License-Identifier: MIT */
/* Amounts as text for people: bytes, rates, times and percentages, with three significant digits. */
#ifndef ADIT_BASE_AMOUNT_H
#define ADIT_BASE_AMOUNT_H

#include <stdint.h>

enum { AMOUNT_TEXT = 40 };

/* Each function writes to `text` and returns it. */

/* "1023 B", "5.00 MiB", "1000 GiB": in powers of 1024. */
const char *amount_bytes(char text[AMOUNT_TEXT], uint64_t bytes);
/* "0 bit/s", "12.3 Mbit/s": in powers of 1000, as links are. */
const char *amount_bit_rate(char text[AMOUNT_TEXT], double bytes_per_second);
/* "32 s", "2 h 5 min": the two largest units. */
const char *amount_duration(char text[AMOUNT_TEXT], uint64_t seconds);
/* "32 s", "5 min", "2 h", "300 d": the largest unit. */
const char *amount_age(char text[AMOUNT_TEXT], uint64_t seconds);
/* "850 us", "12.3 ms", "1.20 s". */
const char *amount_latency(char text[AMOUNT_TEXT], uint64_t nanoseconds);
/* "0 %", "<0.01 %", "0.02 %", "12.5 %": the share of `part` in `whole`. */
const char *amount_percent(char text[AMOUNT_TEXT], uint64_t part, uint64_t whole);

#endif
