/*
 * Theory of operation
 *
 * The kernel remembers for each flow, both directions taken as one, by which queue it was written last, and gives its
 * packets to that queue. Where both directions enter by the TUN, as on a host that forwards between its peers, that
 * changes with every write, and packets of one flow pass each other in two queues. So a program of a few instructions
 * (eBPF, TUNSETSTEERINGEBPF) takes the place of that: the queue is a hash of the addresses and, of TCP and UDP packets
 * that are not fragments, the ports, always the same.
 *
 * A load past the end of the packet ends the program, and the packet goes to queue 0.
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

/* The program's registers beside R0, into which packets are loaded. */
enum { CONTEXT = BPF_REG_6, HASH = BPF_REG_7, PROTOCOL = BPF_REG_8, TRANSPORT = BPF_REG_9 };

/* clang-format off */
#define LOAD(size, at) { .code = BPF_LD | BPF_ABS | (size), .imm = (at) }
#define LOAD_TRANSPORT(size) { .code = BPF_LD | BPF_IND | (size), .src_reg = TRANSPORT }
#define SET(register, value) { .code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = (register), .imm = (value) }
#define COPY(register, from) { .code = BPF_ALU64 | BPF_MOV | BPF_X, .dst_reg = (register), .src_reg = (from) }
#define ALU(operation, register, value) { .code = BPF_ALU | (operation) | BPF_K, .dst_reg = (register), .imm = (value) }
#define MIX_IN { .code = BPF_ALU | BPF_XOR | BPF_X, .dst_reg = HASH, .src_reg = BPF_REG_0 }
#define JUMP_IF(condition, register, value, over) \
	{ .code = BPF_JMP | (condition) | BPF_K, .dst_reg = (register), .imm = (value), .off = (over) }
#define JUMP(over) { .code = BPF_JMP | BPF_JA, .off = (over) }
#define EXIT { .code = BPF_JMP | BPF_EXIT }
/* clang-format on */

static const struct bpf_insn program[] = {
	COPY(CONTEXT, BPF_REG_1),
	LOAD(BPF_B, 0),
	COPY(TRANSPORT, BPF_REG_0),
	ALU(BPF_RSH, BPF_REG_0, 4),
	JUMP_IF(BPF_JEQ, BPF_REG_0, 6, 12),
	/* IPv4 (RFC 791): addresses, protocol, the header's length; of a fragment no ports */
	LOAD(BPF_W, 12),
	COPY(HASH, BPF_REG_0),
	LOAD(BPF_W, 16),
	MIX_IN,
	LOAD(BPF_B, 9),
	COPY(PROTOCOL, BPF_REG_0),
	ALU(BPF_AND, TRANSPORT, 15),
	ALU(BPF_LSH, TRANSPORT, 2),
	LOAD(BPF_H, 6),
	ALU(BPF_AND, BPF_REG_0, 0x3fff),
	JUMP_IF(BPF_JNE, BPF_REG_0, 0, 16),
	JUMP(11),
	/* IPv6 (RFC 8200): the lower halves of the addresses, the next header */
	LOAD(BPF_W, 16),
	COPY(HASH, BPF_REG_0),
	LOAD(BPF_W, 20),
	MIX_IN,
	LOAD(BPF_W, 32),
	MIX_IN,
	LOAD(BPF_W, 36),
	MIX_IN,
	LOAD(BPF_B, 6),
	COPY(PROTOCOL, BPF_REG_0),
	SET(TRANSPORT, 40),
	/* ports */
	JUMP_IF(BPF_JEQ, PROTOCOL, IPPROTO_TCP, 1),
	JUMP_IF(BPF_JNE, PROTOCOL, IPPROTO_UDP, 2),
	LOAD_TRANSPORT(BPF_W),
	MIX_IN,
	/* the upper half of a product is the best mixed (Knuth, volume 3, section 6.4) */
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
	close(loaded); /* the TUN holds it from here on */
	return error;
}
