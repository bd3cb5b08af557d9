/* SPDX-License-Identifier: MIT */
/* Endpoints as text. */
#include "io/host_port.h"

#include <errno.h>
#include <netdb.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

static bool port_valid(const char *port)
{
	size_t digits = strspn(port, "0123456789");
	unsigned long number;

	if (!digits || digits >= ENDPOINT_PORT || port[digits])
		return false;
	errno = 0;
	number = strtoul(port, NULL, 10);
	return errno == 0 && number >= 1 && number <= UINT16_MAX;
}

int endpoint_split(const char *text, char host[ENDPOINT_HOST], char port[ENDPOINT_PORT])
{
	bool bracket = *text == '[';
	const char *begin = text + bracket, *end = bracket ? strchr(begin, ']') : strrchr(begin, ':');
	const char *colon = end ? end + bracket : NULL;

	if (!colon || *colon != ':' || end == begin || end - begin >= ENDPOINT_HOST || !port_valid(colon + 1))
		return -EINVAL;
	memcpy(host, begin, (size_t)(end - begin));
	host[end - begin] = '\0';
	memcpy(port, colon + 1, strlen(colon + 1) + 1); /* port_valid has checked the length */
	return 0;
}

/* With AI_NUMERICHOST, getaddrinfo(3) reads no file and asks no server. It also accepts "127.1", as wg(8) does. */
int endpoint_numeric(const char *host, const char *port, struct endpoint *endpoint)
{
	const struct addrinfo hints = {
		.ai_flags = AI_NUMERICHOST | AI_NUMERICSERV,
		.ai_socktype = SOCK_DGRAM,
		.ai_protocol = IPPROTO_UDP,
	};
	struct addrinfo *found;

	if (port && !port_valid(port))
		return -EINVAL;
	*endpoint = (struct endpoint) { 0 };
	if (getaddrinfo(host, port, &hints, &found))
		return -EINVAL;
	if (found->ai_addrlen <= sizeof endpoint->to)
		memcpy(&endpoint->to, found->ai_addr, found->ai_addrlen);
	freeaddrinfo(found);
	endpoint_unmap(endpoint);
	return 0;
}
