/* SPDX-License-Identifier: MIT */
#include <assert.h>

#include "packet/segment.h"

static const struct {
	const char *name, *text;
} errors[] = {
	[SEGMENT_OK] = { "ok", "no error" },
	[SEGMENT_NOT_IP] = { "not_ip", "not an IP packet" },
	[SEGMENT_TOO_LONG] = { "too_long", "longer than 65535 bytes" },
	[SEGMENT_RSC_INFO] = { "rsc_info", "header of a coalesced receive" },
	[SEGMENT_NO_CHECKSUM] = { "no_checksum", "GSO without NEEDS_CSUM" },
	[SEGMENT_NO_SIZE] = { "no_size", "GSO with a segment size of 0" },
	[SEGMENT_GSO_UNKNOWN] = { "gso_unknown", "GSO type unknown or legacy UFO" },
	[SEGMENT_GSO_VERSION] = { "gso_version", "GSO type of the other IP version" },
	[SEGMENT_ECN_NOT_TCP] = { "ecn_not_tcp", "ECN bit on other than TCP" },
	[SEGMENT_CSUM_START] = { "csum_start", "csum_start is not the end of the IP header" },
	[SEGMENT_CSUM_OFFSET] = { "csum_offset", "csum_offset does not fit the GSO type" },
	[SEGMENT_PROTOCOL] = { "protocol", "IP protocol does not fit the GSO type" },
	[SEGMENT_IP_HEADER] = { "ip_header", "IPv4 header shorter than 20 bytes" },
	[SEGMENT_TCP_HEADER] = { "tcp_header", "TCP header shorter than 20 bytes" },
	[SEGMENT_HEADER_LONG] = { "header_long", "headers longer than the packet" },
	[SEGMENT_CSUM_OUTSIDE] = { "csum_outside", "checksum field past the packet" },
};

static_assert(sizeof errors / sizeof *errors == SEGMENT_ERRORS, "one line for each segment_error");

const char *segment_error_text(enum segment_error error)
{
	return errors[error].text;
}

const char *segment_error_name(enum segment_error error)
{
	return errors[error].name;
}
