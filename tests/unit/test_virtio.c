/* SPDX-License-Identifier: MIT */
/* Tests of the virtio-net header against the kernel's definitions. */
#include <linux/virtio_net.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "packet/virtio.h"

static void the_layout_matches_the_kernel(void **state)
{
	const struct virtio_header header = { 1, 0x84, 0x0102, 0x0304, 0x0506, 0x0708 };
	const struct virtio_net_hdr kernel = { 1, 0x84, 0x0102, 0x0304, 0x0506, 0x0708 };
	uint8_t bytes[VIRTIO_HEADER + 1] = { [VIRTIO_HEADER] = 0xa5 };

	assert_int_equal(sizeof kernel, VIRTIO_HEADER);
	virtio_encode(bytes, &header);
	assert_memory_equal(bytes, &kernel, VIRTIO_HEADER);
	assert_int_equal(bytes[VIRTIO_HEADER], 0xa5);
}

static void decoding_reverses_encoding(void **state)
{
	const struct virtio_header header = { 2, 5, 66, 1400, 65535, 6 };
	struct virtio_header decoded;
	uint8_t bytes[VIRTIO_HEADER];

	memset(&decoded, 0xff, sizeof decoded);
	virtio_encode(bytes, &header);
	virtio_decode(&decoded, bytes);
	assert_memory_equal(&decoded, &header, sizeof header);
}

static void the_constants_match_the_kernel(void **state)
{
	assert_int_equal(VIRTIO_NEEDS_CSUM, VIRTIO_NET_HDR_F_NEEDS_CSUM);
	assert_int_equal(VIRTIO_DATA_VALID, VIRTIO_NET_HDR_F_DATA_VALID);
	assert_int_equal(VIRTIO_RSC_INFO, VIRTIO_NET_HDR_F_RSC_INFO);
	assert_int_equal(VIRTIO_GSO_NONE, VIRTIO_NET_HDR_GSO_NONE);
	assert_int_equal(VIRTIO_GSO_TCPV4, VIRTIO_NET_HDR_GSO_TCPV4);
	assert_int_equal(VIRTIO_GSO_UDP, VIRTIO_NET_HDR_GSO_UDP);
	assert_int_equal(VIRTIO_GSO_TCPV6, VIRTIO_NET_HDR_GSO_TCPV6);
	assert_int_equal(VIRTIO_GSO_ECN, VIRTIO_NET_HDR_GSO_ECN);
	assert_int_equal(VIRTIO_GSO_UDP_L4, 5); /* missing in older kernel headers */
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_layout_matches_the_kernel),
		cmocka_unit_test(decoding_reverses_encoding),
		cmocka_unit_test(the_constants_match_the_kernel),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
