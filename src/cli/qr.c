/* SPDX-License-Identifier: MIT */
/* QR codes on a terminal, made of half blocks in UTF-8. */
#include "qr.h"

#include <errno.h>
#include <stdio.h>
#include <unistd.h>

#ifdef ADIT_QRENCODE

#include <qrencode.h>
#include <sodium.h>

enum { QR_MARGIN = 4 }; /* modules; ISO/IEC 18004 requires 4 */

/* True for a light module. Everything outside of the code is its margin. */
static bool is_light(const QRcode *code, int row, int column)
{
	if (row < 0 || column < 0 || row >= code->width || column >= code->width)
		return true;
	return !(code->data[row * code->width + column] & 1);
}

bool qr_built_in(void)
{
	return true;
}

int qr_print(const struct text *text)
{
	static const char *const blocks[] = { " ", "▄", "▀", "█" };
	/* White on black, whatever the colours of the terminal are. */
	const char *begin = isatty(STDOUT_FILENO) ? "\033[40;97m" : "", *end = *begin ? "\033[0m" : "";
	QRcode *code = QRcode_encodeData((int)text->length, (const unsigned char *)text->bytes, 0, QR_ECLEVEL_L);

	if (!code)
		return errno == ERANGE ? -EFBIG : -errno;
	for (int row = -QR_MARGIN; row < code->width + QR_MARGIN; row += 2) {
		fputs(begin, stdout);
		for (int column = -QR_MARGIN; column < code->width + QR_MARGIN; column++)
			fputs(blocks[is_light(code, row, column) << 1 | is_light(code, row + 1, column)], stdout);
		printf("%s\n", end);
	}
	sodium_memzero(code->data, (size_t)code->width * (size_t)code->width);
	QRcode_free(code);
	return fflush(stdout) || ferror(stdout) ? -EIO : 0;
}

#else

bool qr_built_in(void)
{
	return false;
}

int qr_print(const struct text *text)
{
	return -ENOSYS;
}

#endif
