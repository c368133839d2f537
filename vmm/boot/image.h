/* SPDX-License-Identifier: MIT */
/*
 * A kernel file (bzImage or ELF64 vmlinux) into guest RAM. Called by the `run` command's set-up,
 * and again when a guest restarts in place.
 */
#ifndef UPCALL_VMM_BOOT_IMAGE_H
#define UPCALL_VMM_BOOT_IMAGE_H

#include <stddef.h>
#include <stdint.h>

#include "vmm/diag.h"
#include "vmm/mem.h"

/* Bound for a kernel file and for what its payload may decompress to. */
#define UC_KERNEL_MAX (1ull << 30)

struct uc_kernel {
	uint32_t entry;	    /* guest-physical PVH entry (Xen note PHYS32_ENTRY) */
	uint64_t low, high; /* guest-physical range that the segments span, bss included */
	const char *format; /* "ELF", or the bzImage payload's compression; a static string */
};

/*
 * Load the kernel that `path` names. Returns 0, or -errno with `diag` filled: UC_EXIT_MEMORY when
 * a larger guest could load it, UC_EXIT_KERNEL for everything else.
 */
int uc_kernel_load(const char *path, const struct uc_mem *mem, struct uc_kernel *k,
		   struct uc_diag *diag);

/* The same from host memory; `name` is for messages. */
int uc_kernel_load_bytes(const char *name, const uint8_t *data, size_t len,
			 const struct uc_mem *mem, struct uc_kernel *k, struct uc_diag *diag);

#endif
