/* SPDX-License-Identifier: MIT */
/* Endpoints as text: splits "host:port", and parses numeric addresses. Resolves no names. */
#ifndef ADIT_IO_HOST_PORT_H
#define ADIT_IO_HOST_PORT_H

#include "io/endpoint.h"

enum { ENDPOINT_HOST = 256, ENDPOINT_PORT = 32 };

/*
 * Splits "host:port" or "[host]:port" by the rules of wg(8): without brackets the last colon ends the host, so
 * "2001:db8::1:51820" is an address and a port. A port is a number from 1 to 65535. Service names, which wg(8) accepts,
 * are rejected, so that a typing error is found when the file is read. Returns 0, or -EINVAL if the text is not an
 * endpoint.
 */
int endpoint_split(const char *text, char host[ENDPOINT_HOST], char port[ENDPOINT_PORT]);
/*
 * Parses a numeric host, optionally with a scope ID ("fe80::1%eth0"), and a port as above, or NULL for port 0. An
 * IPv4-mapped IPv6 address becomes IPv4. Never blocks. Returns 0, or -EINVAL if the host is a name or its scope names
 * an interface that does not exist. The interface may exist later.
 */
int endpoint_numeric(const char *host, const char *port, struct endpoint *endpoint);

#endif
