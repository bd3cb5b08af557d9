/* SPDX-License-Identifier: MIT */
/* top: amounts as text, where they may be unknown or must be short. */
#ifndef ADIT_CLI_TOP_TEXT_H
#define ADIT_CLI_TOP_TEXT_H

#include "base/amount.h"
#include "top_model.h"

/* Each function returns a text, which may be in `text`. It returns "-" for an unknown value. */

/* Three digits and a prefix of 1000: "0", "950", "1.23k", "812M". A negative number is unknown. */
const char *top_text_number(char text[AMOUNT_TEXT], double number);
/* As amount_bit_rate. A negative rate is unknown. */
const char *top_text_bit_rate(char text[AMOUNT_TEXT], double bytes_per_second);
/* As amount_latency; 0 is unknown. */
const char *top_text_latency(char text[AMOUNT_TEXT], uint64_t nanoseconds);
/* The share of the peer's datagrams that were lost lately, as amount_percent. */
const char *top_text_loss(char text[AMOUNT_TEXT], const struct top_peer *peer);

#endif
