/* SPDX-License-Identifier: MIT */
/* The meaning of the counters that a daemon reports in its answer to `counters=1`. */
#ifndef ADIT_UAPI_COUNTER_MEANING_H
#define ADIT_UAPI_COUNTER_MEANING_H

/*
 * Returns one line for people about the counter `name`, as the daemon sends it, or NULL for the name of another
 * version. The section COUNTERS of adit(8) has the same lines; the test `counter_meaning` compares them.
 */
const char *counter_meaning(const char *name);

#endif
