/* SPDX-License-Identifier: MIT */
/* Small files and programs of the host: sysctls, files in /run, programs in PATH. */
#ifndef ADIT_DOCTOR_HOST_FILES_H
#define ADIT_DOCTOR_HOST_FILES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Reads the beginning of a file as a string of at most `room` bytes with its NUL. Returns 0 or a negative errno. */
int host_read_text(const char *path, char *text, size_t room);
/* Reads a decimal number. Returns `missing` if the file cannot be read. */
int64_t host_read_number(const char *path, int64_t missing);
/* Returns a number of /proc/self/status: `field` is such as "CapEff:". Returns 0 if there is no such line. */
uint64_t host_read_status(const char *field, int base);
bool host_has_file(const char *path);
/*
 * Finds a program in PATH. An ordinary user's PATH may lack /usr/sbin and /sbin, which are searched in addition unless
 * the user is root.
 */
bool host_has_program(const char *name);

#endif
