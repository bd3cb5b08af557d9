/* SPDX-License-Identifier: MIT */
/*
 * JSON reader: reads a document (RFC 8259) from memory, one value after the other. It needs no memory of its own, and
 * accepts documents of other programs: unknown members are skipped, and a value of another type than expected, too.
 *
 *   if (json_enter(&reader, '{')) {
 *       while (json_next_member(&reader, key, sizeof key)) {
 *           if (strcmp(key, "port") == 0)
 *               json_read_u64(&reader, &port);
 *           else
 *               json_skip(&reader);
 *       }
 *   }
 *
 * After a syntax error, nothing more is read: json_enter, json_next_... and json_read_... return false.
 */
#ifndef ADIT_BASE_JSON_READER_H
#define ADIT_BASE_JSON_READER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { JSON_DEPTH = 32 }; /* of nested objects and arrays; a deeper document is an error */

struct json_reader {
	const char *at, *end;
	unsigned depth;
	uint32_t has_items; /* bit n: the object or array at depth n has had a member or item */
	bool failed;
};

/* The text must outlive the reader. It may contain NUL bytes, which are an error. */
void json_reader_init(struct json_reader *reader, const char *text, size_t length);

/* Enters the value if it is an object ('{') or an array ('['). Skips any other value and returns false. */
bool json_enter(struct json_reader *reader, char kind);

/*
 * Moves to the next member of the object, or item of the array, that was entered last. The caller then reads, enters or
 * skips its value. Returns false at the end, which leaves the object or array. A key that does not fit is cut.
 */
bool json_next_member(struct json_reader *reader, char *key, size_t size);
bool json_next_item(struct json_reader *reader);

/* Reads a string into `size` bytes, with a NUL. One that does not fit is cut. Skips a value of another type. */
bool json_read_string(struct json_reader *reader, char *text, size_t size);
/* Reads a number without sign, fraction and exponent. Skips any other value, and a larger number. */
bool json_read_u64(struct json_reader *reader, uint64_t *number);
void json_skip(struct json_reader *reader);

/* True if the whole document was read, and without an error. */
bool json_reader_done(struct json_reader *reader);

#endif
