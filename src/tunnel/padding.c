/* SPDX-License-Identifier: MIT */
/* Padding of packets and segments. */
#include "tunnel/padding.h"

size_t padding_of_packet(size_t n, size_t mtu)
{
	size_t unit = mtu && n > mtu ? n % mtu : n;
	size_t padded = (unit + 15) & ~(size_t)15;

	if (mtu && padded > mtu)
		padded = mtu;
	return padded > unit ? padded - unit : 0;
}

size_t padding_of_segment(size_t n, size_t full, size_t mtu)
{
	size_t zeros;

	if (n == full)
		return 0;
	zeros = padding_of_packet(n, mtu);
	return n + zeros > full ? full - n : zeros;
}
