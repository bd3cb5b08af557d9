/* SPDX-License-Identifier: MIT */
/*
 * Theory of operation
 *
 * Several reads of the TUN go into the ring and leave with one system call. They carry RWF_NOWAIT, so each ends before
 * that call returns, with a packet or with -EAGAIN, and nothing is ever under way between two calls: the ring needs no
 * watcher of its own, and the TUN's (level-triggered) tells of what comes later. The kernel reads in the order of
 * submission and each read has its own buffer, so a flow keeps its order. All completions are taken before the next
 * submission, half of what the completion queue holds at most: it cannot overflow. Where the last read of a batch found
 * the queue empty, the next answer is -EAGAIN, without asking again. One that did so between others was raced by a
 * packet, and the answer lies behind it.
 *
 * How many reads go into a batch is what the last drain says about this one. `found` counts the packets since the queue
 * was last seen empty, `expected` is how many there were that time. As long as fewer came than expected, the rest and
 * the end are asked for at once; beyond, the surplus grows the batch: 4, 8, 16. Below FEW one read(2) a packet is as
 * good: so a packet that comes alone costs what it costs with system calls, none waits for company, and few reads find
 * nothing. A large packet starts the count anew: its copy outweighs the call, and it stays in the cache longer when
 * one buffer serves for all.
 *
 * Buffers lie an odd number of cache lines apart: small packets touch one page of each and not the same cache sets.
 *
 * The ring can do nothing but read, and nothing can be registered with it any more. The TUN is no fixed file of it,
 * which would save 45 ns a read: the kernel lets go of those tens of milliseconds after a process was killed, and a
 * daemon that is started again would find its interface still there.
 */
#include "backend_ring.h"

#include <errno.h>

#ifdef ADIT_IO_URING

#include <liburing.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/clock.h"

enum {
	DEPTH = 16,    /* reads in a batch at most */
	FEW = 4,       /* and at least, else read(2) does it */
	LARGE = 8192,  /* bytes of a packet that gains nothing from a batch */
	STRIDE = 65600 /* between buffers: 1025 cache lines */
};

_Static_assert((int)STRIDE >= (int)TUN_READ && STRIDE / 64 % 2, "room for a packet, and an odd number of cache lines");

struct backend_ring {
	struct io_uring uring;
	uint8_t *buffers; /* DEPTH of STRIDE bytes */
	int result[DEPTH];
	int next, count; /* results from next to count have not been handed out */
	unsigned found, expected;
	bool empty;  /* the last read found nothing */
	bool broken; /* the kernel took less than it was given: from now on one by one */
};

/* --- submit and harvest ------------------------------------------------------------------------------------------ */

/* Waits only if the kernel went to work in the background, which it never did for these. */
static struct io_uring_cqe *wait_completion(struct io_uring *uring)
{
	struct io_uring_cqe *completion;
	int error;

	do
		error = io_uring_wait_cqe(uring, &completion);
	while (error == -EINTR);
	return error ? NULL : completion;
}

static int harvest(struct backend_ring *ring, int count)
{
	for (int i = 0; i < count; i++) {
		struct io_uring_cqe *completion = wait_completion(&ring->uring);

		if (!completion)
			return -EIO;
		ring->result[completion->user_data] = completion->res;
		io_uring_cqe_seen(&ring->uring, completion);
	}
	return count;
}

static void prepare(struct backend_ring *ring, int slot, int fd, void *buffer, size_t room)
{
	struct io_uring_sqe *submission = io_uring_get_sqe(&ring->uring);

	io_uring_prep_read(submission, fd, buffer, (unsigned)room, 0);
	submission->rw_flags = RWF_NOWAIT;
	submission->user_data = (unsigned)slot;
}

/* How many of the prepared reads came back with a result, from the first on, or negative errno. */
static int submit(struct backend_ring *ring)
{
	int submitted = io_uring_submit(&ring->uring);

	return submitted < 0 ? submitted : harvest(ring, submitted);
}

/* --- read -------------------------------------------------------------------------------------------------------- */

static void read_batch(struct backend_ring *ring, const struct tun *tun, int count)
{
	for (int i = 0; i < count; i++) {
		struct iovec target = tun_target(tun, ring->buffers + i * STRIDE);
		prepare(ring, i, tun->fd, target.iov_base, target.iov_len);
	}
	ring->next = 0;
	ring->count = submit(ring);
	ring->broken = ring->count != count;
	if (ring->count < 0)
		ring->count = 0;
	ring->empty = ring->count && ring->result[ring->count - 1] == -EAGAIN;
}

static int batch_size(const struct backend_ring *ring, int most)
{
	unsigned size = ring->found < ring->expected ? ring->expected - ring->found + 1 : ring->found - ring->expected;

	if (size < FEW || ring->broken)
		return 1;
	if (size > DEPTH)
		size = DEPTH;
	return size < (unsigned)most ? (int)size : most;
}

static void learn(struct backend_ring *ring, ssize_t length)
{
	if (length == -EAGAIN)
		ring->expected = ring->found;
	if (length == -EAGAIN || length >= LARGE)
		ring->found = 0;
	if (length >= LARGE)
		ring->expected = 0;
	else if (length > 0)
		ring->found++;
}

/* The next of the batch at hand; -EAGAIN when there is none. */
static ssize_t next_of_batch(struct backend_ring *ring, const struct tun *tun, uint8_t **packet)
{
	while (ring->next < ring->count) {
		int slot = ring->next++;

		if (ring->result[slot] == -EAGAIN)
			continue;
		*packet = ring->buffers + slot * STRIDE;
		return tun_finish(tun, *packet, ring->result[slot]);
	}
	return -EAGAIN;
}

static ssize_t read_next(struct backend_ring *ring, struct tun *tun, uint8_t **packet, int most)
{
	ssize_t length;

	while ((length = next_of_batch(ring, tun, packet)) == -EAGAIN && !ring->empty) {
		int size = batch_size(ring, most);

		if (size == 1) {
			*packet = ring->buffers;
			return tun_read(tun, *packet);
		}
		read_batch(ring, tun, size);
	}
	if (length == -EAGAIN)
		ring->empty = false;
	return length;
}

static ssize_t ring_read(struct backend *backend, uint8_t **packet, int most)
{
	ssize_t length = read_next(backend->ring, backend->tun, packet, most);

	learn(backend->ring, length);
	return length;
}

bool backend_ring_pending(const struct backend_ring *ring)
{
	for (int i = ring->next; i < ring->count; i++)
		if (ring->result[i] != -EAGAIN)
			return true;
	return false;
}

/* --- open -------------------------------------------------------------------------------------------------------- */

/* liburing 2.3 declares calls for these two and does not export them. */
static int restrict_to_reads(struct io_uring *uring)
{
	struct io_uring_restriction reads = { .opcode = IORING_RESTRICTION_SQE_OP, .sqe_op = IORING_OP_READ };
	int error = io_uring_register((unsigned)uring->ring_fd, IORING_REGISTER_RESTRICTIONS, &reads, 1);

	return error < 0 ? error : io_uring_register((unsigned)uring->ring_fd, IORING_REGISTER_ENABLE_RINGS, NULL, 0);
}

/* Reads no bytes, which takes no packet: does the TUN know RWF_NOWAIT, and may we read it so? */
static int try_read(struct backend_ring *ring, const struct tun *tun)
{
	int count;

	prepare(ring, 0, tun->fd, ring->buffers, 0);
	count = submit(ring);
	if (count != 1)
		return count < 0 ? count : -EIO;
	return ring->result[0] == -EAGAIN || ring->result[0] > 0 ? 0 : ring->result[0];
}

int backend_ring_open(struct backend_ring **opened, const struct tun *tun)
{
	struct backend_ring *ring = calloc(1, sizeof *ring);
	int error;

	if (!ring)
		return -ENOMEM;
	error = io_uring_queue_init(DEPTH, &ring->uring, IORING_SETUP_R_DISABLED);
	if (error) {
		free(ring);
		return error;
	}
	ring->buffers = malloc((size_t)DEPTH * STRIDE);
	error = ring->buffers ? restrict_to_reads(&ring->uring) : -ENOMEM;
	if (!error)
		error = try_read(ring, tun);
	if (error)
		backend_ring_close(ring);
	else
		*opened = ring;
	return error;
}

void backend_ring_close(struct backend_ring *ring)
{
	if (!ring)
		return;
	io_uring_queue_exit(&ring->uring);
	free(ring->buffers);
	free(ring);
}

static void ring_close(struct backend *backend)
{
	backend_ring_close(backend->ring);
}

static const struct backend_ops ops = { "io_uring", ring_read, ring_close };
const struct backend_ops *const backend_io_uring = &ops;

/* --- trial ------------------------------------------------------------------------------------------------------- */

/*
 * What a TUN would take for a batch cannot be tried without packets. A semaphore of eventfd(2) has DEPTH small reads
 * ready at any time, and the difference of the two ways is the same: the calls less the ring.
 */
static uint64_t time_calls(int fd)
{
	uint64_t value, begin = clock_boottime();

	for (int i = 0; i < DEPTH; i++)
		if (read(fd, &value, sizeof value) != sizeof value)
			return UINT64_MAX;
	return clock_boottime() - begin;
}

static uint64_t time_batch(struct backend_ring *ring, int fd)
{
	uint64_t begin = clock_boottime();

	for (int i = 0; i < DEPTH; i++)
		prepare(ring, i, fd, ring->buffers + i * STRIDE, sizeof(uint64_t));
	if (submit(ring) != DEPTH || ring->result[DEPTH - 1] != sizeof(uint64_t))
		return UINT64_MAX;
	return clock_boottime() - begin;
}

bool backend_ring_pays(struct backend_ring *ring)
{
	enum { ROUNDS = 16 }; /* of which the fastest counts: an interrupt or two do not matter */
	uint64_t calls = UINT64_MAX, batch = UINT64_MAX;
	int fd = eventfd(2 * ROUNDS * DEPTH, EFD_SEMAPHORE | EFD_NONBLOCK | EFD_CLOEXEC);

	for (int i = 0; i < ROUNDS && fd >= 0; i++) {
		uint64_t call = time_calls(fd), batched = time_batch(ring, fd);

		calls = call < calls ? call : calls;
		batch = batched < batch ? batched : batch;
	}
	if (fd >= 0)
		close(fd);
	return batch < calls;
}

#else

const struct backend_ops *const backend_io_uring = NULL;

int backend_ring_open(struct backend_ring **opened, const struct tun *tun)
{
	return -ENOSYS;
}

void backend_ring_close(struct backend_ring *ring)
{
}

bool backend_ring_pending(const struct backend_ring *ring)
{
	return false;
}

bool backend_ring_pays(struct backend_ring *ring)
{
	return false;
}

#endif
