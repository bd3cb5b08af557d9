/* SPDX-License-Identifier: MIT */
/* Output for people: printable text, its width in columns, and colors. */
#include "base/terminal.h"

#include <locale.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>
#include <wchar.h>

#include "base/utf8.h"

enum {
	CHARACTER_BYTES = UTF8_MAX + 1,
	WORD_BYTES = 512, /* longer words are broken */
	NARROW = 20,      /* columns that a wrapped line has at least, if the terminal has them */
	NARROW_INDENT = 4,
};

/*
 * Copies the first character of the text, or "?" in its place, and returns the number of bytes that it has in `text`.
 * `width` is its number of columns: combining characters have none, those of East Asia have two.
 */
static int next_character(const char *text, char character[CHARACTER_BYTES], int *width)
{
	int length = utf8_length(text);
	mbstate_t state = { 0 };
	wchar_t wide;

	memcpy(character, text, (size_t)length);
	character[length] = '\0';
	if (!length || !utf8_printable(character)) {
		memcpy(character, "?", sizeof "?");
		*width = 1;
		return length ? length : 1;
	}
	*width = 1;
	if (mbrtowc(&wide, character, (size_t)length, &state) == (size_t)length) {
		*width = wcwidth(wide);
		if (*width < 0) /* not in the C library's tables */
			*width = 1;
	}
	return length;
}

void terminal_init(struct terminal *terminal, FILE *to)
{
	const char *no_color = getenv("NO_COLOR"), *type = getenv("TERM"), *wanted = getenv("COLUMNS");
	long columns = wanted ? strtol(wanted, NULL, 10) : 0;
	struct winsize size;

	*terminal = (struct terminal) { .to = to };
	if (columns > 0 && columns < 10000)
		terminal->columns = (int)columns;
	if (isatty(fileno(to))) {
		terminal->can_clear = type && strcmp(type, "dumb") != 0;
		terminal->color = terminal->can_clear && (!no_color || !*no_color);
		if (!terminal->columns && !ioctl(fileno(to), TIOCGWINSZ, &size))
			terminal->columns = size.ws_col;
	}
	setlocale(LC_CTYPE, "C.UTF-8");
}

void terminal_clear(const struct terminal *terminal)
{
	if (terminal->can_clear)
		fputs("\033[H\033[2J", terminal->to);
}

void terminal_style(const struct terminal *terminal, enum terminal_style style)
{
	static const char *const codes[] = {
		[STYLE_PLAIN] = "\033[0m", [STYLE_BOLD] = "\033[1m",     [STYLE_DIM] = "\033[2m",
		[STYLE_GOOD] = "\033[32m", [STYLE_WARNING] = "\033[33m", [STYLE_BAD] = "\033[31m",
	};

	if (terminal->color)
		fputs(codes[style], terminal->to);
}

int terminal_width(const char *text)
{
	char character[CHARACTER_BYTES];
	int total = 0, width;

	while (*text) {
		text += next_character(text, character, &width);
		total += width;
	}
	return total;
}

int terminal_text(const struct terminal *terminal, const char *text, int columns)
{
	bool cut = columns >= 0 && terminal_width(text) > columns;
	int room = cut ? columns - 1 : columns, used = 0, width;
	char character[CHARACTER_BYTES];

	while (*text) {
		text += next_character(text, character, &width);
		if (columns >= 0 && used + width > room)
			break;
		fputs(character, terminal->to);
		used += width;
	}
	if (cut && columns > 0) {
		fputs("\xe2\x80\xa6", terminal->to); /* an ellipsis */
		used++;
	}
	return used;
}

void terminal_blanks(const struct terminal *terminal, int count)
{
	if (count > 0)
		fprintf(terminal->to, "%*s", count, "");
}

void terminal_wrap_word(struct terminal_wrap *wrap, const char *word)
{
	int width = terminal_width(word), indent = wrap->indent;

	if (indent > NARROW_INDENT && wrap->terminal->columns - indent < NARROW)
		indent = NARROW_INDENT;
	if (wrap->has_word && wrap->terminal->columns && wrap->used + 1 + width > wrap->terminal->columns) {
		fputc('\n', wrap->terminal->to);
		terminal_blanks(wrap->terminal, indent);
		wrap->used = indent;
	} else if (wrap->has_word) {
		fputc(' ', wrap->terminal->to);
		wrap->used++;
	}
	terminal_text(wrap->terminal, word, -1);
	wrap->used += width;
	wrap->has_word = true;
}

void terminal_wrap_text(struct terminal_wrap *wrap, const char *text)
{
	char word[WORD_BYTES];

	while (*text) {
		size_t length = strcspn(text, " ");

		if (length >= sizeof word)
			length = sizeof word - 1;
		memcpy(word, text, length);
		word[length] = '\0';
		if (length)
			terminal_wrap_word(wrap, word);
		text += length;
		text += strspn(text, " ");
	}
}
