/* SPDX-License-Identifier: MIT */
/* Which queue of a TUN a packet goes to. */
#ifndef ADIT_IO_TUN_STEER_H
#define ADIT_IO_TUN_STEER_H

/*
 * Makes the TUN of `fd`, one of its queues, give each flow to a queue for good. 0; or what bpf(2) or the TUN say, and
 * then the kernel's own way stays (EPERM: no CAP_BPF; ENOSYS; EINVAL: before Linux 4.16).
 */
int tun_steer(int fd);

#endif
