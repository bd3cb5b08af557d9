/* SPDX-License-Identifier: MIT */
/* Lines that the administrator has added to a generated file. */
#include "kept_lines.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <sodium.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include "base/utf8.h"
#include "render.h"

#define BLANKS " \t\r\v\f"

enum line_kind { LINE_OURS, LINE_KEPT, LINE_SECTION_INTERFACE, LINE_SECTION_PEER };

static bool is_generated_comment(const char *line)
{
	static const char *const starts[] = { RENDER_MARK, RENDER_DO_NOT_EDIT, RENDER_LOST, RENDER_FORWARDS,
										  RENDER_NAT,  RENDER_PRIMARY_HUB, RENDER_HUB };

	for (size_t i = 0; i < sizeof starts / sizeof *starts; i++)
		if (strncmp(line, starts[i], strlen(starts[i])) == 0)
			return true;
	return false;
}

/* `line` begins with no blank. */
static enum line_kind classify_kept_line(const char *line, bool in_peer)
{
	static const char *const interface_keys[] = { "PrivateKey", "Address", "ListenPort", "MTU", NULL };
	static const char *const peer_keys[] = { "Name",     "PublicKey",  "PresharedKey",
											 "Endpoint", "AllowedIPs", "PersistentKeepalive",
											 NULL };
	const char *const *key = in_peer ? peer_keys : interface_keys;
	size_t length = strcspn(line, "=");

	if (strncasecmp(line, "[Interface]", 11) == 0)
		return LINE_SECTION_INTERFACE;
	if (strncasecmp(line, "[Peer]", 6) == 0)
		return LINE_SECTION_PEER;
	if (!*line || is_generated_comment(line))
		return LINE_OURS;
	while (length && isspace((unsigned char)line[length - 1]))
		length--;
	while (*key && (strlen(*key) != length || strncasecmp(*key, line, length) != 0))
		key++;
	return *key ? LINE_OURS : LINE_KEPT;
}

static int read_kept_file(struct secret_text *text, const char *path)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	char buffer[4096];
	ssize_t length;
	int error;

	if (fd < 0)
		return -errno;
	do {
		length = read(fd, buffer, sizeof buffer);
		if (length > 0)
			secret_text_append(text, buffer, (size_t)length);
	} while (length > 0 || (length < 0 && errno == EINTR));
	error = length < 0 ? -errno : text->failed ? -ENOMEM : 0;
	sodium_memzero(buffer, sizeof buffer);
	close(fd);
	return error;
}

int kept_lines_read(struct secret_text *kept, const char *path, struct reason *reason)
{
	struct secret_text file = { 0 };
	int error = read_kept_file(&file, path), number = 0;
	bool in_peer = false;
	char *line;

	if (error)
		reason_set_errno(reason, error, "%s", path);
	line = file.bytes ? file.bytes + utf8_mark_length(file.bytes, strlen(file.bytes)) : NULL;
	for (char *next; line && *line && !error; line = next) {
		size_t length = strcspn(line, "\n");
		enum line_kind kind;

		next = line + length + (line[length] == '\n');
		length -= length && line[length - 1] == '\r';
		line[length] = '\0';
		number++;
		kind = classify_kept_line(line + strspn(line, BLANKS), in_peer);
		if (kind == LINE_SECTION_INTERFACE || kind == LINE_SECTION_PEER) {
			in_peer = kind == LINE_SECTION_PEER;
		} else if (kind == LINE_KEPT && in_peer) {
			error =
				reason_set(reason, -EEXIST,
						   "%s:%d: error: adit mesh writes the [Peer] sections and would lose this line; move it to "
						   "[Interface] or delete it",
						   path, number);
		} else if (kind == LINE_KEPT) {
			secret_text_append(kept, line, length);
			secret_text_append(kept, "\n", 1);
		}
	}
	if (!error && kept->failed)
		error = reason_set_errno(reason, -ENOMEM, "%s", path);
	secret_text_destroy(&file);
	return error;
}
