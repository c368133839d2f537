/* SPDX-License-Identifier: MIT */
/*
 * Kernel images: every container format loads; every damage is one clear error.
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

#include "tests/unit/boot/harness.h"
#include "vmm/boot/layout.h"

#define HEADER_AT 0x1f1u

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
	return uc_kernel_load(path, &ram, &kernel, &diag);
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
	uc_mem_destroy(&ram);
	assert_int_equal(uc_mem_init(&ram, 512ull << 20, &diag), 0);
	copy = strdup(list);
	for (path = strtok_r(copy, ":", &save); path; path = strtok_r(NULL, ":", &save)) {
		if (load_path(path))
			fail_msg("%s", diag.text);
		assert_string_not_equal(kernel.format, "ELF");
		assert_int_equal(kernel.low, 0x1000000); /* CONFIG_PHYSICAL_START */
		assert_true(kernel.entry > kernel.low && kernel.entry < kernel.high);
		/* The PVH entry begins with CLD in every Linux. */
		assert_int_equal(*(uint8_t *)uc_mem_at(&ram, kernel.entry, 1), 0xfc);
	}
	free(copy);
}

static void changed_header_bytes_never_crash(void **state)
{
	struct made_elf elf;
	struct bytes b;

	(void)state;
	make_elf(&elf);
	b = make_packed(PACK_LZ4, &elf);
	try_changes(b.data, b.len, HEADER_AT, HEADER_AT + sizeof(struct setup_header));
	free(b.data);
}

/* payload_length is exact, so what follows the stream is damage. */
static void bytes_behind_the_stream_are_refused(void **state)
{
	const uint32_t size = sizeof(struct made_elf);
	struct made_elf elf;

	(void)state;
	make_elf(&elf);
	for (int how = 0; how < PACK_COUNT; how++) {
		struct bytes p = make_payload(how, &elf, sizeof(elf)), image;
		size_t stream = how == PACK_GZIP ? p.len : p.len - 4;
		uint8_t longer[8192];

		memcpy(longer, p.data, stream);
		memcpy(longer + stream, "\1\2\3\4", 4);
		memcpy(longer + stream + 4, &size, 4);
		image = make_bzimage(longer, stream + 8);
		assert_refused(load(image.data, image.len), EBADMSG, UC_EXIT_KERNEL,
			       "payload is corrupt");
		free(image.data);
		free(p.data);
	}
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(each_payload_format_loads),
		TEST(lz4_concatenated_frames_load),
		TEST(a_cut_bzimage_never_loads),
		TEST(a_cut_payload_is_corrupt),
		TEST(bytes_behind_the_stream_are_refused),
		TEST(a_wrong_size_claim_is_refused),
		TEST(a_changed_payload_bit_is_found_by_checksums),
		TEST(compressions_without_a_decoder_are_named),
		TEST(other_machines_are_refused),
		TEST(an_old_boot_protocol_is_refused),
		TEST(a_payload_outside_of_the_image_is_refused),
		TEST(files_that_cannot_be_read_say_why),
		TEST(real_kernels_load),
		TEST(changed_header_bytes_never_crash),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
