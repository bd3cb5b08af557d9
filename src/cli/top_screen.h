/* SPDX-License-Identifier: MIT */
/* top: the terminal. There is one, and the functions are for one thread. */
#ifndef ADIT_CLI_TOP_SCREEN_H
#define ADIT_CLI_TOP_SCREEN_H

#include "top_grid.h"

/* Whether this build has ncurses. The other functions may only be called if it has. */
bool top_screen_built_in(void);
/* Switches the terminal to the screen of the program. Returns 0, or -ENOTSUP if the type of the terminal is unknown. */
int top_screen_open(void);
/* Restores the terminal. */
void top_screen_close(void);
/* Restores the terminal until top_screen_resume, for a process that is going to stop. */
void top_screen_suspend(void);
/* Switches to the screen again and draws all of it, also after another program has changed the terminal. */
void top_screen_resume(void);
/* Takes over the size of the terminal. */
void top_screen_resize(void);

void top_screen_size(int *rows, int *columns);
/* True if the terminal or its locale has only ASCII characters. */
bool top_screen_is_ascii(void);
/* Draws the cells that have changed. The grid has the size of the screen. */
void top_screen_draw(const struct top_grid *grid);
/* Returns the next key that has been pressed, as top_view_key takes it, or TOP_KEY_NONE. Does not wait. */
unsigned top_screen_key(void);

#endif
