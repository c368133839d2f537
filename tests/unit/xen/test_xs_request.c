/* SPDX-License-Identifier: MIT */
/* Each request of the xenstore protocol as the guest sees it: replies, error names, limits. */
#include "xs_guest.h"

#include <errno.h>
#include <stdlib.h>

static int setup(void **state)
{
	struct guest *g = malloc(sizeof(*g));

	guest_start(g);
	*state = g;
	return 0;
}

static int teardown(void **state)
{
	guest_stop(*state);
	free(*state);
	return 0;
}

static void reads_what_the_toolstack_wrote(void **state)
{
	struct guest *g = *state;

	CALL(g, XS_READ, 0, "name");
	assert_body(g, XS_READ, "test");
	CALL(g, XS_READ, 0, HOME "/domid");
	assert_body(g, XS_READ, "1");
	CALL(g, XS_READ, 0, "vm");
	assert_body(g, XS_READ, "/vm/" UUID);
	CALL(g, XS_READ, 0, "/vm/" UUID "/uuid");
	assert_body(g, XS_READ, UUID);
	CALL(g, XS_READ, 0, "cpu/1/availability");
	assert_body(g, XS_READ, "online");
	CALL(g, XS_READ, 0, "memory/target");
	assert_body(g, XS_READ, "262144");
	CALL(g, XS_READ, 0, "store/ring-ref");
	assert_body(g, XS_READ, "1044476");
	CALL(g, XS_READ, 0, "console/port");
	assert_body(g, XS_READ, "4");
	CALL(g, XS_READ, 0, "control/platform-feature-xs_reset_watches");
	assert_body(g, XS_READ, "1");
	CALL(g, XS_READ, 0, "device");
	assert_body(g, XS_READ, "");
}

static void write_creates_parents_and_keeps_binary_values(void **state)
{
	struct guest *g = *state;

	RAW(g, XS_WRITE, 0, "data/a/b\0v\0w");
	assert_ok(g, XS_WRITE);
	CALL(g, XS_READ, 0, "data/a/b");
	assert_body(g, XS_READ, "v\0w");
	CALL(g, XS_READ, 0, "data/a");
	assert_body(g, XS_READ, "");
	RAW(g, XS_WRITE, 0, "data/a/b\0");
	assert_ok(g, XS_WRITE);
	CALL(g, XS_READ, 0, HOME "/data/a/b");
	assert_body(g, XS_READ, "");
}

static void write_without_terminated_path_is_einval(void **state)
{
	struct guest *g = *state;

	RAW(g, XS_WRITE, 0, "data/a");
	assert_error(g, "EINVAL");
	RAW(g, XS_WRITE, 0, "");
	assert_error(g, "EINVAL");
}

static void payload_forms_are_checked(void **state)
{
	static const uint32_t one_path[] = {XS_READ, XS_DIRECTORY, XS_MKDIR, XS_RM, XS_GET_PERMS};
	struct guest *g = *state;

	for (size_t i = 0; i < sizeof(one_path) / sizeof(one_path[0]); i++) {
		RAW(g, one_path[i], 0, "");
		assert_error(g, "EINVAL");
		RAW(g, one_path[i], 0, "data");
		assert_error(g, "EINVAL");
		RAW(g, one_path[i], 0, "data\0x\0");
		assert_error(g, "EINVAL");
	}
}

static void malformed_paths_are_einval(void **state)
{
	static const char *const bad[] = {"",	      "data/", "da//ta",  "//",
					  "/data/",   "a b",   "data/\t", "d\xff",
					  "@special", "a*b",   "/a.b",	  "data//"};
	struct guest *g = *state;

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		guest_call(g, XS_READ, 0, bad[i], strlen(bad[i]) + 1);
		assert_error(g, "EINVAL");
	}
}

static void over_long_paths_are_einval(void **state)
{
	struct guest *g = *state;
	char path[XENSTORE_ABS_PATH_MAX + 2];

	memset(path, 'a', sizeof(path));
	memcpy(path, "data/", 5);
	path[XENSTORE_REL_PATH_MAX] = '\0';
	guest_call(g, XS_READ, 0, path, XENSTORE_REL_PATH_MAX + 1);
	assert_error(g, "ENOENT");
	path[XENSTORE_REL_PATH_MAX] = 'a';
	path[XENSTORE_REL_PATH_MAX + 1] = '\0';
	guest_call(g, XS_READ, 0, path, XENSTORE_REL_PATH_MAX + 2);
	assert_error(g, "EINVAL");

	memset(path, 'a', sizeof(path));
	memcpy(path, HOME "/data/", strlen(HOME "/data/"));
	path[XENSTORE_ABS_PATH_MAX] = '\0';
	guest_call(g, XS_READ, 0, path, XENSTORE_ABS_PATH_MAX + 1);
	assert_error(g, "ENOENT");
	path[XENSTORE_ABS_PATH_MAX] = 'a';
	path[XENSTORE_ABS_PATH_MAX + 1] = '\0';
	guest_call(g, XS_READ, 0, path, XENSTORE_ABS_PATH_MAX + 2);
	assert_error(g, "EINVAL");
}

static void the_deepest_path_works(void **state)
{
	struct guest *g = *state;
	char path[XENSTORE_REL_PATH_MAX + 1] = "data";
	size_t len = 4;

	while (len + 2 < sizeof(path)) {
		memcpy(path + len, "/d", 3);
		len += 2;
	}
	/* 1022 levels exceed the quota of nodes; a domain without quota may make them. */
	guest_call(g, XS_MKDIR, 0, path, len + 1);
	assert_error(g, "ENOSPC");
	assert_int_equal(uc_store_write(&g->st, path, "deep"), 0);
	assert_int_equal(uc_store_rm(&g->st, "/local/domain/0/data"), 0);
}

static void directory_lists_children(void **state)
{
	struct guest *g = *state;

	CALL(g, XS_MKDIR, 0, "data/c");
	CALL(g, XS_MKDIR, 0, "data/a");
	CALL(g, XS_MKDIR, 0, "data/ab");
	assert_ok(g, XS_MKDIR);
	CALL(g, XS_DIRECTORY, 0, "data");
	assert_body(g, XS_DIRECTORY, "a\0ab\0c\0");
	CALL(g, XS_DIRECTORY, 0, "data/a");
	assert_body(g, XS_DIRECTORY, "");
	CALL(g, XS_DIRECTORY, 0, "data/none");
	assert_error(g, "ENOENT");
}

static void long_directories_come_in_parts(void **state)
{
	struct guest *g = *state;
	char path[64], gen[32] = "", request[64];
	unsigned offset = 0, seen = 0;

	for (unsigned i = 0; i < 600; i++) {
		snprintf(path, sizeof(path), HOME "/device/child-%03u", i);
		assert_int_equal(uc_store_write(&g->st, path, ""), 0);
	}
	assert_int_equal(uc_store_rm(&g->st, HOME "/device/suspend"), 0);
	CALL(g, XS_DIRECTORY, 0, "device");
	assert_error(g, "E2BIG");
	for (;;) {
		int n = snprintf(request, sizeof(request), "device%c%u", 0, offset);
		const char *name;

		guest_call(g, XS_DIRECTORY_PART, 0, request, (size_t)n + 1);
		assert_int_equal(g->hdr.type, XS_DIRECTORY_PART);
		if (!*gen)
			strcpy(gen, g->body);
		assert_string_equal(g->body, gen);
		name = g->body + strlen(g->body) + 1;
		assert_true(name < g->body + g->hdr.len);
		for (; *name && name < g->body + g->hdr.len; name += strlen(name) + 1) {
			snprintf(path, sizeof(path), "child-%03u", seen++);
			assert_string_equal(name, path);
			offset += (unsigned)strlen(name) + 1;
		}
		if (name < g->body + g->hdr.len)
			break; /* the empty name after the last one */
	}
	assert_int_equal(seen, 600);
	CALL(g, XS_DIRECTORY_PART, 0, "device\0x");
	assert_error(g, "EINVAL");
	CALL(g, XS_DIRECTORY_PART, 0, "device");
	assert_error(g, "EINVAL");
	CALL(g, XS_DIRECTORY_PART, 0,
	     "data\0"
	     "99999");
	assert_int_equal(g->hdr.type, XS_DIRECTORY_PART);
	assert_int_equal(g->hdr.len, strlen(g->body) + 2);
}

static void mkdir_keeps_an_existing_value(void **state)
{
	struct guest *g = *state;

	RAW(g, XS_WRITE, 0, "data/k\0v");
	CALL(g, XS_MKDIR, 0, "data/k");
	assert_ok(g, XS_MKDIR);
	CALL(g, XS_READ, 0, "data/k");
	assert_body(g, XS_READ, "v");
}

static void rm_takes_the_subtree(void **state)
{
	struct guest *g = *state;

	RAW(g, XS_WRITE, 0, "data/a/b/c\0v");
	CALL(g, XS_RM, 0, "data/a");
	assert_ok(g, XS_RM);
	CALL(g, XS_READ, 0, "data/a/b/c");
	assert_error(g, "ENOENT");
	CALL(g, XS_DIRECTORY, 0, "data");
	assert_body(g, XS_DIRECTORY, "");
}

static void rm_of_nothing_needs_the_parent(void **state)
{
	struct guest *g = *state;

	CALL(g, XS_RM, 0, "data/none");
	assert_ok(g, XS_RM);
	CALL(g, XS_RM, 0, "data/none/deeper");
	assert_error(g, "ENOENT");
	CALL(g, XS_RM, 0, "/");
	assert_error(g, "EACCES");
	assert_int_equal(uc_store_rm(&g->st, "/"), -EINVAL);
}

static void the_guest_cannot_leave_its_place(void **state)
{
	static const char *const unreadable[] = {"/",
						 "/local",
						 "/local/domain",
						 "/vm",
						 "/tool",
						 "/local/domain/0/name",
						 "/local/domain/0/no",
						 "/local/domain/7",
						 "/no/where"};
	static const char *const unwritable[] = {
		"name",		 "domid",     "device",	       "device/vbd",
		"memory/target", "control",   "control/other", "cpu/0/availability",
		"console/port",	 "new-child", "/vm/" UUID,     "/local/domain/0/name",
		"/other"};
	struct guest *g = *state;
	char request[64];

	for (size_t i = 0; i < sizeof(unreadable) / sizeof(unreadable[0]); i++) {
		guest_call(g, XS_READ, 0, unreadable[i], strlen(unreadable[i]) + 1);
		assert_error(g, "EACCES");
		guest_call(g, XS_DIRECTORY, 0, unreadable[i], strlen(unreadable[i]) + 1);
		assert_error(g, "EACCES");
		guest_call(g, XS_GET_PERMS, 0, unreadable[i], strlen(unreadable[i]) + 1);
		assert_error(g, "EACCES");
	}
	for (size_t i = 0; i < sizeof(unwritable) / sizeof(unwritable[0]); i++) {
		int n = snprintf(request, sizeof(request), "%s%cx", unwritable[i], 0);

		guest_call(g, XS_WRITE, 0, request, (size_t)n);
		assert_error(g, "EACCES");
		guest_call(g, XS_RM, 0, request, strlen(request) + 1);
		assert_error(g, "EACCES");
		if (i < 1 || i > 2)
			continue;
		guest_call(g, XS_MKDIR, 0, request, strlen(request) + 1);
		assert_error(g, "EACCES");
	}
	CALL(g, XS_READ, 0, "name");
	assert_body(g, XS_READ, "test");
}

static void the_guest_owns_what_the_toolstack_gave_it(void **state)
{
	static const char *const own[] = {"control/shutdown",
					  "control/sysrq",
					  "control/feature-poweroff",
					  "control/feature-reboot",
					  "control/feature-suspend",
					  "data/x",
					  "error/x",
					  "attr/x",
					  "feature/x",
					  "drivers/x",
					  "device/suspend/event-channel"};
	struct guest *g = *state;
	char request[64];

	for (size_t i = 0; i < sizeof(own) / sizeof(own[0]); i++) {
		int n = snprintf(request, sizeof(request), "%s%c1", own[i], 0);

		guest_call(g, XS_WRITE, 0, request, (size_t)n);
		assert_ok(g, XS_WRITE);
	}
}

static void perms_are_shown_and_changed_by_the_owner(void **state)
{
	struct guest *g = *state;

	CALL(g, XS_GET_PERMS, 0, "data");
	assert_body(g, XS_GET_PERMS, "n1\0");
	CALL(g, XS_GET_PERMS, 0, "device");
	assert_body(g, XS_GET_PERMS, "n0\0r1\0");
	CALL(g, XS_SET_PERMS, 0, "data\0r1\0b7\0w8");
	assert_ok(g, XS_SET_PERMS);
	CALL(g, XS_MKDIR, 0, "data/child");
	CALL(g, XS_GET_PERMS, 0, "data/child");
	assert_body(g, XS_GET_PERMS, "r1\0b7\0w8\0");
}

static void perms_of_others_stay(void **state)
{
	struct guest *g = *state;

	CALL(g, XS_SET_PERMS, 0, "device\0b1");
	assert_error(g, "EACCES");
	CALL(g, XS_SET_PERMS, 0, "data\0n0\0b1");
	assert_error(g, "EPERM");
	CALL(g, XS_SET_PERMS, 0, "@releaseDomain\0n1");
	assert_error(g, "EACCES");
	CALL(g, XS_GET_PERMS, 0, "@releaseDomain");
	assert_error(g, "EACCES");
	CALL(g, XS_SET_PERMS, 0, "data");
	assert_error(g, "EINVAL");
	CALL(g, XS_SET_PERMS, 0, "data\0z1");
	assert_error(g, "EINVAL");
	CALL(g, XS_SET_PERMS, 0, "data\0r");
	assert_error(g, "EINVAL");
	CALL(g, XS_SET_PERMS, 0, "data\0r65536");
	assert_error(g, "EINVAL");
	CALL(g, XS_SET_PERMS, 0, "data\0r-1");
	assert_error(g, "EINVAL");
	RAW(g, XS_SET_PERMS, 0, "data\0r1");
	assert_error(g, "EINVAL");
	CALL(g, XS_SET_PERMS, 0, "data\0r1\0r2\0r3\0r4\0r5\0r6");
	assert_error(g, "ENOSPC");
	CALL(g, XS_SET_PERMS, 0, "data/none\0r1");
	assert_error(g, "ENOENT");
	CALL(g, XS_GET_PERMS, 0, "data");
	assert_body(g, XS_GET_PERMS, "n1\0");
}

static void a_node_given_to_the_guest_is_writable(void **state)
{
	const struct uc_store_perms rw = {
		.n = 2, .p = {{0, UC_STORE_NONE}, {1, UC_STORE_READ | UC_STORE_WRITE}}};
	const struct uc_store_perms wo = {.n = 2, .p = {{0, UC_STORE_READ}, {1, UC_STORE_WRITE}}};
	struct guest *g = *state;

	assert_int_equal(uc_store_mknod(&g->st, "/shared", &rw), 0);
	RAW(g, XS_WRITE, 0, "/shared\0x");
	assert_ok(g, XS_WRITE);
	CALL(g, XS_GET_PERMS, 0, "/shared");
	assert_body(g, XS_GET_PERMS, "n0\0b1\0");
	CALL(g, XS_MKDIR, 0, "/shared/child"); /* and owns what it creates there */
	CALL(g, XS_GET_PERMS, 0, "/shared/child");
	assert_body(g, XS_GET_PERMS, "n1\0b1\0");
	assert_int_equal(uc_store_set_perms(&g->st, "/shared", &wo), 0);
	CALL(g, XS_READ, 0, "/shared");
	assert_error(g, "EACCES");
	RAW(g, XS_WRITE, 0, "/shared\0y");
	assert_ok(g, XS_WRITE);
}

static void domain_paths(void **state)
{
	struct guest *g = *state;

	CALL(g, XS_GET_DOMAIN_PATH, 0, "1");
	assert_body(g, XS_GET_DOMAIN_PATH, "/local/domain/1\0");
	CALL(g, XS_GET_DOMAIN_PATH, 0, "007");
	assert_body(g, XS_GET_DOMAIN_PATH, "/local/domain/7\0");
	CALL(g, XS_GET_DOMAIN_PATH, 0, "x");
	assert_error(g, "EINVAL");
	CALL(g, XS_GET_DOMAIN_PATH, 0, "65536");
	assert_error(g, "EINVAL");
	CALL(g, XS_GET_DOMAIN_PATH, 0, "");
	assert_error(g, "EINVAL");
}

static void privileged_and_unknown_requests_are_refused(void **state)
{
	static const uint32_t privileged[] = {XS_CONTROL, XS_INTRODUCE,	 XS_RELEASE,
					      XS_RESUME,  XS_SET_TARGET, XS_IS_DOMAIN_INTRODUCED};
	static const uint32_t unknown[] = {XS_WATCH_EVENT, XS_ERROR, 20,	XS_TYPE_COUNT, 24,
					   XS_INVALID,	   1u << 31, UINT32_MAX};
	struct guest *g = *state;

	for (size_t i = 0; i < sizeof(privileged) / sizeof(privileged[0]); i++) {
		CALL(g, privileged[i], 0, "1");
		assert_error(g, "EACCES");
	}
	for (size_t i = 0; i < sizeof(unknown) / sizeof(unknown[0]); i++) {
		CALL(g, unknown[i], 0, "1");
		assert_error(g, "ENOSYS");
	}
}

static void node_quota_is_enospc_and_recovers(void **state)
{
	struct guest *g = *state;
	unsigned own = g->st.tree.guest_nodes;
	char path[64];

	for (unsigned i = 0; i < UC_STORE_NODES_MAX - own; i++) {
		int n = snprintf(path, sizeof(path), "data/%u/%u", i / 100, i);

		/* Ten parents of their own come out of the same quota. */
		guest_call(g, XS_MKDIR, 0, path, (size_t)n + 1);
		if (g->hdr.type == XS_ERROR)
			break;
	}
	assert_error(g, "ENOSPC");
	assert_int_equal(g->st.tree.guest_nodes, UC_STORE_NODES_MAX);
	RAW(g, XS_WRITE, 0, "data/0/0\0new value of an old node");
	assert_ok(g, XS_WRITE);
	CALL(g, XS_RM, 0, "data/1");
	assert_ok(g, XS_RM);
	assert_int_equal(g->st.tree.guest_nodes, UC_STORE_NODES_MAX - 101);
	CALL(g, XS_MKDIR, 0, "data/more");
	assert_ok(g, XS_MKDIR);
	assert_int_equal(uc_store_write(&g->st, "/dom0/has/no/quota", ""), 0);
}

static void value_size_is_limited(void **state)
{
	struct guest *g = *state;
	char request[7 + UC_STORE_NODE_BYTES_MAX + 1] = "data/k";

	memset(request + 7, 'v', sizeof(request) - 7);
	guest_call(g, XS_WRITE, 0, request, sizeof(request) - 1);
	assert_ok(g, XS_WRITE);
	guest_call(g, XS_WRITE, 0, request, sizeof(request));
	assert_error(g, "ENOSPC");
	CALL(g, XS_READ, 0, "data/k");
	assert_int_equal(g->hdr.len, UC_STORE_NODE_BYTES_MAX);
}

static void directory_size_is_limited(void **state)
{
	struct guest *g = *state;
	char path[128];
	unsigned made = 0;

	for (;; made++) {
		int n = snprintf(path, sizeof(path), "data/%0100u", made);

		guest_call(g, XS_MKDIR, 0, path, (size_t)n + 1);
		if (g->hdr.type == XS_ERROR)
			break;
	}
	assert_error(g, "ENOSPC");
	assert_int_equal(made, UC_STORE_NODE_BYTES_MAX / 101);
	CALL(g, XS_DIRECTORY, 0, "data");
	assert_int_equal(g->hdr.len, made * 101);
}

static void write_big(struct guest *g, uint32_t tx, unsigned i, char fill)
{
	char request[24 + 2000];
	int n = snprintf(request, 24, "data/%u/%u", i % 80, i);

	memset(request + n + 1, fill, 2000);
	guest_call(g, XS_WRITE, tx, request, (size_t)n + 1 + 2000);
	assert_in_range(g->st.pool.live_bytes, 0, UC_STORE_BYTES_MAX);
}

static void memory_of_all_values_is_limited(void **state)
{
	struct guest *g = *state;
	unsigned refused = 0;

	for (unsigned i = 0; i < 850; i++) {
		write_big(g, 0, i, 'v');
		assert_ok(g, XS_WRITE);
	}
	/* Old versions that transactions hold on to count as well. */
	for (unsigned t = 0; t < 8; t++) {
		uint32_t tx = guest_tx(g);

		for (unsigned i = 0; i < 90; i++) {
			write_big(g, t % 2 ? tx : 0, i, (char)('a' + t));
			refused += g->hdr.type == XS_ERROR;
			if (g->hdr.type == XS_ERROR)
				assert_error(g, "ENOMEM");
		}
	}
	assert_int_not_equal(refused, 0);
	CALL(g, XS_RESET_WATCHES, 0, "");
	write_big(g, 0, 0, 'w');
	assert_ok(g, XS_WRITE);
}

static void quota_of_a_refused_request_changes_nothing(void **state)
{
	struct guest *g = *state;
	const struct uc_store_node *root = g->st.tree.root;
	size_t bytes = g->st.pool.live_bytes;

	CALL(g, XS_WRITE, 0, "name\0x");
	assert_error(g, "EACCES");
	CALL(g, XS_RM, 0, "device");
	assert_error(g, "EACCES");
	assert_ptr_equal(g->st.tree.root, root);
	assert_int_equal(g->st.pool.live_bytes, bytes);
}

#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(reads_what_the_toolstack_wrote),
		T(write_creates_parents_and_keeps_binary_values),
		T(write_without_terminated_path_is_einval),
		T(payload_forms_are_checked),
		T(malformed_paths_are_einval),
		T(over_long_paths_are_einval),
		T(the_deepest_path_works),
		T(directory_lists_children),
		T(long_directories_come_in_parts),
		T(mkdir_keeps_an_existing_value),
		T(rm_takes_the_subtree),
		T(rm_of_nothing_needs_the_parent),
		T(the_guest_cannot_leave_its_place),
		T(the_guest_owns_what_the_toolstack_gave_it),
		T(perms_are_shown_and_changed_by_the_owner),
		T(perms_of_others_stay),
		T(a_node_given_to_the_guest_is_writable),
		T(domain_paths),
		T(privileged_and_unknown_requests_are_refused),
		T(node_quota_is_enospc_and_recovers),
		T(value_size_is_limited),
		T(directory_size_is_limited),
		T(memory_of_all_values_is_limited),
		T(quota_of_a_refused_request_changes_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
