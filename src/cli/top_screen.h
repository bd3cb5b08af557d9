/* SPDX-License-Identifier: MIT */
/* top: the terminal. There is one, and the functions are for one thread. */
#ifndef ADIT_CLI_TOP_SCREEN_H
#define ADIT_CLI_TOP_SCREEN_H

#include "top_grid.h"

struct top_screen {
	/*
	 * Switches the terminal to the screen of the program. Returns 0, or -ENOTSUP if the type of the terminal is
	 * unknown.
	 */
	int (*open)(void);
	/* Restores the terminal. */
	void (*close)(void);
	/* Restores the terminal until `resume`, for a process that is going to stop. */
	void (*suspend)(void);
	/* Switches to the screen again and draws all of it, also after another program has changed the terminal. */
	void (*resume)(void);
	/* Takes over the size of the terminal. */
	void (*resize)(void);
	void (*size)(int *rows, int *columns);
	/* True if the terminal or its locale has only ASCII characters. */
	bool (*is_ascii)(void);
	/* Draws the cells that have changed. The grid has the size of the screen. */
	void (*draw)(const struct top_grid *grid);
	/* Returns the next key that has been pressed, as top_view_key takes it, or TOP_KEY_NONE. Does not wait. */
	unsigned (*key)(void);
};

extern const struct top_screen *const top_screen; /* NULL: this build has no ncurses */

#endif
