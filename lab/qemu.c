/* SPDX-License-Identifier: MIT */
/*
 * Chooses the QEMU that the lab runs on. Before 8.1, multi-threaded TCG did not lock the pages of
 * a block while translating it ("accel/tcg: Always lock pages before translation"): code that
 * another CPU patches meanwhile is entered stale, and kernels, the lab's and the guests', die of
 * that. Debian 12 has 7.2, its backports a newer one, which is fetched into the cache instead of
 * being installed. Called by session.c and cli/doctor.c.
 */
#include "lab/qemu.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lab/child.h"
#include "lab/lab.h"

#define FIXED_MAJOR 8
#define FIXED_MINOR 1

void uc_lab_qemu_version(const char *line, char version[24])
{
	version[0] = '\0';
	sscanf(line, "QEMU emulator version %23[0-9.]", version);
}

bool uc_lab_qemu_one_cpu(const char *version)
{
	unsigned int major, minor;

	if (sscanf(version, "%u.%u", &major, &minor) != 2)
		return false;
	return major < FIXED_MAJOR || (major == FIXED_MAJOR && minor < FIXED_MINOR);
}

static void ask_version(struct uc_lab_qemu *qemu)
{
	const char *const argv[] = {qemu->path, "--version", NULL};
	char line[128] = "";

	if (uc_lab_child(argv, true, line, sizeof(line)))
		line[0] = '\0';
	uc_lab_qemu_version(line, qemu->version);
	qemu->one_cpu = uc_lab_qemu_one_cpu(qemu->version);
}

static bool read_release(const char *path, char version[24])
{
	FILE *file = fopen(path, "re");
	bool good = file && fscanf(file, "%23[0-9.]", version) == 1;

	if (file)
		fclose(file);
	return good;
}

static int find_cached(struct uc_lab_qemu *qemu)
{
	struct uc_lab_qemu cached = {.one_cpu = false};
	struct uc_diag diag = {0};
	char release[PATH_MAX];

	if (uc_lab_cache_file(UC_LAB_QEMU, "release", release, &diag) ||
	    uc_lab_cache_file(UC_LAB_QEMU, "qemu-system-x86_64", cached.path, &diag) ||
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
	missing = uc_lab_tool("UPCALL_QEMU", "qemu-system-x86_64", qemu->path);
	if (!missing)
		ask_version(qemu);
	if ((own && own[0]) || (!missing && !qemu->one_cpu))
		return missing;
	if (!find_cached(qemu))
		return 0;
	qemu->wanting = qemu->one_cpu;
	return missing;
}

int uc_lab_qemu_improve(struct uc_lab_qemu *qemu, struct uc_diag *why_not)
{
	int rc = qemu->wanting ? uc_lab_fetch(UC_LAB_QEMU, why_not) : 0;

	if (qemu->wanting && !rc)
		rc = find_cached(qemu);
	return rc;
}
