/* SPDX-License-Identifier: MIT */
/*
 * The start_info page: hvm_start_info version 1 with, behind it, the list of modules (the initrd)
 * and the memory map that Linux makes its e820 of. Layout: <xen/arch-x86/hvm/start_info.h>.
 *
 * Kept true: the page is RAM and writable (Linux 6.12 uses the word below start_info + 4 as a stack
 * for one call and puts it back); nothing overlaps the kernel, which is never loaded below 1 MiB
 * nor into the ACPI range.
 */
#include "vmm/boot/pvh.h"

#include <errno.h>
#include <stddef.h>
#include <string.h>
#include <xen/arch-x86/hvm/start_info.h>

#include "vmm/boot/acpi.h"
#include "vmm/boot/initrd.h"
#include "vmm/boot/layout.h"

#define MEMMAP_MAX 5

struct boot_page {
	struct hvm_start_info info;
	struct hvm_modlist_entry module;
	struct hvm_memmap_table_entry memmap[MEMMAP_MAX];
};

_Static_assert(sizeof(struct boot_page) <= UC_PAGE_SIZE, "one page holds it");
_Static_assert(UC_CMDLINE_BYTES <= UC_PAGE_SIZE, "one page holds it");

static void add_range(struct boot_page *p, uint64_t start, uint64_t end, uint32_t type)
{
	p->memmap[p->info.memmap_entries++] = (struct hvm_memmap_table_entry){
		.addr = start, .size = end - start, .type = type};
}

/* The hole from 0xa0000 to 1 MiB is left out: Linux adds it as reserved by itself. */
static void fill_memmap(struct boot_page *p, const struct uc_mem *mem)
{
	add_range(p, 0, UC_GPA_LOW_RAM_END, XEN_HVM_MEMMAP_TYPE_RAM);
	add_range(p, UC_GPA_KERNEL_START, uc_layout_acpi(mem), XEN_HVM_MEMMAP_TYPE_RAM);
	add_range(p, uc_layout_acpi(mem), mem->low_bytes, XEN_HVM_MEMMAP_TYPE_ACPI);
	add_range(p, UC_GPA_RESERVED_START, UC_GPA_RESERVED_END, XEN_HVM_MEMMAP_TYPE_RESERVED);
	if (mem->high_bytes)
		add_range(p, UC_MEM_4G, UC_MEM_4G + mem->high_bytes, XEN_HVM_MEMMAP_TYPE_RAM);
}

static void write_boot_page(const struct uc_mem *mem, const struct uc_boot *b)
{
	uint8_t *to = uc_mem_at(mem, UC_GPA_START_INFO, UC_PAGE_SIZE);
	struct boot_page p = {
		.info = {.magic = XEN_HVM_START_MAGIC_VALUE,
			 .version = 1,
			 .cmdline_paddr = UC_GPA_CMDLINE,
			 .rsdp_paddr = b->rsdp_gpa,
			 .memmap_paddr = UC_GPA_START_INFO + offsetof(struct boot_page, memmap)},
		.module = {.paddr = b->initrd_gpa, .size = b->initrd_len},
	};

	if (b->initrd) {
		p.info.nr_modules = 1;
		p.info.modlist_paddr = UC_GPA_START_INFO + offsetof(struct boot_page, module);
	}
	fill_memmap(&p, mem);
	memset(to, 0, UC_PAGE_SIZE);
	memcpy(to, &p, sizeof(p));
}

static int write_cmdline(const struct uc_mem *mem, const char *cmdline, struct uc_diag *diag)
{
	uint8_t *to = uc_mem_at(mem, UC_GPA_CMDLINE, UC_PAGE_SIZE);
	size_t len = strlen(cmdline);

	if (len >= UC_CMDLINE_BYTES)
		return uc_fail(diag, UC_EXIT_USAGE, E2BIG,
			       "the kernel's command line has %zu characters and Linux takes %u: "
			       "shorten --append",
			       len, UC_CMDLINE_BYTES - 1);
	memset(to, 0, UC_PAGE_SIZE);
	memcpy(to, cmdline, len);
	return 0;
}

int uc_boot_setup(const struct uc_mem *mem, const struct uc_kernel *k, struct uc_boot *b,
		  struct uc_diag *diag)
{
	uint64_t acpi = uc_layout_acpi(mem);
	int err;

	if (!b->cpus || b->cpus > UC_MAX_CPUS)
		return uc_fail(diag, UC_EXIT_USAGE, EINVAL,
			       "%u vCPUs are out of range: give 1 to %u", b->cpus, UC_MAX_CPUS);
	b->initrd_gpa = 0;
	b->initrd_len = 0;
	err = write_cmdline(mem, b->cmdline ? b->cmdline : "", diag);
	if (!err && b->initrd)
		err = uc_initrd_load(b->initrd, mem, k, &b->initrd_gpa, &b->initrd_len, diag);
	if (err)
		return err;
	b->rsdp_gpa = uc_acpi_write(uc_mem_at(mem, acpi, UC_ACPI_BYTES), acpi, b->cpus);
	b->entry_eip = k->entry;
	b->start_info_gpa = UC_GPA_START_INFO;
	write_boot_page(mem, b);
	return 0;
}
