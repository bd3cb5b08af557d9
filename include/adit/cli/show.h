/* SPDX-License-Identifier: MIT */
/*
 * Commands that connect to running daemons over their control sockets. Each takes its own name as argv[0] and its
 * arguments after it, and returns the exit code of the program: 0, or 1 after an error message on standard error. The
 * caller has called sodium_init().
 */
#ifndef ADIT_CLI_SHOW_H
#define ADIT_CLI_SHOW_H

/*
 * `show [IFNAME [PEER]] [OPTION]...`: prints the state of one interface, or of every interface with a control socket,
 * including those of other WireGuard implementations. Never prints a private or preshared key. adit(8) describes the
 * options and the formats.
 */
int command_show(int argc, char **argv);

/*
 * `top [IFNAME] [--interval SECONDS]`: shows the peers of an interface and their rates on the terminal until a key or a
 * signal ends it. Needs a terminal and a build with ncurses. Always restores the terminal.
 */
int command_top(int argc, char **argv);

/*
 * `metrics [IFNAME]... [--http] [--peers=off]`: prints the state of the named interfaces, or of every interface with a
 * control socket, as OpenMetrics text. An interface whose daemon does not answer within 2 s has adit_up 0. With --http,
 * answers one HTTP request on standard input and output, as OpenMetrics or as the older text format.
 */
int command_metrics(int argc, char **argv);

/*
 * `reload IFNAME`: makes the daemon read its file again (the verb `reload=1`), and prints the messages of the daemon on
 * standard error.
 */
int command_reload(int argc, char **argv);

/*
 * `log [LEVEL] [IFNAME]`: changes the level of the log of one daemon or of all (the verb `log=1`), until the next
 * reload or start. Without LEVEL prints "IFNAME LEVEL" for each.
 */
int command_log(int argc, char **argv);

/*
 * `stop IFNAME`: makes the daemon end (the verb `stop=1`), whether it was started with a file or without, and returns
 * when the interface is gone.
 */
int command_stop(int argc, char **argv);

/*
 * `down NAME`, where NAME is an interface or NAME.conf: makes a daemon with a file end (the verb `down=1`), prints the
 * commands that it runs meanwhile, and returns when the interface is gone and PostDown has run. Returns 1 if a command
 * fails; if it was one of PreDown, the tunnel stays up.
 */
int command_down(int argc, char **argv);

#endif
