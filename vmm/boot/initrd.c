/* SPDX-License-Identifier: MIT */
/*
 * Initrd loading: below 4 GiB, because the PVH entry of Linux keeps its address in 32 bits; as
 * high as it goes, because the kernel's early allocations grow from where its image ends.
 */
#include "vmm/boot/initrd.h"

#include <errno.h>
#include <stdbool.h>

#include "vmm/boot/file.h"
#include "vmm/boot/layout.h"

static uint64_t mib_up(uint64_t bytes)
{
	return (bytes >> 20) + !!(bytes & 0xfffff);
}

/* The highest free place for `len` bytes, or false. */
static bool find_place(const struct uc_mem *mem, const struct uc_kernel *k, uint64_t len,
		       uint64_t *gpa)
{
	uint64_t end = uc_layout_acpi(mem);

	if (len > end)
		return false;
	*gpa = (end - len) & ~(uint64_t)(UC_PAGE_SIZE - 1);
	return *gpa >= k->high;
}

static int load_open_file(const struct uc_file *f, const struct uc_mem *mem,
			  const struct uc_kernel *k, uint64_t *gpa, struct uc_diag *diag)
{
	/* k->high ends below the tables: no wrap */
	bool larger_helps = f->size + UC_PAGE_SIZE <= UC_MEM_HOLE_START - UC_ACPI_BYTES - k->high;

	if (!find_place(mem, k, f->size, gpa))
		return uc_fail(
			diag, UC_EXIT_INITRD, ENOMEM,
			"initrd %s of %llu MiB does not fit in %llu MiB of memory beside the "
			"kernel, which ends at %llu MiB: give a %s",
			f->path, (unsigned long long)mib_up(f->size),
			(unsigned long long)((mem->low_bytes + mem->high_bytes) >> 20),
			(unsigned long long)mib_up(k->high),
			larger_helps ? "larger --memory" : "smaller initrd");
	return uc_file_read(f, uc_mem_at(mem, *gpa, f->size), diag);
}

int uc_initrd_load(const char *path, const struct uc_mem *mem, const struct uc_kernel *k,
		   uint64_t *gpa, uint64_t *len, struct uc_diag *diag)
{
	struct uc_file f = {.what = "initrd", .path = path, .status = UC_EXIT_INITRD};
	int err = uc_file_open(&f, diag);

	if (err)
		return err;
	err = load_open_file(&f, mem, k, gpa, diag);
	uc_file_close(&f);
	*len = f.size;
	return err;
}
