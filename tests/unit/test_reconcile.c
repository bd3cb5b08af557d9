/* SPDX-License-Identifier: MIT */
/* The reconciler against a model of a host on which other programs work as well. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>

#include "desired.h"
#include "difference.h"
#include "host_model.h"

enum { STEPS = 10000, POOL = 8 };

static const char *const addresses[POOL] = { "10.7.0.1/24", "10.7.0.2/24", "10.7.0.1/16", "10.8.0.1/32",
											 "fd07::1/64",  "fd07::2/64",  "fd07::1/48",  "fd08::1/128" };
static const char *const prefixes[POOL] = { "0.0.0.0/0",   "::/0",      "10.9.0.0/16", "10.9.1.0/24",
											"10.7.0.0/24", "fd09::/48", "fd07::/64",   "192.0.2.0/24" };

/* A configuration and what the reconciler made of it. */
struct scene {
	struct model model;
	struct reconcile reconcile;
	struct config config;
	struct config_peer peer;
	struct config_prefix address[POOL], allowed[POOL];
	struct network_plan plan;
	struct desired_facts facts;
	char warning[512];
	unsigned warnings;
};

static void note_warning(void *context, const char *text)
{
	struct scene *scene = context;

	scene->warnings++;
	snprintf(scene->warning, sizeof scene->warning, "%s", text);
}

static void link_prefixes(struct config_prefix **list, struct config_prefix *entries, const char *const *texts,
						  unsigned chosen)
{
	*list = NULL;
	for (int i = POOL - 1; i >= 0; i--) {
		if (!(chosen >> i & 1))
			continue;
		assert_true(prefix_from_text(&entries[i].prefix, texts[i]));
		entries[i].next = *list;
		*list = &entries[i];
	}
}

/* Chooses from the pools; bit i is entry i. */
static void configure(struct scene *scene, unsigned address_bits, unsigned allowed_bits)
{
	scene->config.peers = &scene->peer;
	link_prefixes(&scene->config.addresses, scene->address, addresses, address_bits);
	link_prefixes(&scene->peer.allowed_ips, scene->allowed, prefixes, allowed_bits);
	scene->plan = (struct network_plan) { .full_v4 = allowed_bits & 1, .full_v6 = allowed_bits & 2 };
	if (allowed_bits & 3)
		scene->plan.mark = scene->plan.table = 51820;
}

static void build(struct scene *scene, struct item_list *list)
{
	char left_out[PREFIX_TEXT];

	assert_int_equal(desired_build(list, &scene->config, &scene->plan, &scene->facts, left_out), 0);
}

static void rebuild(struct scene *scene)
{
	item_list_destroy(&scene->reconcile.desired);
	build(scene, &scene->reconcile.desired);
}

static struct scene *new_scene(void)
{
	struct scene *scene = calloc(1, sizeof *scene);

	assert_non_null(scene);
	model_init(&scene->model);
	scene->facts = (struct desired_facts) { .index = 7, .v6 = true, .mtu = 1420 };
	scene->reconcile = (struct reconcile) { .host = &scene->model.operations, .warn = note_warning, .context = scene };
	return scene;
}

static void free_scene(struct scene *scene)
{
	item_list_destroy(&scene->reconcile.desired);
	free(scene);
}

static void run(struct scene *scene, enum reconcile_mode mode)
{
	struct reason reason;
	int status = reconcile_run(&scene->reconcile, mode, &reason);

	if (status < 0)
		fail_msg("%s", reason.text);
}

static bool is_value(const struct item *item)
{
	return item->kind == ITEM_LINK || item->kind == ITEM_SYSCTL;
}

static bool conflicts(struct scene *scene, const struct item *item)
{
	const struct model_entry *entry = model_find(&scene->model, item);

	if (!(item->flags & (ITEM_LEFT_OUT | ITEM_FAILED)) || !scene->warnings)
		return false;
	if (entry)
		return entry->elsewhere;
	entry = model_other_length(&scene->model, item);
	return entry && entry->owner == OWNER_OTHER;
}

/* A connected route belongs to an address; a conflict with an owner is named. */
static void assert_item(struct scene *scene, const struct item *item)
{
	const struct model_entry *entry = model_find(&scene->model, item);
	char text[ITEM_TEXT];

	item_text(text, item);
	if (is_value(item)) {
		const uint32_t *values = item->kind == ITEM_LINK ? scene->model.link : scene->model.sysctl;
		struct item observed = item_setting(item->kind, item->length, values[item->length]);

		if (!item_satisfies(&observed, item))
			fail_msg("%s is %u", text, observed.value);
	} else if (item->flags & ITEM_BRIEF) {
		if (entry)
			fail_msg("%s is left", text);
	} else if (!(item->flags & ITEM_CONNECTED) && !conflicts(scene, item) &&
			   (!entry || entry->elsewhere || !item_satisfies(&entry->item, item))) {
		fail_msg("%s is missing", text);
	}
}

static void assert_desired(struct scene *scene)
{
	const struct item_list *desired = &scene->reconcile.desired;

	for (size_t i = 0; i < desired->count; i++)
		assert_item(scene, &desired->items[i]);
	for (size_t i = 0; i < scene->model.count; i++) {
		const struct model_entry *entry = &scene->model.entries[i];
		char text[ITEM_TEXT];

		item_text(text, &entry->item);
		if (entry->owner == OWNER_US && !item_find(desired, &entry->item))
			fail_msg("%s is too many", text);
	}
}

/* --- single cases ----- */

static void a_start_makes_what_is_desired_and_a_second_run_nothing(void **state)
{
	struct scene *scene = new_scene();

	configure(scene, 0x3f, 0xff);
	rebuild(scene);
	run(scene, RECONCILE_FULL);
	assert_desired(scene);
	scene->model.applied = 0;
	run(scene, RECONCILE_FULL);
	assert_int_equal(scene->model.applied, 0);
	assert_int_equal(scene->warnings, 0);
	free_scene(scene);
}

static size_t routes_of(struct scene *scene)
{
	size_t count = 0;

	for (size_t i = 0; i < scene->model.count; i++)
		count += scene->model.entries[i].item.kind == ITEM_ROUTE && scene->model.entries[i].owner == OWNER_US;
	return count;
}

/* The new address is added before the old one is deleted, so the routes of the interface stay. */
static void the_only_address_changes_without_a_moment_without_routes(void **state)
{
	struct scene *scene = new_scene();
	size_t before;

	for (int length = 0; length < 2; length++) {
		configure(scene, 1 << 0, 1 << 2 | 1 << 0);
		rebuild(scene);
		run(scene, RECONCILE_FULL);
		before = routes_of(scene);
		configure(scene, length ? 1 << 2 : 1 << 1, 1 << 2 | 1 << 0);
		rebuild(scene);
		run(scene, RECONCILE_PREPARE);
		assert_int_equal(routes_of(scene), before);
		run(scene, RECONCILE_FULL);
		assert_desired(scene);
	}
	free_scene(scene);
}

/* Sets up the first configuration, and desires the second one. Returns what the first one desired. */
static struct item_list begin_change(struct scene *scene, const unsigned first[2], const unsigned second[2])
{
	struct item_list before;

	configure(scene, first[0], first[1]);
	rebuild(scene);
	run(scene, RECONCILE_FULL);
	before = scene->reconcile.desired;
	scene->reconcile.desired = (struct item_list) { 0 };
	configure(scene, second[0], second[1]);
	rebuild(scene);
	return before;
}

/* A host needs 70 ms to list 100,000 routes. */
static void a_change_need_not_list_the_routes(void **state)
{
	struct scene *scene = new_scene();
	struct item_list before = begin_change(scene, (unsigned[]) { 0x11, 0x3c }, (unsigned[]) { 0x11, 0xb4 });
	struct reason reason;

	scene->model.listed = scene->model.applied = 0;
	assert_true(reconcile_change(&scene->reconcile, &before, RECONCILE_PREPARE, &reason) > 0);
	assert_true(reconcile_change(&scene->reconcile, &before, RECONCILE_FULL, &reason) > 0);
	assert_int_equal(scene->model.listed, 0);
	assert_uint_in_range(scene->model.applied, 2, 3);
	assert_desired(scene);
	item_list_destroy(&before);
	free_scene(scene);
}

/* Returns the position of the first operation with an item like this one. */
static size_t position(const struct operation_list *list, enum item_kind kind, uint8_t length)
{
	for (size_t i = 0; i < list->count; i++)
		if (list->operations[i].item.kind == kind && list->operations[i].item.length == length)
			return i;
	fail_msg("no operation for an item of kind %d", kind);
	return 0;
}

/* Packets that follow the rule do not meet the guard, except at a start, when the link is not up yet. */
static void the_default_route_comes_before_its_rule(void **state)
{
	for (int up = 0; up < 2; up++) {
		struct scene *scene = new_scene();
		struct item_list observed = { 0 };
		struct operation_list list = { 0 };

		if (up) {
			configure(scene, 1 << 0, 1 << 2);
			rebuild(scene);
			run(scene, RECONCILE_FULL);
		}
		configure(scene, 1 << 0, 1 << 0 | 1 << 2);
		rebuild(scene);
		assert_int_equal(model_observe(&scene->model, &observed, true), 0);
		item_list_sort(&observed);
		assert_int_equal(difference_find(&list, &scene->reconcile.desired, &observed, DIFFERENCE_ADDITIONS), 0);
		assert_int_equal(list.operations[0].item.kind, ITEM_GUARD);
		assert_int_equal(position(&list, ITEM_ROUTE, 0) < position(&list, ITEM_RULE, RULE_TUNNEL), up);
		operation_list_destroy(&list);
		item_list_destroy(&observed);
		free_scene(scene);
	}
}

static void a_refused_change_is_reverted(void **state)
{
	for (int refused = 1; refused < 40; refused++) {
		struct scene *scene = new_scene();
		struct item_list before = begin_change(scene, (unsigned[]) { 0x11, 0x05 }, (unsigned[]) { 0x3e, 0x6e });
		struct reason reason;

		scene->model.refuse_after = refused;
		if (reconcile_run(&scene->reconcile, RECONCILE_PREPARE, &reason) < 0) {
			assert_non_null(strstr(reason.text, ": "));
			item_list_destroy(&scene->reconcile.desired);
			scene->reconcile.desired = before;
			scene->model.refuse_after = 0;
			run(scene, RECONCILE_FULL);
			assert_desired(scene);
		} else {
			item_list_destroy(&before);
		}
		free_scene(scene);
	}
}

/* An existing route on our device is as good as ours. A route on another device is reported with its owner. */
static void a_route_that_is_there_already(void **state)
{
	struct scene *scene = new_scene();
	struct ip_prefix prefix;
	struct reason reason;
	struct item route;

	assert_true(prefix_from_text(&prefix, "192.0.2.0/24"));
	route = item_route(&prefix, RT_TABLE_MAIN);
	scene->model.link[LINK_UP] = 1;
	model_put(&scene->model, &route, OWNER_OTHER, false);
	configure(scene, 1, 1 << 7);
	rebuild(scene);
	run(scene, RECONCILE_FULL);
	assert_int_equal(model_find(&scene->model, &route)->owner, OWNER_OTHER);
	model_find(&scene->model, &route)->elsewhere = true;
	assert_int_equal(reconcile_run(&scene->reconcile, RECONCILE_FULL, &reason), -EEXIST);
	assert_string_equal(reason.text, "route 192.0.2.0/24: already on dev wan");
	run(scene, RECONCILE_REPAIR);
	assert_string_equal(scene->warning, "route 192.0.2.0/24: already on dev wan");
	free_scene(scene);
}

static void ipv6_that_is_refused_is_left_out_with_one_warning(void **state)
{
	struct scene *scene = new_scene();

	scene->model.refuse_v6 = true;
	configure(scene, 0x31, 0x66);
	rebuild(scene);
	run(scene, RECONCILE_FULL);
	assert_int_equal(scene->warnings, 1);
	run(scene, RECONCILE_REPAIR);
	assert_int_equal(scene->warnings, 1);
	free_scene(scene);
}

static void ipv6_keeps_the_mtu_at_1280_and_returns_with_it(void **state)
{
	struct scene *scene = new_scene();

	scene->facts.mtu = 1200;
	configure(scene, 0x11, 0x24);
	rebuild(scene);
	run(scene, RECONCILE_FULL);
	assert_int_equal(scene->model.link[LINK_MTU], 1280);
	assert_desired(scene);
	scene->config.mtu = 1200;
	rebuild(scene);
	run(scene, RECONCILE_FULL);
	assert_int_equal(scene->model.link[LINK_MTU], 1200);
	assert_int_equal(model_addresses(&scene->model, AF_INET6), 0);
	scene->config.mtu = scene->facts.mtu = 1420;
	rebuild(scene);
	run(scene, RECONCILE_FULL);
	assert_desired(scene);
	assert_int_equal(model_addresses(&scene->model, AF_INET6), 1);
	free_scene(scene);
}

static int fight_apply_count;

/* A host on which another program undoes a side effect at once. */
static void undo(void *host, const struct operation *operations, size_t count, int *status, struct reason *reason)
{
	struct model *model = host;

	model_apply(host, operations, count, status, reason);
	model->link[LINK_MTU] = 1400;
	fight_apply_count++;
}

static void a_change_that_is_undone_three_times_is_a_conflict(void **state)
{
	struct scene *scene = new_scene();
	struct reason reason;

	fight_apply_count = 0;
	configure(scene, 0x1, 0x4);
	rebuild(scene);
	run(scene, RECONCILE_FULL);
	scene->model.operations.apply = undo;
	scene->model.link[LINK_MTU] = 1400;
	assert_int_equal(reconcile_run(&scene->reconcile, RECONCILE_REPAIR, &reason), -EBUSY);
	assert_int_equal(fight_apply_count, 3);
	assert_non_null(strstr(reason.text, "link MTU 1420: "));
	free_scene(scene);
}

static void assert_item_text(struct item item, const char *expected)
{
	char text[ITEM_TEXT];

	item_text(text, &item);
	assert_string_equal(text, expected);
}

static void settings_of_the_link_are_named_in_words(void **state)
{
	assert_item_text(item_setting(ITEM_LINK, LINK_UP, 1), "link state up");
	assert_item_text(item_setting(ITEM_LINK, LINK_MTU, 1420), "link MTU 1420");
	assert_item_text(item_setting(ITEM_LINK, LINK_SEND_REDIRECTS, 0), "link send_redirects = 0");
}

/* --- 10,000 steps ----- */

static void random_item(struct scene *scene, struct item *item)
{
	struct ip_prefix prefix;

	assert_true(prefix_from_text(&prefix, (rand() % 2 ? prefixes : addresses)[rand() % POOL]));
	prefix_mask(&prefix);
	*item = item_route(&prefix, rand() % 3 ? RT_TABLE_MAIN : 51820);
}

/* Another program adds a route, on our interface or elsewhere, if the kernel takes it. */
static void add_foreign_route(struct scene *scene)
{
	struct item item;

	random_item(scene, &item);
	if (!model_find(&scene->model, &item) && scene->model.count < MODEL_ENTRIES / 2 && scene->model.link[LINK_UP] &&
		(item.family == AF_INET || model_has_v6(&scene->model)))
		model_put(&scene->model, &item, OWNER_OTHER, rand() % 2);
}

static void add_foreign_address(struct scene *scene)
{
	struct ip_prefix prefix;
	struct item item;

	assert_true(prefix_from_text(&prefix, addresses[rand() % POOL]));
	prefix.address[prefix.family == AF_INET ? 3 : 15] = (uint8_t)(2 + rand() % 3);
	item = item_route(&prefix, 0);
	item.kind = ITEM_ADDRESS;
	if (model_find(&scene->model, &item) || (item.family == AF_INET6 && !model_has_v6(&scene->model)))
		return;
	for (size_t i = 0; i < scene->model.count; i++) {
		const struct item *other = &scene->model.entries[i].item;

		if (other->kind == ITEM_ADDRESS && memcmp(other->address, item.address, 16) == 0)
			return;
	}
	model_put(&scene->model, &item, OWNER_OTHER, false);
	model_connect(&scene->model, &item);
}

/* Another program deletes something, of ours, of the kernel or of its own. */
static void delete_anything(struct scene *scene)
{
	struct model *model = &scene->model;
	struct model_entry *entry;

	if (!model->count)
		return;
	entry = &model->entries[rand() % (int)model->count];
	if (entry->item.kind == ITEM_ADDRESS)
		model_delete_address(model, entry);
	else
		model_remove(model, (size_t)(entry - model->entries));
}

/* `ip route replace`: a route of ours is now another program's, on another device. */
static void replace_route(struct scene *scene)
{
	struct model *model = &scene->model;

	for (size_t i = 0; i < model->count; i++) {
		if (model->entries[i].item.kind == ITEM_ROUTE && rand() % 4 == 0) {
			model->entries[i].owner = OWNER_OTHER;
			model->entries[i].elsewhere = true;
			return;
		}
	}
}

static void change_configuration(struct scene *scene)
{
	configure(scene, (unsigned)rand() & 0xff, (unsigned)rand() & 0xff);
	/* The pool has one IPv6 address with two lengths, which one configuration cannot have. */
	if (scene->config.addresses) {
		unsigned bits = (unsigned)rand() & 0xff;

		if ((bits & 1 << 4) && (bits & 1 << 6))
			bits &= ~(1u << 6);
		configure(scene, bits, (unsigned)rand() & 0xff);
	}
	rebuild(scene);
}

static void step(struct scene *scene)
{
	static const uint32_t mtus[] = { 1000, 1200, 1280, 1420, 1500 };

	switch (rand() % 11) {
	case 0:
		change_configuration(scene);
		break;
	case 1:
		add_foreign_route(scene);
		break;
	case 2:
		add_foreign_address(scene);
		break;
	case 3:
		replace_route(scene);
		break;
	case 4:
		model_set_mtu(&scene->model, mtus[rand() % 5]);
		break;
	case 5:
		model_set_up(&scene->model, rand() % 2);
		break;
	case 6:
		scene->model.link[LINK_MULTICAST] = 1;
		scene->model.sysctl[rand() % SYSCTLS] = (uint32_t)rand() % 2;
		break;
	case 7: /* nft flush ruleset, or a rule deleted from the table */
		for (size_t i = scene->model.count; i > 0; i--)
			if (scene->model.entries[i - 1].item.kind == ITEM_FIREWALL && rand() % 2)
				model_remove(&scene->model, i - 1);
			else if (scene->model.entries[i - 1].item.kind == ITEM_FIREWALL)
				scene->model.entries[i - 1].item.digest = 0;
		break;
	default:
		delete_anything(scene);
	}
}

static size_t count_foreign(const struct model *model)
{
	size_t count = 0;

	for (size_t i = 0; i < model->count; i++)
		count += model->entries[i].owner == OWNER_OTHER;
	return count;
}

/* If ours was the last IPv4 address, the kernel deletes the foreign routes with it. */
static bool may_lose_foreign(struct scene *scene)
{
	for (const struct config_prefix *address = scene->config.addresses; address; address = address->next)
		if (address->prefix.family == AF_INET)
			return false;
	return true;
}

static void ten_thousand_steps_end_in_the_desired_state_or_a_named_conflict(void **state)
{
	struct scene *scene = new_scene();

	srand(20240517);
	change_configuration(scene);
	for (int number = 0; number < STEPS; number++) {
		unsigned events = 1 + (unsigned)rand() % 3;
		size_t foreign;

		while (events--)
			step(scene);
		foreign = count_foreign(&scene->model);
		scene->warnings = 0;
		run(scene, RECONCILE_REPAIR);
		assert_desired(scene);
		run(scene, RECONCILE_REPAIR); /* the look that follows every repair */
		assert_desired(scene);
		if (!may_lose_foreign(scene))
			assert_int_equal(count_foreign(&scene->model), foreign);
		else
			assert_uint_in_range(count_foreign(&scene->model), 0, foreign);
		scene->model.applied = 0;
	}
	free_scene(scene);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_start_makes_what_is_desired_and_a_second_run_nothing),
		cmocka_unit_test(the_only_address_changes_without_a_moment_without_routes),
		cmocka_unit_test(a_change_need_not_list_the_routes),
		cmocka_unit_test(the_default_route_comes_before_its_rule),
		cmocka_unit_test(a_refused_change_is_reverted),
		cmocka_unit_test(a_route_that_is_there_already),
		cmocka_unit_test(ipv6_that_is_refused_is_left_out_with_one_warning),
		cmocka_unit_test(ipv6_keeps_the_mtu_at_1280_and_returns_with_it),
		cmocka_unit_test(a_change_that_is_undone_three_times_is_a_conflict),
		cmocka_unit_test(settings_of_the_link_are_named_in_words),
		cmocka_unit_test(ten_thousand_steps_end_in_the_desired_state_or_a_named_conflict),
	};

	return cmocka_run_group_tests_name("reconcile", tests, NULL, NULL);
}
