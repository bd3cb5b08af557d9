/* SPDX-License-Identifier: MIT */
/* Tests of a network that one process leaves to the next, or that is swept because there is no next one. */
#include "network_rig.h"

#include <sys/socket.h>
#include <sys/un.h>

/*
 * Everything that belongs to the tunnel, with the index of the interface. An IPv6 address is tentative for a second
 * after it was added.
 */
static const char whole_state[] = "ip link show dev tun0; ip address show dev tun0 | sed 's/ tentative//'; "
								  "ip rule; ip -6 rule; ip route show table all proto 173; "
								  "ip -6 route show table all proto 173; nft -a list ruleset";

/* Frees the network but not the claim, which the service manager keeps. Returns the claim's descriptor. */
static int leave(struct scene *scene)
{
	int claim = dup(network_claim(scene->network)->fd);

	network_leave(scene->network);
	scene->network = NULL;
	return claim;
}

static int up_adopted(struct scene *scene, struct table_claim *adopted)
{
	struct table_claim claim = { 0 };
	int status = network_plan(&scene->plan, adopted, &claim, &scene->config, &scene->reason);

	assert_int_equal(status, 0);
	if (!claim.table)
		claim = *adopted;
	scene->network = network_open(if_nametoindex("tun0"), &(struct network_options) { .adopted = true });
	status = network_prepare(scene->network, &scene->plan, &claim, &scene->config, NULL, 0, &scene->reason);
	if (status == 0)
		network_commit(scene->network);
	return status;
}

static void the_next_process_finds_everything_as_it_was(void **state)
{
	struct scene *scene = *state;
	struct table_claim claim = { 0 };
	char *before;

	configure(scene, "10.7.0.1/24 10.8.0.1 fd07::1/64", "0.0.0.0/0 ::/0 10.9.0.0/16");
	up(scene);
	before = strdup(sandbox_output(whole_state));
	for (int i = 0; i < 3; i++) {
		int fd = leave(scene);

		assert_shows(whole_state, before);
		assert_int_equal(table_claim_adopt(&claim, fd), 0);
		assert_int_equal(claim.table, 51820);
		assert_int_equal(up_adopted(scene, &claim), 0);
		assert_shows(whole_state, before); /* not even the handles of the nft rules have changed */
		assert_int_equal(network_claim(scene->network)->fd, fd);
	}
	free(before);
	down(scene);
	assert_rules(no_rules_v4, no_rules_v6);
	assert_firewall("", "");
}

/* The routes to the peers may lead through the tunnel, so they would give a smaller MTU each time. */
static void the_mtu_of_a_taken_over_interface_stays(void **state)
{
	struct scene *scene = *state;
	struct table_claim claim = { 0 };
	int fd;

	configure(scene, "10.7.0.1/24", "0.0.0.0/0");
	up(scene);
	fd = leave(scene);
	sandbox_output("ip link set v0 mtu 1300");
	assert_int_equal(table_claim_adopt(&claim, fd), 0);
	assert_int_equal(up_adopted(scene, &claim), 0);
	assert_shows(show_mtu, "mtu 1372\n");
	claim = (struct table_claim) { 0 };
	assert_int_equal(table_claim_adopt(&claim, leave(scene)), 0);
	scene->config.mtu = 1400;
	assert_int_equal(up_adopted(scene, &claim), 0);
	assert_shows(show_mtu, "mtu 1400\n");
}

static void only_a_claim_can_be_taken_over_as_a_claim(void **state)
{
	static const struct {
		const char *name;
		size_t length;
	} names[] = {
		{ "\0adit/table/", 12 },
		{ "\0adit/table/x", 13 },
		{ "\0adit/table/7x", 14 },
		{ "\0adit/table/07", 14 },
		{ "\0adit/table/7\0", 14 },
		{ "\0adit/table/0", 13 },
		{ "\0adit/table/99999999999", 23 },
		{ "/adit/table/7", 13 },
	};
	struct table_claim claim = { 0 };
	int null = open("/dev/null", O_RDONLY), udp = socket(AF_INET, SOCK_DGRAM, 0);

	for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
		struct sockaddr_un address = { .sun_family = AF_UNIX };
		int fd = socket(AF_UNIX, SOCK_DGRAM, 0);

		memcpy(address.sun_path, names[i].name, names[i].length);
		bind(fd, (struct sockaddr *)&address, (socklen_t)(offsetof(struct sockaddr_un, sun_path) + names[i].length));
		assert_int_equal(table_claim_adopt(&claim, fd), -EINVAL);
		close(fd);
	}
	assert_int_equal(table_claim_adopt(&claim, null), -EINVAL);
	assert_int_equal(table_claim_adopt(&claim, udp), -EINVAL);
	assert_int_equal(table_claim_adopt(&claim, -1), -EINVAL);
	assert_int_equal(claim.table, 0);
	close(null);
	close(udp);
}

static void a_sweep_removes_what_was_left(void **state)
{
	struct scene *scene = *state;
	struct table_claim claim = { 0 };

	for (int closed = 0; closed < 2; closed++) {
		configure(scene, "10.7.0.1/24 fd07::1/64", "0.0.0.0/0 ::/0 10.9.0.0/16");
		scene->config.fail_closed = closed;
		up(scene);
		assert_int_equal(table_claim_adopt(&claim, leave(scene)), 0);
		network_sweep(if_nametoindex("tun0"), &claim);
		assert_int_equal(claim.table, 0);
		assert_int_equal(table_claim_take(&claim, 51820), 0); /* it was released */
		table_claim_release(&claim);
		assert_shows("ip -br address show tun0", "tun0 DOWN\n");
		assert_firewall("", "");
		assert_rules(closed ? rules_v4 : no_rules_v4, closed ? rules_v6 : no_rules_v6);
		assert_shows("ip route show table 51820 2>/dev/null",
					 closed ? "unreachable default proto 173 metric 4265707399\n" : "");
	}
	sandbox_output("ip rule flush protocol 173; ip -6 rule flush protocol 173; ip route flush table 51820; "
				   "ip -6 route flush table 51820");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		network_test(the_next_process_finds_everything_as_it_was),
		network_test(the_mtu_of_a_taken_over_interface_stays),
		network_test(only_a_claim_can_be_taken_over_as_a_claim),
		network_test(a_sweep_removes_what_was_left),
	};

	network_enter();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
