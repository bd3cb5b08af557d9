/* SPDX-License-Identifier: MIT */
/* QR codes on a terminal. */
#ifndef ADIT_CLI_QR_H
#define ADIT_CLI_QR_H

#include <stdbool.h>

#include "new_file.h"

/* Whether this build has libqrencode. */
bool qr_built_in(void);
/*
 * Prints the text as a QR code on standard output, two rows of it per line. Returns 0; -EFBIG if the text is too long;
 * -ENOSYS; or -EIO.
 */
int qr_print(const struct text *text);

#endif
