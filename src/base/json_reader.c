/* SPDX-License-Identifier: MIT */
/* JSON reader. */
#include "base/json_reader.h"

#include <assert.h>
#include <string.h>

#include "base/utf8.h"

static_assert(JSON_DEPTH <= 32, "has_items has a bit per depth");

void json_reader_init(struct json_reader *reader, const char *text, size_t length)
{
	*reader = (struct json_reader) { .at = text, .end = text + length };
}

/* Returns false, for the caller to return. */
static bool json_fail(struct json_reader *reader)
{
	reader->failed = true;
	reader->at = reader->end;
	return false;
}

/* Returns the next character that is not a blank, or a NUL at the end. */
static char json_peek(struct json_reader *reader)
{
	while (reader->at < reader->end &&
		   (*reader->at == ' ' || *reader->at == '\t' || *reader->at == '\n' || *reader->at == '\r'))
		reader->at++;
	if (reader->at < reader->end)
		return *reader->at;
	return '\0';
}

/* --- strings ----- */

/* Where the characters of a string go. Cuts between characters, not inside one. */
struct json_text {
	char *text; /* NULL: nowhere */
	size_t size, length;
	bool full;
};

static void json_text_add(struct json_text *to, const char *bytes, size_t count)
{
	if (!to->text || to->full)
		return;
	if (to->length + count >= to->size) {
		to->full = true;
		return;
	}
	memcpy(to->text + to->length, bytes, count);
	to->length += count;
}

static void json_text_add_code(struct json_text *to, uint32_t code)
{
	char bytes[4];
	size_t count;

	if (code < 0x80) {
		bytes[0] = (char)code;
		count = 1;
	} else if (code < 0x800) {
		bytes[0] = (char)(0xc0 | code >> 6);
		bytes[1] = (char)(0x80 | (code & 0x3f));
		count = 2;
	} else if (code < 0x10000) {
		bytes[0] = (char)(0xe0 | code >> 12);
		bytes[1] = (char)(0x80 | (code >> 6 & 0x3f));
		bytes[2] = (char)(0x80 | (code & 0x3f));
		count = 3;
	} else {
		bytes[0] = (char)(0xf0 | code >> 18);
		bytes[1] = (char)(0x80 | (code >> 12 & 0x3f));
		bytes[2] = (char)(0x80 | (code >> 6 & 0x3f));
		bytes[3] = (char)(0x80 | (code & 0x3f));
		count = 4;
	}
	json_text_add(to, bytes, count);
}

/* Reads the four digits after "\u". */
static bool json_hex(struct json_reader *reader, uint32_t *code)
{
	*code = 0;
	if (reader->end - reader->at < 4)
		return false;
	for (int i = 0; i < 4; i++) {
		char c = *reader->at++;

		if (c >= '0' && c <= '9')
			*code = *code << 4 | (uint32_t)(c - '0');
		else if (c >= 'a' && c <= 'f')
			*code = *code << 4 | (uint32_t)(c - 'a' + 10);
		else if (c >= 'A' && c <= 'F')
			*code = *code << 4 | (uint32_t)(c - 'A' + 10);
		else
			return false;
	}
	return true;
}

/* Reads what follows a backslash. A NUL and half of a surrogate pair are errors: neither is text. */
static bool json_escape(struct json_reader *reader, struct json_text *to)
{
	static const char letters[] = "\"\\/bfnrt", values[] = "\"\\/\b\f\n\r\t";
	const char *found;
	uint32_t code, low;
	char c = '\0';

	if (reader->at < reader->end)
		c = *reader->at++;
	if (c != 'u') {
		found = c ? strchr(letters, c) : NULL;
		if (found)
			json_text_add(to, &values[found - letters], 1);
		return found != NULL;
	}
	if (!json_hex(reader, &code) || !code || (code >= 0xdc00 && code <= 0xdfff))
		return false;
	if (code >= 0xd800 && code <= 0xdbff) {
		if (reader->end - reader->at < 6 || memcmp(reader->at, "\\u", 2) != 0)
			return false;
		reader->at += 2;
		if (!json_hex(reader, &low) || low < 0xdc00 || low > 0xdfff)
			return false;
		code = 0x10000 + ((code - 0xd800) << 10) + (low - 0xdc00);
	}
	json_text_add_code(to, code);
	return true;
}

/* Reads a string, whose first quote is at the cursor. */
static bool json_string_into(struct json_reader *reader, char *text, size_t size)
{
	struct json_text to = { .text = text, .size = size };

	reader->at++;
	while (reader->at < reader->end && *reader->at != '"') {
		size_t left = (size_t)(reader->end - reader->at), length = 0;
		char character[UTF8_MAX + 1] = { 0 };

		if (*reader->at == '\\') {
			reader->at++;
			if (!json_escape(reader, &to))
				return json_fail(reader);
			continue;
		}
		memcpy(character, reader->at, left < UTF8_MAX ? left : UTF8_MAX); /* the end of the text may cut it */
		if ((unsigned char)*character >= ' ')
			length = (size_t)utf8_length(character);
		if (!length)
			return json_fail(reader);
		json_text_add(&to, reader->at, length);
		reader->at += length;
	}
	if (reader->at == reader->end)
		return json_fail(reader);
	reader->at++;
	if (text)
		text[to.length] = '\0';
	return true;
}

/* --- numbers and words ----- */

/* Moves past digits. Returns false if there is none. */
static bool json_digits(struct json_reader *reader)
{
	const char *first = reader->at;

	while (reader->at < reader->end && *reader->at >= '0' && *reader->at <= '9')
		reader->at++;
	return reader->at > first;
}

/* Moves past a number. */
static bool json_number(struct json_reader *reader)
{
	if (*reader->at == '-')
		reader->at++;
	if (reader->at < reader->end && *reader->at == '0')
		reader->at++;
	else if (!json_digits(reader))
		return json_fail(reader);
	if (reader->at < reader->end && *reader->at == '.') {
		reader->at++;
		if (!json_digits(reader))
			return json_fail(reader);
	}
	if (reader->at < reader->end && (*reader->at == 'e' || *reader->at == 'E')) {
		reader->at++;
		if (reader->at < reader->end && (*reader->at == '+' || *reader->at == '-'))
			reader->at++;
		if (!json_digits(reader))
			return json_fail(reader);
	}
	return true;
}

static bool json_word(struct json_reader *reader, const char *word)
{
	size_t length = strlen(word);

	if ((size_t)(reader->end - reader->at) < length || memcmp(reader->at, word, length) != 0)
		return json_fail(reader);
	reader->at += length;
	return true;
}

/* --- values ----- */

/* Skips a value that is not an object or an array. */
static void json_skip_scalar(struct json_reader *reader, char first)
{
	if (first == '"')
		json_string_into(reader, NULL, 0);
	else if (first == 't')
		json_word(reader, "true");
	else if (first == 'f')
		json_word(reader, "false");
	else if (first == 'n')
		json_word(reader, "null");
	else if (first == '-' || (first >= '0' && first <= '9'))
		json_number(reader);
	else
		json_fail(reader);
}

/* Enters the object or array at the cursor. */
static bool json_descend(struct json_reader *reader)
{
	if (reader->depth == JSON_DEPTH)
		return json_fail(reader);
	reader->has_items &= ~(UINT32_C(1) << reader->depth++);
	reader->at++;
	return true;
}

bool json_enter(struct json_reader *reader, char kind)
{
	if (json_peek(reader) == kind)
		return json_descend(reader);
	json_skip(reader);
	return false;
}

/* Moves past the comma in front of an item, or past the end of the object or array, and then returns false. */
static bool json_next(struct json_reader *reader, char closing)
{
	uint32_t bit;
	char c = json_peek(reader);

	if (!reader->depth || reader->failed)
		return json_fail(reader);
	bit = UINT32_C(1) << (reader->depth - 1);
	if (c == closing) {
		reader->at++;
		reader->depth--;
		return false;
	}
	if (reader->has_items & bit) {
		if (c != ',')
			return json_fail(reader);
		reader->at++;
	}
	reader->has_items |= bit;
	return true;
}

bool json_next_member(struct json_reader *reader, char *key, size_t size)
{
	if (!json_next(reader, '}'))
		return false;
	if (json_peek(reader) != '"')
		return json_fail(reader);
	if (!json_string_into(reader, key, size))
		return false;
	if (json_peek(reader) != ':')
		return json_fail(reader);
	reader->at++;
	return true;
}

bool json_next_item(struct json_reader *reader)
{
	return json_next(reader, ']');
}

bool json_read_string(struct json_reader *reader, char *text, size_t size)
{
	if (json_peek(reader) == '"')
		return json_string_into(reader, text, size);
	json_skip(reader);
	return false;
}

bool json_read_u64(struct json_reader *reader, uint64_t *number)
{
	char first = json_peek(reader);
	const char *text = reader->at;
	uint64_t value = 0;

	json_skip(reader);
	if (reader->failed || first < '0' || first > '9')
		return false;
	for (; text < reader->at; text++) {
		uint64_t digit = (uint64_t)(*text - '0');

		if (*text < '0' || *text > '9' || value > (UINT64_MAX - digit) / 10)
			return false;
		value = value * 10 + digit;
	}
	*number = value;
	return true;
}

/* Leaves what it enters, level by level, without recursion. */
void json_skip(struct json_reader *reader)
{
	char kinds[JSON_DEPTH] = { 0 };
	unsigned outer = reader->depth;

	for (;;) {
		char c = json_peek(reader);

		if (c == '{' || c == '[') {
			if (!json_descend(reader))
				return;
			kinds[reader->depth - 1] = c;
		} else {
			json_skip_scalar(reader, c);
		}
		while (reader->depth > outer && !reader->failed &&
			   !(kinds[reader->depth - 1] == '{' ? json_next_member(reader, NULL, 0) : json_next_item(reader)))
			;
		if (reader->failed || reader->depth == outer)
			return;
	}
}

bool json_reader_done(struct json_reader *reader)
{
	return !json_peek(reader) && reader->at == reader->end && !reader->depth && !reader->failed;
}
