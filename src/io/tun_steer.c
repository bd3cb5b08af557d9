/* SPDX-License-Identifier: MIT */
/*
 * Steering: an eBPF program (TUNSETSTEERINGEBPF) that chooses the queue of a packet by a hash of its flow.
 *
 * Theory of operation
 *
 * By default the kernel remembers for each flow, in both directions, the queue to which it was last written, and uses
 * that queue for the packets of the flow. On a host that forwards between its peers both directions are written to the
 * TUN, so the queue changes with every write, and packets of one flow overtake each other in two queues. The program
 * instead hashes the addresses and, for TCP and UDP packets that are not fragments, the ports. So a flow always has the
 * same queue.
 *
 * The program copies the headers to its stack with two or three helper calls, because a direct load from the packet
 * (BPF_LD) costs a call each. If a copy would go past the end of the packet, the program ends and the packet goes to
 * queue 0.
 */
#include "tun_steer.h"

#include <errno.h>
#include <linux/bpf.h>
#include <linux/if_tun.h>
#include <netinet/in.h>
#include <stdint.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <unistd.h>

/* Registers that survive calls, and offsets on the program's stack. */
enum { CONTEXT = BPF_REG_6, HASH = BPF_REG_7, PROTOCOL = BPF_REG_8, TRANSPORT = BPF_REG_9 };
enum { IP = -40, PORTS = -48, V4 = 20, V6 = 40 };

/* clang-format off */
#define SET(register, value) { .code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = (register), .imm = (value) }
#define COPY(register, from) { .code = BPF_ALU64 | BPF_MOV | BPF_X, .dst_reg = (register), .src_reg = (from) }
#define ADD(register, value) { .code = BPF_ALU64 | BPF_ADD | BPF_K, .dst_reg = (register), .imm = (value) }
#define ALU(operation, register, value) { .code = BPF_ALU | (operation) | BPF_K, .dst_reg = (register), .imm = (value) }
#define FROM_NETWORK(register, bits) { .code = BPF_ALU | BPF_END | BPF_TO_BE, .dst_reg = (register), .imm = (bits) }
#define READ(register, size, at) \
	{ .code = BPF_LDX | BPF_MEM | (size), .dst_reg = (register), .src_reg = BPF_REG_10, .off = (at) }
#define MIX(at) \
	READ(BPF_REG_0, BPF_W, (at)), { .code = BPF_ALU | BPF_XOR | BPF_X, .dst_reg = HASH, .src_reg = BPF_REG_0 }
#define JUMP_IF(condition, register, value, over) \
	{ .code = BPF_JMP | (condition) | BPF_K, .dst_reg = (register), .imm = (value), .off = (over) }
#define JUMP(over) { .code = BPF_JMP | BPF_JA, .off = (over) }
#define EXIT { .code = BPF_JMP | BPF_EXIT }
/*
 * Copies n bytes of the packet, from the offset in R2, to the stack, or exits with queue 0. In jump offsets FETCH
 * counts as eight instructions and MIX as two.
 */
#define FETCH(n, to) \
	COPY(BPF_REG_1, CONTEXT), COPY(BPF_REG_3, BPF_REG_10), ADD(BPF_REG_3, to), SET(BPF_REG_4, n), \
	{ .code = BPF_JMP | BPF_CALL, .imm = BPF_FUNC_skb_load_bytes }, \
	JUMP_IF(BPF_JEQ, BPF_REG_0, 0, 2), SET(BPF_REG_0, 0), EXIT
/* clang-format on */

static const struct bpf_insn program[] = {
	COPY(CONTEXT, BPF_REG_1),
	SET(BPF_REG_2, 0),
	FETCH(V4, IP),
	READ(TRANSPORT, BPF_B, IP),
	COPY(BPF_REG_0, TRANSPORT),
	ALU(BPF_RSH, BPF_REG_0, 4),
	JUMP_IF(BPF_JEQ, BPF_REG_0, 6, 11),
	/* IPv4 (RFC 791): addresses, protocol, header length; fragments skip the ports */
	READ(HASH, BPF_W, IP + 12),
	MIX(IP + 16),
	READ(PROTOCOL, BPF_B, IP + 9),
	ALU(BPF_AND, TRANSPORT, 15),
	ALU(BPF_LSH, TRANSPORT, 2),
	READ(BPF_REG_0, BPF_H, IP + 6),
	FROM_NETWORK(BPF_REG_0, 16),
	ALU(BPF_AND, BPF_REG_0, 0x3fff),
	JUMP_IF(BPF_JNE, BPF_REG_0, 0, 32),
	JUMP(18),
	/* IPv6 (RFC 8200): the lower half of each address, the next header */
	SET(BPF_REG_2, V4),
	FETCH(V6 - V4, IP + V4),
	READ(HASH, BPF_W, IP + 16),
	MIX(IP + 20),
	MIX(IP + 32),
	MIX(IP + 36),
	READ(PROTOCOL, BPF_B, IP + 6),
	SET(TRANSPORT, V6),
	/* ports */
	JUMP_IF(BPF_JEQ, PROTOCOL, IPPROTO_TCP, 1),
	JUMP_IF(BPF_JNE, PROTOCOL, IPPROTO_UDP, 11),
	COPY(BPF_REG_2, TRANSPORT),
	FETCH(4, PORTS),
	MIX(PORTS),
	/* multiplicative hash: the upper bits of the product are mixed best (Knuth, volume 3, section 6.4) */
	FROM_NETWORK(HASH, 32),
	ALU(BPF_MUL, HASH, (int32_t)0x9e3779b1),
	ALU(BPF_RSH, HASH, 16),
	COPY(BPF_REG_0, HASH),
	EXIT,
};

int tun_steer(int fd)
{
	union bpf_attr load = {
		.prog_type = BPF_PROG_TYPE_SOCKET_FILTER,
		.insns = (uint64_t)(uintptr_t)program,
		.insn_cnt = sizeof program / sizeof program[0],
		.license = (uint64_t)(uintptr_t) "MIT",
	};
	int loaded = (int)syscall(SYS_bpf, BPF_PROG_LOAD, &load, sizeof load), error = 0;

	if (loaded < 0)
		return -errno;
	if (ioctl(fd, TUNSETSTEERINGEBPF, &loaded))
		error = -errno;
	close(loaded); /* the TUN holds a reference */
	return error;
}
