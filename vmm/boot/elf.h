/* SPDX-License-Identifier: MIT */
/*
 * An ELF64 x86-64 kernel in host memory: what it is, where its PVH entry is, and its way into
 * guest RAM. Every number in it is untrusted. Called by image.c.
 */
#ifndef UPCALL_VMM_BOOT_ELF_H
#define UPCALL_VMM_BOOT_ELF_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "vmm/boot/image.h"
#include "vmm/diag.h"
#include "vmm/mem.h"

/* An executable ELF64 little-endian x86-64 file, as far as its first bytes tell. */
bool uc_elf_is_kernel(const uint8_t *data, size_t len);

/*
 * Check the file, find its PHYS32_ENTRY note, copy its PT_LOAD segments into `mem` and zero their
 * bss. Fills entry, low and high of `k`. `name` is for messages. Guest RAM is changed only when
 * the whole file has passed its checks.
 */
int uc_elf_load(const char *name, const uint8_t *data, size_t len, const struct uc_mem *mem,
		struct uc_kernel *k, struct uc_diag *diag);

#endif
