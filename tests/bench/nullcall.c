/* SPDX-License-Identifier: MIT */
/* nullcall: prints the duration of an empty system call in ns, the shortest of several measurements. */
#define _GNU_SOURCE
#include <stdio.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

enum { CALLS = 100000, TRIES = 9 };

static double now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1e9 + t.tv_nsec;
}

int main(void)
{
	double shortest = 1e9;

	for (int i = 0; i < TRIES; i++) {
		double begin = now(), each;

		for (int j = 0; j < CALLS; j++)
			syscall(SYS_getppid);
		each = (now() - begin) / CALLS;
		shortest = each < shortest ? each : shortest;
	}
	printf("%.0f\n", shortest);
	return 0;
}
