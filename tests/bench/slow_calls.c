/* SPDX-License-Identifier: MIT */
/*
 * slow_calls: simulates a machine with slow system calls.
 *
 *     slow_calls NS PROGRAM ARGUMENT...
 *
 * Each system call of the program takes NS nanoseconds longer, which it spends in a seccomp filter that multiplies, and
 * then allows the call. slow_calls measures how long the filter must be. Requests to io_uring do not pass the filter,
 * as they would be no slower on a real machine with slow system calls.
 */
#define _GNU_SOURCE
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { LONGEST = 4000, CALLS = 1000 };

/*
 * The filter reads an argument, because the kernel does not run filters that do not. Each step depends on the previous.
 */
static int install(int steps)
{
	static struct sock_filter filter[LONGEST + 3];
	struct sock_fprog program = { (unsigned short)(steps + 3), filter };

	filter[0] = (struct sock_filter)BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, args[0]));
	for (int i = 1; i <= steps; i++)
		filter[i] = (struct sock_filter)BPF_STMT(BPF_ALU | BPF_MUL | BPF_K, 7);
	filter[steps + 1] = (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, 12345, 0, 0);
	filter[steps + 2] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW);
	return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) || prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program);
}

/* Returns the duration of an empty system call in ns, the shortest of several measurements. */
static double empty_call(void)
{
	double shortest = 1e9;

	for (int round = 0; round < 100; round++) {
		struct timespec begin, end;
		clock_gettime(CLOCK_MONOTONIC, &begin);
		for (int i = 0; i < CALLS; i++)
			syscall(SYS_getppid);
		clock_gettime(CLOCK_MONOTONIC, &end);
		double time = ((end.tv_sec - begin.tv_sec) * 1e9 + end.tv_nsec - begin.tv_nsec) / CALLS;
		shortest = time < shortest ? time : shortest;
	}
	return shortest;
}

/*
 * Returns the ns that the longest filter adds to a system call. A child process measures it, and ends with its filter.
 */
static double longest_filter_adds(double plain)
{
	double with = 0;
	int ends[2];

	if (pipe(ends))
		return 0;
	if (!fork()) {
		if (!install(LONGEST))
			with = empty_call();
		_exit(write(ends[1], &with, sizeof with) != sizeof with);
	}
	wait(NULL);
	return read(ends[0], &with, sizeof with) == sizeof with && with ? with - plain : 0;
}

int main(int argc, char **argv)
{
	double plain = empty_call(), adds = longest_filter_adds(plain), wanted = argc > 2 ? atof(argv[1]) : 0;

	if (argc < 3 || adds <= 0 || wanted < 0 || wanted > adds) {
		fprintf(stderr, "usage: slow_calls NS PROGRAM ARGUMENT...   (NS is at most %.0f on this machine)\n", adds);
		return 1;
	}
	if (install((int)(LONGEST * wanted / adds))) {
		perror("seccomp");
		return 1;
	}
	fprintf(stderr, "empty system call: %.0f ns before, %.0f ns now\n", plain, empty_call());
	execvp(argv[2], argv + 2);
	perror(argv[2]);
	return 1;
}
