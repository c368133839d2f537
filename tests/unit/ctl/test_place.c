/* SPDX-License-Identifier: MIT */
/* Names, the directory, and that a name has one holder at a time. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <errno.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "vmm/ctl/place.h"

static char runtime_dir[64];
static struct uc_diag diag;

static int setup(void **state)
{
	(void)state;
	memset(&diag, 0, sizeof(diag));
	strcpy(runtime_dir, "/tmp/uc-ctl-XXXXXX");
	if (!mkdtemp(runtime_dir))
		return -1;
	return setenv("XDG_RUNTIME_DIR", runtime_dir, 1);
}

static int teardown(void **state)
{
	char command[128];

	(void)state;
	snprintf(command, sizeof(command), "rm -rf %s", runtime_dir);
	return system(command);
}

static const char *in_dir(const char *file)
{
	static char path[256];

	snprintf(path, sizeof(path), "%s/upcall/%s", runtime_dir, file);
	return path;
}

static void assert_says(const char *text, int status)
{
	if (!strstr(diag.text, text))
		fail_msg("\"%s\" does not say \"%s\"", diag.text, text);
	assert_null(strchr(diag.text, '\n'));
	assert_int_equal(diag.status, status);
}

static void names_are_plain(void **state)
{
	static const char *const good[] = {"a",
					   "guest",
					   "a-b_c.d",
					   "0",
					   "_",
					   "A.sock",
					   "0123456789012345678901234567890123456789012345678901234"
					   "567890123"};
	static const char *const bad[] = {"",
					  ".",
					  "..",
					  ".a",
					  "-a",
					  "a/b",
					  "a b",
					  "a\n",
					  "\xc3\xa4",
					  "../a",
					  "a\x7f",
					  "a:b",
					  "0123456789012345678901234567890123456789012345678901234"
					  "5678901234"};

	(void)state;
	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++)
		if (!uc_ctl_name_valid(good[i]))
			fail_msg("%s is refused", good[i]);
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		if (uc_ctl_name_valid(bad[i]))
			fail_msg("%s is taken for a name", bad[i]);
}

static void a_bad_name_is_a_usage_error(void **state)
{
	struct uc_ctl_claim claim;

	(void)state;
	assert_int_equal(uc_ctl_claim(&claim, "a/b", &diag), -EINVAL);
	assert_says("letters, digits", UC_EXIT_USAGE);
}

static void a_name_is_held_once_and_free_again(void **state)
{
	struct uc_ctl_claim first, second;
	struct stat st;

	(void)state;
	assert_int_equal(uc_ctl_claim(&first, "a", &diag), 0);
	assert_int_equal(stat(in_dir(""), &st), 0);
	assert_int_equal(st.st_mode & 0777, 0700);
	assert_int_equal(stat(in_dir("a.sock"), &st), 0);
	assert_true(S_ISSOCK(st.st_mode));
	assert_int_equal(uc_ctl_claim(&second, "a", &diag), -EADDRINUSE);
	assert_says("named a is running", UC_EXIT_USAGE);
	uc_ctl_unclaim(&second); /* must not take anything from the first */
	assert_int_equal(stat(in_dir("a.sock"), &st), 0);
	uc_ctl_unclaim(&first);
	assert_int_equal(rmdir(in_dir("")), 0); /* nothing is left */
	assert_int_equal(uc_ctl_claim(&second, "a", &diag), 0);
	uc_ctl_unclaim(&second);
}

static void default_names_are_numbered(void **state)
{
	struct uc_ctl_claim claims[3], again;

	(void)state;
	for (int i = 0; i < 3; i++)
		assert_int_equal(uc_ctl_claim(&claims[i], NULL, &diag), 0);
	assert_string_equal(claims[0].name, "guest");
	assert_string_equal(claims[1].name, "guest-2");
	assert_string_equal(claims[2].name, "guest-3");
	uc_ctl_unclaim(&claims[1]);
	assert_int_equal(uc_ctl_claim(&again, NULL, &diag), 0);
	assert_string_equal(again.name, "guest-2");
	uc_ctl_unclaim(&again);
	uc_ctl_unclaim(&claims[0]);
	uc_ctl_unclaim(&claims[2]);
}

static void a_dead_holders_socket_is_replaced(void **state)
{
	struct uc_ctl_claim claim;
	int status;
	pid_t child = fork();

	(void)state;
	if (!child) {
		if (!uc_ctl_claim(&claim, "a", &diag))
			raise(SIGKILL);
		_exit(1);
	}
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
	assert_int_equal(access(in_dir("a.sock"), F_OK), 0);
	assert_int_equal(uc_ctl_claim(&claim, "a", &diag), 0);
	uc_ctl_unclaim(&claim);
	assert_int_equal(access(in_dir("a.sock"), F_OK), -1);
}

#define RACERS 4
#define ROUNDS 300

struct race {
	int holders, most, wins;
};

static void race(struct race *race)
{
	struct uc_ctl_claim claim;

	for (int i = 0; i < ROUNDS; i++) {
		int now;

		if (uc_ctl_claim(&claim, "a", &diag))
			continue;
		now = __atomic_add_fetch(&race->holders, 1, __ATOMIC_SEQ_CST);
		if (now > 1)
			__atomic_store_n(&race->most, now, __ATOMIC_SEQ_CST);
		__atomic_add_fetch(&race->wins, 1, __ATOMIC_SEQ_CST);
		if (access(claim.addr.sun_path, F_OK))
			__atomic_store_n(&race->most, -1, __ATOMIC_SEQ_CST);
		__atomic_sub_fetch(&race->holders, 1, __ATOMIC_SEQ_CST);
		uc_ctl_unclaim(&claim);
	}
}

static void racing_processes_never_hold_it_together(void **state)
{
	struct race *shared = mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE,
				   MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	pid_t children[RACERS];
	int status;

	(void)state;
	for (int i = 0; i < RACERS; i++) {
		children[i] = fork();
		if (!children[i]) {
			race(shared);
			_exit(0);
		}
	}
	for (int i = 0; i < RACERS; i++) {
		assert_int_equal(waitpid(children[i], &status, 0), children[i]);
		assert_int_equal(status, 0);
	}
	assert_int_equal(shared->most, 0);
	assert_true(shared->wins > 0);
	munmap(shared, sizeof(*shared));
}

static void a_path_too_long_for_a_socket_is_refused(void **state)
{
	char longer[160], command[256];
	struct uc_ctl_claim claim;
	char name[UC_CTL_NAME_MAX + 1];

	(void)state;
	memset(name, 'n', UC_CTL_NAME_MAX);
	name[UC_CTL_NAME_MAX] = '\0';
	snprintf(longer, sizeof(longer), "%s/01234567890123456789", runtime_dir);
	snprintf(command, sizeof(command), "mkdir %s", longer);
	assert_int_equal(system(command), 0);
	setenv("XDG_RUNTIME_DIR", longer, 1);
	assert_int_equal(uc_ctl_claim(&claim, name, &diag), -ENAMETOOLONG);
	assert_says("shorter", UC_EXIT_USAGE);
	memset(&diag, 0, sizeof(diag));
	snprintf(longer, sizeof(longer), "%s/%090d", runtime_dir, 0);
	snprintf(command, sizeof(command), "mkdir %s", longer);
	assert_int_equal(system(command), 0);
	setenv("XDG_RUNTIME_DIR", longer, 1);
	assert_int_equal(uc_ctl_claim(&claim, "a", &diag), -ENAMETOOLONG);
	assert_says("shorter", UC_EXIT_INTERNAL);
}

static void a_directory_that_is_not_private_is_refused(void **state)
{
	char dir[UC_CTL_PATH_SIZE];
	char command[256];

	(void)state;
	assert_int_equal(uc_ctl_dir(dir, false, &diag), -ENOENT);
	assert_int_equal(diag.text[0], '\0');
	assert_int_equal(uc_ctl_dir(dir, true, &diag), 0);
	chmod(dir, 0755);
	assert_int_equal(uc_ctl_dir(dir, true, &diag), -EPERM);
	assert_says("chmod 700", UC_EXIT_INTERNAL);
	memset(&diag, 0, sizeof(diag));
	assert_int_equal(uc_ctl_dir(dir, false, &diag), -EPERM);
	assert_says("chmod 700", UC_EXIT_CTL);
	memset(&diag, 0, sizeof(diag));
	snprintf(command, sizeof(command), "rmdir %s && ln -s /root %s", dir, dir);
	assert_int_equal(system(command), 0);
	assert_int_equal(uc_ctl_dir(dir, true, &diag), -ENOTDIR);
	assert_says("no directory", UC_EXIT_INTERNAL);
}

static void a_directory_of_another_user_is_refused(void **state)
{
	char dir[UC_CTL_PATH_SIZE];

	(void)state;
	if (geteuid() != 0)
		skip();
	assert_int_equal(uc_ctl_dir(dir, true, &diag), 0);
	assert_int_equal(chown(dir, 65534, 65534), 0);
	assert_int_equal(uc_ctl_dir(dir, true, &diag), -EPERM);
	assert_says("another user", UC_EXIT_INTERNAL);
}

static void a_runtime_dir_of_another_user_is_not_used(void **state)
{
	char dir[UC_CTL_PATH_SIZE], want[UC_CTL_PATH_SIZE];
	static const char *const unusable[] = {"", "relative", "/nonexistent", "/dev/null"};

	(void)state;
	snprintf(want, sizeof(want), geteuid() ? "/tmp/upcall-%u" : "/run/upcall",
		 (unsigned int)geteuid());
	for (size_t i = 0; i < sizeof(unusable) / sizeof(unusable[0]); i++) {
		setenv("XDG_RUNTIME_DIR", unusable[i], 1);
		(void)uc_ctl_dir(dir, false, &diag);
		assert_string_equal(dir, want);
	}
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(names_are_plain, setup, teardown),
		cmocka_unit_test_setup_teardown(a_bad_name_is_a_usage_error, setup, teardown),
		cmocka_unit_test_setup_teardown(a_name_is_held_once_and_free_again, setup,
						teardown),
		cmocka_unit_test_setup_teardown(default_names_are_numbered, setup, teardown),
		cmocka_unit_test_setup_teardown(a_dead_holders_socket_is_replaced, setup, teardown),
		cmocka_unit_test_setup_teardown(racing_processes_never_hold_it_together, setup,
						teardown),
		cmocka_unit_test_setup_teardown(a_path_too_long_for_a_socket_is_refused, setup,
						teardown),
		cmocka_unit_test_setup_teardown(a_directory_that_is_not_private_is_refused, setup,
						teardown),
		cmocka_unit_test_setup_teardown(a_directory_of_another_user_is_refused, setup,
						teardown),
		cmocka_unit_test_setup_teardown(a_runtime_dir_of_another_user_is_not_used, setup,
						teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
