/* SPDX-License-Identifier: MIT */
/* The ruleset: its script for nft(8), its digest, and the comments of its rules. */
#include "ruleset.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <inttypes.h>
#include <linux/netfilter.h>
#include <linux/netfilter_ipv4.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/map.h"

/* MARK_RULES: the number of rules that save and restore the mark. */
enum { MARK_RULES = 2, COMMENT_BYTES = 80 };

/* All are of the type filter, and accept what no rule drops. The priorities are the same in both families. */
static const struct {
	const char *name, *hook, *priority;
	uint32_t hook_number;
	int32_t priority_number;
} chains[RULESET_CHAINS] = {
	{ "preraw", "prerouting", "raw", NF_INET_PRE_ROUTING, NF_IP_PRI_RAW },
	{ "premangle", "prerouting", "mangle", NF_INET_PRE_ROUTING, NF_IP_PRI_MANGLE },
	{ "postmangle", "postrouting", "mangle", NF_INET_POST_ROUTING, NF_IP_PRI_MANGLE },
};

bool ruleset_has_chain(const struct netfilter_chain *chain)
{
	for (size_t i = 0; i < RULESET_CHAINS; i++)
		if (strcmp(chain->name, chains[i].name) == 0)
			return strcmp(chain->type, "filter") == 0 && chain->hook == chains[i].hook_number &&
				   chain->priority == chains[i].priority_number && chain->policy == NF_ACCEPT;
	return false;
}

static const char *family_word(uint8_t family)
{
	return family == AF_INET6 ? "ip6" : "ip";
}

/* The characters that wg-quick(8) allows. None has a special meaning within a name of nft(8). */
bool ruleset_table(char table[RULESET_TABLE], const char *interface)
{
	char *end = table + sprintf(table, RULESET_PREFIX);
	size_t length = strlen(interface);

	if (length == 0 || length >= 16)
		return false;
	for (; *interface; interface++) {
		if (!isalnum((unsigned char)*interface) && !strchr("_=+.-", *interface))
			return false;
		end += sprintf(end, *interface == '=' || *interface == '+' ? "/%x" : "%c", *interface);
	}
	return true;
}

static bool is_guarded(const struct ruleset *ruleset, const struct item *item)
{
	return item->kind == ITEM_ADDRESS && item->family == ruleset->family;
}

static void begin_chain(FILE *file, size_t which)
{
	fprintf(file, "\tchain %s {\n\t\ttype filter hook %s priority %s; policy accept;\n", chains[which].name,
			chains[which].hook, chains[which].priority);
}

static void write_chains(FILE *file, const struct ruleset *ruleset, const char *comment)
{
	const struct item_list *list = ruleset->list;
	char text[INET6_ADDRSTRLEN];

	begin_chain(file, 0);
	for (size_t i = 0; i < list->count && list->items[i].kind <= ITEM_ADDRESS; i++) {
		if (!is_guarded(ruleset, &list->items[i]))
			continue;
		inet_ntop(ruleset->family, list->items[i].address, text, sizeof text);
		fprintf(file, "\t\tiif != %u %s daddr %s fib saddr type != local drop%s\n", ruleset->index,
				family_word(ruleset->family), text, comment);
	}
	fputs("\t}\n", file);
	begin_chain(file, 1);
	fprintf(file, "\t\tmeta l4proto { tcp, udp } ct mark 0x%08x meta mark set ct mark%s\n", ruleset->mark, comment);
	fputs("\t}\n", file);
	begin_chain(file, 2);
	fprintf(file, "\t\tmeta l4proto { tcp, udp } meta mark 0x%08x ct mark set meta mark%s\n\t}\n", ruleset->mark,
			comment);
}

uint64_t ruleset_digest(const struct ruleset *ruleset)
{
	char *text = NULL;
	size_t length;
	FILE *file = open_memstream(&text, &length);
	uint64_t hash = 0;

	if (!file)
		return 0;
	write_chains(file, ruleset, "");
	if (fclose(file) == 0) {
		hash = map_hash(text, length);
		hash = hash ? hash : 1;
	}
	free(text);
	return hash;
}

char *ruleset_script(uint8_t family, const char *table, const struct ruleset *ruleset)
{
	char *text = NULL, comment[COMMENT_BYTES];
	unsigned rules = MARK_RULES;
	size_t length;
	FILE *file = open_memstream(&text, &length);

	if (!file)
		return NULL;
	/* The table is added first, so that its deletion cannot fail; nft(8) commits all of it at once. */
	fprintf(file, "add table %s %s\ndelete table %s %s\n", family_word(family), table, family_word(family), table);
	if (ruleset) {
		for (size_t i = 0; i < ruleset->list->count; i++)
			rules += is_guarded(ruleset, &ruleset->list->items[i]);
		snprintf(comment, sizeof comment, " comment \"adit %u %016" PRIx64 " %u\"", ruleset->index,
				 ruleset_digest(ruleset), rules);
		fprintf(file, "table %s %s {\n", family_word(family), table);
		write_chains(file, ruleset, comment);
		fputs("}\n", file);
	}
	if (fclose(file) == 0)
		return text;
	free(text);
	return NULL;
}

bool ruleset_comment(const char *comment, uint32_t *index, uint64_t *digest, unsigned *count)
{
	char *end;

	if (strncmp(comment, "adit ", 5) != 0)
		return false;
	*index = (uint32_t)strtoul(comment + 5, &end, 10);
	if (*end != ' ')
		return false;
	*digest = strtoull(end + 1, &end, 16);
	if (*end != ' ')
		return false;
	*count = (unsigned)strtoul(end + 1, &end, 10);
	return *end == '\0';
}
