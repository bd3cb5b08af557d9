/* SPDX-License-Identifier: MIT */
/* metrics: reads one HTTP/1.x request and writes the answer (RFC 9110, RFC 9112). */
#ifndef ADIT_CLI_METRICS_HTTP_H
#define ADIT_CLI_METRICS_HTTP_H

#include <stdbool.h>
#include <stddef.h>

enum {
	HTTP_HEAD_MAX = 8 << 10,    /* bytes of the request line and the header */
	HTTP_READ_TIMEOUT = 5,      /* seconds for the whole head */
	HTTP_WRITE_TIMEOUT = 30,    /* seconds for the whole answer */
	HTTP_LINGER_MS = 1000,      /* to discard what the client still sends */
	HTTP_LINGER_MAX = 64 << 10, /* bytes */
};

struct http_request {
	const char *method, *path; /* in `head`; the path is without the query */
	bool is_head;              /* the answer has no body */
	bool openmetrics;          /* the client prefers OpenMetrics to the text format of Prometheus */
	char head[HTTP_HEAD_MAX + 1];
};

/*
 * Reads the head of a request from a socket or pipe. A body is not read. Returns 0; the status of the answer if the
 * request is invalid (400), late (408) or too long (431); or a negative errno if no answer can be sent: -ENODATA if the
 * client closes without a request, or the error of poll(2).
 */
int http_read_request(int fd, struct http_request *request);

struct http_answer {
	int status;
	const char *type, *body;
	size_t length;
	bool is_head; /* send the header only */
};

/*
 * Writes the answer. If `fd` is a socket, then ends the stream and discards the rest of the request, because closing a
 * socket with unread data would reset the connection and the client might lose the answer. Returns 0, -ETIMEDOUT, or
 * the error of the write.
 */
int http_write_answer(int fd, const struct http_answer *answer);

/*
 * Content negotiation (RFC 9110, section 12.5.1): true if the value of an Accept field gives OpenMetrics 1.0 (or its
 * draft 0.0.1) a weight of more than 0, and no less than to text/plain.
 */
bool http_accepts_openmetrics(const char *accept);

#endif
