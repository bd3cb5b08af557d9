/* SPDX-License-Identifier: MIT */
/* Saved endpoints: the memory file with the last endpoint of each peer. */
#include "daemon/saved_endpoints.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <sodium.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/bytes.h"
#include "tunnel/peer.h"

#ifndef MFD_NOEXEC_SEAL /* Linux 6.3 */
#define MFD_NOEXEC_SEAL 0x0008U
#endif

enum { VERSION = 1, CHECKSUM = 8, ADDRESS = 16 };

static const uint8_t magic[8] = "adit-ep";

/* The offsets in the header; all numbers are little-endian. */
enum {
	HEADER_VERSION = sizeof magic,
	HEADER_ENTRY_SIZE = HEADER_VERSION + 4,
	HEADER_COUNT = HEADER_ENTRY_SIZE + 4,
	HEADER_CHECKSUM = HEADER_COUNT + 8,
};

/* The offsets in an entry. Addresses and ports are in network order; an IPv4 address uses the first four bytes. */
enum {
	ENTRY_KEY = 0,
	ENTRY_DIGEST = ENTRY_KEY + KEY_BYTES,   /* of the endpoint in the configuration */
	ENTRY_FAMILY = ENTRY_DIGEST + CHECKSUM, /* 4, 6, or 0: unknown */
	ENTRY_PORT = ENTRY_FAMILY + 2,
	ENTRY_SCOPE = ENTRY_PORT + 2,
	ENTRY_ADDRESS = ENTRY_SCOPE + 4,
	ENTRY_LOCAL = ENTRY_ADDRESS + ADDRESS,
	ENTRY_LOCAL_INDEX = ENTRY_LOCAL + ADDRESS,
	ENTRY_UP = ENTRY_LOCAL_INDEX + 4, /* 1: the peer counts as up, and PeerUp has run; else 0 */
	ENTRY_CHECKSUM = ENTRY_UP + 4,
};

static_assert(HEADER_CHECKSUM + CHECKSUM == SAVED_HEADER, "size of the header");
static_assert(ENTRY_CHECKSUM + CHECKSUM == SAVED_ENTRY, "size of an entry");
static_assert(crypto_shorthash_BYTES == CHECKSUM, "SipHash-2-4");

/* The checksum finds errors, not forgeries: only the service manager has the file. So its key is no secret. */
static void checksum(uint8_t sum[CHECKSUM], const void *bytes, size_t length)
{
	static const uint8_t key[crypto_shorthash_KEYBYTES] = "adit endpoints";

	crypto_shorthash(sum, bytes, length, key);
}

static bool checksum_fits(const uint8_t *bytes, size_t length)
{
	uint8_t sum[CHECKSUM];

	checksum(sum, bytes, length);
	return !memcmp(sum, bytes + length, CHECKSUM);
}

static size_t file_size(size_t count)
{
	return SAVED_HEADER + count * SAVED_ENTRY;
}

static void digest_configured(uint8_t digest[CHECKSUM], const struct config_peer *peer)
{
	char text[ENDPOINT_HOST + ENDPOINT_PORT] = { 0 };

	if (peer->has_endpoint) {
		memcpy(text, peer->endpoint_host, strnlen(peer->endpoint_host, ENDPOINT_HOST));
		memcpy(text + ENDPOINT_HOST, peer->endpoint_port, strnlen(peer->endpoint_port, ENDPOINT_PORT));
	}
	checksum(digest, text, sizeof text);
}

/* --- one entry ----- */

static void write_endpoint(uint8_t *entry, const struct endpoint *endpoint, bool up)
{
	bool local = endpoint_local_known(endpoint);

	memset(entry + ENTRY_FAMILY, 0, ENTRY_CHECKSUM - ENTRY_FAMILY);
	if (endpoint->to.any.sa_family == AF_INET) {
		entry[ENTRY_FAMILY] = 4;
		memcpy(entry + ENTRY_PORT, &endpoint->to.v4.sin_port, 2);
		memcpy(entry + ENTRY_ADDRESS, &endpoint->to.v4.sin_addr, 4);
		if (local)
			memcpy(entry + ENTRY_LOCAL, &endpoint->local.v4.ipi_spec_dst, 4);
		put_le32(entry + ENTRY_LOCAL_INDEX, local ? (uint32_t)endpoint->local.v4.ipi_ifindex : 0);
	} else if (endpoint->to.any.sa_family == AF_INET6) {
		entry[ENTRY_FAMILY] = 6;
		memcpy(entry + ENTRY_PORT, &endpoint->to.v6.sin6_port, 2);
		memcpy(entry + ENTRY_ADDRESS, &endpoint->to.v6.sin6_addr, 16);
		put_le32(entry + ENTRY_SCOPE, endpoint->to.v6.sin6_scope_id);
		if (local)
			memcpy(entry + ENTRY_LOCAL, &endpoint->local.v6.ipi6_addr, 16);
		put_le32(entry + ENTRY_LOCAL_INDEX, local ? endpoint->local.v6.ipi6_ifindex : 0);
	}
	put_le32(entry + ENTRY_UP, up);
	checksum(entry + ENTRY_CHECKSUM, entry, ENTRY_CHECKSUM);
}

/* Returns false for an unknown or an impossible endpoint. */
static bool read_endpoint(struct endpoint *endpoint, const uint8_t *entry)
{
	*endpoint = (struct endpoint) { 0 };
	if (entry[ENTRY_FAMILY] == 4) {
		endpoint->to.v4.sin_family = AF_INET;
		memcpy(&endpoint->to.v4.sin_port, entry + ENTRY_PORT, 2);
		memcpy(&endpoint->to.v4.sin_addr, entry + ENTRY_ADDRESS, 4);
		memcpy(&endpoint->local.v4.ipi_spec_dst, entry + ENTRY_LOCAL, 4);
		endpoint->local.v4.ipi_ifindex = (int)get_le32(entry + ENTRY_LOCAL_INDEX);
	} else if (entry[ENTRY_FAMILY] == 6) {
		endpoint->to.v6.sin6_family = AF_INET6;
		memcpy(&endpoint->to.v6.sin6_port, entry + ENTRY_PORT, 2);
		memcpy(&endpoint->to.v6.sin6_addr, entry + ENTRY_ADDRESS, 16);
		endpoint->to.v6.sin6_scope_id = get_le32(entry + ENTRY_SCOPE);
		memcpy(&endpoint->local.v6.ipi6_addr, entry + ENTRY_LOCAL, 16);
		endpoint->local.v6.ipi6_ifindex = get_le32(entry + ENTRY_LOCAL_INDEX);
	} else {
		return false;
	}
	return !endpoint_unspecified(endpoint) && get_be16(entry + ENTRY_PORT);
}

static int compare_entries(const void *a, const void *b)
{
	return memcmp((const uint8_t *)a + ENTRY_KEY, (const uint8_t *)b + ENTRY_KEY, KEY_BYTES);
}

/* Returns the entry of the key in a sorted list, or NULL. */
static uint8_t *find_saved(uint8_t *entries, size_t count, const uint8_t public_key[KEY_BYTES])
{
	uint8_t wanted[SAVED_ENTRY];

	memcpy(wanted + ENTRY_KEY, public_key, KEY_BYTES);
	return count ? bsearch(wanted, entries, count, SAVED_ENTRY, compare_entries) : NULL;
}

/* --- writing ----- */

/* Creates a file whose size cannot change, so that access to its mapping never fails. */
static int create_file(size_t bytes)
{
	int fd = memfd_create("adit-endpoints", MFD_CLOEXEC | MFD_ALLOW_SEALING | MFD_NOEXEC_SEAL), error = 0;

	if (fd < 0 && errno == EINVAL)
		fd = memfd_create("adit-endpoints", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	if (fd < 0)
		return -errno;
	if (ftruncate(fd, (off_t)bytes) < 0 || fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL) < 0)
		error = -errno;
	if (error) {
		close(fd);
		return error;
	}
	return fd;
}

static void write_entries(struct saved_endpoints *saved, const struct config *config, const struct device *device)
{
	uint8_t *entry = saved->map + SAVED_HEADER;

	for (const struct config_peer *wanted = config->peers; wanted; wanted = wanted->next) {
		const struct peer *peer = peer_lookup(device, wanted->public_key);

		memcpy(entry + ENTRY_KEY, wanted->public_key, KEY_BYTES);
		digest_configured(entry + ENTRY_DIGEST, wanted);
		write_endpoint(entry, peer ? &peer->endpoint : &(struct endpoint) { 0 }, peer && peer->state.announced);
		entry += SAVED_ENTRY;
	}
	qsort(saved->map + SAVED_HEADER, saved->count, SAVED_ENTRY, compare_entries);
}

int saved_endpoints_create(struct saved_endpoints *saved, const struct config *config, const struct device *device)
{
	size_t count = 0;
	uint8_t *map;
	int fd;

	saved_endpoints_close(saved);
	for (const struct config_peer *peer = config->peers; peer; peer = peer->next)
		count++;
	if (count > SAVED_ENTRIES_MAX)
		return -E2BIG;
	fd = create_file(file_size(count));
	if (fd < 0)
		return fd;
	map = mmap(NULL, file_size(count), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (map == MAP_FAILED) {
		int error = -errno;
		close(fd);
		return error;
	}
	*saved = (struct saved_endpoints) { .map = map, .count = count, .fd = fd };
	write_entries(saved, config, device);
	/* The header is last, because it makes the file valid. */
	memcpy(map, magic, sizeof magic);
	put_le32(map + HEADER_VERSION, VERSION);
	put_le32(map + HEADER_ENTRY_SIZE, SAVED_ENTRY);
	put_le64(map + HEADER_COUNT, count);
	checksum(map + HEADER_CHECKSUM, map, HEADER_CHECKSUM);
	return 0;
}

void saved_endpoints_update(struct saved_endpoints *saved, const uint8_t public_key[KEY_BYTES],
							const struct endpoint *endpoint, bool up)
{
	uint8_t *entry = saved->map ? find_saved(saved->map + SAVED_HEADER, saved->count, public_key) : NULL;

	if (entry)
		write_endpoint(entry, endpoint, up);
}

void saved_endpoints_close(struct saved_endpoints *saved)
{
	if (saved->map) {
		munmap(saved->map, file_size(saved->count));
		close(saved->fd);
	}
	*saved = (struct saved_endpoints) { 0 };
}

/* --- reading ----- */

/* Returns the number of entries, or a negative errno. */
static ssize_t check_header(const uint8_t *file, size_t size)
{
	uint64_t count;

	if (size < SAVED_HEADER || memcmp(file, magic, sizeof magic) != 0)
		return -EINVAL;
	if (get_le32(file + HEADER_VERSION) != VERSION || get_le32(file + HEADER_ENTRY_SIZE) != SAVED_ENTRY)
		return -EPROTONOSUPPORT;
	count = get_le64(file + HEADER_COUNT);
	if (!checksum_fits(file, HEADER_CHECKSUM) || count > SAVED_ENTRIES_MAX || size != file_size((size_t)count))
		return -EINVAL;
	return (ssize_t)count;
}

/* Reads a copy, because a mapping could end the process if another one shortened the file. The caller frees it. */
static int read_endpoint_file(int fd, uint8_t **file, size_t *size)
{
	struct stat status;
	ssize_t length;

	if (fstat(fd, &status) < 0)
		return -errno;
	if (!S_ISREG(status.st_mode) || status.st_size < SAVED_HEADER ||
		status.st_size > (off_t)file_size(SAVED_ENTRIES_MAX))
		return -EINVAL;
	*size = (size_t)status.st_size;
	*file = calloc(1, *size);
	if (!*file)
		return -ENOMEM;
	length = pread(fd, *file, *size, 0);
	if (length == (ssize_t)*size)
		return 0;
	free(*file);
	return -EIO;
}

/* Returns whether the entry gives the peer an endpoint. */
static bool restore_one(const uint8_t *entry, const struct config_peer *wanted, const struct device *device)
{
	struct peer *peer = peer_lookup(device, wanted->public_key);
	uint8_t digest[CHECKSUM];
	struct endpoint endpoint;

	if (peer && checksum_fits(entry, ENTRY_CHECKSUM) && get_le32(entry + ENTRY_UP) == 1)
		peer->state.announced = peer->state.inherited = true;
	digest_configured(digest, wanted);
	if (!peer || memcmp(digest, entry + ENTRY_DIGEST, CHECKSUM) != 0 || !checksum_fits(entry, ENTRY_CHECKSUM) ||
		!read_endpoint(&endpoint, entry))
		return false;
	peer_set_endpoint(peer, &endpoint, ORIGIN_SAVED);
	return true;
}

int saved_endpoints_restore(int fd, const struct config *config, struct device *device)
{
	uint8_t *file = NULL;
	size_t size = 0;
	ssize_t count;
	int restored = 0, error = read_endpoint_file(fd, &file, &size);

	if (error)
		return error;
	count = check_header(file, size);
	if (count < 0) {
		free(file);
		return (int)count;
	}
	qsort(file + SAVED_HEADER, (size_t)count, SAVED_ENTRY, compare_entries); /* the order may be damaged, too */
	for (const struct config_peer *wanted = config->peers; wanted; wanted = wanted->next) {
		const uint8_t *entry = find_saved(file + SAVED_HEADER, (size_t)count, wanted->public_key);

		if (entry)
			restored += restore_one(entry, wanted, device);
	}
	free(file);
	return restored;
}
