/* SPDX-License-Identifier: MIT */
/*
 * A model of a host for the reconciler: link, addresses, routes, rules and firewall, with the side effects of Linux.
 * Other programs change it, too. It aborts the test if an item that is not ours is deleted.
 */
#ifndef ADIT_TEST_HOST_MODEL_H
#define ADIT_TEST_HOST_MODEL_H

#include <errno.h>
#include <linux/rtnetlink.h>
#include <string.h>

#include "reconcile.h"

enum { MODEL_ENTRIES = 256 };

enum model_owner { OWNER_US, OWNER_KERNEL, OWNER_OTHER };

struct model_entry {
	struct item item;
	enum model_owner owner;
	bool elsewhere; /* a route of another interface */
};

struct model {
	struct model_entry entries[MODEL_ENTRIES];
	size_t count;
	uint32_t link[LINK_SETTINGS], sysctl[SYSCTLS];
	bool refuse_v6;   /* disable_ipv6 */
	int refuse_after; /* this many operations succeed, then one fails with -EPERM; 0: none */
	unsigned applied;
	unsigned listed; /* observations with routes */
	struct host_operations operations;
};

static inline bool model_has_v6(const struct model *model)
{
	return model->link[LINK_MTU] >= 1280;
}

static inline void model_remove(struct model *model, size_t at)
{
	memmove(&model->entries[at], &model->entries[at + 1], (model->count - at - 1) * sizeof model->entries[0]);
	model->count--;
}

static inline struct model_entry *model_find(struct model *model, const struct item *item)
{
	for (size_t i = 0; i < model->count; i++)
		if (item_compare(&model->entries[i].item, item) == 0)
			return &model->entries[i];
	return NULL;
}

static inline void model_put(struct model *model, const struct item *item, enum model_owner owner, bool elsewhere)
{
	struct item kept = *item;

	assert_uint_in_range(model->count, 0, MODEL_ENTRIES - 1);
	kept.flags = 0;
	if (kept.kind == ITEM_ADDRESS)
		kept.table = 0;
	model->entries[model->count++] = (struct model_entry) { kept, owner, elsewhere };
}

static inline struct item model_network(const struct item *address)
{
	struct ip_prefix prefix;

	item_prefix(address, &prefix);
	prefix_mask(&prefix);
	return item_route(&prefix, RT_TABLE_MAIN);
}

static inline bool model_is_host(const struct item *address)
{
	return address->length == (address->family == AF_INET ? 32 : 128);
}

/* The kernel's own route to the network of an address. */
static inline void model_connect(struct model *model, const struct item *address)
{
	struct item network = model_network(address);

	if (model->link[LINK_UP] && !model_is_host(address) && !model_find(model, &network))
		model_put(model, &network, OWNER_KERNEL, false);
}

static inline void model_drop_routes(struct model *model, uint8_t family)
{
	for (size_t i = model->count; i > 0; i--) {
		const struct model_entry *entry = &model->entries[i - 1];

		if (entry->item.kind == ITEM_ROUTE && !entry->elsewhere && (!family || entry->item.family == family))
			model_remove(model, i - 1);
	}
}

static inline void model_drop_addresses(struct model *model, uint8_t family)
{
	for (size_t i = model->count; i > 0; i--)
		if (model->entries[i - 1].item.kind == ITEM_ADDRESS && model->entries[i - 1].item.family == family)
			model_remove(model, i - 1);
}

static inline size_t model_addresses(const struct model *model, uint8_t family)
{
	size_t count = 0;

	for (size_t i = 0; i < model->count; i++)
		count += model->entries[i].item.kind == ITEM_ADDRESS && model->entries[i].item.family == family;
	return count;
}

/* The kernel's route goes with the last address of its network, a primary address takes its secondaries along. */
static inline void model_disconnect(struct model *model, const struct item *address)
{
	struct item network = model_network(address);
	struct model_entry *route = model_find(model, &network);

	for (size_t i = model->count; i > 0; i--) {
		struct item other = model_network(&model->entries[i - 1].item);

		if (model->entries[i - 1].item.kind != ITEM_ADDRESS || item_compare(&other, &network) != 0)
			continue;
		if (address->family == AF_INET6 || model->link[LINK_PROMOTE_SECONDARIES])
			return;
		model_remove(model, i - 1);
	}
	route = model_find(model, &network);
	if (route && route->owner == OWNER_KERNEL)
		model_remove(model, (size_t)(route - model->entries));
}

static inline void model_delete_address(struct model *model, struct model_entry *entry)
{
	struct item address = entry->item;

	model_remove(model, (size_t)(entry - model->entries));
	model_disconnect(model, &address);
	if (address.family == AF_INET && !model_addresses(model, AF_INET))
		model_drop_routes(model, AF_INET);
}

static inline void model_set_up(struct model *model, bool up)
{
	if (model->link[LINK_UP] == up)
		return;
	model->link[LINK_UP] = up;
	if (!up) {
		model_drop_routes(model, 0);
		model_drop_addresses(model, AF_INET6);
		return;
	}
	for (size_t i = 0; i < model->count; i++)
		if (model->entries[i].item.kind == ITEM_ADDRESS)
			model_connect(model, &model->entries[i].item);
}

static inline void model_set_mtu(struct model *model, uint32_t mtu)
{
	bool had = model_has_v6(model);

	model->link[LINK_MTU] = mtu;
	if (had && !model_has_v6(model)) {
		model_drop_routes(model, AF_INET6);
		model_drop_addresses(model, AF_INET6);
	} else if (!had && model_has_v6(model)) {
		model->link[LINK_ADDR_GEN_MODE] = 0;
		model->sysctl[SYSCTL_ACCEPT_RA] = 1;
	}
}

static inline int model_observe(void *host, struct item_list *observed, bool routes)
{
	struct model *model = host;
	struct item item;

	model->listed += routes;
	for (uint8_t i = 0; i < LINK_SETTINGS; i++) {
		item = item_setting(ITEM_LINK, i, model->link[i]);
		if (i != LINK_ADDR_GEN_MODE || model_has_v6(model))
			assert_int_equal(item_push(observed, &item), 0);
	}
	for (uint8_t i = 0; i < SYSCTLS; i++) {
		item = item_setting(ITEM_SYSCTL, i, model->sysctl[i]);
		if (i != SYSCTL_ACCEPT_RA || model_has_v6(model))
			assert_int_equal(item_push(observed, &item), 0);
	}
	for (size_t i = 0; i < model->count; i++) {
		const struct model_entry *entry = &model->entries[i];

		if (entry->elsewhere || (entry->item.kind == ITEM_ROUTE && !routes) ||
			(entry->item.kind == ITEM_RULE && entry->owner != OWNER_US))
			continue;
		item = entry->item;
		item.flags = entry->owner == OWNER_US ? ITEM_OURS : 0;
		assert_int_equal(item_push(observed, &item), 0);
	}
	return 0;
}

/* The entry that keeps an address from being added: IPv6 has an address once, whatever its length. */
static inline const struct model_entry *model_other_length(const struct model *model, const struct item *item)
{
	for (size_t i = 0; i < model->count; i++) {
		const struct item *other = &model->entries[i].item;

		if (item->kind == ITEM_ADDRESS && other->kind == ITEM_ADDRESS && item->family == AF_INET6 &&
			other->family == AF_INET6 && memcmp(other->address, item->address, 16) == 0)
			return &model->entries[i];
	}
	return NULL;
}

static inline int model_add(struct model *model, const struct item *item)
{
	bool v6 = item->family == AF_INET6;

	if (item->kind == ITEM_LINK && item->length == LINK_MTU)
		model_set_mtu(model, item->value);
	else if (item->kind == ITEM_LINK && item->length == LINK_UP)
		model_set_up(model, item->value);
	else if (item->kind == ITEM_LINK)
		model->link[item->length] = item->value;
	else if (item->kind == ITEM_SYSCTL)
		model->sysctl[item->length] = item->value;
	else if (v6 && model->refuse_v6)
		return -EACCES;
	else if (v6 && item->kind >= ITEM_ADDRESS && !model_has_v6(model))
		return -EINVAL;
	else if (item->kind == ITEM_ROUTE && !model->link[LINK_UP])
		return -ENETDOWN;
	else if (item->kind == ITEM_FIREWALL && model_find(model, item))
		model_find(model, item)->item.digest = item->digest;
	else if (model_find(model, item) || model_other_length(model, item))
		return -EEXIST;
	else
		model_put(model, item, OWNER_US, false);
	if (item->kind == ITEM_ADDRESS)
		model_connect(model, item);
	return 0;
}

static inline int model_delete(struct model *model, const struct item *item)
{
	struct model_entry *entry = model_find(model, item);

	if (!entry)
		return -ESRCH;
	assert_int_equal(entry->owner, OWNER_US);
	if (item->kind == ITEM_ADDRESS)
		model_delete_address(model, entry);
	else
		model_remove(model, (size_t)(entry - model->entries));
	return 0;
}

static inline void model_apply(void *host, const struct operation *operations, size_t count, int *status,
							   struct reason *reason)
{
	struct model *model = host;

	for (size_t i = 0; i < count; i++) {
		model->applied++;
		if (model->refuse_after && --model->refuse_after == 0)
			status[i] = -EPERM;
		else if (operations[i].verb == OPERATION_ADD)
			status[i] = model_add(model, &operations[i].item);
		else
			status[i] = model_delete(model, &operations[i].item);
	}
}

static inline int model_owner(void *host, const struct item *item, struct reason *reason)
{
	const struct model_entry *entry = model_find(host, item);

	if (entry && !entry->elsewhere)
		return 1;
	return reason_set(reason, 0, "already on dev wan");
}

static inline void model_init(struct model *model)
{
	*model = (struct model) { .link = { [LINK_MTU] = 1500, [LINK_MULTICAST] = 1, [LINK_SEND_REDIRECTS] = 1 } };
	model->sysctl[SYSCTL_ACCEPT_RA] = 1;
	model->operations = (struct host_operations) { model_observe, model_apply, model_owner, model };
}

#endif
