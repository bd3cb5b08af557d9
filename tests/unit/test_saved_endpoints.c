/* SPDX-License-Identifier: MIT */
/* Tests of the file of saved endpoints: what is written is restored, and what is damaged is not. */
#include "daemon/saved_endpoints.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <sodium.h>

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include "tunnel/control.h"
#include "tunnel/peer.h"

enum { PEERS = 5 };

/* The offsets in the header of the version, with the size of an entry behind it, and of the number of entries. */
enum { AT_VERSION = 8, AT_COUNT = 16 };

struct scene {
	struct device device;
	struct aead_provider aead;
	struct config config;
	struct config_peer peers[PEERS];
	struct saved_endpoints saved;
};

static struct endpoint endpoint_of(const char *address, uint16_t port)
{
	struct endpoint endpoint = { 0 };

	if (strchr(address, ':')) {
		endpoint.to.v6.sin6_family = AF_INET6;
		endpoint.to.v6.sin6_port = htons(port);
		inet_pton(AF_INET6, address, &endpoint.to.v6.sin6_addr);
	} else {
		endpoint.to.v4.sin_family = AF_INET;
		endpoint.to.v4.sin_port = htons(port);
		inet_pton(AF_INET, address, &endpoint.to.v4.sin_addr);
	}
	return endpoint;
}

static void start_device(struct scene *scene)
{
	assert_int_equal(control_init(&scene->device, "tun0", &scene->aead, NULL), 0);
	for (int i = 0; i < PEERS; i++)
		assert_non_null(peer_add(&scene->device, scene->peers[i].public_key));
}

static void end_device(struct scene *scene)
{
	control_destroy(&scene->device, NULL);
}

/* The device has peers without endpoints, as a process that has just applied its configuration. */
static void start_again(struct scene *scene)
{
	end_device(scene);
	start_device(scene);
}

static int set_up(void **state)
{
	struct scene *scene = calloc(1, sizeof *scene);

	assert_int_equal(aead_init(&scene->aead, "libsodium"), 0);
	for (int i = 0; i < PEERS; i++) {
		struct config_peer *peer = &scene->peers[i];

		randombytes_buf(peer->public_key, sizeof peer->public_key);
		peer->has_endpoint = i % 2 == 0;
		snprintf(peer->endpoint_host, sizeof peer->endpoint_host, "peer%d.example.com", i);
		snprintf(peer->endpoint_port, sizeof peer->endpoint_port, "51820");
		peer->next = i + 1 < PEERS ? peer + 1 : NULL;
	}
	scene->config.peers = scene->peers;
	start_device(scene);
	*state = scene;
	return 0;
}

static int tear_down(void **state)
{
	struct scene *scene = *state;

	saved_endpoints_close(&scene->saved);
	end_device(scene);
	aead_destroy(&scene->aead);
	free(scene);
	return 0;
}

static struct peer *peer_at(struct scene *scene, int i)
{
	return peer_lookup(&scene->device, scene->peers[i].public_key);
}

static void create(struct scene *scene)
{
	assert_int_equal(saved_endpoints_create(&scene->saved, &scene->config, &scene->device), 0);
}

static int restore(struct scene *scene)
{
	return saved_endpoints_restore(scene->saved.fd, &scene->config, &scene->device);
}

static void endpoints_are_restored(void **state)
{
	struct scene *scene = *state;
	struct endpoint endpoints[] = { endpoint_of("192.0.2.1", 1), endpoint_of("2001:db8::2", 65535),
									endpoint_of("192.0.2.3", 3), endpoint_of("fe80::4", 4) };

	endpoints[2].local.v4.ipi_spec_dst.s_addr = htonl(0x0a000001);
	endpoints[2].local.v4.ipi_ifindex = 7;
	endpoints[3].to.v6.sin6_scope_id = 9;
	inet_pton(AF_INET6, "fe80::1", &endpoints[3].local.v6.ipi6_addr);
	endpoints[3].local.v6.ipi6_ifindex = 9;
	for (int i = 0; i < 4; i++)
		peer_set_endpoint(peer_at(scene, i), &endpoints[i], ORIGIN_ROAMED);
	create(scene);
	start_again(scene);
	assert_int_equal(restore(scene), 4); /* the last peer has none */
	for (int i = 0; i < 4; i++)
		assert_true(endpoint_equal(&peer_at(scene, i)->endpoint, &endpoints[i]));
	assert_false(endpoint_known(&peer_at(scene, 4)->endpoint));
}

static void an_update_is_in_the_file_at_once(void **state)
{
	struct scene *scene = *state;
	struct endpoint first = endpoint_of("192.0.2.1", 1), second = endpoint_of("2001:db8::9", 2);
	uint8_t nobody[KEY_BYTES] = { 0 };

	create(scene);
	saved_endpoints_update(&scene->saved, scene->peers[3].public_key, &first, false);
	saved_endpoints_update(&scene->saved, scene->peers[3].public_key, &second, false);
	saved_endpoints_update(&scene->saved, nobody, &first, false);
	assert_int_equal(restore(scene), 1);
	assert_true(endpoint_equal(&peer_at(scene, 3)->endpoint, &second));
}

static void a_peer_that_is_up_stays_up(void **state)
{
	struct scene *scene = *state;
	struct endpoint endpoint = endpoint_of("192.0.2.1", 1);

	create(scene);
	saved_endpoints_update(&scene->saved, scene->peers[1].public_key, &endpoint, true);
	saved_endpoints_update(&scene->saved, scene->peers[2].public_key, &endpoint, true);
	saved_endpoints_update(&scene->saved, scene->peers[2].public_key, &endpoint, false);
	start_again(scene);
	assert_int_equal(restore(scene), 2);
	for (int i = 0; i < PEERS; i++) {
		assert_int_equal(peer_at(scene, i)->state.announced, i == 1);
		assert_int_equal(peer_at(scene, i)->state.inherited, i == 1);
	}
}

static void without_a_file_an_update_does_nothing(void **state)
{
	struct scene *scene = *state;
	struct endpoint endpoint = endpoint_of("192.0.2.1", 1);

	saved_endpoints_update(&scene->saved, scene->peers[0].public_key, &endpoint, false);
	saved_endpoints_close(&scene->saved);
}

static void a_new_endpoint_in_the_configuration_wins(void **state)
{
	struct scene *scene = *state;

	for (int i = 0; i < PEERS; i++)
		peer_set_endpoint(peer_at(scene, i), &(struct endpoint) { .to = endpoint_of("192.0.2.1", 1).to },
						  ORIGIN_ROAMED);
	create(scene);
	start_again(scene);
	scene->peers[0].endpoint_port[0] = '4';
	scene->peers[1].has_endpoint = true;
	scene->peers[2].has_endpoint = false;
	scene->peers[4].endpoint_host[0] = 'P';
	assert_int_equal(restore(scene), 1);
	assert_true(endpoint_known(&peer_at(scene, 3)->endpoint));
}

static void peers_that_come_and_go_do_not_matter(void **state)
{
	struct scene *scene = *state;

	for (int i = 0; i < PEERS; i++)
		peer_set_endpoint(peer_at(scene, i), &(struct endpoint) { .to = endpoint_of("192.0.2.1", 1).to },
						  ORIGIN_ROAMED);
	create(scene);
	start_again(scene);
	randombytes_buf(scene->peers[2].public_key, KEY_BYTES); /* a new peer, which the device does not have either */
	assert_int_equal(restore(scene), PEERS - 1);
}

static void a_configuration_without_peers_has_an_empty_file(void **state)
{
	struct scene *scene = *state;
	struct config none = { 0 };

	assert_int_equal(saved_endpoints_create(&scene->saved, &none, &scene->device), 0);
	assert_int_equal(scene->saved.count, 0);
	assert_int_equal(restore(scene), 0);
}

static void the_size_of_the_file_cannot_change(void **state)
{
	struct scene *scene = *state;

	create(scene);
	assert_int_equal(lseek(scene->saved.fd, 0, SEEK_END), SAVED_HEADER + PEERS * SAVED_ENTRY);
	assert_int_equal(ftruncate(scene->saved.fd, 0), -1);
	assert_int_equal(ftruncate(scene->saved.fd, 1 << 20), -1);
}

/* --- damage ----- */

/* Returns a file with the first `length` bytes of the saved one and zeros after it, up to `size`. */
static int copy_file(const struct scene *scene, size_t length, size_t size)
{
	int fd = memfd_create("copy", MFD_CLOEXEC);

	assert_true(fd >= 0);
	assert_int_equal(ftruncate(fd, (off_t)size), 0);
	assert_int_equal(pwrite(fd, scene->saved.map, length, 0), length);
	return fd;
}

static void fill(struct scene *scene)
{
	for (int i = 0; i < PEERS; i++)
		peer_set_endpoint(peer_at(scene, i), &(struct endpoint) { .to = endpoint_of("192.0.2.1", 1).to },
						  ORIGIN_ROAMED);
	create(scene);
	start_again(scene);
}

static void a_file_of_another_size_is_refused(void **state)
{
	static const size_t whole = SAVED_HEADER + PEERS * SAVED_ENTRY;
	struct scene *scene = *state;

	fill(scene);
	for (size_t size = 0; size <= whole + SAVED_ENTRY; size++) {
		int fd = copy_file(scene, size < whole ? size : whole, size);

		assert_int_equal(saved_endpoints_restore(fd, &scene->config, &scene->device), size == whole ? PEERS : -EINVAL);
		close(fd);
	}
}

static void a_huge_file_is_refused_unread(void **state)
{
	struct scene *scene = *state;
	int fd;

	fill(scene);
	fd = copy_file(scene, SAVED_HEADER, (size_t)1 << 40);
	assert_int_equal(saved_endpoints_restore(fd, &scene->config, &scene->device), -EINVAL);
	close(fd);
}

static void each_damaged_byte_of_the_header_is_noticed(void **state)
{
	struct scene *scene = *state;

	fill(scene);
	for (size_t i = 0; i < SAVED_HEADER; i++) {
		bool version = i >= AT_VERSION && i < AT_COUNT;

		scene->saved.map[i] ^= 0x10;
		assert_int_equal(restore(scene), version ? -EPROTONOSUPPORT : -EINVAL);
		scene->saved.map[i] ^= 0x10;
	}
	assert_int_equal(restore(scene), PEERS);
}

/* As after a process that was killed while it wrote the entry. */
static void a_damaged_entry_does_not_affect_the_others(void **state)
{
	struct scene *scene = *state;

	fill(scene);
	for (size_t i = 0; i < SAVED_ENTRY; i++) {
		uint8_t *byte = scene->saved.map + SAVED_HEADER + 2 * SAVED_ENTRY + i;

		*byte ^= 0x10;
		assert_int_equal(restore(scene), PEERS - 1);
		*byte ^= 0x10;
	}
}

static void other_descriptors_are_refused(void **state)
{
	struct scene *scene = *state;
	int pipes[2], sockets[2], null = open("/dev/null", O_RDWR), folder = open("/", O_RDONLY);

	assert_int_equal(pipe(pipes), 0);
	assert_int_equal(socketpair(AF_UNIX, SOCK_DGRAM, 0, sockets), 0);
	assert_int_equal(saved_endpoints_restore(pipes[0], &scene->config, &scene->device), -EINVAL);
	assert_int_equal(saved_endpoints_restore(sockets[0], &scene->config, &scene->device), -EINVAL);
	assert_int_equal(saved_endpoints_restore(null, &scene->config, &scene->device), -EINVAL);
	assert_int_equal(saved_endpoints_restore(folder, &scene->config, &scene->device), -EINVAL);
	assert_int_equal(saved_endpoints_restore(-1, &scene->config, &scene->device), -EBADF);
	for (int i = 0; i < 2; i++) {
		close(pipes[i]);
		close(sockets[i]);
	}
	close(null);
	close(folder);
}

static void impossible_endpoints_are_not_restored(void **state)
{
	static const struct {
		const char *address;
		uint16_t port;
	} cases[] = { { "0.0.0.0", 1 }, { "::", 1 }, { "192.0.2.1", 0 }, { "2001:db8::1", 0 } };
	struct scene *scene = *state;

	create(scene);
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct endpoint endpoint = endpoint_of(cases[i].address, cases[i].port);

		saved_endpoints_update(&scene->saved, scene->peers[0].public_key, &endpoint, false);
		assert_int_equal(restore(scene), 0);
	}
}

#define SCENE(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		SCENE(endpoints_are_restored),
		SCENE(an_update_is_in_the_file_at_once),
		SCENE(without_a_file_an_update_does_nothing),
		SCENE(a_peer_that_is_up_stays_up),
		SCENE(a_new_endpoint_in_the_configuration_wins),
		SCENE(peers_that_come_and_go_do_not_matter),
		SCENE(a_configuration_without_peers_has_an_empty_file),
		SCENE(the_size_of_the_file_cannot_change),
		SCENE(a_file_of_another_size_is_refused),
		SCENE(a_huge_file_is_refused_unread),
		SCENE(each_damaged_byte_of_the_header_is_noticed),
		SCENE(a_damaged_entry_does_not_affect_the_others),
		SCENE(other_descriptors_are_refused),
		SCENE(impossible_endpoints_are_not_restored),
	};

	if (sodium_init() < 0)
		return 1;
	return cmocka_run_group_tests_name("saved_endpoints", tests, NULL, NULL);
}
