/* SPDX-License-Identifier: MIT */
/* An intrusive doubly linked list: the caller embeds a struct list_node and owns the memory. */
#ifndef ADIT_BASE_LIST_H
#define ADIT_BASE_LIST_H

#include <stdbool.h>
#include <stddef.h>

/* The struct of type `type` whose member `member` is at `pointer`. */
#define container_of(pointer, type, member) ((type *)(void *)((char *)(pointer)-offsetof(type, member)))

/* Zeroed memory is a node that is in no list. */
struct list_node {
	struct list_node *next, *previous;
};

/* Circular: the list is the node before the first and after the last. Zeroed memory is an empty list. */
struct list {
	struct list_node head;
};

static inline bool list_empty(const struct list *list)
{
	return !list->head.next || list->head.next == &list->head;
}

/* True while the node is in a list. */
static inline bool list_linked(const struct list_node *node)
{
	return node->next;
}

/* Appends a node that is in no list. */
static inline void list_append(struct list *list, struct list_node *node)
{
	struct list_node *head = &list->head;

	if (!head->next)
		head->next = head->previous = head;
	node->next = head;
	node->previous = head->previous;
	head->previous->next = node;
	head->previous = node;
}

/* Removes the node from its list; a node that is in no list is left alone. */
static inline void list_remove(struct list_node *node)
{
	if (!node->next)
		return;
	node->next->previous = node->previous;
	node->previous->next = node->next;
	node->next = node->previous = NULL;
}

/* The first node, or NULL. */
static inline struct list_node *list_first(const struct list *list)
{
	return list_empty(list) ? NULL : list->head.next;
}

/* The node after `node`, or NULL at the end of the list. */
static inline struct list_node *list_next(const struct list *list, const struct list_node *node)
{
	return node->next == &list->head ? NULL : node->next;
}

/* Removes and returns the first node, or NULL. */
static inline struct list_node *list_take_first(struct list *list)
{
	struct list_node *node = list_first(list);

	if (!node)
		return NULL;
	list->head.next = node->next;
	node->next->previous = &list->head;
	node->next = node->previous = NULL;
	return node;
}

/* The first and next entry of type `type` with its node in `member`, or NULL. */
#define list_first_entry(list, type, member) (list_empty(list) ? NULL : container_of((list)->head.next, type, member))
#define list_next_entry(list, entry, type, member)                                                                     \
	((entry)->member.next == &(list)->head ? NULL : container_of((entry)->member.next, type, member))

/* Loops over the entries. The body may not remove `entry`; a loop that removes uses list_take_first. */
#define list_for_each(entry, list, type, member)                                                                       \
	for (type *entry = list_first_entry(list, type, member); entry; entry = list_next_entry(list, entry, type, member))

#endif
