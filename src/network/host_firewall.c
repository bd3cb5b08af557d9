/* SPDX-License-Identifier: MIT */
/* The firewall of the host: finds the tables of adit by nfnetlink and changes them by nft(8). */
#include "host.h"

#include <errno.h>
#include <linux/netfilter.h>
#include <stdlib.h>
#include <string.h>

#include "network/process.h"
#include "ruleset.h"

enum { NFT_TIMEOUT_MS = 20000 }; /* two runs, one per family, end before the watchdog of the unit does */

struct nft_table {
	char name[RULESET_TABLE];
	uint32_t index, flags;
	uint64_t digest; /* 0: another program has changed it */
	uint64_t rules_hash;
};

/* The tables of adit in one family. */
struct table_names {
	struct nft_table tables[64];
	size_t count;
};

static void collect_table(void *context, const char *name, uint32_t flags)
{
	struct table_names *names = context;
	size_t length = strlen(name);

	if (strncmp(name, RULESET_PREFIX, strlen(RULESET_PREFIX)) != 0 || length >= RULESET_TABLE ||
		names->count == sizeof names->tables / sizeof names->tables[0])
		return;
	memcpy(names->tables[names->count].name, name, length + 1);
	names->tables[names->count].flags = flags;
	names->count++;
}

struct comments {
	uint32_t index;
	uint64_t digest, rules_hash;
	unsigned count, expected;
	bool mixed; /* a rule does not belong to the set */
};

static void collect_rule_comment(void *context, const char *text, uint64_t hash)
{
	struct comments *comments = context;
	unsigned expected = 0;
	uint64_t digest = 0;
	uint32_t index = 0;

	if (!ruleset_comment(text, &index, &digest, &expected) || (comments->count && digest != comments->digest))
		comments->mixed = true;
	comments->index = index;
	comments->digest = digest;
	comments->expected = expected;
	comments->count++;
	comments->rules_hash = comments->rules_hash * 31 + hash;
}

struct chain_count {
	unsigned good, all;
};

static void count_chain(void *context, const struct netfilter_chain *chain)
{
	struct chain_count *count = context;

	count->all++;
	count->good += ruleset_has_chain(chain);
}

static int read_table(struct host *host, uint8_t protocol, struct nft_table *table)
{
	struct chain_count chains = { 0 };
	struct comments comments = { 0 };
	int error = netfilter_dump_rules(host->netfilter, protocol, table->name, collect_rule_comment, &comments);

	if (!error)
		error = netfilter_dump_chains(host->netfilter, protocol, table->name, count_chain, &chains);
	table->index = comments.index;
	table->rules_hash = comments.rules_hash;
	/* Flags make a table dormant, or let it belong to a process. */
	if (!comments.mixed && comments.count == comments.expected && !table->flags && chains.good == RULESET_CHAINS &&
		chains.all == RULESET_CHAINS)
		table->digest = comments.digest;
	return error;
}

/* Lists the tables of adit. Without nftables there are none. */
static int read_tables(struct host *host, uint8_t family, struct table_names *names)
{
	uint8_t protocol = family == AF_INET6 ? NFPROTO_IPV6 : NFPROTO_IPV4;
	int error;

	*names = (struct table_names) { 0 };
	if (!host->netfilter || netfilter_dump_tables(host->netfilter, protocol, collect_table, names) < 0)
		return 0;
	for (size_t i = 0; i < names->count; i++) {
		error = read_table(host, protocol, &names->tables[i]);
		if (!error && !names->tables[i].digest) /* a dump that was interrupted returns entries twice */
			error = read_table(host, protocol, &names->tables[i]);
		if (error)
			return error;
	}
	return 0;
}

/* Returns true for a table with our index or our name, and for one whose interface no longer exists. */
static bool nft_table_is_ours(const struct host *host, const char *name, uint32_t index)
{
	char own[RULESET_TABLE], interface[IF_NAMESIZE];

	if (index == host->index || (ruleset_table(own, host->link.name) && strcmp(own, name) == 0))
		return true;
	return index && !if_indextoname(index, interface);
}

/*
 * Returns true if the rules are what they were when they were first seen. This detects a rule that was replaced by one
 * with the same comment.
 */
static bool rules_are_unchanged(struct host *host, uint8_t family, uint64_t hash)
{
	uint64_t *first = &host->rules_hash[family == AF_INET6];

	if (!*first)
		*first = hash;
	return *first == hash;
}

int host_observe_firewall(struct host *host, uint8_t family, struct item_list *observed)
{
	struct table_names names;
	int error = read_tables(host, family, &names);

	for (size_t i = 0; i < names.count && !error; i++) {
		struct item item = { .kind = ITEM_FIREWALL, .family = family, .flags = ITEM_OURS };

		if (!nft_table_is_ours(host, names.tables[i].name, names.tables[i].index))
			continue;
		if (names.tables[i].digest && rules_are_unchanged(host, family, names.tables[i].rules_hash))
			item.digest = names.tables[i].digest;
		error = item_push(observed, &item);
	}
	return error;
}

/* Runs nft(8) and frees the script. */
static int run_nft(char *script, struct reason *reason)
{
	static const char *const command[] = { "nft", "-f", "-", NULL };
	char output[PROCESS_OUTPUT] = "";
	int status = script ? process_run(command, script, strlen(script), output, NFT_TIMEOUT_MS) : -ENOMEM;
	const char *purpose = "without it neighbours on the link can probe the addresses of the tunnel";

	free(script);
	if (status <= 0 && status != -ENOENT && status != -ETIMEDOUT)
		return status;
	if (host_is_strict())
		purpose = "a strict reverse path filter (net.ipv4.conf.*.rp_filter = 1) needs the firewall";
	if (status == -ENOENT)
		return reason_set(reason, status, "nft(8) is missing; %s", purpose);
	if (status == -ETIMEDOUT)
		return reason_set(reason, status, "nft(8) has not ended within %d s; %s", NFT_TIMEOUT_MS / 1000, purpose);
	return reason_set(reason, -EIO, "nft: %.*s; %s", (int)strcspn(output, "\n"), output, purpose);
}

int host_apply_firewall(struct host *host, const struct operation *operation, struct reason *reason)
{
	const struct item *item = &operation->item;
	struct ruleset ruleset = { host->index, item->family, host->mark, host->desired };
	struct table_names names;
	char table[RULESET_TABLE];
	int error;

	host->rules_hash[item->family == AF_INET6] = 0;
	if (operation->verb != OPERATION_DELETE) {
		if (!ruleset_table(table, host->link.name))
			return reason_set(reason, -EINVAL, "nft cannot take the name of the interface");
		return run_nft(ruleset_script(item->family, table, &ruleset), reason);
	}
	/* Finds the table by its digest and not by its name, because the interface may have been renamed. */
	error = read_tables(host, item->family, &names);
	for (size_t i = 0; i < names.count && !error; i++)
		if (names.tables[i].digest == item->digest &&
			nft_table_is_ours(host, names.tables[i].name, names.tables[i].index))
			error = run_nft(ruleset_script(item->family, names.tables[i].name, NULL), reason);
	return error;
}
