/* SPDX-License-Identifier: MIT */
/* Unit tests of the event bus. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/event.h"

static char seen[64];

static void note(void *context, const struct event *event)
{
	assert_true(event->time > 0);
	strcat(seen, context);
	strcat(seen, event_name(event->kind));
	strcat(seen, " ");
}

static void each_consumer_gets_each_event_in_order(void **state)
{
	struct event_bus bus = { 0 };
	struct event_consumer first = { .handle = note, .context = "1:" }, second = { .handle = note, .context = "2:" };

	event_emit(&bus, &(struct event) { .kind = EVENT_END });
	assert_false(event_wanted(&bus));
	event_unsubscribe(&first);
	event_subscribe(&bus, &first);
	event_subscribe(&bus, &second);
	assert_true(event_wanted(&bus));
	event_emit(&bus, &(struct event) { .kind = EVENT_PEER_UP });
	event_unsubscribe(&first);
	event_emit(&bus, &(struct event) { .kind = EVENT_END });
	assert_string_equal(seen, "1:peer-up 2:peer-up 2:end ");
	event_unsubscribe(&second);
	assert_false(event_wanted(&bus));
}

static void the_names_are_words_and_differ(void **state)
{
	for (int i = 0; i < EVENTS; i++) {
		assert_int_equal(strspn(event_name(i), "abcdefghijklmnopqrstuvwxyz-"), strlen(event_name(i)));
		for (int j = 0; j < i; j++)
			assert_string_not_equal(event_name(i), event_name(j));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_consumer_gets_each_event_in_order),
		cmocka_unit_test(the_names_are_words_and_differ),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
