/* SPDX-License-Identifier: MIT */
/*
 * The guest-physical address map, in one place. Together with vmm/mem.h (where RAM is):
 *
 *     0x90000             start_info page: hvm_start_info, module list, memory map
 *     0x91000             command line page
 *     1 MiB ..            kernel segments, at the addresses the kernel file asks for
 *     .. below the tables initrd, as high as it goes
 *     low_bytes - 64 KiB  ACPI tables (e820 type 3: Linux leaves them alone)
 *     0xfeff0000 .. 4 GiB - 16 MiB
 *                         KVM's own pages and the Xen special pages (e820 type 2); they are not
 *                         RAM: the VMM gives them memory slots of their own
 *
 * Linux takes the first free RAM page at or above 0x1000 (0x10000 in kernels that keep the first
 * 64 KiB for firmware) as its shared_info page and may do so before it is done with anything we
 * passed: the two boot pages stay far above both.
 */
#ifndef UPCALL_VMM_BOOT_LAYOUT_H
#define UPCALL_VMM_BOOT_LAYOUT_H

#include <stdint.h>

#include "vmm/mem.h"

/* LAPIC entries in the MADT, and the largest --cpus. */
#define UC_MAX_CPUS	    128u

#define UC_GPA_START_INFO   0x90000u
#define UC_GPA_CMDLINE	    0x91000u
#define UC_GPA_LOW_RAM_END  0xa0000u  /* a PC's RAM ends here; Linux reserves up to 1 MiB */
#define UC_GPA_KERNEL_START 0x100000u /* nothing of a kernel file is loaded below */

/* x86 COMMAND_LINE_SIZE: Linux copies this many bytes and cuts what is longer. */
#define UC_CMDLINE_BYTES 2048u

#define UC_ACPI_BYTES	 0x10000u

/* Where Xen has its special pages: 0xfeff8000 to 0xfeffffff. */
#define UC_GPA_RESERVED_START 0xfeff0000u
#define UC_GPA_RESERVED_END   0xff000000u
/* KVM_SET_IDENTITY_MAP_ADDR (1 page) and KVM_SET_TSS_ADDR (3 pages) for Intel hosts. */
#define UC_GPA_KVM_IDENTITY_MAP 0xfeff0000u
#define UC_GPA_KVM_TSS		0xfeff1000u
#define UC_GPA_SPECIAL_START	0xfeff8000u
#define UC_GPA_XENSTORE_RING	0xfeffc000u
#define UC_GPA_CONSOLE_RING	0xfeffd000u

/* First byte of the ACPI tables; also the end of what a kernel or an initrd may use. */
static inline uint64_t uc_layout_acpi(const struct uc_mem *mem)
{
	return mem->low_bytes - UC_ACPI_BYTES;
}

#endif
