/* SPDX-License-Identifier: MIT */
/* The hosts file: splits each line into an address and its names. */
#include "daemon/hosts_file.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "io/host_port.h"

static const char blanks[] = " \t\r\n\f\v";

int hosts_file_read(const char *path, void (*handle)(void *context, const char *host, const struct endpoint *address),
					void *context)
{
	FILE *file = fopen(path, "re");
	char *line = NULL;
	size_t size = 0;
	int error = 0;

	if (!file)
		return -errno;
	while (getline(&line, &size, file) > 0) {
		struct endpoint address;
		char *rest = NULL, *word;

		line[strcspn(line, "#")] = '\0';
		word = strtok_r(line, blanks, &rest);
		if (!word || endpoint_numeric(word, NULL, &address) || endpoint_unspecified(&address))
			continue;
		while ((word = strtok_r(NULL, blanks, &rest)))
			handle(context, word, &address);
	}
	if (ferror(file))
		error = -EIO;
	free(line);
	fclose(file);
	return error;
}
