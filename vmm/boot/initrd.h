/* SPDX-License-Identifier: MIT */
/*
 * The initial RAM disk's way into guest RAM. Called by pvh.c.
 */
#ifndef UPCALL_VMM_BOOT_INITRD_H
#define UPCALL_VMM_BOOT_INITRD_H

#include <stdint.h>

#include "vmm/boot/image.h"
#include "vmm/diag.h"
#include "vmm/mem.h"

/*
 * Read the file at `path` to the highest page-aligned address of low RAM that is below the ACPI
 * tables, above the kernel. -errno with `diag` filled (UC_EXIT_INITRD), or 0 with its place.
 */
int uc_initrd_load(const char *path, const struct uc_mem *mem, const struct uc_kernel *k,
		   uint64_t *gpa, uint64_t *len, struct uc_diag *diag);

#endif
