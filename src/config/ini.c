/* SPDX-License-Identifier: MIT */
/*
 * Text to configuration. inih parts each line into key and value; what stands around a line is done here, by the reader
 * that inih calls for its next line: it counts, drops comments, opens sections, and hands on only lines that inih takes
 * as wg(8) means them. All others become findings, and empty lines for inih.
 */
#include "config/ini.h"

#include <errno.h>
#include <ini.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "ini_parser.h"

enum { LINE_ROOM = 65536 };

/* inih's settings are variables of the library. Nothing else in this program uses it, so they are set before each use.
 */
static void inih_configure(void)
{
	/* One buffer of full size on the heap: lines may be long, and a buffer that never moves leaves no copies of keys.
	 */
	ini_use_stack = false;
	ini_initial_alloc = LINE_ROOM;
	ini_max_line = LINE_ROOM;
	ini_allow_realloc = false;

	/* wg-quick indents as it likes, and a ';' parts the commands of a hook. */
	ini_allow_multiline = false;
	ini_start_comment_prefixes = "#";
	ini_allow_inline_comments = false;

	ini_allow_no_value = false;
	ini_stop_on_first_error = false;
}

static struct ini_slice slice_cut(struct ini_slice text, size_t length)
{
	return (struct ini_slice) { text.at, length < text.length ? length : text.length };
}

static struct ini_slice slice_skip(struct ini_slice text, size_t count)
{
	return (struct ini_slice) { text.at + count, text.length - count };
}

/* The place of the first `c`, or the length. */
static size_t slice_find(struct ini_slice text, char c)
{
	const char *found = text.length ? memchr(text.at, c, text.length) : NULL;

	return found ? (size_t)(found - text.at) : text.length;
}

static bool is_blank(char c)
{
	return c == ' ' || (c >= '\t' && c <= '\r');
}

static struct ini_slice slice_trim(struct ini_slice text)
{
	while (text.length && is_blank(text.at[0]))
		text = slice_skip(text, 1);
	while (text.length && is_blank(text.at[text.length - 1]))
		text.length--;
	return text;
}

static bool slice_is(struct ini_slice text, const char *word)
{
	return text.length == strlen(word) && strncasecmp(text.at, word, text.length) == 0;
}

static struct ini_slice take_line(struct ini_parser *parser)
{
	struct ini_slice line = slice_cut(parser->rest, slice_find(parser->rest, '\n'));
	size_t used = line.length < parser->rest.length ? line.length + 1 : line.length;

	parser->rest = slice_skip(parser->rest, used);
	parser->line++;
	return line;
}

/* A '#' begins a comment anywhere, but not in the value of a hook, as it may stand in a shell command. */
static struct ini_slice strip_comment(struct ini_slice line)
{
	struct ini_slice name = slice_trim(slice_cut(line, slice_find(line, '=')));

	return ini_key_is_hook(name) ? line : slice_cut(line, slice_find(line, '#'));
}

/* The next line without blanks around it and without comment. */
static struct ini_slice take_text(struct ini_parser *parser)
{
	struct ini_slice line = take_line(parser);

	if (memchr(line.at, '\0', line.length)) {
		ini_error(parser, parser->line, "a NUL byte; the file must be plain text (ASCII or UTF-8)");
		return slice_cut(line, 0);
	}
	return slice_trim(strip_comment(line));
}

static void open_interface(struct ini_parser *parser)
{
	parser->section = SECTION_INTERFACE;
	if (parser->interface_line)
		ini_warning(parser, parser->line, "a second [Interface], the first is in line %d; they count as one",
					parser->interface_line);
	else
		parser->interface_line = parser->line;
}

static void open_peer(struct ini_parser *parser)
{
	struct config_peer *peer = calloc(1, sizeof *peer);

	if (!peer) {
		parser->status = -ENOMEM;
		return;
	}
	peer->line = parser->line;
	*parser->peer_tail = peer;
	parser->peer_tail = &peer->next;
	parser->config->peer_count++;

	parser->section = SECTION_PEER;
	parser->peer = peer;
	parser->allowed_ip_tail = &peer->allowed_ips;
	ini_key_forget(parser, SECTION_PEER);
}

static void close_section(struct ini_parser *parser)
{
	if (parser->section == SECTION_PEER && !parser->said[KEY_PUBLIC_KEY])
		ini_error(parser, parser->peer->line, "a [Peer] without a PublicKey; each needs one");
}

static void open_section(struct ini_parser *parser, struct ini_slice line)
{
	close_section(parser);
	/* The keys of a section that nobody knows are passed over: one finding is enough. */
	parser->section = SECTION_UNKNOWN;
	if (slice_is(line, "[Interface]"))
		open_interface(parser);
	else if (slice_is(line, "[Peer]"))
		open_peer(parser);
	else
		ini_error(parser, parser->line, "unknown section; there are [Interface] and [Peer]");
}

/* False when inih shall not see the line; what is wrong with it has been reported then. */
static bool line_accepted(struct ini_parser *parser, struct ini_slice line)
{
	size_t separator = slice_find(slice_cut(line, slice_find(line, '=')), ':');

	if (line.length && line.at[0] == '[') {
		open_section(parser, line);
		return parser->section != SECTION_UNKNOWN;
	}
	if (!line.length || parser->section == SECTION_UNKNOWN)
		return false;
	if (line.length >= LINE_ROOM) {
		ini_error(parser, parser->line,
				  "a line of more than %d bytes; a list may go on in a second line of the same key", LINE_ROOM - 1);
		return false;
	}
	/* inih would take ':' for '='. */
	if (separator == line.length || line.at[separator] == ':') {
		ini_error(parser, parser->line, "neither 'Key = value' nor '[Section]' nor '# comment'");
		return false;
	}
	if (parser->section == SECTION_NONE) {
		ini_error(parser, parser->line, "a key before any section; [Interface] or [Peer] goes first");
		return false;
	}
	return true;
}

/* An ini_reader. inih asks for lines one by one, so parser->line is right when inih calls handle_pair for this line. */
static char *next_line(char *buffer, int room, void *stream)
{
	struct ini_parser *parser = stream;
	struct ini_slice line;

	if (parser->status || !parser->rest.length) {
		/* The last time that inih shows its buffer: it frees it without wiping the keys. */
		sodium_memzero(buffer, (size_t)room);
		return NULL;
	}
	line = take_text(parser);
	if (!line_accepted(parser, line))
		line.length = 0;
	memcpy(buffer, line.at, line.length);
	buffer[line.length] = '\0';
	return buffer;
}

/* An ini_handler. inih's own idea of the section does not tell one [Peer] from the next. */
static int handle_pair(void *user, const char *section, const char *name, const char *value)
{
	ini_key_read(user, name, value);
	return 1;
}

static struct ini_slice skip_byte_order_mark(struct ini_slice text)
{
	bool marked = text.length >= 3 && memcmp(text.at, "\xef\xbb\xbf", 3) == 0;

	return marked ? slice_skip(text, 3) : text;
}

static int check_end(struct ini_parser *parser)
{
	close_section(parser);
	if (!parser->interface_line)
		ini_error(parser, 0, "no [Interface] section; it needs one, with a PrivateKey");
	else if (!parser->said[KEY_PRIVATE_KEY])
		ini_error(parser, parser->interface_line, "an [Interface] without a PrivateKey; it needs one");
	return ini_check(parser);
}

int ini_parse_config(struct config *config, const char *name, const char *text, size_t length,
					 struct ini_report *report)
{
	struct ini_parser parser = {
		.config = config,
		.report = report,
		.name = name,
		.rest = { text, length },
		.address_tail = &config->addresses,
		.peer_tail = &config->peers,
	};
	int errors_before = report->errors;
	int status;

	parser.rest = skip_byte_order_mark(parser.rest);
	inih_configure();
	if (ini_parse_stream(next_line, &parser, handle_pair, &parser) == -2)
		return -ENOMEM;
	status = parser.status ? parser.status : check_end(&parser);
	if (status)
		return status;
	return report->errors > errors_before ? -EINVAL : 0;
}
