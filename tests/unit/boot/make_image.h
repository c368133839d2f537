/* SPDX-License-Identifier: MIT */
/*
 * Kernel files made from nothing, for the tests of vmm/boot: small enough that each can be cut at
 * every byte. Called by the tests of images; a failure to build one ends the test program.
 */
#ifndef UPCALL_TESTS_BOOT_MAKE_IMAGE_H
#define UPCALL_TESTS_BOOT_MAKE_IMAGE_H

#include <elf.h>
#include <stddef.h>
#include <stdint.h>

struct bytes {
	uint8_t *data;
	size_t len;
};

#define MADE_LOAD_AT 0x1000000u /* p_paddr of the made kernel's one segment */
#define MADE_CODE    256u	/* bytes of it in the file, the byte at i being code_byte(i) */
#define MADE_BSS     512u	/* zeroed bytes behind them */
#define MADE_ENTRY   (MADE_LOAD_AT + 0x10u)

static inline uint8_t code_byte(size_t i)
{
	return (uint8_t)(i * 7 + i / 16 + 1);
}

/* The made ELF: header, PT_LOAD, PT_NOTE, code, notes; nothing behind the last note. */
struct made_elf {
	Elf64_Ehdr eh;
	Elf64_Phdr load, note;
	uint8_t code[MADE_CODE];
	struct {
		Elf64_Nhdr h;
		char name[8];
		uint32_t value;
	} other; /* another vendor's note of the same type, to be skipped */
	struct {
		Elf64_Nhdr h;
		char name[4];
		uint32_t value[2];
	} entry;
};

enum packing { PACK_LZ4, PACK_ZSTD, PACK_XZ, PACK_GZIP, PACK_COUNT };
extern const char *const packing_names[PACK_COUNT];

void make_elf(struct made_elf *elf);
/* `data` as the kernel build packs it: the stream, and (but for gzip) the size behind it. */
struct bytes make_payload(enum packing how, const void *data, size_t len);
/* A bzImage around a payload; its code ends at the next 16 bytes behind the payload. */
struct bytes make_bzimage(const uint8_t *payload, size_t len);
/* make_elf(), make_payload() and make_bzimage() in one. */
struct bytes make_packed(enum packing how, const struct made_elf *elf);

/* Where make_bzimage() puts the payload, and its size. */
size_t bzimage_payload_at(const struct bytes *image);
uint32_t bzimage_payload_len(const struct bytes *image);

#endif
