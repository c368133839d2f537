/* SPDX-License-Identifier: MIT */
/*
 * What the lab finds on the host: tools in PATH, the cache directory and what is in it. Called by
 * all of lab/ and by cli/doctor.c.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lab/lab.h"

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

int uc_lab_cache_file(const char *what, const char *name, char path[PATH_MAX], struct uc_diag *diag)
{
	const char *kind = strcmp(what, UC_LAB_QEMU) ? "kernel-" : "";
	char cache[PATH_MAX];
	int rc = uc_lab_cache(cache, diag);

	if (rc)
		return rc;
	if (snprintf(path, PATH_MAX, "%s/%s%s/%s", cache, kind, what, name) >= PATH_MAX)
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
