/* SPDX-License-Identifier: MIT */
/*
 * Files travel over the control port, in pieces, straight into files of the lab: no copy on the
 * host's disk, no limit but the lab's memory, and pipes work too. In the lab each has the path
 * that the command line says, from the same current directory, so no argument is rewritten and
 * the command's messages name what the user named.
 */
#include "lab/job.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lab/wire.h"

static int open_file(const char *path, int *fd, struct uc_diag *diag)
{
	struct stat st;

	*fd = -1;
	if (stat(path, &st))
		return uc_fail(diag, UC_EXIT_USAGE, errno, "%s: %s", path, strerror(errno));
	if (S_ISCHR(st.st_mode))
		return 0;
	if (!S_ISREG(st.st_mode) && !S_ISFIFO(st.st_mode))
		return uc_fail(diag, UC_EXIT_USAGE, EINVAL,
			       "%s: the lab carries regular files and pipes, not this", path);
	*fd = open(path, O_RDONLY | O_CLOEXEC);
	if (*fd < 0)
		return uc_fail(diag, UC_EXIT_USAGE, errno, "%s: %s", path, strerror(errno));
	return 0;
}

int uc_lab_files_open(struct uc_lab_files *files, const struct uc_lab_job *job,
		      struct uc_diag *diag)
{
	int rc = 0;

	files->job = job;
	if (job->nr_files > UC_LAB_FILES_MAX)
		return uc_fail(diag, UC_EXIT_USAGE, E2BIG, "the lab carries at most %d files",
			       UC_LAB_FILES_MAX);
	for (size_t i = 0; i < job->nr_files && !rc; i++)
		rc = open_file(job->files[i], &files->fd[i], diag);
	return rc;
}

static int send_bytes(int ctl, uint32_t type, const void *data, size_t len, uint64_t arg)
{
	struct uc_lab_msg msg = {.type = type, .len = (uint32_t)len, .arg = {arg}};

	return uc_wire_send(ctl, &msg, data);
}

static int send_string(int ctl, uint32_t type, const char *text, uint64_t arg)
{
	size_t len = strlen(text) + 1;

	return len > UC_LAB_PAYLOAD_MAX ? -E2BIG : send_bytes(ctl, type, text, len, arg);
}

static int send_file(int ctl, const char *path, int fd)
{
	static char chunk[UC_LAB_PAYLOAD_MAX];
	struct stat st;
	ssize_t n = 0;
	int rc;

	if (fd < 0 || fstat(fd, &st))
		return 0;
	rc = send_string(ctl, UC_LAB_MSG_FILE, path, (st.st_mode & 0777) | 0400);
	while (!rc && (n = read(fd, chunk, sizeof(chunk))) > 0)
		rc = send_bytes(ctl, UC_LAB_MSG_CHUNK, chunk, (size_t)n, 0);
	if (n < 0)
		rc = -errno;
	close(fd);
	return rc;
}

/* What the terminal is, and what is meant for upcall; nothing else of the host's environment. */
static int send_environment(int ctl)
{
	int rc = send_string(ctl, UC_LAB_MSG_ENV, "PATH=/usr/bin:/bin:/usr/sbin:/sbin", 0);

	if (!rc)
		rc = send_string(ctl, UC_LAB_MSG_ENV, "HOME=/root", 0);
	for (char **env = environ; *env && !rc; env++)
		if (!strncmp(*env, "TERM=", 5) || !strncmp(*env, "UPCALL_", 7))
			rc = send_string(ctl, UC_LAB_MSG_ENV, *env, 0);
	return rc;
}

static int send_start(int ctl, const struct winsize *tty)
{
	struct uc_lab_msg msg = {.type = UC_LAB_MSG_START, .arg = {tty != NULL}};

	if (tty) {
		msg.arg[1] = tty->ws_row;
		msg.arg[2] = tty->ws_col;
	}
	return uc_wire_send(ctl, &msg, NULL);
}

int uc_lab_job_send(int ctl, const struct uc_lab_files *files, const struct winsize *tty)
{
	const struct uc_lab_job *job = files->job;
	char *cwd = getcwd(NULL, 0);
	int rc = send_string(ctl, UC_LAB_MSG_CWD, cwd ? cwd : "/", 0);

	free(cwd);
	if (!rc)
		rc = send_environment(ctl);
	for (char *const *word = job->argv; *word && !rc; word++)
		rc = send_string(ctl, UC_LAB_MSG_ARG, *word, 0);
	for (size_t i = 0; i < job->nr_files && !rc; i++)
		rc = send_file(ctl, job->files[i], files->fd[i]);
	return rc ? rc : send_start(ctl, tty);
}
