/* SPDX-License-Identifier: MIT */
/*
 * INI: turns text into a configuration.
 *
 * inih splits a line into key and value. Everything around that happens in the reader function that inih calls for its
 * next line: it counts lines, strips comments and blanks and opens sections, because inih cannot distinguish two [Peer]
 * sections. inih sees only the lines that it reads as wg(8) does; any other line becomes a finding, and inih gets an
 * empty line instead.
 *
 * Like wg(8), the reader removes blanks anywhere in a line, so "[ Peer ]", "Public Key" and "192.0.2.1 : 51820" are
 * valid. It keeps those in the values of lists and hooks, where wg-quick(8) gives them a meaning.
 */
#include "config/ini.h"

#include <ctype.h>
#include <errno.h>
#include <ini.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#include "base/spelling.h"
#include "base/utf8.h"
#include "ini_parser.h"

enum { LINE_ROOM_MIN = 256 };

static struct ini_slice slice_skip(struct ini_slice text, size_t count)
{
	return (struct ini_slice) { text.at + count, text.length - count };
}

struct ini_slice ini_slice_before(struct ini_slice text, char c)
{
	const char *found = text.length ? memchr(text.at, c, text.length) : NULL;

	return (struct ini_slice) { text.at, found ? (size_t)(found - text.at) : text.length };
}

bool ini_is_blank(char c)
{
	return c == ' ' || (c >= '\t' && c <= '\r');
}

struct ini_slice ini_slice_trim(struct ini_slice text)
{
	while (text.length && ini_is_blank(text.at[0]))
		text = slice_skip(text, 1);
	while (text.length && ini_is_blank(text.at[text.length - 1]))
		text.length--;
	return text;
}

bool ini_slice_is(struct ini_slice text, const char *word)
{
	for (size_t i = 0; i < text.length; i++) {
		if (ini_is_blank(text.at[i]))
			continue;
		if (tolower((unsigned char)text.at[i]) != tolower((unsigned char)*word))
			return false;
		word++;
	}
	return !*word;
}

/* Returns the next line without its comment and without the blanks around it. */
static struct ini_slice next_text(struct ini_parser *parser)
{
	struct ini_slice line = ini_slice_before(parser->rest, '\n'), bare;
	bool newline = line.length < parser->rest.length;

	parser->rest = slice_skip(parser->rest, line.length + newline);
	parser->line++;
	if (memchr(line.at, '\0', line.length)) {
		if (!parser->has_nul) /* in a file in UTF-16, each line does */
			ini_error(parser, parser->line,
					  "the line contains a NUL byte; the file must be plain text (ASCII or UTF-8)");
		parser->has_nul = true;
		return (struct ini_slice) { line.at, 0 };
	}
	/* A '#' starts a comment anywhere, except in the value of a hook: a shell command may contain it. */
	bare = ini_slice_before(line, '#');
	if (bare.length < line.length && !ini_key_is_hook(ini_slice_trim(ini_slice_before(line, '='))))
		line = bare;
	return ini_slice_trim(line);
}

static void open_peer(struct ini_parser *parser)
{
	struct config_peer *peer = calloc(1, sizeof *peer);

	if (!peer) {
		parser->status = -ENOMEM;
		return;
	}
	peer->line = parser->line;
	peer->file = parser->file;
	*parser->peer_tail = peer;
	parser->peer_tail = &peer->next;
	parser->config->peer_count++;

	parser->section = SECTION_PEER;
	parser->peer = peer;
	parser->allowed_ip_tail = &peer->allowed_ips;
	ini_key_reset(parser, SECTION_PEER);
}

static void close_section(struct ini_parser *parser)
{
	char title[INI_TITLE];

	if (parser->section != SECTION_PEER)
		return;
	ini_make_label(parser);
	if (!parser->key_line[KEY_PUBLIC_KEY])
		ini_error(parser, parser->peer->line, "%s: PublicKey is missing", ini_peer_title(title, parser->peer));
}

/* Quotes only a title that is near a known one, because other text may contain a key. */
static void report_unknown_section(const struct ini_parser *parser, struct ini_slice line)
{
	static const char *const titles[] = { "[Interface]", "[Peer]" };
	char text[SPELLING_MAX + 1], quoted[INI_QUOTE];
	size_t length = 0;

	for (size_t i = 0; i < line.length && length < SPELLING_MAX; i++)
		if (!ini_is_blank(line.at[i]))
			text[length++] = line.at[i];
	text[length] = '\0';
	for (size_t i = 0; i < sizeof titles / sizeof *titles; i++) {
		if (spelling_resembles(text, titles[i])) {
			ini_error(parser, parser->line, "unknown section %s; did you mean %s?", ini_quote_word(quoted, text),
					  titles[i]);
			return;
		}
	}
	ini_error(parser, parser->line, "unknown section; the sections are [Interface] and [Peer]");
}

static void open_section(struct ini_parser *parser, struct ini_slice line)
{
	close_section(parser);
	/* The keys of an unknown section are skipped, because one finding is enough. */
	parser->section = SECTION_UNKNOWN;
	if (ini_slice_is(line, "[Interface]") && parser->file) {
		ini_error(parser, parser->line, "[Interface]: an included file may contain only [Peer] sections");
	} else if (ini_slice_is(line, "[Interface]")) {
		parser->section = SECTION_INTERFACE;
		if (parser->interface_line)
			ini_warning(parser, parser->line, "[Interface]: already opened on line %d; both sections are merged",
						parser->interface_line);
		else
			parser->interface_line = parser->line;
	} else if (ini_slice_is(line, "[Peer]")) {
		open_peer(parser);
	} else {
		report_unknown_section(parser, line);
	}
}

/* Returns true if inih may see the line. If the line is wrong, this function has reported it. */
static bool line_accepted(struct ini_parser *parser, struct ini_slice line)
{
	size_t separator = ini_slice_before(ini_slice_before(line, '='), ':').length;

	if (line.length && line.at[0] == '[') {
		open_section(parser, line);
		return parser->section != SECTION_UNKNOWN;
	}
	if (!line.length || parser->section == SECTION_UNKNOWN)
		return false;
	/* inih would accept ':' in place of '='. */
	if (separator == line.length || line.at[separator] == ':') {
		ini_error(parser, parser->line, "the line is not \"Key = value\", \"[Section]\" or \"# comment\"");
		return false;
	}
	if (parser->section == SECTION_NONE) {
		ini_error(parser, parser->line, "the line is outside any section; put %s[Peer] above it",
				  parser->file ? "" : "[Interface] or ");
		return false;
	}
	return true;
}

/* An ini_reader. inih handles each line before it asks for the next, so parser->line is right in handle_pair. */
static char *next_line(char *buffer, int room, void *stream)
{
	struct ini_parser *parser = stream;
	struct ini_slice line, name;
	bool whole_value;
	char *end = buffer;

	if (parser->status || !parser->rest.length) {
		/* Our last chance to wipe the keys: inih frees the buffer without wiping it. */
		sodium_memzero(buffer, (size_t)room);
		return NULL;
	}
	line = next_text(parser);
	if (!line_accepted(parser, line))
		line.length = 0;
	/* Leave out the blanks that have no meaning. The copy is no longer than the line. */
	name = ini_slice_before(line, '=');
	whole_value = ini_key_keeps_blanks(name);
	for (size_t i = 0; i < line.length; i++) {
		if (!ini_is_blank(line.at[i]) || (whole_value && i > name.length))
			*end++ = line.at[i];
	}
	*end = '\0';
	return buffer;
}

/* An ini_handler. */
static int handle_pair(void *user, const char *section, const char *name, const char *value)
{
	ini_key_read(user, name, value);
	return 1;
}

/* inih keeps its settings in global variables. Nothing else in this program uses inih, but set them before each use. */
static void inih_configure(struct ini_slice text)
{
	size_t room = LINE_ROOM_MIN; /* for the longest line, its newline, which is not copied, and a NUL */

	while (text.length) {
		size_t length = ini_slice_before(text, '\n').length;
		if (room < length + 2)
			room = length + 2;
		text = slice_skip(text, length + (length < text.length));
	}
	/* One heap buffer that never grows: growing would leave keys in freed memory. */
	ini_use_stack = false;
	ini_initial_alloc = (int)room;
	ini_max_line = (int)room;
	ini_allow_realloc = false;

	/* As in wg-quick(8), lines may be indented, and ';' starts no comment: it separates the commands of a hook. */
	ini_allow_multiline = false;
	ini_start_comment_prefixes = "#";
	ini_allow_inline_comments = false;

	ini_allow_no_value = false;
	ini_stop_on_first_error = false;
}

void ini_parser_init(struct ini_parser *parser, struct config *config, const char *name, struct ini_report *report)
{
	*parser = (struct ini_parser) {
		.config = config,
		.report = report,
		.name = name,
		.file_tail = &config->files,
		.address_tail = &config->addresses,
		.peer_tail = &config->peers,
	};
}

int ini_parse_text(struct ini_parser *parser, const char *text, size_t length)
{
	parser->rest = (struct ini_slice) { text, length };
	parser->rest = slice_skip(parser->rest, utf8_mark_length(text, length));
	parser->line = 0;
	parser->section = SECTION_NONE;
	parser->has_nul = false;
	inih_configure(parser->rest);
	if (ini_parse_stream(next_line, parser, handle_pair, parser) == -2)
		return -ENOMEM;
	close_section(parser);
	return parser->status;
}

int ini_finish(struct ini_parser *parser)
{
	if (!parser->interface_line)
		ini_error(parser, 0, "[Interface]: the section is missing; it is required");
	else if (!parser->key_line[KEY_PRIVATE_KEY] && !parser->key_line[KEY_PRIVATE_KEY_FILE])
		ini_warning(parser, parser->interface_line,
					"[Interface]: PrivateKey is missing; the tunnel is unusable until wg(8) sets one");
	return ini_check(parser);
}

int ini_parse_config(struct config *config, const char *name, const char *text, size_t length,
					 struct ini_report *report)
{
	struct ini_parser parser;
	int earlier_errors = report->errors;
	int error;

	ini_parser_init(&parser, config, name, report);
	error = ini_parse_text(&parser, text, length);
	if (!error)
		error = ini_finish(&parser);
	if (error)
		return error;
	return report->errors > earlier_errors ? -EINVAL : 0;
}
