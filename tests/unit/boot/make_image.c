/* SPDX-License-Identifier: MIT */
/*
 * The builders, after the same documents as the loader but the other way round: the compression
 * libraries' encoders, and the bzImage layout by its offsets.
 */
#include "tests/unit/boot/make_image.h"

#include <asm/bootparam.h>
#include <lz4.h>
#include <lzma.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <xen/elfnote.h>
#include <zlib.h>
#include <zstd.h>

#define SETUP_SECTORS	1u
#define CODE_AT		((1u + SETUP_SECTORS) * 512u)
#define PAYLOAD_OFFSET	24u
#define SETUP_HEADER_AT 0x1f1u
#define PACKED_MAX	4096u

const char *const packing_names[PACK_COUNT] = {"LZ4", "zstd", "xz", "gzip"};

static void need(int ok, const char *what)
{
	if (ok)
		return;
	fprintf(stderr, "cannot make an image: %s\n", what);
	abort();
}

static void *zalloc(size_t len)
{
	void *p = calloc(1, len);

	need(p != NULL, "no memory");
	return p;
}

static void fill_notes(struct made_elf *elf)
{
	elf->other.h = (Elf64_Nhdr){.n_namesz = 6, .n_descsz = 4, .n_type = 18};
	memcpy(elf->other.name, "Other", 6);
	elf->other.value = 0xdeadbeef;
	elf->entry.h = (Elf64_Nhdr){
		.n_namesz = 4, .n_descsz = 8, .n_type = XEN_ELFNOTE_PHYS32_ENTRY};
	memcpy(elf->entry.name, "Xen", 4);
	elf->entry.value[0] = MADE_ENTRY;
	elf->entry.value[1] = 0;
}

void make_elf(struct made_elf *elf)
{
	memset(elf, 0, sizeof(*elf));
	memcpy(elf->eh.e_ident, ELFMAG, SELFMAG);
	elf->eh.e_ident[EI_CLASS] = ELFCLASS64;
	elf->eh.e_ident[EI_DATA] = ELFDATA2LSB;
	elf->eh.e_type = ET_EXEC;
	elf->eh.e_machine = EM_X86_64;
	elf->eh.e_phoff = offsetof(struct made_elf, load);
	elf->eh.e_phentsize = sizeof(Elf64_Phdr);
	elf->eh.e_phnum = 2;
	elf->load = (Elf64_Phdr){.p_type = PT_LOAD,
				 .p_offset = offsetof(struct made_elf, code),
				 .p_paddr = MADE_LOAD_AT,
				 .p_filesz = MADE_CODE,
				 .p_memsz = MADE_CODE + MADE_BSS};
	elf->note = (Elf64_Phdr){.p_type = PT_NOTE,
				 .p_offset = offsetof(struct made_elf, other),
				 .p_filesz = sizeof(*elf) - offsetof(struct made_elf, other),
				 .p_align = 4};
	for (size_t i = 0; i < MADE_CODE; i++)
		elf->code[i] = code_byte(i);
	fill_notes(elf);
}

static size_t pack_lz4(const void *in, size_t len, uint8_t *out)
{
	static const uint8_t magic[] = {0x02, 0x21, 0x4c, 0x18};
	uint32_t block;
	int n = LZ4_compress_default(in, (char *)out + 8, (int)len, PACKED_MAX - 8);

	need(n > 0, "LZ4");
	block = (uint32_t)n;
	memcpy(out, magic, sizeof(magic));
	memcpy(out + 4, &block, sizeof(block));
	return 8 + block;
}

static size_t pack_zstd(const void *in, size_t len, uint8_t *out)
{
	size_t n = ZSTD_compress(out, PACKED_MAX, in, len, 19);

	need(!ZSTD_isError(n), "zstd");
	return n;
}

/* As scripts/xz_wrap.sh does on x86: the BCJ filter for branches, and CRC32. */
static size_t pack_xz(const void *in, size_t len, uint8_t *out)
{
	lzma_options_lzma options;
	lzma_filter filters[] = {
		{.id = LZMA_FILTER_X86},
		{.id = LZMA_FILTER_LZMA2, .options = &options},
		{.id = LZMA_VLI_UNKNOWN},
	};
	size_t n = 0;

	need(!lzma_lzma_preset(&options, 6), "xz preset");
	need(lzma_stream_buffer_encode(filters, LZMA_CHECK_CRC32, NULL, in, len, out, &n,
				       PACKED_MAX) == LZMA_OK,
	     "xz");
	return n;
}

static size_t pack_gzip(const void *in, size_t len, uint8_t *out)
{
	z_stream z = {.next_in = (uint8_t *)(uintptr_t)in,
		      .avail_in = (uInt)len,
		      .next_out = out,
		      .avail_out = PACKED_MAX};

	need(deflateInit2(&z, 9, Z_DEFLATED, 16 + MAX_WBITS, 8, Z_DEFAULT_STRATEGY) == Z_OK,
	     "gzip");
	need(deflate(&z, Z_FINISH) == Z_STREAM_END, "gzip");
	deflateEnd(&z);
	return PACKED_MAX - z.avail_out;
}

struct bytes make_payload(enum packing how, const void *data, size_t len)
{
	static size_t (*const pack[PACK_COUNT])(const void *, size_t, uint8_t *) = {
		pack_lz4, pack_zstd, pack_xz, pack_gzip};
	struct bytes b = {.data = zalloc(PACKED_MAX + 4)};
	uint32_t size = (uint32_t)len;

	b.len = pack[how](data, len, b.data);
	if (how != PACK_GZIP) {
		memcpy(b.data + b.len, &size, sizeof(size));
		b.len += sizeof(size);
	}
	return b;
}

struct bytes make_bzimage(const uint8_t *payload, size_t len)
{
	size_t code_len = (PAYLOAD_OFFSET + len + 15) / 16 * 16;
	struct bytes b = {zalloc(CODE_AT + code_len), CODE_AT + code_len};
	struct setup_header h = {.setup_sects = SETUP_SECTORS,
				 .syssize = (uint32_t)(code_len / 16),
				 .boot_flag = 0xaa55,
				 .header = 0x53726448,
				 .version = 0x20f,
				 .loadflags = 1,
				 .payload_offset = PAYLOAD_OFFSET,
				 .payload_length = (uint32_t)len};

	memcpy(b.data + SETUP_HEADER_AT, &h, sizeof(h));
	memcpy(b.data + CODE_AT + PAYLOAD_OFFSET, payload, len);
	return b;
}

struct bytes make_packed(enum packing how, const struct made_elf *elf)
{
	struct bytes payload = make_payload(how, elf, sizeof(*elf));
	struct bytes image = make_bzimage(payload.data, payload.len);

	free(payload.data);
	return image;
}

size_t bzimage_payload_at(const struct bytes *image)
{
	(void)image;
	return CODE_AT + PAYLOAD_OFFSET;
}

uint32_t bzimage_payload_len(const struct bytes *image)
{
	uint32_t v;

	memcpy(&v, image->data + SETUP_HEADER_AT + offsetof(struct setup_header, payload_length),
	       sizeof(v));
	return v;
}
