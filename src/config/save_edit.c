/* SPDX-License-Identifier: MIT */
/*
 * Save: edits the text of a configuration file.
 *
 * The text becomes an array of lines. Each edit marks a line as dropped, replaces a value within it, or adds lines
 * after it. The lines that no edit touches are copied byte by byte.
 */
#include <errno.h>
#include <sodium.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/utf8.h"
#include "config/save.h"
#include "ini_parser.h"

enum save_kind { SAVE_BLANK, SAVE_COMMENT, SAVE_SECTION, SAVE_KEY, SAVE_OTHER };

enum { NO_SECTION = -1, NO_LINE = -1 };

struct save_line {
	struct ini_slice whole; /* with its newline */
	struct ini_slice value; /* of a key */
	enum save_kind kind;
	enum ini_key key;
	bool dropped;
	char *replacement; /* of the value; NULL: none */
	char *added;       /* text after this line; NULL: none */
};

struct save_section {
	enum ini_section kind;
	int head, last; /* lines: the header, and the last line with a key */
	uint8_t public_key[KEY_BYTES];
	bool has_public_key;
};

struct save_text {
	struct save_line *lines;
	struct save_section *sections;
	int line_count, section_count;
	const char *newline; /* "\n" or "\r\n", as in the text */
	bool failed;         /* no memory */
	/* The first peer whose change belongs into an included file, which is not edited; NULL: none. */
	const struct config_peer *unsaved;
};

/* --- reading ----- */

/* Classifies a line by the rules of ini.c. */
static void classify_line(struct save_line *line)
{
	struct ini_slice name = ini_slice_trim(ini_slice_before(line->whole, '='));
	struct ini_slice bare = ini_slice_trim(ini_key_is_hook(name) ? line->whole : ini_slice_before(line->whole, '#'));
	struct ini_slice left = ini_slice_before(bare, '=');

	line->key = KEY_COUNT;
	if (!bare.length) {
		line->kind = ini_slice_trim(line->whole).length ? SAVE_COMMENT : SAVE_BLANK;
	} else if (bare.at[0] == '[') {
		line->kind = SAVE_SECTION;
	} else if (left.length == bare.length) {
		line->kind = SAVE_OTHER;
	} else {
		line->kind = SAVE_KEY;
		line->key = ini_key_find(ini_slice_trim(left));
		line->value = ini_slice_trim((struct ini_slice) { bare.at + left.length + 1, bare.length - left.length - 1 });
	}
}

static void open_save_section(struct save_text *text, int head)
{
	const struct save_line *line = &text->lines[head];
	struct ini_slice title = ini_slice_trim(ini_slice_before(line->whole, '#'));
	struct save_section *section = &text->sections[text->section_count++];

	*section = (struct save_section) { .kind = SECTION_UNKNOWN, .head = head, .last = head };
	if (ini_slice_is(title, "[Interface]"))
		section->kind = SECTION_INTERFACE;
	else if (ini_slice_is(title, "[Peer]"))
		section->kind = SECTION_PEER;
}

/* Reads a public key, in which blanks mean nothing. */
static void read_public_key(struct save_section *section, struct ini_slice value)
{
	char base64[KEY_BASE64] = "";
	size_t length = 0;

	for (size_t i = 0; i < value.length && length < sizeof base64 - 1; i++)
		if (!ini_is_blank(value.at[i]))
			base64[length++] = value.at[i];
	if (key_from_base64(section->public_key, base64))
		section->has_public_key = true;
}

/* Splits the text into lines and sections. Returns 0 or -ENOMEM. */
static int split_text(struct save_text *text, struct ini_slice rest)
{
	size_t count = 2;
	int current = NO_SECTION;

	for (size_t i = 0; i < rest.length; i++)
		count += rest.at[i] == '\n';
	text->newline = rest.length && memmem(rest.at, rest.length, "\r\n", 2) ? "\r\n" : "\n";
	text->lines = calloc(count, sizeof *text->lines);
	text->sections = calloc(count, sizeof *text->sections);
	if (!text->lines || !text->sections)
		return -ENOMEM;
	while (rest.length) {
		size_t mark = text->line_count ? 0 : utf8_mark_length(rest.at, rest.length); /* the parser skips it, too */
		size_t length = mark ? mark : ini_slice_before(rest, '\n').length;
		struct save_line *line = &text->lines[text->line_count];

		length += !mark && length < rest.length;
		line->whole = (struct ini_slice) { rest.at, length };
		rest = (struct ini_slice) { rest.at + length, rest.length - length };
		line->kind = SAVE_OTHER;
		if (!mark)
			classify_line(line);
		if (line->kind == SAVE_SECTION) {
			open_save_section(text, text->line_count);
			current = text->section_count - 1;
		}
		if (line->kind == SAVE_KEY && current != NO_SECTION) {
			text->sections[current].last = text->line_count;
			if (line->key == KEY_PUBLIC_KEY)
				read_public_key(&text->sections[current], line->value);
		}
		text->line_count++;
	}
	return 0;
}

/* --- editing ----- */

/* Whether the section is the one to edit: [Interface], or with a public key the [Peer] with that key. */
static bool section_matches(const struct save_section *section, const uint8_t *public_key)
{
	if (!public_key)
		return section->kind == SECTION_INTERFACE;
	return section->kind == SECTION_PEER && section->has_public_key &&
		   !memcmp(section->public_key, public_key, KEY_BYTES);
}

static void free_secret(char *text)
{
	if (text)
		sodium_memzero(text, strlen(text));
	free(text);
}

static void add_after(struct save_text *text, struct save_line *line, enum ini_key key, const char *value)
{
	char *added;

	if (asprintf(&added, "%s%s = %s%s", line->added ? line->added : "", ini_key_name(key), value, text->newline) < 0) {
		text->failed = true;
		return;
	}
	free_secret(line->added);
	line->added = added;
}

/* Returns the last line with the key in the section that `public_key` selects, or NULL. */
static struct save_line *last_line(struct save_text *text, const uint8_t *public_key, enum ini_key key)
{
	struct save_line *found = NULL;

	for (int i = 0; i < text->section_count; i++)
		for (int at = text->sections[i].head; at <= text->sections[i].last; at++)
			if (section_matches(&text->sections[i], public_key) && text->lines[at].kind == SAVE_KEY &&
				text->lines[at].key == key)
				found = &text->lines[at];
	return found;
}

/*
 * Sets a key in the section that `public_key` selects. The last line with the key gets the value, and the lines before
 * it are dropped. If the value of the last line starts with '@', it names a credential outside of the file, and all
 * lines stay. Without a value, all lines with the key are dropped.
 */
static void edit_key(struct save_text *text, const uint8_t *public_key, enum ini_key key, const char *value)
{
	struct save_line *found = last_line(text, public_key, key);
	int place = NO_LINE;

	if (found && found->value.length && found->value.at[0] == '@')
		return;
	for (int i = 0; i < text->section_count; i++) {
		const struct save_section *section = &text->sections[i];

		if (!section_matches(section, public_key))
			continue;
		/* A new key goes to the end of the first [Interface], or of the last section of the peer. */
		if (place == NO_LINE || public_key)
			place = section->last;
		for (int at = section->head; at <= section->last; at++) {
			struct save_line *line = &text->lines[at];

			if (line->kind == SAVE_KEY && line->key == key)
				line->dropped = true;
		}
	}
	if (!value)
		return;
	if (!found) {
		if (place != NO_LINE)
			add_after(text, &text->lines[place], key, value);
		return;
	}
	found->dropped = false;
	found->replacement = strdup(value);
	text->failed |= !found->replacement;
}

/*
 * Drops a section, the comment directly above it, the blank lines above that, and a comment directly below its last key
 * unless the comment belongs to the next section.
 */
static void drop_section(struct save_text *text, const struct save_section *section)
{
	struct save_line *lines = text->lines;
	int first = section->head, after = section->last + 1, next = after;

	while (next < text->line_count && lines[next].kind == SAVE_COMMENT)
		next++;
	if (next == text->line_count || lines[next].kind == SAVE_BLANK)
		after = next;
	while (first > 0 && lines[first - 1].kind == SAVE_COMMENT)
		first--;
	while (first > 0 && lines[first - 1].kind == SAVE_BLANK)
		first--;
	for (int i = first; i < after; i++)
		lines[i].dropped = true;
}

/* --- values ----- */

static int compare_prefixes(const void *a, const void *b)
{
	return memcmp(a, b, sizeof(struct ip_prefix));
}

/* Returns the prefixes as a sorted array, or NULL. */
static struct ip_prefix *sort_prefixes(const struct config_prefix *list, size_t *count)
{
	struct ip_prefix *sorted;

	*count = 0;
	for (const struct config_prefix *entry = list; entry; entry = entry->next)
		++*count;
	sorted = calloc(*count + 1, sizeof *sorted);
	if (!sorted)
		return NULL;
	*count = 0;
	for (const struct config_prefix *entry = list; entry; entry = entry->next)
		sorted[(*count)++] = entry->prefix;
	qsort(sorted, *count, sizeof *sorted, compare_prefixes);
	return sorted;
}

/* Compares two lists without regard to their order. */
static bool same_prefixes(struct save_text *text, const struct config_prefix *a, const struct config_prefix *b)
{
	size_t a_count, b_count;
	struct ip_prefix *a_sorted = sort_prefixes(a, &a_count), *b_sorted = sort_prefixes(b, &b_count);
	bool same = a_sorted && b_sorted && a_count == b_count && !memcmp(a_sorted, b_sorted, a_count * sizeof *a_sorted);

	text->failed |= !a_sorted || !b_sorted;
	free(a_sorted);
	free(b_sorted);
	return same;
}

/*
 * Adds the addresses that the file does not contain to its last Address line. Those of the file stay even if the
 * interface lacks them, because the kernel deletes IPv6 addresses by itself: when the link goes down, when the MTU is
 * too small, and when IPv6 is disabled.
 */
static void edit_addresses(struct save_text *text, const struct config_prefix *file,
						   const struct config_prefix *running)
{
	struct save_line *line = last_line(text, NULL, KEY_ADDRESS);
	bool continues = line && line->value.length;
	char *value = NULL, item[PREFIX_TEXT];
	size_t size = 0;
	FILE *to = open_memstream(&value, &size);

	if (!to) {
		text->failed = true;
		return;
	}
	if (continues)
		fwrite(line->value.at, 1, line->value.length, to);
	for (const struct config_prefix *entry = running; entry; entry = entry->next) {
		if (config_has_prefix(file, &entry->prefix))
			continue;
		prefix_to_text(item, &entry->prefix);
		fprintf(to, "%s%s", continues ? ", " : "", item);
		continues = true;
	}
	if (fclose(to)) {
		text->failed = true;
	} else if (line && size != line->value.length) {
		line->replacement = value;
		return;
	} else if (!line && size) {
		edit_key(text, NULL, KEY_ADDRESS, value);
	}
	free(value);
}

static void edit_allowed_ips(struct save_text *text, const struct config_peer *file, const struct config_peer *running)
{
	char *value = NULL, item[PREFIX_TEXT];
	size_t size;
	FILE *to;

	if (same_prefixes(text, file->allowed_ips, running->allowed_ips))
		return;
	to = open_memstream(&value, &size);
	if (!to) {
		text->failed = true;
		return;
	}
	for (const struct config_prefix *entry = running->allowed_ips; entry; entry = entry->next) {
		prefix_to_text(item, &entry->prefix);
		fprintf(to, "%s%s", item, entry->next ? ", " : "");
	}
	if (fclose(to))
		text->failed = true;
	edit_key(text, running->public_key, KEY_ALLOWED_IPS, running->allowed_ips ? value : NULL);
	free(value);
}

/* A key that is in a file of its own stays there. */
static void edit_secret(struct save_text *text, const uint8_t *public_key, enum ini_key key,
						const uint8_t secret[KEY_BYTES])
{
	char base64[KEY_BASE64];

	if (last_line(text, public_key, key == KEY_PRIVATE_KEY ? KEY_PRIVATE_KEY_FILE : KEY_PRESHARED_KEY_FILE))
		return;
	key_to_base64(base64, secret);
	edit_key(text, public_key, key, sodium_is_zero(secret, KEY_BYTES) ? NULL : base64);
	sodium_memzero(base64, sizeof base64);
}

static void __attribute__((format(printf, 4, 5)))
edit_format(struct save_text *text, const uint8_t *public_key, enum ini_key key, const char *format, ...)
{
	char value[ENDPOINT_TEXT];
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(value, sizeof value, format, arguments);
	va_end(arguments);
	edit_key(text, public_key, key, value);
}

/* --- the sections ----- */

static void edit_interface(struct save_text *text, const struct config *file, const struct config *running)
{
	if (running->has_private_key && memcmp(file->private_key, running->private_key, KEY_BYTES))
		edit_secret(text, NULL, KEY_PRIVATE_KEY, running->private_key);
	if (running->has_listen_port && running->listen_port != file->listen_port)
		edit_format(text, NULL, KEY_LISTEN_PORT, "%u", running->listen_port);
	if (running->has_fwmark && running->fwmark != file->fwmark)
		edit_format(text, NULL, KEY_FWMARK, running->fwmark ? "0x%x" : "off", running->fwmark);
	if (running->mtu && running->mtu != file->mtu)
		edit_format(text, NULL, KEY_MTU, "%u", running->mtu);
	edit_addresses(text, file->addresses, running->addresses);
}

static bool same_endpoint(const struct config_peer *file, const struct endpoint *running)
{
	struct endpoint endpoint;

	return file->has_endpoint && !endpoint_numeric(file->endpoint_host, file->endpoint_port, &endpoint) &&
		   endpoint_same_remote(&endpoint, running);
}

static bool has_section(const struct save_text *text, const uint8_t *public_key)
{
	for (int i = 0; i < text->section_count; i++)
		if (section_matches(&text->sections[i], public_key))
			return true;
	return false;
}

/* Reports whether wg(8) has changed a peer. A peer without an endpoint in its file may have one by now. */
static bool peer_differs(struct save_text *text, const struct config_peer *file, const struct config_peer *running)
{
	return memcmp(file->preshared_key, running->preshared_key, KEY_BYTES) || running->cipher != file->cipher ||
		   running->keepalive != file->keepalive || !same_prefixes(text, file->allowed_ips, running->allowed_ips) ||
		   (file->has_endpoint && running->has_endpoint && !same_endpoint(file, &running->endpoint));
}

/* `file` is zeroed for a peer that the file does not contain. */
static void edit_peer(struct save_text *text, const struct config_peer *file, const struct config_peer *running)
{
	const uint8_t *key = running->public_key;
	char endpoint[ENDPOINT_TEXT];

	if (memcmp(file->preshared_key, running->preshared_key, KEY_BYTES))
		edit_secret(text, key, KEY_PRESHARED_KEY, running->preshared_key);
	if (running->cipher != file->cipher)
		edit_format(text, key, KEY_CIPHER, "%s", suite_name(running->cipher));
	edit_allowed_ips(text, file, running);
	if (running->has_endpoint && !same_endpoint(file, &running->endpoint))
		edit_format(text, key, KEY_ENDPOINT, "%s", endpoint_text(endpoint, &running->endpoint));
	if (running->keepalive && running->keepalive != file->keepalive)
		edit_format(text, key, KEY_PERSISTENT_KEEPALIVE, "%u", running->keepalive);
	else if (running->keepalive != file->keepalive)
		edit_key(text, key, KEY_PERSISTENT_KEEPALIVE, NULL);
}

static int compare_peers(const void *a, const void *b)
{
	const struct config_peer *const *left = a, *const *right = b;

	return memcmp((*left)->public_key, (*right)->public_key, KEY_BYTES);
}

/* The peers of a configuration, sorted by key. */
struct sorted_peers {
	const struct config_peer **peers;
	size_t count;
};

static int sort_peers(struct sorted_peers *sorted, const struct config *config)
{
	sorted->count = 0;
	sorted->peers = calloc(config->peer_count + 1, sizeof *sorted->peers);
	if (!sorted->peers)
		return -ENOMEM;
	for (const struct config_peer *peer = config->peers; peer && sorted->count < config->peer_count; peer = peer->next)
		sorted->peers[sorted->count++] = peer;
	qsort(sorted->peers, sorted->count, sizeof *sorted->peers, compare_peers);
	return 0;
}

static const struct config_peer *find_sorted(const struct sorted_peers *sorted, const uint8_t public_key[KEY_BYTES])
{
	struct config_peer wanted;
	const struct config_peer *key = &wanted, **found;

	memcpy(wanted.public_key, public_key, KEY_BYTES);
	found = bsearch(&key, sorted->peers, sorted->count, sizeof *sorted->peers, compare_peers);
	return found ? *found : NULL;
}

/* Appends the section of a peer to the last line. */
static void save_add_peer(struct save_text *text, const struct config_peer *peer)
{
	static const struct config_peer none;
	struct save_line *last = &text->lines[text->line_count - 1];
	struct save_section *section = &text->sections[text->section_count];
	char *head, base64[KEY_BASE64];

	key_to_base64(base64, peer->public_key);
	if (asprintf(&head, "%s%s[Peer]%s", last->added ? last->added : "", text->newline, text->newline) < 0) {
		text->failed = true;
		return;
	}
	free_secret(last->added);
	last->added = head;
	/* A section without lines of its own: its keys are added to the last line, too. */
	*section = (struct save_section) { SECTION_PEER, text->line_count, text->line_count - 1, { 0 }, true };
	memcpy(section->public_key, peer->public_key, KEY_BYTES);
	text->section_count++;
	edit_key(text, peer->public_key, KEY_PUBLIC_KEY, base64);
	edit_peer(text, &none, peer);
	text->section_count--;
}

static int edit_peers(struct save_text *text, const struct config *file, const struct config *running)
{
	struct sorted_peers on_disk = { 0 }, current = { 0 };
	uint8_t own_key[KEY_BYTES];
	int error = sort_peers(&on_disk, file);

	if (!error)
		error = sort_peers(&current, running);
	if (error)
		goto free_peers;
	crypto_scalarmult_base(own_key, running->private_key);
	for (int i = 0; i < text->section_count; i++) {
		const struct save_section *section = &text->sections[i];

		if (section->kind == SECTION_PEER && section->has_public_key && !find_sorted(&current, section->public_key) &&
			memcmp(section->public_key, own_key, KEY_BYTES))
			drop_section(text, section);
	}
	for (const struct config_peer *peer = file->peers; peer; peer = peer->next) {
		const struct config_peer *now = find_sorted(&current, peer->public_key);

		if (has_section(text, peer->public_key)) {
			if (now)
				edit_peer(text, peer, now);
		} else if (!text->unsaved && memcmp(peer->public_key, own_key, KEY_BYTES) &&
				   (!now || peer_differs(text, peer, now))) {
			text->unsaved = peer;
		}
	}
	/* Sections are added last, because the last line may get further keys of its own section until then. */
	for (const struct config_peer *peer = running->peers; peer; peer = peer->next)
		if (!find_sorted(&on_disk, peer->public_key))
			save_add_peer(text, peer);
free_peers:
	free(on_disk.peers);
	free(current.peers);
	return error;
}

/* --- writing ----- */

static void write_line(FILE *to, const struct save_text *text, const struct save_line *line)
{
	const char *end = line->whole.at + line->whole.length, *after = line->value.at + line->value.length;

	if (!line->dropped && line->replacement) {
		fwrite(line->whole.at, 1, (size_t)(line->value.at - line->whole.at), to);
		fputs(line->replacement, to);
		fwrite(after, 1, (size_t)(end - after), to);
	} else if (!line->dropped) {
		fwrite(line->whole.at, 1, line->whole.length, to);
	}
	if (!line->added)
		return;
	if (!line->dropped && end[-1] != '\n')
		fputs(text->newline, to);
	fputs(line->added, to);
}

int save_edit(char **edited, size_t *edited_length, const char *text, size_t length, const struct config *file,
			  const struct config *running, const struct config_peer **unsaved)
{
	struct save_text lines = { 0 };
	bool changed = false;
	FILE *to;
	int result = split_text(&lines, (struct ini_slice) { text, length });

	*edited = NULL;
	if (!result && lines.line_count) {
		edit_interface(&lines, file, running);
		result = edit_peers(&lines, file, running);
	}
	*unsaved = lines.unsaved;
	if (!result && lines.failed)
		result = -ENOMEM;
	for (int i = 0; i < lines.line_count; i++)
		changed |= lines.lines[i].dropped || lines.lines[i].replacement || lines.lines[i].added;
	if (!result && changed) {
		to = open_memstream(edited, edited_length);
		for (int i = 0; to && i < lines.line_count; i++)
			write_line(to, &lines, &lines.lines[i]);
		result = to && !fclose(to) ? 1 : -ENOMEM;
	}
	for (int i = 0; i < lines.line_count; i++) {
		free_secret(lines.lines[i].replacement);
		free_secret(lines.lines[i].added);
	}
	free(lines.lines);
	free(lines.sections);
	return result;
}
