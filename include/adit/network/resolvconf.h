/* SPDX-License-Identifier: MIT */
/* The name servers in the database of resolvconf(8) that a daemon which no longer runs has left. */
#ifndef ADIT_NETWORK_RESOLVCONF_H
#define ADIT_NETWORK_RESOLVCONF_H

/*
 * Deletes the entry of the interface, under both names that the daemon may have used: that of the interface, and that
 * with the prefix of Debian's resolvconf. An entry that does not exist is no error. The servers in systemd-resolved go
 * with the interface.
 */
void resolvconf_remove(const char *interface);

#endif
