/* SPDX-License-Identifier: MIT */
/*
 * Commands that need no daemon. Each takes its own name as argv[0] and its arguments after it, writes to the standard
 * streams, and returns the exit code of the program: 0, or 1 after an error message on standard error. The caller has
 * called sodium_init().
 */
#ifndef ADIT_CLI_COMMANDS_H
#define ADIT_CLI_COMMANDS_H

/*
 * `check [--strict] FILE...`: parses each file as `run` would. With --strict, a file with keys that others can read is
 * an error. Findings go to standard error as "file:line: error|warning: text", and a file without errors gets one line
 * on standard output. Returns 1 if any file has an error; warnings do not count.
 */
int command_check(int argc, char **argv);

/*
 * `init FILE --address LIST [OPTION]...`: writes a new configuration file with a new private key, and an empty folder
 * for the files of peers beside it. Prints the public key, and on standard error what to do next.
 */
int command_init(int argc, char **argv);

/*
 * `peer add FILE NAME [OPTION]...`, `peer remove FILE NAME` and `peer list FILE`: edit the folder that FILE includes,
 * and make a running daemon read it again. If the reload fails, the folder is restored. `add` prints the peer's own
 * configuration file, which contains its private key.
 */
int command_peer(int argc, char **argv);

/*
 * `monitor [IFNAME] [--json]`: prints events, one per line, until the end of the daemon of IFNAME; without IFNAME,
 * those of all daemons without end. A closed standard output ends it, too.
 */
int command_monitor(int argc, char **argv);

/* `genkey`: prints a new private key in base64 (X25519, clamped; RFC 7748, section 5). */
int command_genkey(int argc, char **argv);
/* `genpsk`: prints a new preshared key in base64. */
int command_genpsk(int argc, char **argv);
/*
 * `pubkey`: reads a private key in base64 from standard input, with or without white space after it, and prints its
 * public key.
 */
int command_pubkey(int argc, char **argv);

#endif
