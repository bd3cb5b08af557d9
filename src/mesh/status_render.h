/* SPDX-License-Identifier: MIT */
/* Status: the matrix as text and as a picture. */
#ifndef ADIT_MESH_STATUS_RENDER_H
#define ADIT_MESH_STATUS_RENDER_H

#include <stdio.h>

#include "status_matrix.h"

/*
 * Prints the matrix, the tunnels that are not up, and the totals. With many hosts the matrix would not fit a terminal
 * and is left out.
 */
void status_table(FILE *to, const struct status_matrix *matrix);
/* Draws the matrix as SVG. A tooltip describes each cell. */
void status_svg(FILE *to, const struct status_matrix *matrix);

#endif
