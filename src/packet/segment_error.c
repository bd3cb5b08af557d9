/* SPDX-License-Identifier: MIT */
/* Segmentation errors: their names in counters and their texts in messages. */
#include "packet/segment.h"

#include <assert.h>

static const struct {
	const char *name, *text;
} errors[] = {
	[SEGMENT_OK] = { "ok", "no error" },
	[SEGMENT_NOT_IP] = { "not_ip", "not an IP packet" },
	[SEGMENT_TOO_LONG] = { "too_long", "longer than 65535 bytes" },
	[SEGMENT_RSC_INFO] = { "rsc_info", "virtio header has RSC_INFO set" },
	[SEGMENT_NO_CHECKSUM] = { "no_checksum", "GSO without NEEDS_CSUM" },
	[SEGMENT_NO_SIZE] = { "no_size", "GSO with gso_size 0" },
	[SEGMENT_GSO_UNKNOWN] = { "gso_unknown", "GSO type is unknown or legacy UFO" },
	[SEGMENT_GSO_VERSION] = { "gso_version", "GSO type does not match the IP version" },
	[SEGMENT_ECN_NOT_TCP] = { "ecn_not_tcp", "GSO ECN bit without a TCP type" },
	[SEGMENT_CSUM_START] = { "csum_start", "csum_start is not the end of the IP header" },
	[SEGMENT_CSUM_OFFSET] = { "csum_offset", "csum_offset does not match the GSO type" },
	[SEGMENT_PROTOCOL] = { "protocol", "IP protocol does not match the GSO type" },
	[SEGMENT_IP_HEADER] = { "ip_header", "IPv4 header shorter than 20 bytes" },
	[SEGMENT_TCP_HEADER] = { "tcp_header", "TCP header shorter than 20 bytes" },
	[SEGMENT_HEADER_LONG] = { "header_long", "headers are malformed or longer than the packet" },
	[SEGMENT_CSUM_OUTSIDE] = { "csum_outside", "checksum field is outside the packet" },
};

static_assert(sizeof errors / sizeof *errors == SEGMENT_ERRORS, "one entry per segment_error");

const char *segment_error_text(enum segment_error error)
{
	return errors[error].text;
}

const char *segment_error_name(enum segment_error error)
{
	return errors[error].name;
}
