/* SPDX-License-Identifier: MIT */
/*
 * Spawns other programs. process_run waits for the end, where the kernel's interface is only usable through a command
 * (nft).
 */
#ifndef ADIT_NETWORK_PROCESS_H
#define ADIT_NETWORK_PROCESS_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

enum { PROCESS_OUTPUT = 1024 };

/*
 * Runs argv[0], searched for in PATH, with the `length` bytes of `input` on its standard input. If it does not end
 * within `timeout_ms` milliseconds, kills its process group. `output` receives the beginning of its standard output and
 * error as a string. Returns the exit status (128 plus the signal number, as in a shell, if a signal ended it), or
 * negative errno: -ENOENT: no such program; -ETIMEDOUT.
 */
int process_run(const char *const argv[], const char *input, size_t length, char output[PROCESS_OUTPUT],
				int timeout_ms);

/* Reports whether PATH has a program of this name that this process may run. */
bool process_program_exists(const char *program);

/*
 * Returns a descriptor from which a program reads the `length` bytes of `input`, or negative errno. It is a memfd
 * instead of a pipe: writing never blocks, and a program that ends early causes no SIGPIPE.
 */
int process_open_input(const char *input, size_t length);

/*
 * Spawns argv[0], searched for in PATH, with `input` as its standard input and `output` as its standard output and
 * error. The child gets its own process group, and does not inherit the signals that this process blocks or ignores.
 * Returns 0 and sets *child, or negative errno: -ENOENT: no such program.
 */
int process_spawn(const char *const argv[], char *const environment[], int input, int output, pid_t *child);

#endif
