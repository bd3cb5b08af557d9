/* SPDX-License-Identifier: MIT */
/*
 * The commands that speak to running daemons over their control sockets. Each takes its own name as argv[0] and what
 * follows as the rest, and returns the exit code of the program: 0, or 1 with a reason on standard error. Callers have
 * called sodium_init().
 */
#ifndef ADIT_CLI_SHOW_H
#define ADIT_CLI_SHOW_H

/*
 * `show [IFNAME] [--json]`: the state of one interface, or of all that have a control socket, those of other
 * implementations too. No private or preshared key is ever written. With --json it is one object:
 *
 *   {"interfaces": [{"name", "public_key", "listen_port", "fwmark", "aead", "backend", "workers", "peers": [
 *   {"public_key", "preshared_key", "endpoint", "allowed_ips", "latest_handshake", "transfer_rx",
 *   "transfer_tx", "persistent_keepalive"}]}]}
 *
 * Keys are in base64, "preshared_key" is true or false, "allowed_ips" an array of "address/length", "latest_handshake"
 * seconds since the epoch, "transfer_*" bytes, "persistent_keepalive" seconds. What is not there is null: the public
 * key of an interface without a private one, an unknown endpoint, a handshake that never was, a keepalive that is off,
 * no port, no mark; "aead" and "backend", the libraries in use, and "workers" of another implementation. Members are
 * added in time, never changed.
 */
int command_show(int argc, char **argv);

/* `reload IFNAME`: the daemon reads its file again (the verb `reload=1`). What it has to say goes to standard error. */
int command_reload(int argc, char **argv);

#endif
