/* SPDX-License-Identifier: MIT */
/* Tests of the names of peers in a running device: files set them, set requests keep them, get requests report them. */
#include "device_rig.h"

#include "config/ini.h"

#define FILE_TEXT                                                                                                      \
	"[Interface]\n[Peer]\nPublicKey = AgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgI=\nAllowedIPs = 10.0.0.1/32\n"

static struct rig rig;
static const uint64_t now = 1000 * NS_PER_S;

static int setup(void **state)
{
	rig_init(&rig, "test");
	return 0;
}

static int teardown(void **state)
{
	rig_destroy(&rig);
	return 0;
}

/* Reloads the file with more lines in the section of its peer. */
static void reload(const char *lines)
{
	struct ini_report report = { 0 };
	struct config config = { .interface = "test" };
	char text[1024];

	snprintf(text, sizeof text, FILE_TEXT "%s", lines);
	assert_int_equal(ini_parse_config(&config, "x", text, strlen(text), &report), 0);
	assert_int_equal(apply_reload(&rig.device, &config, now), 0);
	config_destroy(&config); /* the peer has a reference of its own */
}

static const struct peer *the_peer(void)
{
	const struct peer *peer = peer_lookup(&rig.device, rig_key(2));

	assert_non_null(peer);
	return peer;
}

static void expect_answer(const char *expected, bool there)
{
	char *text = rig_get(&rig, 4096);

	assert_int_equal(strstr(text, expected) != NULL, there);
	free(text);
}

static void a_reload_sets_and_removes_the_name(void **state)
{
	reload("");
	assert_string_equal(peer_text(the_peer()).text, "test: peer AgIC…CAgI");
	expect_answer("name=", false);
	reload("Name = alice\nDescription = a = b\n");
	assert_string_equal(peer_text(the_peer()).text, "test: peer alice (AgIC…CAgI)");
	expect_answer("\nname=alice\ndescription=a = b\nallowed_ip=10.0.0.1/32\nprotocol_version=1\n", true);
	reload("Description = only\n");
	assert_string_equal(peer_text(the_peer()).text, "test: peer AgIC…CAgI");
	expect_answer("name=", false);
	expect_answer("\ndescription=only\n", true);
	reload("");
	assert_null(the_peer()->label);
}

static void a_reload_of_the_same_name_changes_nothing(void **state)
{
	const struct peer_label *label;

	reload("Name = alice\n");
	label = the_peer()->label;
	reload("Name = alice\n");
	assert_ptr_equal(the_peer()->label, label);
	assert_int_equal(label->references, 1);
}

static void a_set_request_keeps_the_name(void **state)
{
	reload("Name = alice\n");
	assert_int_equal(
		rig_set(&rig, 0, "public_key=%s\npersistent_keepalive_interval=5\nreplace_allowed_ips=true\n", rig_hex(2)), 0);
	assert_string_equal(the_peer()->label->name, "alice");
	assert_int_equal(rig_set(&rig, -EINVAL, "public_key=%s\nname=bob\n", rig_hex(2)),
					 -EINVAL); /* not a key of the protocol */
	assert_int_equal(rig_set(&rig, 0, "public_key=%s\nremove=true\npublic_key=%s\n", rig_hex(2), rig_hex(2)), 0);
	assert_null(the_peer()->label);
}

static void a_captured_device_gets_its_names_back(void **state)
{
	struct config captured = { 0 };

	reload("Name = alice\nDescription = one\n");
	assert_int_equal(apply_capture(&rig.device, &captured), 0);
	reload("Name = bob\n");
	assert_int_equal(apply_reload(&rig.device, &captured, now), 0);
	config_destroy(&captured);
	assert_string_equal(the_peer()->label->name, "alice");
	assert_string_equal(the_peer()->label->description, "one");
	assert_int_equal(the_peer()->label->references, 1);
}

static void a_long_label_fits_into_every_part_of_an_answer(void **state)
{
	char lines[512], name[PEER_NAME_MAX + 1], description[PEER_DESCRIPTION_MAX + 1], *large, *small;

	memset(name, 'n', sizeof name);
	memset(description, 'd', sizeof description);
	name[sizeof name - 1] = description[sizeof description - 1] = '\0';
	snprintf(lines, sizeof lines, "Name = %s\nDescription = %s\n", name, description);
	reload(lines);
	expect_answer(name, true);
	expect_answer(description, true);
	large = rig_get(&rig, 1 << 16);
	for (size_t room = UAPI_GET_ROOM; room < 1000; room++) {
		small = rig_get(&rig, room);
		assert_string_equal(small, large);
		free(small);
	}
	free(large);
}

int main(void)
{
#define TEST(function) cmocka_unit_test_setup_teardown(function, setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(a_reload_sets_and_removes_the_name),
		TEST(a_reload_of_the_same_name_changes_nothing),
		TEST(a_set_request_keeps_the_name),
		TEST(a_captured_device_gets_its_names_back),
		TEST(a_long_label_fits_into_every_part_of_an_answer),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
