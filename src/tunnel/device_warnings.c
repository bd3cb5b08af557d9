/* SPDX-License-Identifier: MIT */
/* The device: its warnings. */
#include "tunnel/device.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/amount.h"
#include "base/clock.h"

#define REPEAT_AFTER (600 * NS_PER_S) /* a warning with the same text is logged again */
#define LINE_INTERVAL (60 * NS_PER_S)
#define NOTICE_TIME (180 * NS_PER_S)
#define CLOCK_STEP ((int64_t)(2 * NS_PER_S)) /* smaller steps back are corrections */
#define EARLIEST_DATE UINT64_C(1704067200)   /* 2024-01-01; an earlier clock was never set */

enum { LINE_BURST = 10 };

bool device_warn(struct device *device, enum warning kind, uint64_t until, uint64_t now, const char *format, ...)
{
	struct warnings *warnings = &device->warnings;
	unsigned slot = kind - WARNING_FIRST_SET;
	char text[WARNING_TEXT];
	va_list arguments;
	bool repeated;

	va_start(arguments, format);
	vsnprintf(text, sizeof text, format, arguments);
	va_end(arguments);
	repeated = strcmp(text, warnings->set[slot].text) == 0 && warnings->set[slot].logged_at &&
			   now - warnings->set[slot].logged_at < REPEAT_AFTER;
	memcpy(warnings->set[slot].text, text, sizeof text);
	warnings->set[slot].until = until;
	if (repeated || !token_bucket_take(&warnings->set[slot].lines, LINE_BURST, LINE_INTERVAL, now))
		return false;
	warnings->set[slot].logged_at = now;
	return true;
}

void device_notice(struct device *device, enum warning kind, const struct endpoint *from, uint64_t now,
				   const char *format, ...)
{
	char text[WARNING_TEXT];
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(text, sizeof text, format, arguments);
	va_end(arguments);
	if (device_warn(device, kind, now + NOTICE_TIME, now, "%s", text))
		log_info(device->name, "%s", text);
	device->warnings.set[kind - WARNING_FIRST_SET].from = from ? *from : (struct endpoint) { 0 };
}

void device_withdraw_notices(struct device *device, const struct endpoint *from)
{
	for (unsigned kind = WARNING_CIPHER; kind <= WARNING_NO_PEER; kind++)
		if (!from || endpoint_same_remote(&device->warnings.set[kind - WARNING_FIRST_SET].from, from))
			device_withdraw_warning(device, kind);
}

void device_withdraw_warning(struct device *device, enum warning kind)
{
	device->warnings.set[kind - WARNING_FIRST_SET].until = 0;
}

static bool describe_clock(const struct device *device, char text[WARNING_TEXT], uint64_t now)
{
	uint64_t wall = device->realtime();
	char step[AMOUNT_TEXT];
	int64_t offset = (int64_t)(wall - now), back;

	if (wall / NS_PER_S < EARLIEST_DATE) {
		snprintf(text, WARNING_TEXT,
				 "the clock of this host is not set; peers reject handshakes that are older than those before");
		return true;
	}
	if (device->stamp_offset == INT64_MIN) /* no handshake yet */
		return false;
	back = device->stamp_offset - offset;
	if (back < CLOCK_STEP)
		return false;
	snprintf(text, WARNING_TEXT, "the clock was set back by %s; after a restart, peers reject handshakes for as long",
			 amount_duration(step, (uint64_t)back / NS_PER_S));
	return true;
}

bool device_warning(const struct device *device, enum warning kind, char text[WARNING_TEXT], uint64_t now)
{
	const bool works = device->backend && device->up;

	switch (kind) {
	case WARNING_NO_KEY:
		snprintf(text, WARNING_TEXT, "no private key is set, so no handshake is possible");
		return works && device->peer_count && !device->identity.has_key;
	case WARNING_CLOCK:
		return works && describe_clock(device, text, now);
	case WARNING_GSO:
		snprintf(text, WARNING_TEXT,
				 "a path or network driver refuses UDP GSO; datagrams to some peers are sent one by one");
		return now < atomic_load_explicit(&device->ungrouped_until, memory_order_relaxed);
	case WARNING_MERGE:
		snprintf(text, WARNING_TEXT, "the TUN device refuses merged packets; they are written one by one");
		return now < atomic_load_explicit(&device->unmerged_until, memory_order_relaxed);
	default:
		memcpy(text, device->warnings.set[kind - WARNING_FIRST_SET].text, WARNING_TEXT);
		return now < device->warnings.set[kind - WARNING_FIRST_SET].until;
	}
}
