/* SPDX-License-Identifier: MIT */
/*
 * Tests of both TUN backends on a real device in a network namespace. Wrapped functions count system calls and simulate
 * other kernels. A real seccomp filter serves as a sandbox.
 */
#include "io/backend.h"

#include <arpa/inet.h>
#include <dirent.h>
#include <errno.h>
#include <linux/filter.h>
#include <linux/if_tun.h>
#include <linux/seccomp.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "base/bytes.h"
#include "base/clock.h"
#include "sandbox.h"

#include <cmocka.h>

enum {
	HEADERS = TUN_VIRTIO + 28, /* virtio, IPv4 and UDP */
	RING = 16,                 /* maximum of reads per batch */
	SLOW = 20000,              /* ns; the duration of an artificially slow call */
	MANY = 64,
};

#define IPV6_OFF "/proc/sys/net/ipv6/conf/default/disable_ipv6"

static struct tun tun;
static struct backend backend;
static int out; /* a socket that sends to 192.0.2.2, through the TUN */
static uint32_t sent, seen;

/* Counters of the wrapped functions, and their behaviour. */
static int reads, submits, submitted_max;
static bool slow_reads, slow_submits;

static void be_slow(void)
{
	uint64_t end = clock_boottime() + SLOW;

	while (clock_boottime() < end)
		;
}

ssize_t __real_read(int fd, void *buffer, size_t room);
ssize_t __wrap_read(int fd, void *buffer, size_t room);
ssize_t __wrap_read(int fd, void *buffer, size_t room)
{
	reads++;
	if (slow_reads)
		be_slow();
	return __real_read(fd, buffer, room);
}

/* With _FORTIFY_SOURCE, the compiler may call __read_chk instead of read. */
ssize_t __wrap___read_chk(int fd, void *buffer, size_t bytes, size_t size);
ssize_t __wrap___read_chk(int fd, void *buffer, size_t bytes, size_t size)
{
	return __wrap_read(fd, buffer, bytes);
}

#ifdef ADIT_IO_URING

#include <liburing.h>

static struct io_uring *ring; /* the ring that submitted last */
static int init_error, submit_error, not_submitted;

int __real_io_uring_queue_init(unsigned entries, struct io_uring *made, unsigned flags);
int __wrap_io_uring_queue_init(unsigned entries, struct io_uring *made, unsigned flags);
int __wrap_io_uring_queue_init(unsigned entries, struct io_uring *made, unsigned flags)
{
	return init_error ? init_error : __real_io_uring_queue_init(entries, made, flags);
}

int __real_io_uring_submit(struct io_uring *of);
int __wrap_io_uring_submit(struct io_uring *of);
int __wrap_io_uring_submit(struct io_uring *of)
{
	int count;

	ring = of;
	submits++;
	if (slow_submits)
		be_slow();
	if (submit_error)
		return submit_error;
	of->sq.sqe_tail -= (unsigned)not_submitted;
	count = __real_io_uring_submit(of);
	if (count > submitted_max)
		submitted_max = count;
	return count;
}

static void reject_nothing(void)
{
	init_error = submit_error = not_submitted = 0;
}

#else

static void reject_nothing(void)
{
}

#endif

/* --- devices and packets ----- */

static int plain_device(void)
{
	struct ifreq request = { .ifr_name = "tested", .ifr_flags = IFF_TUN | IFF_NO_PI };
	int fd = open("/dev/net/tun", O_RDWR | O_NONBLOCK | O_CLOEXEC);

	assert_int_equal(ioctl(fd, TUNSETIFF, &request), 0);
	return fd;
}

/* Opens a device with address 192.0.2.1/24, without virtio headers if `plain`. */
static void open_device(bool plain)
{
	struct sockaddr_in local = { .sin_family = AF_INET, .sin_port = htons(1000) };
	struct sockaddr_in peer = { .sin_family = AF_INET, .sin_port = htons(2000) };

	assert_int_equal(plain ? tun_adopt(&tun, plain_device()) : tun_open(&tun, "tested"), 0);
	sandbox_run("ip addr add 192.0.2.1/24 dev tested && ip link set tested mtu 65535 up");
	out = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	inet_pton(AF_INET, "192.0.2.1", &local.sin_addr);
	inet_pton(AF_INET, "192.0.2.2", &peer.sin_addr);
	assert_int_equal(bind(out, (struct sockaddr *)&local, sizeof local), 0);
	assert_int_equal(connect(out, (struct sockaddr *)&peer, sizeof peer), 0);
	sent = seen = 0;
}

static void begin(enum backend_kind kind)
{
	open_device(false);
	assert_int_equal(backend_open(&backend, kind, &tun), 0);
	assert_int_equal(backend.ring_error, kind == BACKEND_IO_URING && !backend_built_in(kind) ? -ENOSYS : 0);
	reads = submits = submitted_max = 0;
}

static int end(void **state)
{
	slow_reads = slow_submits = false;
	reject_nothing();
	backend_close(&backend);
	tun_close(&tun);
	close(out);
	return 0;
}

/* Sends one packet. The first four bytes of its payload are a sequence number. */
static void send_sized(size_t bytes)
{
	static uint8_t data[60000];

	put_be32(data, sent++);
	assert_int_equal(send(out, data, bytes, 0), bytes);
}

static void send_many(int count)
{
	while (count--)
		send_sized(64);
}

static ssize_t next(int max)
{
	uint8_t *packet;
	ssize_t length = backend_read(&backend, &packet, max);

	if (length > 0) {
		assert_true(length >= HEADERS + 4);
		assert_int_equal(packet[TUN_VIRTIO] >> 4, 4);
		assert_int_equal(get_be16(packet + TUN_VIRTIO + 2), length - TUN_VIRTIO);
		assert_int_equal(get_be32(packet + HEADERS), seen);
		seen++;
	}
	return length;
}

/* Reads until the queue is empty. Returns the number of packets. */
static int drain(void)
{
	uint32_t before = seen;
	ssize_t length;

	while ((length = next(MANY)) > 0)
		;
	assert_int_equal(length, -EAGAIN);
	assert_false(backend_pending(&backend));
	return (int)(seen - before);
}

/* --- both kinds ----- */

static enum backend_kind of(void **state)
{
	return *(enum backend_kind *)*state;
}

static bool reads_ahead(void **state)
{
	return of(state) == BACKEND_IO_URING && backend_built_in(BACKEND_IO_URING);
}

static void packets_arrive_in_order(void **state)
{
	begin(of(state));
	for (int round = 0; round < 20; round++) {
		send_many(100 + round);
		assert_int_equal(drain(), 100 + round);
	}
}

static void an_empty_queue_always_returns_eagain(void **state)
{
	begin(of(state));
	for (int i = 0; i < 3; i++)
		assert_int_equal(next(MANY), -EAGAIN);
	for (int count = 0; count < 40; count++) {
		send_many(count);
		assert_int_equal(drain(), count);
		assert_int_equal(next(MANY), -EAGAIN);
	}
}

/* Random bursts and sizes, and a reader that pauses at random. */
static void no_packet_is_lost_or_duplicated(void **state)
{
	static const size_t sizes[] = { 4, 64, 64, 64, 64, 64, 1400, 2000, 9000, 30000 };
	unsigned chance = 1;

	begin(of(state));
	for (int round = 0; round < 2000; round++) {
		chance = chance * 1103515245 + 12345;
		for (unsigned i = chance >> 16 & 31; i; i--)
			send_sized(sizes[(chance >> 8 ^ i * (chance >> 28)) % (sizeof sizes / sizeof *sizes)]);
		for (unsigned i = chance >> 21 & 31; i && next(1 + (int)(i % 20)) > 0; i--)
			;
		if (sent - seen > 300)
			drain();
	}
	drain();
	assert_int_equal(seen, sent);
}

static void at_most_max_packets_are_read_ahead(void **state)
{
	begin(of(state));
	for (int round = 0; round < 3; round++) {
		send_many(MANY);
		drain();
	}
	send_many(10);
	for (int max = 4; max; max--) {
		assert_true(next(max) > 0);
		assert_int_equal(backend_pending(&backend), reads_ahead(state) && max > 1);
	}
	assert_int_equal(drain(), 6);
}

static void a_packet_is_valid_until_the_next_read(void **state)
{
	static uint8_t copy[TUN_READ];
	uint8_t *packet;

	begin(of(state));
	send_many(MANY);
	drain();
	for (int i = 0; i < MANY; i++) {
		ssize_t length;
		send_many(20);
		length = backend_read(&backend, &packet, MANY);
		assert_int_equal(get_be32(packet + HEADERS), seen);
		memcpy(copy, packet, (size_t)length);
		send_many(3);
		assert_memory_equal(packet, copy, length);
		seen++;
		drain();
	}
}

static void super_packets_arrive_whole(void **state)
{
	begin(of(state));
	for (int i = 0; i < 20; i++) {
		send_sized(50000);
		send_sized(4);
		assert_int_equal(next(MANY), HEADERS + 50000);
		assert_int_equal(next(MANY), HEADERS + 4);
		assert_int_equal(next(MANY), -EAGAIN);
	}
}

static void packets_read_ahead_survive_the_device(void **state)
{
	bool ahead = reads_ahead(state);
	uint8_t *packet;

	begin(of(state));
	send_many(MANY);
	drain();
	send_many(10);
	assert_true(next(MANY) > 0);
	sandbox_run("ip link del tested");
	for (int i = 0; ahead && i < 9; i++)
		assert_true(next(MANY) > 0);
	if (ahead) /* the backend has seen the empty queue */
		assert_int_equal(next(MANY), -EAGAIN);
	for (int i = 0; i < 3; i++)
		assert_int_equal(backend_read(&backend, &packet, MANY), -EBADFD);
}

static void a_plain_device_can_be_read(void **state)
{
	static const uint8_t none[TUN_VIRTIO];
	uint8_t *packet;

	open_device(true);
	assert_false(tun.virtio);
	assert_int_equal(backend_open(&backend, of(state), &tun), 0);
	for (int round = 0; round < 3; round++) {
		send_many(MANY);
		assert_int_equal(drain(), MANY);
	}
	send_many(1);
	memset(backend.buffer ? backend.buffer : (uint8_t[TUN_VIRTIO]) { 0 }, 0xff, TUN_VIRTIO);
	assert_int_equal(backend_read(&backend, &packet, 1), HEADERS + 64);
	assert_memory_equal(packet, none, sizeof none);
}

static int descriptors(void)
{
	DIR *folder = opendir("/proc/self/fd");
	int count = 0;

	while (readdir(folder))
		count++;
	closedir(folder);
	return count;
}

static void close_closes_everything(void **state)
{
	struct backend none = { 0 };
	int before;

	backend_close(&none);
	begin(of(state));
	backend_close(&backend);
	before = descriptors();
	for (int i = 0; i < 10; i++) {
		assert_int_equal(backend_open(&backend, of(state), &tun), 0);
		backend_close(&backend);
	}
	assert_int_equal(descriptors(), before);
	/* Only we have the TUN open, so the kernel deletes it when we close it. */
	assert_int_equal(backend_open(&backend, of(state), &tun), 0);
	send_many(MANY);
	drain();
	tun_close(&tun);
	assert_int_equal(if_nametoindex("tested"), 0);
}

static void names_are_found(void **state)
{
	enum backend_kind kind = BACKEND_KINDS;

	assert_true(backend_find(&kind, "auto") && kind == BACKEND_AUTO);
	assert_true(backend_find(&kind, "syscalls") && kind == BACKEND_SYSCALLS);
	assert_true(backend_find(&kind, "io_uring") && kind == BACKEND_IO_URING);
	assert_false(backend_find(&kind, "") || backend_find(&kind, "io_urin") || backend_find(&kind, "Auto"));
	assert_string_equal(BACKEND_NAMES, "auto, syscalls, io_uring");
	assert_true(backend_built_in(BACKEND_AUTO) && backend_built_in(BACKEND_SYSCALLS));
}

static void system_calls_read_one_packet_each(void **state)
{
	begin(BACKEND_SYSCALLS);
	assert_string_equal(backend.ops->name, "syscalls");
	send_many(MANY);
	drain();
	assert_int_equal(reads, MANY + 1);
	assert_int_equal(submits, 0);
}

#ifdef ADIT_IO_URING

/* --- batches ----- */

static void calls_of_a_drain(int count, int expected_reads, int expected_submits)
{
	reads = submits = 0;
	send_many(count);
	assert_int_equal(drain(), count);
	assert_int_equal(reads, expected_reads);
	assert_int_equal(submits, expected_submits);
}

static void a_single_packet_needs_no_batch(void **state)
{
	begin(BACKEND_IO_URING);
	assert_string_equal(backend.ops->name, "io_uring");
	for (int i = 0; i < 10; i++)
		calls_of_a_drain(1, 2, 0);
	for (int i = 0; i < 10; i++)
		calls_of_a_drain(2, 3, 0);
}

static void batches_grow_with_the_queue(void **state)
{
	begin(BACKEND_IO_URING);
	calls_of_a_drain(MANY, 4, 6); /* 4, 8, 16, 16, 16, and a batch that returns only -EAGAIN */
	calls_of_a_drain(MANY, 1, 4); /* the predicted number, and one more read for the end of the queue */
	calls_of_a_drain(10, 0, 1);   /* the same batch reaches the end of the queue */
	calls_of_a_drain(10, 0, 1);
	calls_of_a_drain(1, 0, 1); /* one batch that is too large */
	calls_of_a_drain(1, 2, 0);
	assert_int_equal(submitted_max, RING);
}

static void large_packets_are_read_one_by_one(void **state)
{
	begin(BACKEND_IO_URING);
	calls_of_a_drain(MANY, 4, 6);
	send_sized(50000);
	drain();
	reads = submits = 0;
	for (int i = 0; i < MANY; i++)
		send_sized(50000);
	assert_int_equal(drain(), MANY);
	assert_int_equal(reads, MANY + 1);
	assert_int_equal(submits, 0);
}

/* --- the choice ----- */

static void auto_chooses_the_faster_backend(void **state)
{
	slow_reads = true;
	begin(BACKEND_AUTO);
	assert_string_equal(backend.ops->name, "io_uring");
	backend_close(&backend);
	slow_reads = false;
	slow_submits = true;
	assert_int_equal(backend_open(&backend, BACKEND_AUTO, &tun), 0);
	assert_string_equal(backend.ops->name, "syscalls");
	backend_close(&backend);
	assert_int_equal(backend_open(&backend, BACKEND_IO_URING, &tun), 0);
	assert_string_equal(backend.ops->name, "io_uring");
}

static void expect_ring_error(enum backend_kind kind, int error)
{
	assert_int_equal(backend_open(&backend, kind, &tun), 0);
	assert_string_equal(backend.ops->name, "syscalls");
	assert_int_equal(backend.ring_error, error);
	send_many(MANY);
	assert_int_equal(drain(), MANY);
	backend_close(&backend);
}

static void system_calls_replace_an_unavailable_ring(void **state)
{
	static const int errors[] = { -ENOSYS, -EPERM, -ENOMEM };
	int before;

	open_device(false);
	before = descriptors();
	for (size_t i = 0; i < sizeof errors / sizeof *errors; i++) {
		init_error = errors[i];
		expect_ring_error(BACKEND_IO_URING, errors[i]);
		expect_ring_error(BACKEND_AUTO, errors[i]);
	}
	init_error = 0;
	submit_error = -EBUSY;
	expect_ring_error(BACKEND_AUTO, -EBUSY);
	assert_int_equal(descriptors(), before);
}

/* A file of proc(5) does not support RWF_NOWAIT, like the TUN of old kernels. */
static void a_file_without_rwf_nowait_is_not_read_by_a_ring(void **state)
{
	struct tun waits = { .fd = open("/proc/self/status", O_RDONLY | O_CLOEXEC), .virtio = true };

	open_device(false);
	assert_int_equal(backend_open(&backend, BACKEND_IO_URING, &waits), 0);
	assert_string_equal(backend.ops->name, "syscalls");
	assert_int_equal(backend.ring_error, -EOPNOTSUPP);
	close(waits.fd);
}

static void forbid_rings(void)
{
	struct sock_filter filter[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_io_uring_setup, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EPERM),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	struct sock_fprog program = { sizeof filter / sizeof *filter, filter };

	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) || prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program))
		_exit(2);
}

/* The filter cannot be removed, so this runs in a child process. */
static void a_sandbox_may_forbid_the_ring(void **state)
{
	int status;
	pid_t child;

	open_device(false);
	child = fork();
	if (!child) {
		forbid_rings();
		if (backend_open(&backend, BACKEND_IO_URING, &tun) || backend.ring_error != -EPERM)
			_exit(3);
		_exit(strcmp(backend.ops->name, "syscalls") ? 4 : 0);
	}
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_int_equal(status, 0);
}

/* --- restrictions and failures of the ring ----- */

/* Submits one operation to the backend's ring and returns its result. */
static int answer(void (*prepare)(struct io_uring_sqe *submission))
{
	struct io_uring_sqe *submission = io_uring_get_sqe(ring);
	struct io_uring_cqe *completion;
	int result;

	prepare(submission);
	assert_int_equal(__real_io_uring_submit(ring), 1);
	assert_int_equal(io_uring_wait_cqe(ring, &completion), 0);
	result = completion->res;
	io_uring_cqe_seen(ring, completion);
	return result;
}

static uint8_t scratch[TUN_READ];

static void prepare_read(struct io_uring_sqe *submission)
{
	io_uring_prep_read(submission, tun.fd, scratch, sizeof scratch, 0);
	submission->rw_flags = RWF_NOWAIT;
}

static void prepare_read_fixed(struct io_uring_sqe *submission)
{
	prepare_read(submission);
	submission->fd = 0;
	submission->flags = IOSQE_FIXED_FILE;
}

static void prepare_write(struct io_uring_sqe *submission)
{
	io_uring_prep_write(submission, tun.fd, scratch, 60, 0);
}

static void prepare_open(struct io_uring_sqe *submission)
{
	io_uring_prep_openat(submission, AT_FDCWD, "/proc/self/status", O_RDONLY, 0);
}

static void the_ring_can_only_read(void **state)
{
	begin(BACKEND_IO_URING);
	send_many(MANY);
	drain();
	assert_int_equal(answer(prepare_read), -EAGAIN);
	assert_int_equal(answer(prepare_write), -EACCES);
	assert_int_equal(answer(prepare_open), -EACCES);
	assert_int_equal(answer(io_uring_prep_nop), -EACCES);
	assert_int_equal(answer(prepare_read_fixed), -EACCES);
	assert_int_equal(io_uring_register_files(ring, &tun.fd, 1), -EACCES);
	send_many(MANY);
	assert_int_equal(drain(), MANY);
}

static void a_failing_ring_loses_no_packet(void **state)
{
	begin(BACKEND_IO_URING);
	send_many(MANY);
	drain();
	submit_error = -EBUSY;
	send_many(MANY);
	assert_int_equal(drain(), MANY);
	submit_error = 0;
	calls_of_a_drain(MANY, MANY + 1, 0);
}

static void a_partial_submission_loses_no_packet(void **state)
{
	begin(BACKEND_IO_URING);
	send_many(MANY);
	drain();
	not_submitted = 5;
	calls_of_a_drain(MANY, MANY - (RING - 5) + 1, 1);
	not_submitted = 0;
	calls_of_a_drain(MANY, MANY + 1, 0);
}

#endif

static enum backend_kind kinds[] = { BACKEND_SYSCALLS, BACKEND_IO_URING };

#define WITH(kind, test)                                                                                               \
	{                                                                                                                  \
#test, test, NULL, end, &kinds[kind]                                                                           \
	}
#define EACH(test) WITH(0, test), WITH(1, test)
#define TEST(test) cmocka_unit_test_teardown(test, end)

int main(void)
{
	const struct CMUnitTest tests[] = {
		EACH(packets_arrive_in_order),
		EACH(an_empty_queue_always_returns_eagain),
		EACH(no_packet_is_lost_or_duplicated),
		EACH(at_most_max_packets_are_read_ahead),
		EACH(a_packet_is_valid_until_the_next_read),
		EACH(super_packets_arrive_whole),
		EACH(packets_read_ahead_survive_the_device),
		EACH(a_plain_device_can_be_read),
		EACH(close_closes_everything),
		TEST(names_are_found),
		TEST(system_calls_read_one_packet_each),
#ifdef ADIT_IO_URING
		TEST(a_single_packet_needs_no_batch),
		TEST(batches_grow_with_the_queue),
		TEST(large_packets_are_read_one_by_one),
		TEST(auto_chooses_the_faster_backend),
		TEST(system_calls_replace_an_unavailable_ring),
		TEST(a_file_without_rwf_nowait_is_not_read_by_a_ring),
		TEST(a_sandbox_may_forbid_the_ring),
		TEST(the_ring_can_only_read),
		TEST(a_failing_ring_loses_no_packet),
		TEST(a_partial_submission_loses_no_packet),
#endif
	};

	sandbox_need_tun();
	sandbox_enter();
	if (!access(IPV6_OFF, W_OK)) /* otherwise IPv6 sends packets on every new device */
		sandbox_write(IPV6_OFF, "1");
	return cmocka_run_group_tests_name("backend", tests, NULL, NULL);
}
