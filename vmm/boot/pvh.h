/* SPDX-License-Identifier: MIT */
/*
 * What a PVH boot passes to the kernel: start_info, initrd, command line, memory map, ACPI. Called
 * by the `run` command's set-up after uc_kernel_load(), and again, after it, when a guest restarts
 * in place.
 *
 * The BSP then starts at `entry_eip` with EBX = `start_info_gpa`, in flat 32-bit protected mode
 * without paging and with interrupts off (Xen's docs/misc/pvh.pandoc).
 */
#ifndef UPCALL_VMM_BOOT_PVH_H
#define UPCALL_VMM_BOOT_PVH_H

#include <stdint.h>

#include "vmm/boot/image.h"
#include "vmm/diag.h"
#include "vmm/mem.h"

struct uc_boot {
	/* in */
	const char *initrd;  /* a path, or NULL */
	const char *cmdline; /* or NULL */
	unsigned int cpus;   /* 1 to UC_MAX_CPUS */
	/* out */
	uint32_t entry_eip;
	uint32_t start_info_gpa;
	uint64_t initrd_gpa, initrd_len; /* 0, 0 without an initrd */
	uint64_t rsdp_gpa;
};

/*
 * Place everything in guest RAM and fill the out members. -errno with `diag` filled, or 0:
 * UC_EXIT_INITRD for the initrd, UC_EXIT_USAGE for a command line or a number of CPUs that is
 * out of range.
 */
int uc_boot_setup(const struct uc_mem *mem, const struct uc_kernel *k, struct uc_boot *b,
		  struct uc_diag *diag);

#endif
