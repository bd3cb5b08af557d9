/* SPDX-License-Identifier: MIT */
/* Running another program to its end, for the few things that have no interface but a command. */
#ifndef ADIT_NETWORK_PROCESS_H
#define ADIT_NETWORK_PROCESS_H

#include <stddef.h>

enum { PROCESS_OUTPUT = 1024 };

/*
 * Runs argv[0], looked for in PATH, with `input` (`length` bytes) on its standard input, and waits for it `timeout_ms`
 * milliseconds at most; then its process group is killed. The head of what it wrote to standard output and error stands
 * in `output` as a string. Returns its exit status (128 and the signal when one ended it, as a shell says), or negative
 * errno: -ENOENT no such program, -ETIMEDOUT.
 */
int process_run(const char *const argv[], const char *input, size_t length, char output[PROCESS_OUTPUT],
				int timeout_ms);

#endif
