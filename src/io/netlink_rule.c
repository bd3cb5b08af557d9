/* SPDX-License-Identifier: MIT */
/* Policy rules by rtnetlink. */
#include <errno.h>
#include <linux/fib_rules.h>
#include <linux/rtnetlink.h>

#include "netlink_request.h"

enum { NOT_SUPPRESSED = -1 };

/* A rule that has only these conditions. */
struct rule {
	uint8_t family;
	bool inverted;
	uint32_t mark;    /* with a full mask; 0: any */
	int32_t suppress; /* ignore routes with at most this prefix length, or NOT_SUPPRESSED */
	uint32_t table;
	uint32_t priority; /* lower ones come first; 0: unset, and the kernel puts the rule in front of all others */
};

static bool rule_equal(const struct rule *a, const struct rule *b)
{
	return a->family == b->family && a->inverted == b->inverted && a->mark == b->mark && a->suppress == b->suppress &&
		   a->table == b->table;
}

static int change_rule(struct netlink *netlink, uint16_t type, uint16_t flags, const struct rule *rule)
{
	struct nlmsghdr *message = netlink_begin(netlink, type, flags);
	struct fib_rule_hdr *head = mnl_nlmsg_put_extra_header(message, sizeof *head);

	head->family = rule->family;
	head->action = FR_ACT_TO_TBL;
	head->flags = rule->inverted ? FIB_RULE_INVERT : 0;
	mnl_attr_put_u32(message, FRA_TABLE, rule->table);
	if (rule->mark)
		mnl_attr_put_u32(message, FRA_FWMARK, rule->mark);
	if (rule->suppress != NOT_SUPPRESSED)
		mnl_attr_put_u32(message, FRA_SUPPRESS_PREFIXLEN, (uint32_t)rule->suppress);
	if (rule->priority)
		mnl_attr_put_u32(message, FRA_PRIORITY, rule->priority);
	return netlink_finish(netlink, NULL, NULL);
}

/* Returns false if the attribute is a condition that struct rule does not have. */
static bool read_rule_attribute(const struct nlattr *attribute, struct rule *rule)
{
	uint32_t value = netlink_get_u32(attribute);

	switch (mnl_attr_get_type(attribute)) {
	case FRA_TABLE:
		rule->table = value;
		return true;
	case FRA_PRIORITY:
		rule->priority = value;
		return true;
	case FRA_FWMARK:
		rule->mark = value;
		return true;
	case FRA_FWMASK:
		return value == UINT32_MAX;
	case FRA_SUPPRESS_PREFIXLEN:
		rule->suppress = (int32_t)value;
		return true;
	case FRA_PROTOCOL:
		return true;
	default:
		return false;
	}
}

/* Returns false if the message is not a rule that struct rule can represent. */
static bool read_rule(const struct nlmsghdr *message, struct rule *rule)
{
	const struct fib_rule_hdr *head = mnl_nlmsg_get_payload(message);
	const struct nlattr *attribute;

	if (message->nlmsg_type != RTM_NEWRULE || head->action != FR_ACT_TO_TBL || head->src_len || head->dst_len ||
		head->tos || head->flags & ~(uint32_t)FIB_RULE_INVERT)
		return false;
	*rule = (struct rule) {
		.family = head->family,
		.inverted = head->flags & FIB_RULE_INVERT,
		.suppress = NOT_SUPPRESSED,
		.table = head->table,
	};
	mnl_attr_for_each(attribute, message, sizeof *head)
	{
		if (!read_rule_attribute(attribute, rule))
			return false;
	}
	return true;
}

static void keep_last_rule(void *context, const struct nlmsghdr *message)
{
	struct rule *wanted = context, found;

	if (read_rule(message, &found) && rule_equal(&found, wanted) && found.priority > wanted->priority)
		wanted->priority = found.priority;
}

/*
 * Deletes the last rule that is equal to `rule`. The kernel would delete the first rule that has the requested
 * conditions, even if it has others too or is not inverted. So find the rule in a dump and delete it by its priority.
 */
static int delete_last_rule(struct netlink *netlink, struct rule *rule)
{
	struct nlmsghdr *message = netlink_begin(netlink, RTM_GETRULE, NLM_F_DUMP);
	struct fib_rule_hdr *head = mnl_nlmsg_put_extra_header(message, sizeof *head);
	int status;

	head->family = rule->family;
	status = netlink_finish(netlink, keep_last_rule, rule);
	if (status < 0) /* a kernel without the family has no rules for it */
		return status == -EAFNOSUPPORT || status == -EOPNOTSUPP ? -ENOENT : status;
	return rule->priority ? change_rule(netlink, RTM_DELRULE, 0, rule) : -ENOENT;
}

static struct rule not_mark(uint8_t family, uint32_t mark, uint32_t table)
{
	return (struct rule) {
		.family = family,
		.inverted = true,
		.mark = mark,
		.suppress = NOT_SUPPRESSED,
		.table = table,
	};
}

static struct rule suppress_main(uint8_t family)
{
	return (struct rule) { .family = family, .suppress = 0, .table = RT_TABLE_MAIN };
}

int netlink_rule_add_not_mark(struct netlink *netlink, uint8_t family, uint32_t mark, uint32_t table)
{
	struct rule rule = not_mark(family, mark, table);
	return change_rule(netlink, RTM_NEWRULE, NLM_F_CREATE | NLM_F_EXCL, &rule);
}

int netlink_rule_add_suppress_main(struct netlink *netlink, uint8_t family)
{
	struct rule rule = suppress_main(family);
	return change_rule(netlink, RTM_NEWRULE, NLM_F_CREATE | NLM_F_EXCL, &rule);
}

int netlink_rule_del_not_mark(struct netlink *netlink, uint8_t family, uint32_t mark, uint32_t table)
{
	struct rule rule = not_mark(family, mark, table);
	return delete_last_rule(netlink, &rule);
}

int netlink_rule_del_suppress_main(struct netlink *netlink, uint8_t family)
{
	struct rule rule = suppress_main(family);
	return delete_last_rule(netlink, &rule);
}
