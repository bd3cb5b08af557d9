/* SPDX-License-Identifier: MIT */
/* Counters: their names and sums. */
#include "tunnel/counters.h"

#include <assert.h>

static const char *const counter_names[] = {
	[COUNT_TUN_READ] = "tun_read",
	[COUNT_TUN_WRITTEN] = "tun_written",
	[COUNT_SEALED] = "sealed",
	[COUNT_SENT] = "sent",
	[COUNT_RECEIVED] = "received",
	[COUNT_OPENED] = "opened",
	[COUNT_HANDSHAKE_SENT] = "handshake_sent",
	[COUNT_HANDSHAKE_DONE] = "handshake_done",
	[COUNT_COOKIE_SENT] = "cookie_sent",
	[COUNT_UNDER_LOAD] = "under_load",
	[COUNT_GROUP_REFUSED] = "group_refused",
	[COUNT_LOCAL_LOST] = "source_lost",
	[COUNT_MERGE_REFUSED] = "merge_refused",
	[COUNT_UNREACHABLE] = "unreachable_sent",
	[COUNT_UNREACHABLE_RECEIVED] = "unreachable_received",
	[COUNT_UNANSWERED] = "handshake_unanswered",
	[COUNT_UNCONFIRMED] = "handshake_unconfirmed",
	[DROP_NO_PEER] = "drop_no_peer",
	[DROP_NO_ENDPOINT] = "drop_no_endpoint",
	[DROP_LOOP] = "drop_loop",
	[DROP_STAGED] = "drop_staged",
	[DROP_STAGED_TIMEOUT] = "drop_staged_timeout",
	[DROP_TOO_LONG] = "drop_too_long",
	[DROP_SEND] = "drop_send",
	[DROP_TUN_READ] = "drop_tun_read",
	[DROP_TRUNCATED] = "drop_truncated",
	[DROP_SEGMENTS] = "drop_segments",
	[DROP_MALFORMED] = "drop_malformed",
	[DROP_MAC] = "drop_mac",
	[DROP_RATE] = "drop_rate",
	[DROP_HANDSHAKE_QUEUE] = "drop_handshake_queue",
	[DROP_HANDSHAKE] = "drop_handshake",
	[DROP_NO_KEY] = "drop_no_key",
	[DROP_UNKNOWN_KEY] = "drop_unknown_key",
	[DROP_CIPHER] = "drop_cipher",
	[DROP_STALE] = "drop_stale",
	[DROP_PRESHARED_KEY] = "drop_preshared_key",
	[DROP_INDEX] = "drop_index",
	[DROP_EXPIRED] = "drop_expired",
	[DROP_FORGED] = "drop_forged",
	[DROP_REPLAY] = "drop_replay",
	[DROP_INNER] = "drop_inner",
	[DROP_INNER_SOURCE] = "drop_source",
	[DROP_TUN_WRITE] = "drop_tun_write",
};
static_assert(sizeof counter_names / sizeof *counter_names == DROP_REFUSED, "each counter has a name");

static const char *const histogram_names[] = {
	[HISTOGRAM_UDP_SEND] = "udp_send",
	[HISTOGRAM_UDP_RECEIVE] = "udp_receive",
	[HISTOGRAM_TUN_READ] = "tun_read",
	[HISTOGRAM_TUN_WRITE] = "tun_write",
};
static_assert(sizeof histogram_names / sizeof *histogram_names == HISTOGRAMS, "each histogram has a name");

const char *counter_name(unsigned counter)
{
	if (counter < DROP_REFUSED)
		return counter_names[counter];
	return segment_error_name((enum segment_error)(counter - DROP_REFUSED));
}

const char *histogram_name(enum histogram_kind kind)
{
	return histogram_names[kind];
}

/* Inlined, it would take registers from the path of single packets. */
__attribute__((noinline)) void histogram_add_larger(struct size_histogram *histogram, uint32_t size, uint32_t count)
{
	unsigned bits = 31 - (unsigned)__builtin_clz(size);

	histogram->bucket[bits < HISTOGRAM_BUCKETS ? bits : HISTOGRAM_BUCKETS - 1] += count;
	histogram->larger_sum += (uint64_t)size * count;
}

void counters_add(struct counters *sum, const struct counters *from)
{
	for (unsigned i = 0; i < COUNTERS; i++)
		sum->value[i] += from->value[i];
	for (unsigned i = 0; i < HISTOGRAMS; i++) {
		for (unsigned j = 0; j < HISTOGRAM_BUCKETS; j++)
			sum->histogram[i].bucket[j] += from->histogram[i].bucket[j];
		sum->histogram[i].larger_sum += from->histogram[i].larger_sum;
	}
}
