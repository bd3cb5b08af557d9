/* SPDX-License-Identifier: MIT */
/* The label of a peer: one block of memory with all of its strings. */
#include "tunnel/peer_label.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/keytext.h"

enum { SUBJECT_ROOM = 32 }; /* bytes of the subject without interface and name */

void peer_label_subject(char *text, size_t room, const char *interface, const uint8_t public_key[32], const char *name)
{
	char key[KEY_BASE64];

	key_to_base64(key, public_key);
	if (*name)
		snprintf(text, room, "%s: peer %s (%.4s…%.4s)", interface, name, key, key + 39);
	else
		snprintf(text, room, "%s: peer %.4s…%.4s", interface, key, key + 39);
}

struct peer_label *peer_label_create(const char *interface, const uint8_t public_key[32], const char *name,
									 const char *description)
{
	size_t name_room = strlen(name) + 1, description_room = strlen(description) + 1;
	size_t text_room = strlen(interface) + strlen(name) + SUBJECT_ROOM;
	struct peer_label *label = malloc(sizeof *label + name_room + description_room + text_room);
	char *at;

	if (!label)
		return NULL;
	at = label->bytes;
	label->references = 1;
	label->name = memcpy(at, name, name_room);
	at += name_room;
	label->description = memcpy(at, description, description_room);
	at += description_room;
	label->text = at;
	peer_label_subject(at, text_room, interface, public_key, name);
	return label;
}

struct peer_label *peer_label_take(struct peer_label *label)
{
	if (label)
		label->references++;
	return label;
}

void peer_label_release(struct peer_label *label)
{
	if (label && !--label->references)
		free(label);
}

bool peer_label_equal(const struct peer_label *a, const struct peer_label *b)
{
	if (!a || !b)
		return a == b;
	return strcmp(a->text, b->text) == 0 && strcmp(a->description, b->description) == 0;
}
