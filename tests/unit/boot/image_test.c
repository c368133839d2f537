/* SPDX-License-Identifier: MIT */
/*
 * Kernel images: every container format loads; every damage is one clear error. The inputs are
 * copied to blocks of exactly their size, so that AddressSanitizer sees a read of one byte more.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include <asm/bootparam.h>

#include "tests/unit/boot/make_image.h"
#include "vmm/boot/image.h"
#include "vmm/boot/layout.h"

#define MEM_BYTES (64ull << 20)
#define HEADER_AT 0x1f1u

static struct uc_mem mem;
static struct uc_diag diag;
static struct uc_kernel kernel;

static int set_up(void **state)
{
	(void)state;
	memset(&diag, 0, sizeof(diag));
	return uc_mem_init(&mem, MEM_BYTES, &diag);
}

static int tear_down(void **state)
{
	(void)state;
	uc_mem_destroy(&mem);
	return 0;
}

/* Load the first `len` bytes, from a block of that size. */
static int load(const void *data, size_t len)
{
	uint8_t *exact = malloc(len ? len : 1);
	int err;

	assert_non_null(exact);
	memcpy(exact, data, len);
	memset(&diag, 0, sizeof(diag));
	memset(&kernel, 0, sizeof(kernel));
	err = uc_kernel_load_bytes("K", exact, len, &mem, &kernel, &diag);
	free(exact);
	return err;
}

static void assert_refused(int err, int expected, int status, const char *words)
{
	assert_int_equal(err, -expected);
	assert_int_equal(diag.status, status);
	if (!strstr(diag.text, words))
		fail_msg("\"%s\" does not say \"%s\"", diag.text, words);
	assert_null(strchr(diag.text, '\n'));
}

static void assert_made_kernel_in_ram(void)
{
	const uint8_t *p = uc_mem_at(&mem, MADE_LOAD_AT, MADE_CODE + MADE_BSS);

	assert_int_equal(kernel.entry, MADE_ENTRY);
	assert_int_equal(kernel.low, MADE_LOAD_AT);
	assert_int_equal(kernel.high, MADE_LOAD_AT + MADE_CODE + MADE_BSS);
	for (size_t i = 0; i < MADE_CODE; i++)
		assert_int_equal(p[i], code_byte(i));
	for (size_t i = 0; i < MADE_BSS; i++)
		assert_int_equal(p[MADE_CODE + i], 0);
	assert_int_equal(p[-1], 0xa5);
	assert_int_equal(p[MADE_CODE + MADE_BSS], 0xa5);
}

static void dirty_ram(void)
{
	memset(uc_mem_at(&mem, MADE_LOAD_AT - 4096, 16384), 0xa5, 16384);
}

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

static void each_payload_format_loads(void **state)
{
	struct made_elf elf;

	(void)state;
	make_elf(&elf);
	for (int how = 0; how < PACK_COUNT; how++) {
		struct bytes b = make_packed(how, &elf);

		dirty_ram();
		if (load(b.data, b.len))
			fail_msg("%s: %s", packing_names[how], diag.text);
		assert_string_equal(kernel.format, packing_names[how]);
		assert_made_kernel_in_ram();
		free(b.data);
	}
}

/* Two legacy frames, one behind the other, and a payload of more than one block. */
static void lz4_concatenated_frames_load(void **state)
{
	struct made_elf elf;
	struct bytes a, b, image;
	size_t half = sizeof(elf) / 2;
	uint32_t size = sizeof(elf);
	uint8_t joined[8192];

	(void)state;
	make_elf(&elf);
	a = make_payload(PACK_LZ4, &elf, half);
	b = make_payload(PACK_LZ4, (uint8_t *)&elf + half, sizeof(elf) - half);
	memcpy(joined, a.data, a.len - 4);
	memcpy(joined + a.len - 4, b.data, b.len - 4);
	memcpy(joined + a.len + b.len - 8, &size, 4);
	image = make_bzimage(joined, a.len + b.len - 4);
	dirty_ram();
	assert_int_equal(load(image.data, image.len), 0);
	assert_made_kernel_in_ram();
	free(a.data);
	free(b.data);
	free(image.data);
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

static void a_cut_bzimage_never_loads(void **state)
{
	const size_t magic_end = HEADER_AT + offsetof(struct setup_header, version);
	struct made_elf elf;

	(void)state;
	make_elf(&elf);
	for (int how = 0; how < PACK_COUNT; how++) {
		struct bytes b = make_packed(how, &elf);

		for (size_t len = 0; len < b.len; len++)
			assert_refused(load(b.data, len), len < magic_end ? ENOEXEC : ENODATA,
				       UC_EXIT_KERNEL,
				       len < magic_end ? "is not a kernel" : "is truncated");
		free(b.data);
	}
}

/* The stream ends early though header and size agree: what a bad build or a bad disk leaves. */
static void a_cut_payload_is_corrupt(void **state)
{
	struct made_elf elf;

	(void)state;
	make_elf(&elf);
	for (int how = 0; how < PACK_COUNT; how++) {
		struct bytes p = make_payload(how, &elf, sizeof(elf));
		uint8_t size[4];

		memcpy(size, p.data + p.len - 4, 4);
		for (size_t len = 6; len < p.len - 4; len++) {
			struct bytes image;

			memcpy(p.data + len, size, 4);
			image = make_bzimage(p.data, len + 4);
			assert_refused(load(image.data, image.len), EBADMSG, UC_EXIT_KERNEL,
				       "payload is corrupt");
			free(image.data);
			free(p.data);
			p = make_payload(how, &elf, sizeof(elf));
		}
		free(p.data);
	}
}

static void a_wrong_size_claim_is_refused(void **state)
{
	static const int64_t off[] = {-(int64_t)sizeof(struct made_elf), -1, 1, 1 << 20,
				      (int64_t)UC_KERNEL_MAX};
	struct made_elf elf;

	(void)state;
	make_elf(&elf);
	for (int how = 0; how < PACK_COUNT; how++) {
		for (size_t i = 0; i < sizeof(off) / sizeof(off[0]); i++) {
			struct bytes b = make_packed(how, &elf);
			uint32_t claim = (uint32_t)((int64_t)sizeof(elf) + off[i]);
			bool absurd = claim == 0 || claim > UC_KERNEL_MAX;

			memcpy(b.data + bzimage_payload_at(&b) + bzimage_payload_len(&b) - 4,
			       &claim, 4);
			assert_refused(load(b.data, b.len), absurd ? EFBIG : EBADMSG,
				       UC_EXIT_KERNEL, "payload is corrupt");
			free(b.data);
		}
	}
}

/*
 * xz and gzip have checksums: a changed payload is refused, or decodes to the very same kernel (a
 * gzip header's time; a deflate code that is not used). LZ4 legacy and zstd without its checksum
 * have none and may decode to other code. No crash anywhere.
 */
static void a_changed_payload_bit_is_found_by_checksums(void **state)
{
	struct made_elf elf;

	(void)state;
	make_elf(&elf);
	for (int how = 0; how < PACK_COUNT; how++) {
		struct bytes b = make_packed(how, &elf);
		size_t at = bzimage_payload_at(&b), bits = bzimage_payload_len(&b) * 8u;
		size_t refused = 0;

		for (size_t i = 0; i < bits; i++) {
			b.data[at + i / 8] ^= 1u << i % 8;
			dirty_ram();
			if (load(b.data, b.len))
				refused++;
			else if (how == PACK_XZ || how == PACK_GZIP)
				assert_made_kernel_in_ram();
			b.data[at + i / 8] ^= 1u << i % 8;
		}
		assert_true(refused > bits / 4);
		free(b.data);
	}
}

/* Each single bit, and each byte as 0 and as 0xff: a kernel or one error, never a crash. */
static void try_changes(uint8_t *data, size_t len, size_t from, size_t to)
{
	for (size_t i = from; i < to; i++) {
		uint8_t old = data[i];

		for (int change = 0; change < 10; change++) {
			int err;

			data[i] = change < 8 ? old ^ (1u << change) : change == 8 ? 0 : 0xff;
			err = load(data, len);
			assert_int_equal(!err, diag.text[0] == '\0');
			assert_true(err || kernel.high <= uc_layout_acpi(&mem));
			assert_true(err || kernel.low >= UC_GPA_KERNEL_START);
			assert_true(err ||
				    (kernel.entry >= kernel.low && kernel.entry < kernel.high));
		}
		data[i] = old;
	}
}

static void changed_header_bytes_never_crash(void **state)
{
	struct made_elf elf;
	struct bytes b;

	(void)state;
	make_elf(&elf);
	try_changes((uint8_t *)&elf, sizeof(elf), 0, sizeof(elf));
	b = make_packed(PACK_LZ4, &elf);
	try_changes(b.data, b.len, HEADER_AT, HEADER_AT + sizeof(struct setup_header));
	free(b.data);
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
			assert_true(kernel.high <= uc_layout_acpi(&mem) &&
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
	elf.load.p_memsz = uc_layout_acpi(&mem) - MADE_LOAD_AT;
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
	const uint8_t *p = uc_mem_at(&mem, MADE_LOAD_AT, MADE_CODE);
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

static int load_with_magic(const void *magic, size_t len)
{
	uint8_t payload[64] = {0};
	struct bytes b;
	int err;

	memcpy(payload, magic, len);
	b = make_bzimage(payload, sizeof(payload));
	err = load(b.data, b.len);
	free(b.data);
	return err;
}

static void compressions_without_a_decoder_are_named(void **state)
{
	(void)state;
	assert_refused(load_with_magic("BZh9", 4), ENOTSUP, UC_EXIT_KERNEL, "bzip2");
	assert_refused(load_with_magic("\x5d\0\0", 3), ENOTSUP, UC_EXIT_KERNEL, "LZMA");
	assert_refused(load_with_magic("\x89LZO", 4), ENOTSUP, UC_EXIT_KERNEL, "LZO");
	assert_refused(load_with_magic("\x12\x34\xab\xcd", 4), ENOEXEC, UC_EXIT_KERNEL,
		       "12 34 ab cd");
}

static void other_machines_are_refused(void **state)
{
	struct made_elf elf;
	struct bytes b;

	(void)state;
	make_elf(&elf);
	elf.eh.e_machine = EM_AARCH64;
	assert_refused(load(&elf, sizeof(elf)), ENOEXEC, UC_EXIT_KERNEL, "is not a kernel");
	make_elf(&elf);
	elf.eh.e_ident[EI_CLASS] = ELFCLASS32;
	b = make_packed(PACK_GZIP, &elf);
	assert_refused(load(b.data, b.len), ENOEXEC, UC_EXIT_KERNEL, "32-bit");
	free(b.data);
}

static void an_old_boot_protocol_is_refused(void **state)
{
	struct made_elf elf;
	struct bytes b;

	(void)state;
	make_elf(&elf);
	b = make_packed(PACK_GZIP, &elf);
	b.data[0x206] = 7;
	assert_refused(load(b.data, b.len), ENOEXEC, UC_EXIT_KERNEL, "2.07");
	free(b.data);
}

static void a_payload_outside_of_the_image_is_refused(void **state)
{
	static const struct {
		uint32_t offset, len;
	} bad[] = {{UINT32_MAX, UINT32_MAX}, {0, UINT32_MAX}, {UINT32_MAX, 64}, {24, 7}, {24, 0}};
	struct made_elf elf;

	(void)state;
	make_elf(&elf);
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		struct bytes b = make_packed(PACK_GZIP, &elf);

		memcpy(b.data + 0x248, &bad[i].offset, 4);
		memcpy(b.data + 0x24c, &bad[i].len, 4);
		assert_refused(load(b.data, b.len), ENOEXEC, UC_EXIT_KERNEL, "outside");
		free(b.data);
	}
}

static int load_path(const char *path)
{
	memset(&diag, 0, sizeof(diag));
	return uc_kernel_load(path, &mem, &kernel, &diag);
}

static void files_that_cannot_be_read_say_why(void **state)
{
	char path[] = "/tmp/uc-image-XXXXXX";
	int fd = mkstemp(path);

	(void)state;
	assert_true(fd >= 0);
	assert_refused(load_path("/nonexistent/vmlinuz"), ENOENT, UC_EXIT_KERNEL,
		       "No such file or directory");
	assert_refused(load_path("/"), EISDIR, UC_EXIT_KERNEL, "not a regular file");
	assert_refused(load_path("/dev/zero"), EINVAL, UC_EXIT_KERNEL, "not a regular file");
	assert_refused(load_path(path), ENODATA, UC_EXIT_KERNEL, "is empty");
	assert_int_equal(ftruncate(fd, (off_t)UC_KERNEL_MAX + 1), 0);
	assert_refused(load_path(path), EFBIG, UC_EXIT_KERNEL, "more than the 1 GiB");
	close(fd);
	unlink(path);
}

/* UC_TEST_KERNELS: paths of distribution kernels, separated by colons. */
static void real_kernels_load(void **state)
{
	const char *list = getenv("UC_TEST_KERNELS");
	char *copy, *save, *path;

	(void)state;
	if (!list || !*list) {
		print_message("skipped: UC_TEST_KERNELS names no kernels\n");
		skip();
	}
	uc_mem_destroy(&mem);
	assert_int_equal(uc_mem_init(&mem, 512ull << 20, &diag), 0);
	copy = strdup(list);
	for (path = strtok_r(copy, ":", &save); path; path = strtok_r(NULL, ":", &save)) {
		if (load_path(path))
			fail_msg("%s", diag.text);
		assert_string_not_equal(kernel.format, "ELF");
		assert_int_equal(kernel.low, 0x1000000); /* CONFIG_PHYSICAL_START */
		assert_true(kernel.entry > kernel.low && kernel.entry < kernel.high);
		/* The PVH entry begins with CLD in every Linux. */
		assert_int_equal(*(uint8_t *)uc_mem_at(&mem, kernel.entry, 1), 0xfc);
	}
	free(copy);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(plain_elf_loads),
		TEST(each_payload_format_loads),
		TEST(lz4_concatenated_frames_load),
		TEST(a_cut_elf_never_loads),
		TEST(an_elf_without_its_section_headers_is_truncated),
		TEST(a_cut_bzimage_never_loads),
		TEST(a_cut_payload_is_corrupt),
		TEST(a_wrong_size_claim_is_refused),
		TEST(a_changed_payload_bit_is_found_by_checksums),
		TEST(changed_header_bytes_never_crash),
		TEST(absurd_segments_never_crash),
		TEST(no_pvh_note_says_config_pvh),
		TEST(a_4_byte_entry_note_is_accepted),
		TEST(an_entry_outside_of_the_segments_is_refused),
		TEST(a_segment_beyond_ram_says_how_much_it_needs),
		TEST(a_segment_over_the_boot_pages_is_refused),
		TEST(overlapping_segments_are_refused),
		TEST(ram_is_untouched_by_a_refused_kernel),
		TEST(too_many_program_headers_are_refused),
		TEST(compressions_without_a_decoder_are_named),
		TEST(other_machines_are_refused),
		TEST(an_old_boot_protocol_is_refused),
		TEST(a_payload_outside_of_the_image_is_refused),
		TEST(files_that_cannot_be_read_say_why),
		TEST(real_kernels_load),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
