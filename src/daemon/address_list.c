/* SPDX-License-Identifier: MIT */
/* Address lists: arrays without duplicates, IPv6 first. */
#include "address_list.h"

#include <string.h>

int address_list_find(const struct address_list *list, const struct endpoint *endpoint)
{
	for (unsigned i = 0; i < list->count; i++)
		if (endpoint_same_remote(&list->items[i], endpoint))
			return (int)i;
	return -1;
}

void address_list_add(struct address_list *list, const struct endpoint *address)
{
	unsigned at = list->count;

	if (at == sizeof list->items / sizeof *list->items || address_list_find(list, address) >= 0)
		return;
	if (address->to.any.sa_family == AF_INET6)
		for (at = 0; at < list->count && list->items[at].to.any.sa_family == AF_INET6;)
			at++;
	memmove(&list->items[at + 1], &list->items[at], (list->count - at) * sizeof *list->items);
	list->items[at] = *address;
	list->count++;
}

bool address_list_equal(const struct address_list *a, const struct address_list *b)
{
	if (a->count != b->count)
		return false;
	for (unsigned i = 0; i < a->count; i++)
		if (address_list_find(b, &a->items[i]) < 0)
			return false;
	return true;
}
