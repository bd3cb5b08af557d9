/* SPDX-License-Identifier: MIT */
/* The number of queues that are attached to a TUN device. */
#ifndef ADIT_IO_TUN_QUEUES_H
#define ADIT_IO_TUN_QUEUES_H

/*
 * Returns how many descriptors are attached to the device `name`, of all processes; 0 if the kernel does not report it.
 */
int tun_attached_queues(const char *name);

#endif
