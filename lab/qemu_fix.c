/* SPDX-License-Identifier: MIT */
/*
 * Repairs QEMU's VMRUN. When it injects an interrupt into a nested guest, helper_vmrun() delivers
 * it at once and yet leaves its vector in the CPU's `exception_index`, where "an exception waits"
 * is noted. If the CPU is then asked to leave its loop for any reason but an interrupt of its own
 * (a kick: another CPU stops the world, or round robin moves on), the loop finds the note and
 * delivers the vector again, also where interrupts are off: in the first instructions of the
 * handler, say. The guest dies of a doubled SWAPGS, or an interrupt is lost. With one emulated
 * CPU there are no such kicks.
 *
 * The note is one store of a register; here it becomes a no-op of the same length. What surrounds
 * it is compared byte by byte but for offsets, and must be there exactly once, so another build of
 * QEMU is left as it is (and the lab then has one CPU). docs/lab.md, "The fix of QEMU", has the
 * evidence. Called by qemu.c.
 */
#include "lab/qemu_fix.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define ANY (-1) /* a byte of an offset */

/* From the store of error_code to the call of do_interrupt_x86_hardirq(), in 10.0 of Debian 12. */
static const int16_t pattern[] = {
	/* clang-format off */
	0x44, 0x89, 0xab, ANY, ANY, ANY, ANY,
	0x89, 0xb3, ANY, ANY, ANY, ANY,				/* exception_index = vector */
	0xc7, 0x83, ANY, ANY, ANY, ANY, 0, 0, 0, 0,		/* exception_is_int = 0 */
	0x48, 0xc7, 0x83, ANY, ANY, ANY, ANY, 0xff, 0xff, 0xff, 0xff, /* exception_next_eip = -1 */
	0xf6, 0x05, ANY, ANY, ANY, ANY, 0x02, 0x0f, 0x85, ANY, ANY, ANY, ANY, /* logging? */
	0xba, 1, 0, 0, 0, 0x48, 0x89, 0xdf, 0xe8,		/* is_hw = 1, env, call */
	/* clang-format on */
};

#define PATTERN_BYTES (sizeof(pattern) / sizeof(pattern[0]))
#define STORE_AT      7

static const uint8_t no_op[] = {0x66, 0x0f, 0x1f, 0x44, 0x00, 0x00};

static bool matches(const uint8_t *code)
{
	for (size_t i = 0; i < PATTERN_BYTES; i++)
		if (pattern[i] != ANY && pattern[i] != code[i])
			return false;
	return true;
}

int uc_lab_qemu_fix_code(uint8_t *code, size_t bytes)
{
	uint8_t *found = NULL;

	for (size_t at = 0; at + PATTERN_BYTES <= bytes; at++) {
		if (!matches(code + at))
			continue;
		if (found)
			return -EEXIST;
		found = code + at;
	}
	if (!found)
		return -ENOENT;
	memcpy(found + STORE_AT, no_op, sizeof(no_op));
	return 0;
}

static uint8_t *read_all(const char *path, size_t *bytes)
{
	FILE *file = fopen(path, "re");
	uint8_t *data = NULL;
	struct stat st;

	if (file && !fstat(fileno(file), &st)) {
		*bytes = (size_t)st.st_size;
		data = malloc(*bytes);
		if (data && fread(data, 1, *bytes, file) != *bytes) {
			free(data);
			data = NULL;
		}
	}
	if (file)
		fclose(file);
	return data;
}

static int write_all(const char *path, const uint8_t *data, size_t bytes)
{
	char temporary[PATH_MAX];
	FILE *file;
	int rc = 0;

	snprintf(temporary, sizeof(temporary), "%.4000s.%d", path, (int)getpid());
	file = fopen(temporary, "we");
	if (!file)
		return -errno;
	if (fwrite(data, 1, bytes, file) != bytes || fchmod(fileno(file), 0755))
		rc = -errno;
	if (fclose(file) && !rc)
		rc = -errno;
	if (!rc && rename(temporary, path))
		rc = -errno;
	if (rc)
		unlink(temporary);
	return rc;
}

int uc_lab_qemu_fix(const char *from, const char *to, struct uc_diag *diag)
{
	size_t bytes = 0;
	uint8_t *code = read_all(from, &bytes);
	int rc;

	if (!code)
		return uc_fail(diag, UC_EXIT_LAB_TOOL, EIO, "cannot read %s", from);
	rc = uc_lab_qemu_fix_code(code, bytes);
	if (rc)
		uc_fail(diag, UC_EXIT_LAB_TOOL, -rc, "%s is not the build that the lab can repair",
			from);
	else
		rc = write_all(to, code, bytes);
	free(code);
	return rc ? uc_fail(diag, UC_EXIT_LAB_TOOL, -rc, "cannot write %s: %s", to, strerror(-rc))
		  : 0;
}
