/* SPDX-License-Identifier: MIT */
/*
 * The io_uring backend: reads several packets from the TUN per system call.
 *
 * Theory of operation
 *
 * A batch of reads is submitted with one system call. All reads carry RWF_NOWAIT, so each completes during that call,
 * with a packet or with -EAGAIN, and no read is in flight between two calls. The ring therefore needs no watcher of its
 * own: the TUN's descriptor is level-triggered and announces later packets. The kernel processes the reads in order,
 * each into its own buffer, so the packets of a flow stay in order. All completions are consumed before the next batch
 * is submitted. A batch fills at most half of the completion queue, so the queue cannot overflow.
 *
 * If the last read of a batch returned -EAGAIN, the queue is empty, and the next backend_read returns -EAGAIN without
 * another system call. If a read in the middle of a batch did, a packet arrived just after it, and a later read of the
 * batch returned that packet.
 *
 * The batch size is predicted from the last time the queue was drained. `found` counts the packets since the queue was
 * last empty, and `expected` is the count of the previous drain. While `found` is less than `expected`, one batch
 * requests the remaining packets and the -EAGAIN that ends them. Beyond that, the batch grows with the excess: 4, 8,
 * 16. For fewer than FEW packets read(2) is used, because it is as fast. So a single packet costs the same as with
 * system calls, no packet waits for others, and few reads return -EAGAIN. A large packet resets both counts: the copy
 * of its data outweighs the system call, and one buffer that is used for all packets stays in the cache longer.
 *
 * The distance between buffers is an odd number of cache lines, so that small packets, which use only the first lines
 * of a buffer, do not compete for the same cache sets.
 *
 * The ring is restricted to reads, and nothing can be registered with it later. The TUN is not registered as a fixed
 * file, although that would save 45 ns per read: when a process is killed, the kernel releases fixed files only tens of
 * milliseconds later, and a restarted daemon would find its interface still in use.
 */
#include "backend_uring.h"

#include <errno.h>

#ifdef ADIT_IO_URING

#include <liburing.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/clock.h"

enum {
	DEPTH = 16,    /* maximum of reads per batch */
	FEW = 4,       /* minimum of reads per batch; fewer are done by read(2) */
	LARGE = 8192,  /* bytes; a packet of this size gains nothing from a batch */
	STRIDE = 65600 /* distance between buffers: 1025 cache lines */
};

_Static_assert((int)STRIDE >= (int)TUN_READ && STRIDE / 64 % 2, "a packet fits, and the number of cache lines is odd");

struct backend_ring {
	struct io_uring uring;
	uint8_t *buffers; /* DEPTH buffers, STRIDE bytes apart */
	int result[DEPTH];
	int next, count; /* result[next..count) have not been returned yet */
	unsigned found, expected;
	bool empty;  /* the last read of the batch returned -EAGAIN */
	bool broken; /* the kernel accepted only a part of a batch; use read(2) from now on */
};

/* --- submit ----- */

static void prepare_read(struct backend_ring *ring, int slot, int fd, void *buffer, size_t room)
{
	struct io_uring_sqe *submission = io_uring_get_sqe(&ring->uring);

	io_uring_prep_read(submission, fd, buffer, (unsigned)room, 0);
	submission->rw_flags = RWF_NOWAIT;
	submission->user_data = (unsigned)slot;
}

/*
 * Submits the prepared reads and stores their results. Returns the number of results, from the first read on, or a
 * negative errno.
 */
static int submit_reads(struct backend_ring *ring)
{
	int submitted = io_uring_submit(&ring->uring);

	for (int i = 0; i < submitted; i++) {
		struct io_uring_cqe *completion;
		int error;

		/* With RWF_NOWAIT the completion is already there. Waits only if the kernel reads in the background. */
		do
			error = io_uring_wait_cqe(&ring->uring, &completion);
		while (error == -EINTR);
		if (error)
			return -EIO;
		ring->result[completion->user_data] = completion->res;
		io_uring_cqe_seen(&ring->uring, completion);
	}
	return submitted;
}

/* --- read ----- */

static int batch_size(const struct backend_ring *ring, int max)
{
	unsigned size = ring->found < ring->expected ? ring->expected - ring->found + 1 : ring->found - ring->expected;

	if (size < FEW || ring->broken)
		return 1;
	if (size > DEPTH)
		size = DEPTH;
	return size < (unsigned)max ? (int)size : max;
}

/* Returns the next packet of the current batch, or -EAGAIN. */
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

static ssize_t read_next(struct backend_ring *ring, struct tun *tun, uint8_t **packet, int max)
{
	for (;;) {
		ssize_t length = next_of_batch(ring, tun, packet);
		int size;

		if (length != -EAGAIN)
			return length;
		if (ring->empty) {
			ring->empty = false;
			return -EAGAIN;
		}
		size = batch_size(ring, max);
		if (size == 1) {
			*packet = ring->buffers;
			return tun_read(tun, *packet);
		}
		for (int i = 0; i < size; i++) {
			struct iovec target = tun_target(tun, ring->buffers + i * STRIDE);
			prepare_read(ring, i, tun->fd, target.iov_base, target.iov_len);
		}
		ring->next = 0;
		ring->count = submit_reads(ring);
		ring->broken = ring->count != size;
		if (ring->count < 0)
			ring->count = 0;
		ring->empty = ring->count && ring->result[ring->count - 1] == -EAGAIN;
	}
}

static ssize_t ring_read(struct backend *backend, uint8_t **packet, int max)
{
	struct backend_ring *ring = backend->ring;
	ssize_t length = read_next(ring, backend->tun, packet, max);

	/* Counts the packet or the end of the queue, for batch_size. */
	if (length == -EAGAIN)
		ring->expected = ring->found;
	if (length == -EAGAIN || length >= LARGE)
		ring->found = 0;
	if (length >= LARGE)
		ring->expected = 0;
	else if (length > 0)
		ring->found++;
	return length;
}

bool backend_ring_pending(const struct backend_ring *ring)
{
	for (int i = ring->next; i < ring->count; i++)
		if (ring->result[i] != -EAGAIN)
			return true;
	return false;
}

/* --- open ----- */

/* Checks that the ring may read the TUN and that the TUN supports RWF_NOWAIT. Reading 0 bytes removes no packet. */
static int try_read(struct backend_ring *ring, const struct tun *tun)
{
	int count;

	prepare_read(ring, 0, tun->fd, ring->buffers, 0);
	count = submit_reads(ring);
	if (count != 1)
		return count < 0 ? count : -EIO;
	return ring->result[0] == -EAGAIN || ring->result[0] > 0 ? 0 : ring->result[0];
}

int backend_ring_open(struct backend_ring **opened, const struct tun *tun)
{
	struct io_uring_restriction reads = { .opcode = IORING_RESTRICTION_SQE_OP, .sqe_op = IORING_OP_READ };
	struct backend_ring *ring = calloc(1, sizeof *ring);
	int error;

	if (!ring)
		return -ENOMEM;
	error = -ENOMEM;
	ring->buffers = malloc((size_t)DEPTH * STRIDE);
	if (!ring->buffers)
		goto free_ring;
	error = io_uring_queue_init(DEPTH, &ring->uring, IORING_SETUP_R_DISABLED);
	if (error)
		goto free_buffers;
	/* Calls io_uring_register, because liburing 2.3 declares wrappers for both requests but does not export them. */
	error = io_uring_register((unsigned)ring->uring.ring_fd, IORING_REGISTER_RESTRICTIONS, &reads, 1);
	if (error >= 0)
		error = io_uring_register((unsigned)ring->uring.ring_fd, IORING_REGISTER_ENABLE_RINGS, NULL, 0);
	if (error)
		goto exit_queue;
	error = try_read(ring, tun);
	if (error)
		goto exit_queue;
	*opened = ring;
	return 0;

exit_queue:
	io_uring_queue_exit(&ring->uring);
free_buffers:
	free(ring->buffers);
free_ring:
	free(ring);
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

/* --- measure ----- */

/*
 * Reading the TUN cannot be measured without packets. An eventfd(2) semaphore always has DEPTH small reads ready, and
 * the difference between the two ways is the same: the overhead of the system calls against that of the ring.
 */
bool backend_ring_faster(struct backend_ring *ring)
{
	enum { ROUNDS = 16 }; /* the fastest counts, so that interrupts do not matter */
	uint64_t calls = UINT64_MAX, batches = UINT64_MAX, value;
	int fd = eventfd(2 * ROUNDS * DEPTH, EFD_SEMAPHORE | EFD_NONBLOCK | EFD_CLOEXEC);
	bool failed = fd < 0;

	for (int round = 0; round < ROUNDS && !failed; round++) {
		uint64_t begin = clock_boottime(), middle, end;

		for (int i = 0; i < DEPTH; i++)
			failed |= read(fd, &value, sizeof value) != sizeof value;
		middle = clock_boottime();
		for (int i = 0; i < DEPTH; i++)
			prepare_read(ring, i, fd, ring->buffers + i * STRIDE, sizeof value);
		failed |= submit_reads(ring) != DEPTH || ring->result[DEPTH - 1] != sizeof value;
		end = clock_boottime();
		calls = middle - begin < calls ? middle - begin : calls;
		batches = end - middle < batches ? end - middle : batches;
	}
	if (fd >= 0)
		close(fd);
	return !failed && batches < calls;
}

#else /* !ADIT_IO_URING */

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

bool backend_ring_faster(struct backend_ring *ring)
{
	return false;
}

#endif
