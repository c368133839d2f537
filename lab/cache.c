/* SPDX-License-Identifier: MIT */
/*
 * What the lab finds on the host: tools, the cache directory, the kernels in it. The kernels are
 * brought by the shell script fetch-kernels, which is carried in the binary and run from memory.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "lab/lab.h"

extern const char uc_lab_fetch_start[], uc_lab_fetch_end[];

int uc_lab_cache(char path[PATH_MAX], struct uc_diag *diag)
{
	const char *own = getenv("UPCALL_CACHE"), *xdg = getenv("XDG_CACHE_HOME");
	const char *home = getenv("HOME");
	int len;

	if (own && own[0])
		len = snprintf(path, PATH_MAX, "%s", own);
	else if (xdg && xdg[0])
		len = snprintf(path, PATH_MAX, "%s/upcall", xdg);
	else
		len = snprintf(path, PATH_MAX, "%s/.cache/upcall", home ? home : "/root");
	if (len >= PATH_MAX - NAME_MAX)
		return uc_fail(diag, UC_EXIT_USAGE, ENAMETOOLONG,
			       "the cache directory's path is too long; set UPCALL_CACHE");
	return 0;
}

int uc_lab_kernel_file(const char *version, const char *name, char path[PATH_MAX],
		       struct uc_diag *diag)
{
	char cache[PATH_MAX];
	int rc = uc_lab_cache(cache, diag);

	if (rc)
		return rc;
	if (snprintf(path, PATH_MAX, "%s/kernel-%s/%s", cache, version, name) >= PATH_MAX)
		return -ENAMETOOLONG;
	return access(path, R_OK) ? -ENOENT : 0;
}

static int is_program(const char *path)
{
	return access(path, X_OK) ? -ENOENT : 0;
}

int uc_lab_tool(const char *env, const char *name, char path[PATH_MAX])
{
	const char *own = getenv(env), *dir = getenv("PATH"), *end;

	if (own && own[0]) {
		snprintf(path, PATH_MAX, "%s", own);
		return is_program(path);
	}
	for (; dir && dir[0]; dir = end + (*end == ':')) {
		end = strchrnul(dir, ':');
		snprintf(path, PATH_MAX, "%.*s/%s", (int)(end - dir), dir, name);
		if (!is_program(path))
			return 0;
	}
	return -ENOENT;
}

/* The script as a file that needs no place on a disk. Not CLOEXEC: bash opens it by this number. */
static int script_fd(void)
{
	size_t len = (size_t)(uc_lab_fetch_end - uc_lab_fetch_start);
	int fd = memfd_create("fetch-kernels", 0);

	if (fd >= 0 && write(fd, uc_lab_fetch_start, len) != (ssize_t)len) {
		close(fd);
		return -1;
	}
	return fd;
}

static pid_t start_script(const char *version, int script, int out)
{
	char path[32];
	pid_t pid;

	snprintf(path, sizeof(path), "/proc/self/fd/%d", script);
	pid = fork();
	if (pid)
		return pid;
	prctl(PR_SET_PDEATHSIG, SIGTERM); /* it removes what it has so far */
	dup2(out, STDOUT_FILENO);
	execlp("bash", "bash", path, version, (char *)NULL);
	dprintf(STDOUT_FILENO, "cannot run bash: %s\n", strerror(errno));
	_exit(UC_EXIT_LAB_TOOL);
}

/* The script's one line of complaint, without its newline; empty when it had none. */
static void read_line(int fd, char *line, size_t size)
{
	size_t len = 0;
	ssize_t n;

	while (len < size - 1 && (n = read(fd, line + len, size - 1 - len)) > 0)
		len += (size_t)n;
	line[len] = '\0';
	line[strcspn(line, "\n")] = '\0';
}

static int run_script(const char *version, int script, struct uc_diag *diag)
{
	char line[400];
	int out[2], status = 0;
	pid_t pid;

	if (pipe2(out, O_CLOEXEC))
		return uc_fail(diag, UC_EXIT_INTERNAL, errno, "no pipe: %s", strerror(errno));
	pid = start_script(version, script, out[1]);
	close(out[1]);
	read_line(out[0], line, sizeof(line));
	close(out[0]);
	if (pid < 0 || waitpid(pid, &status, 0) < 0)
		return uc_fail(diag, UC_EXIT_INTERNAL, ECHILD, "no process: %s", strerror(errno));
	if (WIFEXITED(status) && !WEXITSTATUS(status))
		return 0;
	return uc_fail(diag,
		       WIFEXITED(status) && WEXITSTATUS(status) == UC_EXIT_LAB_TOOL
			       ? UC_EXIT_LAB_TOOL
			       : UC_EXIT_LAB_FETCH,
		       EIO, "%s", line[0] ? line : "the download was interrupted; run it again");
}

int uc_lab_fetch(const char *version, struct uc_diag *diag)
{
	char path[PATH_MAX];
	int script, rc = uc_lab_kernel_file(version, "release", path, diag);

	if (rc != -ENOENT)
		return rc;
	script = script_fd();
	if (script < 0)
		return uc_fail(diag, UC_EXIT_INTERNAL, errno, "no memory file: %s",
			       strerror(errno));
	rc = run_script(version, script, diag);
	close(script);
	return rc;
}
