/* SPDX-License-Identifier: MIT */
/*
 * Commands that need no daemon. Each takes its own name as argv[0] and its arguments after it, writes to the standard
 * streams, and returns the exit code of the program: 0, or 1 after an error message on standard error. The caller has
 * called sodium_init().
 */
#ifndef ADIT_CLI_COMMANDS_H
#define ADIT_CLI_COMMANDS_H

/*
 * `check FILE...`: parses each file as `run` would. Findings go to standard error as "file:line: error|warning: text",
 * and a file without errors gets one line on standard output. Returns 1 if any file has an error; warnings do not
 * count.
 */
int command_check(int argc, char **argv);

/* `genkey`: prints a new private key in base64 (X25519, clamped; RFC 7748, section 5). */
int command_genkey(int argc, char **argv);
/* `genpsk`: prints a new preshared key in base64. */
int command_genpsk(int argc, char **argv);
/* `pubkey`: reads a private key in base64 from standard input, with or without white space after it, and prints its
 * public key. */
int command_pubkey(int argc, char **argv);

#endif
