/* SPDX-License-Identifier: MIT */
/*
 * Fills the cache, by the shell script lab/fetch, which is carried in the binary and run from
 * memory. What the script says on stdout is its one line of complaint.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "lab/child.h"
#include "lab/lab.h"

extern const char uc_lab_fetch_start[], uc_lab_fetch_end[];

/* The script as a file that needs no place on a disk. Not CLOEXEC: bash opens it by this number. */
static int script_fd(void)
{
	size_t len = (size_t)(uc_lab_fetch_end - uc_lab_fetch_start);
	int fd = memfd_create("fetch", 0);

	if (fd >= 0 && write(fd, uc_lab_fetch_start, len) != (ssize_t)len) {
		close(fd);
		return -1;
	}
	return fd;
}

static int run_script(const char *what, int script, struct uc_diag *diag)
{
	char path[32], line[400];
	const char *const argv[] = {"bash", path, what, NULL};
	int status;

	snprintf(path, sizeof(path), "/proc/self/fd/%d", script);
	status = uc_lab_child(argv, false, line, sizeof(line));
	if (!status)
		return 0;
	if (status < 0)
		return uc_fail(diag, UC_EXIT_INTERNAL, -status, "no process: %s",
			       strerror(-status));
	if (status == 127)
		return uc_fail(diag, UC_EXIT_LAB_TOOL, ENOENT, "cannot run bash; is it in PATH?");
	return uc_fail(diag, status == UC_EXIT_LAB_TOOL ? UC_EXIT_LAB_TOOL : UC_EXIT_LAB_FETCH, EIO,
		       "%s", line[0] ? line : "the download was interrupted; run it again");
}

int uc_lab_fetch(const char *what, struct uc_diag *diag)
{
	char path[PATH_MAX];
	int script, rc = uc_lab_cache_file(what, "release", path, diag);

	if (rc != -ENOENT)
		return rc;
	script = script_fd();
	if (script < 0)
		return uc_fail(diag, UC_EXIT_INTERNAL, errno, "no memory file: %s",
			       strerror(errno));
	rc = run_script(what, script, diag);
	close(script);
	return rc;
}
