/* SPDX-License-Identifier: MIT */
/*
 * The native protocol of the journal.
 *
 * Each line has a socket of its own. The log is in use before startup closes inherited descriptors, in several threads
 * and in forked processes, and a socket that does not outlive the call cannot be closed or replaced behind its back.
 */
#include "log_journal.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/keytext.h"
#include "base/write_all.h"

#define JOURNAL_SOCKET "/run/systemd/journal/socket"

enum {
	ENTRY_MAX = 2048, /* bytes of a line and its fields */
	DAEMON = 3,       /* the facility, as journald assumes for the stream of a service */
};

/* Values contain no line end, so the short form of a field is enough. */
static size_t format_entry(char entry[ENTRY_MAX], int priority, const struct log_subject *subject, const char *line)
{
	char key[KEY_BASE64] = "";
	int length = snprintf(entry, ENTRY_MAX, "SYSLOG_IDENTIFIER=adit\nSYSLOG_FACILITY=%d\nPRIORITY=%d\nMESSAGE=%s\n",
						  DAEMON, priority, line);

	if (subject->interface && length < ENTRY_MAX)
		length += snprintf(entry + length, (size_t)(ENTRY_MAX - length), "ADIT_INTERFACE=%s\n", subject->interface);
	if (subject->public_key && length < ENTRY_MAX) {
		key_to_base64(key, subject->public_key);
		length += snprintf(entry + length, (size_t)(ENTRY_MAX - length), "ADIT_PEER=%s\nADIT_PEER_KEY=%s\n",
						   *subject->peer ? subject->peer : key, key);
	}
	return length < ENTRY_MAX ? (size_t)length : 0;
}

/* Puts an entry that is too large for a datagram here into a file, which the journal requires to be sealed. */
static int seal_entry(const char *entry, size_t length)
{
	int file = memfd_create("adit-log", MFD_CLOEXEC | MFD_ALLOW_SEALING), error;

	if (file < 0)
		return -errno;
	error = write_all(file, entry, length);
	if (!error && fcntl(file, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE | F_SEAL_SEAL) < 0)
		error = -errno;
	if (!error)
		return file;
	close(file);
	return error;
}

/* Sends the entry, or with `length` 0 the file that contains it. */
static int send_entry(int fd, const char *entry, size_t length, int file)
{
	struct sockaddr_un to = { .sun_family = AF_UNIX, .sun_path = JOURNAL_SOCKET };
	union {
		struct cmsghdr header;
		char bytes[CMSG_SPACE(sizeof(int))];
	} control = { 0 };
	struct iovec part = { (char *)entry, length };
	struct msghdr message = { .msg_name = &to, .msg_namelen = sizeof to, .msg_iov = &part, .msg_iovlen = 1 };

	if (!length) {
		message.msg_control = &control;
		message.msg_controllen = sizeof control;
		control.header =
			(struct cmsghdr) { .cmsg_len = CMSG_LEN(sizeof file), .cmsg_level = SOL_SOCKET, .cmsg_type = SCM_RIGHTS };
		memcpy(CMSG_DATA(&control.header), &file, sizeof file);
	}
	return sendmsg(fd, &message, MSG_DONTWAIT | MSG_NOSIGNAL) < 0 ? -errno : 0;
}

int log_journal_send(int priority, const struct log_subject *subject, const char *line)
{
	char entry[ENTRY_MAX];
	size_t length = format_entry(entry, priority, subject, line);
	int fd, file, error;

	if (!length)
		return -EMSGSIZE;
	fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return -errno;
	error = send_entry(fd, entry, length, -1);
	if (error == -EMSGSIZE || error == -ENOBUFS) { /* the limits of the host for a socket are small */
		file = seal_entry(entry, length);
		error = file < 0 ? file : send_entry(fd, NULL, 0, file);
		if (file >= 0)
			close(file);
	}
	close(fd);
	return error;
}
