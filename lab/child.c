/* SPDX-License-Identifier: MIT */
/*
 * Runs a program for the first line of its output: the download script, `qemu --version`. It ends
 * with this process (PR_SET_PDEATHSIG), by a signal that lets it remove what it has so far.
 * Called by fetch.c and qemu.c.
 */
#include "lab/child.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

static pid_t start(const char *const argv[], bool quiet, int out)
{
	pid_t pid = fork();
	int null;

	if (pid)
		return pid;
	prctl(PR_SET_PDEATHSIG, SIGTERM);
	null = open("/dev/null", O_RDWR | O_CLOEXEC);
	dup2(null, STDIN_FILENO);
	dup2(out, STDOUT_FILENO);
	if (quiet)
		dup2(null, STDERR_FILENO);
	execvp(argv[0], (char *const *)argv);
	_exit(127);
}

/* All of it is read, so that the child never waits for a reader. */
static void read_line(int fd, char *line, size_t size)
{
	char rest[512];
	size_t len = 0;
	ssize_t n;

	while (len < size - 1 && (n = read(fd, line + len, size - 1 - len)) > 0)
		len += (size_t)n;
	while (read(fd, rest, sizeof(rest)) > 0)
		;
	line[len] = '\0';
	line[strcspn(line, "\n")] = '\0';
}

int uc_lab_child(const char *const argv[], bool quiet, char *line, size_t size)
{
	int out[2], status;
	pid_t pid;

	if (pipe2(out, O_CLOEXEC))
		return -errno;
	pid = start(argv, quiet, out[1]);
	close(out[1]);
	if (pid > 0)
		read_line(out[0], line, size);
	close(out[0]);
	if (pid < 0 || waitpid(pid, &status, 0) < 0)
		return -ECHILD;
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}
