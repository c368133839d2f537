/* SPDX-License-Identifier: MIT */
/*
 * Guest RAM: one anonymous mapping, laid out in guest-physical space as PC firmware would,
 * with the 32-bit hole left out:
 *
 *     [0, low_bytes)                          RAM, low_bytes <= UC_MEM_HOLE_START
 *     [UC_MEM_HOLE_START, 4 GiB)              hole: special pages, LAPIC, MMIO
 *     [4 GiB, 4 GiB + high_bytes)             RAM
 *
 * Everything that turns a guest-physical address into a pointer goes through uc_mem_at(), which
 * refuses a range that is not wholly RAM.
 */
#ifndef UPCALL_VMM_MEM_H
#define UPCALL_VMM_MEM_H

#include <stdint.h>

#include "vmm/diag.h"

#define UC_PAGE_SIZE	  4096u
#define UC_MEM_HOLE_START 0xe0000000ull
#define UC_MEM_4G	  0x100000000ull
#define UC_MEM_MIN	  (64ull << 20)
#define UC_MEM_MAX	  (1ull << 40)

struct uc_mem {
	uint8_t *base; /* host mapping, low_bytes + high_bytes long; high RAM follows low RAM */
	uint64_t low_bytes;
	uint64_t high_bytes;
};

/* Map `bytes` (a multiple of 4 KiB) of zeroed RAM. */
int uc_mem_init(struct uc_mem *mem, uint64_t bytes, struct uc_diag *diag);
void uc_mem_destroy(struct uc_mem *mem);

/* Host address of guest-physical [gpa, gpa + len), or NULL when any byte of it is not RAM. */
void *uc_mem_at(const struct uc_mem *mem, uint64_t gpa, uint64_t len);

#endif
