/* SPDX-License-Identifier: MIT */
/*
 * INI: the folders that the main file includes.
 *
 * The key Include only notes a folder. Its files are read when the main file is complete, because inih cannot parse one
 * file inside another. Their peers follow those of the main file, so "the last one counts" means the included one.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "ini_parser.h"

struct file_names {
	char **list;
	size_t count, room;
};

bool ini_resolve_path(const struct ini_parser *parser, const char *value, char path[PATH_MAX])
{
	const char *file = parser->file ? parser->file->path : parser->name;
	const char *slash = strrchr(file, '/');
	int folder = *value == '/' || !slash ? 0 : (int)(slash + 1 - file);
	int length;

	for (size_t i = 0; value[i]; i++)
		if (value[i] < ' ' || value[i] == 127)
			return false;
	length = snprintf(path, PATH_MAX, "%.*s%s", folder, file, value);
	while (length > 1 && length < PATH_MAX && path[length - 1] == '/')
		path[--length] = '\0';
	return length < PATH_MAX;
}

static struct config_file *new_config_file(const char *folder, const char *name, int line)
{
	size_t room = strlen(folder) + strlen(name) + 2;
	struct config_file *file = malloc(sizeof *file + room);

	if (!file)
		return NULL;
	*file = (struct config_file) { .line = line };
	snprintf(file->path, room, "%s%s%s", folder, *name ? "/" : "", name);
	return file;
}

void ini_add_include(struct ini_parser *parser, const struct ini_key_row *key, const char *value)
{
	struct config_file **tail = &parser->config->includes;
	char path[PATH_MAX];

	if (!ini_resolve_path(parser, value, path)) {
		ini_error(parser, parser->line, "%s: the value is not the path of a folder", key->name);
		return;
	}
	for (; *tail; tail = &(*tail)->next) {
		if (strcmp((*tail)->path, path) == 0) {
			ini_warning(parser, parser->line, "%s: line %d includes the same folder; it is read once", key->name,
						(*tail)->line);
			return;
		}
	}
	*tail = new_config_file(path, "", parser->line);
	if (!*tail)
		parser->status = -ENOMEM;
}

static int file_names_add(struct file_names *names, const char *name)
{
	if (names->count == names->room) {
		size_t room = names->room ? 2 * names->room : 64;
		char **list = reallocarray(names->list, room, sizeof *list);
		if (!list)
			return -ENOMEM;
		names->list = list;
		names->room = room;
	}
	names->list[names->count] = strdup(name);
	return names->list[names->count++] ? 0 : -ENOMEM;
}

static int compare_names(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

/* Lists the files to include, in the order of strcmp(3). Returns 0 or a negative errno. */
static int list_files(DIR *folder, struct file_names *names)
{
	int error;

	for (;;) {
		const struct dirent *entry;

		errno = 0;
		entry = readdir(folder);
		if (!entry)
			break;
		/* Hidden files are those that a program is about to write; backups and files of dpkg end in something else. */
		if (entry->d_name[0] != '.' && ini_stem_length(entry->d_name) && file_names_add(names, entry->d_name))
			return -ENOMEM;
	}
	error = -errno;
	if (names->count)
		qsort(names->list, names->count, sizeof *names->list, compare_names);
	return error;
}

static int read_included(struct ini_parser *parser, const struct config_file *include, int folder, const char *name)
{
	size_t peers = parser->config->peer_count;
	struct config_file *file = new_config_file(include->path, name, include->line);
	int error;

	if (!file)
		return -ENOMEM;
	file->number = parser->file ? parser->file->number + 1 : 1;
	*parser->file_tail = file;
	parser->file_tail = &file->next;
	parser->file = file;
	error = ini_read_file(parser, folder, name);
	if (!error && parser->config->peer_count == peers)
		ini_warning(parser, 0, "the file has no [Peer] section");
	return error == -ENOMEM ? error : 0; /* other errors have been reported */
}

static void report_folder(const struct ini_parser *parser, const struct config_file *include, int error)
{
	if (error == -ENOTDIR || (error == -ENOENT && strchr(include->path, '*')))
		ini_error_in(parser, NULL, include->line,
					 "Include: %s is not a folder; name a folder, and its files *.conf are read", include->path);
	else if (error == -ENOENT)
		ini_error_in(parser, NULL, include->line, "Include: %s: %s; create it with \"mkdir -m 0700 %s\"", include->path,
					 strerror(-error), include->path);
	else
		ini_error_in(parser, NULL, include->line, "Include: %s: %s", include->path, strerror(-error));
}

static int read_folder(struct ini_parser *parser, const struct config_file *include)
{
	DIR *folder = opendir(include->path);
	struct file_names names = { 0 };
	struct stat status;
	int fd, error;

	if (!folder) {
		report_folder(parser, include, -errno);
		return 0;
	}
	parser->file = NULL;
	fd = dirfd(folder);
	if (fd >= 0 && !fstat(fd, &status) && status.st_mode & (S_IWGRP | S_IWOTH))
		ini_exposure(parser, include->line, "Include: the mode %04o of %s lets others add peers; set the mode to 0700",
					 status.st_mode & 07777, include->path);
	error = list_files(folder, &names);
	if (error && error != -ENOMEM) {
		report_folder(parser, include, error);
		error = 0;
	}
	for (size_t i = 0; i < names.count; i++) {
		if (!error)
			error = read_included(parser, include, fd, names.list[i]);
		free(names.list[i]);
	}
	free(names.list);
	closedir(folder);
	return error;
}

int ini_read_includes(struct ini_parser *parser)
{
	int error = 0;

	for (const struct config_file *include = parser->config->includes; include && !error; include = include->next)
		error = read_folder(parser, include);
	parser->file = NULL;
	return error;
}
