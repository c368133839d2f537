/* SPDX-License-Identifier: MIT */
/*
 * The ELF loader: what a vmlinux may ask for, and what is refused, each with its own words.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "tests/unit/boot/harness.h"
#include "vmm/boot/layout.h"

static void plain_elf_loads(void **state)
{
	struct made_elf elf;

	(void)state;
	make_elf(&elf);
	dirty_ram();
	assert_int_equal(load(&elf, sizeof(elf)), 0);
	assert_string_equal(kernel.format, "ELF");
	assert_made_kernel_in_ram();
}

static void a_cut_elf_never_loads(void **state)
{
	struct made_elf elf;

	(void)state;
	make_elf(&elf);
	for (size_t len = 0; len < sizeof(elf); len++)
		assert_refused(load(&elf, len), len < sizeof(elf.eh) ? ENOEXEC : ENODATA,
			       UC_EXIT_KERNEL,
			       len < sizeof(elf.eh) ? "is not a kernel" : "is truncated");
}

static void an_elf_without_its_section_headers_is_truncated(void **state)
{
	struct made_elf elf;

	(void)state;
	make_elf(&elf);
	elf.eh.e_shoff = sizeof(elf);
	elf.eh.e_shnum = 1;
	elf.eh.e_shentsize = sizeof(Elf64_Shdr);
	assert_refused(load(&elf, sizeof(elf)), ENODATA, UC_EXIT_KERNEL, "section headers");
}

/* Hostile values of the fields that sums and copies are made of, pairwise. */
static void absurd_segments_never_crash(void **state)
{
	static const uint64_t v[] = {
		0,	   1,	       0x1000,	   0xfffff,   0x100000,
		0x3ff0000, 0xffffffff, 1ull << 32, INT64_MAX, UINT64_MAX - 0x1000,
		UINT64_MAX};
	const size_t n = sizeof(v) / sizeof(v[0]);
	struct made_elf elf;

	(void)state;
	for (size_t i = 0; i < n * n * 6; i++) {
		uint64_t *field[4];

		make_elf(&elf);
		field[0] = &elf.load.p_offset;
		field[1] = &elf.load.p_filesz;
		field[2] = &elf.load.p_paddr;
		field[3] = &elf.load.p_memsz;
		switch (i / (n * n)) { /* the six pairs */
		case 0:
			*field[0] = v[i % n], *field[1] = v[i / n % n];
			break;
		case 1:
			*field[0] = v[i % n], *field[2] = v[i / n % n];
			break;
		case 2:
			*field[0] = v[i % n], *field[3] = v[i / n % n];
			break;
		case 3:
			*field[1] = v[i % n], *field[2] = v[i / n % n];
			break;
		case 4:
			*field[1] = v[i % n], *field[3] = v[i / n % n];
			break;
		default:
			*field[2] = v[i % n], *field[3] = v[i / n % n];
			break;
		}
		if (load(&elf, sizeof(elf)) == 0)
			assert_true(kernel.high <= uc_layout_acpi(&ram) &&
				    kernel.low >= UC_GPA_KERNEL_START);
	}
}

static void no_pvh_note_says_config_pvh(void **state)
{
	struct made_elf elf;

	(void)state;
	make_elf(&elf);
	elf.entry.h.n_type = 17;
	assert_refused(load(&elf, sizeof(elf)), ENOEXEC, UC_EXIT_KERNEL, "without CONFIG_PVH");
	make_elf(&elf);
	elf.entry.name[0] = 'x';
	assert_refused(load(&elf, sizeof(elf)), ENOEXEC, UC_EXIT_KERNEL, "without CONFIG_PVH");
	make_elf(&elf);
	elf.other.h.n_descsz = UINT32_MAX; /* hides what follows */
	assert_refused(load(&elf, sizeof(elf)), ENOEXEC, UC_EXIT_KERNEL, "without CONFIG_PVH");
}

static void a_4_byte_entry_note_is_accepted(void **state)
{
	struct made_elf elf;

	(void)state;
	make_elf(&elf);
	elf.entry.h.n_descsz = 4;
	elf.entry.value[1] = 0x12345678; /* not part of it */
	assert_int_equal(load(&elf, sizeof(elf)), 0);
	assert_int_equal(kernel.entry, MADE_ENTRY);
}

static void an_entry_outside_of_the_segments_is_refused(void **state)
{
	struct made_elf elf;

	(void)state;
	make_elf(&elf);
	elf.entry.value[0] = MADE_LOAD_AT + MADE_CODE; /* in bss: no code there */
	assert_refused(load(&elf, sizeof(elf)), ENOEXEC, UC_EXIT_KERNEL, "entry point");
	elf.entry.value[0] = MADE_ENTRY;
	elf.entry.value[1] = 1; /* above 4 GiB */
	assert_refused(load(&elf, sizeof(elf)), ENOEXEC, UC_EXIT_KERNEL, "entry point");
}

static void a_segment_beyond_ram_says_how_much_it_needs(void **state)
{
	struct made_elf elf;

	(void)state;
	make_elf(&elf);
	elf.load.p_memsz = (100ull << 20) - MADE_LOAD_AT;
	assert_refused(load(&elf, sizeof(elf)), ENOMEM, UC_EXIT_MEMORY,
		       "needs at least 101 MiB of guest memory and there are 64");
	/* The last byte that fits, and one more. */
	elf.load.p_memsz = uc_layout_acpi(&ram) - MADE_LOAD_AT;
	assert_int_equal(load(&elf, sizeof(elf)), 0);
	elf.load.p_memsz++;
	assert_refused(load(&elf, sizeof(elf)), ENOMEM, UC_EXIT_MEMORY, "needs at least 65 MiB");
	elf.load.p_paddr = 0xf0000000;
	assert_refused(load(&elf, sizeof(elf)), ENOEXEC, UC_EXIT_KERNEL, "no guest has RAM");
}

static void a_segment_over_the_boot_pages_is_refused(void **state)
{
	struct made_elf elf;

	(void)state;
	make_elf(&elf);
	elf.load.p_paddr = UC_GPA_START_INFO;
	assert_refused(load(&elf, sizeof(elf)), ENOEXEC, UC_EXIT_KERNEL, "below 1 MiB");
}

static void overlapping_segments_are_refused(void **state)
{
	struct made_elf elf;

	(void)state;
	make_elf(&elf);
	elf.eh.e_phoff = offsetof(struct made_elf, code);
	elf.eh.e_phnum = 3;
	memcpy(elf.code, &elf.load, sizeof(elf.load));
	memcpy(elf.code + sizeof(Elf64_Phdr), &elf.note, sizeof(elf.note));
	elf.load.p_paddr += elf.load.p_memsz - 1;
	memcpy(elf.code + 2 * sizeof(Elf64_Phdr), &elf.load, sizeof(elf.load));
	assert_refused(load(&elf, sizeof(elf)), ENOEXEC, UC_EXIT_KERNEL, "segments overlap");
}

static void ram_is_untouched_by_a_refused_kernel(void **state)
{
	const uint8_t *p = uc_mem_at(&ram, MADE_LOAD_AT, MADE_CODE);
	struct made_elf elf;

	(void)state;
	make_elf(&elf);
	elf.entry.value[0] = 0;
	dirty_ram();
	assert_int_not_equal(load(&elf, sizeof(elf)), 0);
	for (size_t i = 0; i < MADE_CODE; i++)
		assert_int_equal(p[i], 0xa5);
}

static void too_many_program_headers_are_refused(void **state)
{
	struct made_elf elf;

	(void)state;
	make_elf(&elf);
	elf.eh.e_phnum = PN_XNUM;
	assert_refused(load(&elf, sizeof(elf)), ENOEXEC, UC_EXIT_KERNEL, "program header table");
}

static void changed_elf_bytes_never_crash(void **state)
{
	struct made_elf elf;

	(void)state;
	make_elf(&elf);
	try_changes((uint8_t *)&elf, sizeof(elf), 0, sizeof(elf));
}

/* Sums that wrap to something that would fit. */
static void ranges_that_wrap_are_refused(void **state)
{
	struct made_elf elf;

	(void)state;
	make_elf(&elf);
	elf.load.p_offset = UINT64_MAX - 15; /* + MADE_CODE = 240 */
	assert_refused(load(&elf, sizeof(elf)), ENODATA, UC_EXIT_KERNEL, "segments");
	make_elf(&elf);
	elf.note.p_offset = UINT64_MAX - 3;
	assert_refused(load(&elf, sizeof(elf)), ENODATA, UC_EXIT_KERNEL, "segments");
	make_elf(&elf);
	elf.eh.e_phoff = UINT64_MAX - 55;
	assert_refused(load(&elf, sizeof(elf)), ENODATA, UC_EXIT_KERNEL, "program headers");
	make_elf(&elf);
	elf.load.p_paddr = UINT64_MAX - 15;
	assert_refused(load(&elf, sizeof(elf)), ENOEXEC, UC_EXIT_KERNEL, "address wraps");
}

/* With p_align 8 descriptor and next note start at multiples of 8. */
static void notes_aligned_to_8_are_walked(void **state)
{
	struct made_elf elf;

	(void)state;
	make_elf(&elf);
	memcpy(elf.code, &elf.other, 20);
	memset(elf.code + 20, 0xee, 12);
	memcpy(elf.code + 32, &elf.entry, sizeof(elf.entry));
	elf.note.p_offset = offsetof(struct made_elf, code);
	elf.note.p_filesz = 32 + sizeof(elf.entry);
	elf.note.p_align = 8;
	assert_int_equal(load(&elf, sizeof(elf)), 0);
	assert_int_equal(kernel.entry, MADE_ENTRY);
}

static void more_than_1_mib_of_notes_is_refused(void **state)
{
	const size_t len = 2u << 20;
	struct made_elf *elf = calloc(1, len);

	(void)state;
	assert_non_null(elf);
	make_elf(elf);
	elf->note.p_filesz = (1u << 20) + 1;
	assert_refused(load(elf, len), ENOEXEC, UC_EXIT_KERNEL, "1 MiB of notes");
	elf->note.p_filesz--;
	assert_int_equal(load(elf, len), 0);
	free(elf);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(plain_elf_loads),
		TEST(a_cut_elf_never_loads),
		TEST(an_elf_without_its_section_headers_is_truncated),
		TEST(absurd_segments_never_crash),
		TEST(no_pvh_note_says_config_pvh),
		TEST(a_4_byte_entry_note_is_accepted),
		TEST(an_entry_outside_of_the_segments_is_refused),
		TEST(a_segment_beyond_ram_says_how_much_it_needs),
		TEST(a_segment_over_the_boot_pages_is_refused),
		TEST(overlapping_segments_are_refused),
		TEST(ram_is_untouched_by_a_refused_kernel),
		TEST(too_many_program_headers_are_refused),
		TEST(changed_elf_bytes_never_crash),
		TEST(ranges_that_wrap_are_refused),
		TEST(notes_aligned_to_8_are_walked),
		TEST(more_than_1_mib_of_notes_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
