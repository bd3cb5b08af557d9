/* SPDX-License-Identifier: MIT */
/*
 * The reason of a failure, on its way up to the caller that logs it. A function that can fail for more than one reason
 * takes a struct reason; the lower layers return negative errno as well, so that callers can act on it.
 */
#ifndef ADIT_BASE_REASON_H
#define ADIT_BASE_REASON_H

enum { REASON_BYTES = 256 };

struct reason {
	char text[REASON_BYTES]; /* one line: the object first, then the fact; empty: no reason given */
};

/*
 * Sets the reason to the formatted text, cut to REASON_BYTES, and returns `error`, so that a failing function can end
 * with `return reason_set(reason, -EINVAL, "...");`. `reason` may be NULL. The text carries no secret.
 */
int reason_set(struct reason *reason, int error, const char *format, ...) __attribute__((format(printf, 3, 4)));

/* The same with ": " and the text of the negative errno `error` appended: "address 10.0.0.1/24: File exists". */
int reason_set_errno(struct reason *reason, int error, const char *format, ...) __attribute__((format(printf, 3, 4)));

#endif
