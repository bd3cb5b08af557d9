/* SPDX-License-Identifier: MIT */
/* Runs adit mesh in the current folder, which belongs to the test. */
#ifndef ADIT_TEST_MESH_RIG_H
#define ADIT_TEST_MESH_RIG_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "mesh/mesh.h"

struct outcome {
	int code;
	char output[16384], errors[4096];
};

static inline void write_text(const char *path, const char *text)
{
	FILE *file = fopen(path, "w");

	assert_non_null(file);
	assert_true(fputs(text, file) >= 0);
	assert_int_equal(fclose(file), 0);
}

static inline char *read_text(const char *path, char *text, size_t room)
{
	FILE *file = fopen(path, "r");

	if (!file)
		fail_msg("%s: %s", path, strerror(errno));
	text[fread(text, 1, room - 1, file)] = '\0';
	fclose(file);
	return text;
}

static inline void redirect(int fd, const char *path)
{
	int file = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);

	if (file < 0 || dup2(file, fd) < 0)
		_exit(100);
}

/* Runs `adit mesh` in a process of its own. Its output goes to files in the current folder. */
static inline struct outcome run_command_mesh(char **argv)
{
	struct outcome outcome;
	int argc = 0, status;
	pid_t child;

	while (argv[argc])
		argc++;
	fflush(NULL);
	child = fork();
	if (child == 0) {
		redirect(STDOUT_FILENO, "stdout");
		redirect(STDERR_FILENO, "stderr");
		status = command_mesh(argc, argv);
		fflush(NULL);
		_exit(status);
	}
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_true(WIFEXITED(status));
	outcome.code = WEXITSTATUS(status);
	read_text("stdout", outcome.output, sizeof outcome.output);
	read_text("stderr", outcome.errors, sizeof outcome.errors);
	return outcome;
}

static inline int remove_entry(const char *path, const struct stat *status, int type, struct FTW *position)
{
	return remove(path);
}

#endif
