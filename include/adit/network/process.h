/* SPDX-License-Identifier: MIT */
/* Runs another program and waits for it, where the kernel's interface is only usable through a command (nft). */
#ifndef ADIT_NETWORK_PROCESS_H
#define ADIT_NETWORK_PROCESS_H

#include <stddef.h>

enum { PROCESS_OUTPUT = 1024 };

/*
 * Runs argv[0], searched for in PATH, with the `length` bytes of `input` on its standard input. If it does not end
 * within `timeout_ms` milliseconds, kills its process group. `output` receives the beginning of its standard output and
 * error as a string. Returns the exit status (128 plus the signal number, as in a shell, if a signal ended it), or
 * negative errno: -ENOENT: no such program; -ETIMEDOUT.
 */
int process_run(const char *const argv[], const char *input, size_t length, char output[PROCESS_OUTPUT],
				int timeout_ms);

#endif
