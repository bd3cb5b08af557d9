/* SPDX-License-Identifier: MIT */
/* Padding of packets and segments. */
#include "tunnel/padding.h"

#include "base/bytes.h"

void padding_limits_add(struct padding_limits *limits, uint32_t mtu)
{
	if (mtu > UINT16_MAX)
		return;
	limits->any = true;
	limits->bits[mtu / 8] |= (uint8_t)(1u << mtu % 8);
}

static size_t pad(size_t n, size_t mtu)
{
	size_t zeros = -n & 15;

	if (n + zeros <= mtu)
		return zeros;
	/* Near the MTU, beyond it, or without one. */
	if (mtu && n > mtu)
		n %= mtu;
	zeros = -n & 15;
	return mtu && n + zeros > mtu ? mtu - n : zeros;
}

size_t padding_of_packet(size_t n, size_t mtu, const struct padding_limits *limits)
{
	size_t zeros = pad(n, mtu);
	uint32_t near; /* bit i: n + i is a limit, for all i < zeros */

	if (!limits->any)
		return zeros;
	near = get_le32(limits->bits + n / 8) >> n % 8 & ((1u << zeros) - 1);
	return near ? (size_t)__builtin_ctz(near) : zeros;
}

size_t padding_of_segment(size_t n, size_t full, size_t mtu)
{
	size_t zeros;

	if (n == full)
		return 0;
	zeros = pad(n, mtu);
	return n + zeros > full ? full - n : zeros;
}
