/* SPDX-License-Identifier: MIT */
/*
 * The measuring child of `upcall compare` is always waited for, and is ended early when it talks
 * nonsense or a signal comes. The child here is this program itself: what runs is /proc/self/exe.
 */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "cli/compare.h"

#define LONG_S	   60 /* what a child has to go that nobody ends */
#define SOON_S	   20 /* an end that was not waited out, on a slow machine */
#define CLEANUP_MS 300

static char dir[] = "/tmp/upcall-child-XXXXXX";

/* ---- the child ---- */

static volatile sig_atomic_t told;

static void on_term(int number)
{
	told = number;
}

static void touch(const char *path)
{
	close(open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600));
}

static void say(const char *line)
{
	puts(line);
	fflush(stdout);
}

/* Ends by SIGTERM only, and then takes its time for what it has to put back. */
static int measure_for_long(const char *cleaned)
{
	const struct timespec cleanup = {.tv_nsec = CLEANUP_MS * 1000000};
	time_t end = time(NULL) + LONG_S;

	while (!told && time(NULL) < end)
		usleep(1000);
	if (!told)
		return 1;
	nanosleep(&cleanup, NULL);
	touch(cleaned);
	return 3;
}

static int be_child(const char *what, const char *started, const char *cleaned)
{
	struct sigaction action = {.sa_handler = on_term};

	sigaction(SIGTERM, &action, NULL);
	say("{\"progress\": {\"text\": \"booting\", \"done_ms\": 0, \"total_ms\": 9}}");
	if (!strcmp(what, "nonsense"))
		say("{\"nonsense\": 1}");
	if (!strcmp(what, "error"))
		say("{\"error\": {\"status\": 21, \"text\": \"no such kernel\"}}");
	if (!strcmp(what, "die"))
		raise(SIGKILL);
	if (!strcmp(what, "status"))
		return 32;
	touch(started);
	return measure_for_long(cleaned);
}

/* ---- its parent ---- */

struct files {
	char started[64], cleaned[64], leftover[64];
};

static struct files files_of(const char *test)
{
	struct files f;

	snprintf(f.started, sizeof(f.started), "%s/%s-started", dir, test);
	snprintf(f.cleaned, sizeof(f.cleaned), "%s/%s-cleaned", dir, test);
	snprintf(f.leftover, sizeof(f.leftover), "%s/%s-leftover", dir, test);
	return f;
}

static int run_child(const char *what, struct files *f, int *status, struct uc_diag *diag)
{
	char *const argv[] = {"upcall", (char *)what, f->started, f->cleaned, NULL};
	struct uc_records *records = uc_records_new();
	int rc = uc_compare_run_child(argv, records, NULL, status, diag);

	uc_records_free(records);
	return rc;
}

static bool is_there(const char *path)
{
	return !access(path, F_OK);
}

static void test_a_child_that_is_not_understood_is_ended(void **state)
{
	struct files f = files_of("nonsense");
	struct uc_diag diag = {0};
	time_t start = time(NULL);
	int status = 0;

	(void)state;
	assert_int_equal(run_child("nonsense", &f, &status, &diag), -EINVAL);
	assert_non_null(strstr(diag.text, "any known kind"));
	assert_true(time(NULL) - start < SOON_S);
	assert_int_equal(waitpid(-1, NULL, WNOHANG), -1); /* none is left */
}

static void test_the_error_is_the_childs(void **state)
{
	struct files f = files_of("error");
	struct uc_diag diag = {0};
	int status = 0;

	(void)state;
	assert_int_equal(run_child("error", &f, &status, &diag), -EIO);
	assert_int_equal(diag.status, 21);
	assert_string_equal(diag.text, "no such kernel");
	assert_true(is_there(f.cleaned));
}

static void test_how_it_ended_is_told(void **state)
{
	struct files f = files_of("end");
	struct uc_diag diag = {0};
	int status = 0;

	(void)state;
	assert_int_equal(run_child("status", &f, &status, &diag), 1);
	assert_int_equal(status, 32);
	assert_int_equal(run_child("die", &f, &status, &diag), -ECHILD);
	assert_non_null(strstr(diag.text, "ended by signal 9"));
}

/* A process that measures as compare.c does; its child's end takes CLEANUP_MS. */
static pid_t start_parent(struct files *f)
{
	pid_t pid = fork();

	if (!pid) {
		struct uc_diag diag = {0};
		int status;

		touch(f->leftover);
		uc_compare_catch_signals(f->leftover);
		run_child("measure", f, &status, &diag);
		uc_compare_end_if_told();
		_exit(99);
	}
	return pid;
}

static void wait_for_file(const char *path)
{
	for (int i = 0; i < SOON_S * 1000 && !is_there(path); i++)
		usleep(1000);
	assert_true(is_there(path));
}

static void end_parent_by(int number)
{
	char name[16];
	struct files f;
	int how;
	pid_t pid;

	snprintf(name, sizeof(name), "signal-%d", number);
	f = files_of(name);
	pid = start_parent(&f);
	wait_for_file(f.started);
	kill(pid, number);
	assert_int_equal(waitpid(pid, &how, 0), pid);
	assert_true(is_there(f.cleaned)); /* before its parent's end */
	assert_true(WIFSIGNALED(how));
	assert_int_equal(WTERMSIG(how), number);
	assert_false(is_there(f.leftover));
}

static void test_a_signal_leaves_the_child_time(void **state)
{
	(void)state;
	end_parent_by(SIGINT);
	end_parent_by(SIGTERM);
	end_parent_by(SIGHUP);
}

/* Then nothing can be waited for: the child is told by the kernel. */
static void test_a_child_does_not_outlive_a_parent_that_is_killed(void **state)
{
	struct files f = files_of("killed");
	pid_t pid = start_parent(&f);
	int how;

	(void)state;
	wait_for_file(f.started);
	kill(pid, SIGKILL);
	assert_int_equal(waitpid(pid, &how, 0), pid);
	wait_for_file(f.cleaned);
}

static void test_a_signal_without_a_child_ends_at_once(void **state)
{
	struct files f = files_of("alone");
	pid_t pid = fork();
	int how;

	(void)state;
	if (!pid) {
		touch(f.leftover);
		uc_compare_catch_signals(f.leftover);
		touch(f.started);
		for (;;)
			pause();
	}
	wait_for_file(f.started);
	kill(pid, SIGTERM);
	assert_int_equal(waitpid(pid, &how, 0), pid);
	assert_true(WIFSIGNALED(how) && WTERMSIG(how) == SIGTERM);
	assert_false(is_there(f.leftover));
}

static void test_a_signal_that_was_ignored_stays_so(void **state)
{
	pid_t pid = fork();
	int how;

	(void)state;
	if (!pid) {
		signal(SIGHUP, SIG_IGN);
		uc_compare_catch_signals("");
		raise(SIGHUP);
		uc_compare_end_if_told();
		_exit(0);
	}
	assert_int_equal(waitpid(pid, &how, 0), pid);
	assert_int_equal(how, 0);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_a_child_that_is_not_understood_is_ended),
		cmocka_unit_test(test_the_error_is_the_childs),
		cmocka_unit_test(test_how_it_ended_is_told),
		cmocka_unit_test(test_a_signal_leaves_the_child_time),
		cmocka_unit_test(test_a_child_does_not_outlive_a_parent_that_is_killed),
		cmocka_unit_test(test_a_signal_without_a_child_ends_at_once),
		cmocka_unit_test(test_a_signal_that_was_ignored_stays_so),
	};
	char remove[64];
	int failed;

	if (argc == 4)
		return be_child(argv[1], argv[2], argv[3]);
	/* However this one was started, Ctrl-C is not what it tests. */
	signal(SIGINT, SIG_DFL);
	signal(SIGHUP, SIG_DFL);
	assert_non_null(mkdtemp(dir));
	failed = cmocka_run_group_tests(tests, NULL, NULL);
	snprintf(remove, sizeof(remove), "rm -r %s", dir);
	return system(remove) || failed;
}
