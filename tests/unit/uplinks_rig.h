/* SPDX-License-Identifier: MIT */
/* Test rig: a host with two uplinks, wan1 and wan2, and addresses of its own on lo. Include <cmocka.h> first. */
#ifndef ADIT_TEST_UPLINKS_RIG_H
#define ADIT_TEST_UPLINKS_RIG_H

#include <stdarg.h>
#include <stdio.h>

#include "sandbox.h"

/* Runs a shell command that must succeed and print nothing. */
static inline void __attribute__((format(printf, 1, 2))) command(const char *format, ...)
{
	char text[256];
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(text, sizeof text, format, arguments);
	va_end(arguments);
	assert_string_equal(sandbox_output(text), "");
}

/* wan1 has the default route, and wan2 that of table 100. */
static inline void uplinks_make(void)
{
	command("ip link set lo up");
	for (int i = 1; i <= 2; i++) {
		command("ip link add wan%d type veth peer name far%d", i, i);
		command("ip address add %s/24 dev wan%d", i == 1 ? "192.0.2.1" : "198.51.100.1", i);
		command("ip address add 2001:db8:%d::1/64 dev wan%d nodad", i, i);
		command("ip link set wan%d up; ip link set far%d up", i, i);
	}
	command("ip address add 203.0.113.7/32 dev lo; ip address add 2001:db8:7::7/128 dev lo");
	/* The kernel adds the local route of an IPv6 address a moment later, even without duplicate address detection. */
	command("for i in $(seq 500); do [ $(ip -6 route show table local | grep -c '^local 2001:db8:') = 3 ] && exit; "
			"sleep 0.01; done");
	command("ip route add default via 192.0.2.2; ip -6 route add default via 2001:db8:1::2");
	command("ip route add default via 198.51.100.2 table 100; ip -6 route add default via 2001:db8:2::2 table 100");
}

#endif
