/* SPDX-License-Identifier: MIT */
/* Steering: which queue of a TUN the kernel uses for a packet. */
#ifndef ADIT_IO_TUN_STEER_H
#define ADIT_IO_TUN_STEER_H

/*
 * Installs the steering program on the device of queue `fd`, after which each flow stays on one queue. Returns 0 or the
 * negative errno of bpf(2) or the TUN (-EPERM: no CAP_BPF; -ENOSYS; -EINVAL: before Linux 4.16). On failure the
 * kernel's default steering remains.
 */
int tun_steer(int fd);

#endif
