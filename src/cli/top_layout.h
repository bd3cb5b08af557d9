/* SPDX-License-Identifier: MIT */
/* top: the whole screen. */
#ifndef ADIT_CLI_TOP_LAYOUT_H
#define ADIT_CLI_TOP_LAYOUT_H

#include "top_pages.h"

/*
 * Fills a blank grid, whatever its size, with the page that the view has chosen, and scrolls the table to the selected
 * peer. A small grid has fewer lines above the table and fewer columns in it.
 */
void top_layout(struct top_grid *grid, const struct top_shown *shown);

#endif
