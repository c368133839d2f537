/* SPDX-License-Identifier: MIT */
/*
 * A measurement that is told to stop does so at once, says "interrupted", and ends its guests. The
 * guests here are this program itself (what is started is /proc/self/exe): they print what a guest
 * would, and note their end.
 */
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "compare/measure/echo.h"
#include "compare/measure/host.h"
#include "compare/measure/measure.h"

#define WAIT_S 20

static char dir[] = "/tmp/upcall-stop-XXXXXX";

static void path_of(char path[128], const char *name, const char *what)
{
	const char *where = getenv("UC_TEST_DIR");

	snprintf(path, 128, "%s/%s-%s", where ? where : dir, name, what);
}

static void touch(const char *name, const char *what)
{
	char path[128];

	path_of(path, name, what);
	close(open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600));
}

static bool is_there(const char *name, const char *what)
{
	char path[128];

	path_of(path, name, what);
	return !access(path, F_OK);
}

static void wait_for_file(const char *name, const char *what)
{
	for (int i = 0; i < WAIT_S * 1000 && !is_there(name, what); i++)
		usleep(1000);
	if (!is_there(name, what))
		fail_msg("%s has not %s", name, what);
}

/* ---- the guests ---- */

/*
 * The signals wait until they are asked for, as with `upcall run`: ThreadSanitizer may lose one
 * that a handler was to get. The last guest never gets ready: the measurement stays where it is.
 */
static int be_guest(char **argv)
{
	const struct timespec second = {.tv_sec = 1};
	const char *name = NULL;
	int got = -1;
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGINT);
	sigprocmask(SIG_BLOCK, &set, NULL);
	for (int i = 0; argv[i]; i++)
		if (!strcmp(argv[i], "--name"))
			name = argv[i + 1];
	if (!strstr(name, "competitor2"))
		puts("compare: ready");
	fflush(stdout);
	touch(name, "started");
	for (int i = 0; i < 3 * WAIT_S && got < 0; i++)
		got = sigtimedwait(&set, NULL, &second); /* ends at SIGCONT, too */
	if (got > 0)
		touch(name, "ended");
	return 0;
}

/* ---- a whole measurement ---- */

/* A process group of its own, as a command of a shell's. Its status: 0 when it was interrupted. */
static pid_t start_measurement(const char *records)
{
	static const struct uc_compare_config config = {
		.kernel = "/dev/null",
		.initrd = "/dev/null",
		.where = "native",
		.version = "0",
		.vcpus = 1,
		.host_cpus = 1,
		.competitors = 2,
		.seconds = 60,
		.window_ms = 1000,
		.rate_hz = 1,
		.memory_bytes = 128 << 20,
		.policies = {"pinned"},
		.probes = {[UC_PROBE_TASK] = true},
	};
	pid_t pid = fork();

	if (!pid) {
		struct uc_diag diag = {0};
		FILE *out = fopen(records, "we");
		int rc;

		setpgid(0, 0);
		rc = uc_compare_measure(&config, out, &diag);
		fclose(out);
		/* No guest is left, or it would be reaped here. */
		_exit(rc != -EINTR || waitpid(-1, NULL, WNOHANG) != -1);
	}
	setpgid(pid, pid);
	return pid;
}

static void assert_says(const char *records, const char *words)
{
	char line[1024], last[1024] = "";
	FILE *file = fopen(records, "re");

	assert_non_null(file);
	while (fgets(line, sizeof(line), file))
		strcpy(last, line);
	fclose(file);
	if (!strstr(last, words))
		fail_msg("the last record: %s", last);
}

static bool can_have_a_network(void)
{
	pid_t pid = fork();
	int how;

	if (!pid)
		_exit(unshare(CLONE_NEWNET) != 0);
	waitpid(pid, &how, 0);
	return how == 0;
}

static void stop_measurement_by(int number, bool whole_group)
{
	static const char *const roles[] = {"target0", "competitor1", "competitor2"};
	char records[128], name[64];
	pid_t pid;
	int how;

	if (!can_have_a_network())
		skip();
	path_of(records, "records", strsignal(number));
	pid = start_measurement(records);
	snprintf(name, sizeof(name), "compare-%d-competitor2", (int)pid);
	wait_for_file(name, "started");
	kill(whole_group ? -pid : pid, number);
	assert_int_equal(waitpid(pid, &how, 0), pid);
	assert_int_equal(how, 0);
	assert_says(records, "{\"error\":{\"status\":20,\"text\":\"interrupted\"}}");
	for (int i = 0; i < 3; i++) {
		snprintf(name, sizeof(name), "compare-%d-%s", (int)pid, roles[i]);
		assert_true(is_there(name, "ended"));
	}
}

static void test_sigterm_ends_the_guests_and_is_told(void **state)
{
	(void)state;
	stop_measurement_by(SIGTERM, false);
}

/* Then the guests end by themselves, which must not be what is told. */
static void test_ctrl_c_reaches_all_and_is_told(void **state)
{
	(void)state;
	stop_measurement_by(SIGINT, true);
}

/* ---- a window ---- */

static uint64_t now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
}

/* In a process of its own; nobody answers. Its status: 0 when it stopped within limit_ms. */
static pid_t start_window(unsigned int rate_hz, uint64_t duration_ms, uint64_t limit_ms)
{
	const char *addresses[UC_ECHO_SOURCES];
	pid_t pid = fork();

	if (!pid) {
		struct uc_compare_config config = {
			.rate_hz = rate_hz, .seed = 1, .probes = {[UC_PROBE_TASK] = true}};
		struct uc_diag diag = {0};
		struct uc_echo echo;
		uint64_t start = now_ms();
		int rc;

		for (int i = 0; i < UC_ECHO_SOURCES; i++)
			addresses[i] = "127.0.0.1";
		uc_host_catch_signals();
		if (uc_echo_open(&echo, &config, "127.0.0.1", addresses, &diag))
			_exit(2);
		rc = uc_echo_window(&echo, 0, duration_ms * 1000000);
		_exit(rc != -EINTR || now_ms() - start > limit_ms);
	}
	return pid;
}

static void stop_window(pid_t pid)
{
	int how;

	usleep(500000);
	kill(pid, SIGTERM);
	assert_int_equal(waitpid(pid, &how, 0), pid);
	assert_int_equal(how, 0);
}

static void test_a_window_that_sends_stops(void **state)
{
	(void)state;
	stop_window(start_window(100, 60000, 10000));
}

static void test_a_window_that_waits_for_the_lost_stops(void **state)
{
	(void)state;
	stop_window(start_window(1000, 50, UC_ECHO_LOST_S * 1000 - 1000));
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_sigterm_ends_the_guests_and_is_told),
		cmocka_unit_test(test_ctrl_c_reaches_all_and_is_told),
		cmocka_unit_test(test_a_window_that_sends_stops),
		cmocka_unit_test(test_a_window_that_waits_for_the_lost_stops),
	};
	char remove[64];
	int failed;

	if (argc > 1 && !strcmp(argv[1], "run"))
		_exit(be_guest(argv)); /* not exit(): LeakSanitizer hangs when a SIGCONT comes */
	/* However this one was started, Ctrl-C is what it tests. */
	signal(SIGINT, SIG_DFL);
	assert_non_null(mkdtemp(dir));
	setenv("UC_TEST_DIR", dir, 1);
	failed = cmocka_run_group_tests(tests, NULL, NULL);
	snprintf(remove, sizeof(remove), "rm -r %s", dir);
	return system(remove) || failed;
}
