/* SPDX-License-Identifier: MIT */
/*
 * The commands that need no daemon. Each takes its own name as argv[0] and what follows as the rest, writes to the
 * standard streams, and returns the exit code of the program: 0, or 1 with a reason on standard error. Callers have
 * called sodium_init().
 */
#ifndef ADIT_CLI_COMMANDS_H
#define ADIT_CLI_COMMANDS_H

/*
 * `check FILE...`: reads each file as `run` would. Findings go to standard error as "file:line: error|warning: text"; a
 * file without errors gets one line on standard output. 1 when some file has an error; warnings alone give 0.
 */
int command_check(int argc, char **argv);

/* `genkey`: a new private key (X25519, clamped as RFC 7748, section 5 says) in base64 on standard output. */
int command_genkey(int argc, char **argv);
/* `genpsk`: a new preshared key in base64 on standard output. */
int command_genpsk(int argc, char **argv);
/* `pubkey`: reads a private key in base64 from standard input, writes its public key. White space may follow the key.
 */
int command_pubkey(int argc, char **argv);

#endif
