/* SPDX-License-Identifier: MIT */
/*
 * The measuring child of `upcall compare`: started, read while it measures, ended early when it is
 * not understood or when a signal says so, and always waited for: it puts back what it changed of
 * the host. Called by compare.c.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "cli/compare.h"

/* ---- signals ---- */

static const int signals[] = {SIGINT, SIGTERM, SIGHUP};
static volatile sig_atomic_t child, told; /* a pid that is ours, a signal; or 0 */
static const char *leftover = "";

static void end_by(int number)
{
	if (leftover[0])
		unlink(leftover);
	signal(number, SIG_DFL);
	raise(number);
}

/* While there is a child its end is waited for, as usual: its output ends with it. */
static void on_signal(int number)
{
	if (!child) {
		end_by(number);
		return;
	}
	told = number;
	kill(child, SIGTERM);
}

void uc_compare_catch_signals(const char *file)
{
	const struct sigaction action = {.sa_handler = on_signal, .sa_flags = SA_RESTART};
	struct sigaction old;

	leftover = file;
	for (size_t i = 0; i < sizeof(signals) / sizeof(signals[0]); i++)
		/* One that was ignored from the start (nohup) stays ignored. */
		if (!sigaction(signals[i], NULL, &old) && old.sa_handler != SIG_IGN)
			sigaction(signals[i], &action, NULL);
}

void uc_compare_end_if_told(void)
{
	if (told)
		end_by(told);
}

/* ---- the process ---- */

static void __attribute__((noreturn)) exec_child(char *const *argv, int out, pid_t parent)
{
	prctl(PR_SET_PDEATHSIG, SIGTERM);
	if (getppid() != parent) /* it ended before that was set */
		_exit(127);
	dup2(open("/dev/null", O_RDONLY | O_CLOEXEC), STDIN_FILENO);
	dup2(out, STDOUT_FILENO);
	execv("/proc/self/exe", argv);
	_exit(127);
}

/* The child's standard output. */
static FILE *start_child(char *const *argv)
{
	pid_t parent = getpid(), pid;
	FILE *from = NULL;
	int pair[2];

	if (pipe2(pair, O_CLOEXEC))
		return NULL;
	from = fdopen(pair[0], "r");
	pid = from ? fork() : -1;
	if (!pid)
		exec_child(argv, pair[1], parent);
	if (pid > 0)
		child = pid;
	close(pair[1]);
	if (pid > 0 || !from)
		return from;
	fclose(from);
	return NULL;
}

static int wait_for_child(int *status, struct uc_diag *diag)
{
	pid_t pid = child;
	siginfo_t info;
	int how;

	/* Until it is reaped its pid is no other's, for on_signal(). */
	waitid(P_PID, (id_t)pid, &info, WEXITED | WNOWAIT);
	child = 0;
	waitpid(pid, &how, 0);
	if (WIFEXITED(how)) {
		*status = WEXITSTATUS(how);
		return *status != 0;
	}
	return uc_fail(diag, UC_EXIT_INTERNAL, ECHILD, "the measurement was ended by signal %d",
		       WTERMSIG(how));
}

/* ---- what it says ---- */

static void show_progress(const struct uc_records *r)
{
	static const char bar[] = "##############################";
	struct uc_run_progress progress;
	uint64_t parts;

	if (!isatty(STDERR_FILENO) || !uc_records_progress(r, &progress))
		return;
	parts = progress.total_ms ? progress.done_ms * (sizeof(bar) - 1) / progress.total_ms : 0;
	if (parts > sizeof(bar) - 1)
		parts = sizeof(bar) - 1;
	fprintf(stderr, "\r\033[K[%-*.*s] %s", (int)sizeof(bar) - 1, (int)parts, bar,
		progress.text);
}

static void end_progress(void)
{
	if (isatty(STDERR_FILENO))
		fputs("\r\033[K", stderr);
}

static int read_records(struct uc_records *r, FILE *from, FILE *keep, struct uc_diag *diag)
{
	char *line = NULL;
	size_t room = 0;
	int rc = 0;

	while (!rc && getline(&line, &room, from) >= 0) {
		if (keep)
			fputs(line, keep);
		rc = uc_records_add(r, line, diag);
		show_progress(r);
	}
	end_progress();
	free(line);
	return rc;
}

int uc_compare_run_child(char *const *argv, struct uc_records *records, FILE *keep, int *status,
			 struct uc_diag *diag)
{
	FILE *from = start_child(argv);
	int rc, ended;

	if (!from)
		return uc_fail(diag, UC_EXIT_INTERNAL, errno, "cannot start the measurement: %s",
			       strerror(errno));
	rc = read_records(records, from, keep, diag);
	if (rc) /* nothing more of it is of use, and it may have hours to go */
		kill(child, SIGTERM);
	fclose(from);
	ended = wait_for_child(status, diag);
	return rc ? rc : ended;
}
