/* SPDX-License-Identifier: MIT */
/*
 * The ELF loader. The parts that are read (header, program headers, one kind of note) are three
 * fixed structures, so they are copied out and checked here rather than through libelf: each
 * refusal then has its own words.
 *
 * Kept true: no offset is used before it is known to lie in the file; no sum can wrap (each is
 * checked as `len <= limit - start`); segments do not overlap, so the bytes that are written are
 * bounded by guest RAM; nothing is written before everything is checked.
 */
#include "vmm/boot/elf.h"

#include <elf.h>
#include <errno.h>
#include <string.h>
#include <xen/elfnote.h>

#include "vmm/boot/layout.h"

/* Linux has 5 program headers, and less than 4 KiB of notes. */
#define PHDRS_MAX 128u
#define NOTES_MAX (1u << 20)

struct elf {
	const char *name;
	const uint8_t *data;
	size_t len;
	unsigned int phnum;
	Elf64_Phdr ph[PHDRS_MAX];
};

static bool range_in(uint64_t start, uint64_t len, uint64_t limit)
{
	return start <= limit && len <= limit - start;
}

bool uc_elf_is_kernel(const uint8_t *data, size_t len)
{
	Elf64_Ehdr eh;

	if (len < sizeof(eh))
		return false;
	memcpy(&eh, data, sizeof(eh));
	return memcmp(eh.e_ident, ELFMAG, SELFMAG) == 0 && eh.e_ident[EI_CLASS] == ELFCLASS64 &&
	       eh.e_ident[EI_DATA] == ELFDATA2LSB && eh.e_machine == EM_X86_64 &&
	       (eh.e_type == ET_EXEC || eh.e_type == ET_DYN);
}

static int corrupt(const struct elf *elf, const char *why, struct uc_diag *diag)
{
	return uc_fail(diag, UC_EXIT_KERNEL, ENOEXEC, "kernel %s is corrupt: %s", elf->name, why);
}

static int truncated(const struct elf *elf, const char *part, struct uc_diag *diag)
{
	return uc_fail(diag, UC_EXIT_KERNEL, ENODATA,
		       "kernel %s is truncated: its %s do not lie within the ELF's %zu bytes",
		       elf->name, part, elf->len);
}

static int read_headers(struct elf *elf, struct uc_diag *diag)
{
	Elf64_Ehdr eh;

	memcpy(&eh, elf->data, sizeof(eh));
	if (eh.e_phentsize != sizeof(Elf64_Phdr) || !eh.e_phnum || eh.e_phnum > PHDRS_MAX)
		return corrupt(elf, "its program header table has an impossible size", diag);
	elf->phnum = eh.e_phnum;
	if (!range_in(eh.e_phoff, (uint64_t)elf->phnum * sizeof(Elf64_Phdr), elf->len))
		return truncated(elf, "program headers", diag);
	/* Not used, but the last thing in a vmlinux: without it the file was cut. */
	if (eh.e_shoff && !range_in(eh.e_shoff, (uint64_t)eh.e_shnum * eh.e_shentsize, elf->len))
		return truncated(elf, "section headers", diag);
	memcpy(elf->ph, elf->data + eh.e_phoff, elf->phnum * sizeof(Elf64_Phdr));
	return 0;
}

static int check_file_ranges(const struct elf *elf, struct uc_diag *diag)
{
	for (unsigned int i = 0; i < elf->phnum; i++) {
		const Elf64_Phdr *ph = &elf->ph[i];

		if (ph->p_type != PT_LOAD && ph->p_type != PT_NOTE)
			continue;
		if (!range_in(ph->p_offset, ph->p_filesz, elf->len))
			return truncated(elf, "segments", diag);
		if (ph->p_type == PT_LOAD && ph->p_filesz > ph->p_memsz)
			return corrupt(elf, "a segment is larger in the file than in memory", diag);
		if (ph->p_type == PT_NOTE && ph->p_filesz > NOTES_MAX)
			return corrupt(elf, "it has more than 1 MiB of notes", diag);
	}
	return 0;
}

static size_t note_pad(size_t n, size_t align)
{
	return (n + align - 1) & ~(align - 1);
}

/* The value of a PHYS32_ENTRY note (4 bytes, or 8 as Linux writes it), or false. */
static bool note_entry(const Elf64_Nhdr *nh, const uint8_t *name, const uint8_t *desc,
		       uint64_t *entry)
{
	if (nh->n_type != XEN_ELFNOTE_PHYS32_ENTRY || nh->n_namesz != sizeof("Xen") ||
	    memcmp(name, "Xen", sizeof("Xen")) != 0)
		return false;
	if (nh->n_descsz != sizeof(uint32_t) && nh->n_descsz != sizeof(uint64_t))
		return false;
	*entry = 0;
	memcpy(entry, desc, nh->n_descsz);
	return true;
}

/* Walk one PT_NOTE segment. A note that does not fit ends the walk: what is left is padding. */
static bool notes_find_entry(const uint8_t *p, size_t left, size_t align, uint64_t *entry)
{
	Elf64_Nhdr nh;

	while (left >= sizeof(nh)) {
		size_t desc, next;

		memcpy(&nh, p, sizeof(nh));
		/* 32-bit sizes in 64-bit sums: no wrap. */
		desc = note_pad(sizeof(nh) + nh.n_namesz, align);
		if (!range_in(desc, nh.n_descsz, left))
			return false;
		if (note_entry(&nh, p + sizeof(nh), p + desc, entry))
			return true;
		next = note_pad(desc + nh.n_descsz, align);
		if (next >= left)
			return false;
		p += next;
		left -= next;
	}
	return false;
}

static bool find_entry(const struct elf *elf, uint64_t *entry)
{
	for (unsigned int i = 0; i < elf->phnum; i++) {
		const Elf64_Phdr *ph = &elf->ph[i];

		if (ph->p_type == PT_NOTE &&
		    notes_find_entry(elf->data + ph->p_offset, ph->p_filesz,
				     ph->p_align == 8 ? 8 : 4, entry))
			return true;
	}
	return false;
}

/* `end` may be anything a file can claim, but start + size did not wrap. */
static int no_room(const struct elf *elf, uint64_t end, const struct uc_mem *mem,
		   struct uc_diag *diag)
{
	if (end > UC_MEM_HOLE_START - UC_ACPI_BYTES)
		return uc_fail(diag, UC_EXIT_KERNEL, ENOEXEC,
			       "kernel %s wants to be loaded up to address 0x%llx, where no guest "
			       "has RAM: it is not a kernel for this machine",
			       elf->name, (unsigned long long)end);
	return uc_fail(
		diag, UC_EXIT_MEMORY, ENOMEM,
		"kernel %s needs at least %llu MiB of guest memory and there are %llu: give a "
		"larger --memory",
		elf->name, (unsigned long long)((end + UC_ACPI_BYTES + 0xfffff) >> 20),
		(unsigned long long)((mem->low_bytes + mem->high_bytes) >> 20));
}

static int check_place(const struct elf *elf, const Elf64_Phdr *ph, const struct uc_mem *mem,
		       struct uc_diag *diag)
{
	if (ph->p_memsz > UINT64_MAX - ph->p_paddr)
		return corrupt(elf, "a segment's address wraps", diag);
	if (ph->p_paddr < UC_GPA_KERNEL_START)
		return uc_fail(diag, UC_EXIT_KERNEL, ENOEXEC,
			       "kernel %s wants to be loaded at 0x%llx, below 1 MiB, which is kept "
			       "for what the boot passes to it",
			       elf->name, (unsigned long long)ph->p_paddr);
	if (!range_in(ph->p_paddr, ph->p_memsz, uc_layout_acpi(mem)))
		return no_room(elf, ph->p_paddr + ph->p_memsz, mem, diag);
	return 0;
}

static bool overlaps_earlier(const struct elf *elf, unsigned int i)
{
	const Elf64_Phdr *a = &elf->ph[i];

	for (unsigned int j = 0; j < i; j++) {
		const Elf64_Phdr *b = &elf->ph[j];

		if (b->p_type == PT_LOAD && a->p_paddr < b->p_paddr + b->p_memsz &&
		    b->p_paddr < a->p_paddr + a->p_memsz)
			return true;
	}
	return false;
}

/* Each segment in RAM that is free; the span of all in `k`, whose `entry` lies in one of them. */
static int place(const struct elf *elf, uint64_t entry, const struct uc_mem *mem,
		 struct uc_kernel *k, struct uc_diag *diag)
{
	bool entered = false;

	k->low = UINT64_MAX;
	k->high = 0;
	for (unsigned int i = 0; i < elf->phnum; i++) {
		const Elf64_Phdr *ph = &elf->ph[i];
		int err;

		if (ph->p_type != PT_LOAD || !ph->p_memsz)
			continue;
		err = check_place(elf, ph, mem, diag);
		if (err)
			return err;
		if (overlaps_earlier(elf, i))
			return corrupt(elf, "its segments overlap", diag);
		entered |= entry >= ph->p_paddr && entry - ph->p_paddr < ph->p_filesz;
		k->low = ph->p_paddr < k->low ? ph->p_paddr : k->low;
		k->high = ph->p_paddr + ph->p_memsz > k->high ? ph->p_paddr + ph->p_memsz : k->high;
	}
	if (!entered)
		return corrupt(elf, "its PVH entry point lies in none of its segments", diag);
	k->entry = (uint32_t)entry; /* within a segment, hence below UC_MEM_HOLE_START */
	return 0;
}

static void copy_segments(const struct elf *elf, const struct uc_mem *mem)
{
	for (unsigned int i = 0; i < elf->phnum; i++) {
		const Elf64_Phdr *ph = &elf->ph[i];
		uint8_t *to;

		if (ph->p_type != PT_LOAD || !ph->p_memsz)
			continue;
		to = uc_mem_at(mem, ph->p_paddr, ph->p_memsz);
		memcpy(to, elf->data + ph->p_offset, ph->p_filesz);
		memset(to + ph->p_filesz, 0, ph->p_memsz - ph->p_filesz);
	}
}

int uc_elf_load(const char *name, const uint8_t *data, size_t len, const struct uc_mem *mem,
		struct uc_kernel *k, struct uc_diag *diag)
{
	struct elf elf = {.name = name, .data = data, .len = len};
	uint64_t entry;
	int err;

	err = read_headers(&elf, diag);
	if (!err)
		err = check_file_ranges(&elf, diag);
	if (err)
		return err;
	if (!find_entry(&elf, &entry))
		return uc_fail(diag, UC_EXIT_KERNEL, ENOEXEC,
			       "kernel %s has no PVH entry note: it was built without CONFIG_PVH "
			       "(or it is not a kernel)",
			       name);
	err = place(&elf, entry, mem, k, diag);
	if (!err)
		copy_segments(&elf, mem);
	return err;
}
