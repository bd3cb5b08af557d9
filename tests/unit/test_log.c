/* SPDX-License-Identifier: MIT */
/*
 * Tests of the log: format, levels, the journal and the rate limit. The program has an empty /run, without a journal.
 */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/keytext.h"
#include "base/log.h"
#include "sandbox.h"

enum { TEXT = 8192 };

static const uint8_t public_key[KEY_BYTES] = { 2, 2, 2, 2 };

/* Stores in `text` what `call` writes to standard error. */
static void capture(char *text, size_t size, void (*call)(void))
{
	int pipes[2], saved = dup(STDERR_FILENO);
	ssize_t n;

	assert_int_equal(pipe(pipes), 0);
	dup2(pipes[1], STDERR_FILENO);
	close(pipes[1]);
	call();
	dup2(saved, STDERR_FILENO);
	close(saved);
	n = read(pipes[0], text, size - 1);
	close(pipes[0]);
	assert_true(n >= 0);
	text[n] = '\0';
}

static void log_short_line(void)
{
	log_info("wg0", "%d packets", 3);
}

static void a_line_starts_with_its_subject(void **state)
{
	char text[TEXT];

	unsetenv("JOURNAL_STREAM");
	capture(text, sizeof text, log_short_line);
	assert_string_equal(text, "wg0: 3 packets\n");
}

static void log_other_subjects(void)
{
	const struct log_subject peer = { "wg0: peer alice (AgIC…AAAA)", "wg0", "alice", public_key };

	log_error(NULL, "no %s", "memory");
	log_warning(peer, "silent since %d s", 30);
}

static void a_line_can_be_about_a_peer_or_the_program(void **state)
{
	char text[TEXT];

	capture(text, sizeof text, log_other_subjects);
	assert_string_equal(text, "adit: no memory\nwg0: peer alice (AgIC…AAAA): silent since 30 s\n");
}

static unsigned evaluated;

static int evaluate(void)
{
	return (int)++evaluated;
}

static void log_at_all_levels(void)
{
	log_error("wg0", "%d", evaluate());
	log_warning("wg0", "%d", evaluate());
	log_info("wg0", "%d", evaluate());
	log_debug("wg0", "%d", evaluate());
}

static void lines_above_the_level_are_dropped_without_evaluating_them(void **state)
{
	static const char *const expected[] = {
		[LOG_SILENT] = "",
		[LOG_ERROR] = "wg0: 1\n",
		[LOG_WARNING] = "wg0: 1\nwg0: 2\n",
		[LOG_INFO] = "wg0: 1\nwg0: 2\nwg0: 3\n",
		[LOG_DEBUG] = "wg0: 1\nwg0: 2\nwg0: 3\nwg0: 4\n",
	};
	char text[TEXT];

	for (unsigned level = LOG_SILENT; level <= LOG_DEBUG; level++) {
		evaluated = 0;
		log_set_level(level);
		assert_int_equal(log_level(), level);
		capture(text, sizeof text, log_at_all_levels);
		assert_string_equal(text, expected[level]);
		assert_int_equal(evaluated, level);
	}
	log_set_level(LOG_INFO);
}

static void levels_are_found_by_name(void **state)
{
	enum log_level level = LOG_SILENT;

	for (unsigned i = LOG_ERROR; i <= LOG_DEBUG; i++) {
		assert_true(log_level_find(&level, log_level_name(i)));
		assert_int_equal(level, i);
		assert_non_null(strstr(LOG_LEVEL_NAMES, log_level_name(i)));
	}
	assert_true(log_level_find(&level, "Warning"));
	assert_int_equal(level, LOG_WARNING);
	assert_false(log_level_find(&level, "silent"));
	assert_false(log_level_find(&level, "warn"));
	assert_false(log_level_find(&level, ""));
	assert_int_equal(level, LOG_WARNING);
}

/* --- the text of a line ----- */

static const char *quoted;

static void log_quoted(void)
{
	log_error("wg0", "%s", quoted);
}

static const char *line_of(const char *text)
{
	static char line[TEXT];

	quoted = text;
	capture(line, sizeof line, log_quoted);
	assert_memory_equal(line, "wg0: ", 5);
	assert_int_equal(line[strlen(line) - 1], '\n');
	line[strlen(line) - 1] = '\0';
	return line + 5;
}

static void a_long_line_is_truncated_and_keeps_its_newline(void **state)
{
	char text[5000];
	const char *line;

	for (int shift = 0; shift < 4; shift++) {
		memset(text, ' ', sizeof text);
		for (size_t i = (size_t)shift; i + 3 < sizeof text; i += 3)
			memcpy(text + i, "€", 3);
		text[4500] = '\0';
		line = line_of(text);
		assert_uint_in_range(strlen(line), 1000, 1023 - 5);
		assert_string_equal(line + strlen(line) - 3, "...");
		assert_null(strchr(line, '?')); /* no part of a character is left */
	}
}

static void a_quoted_text_cannot_begin_another_line(void **state)
{
	assert_string_equal(line_of("a\nwg0: b\r\tc"), "a wg0: b  c");
	assert_string_equal(line_of("\x1b[31mred\x7f"), " [31mred ");
	assert_string_equal(line_of("a\xc2\x85z\xe2\x80\xa8z"), "a  z   z"); /* NEL, LS */
	assert_string_equal(line_of("Jürgen €"), "Jürgen €");
	assert_string_equal(line_of("\xff\xc3z\xe2\x82"), "??z??");
}

/* --- the journal ----- */

static const char *stream_format;
static int inode_offset;

/* Names standard error, or another stream, as the journal. */
static void name_stream(void)
{
	struct stat status;
	char stream[64];

	assert_int_equal(fstat(STDERR_FILENO, &status), 0);
	snprintf(stream, sizeof stream, stream_format, (unsigned long long)status.st_dev,
			 (unsigned long long)status.st_ino + (unsigned)inode_offset);
	setenv("JOURNAL_STREAM", stream, 1);
	log_stream_changed();
}

static void log_with_stream(void)
{
	name_stream();
	log_short_line();
	unsetenv("JOURNAL_STREAM"); /* read once */
	log_short_line();
}

static void without_a_journal_a_line_of_its_stream_has_a_priority(void **state)
{
	static const struct {
		const char *format;
		int offset;
		bool journal;
	} cases[] = {
		{ "%llu:%llu", 0, true }, { "%llu:%llu", 1, false }, { "1%llu:%llu", 0, false },
		{ "%llu", 0, false },     { "", 0, false },
	};

	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		char text[TEXT];

		stream_format = cases[i].format;
		inode_offset = cases[i].offset;
		capture(text, sizeof text, log_with_stream);
		assert_string_equal(text, cases[i].journal ? "<6>wg0: 3 packets\n<6>wg0: 3 packets\n"
												   : "wg0: 3 packets\nwg0: 3 packets\n");
	}
	stream_format = "%llu:%llu";
	inode_offset = 0;
	log_stream_changed();
}

/* Listens as journald does. */
static int open_journal(void)
{
	const struct sockaddr_un address = { .sun_family = AF_UNIX, .sun_path = "/run/systemd/journal/socket" };
	int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	sandbox_run("mkdir -p /run/systemd/journal");
	unlink(address.sun_path);
	assert_int_equal(bind(fd, (const struct sockaddr *)&address, sizeof address), 0);
	return fd;
}

/* Receives an entry, as a datagram or as a sealed file. Returns false if there is none. */
static bool receive_entry(int journal, char text[TEXT], bool *is_file)
{
	char control[CMSG_SPACE(sizeof(int))] = "";
	struct iovec part = { text, TEXT - 1 };
	struct msghdr message = {
		.msg_iov = &part, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof control
	};
	ssize_t n = recvmsg(journal, &message, 0);
	const struct cmsghdr *header = n < 0 ? NULL : CMSG_FIRSTHDR(&message);
	int file;

	*is_file = header;
	if (header) {
		memcpy(&file, CMSG_DATA(header), sizeof file);
		assert_int_equal(fcntl(file, F_GET_SEALS), F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE | F_SEAL_SEAL);
		assert_int_equal(n, 0);
		n = pread(file, text, TEXT - 1, 0);
		close(file);
	}
	text[n < 0 ? 0 : n] = '\0';
	return n >= 0;
}

/* Replaces the function of the C library. */
static int sendmsg_errno; /* of calls with bytes; 0: they work */
static bool sendmsg_blocks;

ssize_t sendmsg(int fd, const struct msghdr *message, int flags)
{
	sendmsg_blocks |= !(flags & MSG_DONTWAIT);
	if (sendmsg_errno && message->msg_iov->iov_len) {
		errno = sendmsg_errno;
		return -1;
	}
	return syscall(SYS_sendmsg, fd, message, flags);
}

static void log_to_journal(void)
{
	const struct log_subject named = { "wg0: peer alice (AgIC…AAAA)", "wg0", "alice", public_key };
	const struct log_subject unnamed = { "wg0: peer AgIC…AAAA", "wg0", "", public_key };

	name_stream();
	log_error(NULL, "no memory");
	log_warning("wg0", "a\nb");
	log_info(named, "up");
	log_debug(unnamed, "not at this level");
	log_set_level(LOG_DEBUG);
	log_debug(unnamed, "down");
	log_set_level(LOG_INFO);
}

static void a_line_for_the_journal_has_fields(void **state)
{
#define ENTRY(priority, message)                                                                                       \
	"SYSLOG_IDENTIFIER=adit\nSYSLOG_FACILITY=3\nPRIORITY=" #priority "\nMESSAGE=" message "\n"
#define PEER_KEY "AgICAgAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="
	static const char *const expected[] = {
		ENTRY(3, "adit: no memory"),
		ENTRY(4, "wg0: a b") "ADIT_INTERFACE=wg0\n",
		ENTRY(6, "wg0: peer alice (AgIC…AAAA): up") "ADIT_INTERFACE=wg0\nADIT_PEER=alice\nADIT_PEER_KEY=" PEER_KEY "\n",
		ENTRY(7, "wg0: peer AgIC…AAAA: down") "ADIT_INTERFACE=wg0\nADIT_PEER=" PEER_KEY "\nADIT_PEER_KEY=" PEER_KEY
											  "\n",
	};
	char text[TEXT];
	bool is_file;

	for (int i = 0; i < 2; i++) { /* as datagrams, and as files */
		int journal = open_journal();

		sendmsg_errno = i ? EMSGSIZE : 0;
		sendmsg_blocks = false;
		capture(text, sizeof text, log_to_journal);
		assert_string_equal(text, "");
		assert_false(sendmsg_blocks);
		for (size_t j = 0; j < sizeof expected / sizeof *expected; j++) {
			assert_true(receive_entry(journal, text, &is_file));
			assert_string_equal(text, expected[j]);
			assert_int_equal(is_file, i);
		}
		assert_false(receive_entry(journal, text, &is_file));
		close(journal);
	}
	sendmsg_errno = 0;
}

static int lines_to_log;

static void log_many_to_journal(void)
{
	name_stream();
	for (int i = 0; i < lines_to_log; i++)
		log_info("wg0", "line %04d", i);
}

static void a_journal_that_is_full_or_gone_leaves_the_lines_to_standard_error(void **state)
{
	char text[1 << 16], entry[TEXT], line[64];
	int journal = open_journal(), taken = 0;
	bool is_file;

	lines_to_log = (int)strtol(sandbox_output("cat /proc/sys/net/unix/max_dgram_qlen"), NULL, 10) + 100;
	assert_uint_in_range(lines_to_log, 100, 2000); /* a pipe holds so many lines */
	capture(text, sizeof text, log_many_to_journal);
	while (receive_entry(journal, entry, &is_file))
		taken++;
	assert_uint_in_range(taken, 1, lines_to_log - 1);
	snprintf(line, sizeof line, "<6>wg0: line %04d\n", taken);
	assert_memory_equal(text, line, strlen(line));
	close(journal);
	lines_to_log = 1;
	capture(text, sizeof text, log_many_to_journal); /* the socket refuses */
	assert_string_equal(text, "<6>wg0: line 0000\n");
	unlink("/run/systemd/journal/socket");
	capture(text, sizeof text, log_many_to_journal);
	assert_string_equal(text, "<6>wg0: line 0000\n");
	unsetenv("JOURNAL_STREAM");
	log_stream_changed();
}

/* --- a log that nothing reads ----- */

/* Logs until nothing is taken, then reads all, and logs one more line. Checks that no line is lost without a report. */
static void assert_losses_are_reported(int reader, int writer)
{
	enum { LINES = 5000 };
	int saved = dup(STDERR_FILENO), lines = 0;
	static char text[LINES * 32];
	char last[256];
	size_t length = 0;
	ssize_t n;

	dup2(writer, STDERR_FILENO);
	close(writer);
	log_stream_changed();
	for (int i = 0; i < LINES; i++)
		log_info("wg0", "line %04d", i);
	fcntl(reader, F_SETFL, O_NONBLOCK);
	while ((n = read(reader, text + length, sizeof text - 1 - length)) > 0)
		length += (size_t)n;
	text[length] = '\0';
	for (const char *at = text; (at = strchr(at, '\n')); at++)
		lines++;
	log_info("wg0", "read again");
	n = read(reader, last, sizeof last - 1);
	dup2(saved, STDERR_FILENO);
	close(saved);
	close(reader);
	log_stream_changed();
	assert_uint_in_range(lines, 10, LINES - 1);
	assert_true(n > 0);
	last[n] = '\0';
	snprintf(text, sizeof text, "adit: the log has lost %d lines, because nothing read it\nwg0: read again\n",
			 LINES - lines);
	assert_string_equal(last, text);
}

static void a_pipe_that_nobody_reads_blocks_no_line(void **state)
{
	int pipes[2];

	assert_int_equal(pipe(pipes), 0);
	assert_losses_are_reported(pipes[0], pipes[1]);
}

static void a_socket_that_nobody_reads_blocks_no_line(void **state)
{
	int pair[2], room = 4096;

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
	setsockopt(pair[1], SOL_SOCKET, SO_SNDBUF, &room, sizeof room);
	assert_losses_are_reported(pair[0], pair[1]);
}

/* --- the limit ----- */

static void a_limit_allows_ten_lines_then_one_per_second(void **state)
{
	struct log_limit limit = { 0 };
	uint64_t now = 3 * NS_PER_S;
	int allowed = 0;

	for (int i = 0; i < 100; i++)
		allowed += log_allowed(&limit, now);
	assert_int_equal(allowed, 10);
	for (int i = 0; i < 100; i++)
		allowed += log_allowed(&limit, now + NS_PER_S + 1);
	assert_int_equal(allowed, 11);
	for (int i = 0; i < 100; i++)
		allowed += log_allowed(&limit, now + 60 * NS_PER_S);
	assert_int_equal(allowed, 21);
}

static void lines_of_debug_have_a_limit_of_their_own(void **state)
{
	struct log_limit limit = { 0 };
	int allowed = 0;

	for (int i = 0; i < 100; i++)
		assert_false(log_debug_allowed(&limit, NS_PER_S));
	log_set_level(LOG_DEBUG);
	for (int i = 0; i < 100; i++)
		allowed += log_debug_allowed(&limit, NS_PER_S);
	assert_int_equal(allowed, 10);
	assert_true(log_allowed(&limit, NS_PER_S));
	log_set_level(LOG_INFO);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_line_starts_with_its_subject),
		cmocka_unit_test(a_line_can_be_about_a_peer_or_the_program),
		cmocka_unit_test(lines_above_the_level_are_dropped_without_evaluating_them),
		cmocka_unit_test(levels_are_found_by_name),
		cmocka_unit_test(a_long_line_is_truncated_and_keeps_its_newline),
		cmocka_unit_test(a_quoted_text_cannot_begin_another_line),
		cmocka_unit_test(without_a_journal_a_line_of_its_stream_has_a_priority),
		cmocka_unit_test(a_line_for_the_journal_has_fields),
		cmocka_unit_test(a_journal_that_is_full_or_gone_leaves_the_lines_to_standard_error),
		cmocka_unit_test(a_pipe_that_nobody_reads_blocks_no_line),
		cmocka_unit_test(a_socket_that_nobody_reads_blocks_no_line),
		cmocka_unit_test(a_limit_allows_ten_lines_then_one_per_second),
		cmocka_unit_test(lines_of_debug_have_a_limit_of_their_own),
	};

	sandbox_enter_with_run();
	return cmocka_run_group_tests_name("log", tests, NULL, NULL);
}
