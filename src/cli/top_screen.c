/* SPDX-License-Identifier: MIT */
/* top: draws on a terminal with ncurses. */
#include "top_screen.h"

#include <errno.h>
#include <stddef.h>

#include "top_view.h"

#ifdef ADIT_NCURSES

#define NCURSES_WIDECHAR 1
#include <langinfo.h>
#include <locale.h>
#include <ncurses.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

enum { ESCAPE_MS = 100 }; /* after which Escape is a key, and not the beginning of one; ssh needs some time */
enum { CONTROL_H = 8, TAB = 9, CONTROL_L = 12, ESCAPE = 27, DELETE = 127 };

static SCREEN *screen;
static bool is_ascii;
static attr_t styles[TOP_STYLES];

static bool top_screen_is_ascii(void)
{
	return is_ascii;
}

/* The names of the colours of ncurses mean what the user has set for the terminal. */
static void init_styles(void)
{
	static const struct {
		enum top_style style;
		short colour;
	} colours[] = {
		{ TOP_GOOD, COLOR_GREEN }, { TOP_WARN, COLOR_YELLOW }, { TOP_BAD, COLOR_RED }, { TOP_GRAPH, COLOR_CYAN }
	};
	const char *no_color = getenv("NO_COLOR");

	styles[TOP_BOLD] = styles[TOP_WARN] = styles[TOP_BAD] = A_BOLD;
	styles[TOP_BAR] = A_REVERSE;
	styles[TOP_SELECTED] = A_REVERSE | A_BOLD;
	if ((no_color && *no_color) || !has_colors() || start_color() == ERR)
		return;
	use_default_colors();
	for (size_t i = 0; i < sizeof colours / sizeof *colours; i++) {
		short pair = (short)(i + 1);
		if (init_pair(pair, colours[i].colour, -1) == OK)
			styles[colours[i].style] |= (attr_t)COLOR_PAIR(pair);
	}
}

static int top_screen_open(void)
{
	const char *type = getenv("TERM");

	setlocale(LC_CTYPE, "");
	/* The fonts of the Linux console have few block characters. */
	is_ascii = strcmp(nl_langinfo(CODESET), "UTF-8") != 0 || (type && !strcmp(type, "linux"));
	screen = newterm(NULL, stdout, stdin);
	if (!screen)
		return -ENOTSUP;
	if (!tigetstr("cup")) { /* this terminal cannot move its cursor */
		reset_shell_mode();
		delscreen(screen);
		return -ENOTSUP;
	}
	set_escdelay(ESCAPE_MS);
	cbreak();
	noecho();
	nonl(); /* so that Enter differs from Ctrl-J */
	keypad(stdscr, TRUE);
	nodelay(stdscr, TRUE);
	curs_set(0);
	init_styles();
	return 0;
}

static void top_screen_close(void)
{
	endwin();
	delscreen(screen);
}

static void top_screen_suspend(void)
{
	endwin();
}

static void top_screen_resume(void)
{
	endwin(); /* makes the next refresh set the modes of the terminal */
	clearok(curscr, TRUE);
	refresh();
}

static void top_screen_resize(void)
{
	struct winsize size;

	if (!ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) && size.ws_row && size.ws_col)
		resizeterm(size.ws_row, size.ws_col);
}

static void top_screen_size(int *rows, int *columns)
{
	getmaxyx(stdscr, *rows, *columns);
}

/* Draws the cells of one style from `column` on. Returns the column after them. */
static int screen_put_run(const struct top_grid *grid, int row, int column)
{
	const struct top_cell *cells = &grid->cells[(size_t)row * (size_t)grid->columns];
	unsigned char style = cells[column].style;

	attrset((int)styles[style]);
	move(row, column);
	for (; column < grid->columns && cells[column].style == style; column++)
		if (cells[column].character)
			addnwstr(&cells[column].character, 1);
	return column;
}

static void top_screen_draw(const struct top_grid *grid)
{
	int rows, columns;

	getmaxyx(stdscr, rows, columns);
	if (rows != grid->rows || columns != grid->columns)
		return;
	for (int row = 0; row < rows; row++)
		for (int column = 0; column < columns;)
			column = screen_put_run(grid, row, column);
	refresh();
}

/* Returns TOP_KEY_NONE for a key that has no meaning here. */
static unsigned function_key(wint_t code)
{
	switch (code) {
	case KEY_UP:
		return TOP_KEY_UP;
	case KEY_DOWN:
		return TOP_KEY_DOWN;
	case KEY_PPAGE:
		return TOP_KEY_PAGE_UP;
	case KEY_NPAGE:
		return TOP_KEY_PAGE_DOWN;
	case KEY_HOME:
		return TOP_KEY_HOME;
	case KEY_END:
		return TOP_KEY_END;
	case KEY_ENTER:
		return TOP_KEY_ENTER;
	case KEY_BACKSPACE:
		return TOP_KEY_BACKSPACE;
	case KEY_BTAB:
		return TOP_KEY_BACK_TAB;
	default:
		return TOP_KEY_NONE;
	}
}

static unsigned character_key(wint_t code)
{
	switch (code) {
	case '\r':
	case '\n':
		return TOP_KEY_ENTER;
	case CONTROL_H:
	case DELETE:
		return TOP_KEY_BACKSPACE;
	case TAB:
		return TOP_KEY_TAB;
	case CONTROL_L:
		return TOP_KEY_REDRAW;
	case ESCAPE:
		return TOP_KEY_ESCAPE;
	default:
		return code;
	}
}

static unsigned top_screen_key(void)
{
	for (;;) {
		wint_t code;
		int kind = get_wch(&code);
		unsigned key;

		if (kind == ERR)
			return TOP_KEY_NONE;
		key = kind == KEY_CODE_YES ? function_key(code) : character_key(code);
		if (key != TOP_KEY_NONE)
			return key;
	}
}

static const struct top_screen ncurses_screen = {
	.open = top_screen_open,
	.close = top_screen_close,
	.suspend = top_screen_suspend,
	.resume = top_screen_resume,
	.resize = top_screen_resize,
	.size = top_screen_size,
	.is_ascii = top_screen_is_ascii,
	.draw = top_screen_draw,
	.key = top_screen_key,
};
const struct top_screen *const top_screen = &ncurses_screen;

#else

const struct top_screen *const top_screen = NULL;

#endif
