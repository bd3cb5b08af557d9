/* SPDX-License-Identifier: MIT */
/* Reads nftables by nfnetlink. */
#include "io/netfilter.h"

#include <errno.h>
#include <libmnl/libmnl.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/map.h"
#include "netlink_request.h"

enum {
	COMMENT_BYTES = 128,  /* the longest comment that nft(8) accepts, with its NUL */
	TABLE_BYTES = 256,    /* NFT_NAME_MAXLEN */
	USERDATA_COMMENT = 0, /* NFTNL_UDATA_RULE_COMMENT of libnftnl */
	EVENT_BYTES = 16384,
	EVENTS_AT_ONCE = 64,
};

struct netfilter {
	struct netlink netlink;
};

struct netfilter *netfilter_open(void)
{
	struct netfilter *netfilter = calloc(1, sizeof *netfilter);
	int error;

	if (!netfilter)
		return NULL;
	netfilter->netlink.socket = mnl_socket_open2(NETLINK_NETFILTER, SOCK_CLOEXEC);
	if (netfilter->netlink.socket && mnl_socket_bind(netfilter->netlink.socket, 0, MNL_SOCKET_AUTOPID) == 0)
		return netfilter;
	error = errno;
	netfilter_close(netfilter);
	errno = error;
	return NULL;
}

void netfilter_close(struct netfilter *netfilter)
{
	if (netfilter && netfilter->netlink.socket)
		mnl_socket_close(netfilter->netlink.socket);
	free(netfilter);
}

static struct nlmsghdr *begin_dump(struct netfilter *netfilter, uint16_t type, uint8_t family)
{
	struct nlmsghdr *message = netlink_begin(&netfilter->netlink, NFNL_SUBSYS_NFTABLES << 8 | type, NLM_F_DUMP);
	struct nfgenmsg *head = mnl_nlmsg_put_extra_header(message, sizeof *head);

	head->nfgen_family = family;
	head->version = NFNETLINK_V0;
	return message;
}

/* Copies a string attribute. Does not rely on the NUL with which the kernel ends strings. */
static void copy_text(char *text, size_t size, const void *bytes, size_t length)
{
	if (length >= size)
		length = size - 1;
	memcpy(text, bytes, length);
	text[length] = '\0';
}

struct table_dump {
	void (*handle)(void *context, const char *table, uint32_t flags);
	void *context;
};

/* The name of the table is the first attribute of tables, chains, rules and sets. */
static void table_name(const struct nlmsghdr *message, char name[TABLE_BYTES])
{
	const struct nlattr *attribute;

	_Static_assert((int)NFTA_TABLE_NAME == (int)NFTA_RULE_TABLE && (int)NFTA_TABLE_NAME == (int)NFTA_CHAIN_TABLE &&
					   (int)NFTA_TABLE_NAME == (int)NFTA_SET_TABLE,
				   "attribute 1 names the table");
	name[0] = '\0';
	mnl_attr_for_each(attribute, message, sizeof(struct nfgenmsg))
	{
		if (mnl_attr_get_type(attribute) == NFTA_TABLE_NAME)
			copy_text(name, TABLE_BYTES, mnl_attr_get_payload(attribute), mnl_attr_get_payload_len(attribute));
	}
}

static void dump_table(void *context, const struct nlmsghdr *message)
{
	const struct table_dump *dump = context;
	const struct nlattr *attribute;
	char name[TABLE_BYTES];
	uint32_t flags = 0;

	table_name(message, name);
	mnl_attr_for_each(attribute, message, sizeof(struct nfgenmsg))
	{
		if (mnl_attr_get_type(attribute) == NFTA_TABLE_FLAGS)
			flags = ntohl(netlink_get_u32(attribute));
	}
	dump->handle(dump->context, name, flags);
}

int netfilter_dump_tables(struct netfilter *netfilter, uint8_t family,
						  void (*handle)(void *context, const char *table, uint32_t flags), void *context)
{
	struct table_dump dump = { handle, context };

	begin_dump(netfilter, NFT_MSG_GETTABLE, family);
	return netlink_finish(&netfilter->netlink, dump_table, &dump);
}

struct table_chain_dump {
	const char *table;
	void (*handle)(void *context, const struct netfilter_chain *chain);
	void *context;
};

static void read_hook(const struct nlattr *hook, struct netfilter_chain *chain)
{
	const struct nlattr *attribute;

	mnl_attr_for_each_nested(attribute, hook)
	{
		if (mnl_attr_get_type(attribute) == NFTA_HOOK_HOOKNUM)
			chain->hook = ntohl(netlink_get_u32(attribute));
		else if (mnl_attr_get_type(attribute) == NFTA_HOOK_PRIORITY)
			chain->priority = (int32_t)ntohl(netlink_get_u32(attribute));
	}
}

static void dump_table_chain(void *context, const struct nlmsghdr *message)
{
	const struct table_chain_dump *dump = context;
	struct netfilter_chain chain = { .name = "" };
	const struct nlattr *attribute;
	char name[TABLE_BYTES];

	table_name(message, name);
	if (strcmp(name, dump->table) != 0)
		return;
	mnl_attr_for_each(attribute, message, sizeof(struct nfgenmsg))
	{
		const void *bytes = mnl_attr_get_payload(attribute);
		size_t length = mnl_attr_get_payload_len(attribute);

		switch (mnl_attr_get_type(attribute)) {
		case NFTA_CHAIN_NAME:
			copy_text(chain.name, sizeof chain.name, bytes, length);
			break;
		case NFTA_CHAIN_TYPE:
			copy_text(chain.type, sizeof chain.type, bytes, length);
			break;
		case NFTA_CHAIN_POLICY:
			chain.policy = ntohl(netlink_get_u32(attribute));
			break;
		case NFTA_CHAIN_HOOK:
			read_hook(attribute, &chain);
			break;
		}
	}
	dump->handle(dump->context, &chain);
}

int netfilter_dump_chains(struct netfilter *netfilter, uint8_t family, const char *table,
						  void (*handle)(void *context, const struct netfilter_chain *chain), void *context)
{
	struct table_chain_dump dump = { table, handle, context };

	begin_dump(netfilter, NFT_MSG_GETCHAIN, family);
	return netlink_finish(&netfilter->netlink, dump_table_chain, &dump);
}

struct table_rule_dump {
	const char *table;
	void (*handle)(void *context, const char *comment, uint64_t hash);
	void *context;
};

/* User data is a sequence of a type, a length and that many bytes. */
static void read_userdata(const struct nlattr *attribute, char comment[COMMENT_BYTES])
{
	const uint8_t *data = mnl_attr_get_payload(attribute);
	size_t length = mnl_attr_get_payload_len(attribute);

	while (length >= 2 && length - 2 >= data[1]) {
		if (data[0] == USERDATA_COMMENT)
			copy_text(comment, COMMENT_BYTES, data + 2, data[1]);
		length -= 2u + data[1];
		data += 2u + data[1];
	}
}

static void dump_table_rule(void *context, const struct nlmsghdr *message)
{
	const struct table_rule_dump *dump = context;
	char name[TABLE_BYTES], comment[COMMENT_BYTES] = "";
	const struct nlattr *attribute;
	uint64_t hash = 0;

	table_name(message, name);
	if (strcmp(name, dump->table) != 0)
		return;
	mnl_attr_for_each(attribute, message, sizeof(struct nfgenmsg))
	{
		if (mnl_attr_get_type(attribute) == NFTA_RULE_USERDATA)
			read_userdata(attribute, comment);
		else if (mnl_attr_get_type(attribute) == NFTA_RULE_EXPRESSIONS)
			hash = map_hash(mnl_attr_get_payload(attribute), mnl_attr_get_payload_len(attribute));
	}
	dump->handle(dump->context, comment, hash);
}

int netfilter_dump_rules(struct netfilter *netfilter, uint8_t family, const char *table,
						 void (*handle)(void *context, const char *comment, uint64_t hash), void *context)
{
	struct table_rule_dump dump = { table, handle, context };
	struct nlmsghdr *message = begin_dump(netfilter, NFT_MSG_GETRULE, family);
	int status;

	mnl_attr_put_strz(message, NFTA_RULE_TABLE, table);
	status = netlink_finish(&netfilter->netlink, dump_table_rule, &dump);
	return status == -ENOENT ? 0 : status;
}

int netfilter_watch_open(void)
{
	struct sockaddr_nl address = { .nl_family = AF_NETLINK };
	int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, NETLINK_NETFILTER);
	int group = NFNLGRP_NFTABLES, status;

	if (fd < 0)
		return -errno;
	if (bind(fd, (struct sockaddr *)&address, sizeof address) == 0 &&
		setsockopt(fd, SOL_NETLINK, NETLINK_ADD_MEMBERSHIP, &group, sizeof group) == 0)
		return fd;
	status = -errno;
	close(fd);
	return status;
}

int netfilter_watch_read(int fd, void (*handle)(void *context, const char *table), void *context)
{
	_Alignas(struct nlmsghdr) char buffer[EVENT_BYTES];
	char name[TABLE_BYTES];

	for (int i = 0; i < EVENTS_AT_ONCE; i++) {
		const struct nlmsghdr *message = (const struct nlmsghdr *)(const void *)buffer;
		ssize_t received = recv(fd, buffer, sizeof buffer, MSG_TRUNC);
		int length = (int)received;

		if (received < 0)
			return errno == EAGAIN ? 0 : -errno;
		if ((size_t)received > sizeof buffer)
			return -ENOBUFS;
		/* Ignores sets: additions are frequent on some hosts, and the kernel refuses to change those of adit. */
		for (; mnl_nlmsg_ok(message, length); message = mnl_nlmsg_next(message, &length)) {
			switch (message->nlmsg_type) {
			case NFNL_SUBSYS_NFTABLES << 8 | NFT_MSG_NEWTABLE:
			case NFNL_SUBSYS_NFTABLES << 8 | NFT_MSG_DELTABLE:
			case NFNL_SUBSYS_NFTABLES << 8 | NFT_MSG_NEWCHAIN:
			case NFNL_SUBSYS_NFTABLES << 8 | NFT_MSG_DELCHAIN:
			case NFNL_SUBSYS_NFTABLES << 8 | NFT_MSG_NEWRULE:
			case NFNL_SUBSYS_NFTABLES << 8 | NFT_MSG_DELRULE:
				table_name(message, name);
				handle(context, name);
				break;
			}
		}
	}
	return 0;
}
