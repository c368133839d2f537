/* SPDX-License-Identifier: MIT */
/*
 * Chooses the QEMU that the lab runs on. No released one is known to emulate nested guests well on
 * more than one CPU: before 8.1 for a race in translation, since then for the fault that
 * qemu_fix.c repairs. So the best is a repaired copy, in the cache, of the one that Debian 12's
 * backports have; any other is good for one CPU. Called by session.c and cli/doctor.c.
 */
#include "lab/qemu.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lab/child.h"
#include "lab/lab.h"
#include "lab/qemu_fix.h"

#define PLAIN	 "qemu-system-x86_64"
#define REPAIRED "qemu-system-x86_64.repaired"

void uc_lab_qemu_version(const char *line, char version[24])
{
	version[0] = '\0';
	sscanf(line, "QEMU emulator version %23[0-9.]", version);
}

static void ask_version(struct uc_lab_qemu *qemu)
{
	const char *const argv[] = {qemu->path, "--version", NULL};
	char line[128] = "";

	if (uc_lab_child(argv, true, line, sizeof(line)))
		line[0] = '\0';
	uc_lab_qemu_version(line, qemu->version);
}

static bool read_release(const char *path, char version[24])
{
	FILE *file = fopen(path, "re");
	bool good = file && fscanf(file, "%23[0-9.]", version) == 1;

	if (file)
		fclose(file);
	return good;
}

static int find_repaired(struct uc_lab_qemu *qemu)
{
	struct uc_lab_qemu cached = {.one_cpu = false};
	struct uc_diag diag = {0};
	char release[PATH_MAX];

	if (uc_lab_cache_file(UC_LAB_QEMU, "release", release, &diag) ||
	    uc_lab_cache_file(UC_LAB_QEMU, REPAIRED, cached.path, &diag) ||
	    uc_lab_cache_file(UC_LAB_QEMU, "share", cached.share, &diag) ||
	    !read_release(release, cached.version))
		return -ENOENT;
	*qemu = cached;
	return 0;
}

int uc_lab_qemu_find(struct uc_lab_qemu *qemu)
{
	const char *own = getenv("UPCALL_QEMU");
	int missing;

	memset(qemu, 0, sizeof(*qemu));
	qemu->one_cpu = true;
	missing = uc_lab_tool("UPCALL_QEMU", PLAIN, qemu->path);
	if (!missing)
		ask_version(qemu);
	if (own && own[0])
		return missing;
	if (!find_repaired(qemu))
		return 0;
	qemu->wanting = true;
	return missing;
}

static int repair(struct uc_diag *why_not)
{
	char from[PATH_MAX], to[PATH_MAX];
	int rc = uc_lab_cache_file(UC_LAB_QEMU, PLAIN, from, why_not);

	if (rc)
		return uc_fail(why_not, UC_EXIT_LAB_TOOL, -rc, "%s is missing", from);
	if (!uc_lab_cache_file(UC_LAB_QEMU, REPAIRED, to, why_not))
		return 0;
	return uc_lab_qemu_fix(from, to, why_not);
}

int uc_lab_qemu_improve(struct uc_lab_qemu *qemu, struct uc_diag *why_not)
{
	int rc = 0;

	if (!qemu->wanting)
		return 0;
	rc = uc_lab_fetch(UC_LAB_QEMU, why_not);
	if (!rc)
		rc = repair(why_not);
	return rc ? rc : find_repaired(qemu);
}
