/* SPDX-License-Identifier: MIT */
/*
 * One decoder per payload format, each in one call: all of the input is there and the size of the
 * output is known, so no format needs a window of its own, and a stream that decodes to more or
 * less than the image claims is corrupt.
 */
#include "vmm/boot/decompress.h"

#include <endian.h>
#include <lz4.h>
#include <lzma.h>
#include <string.h>
#include <zlib.h>
#include <zstd.h>

/* LZ4's legacy frame (lz4 -l): magic, then blocks of { le32 bytes, data }, 8 MiB each when decoded.
 */
#define LZ4_LEGACY_MAGIC 0x184c2102u
#define LZ4_LEGACY_BLOCK (8u << 20)

/* Kernels use dictionaries of up to 128 MiB; a larger claim is an attack on the host's memory. */
#define XZ_MEMORY_MAX (512ull << 20)

static const char too_short[] = "it holds less than the image claims";
static const char too_long[] = "it holds more than the image claims";

static uint32_t get_le32(const uint8_t *p)
{
	uint32_t v;

	memcpy(&v, p, sizeof(v));
	return le32toh(v);
}

static const char *decode_lz4(const uint8_t *in, size_t in_len, uint8_t *out, size_t out_len)
{
	size_t done = 0;

	while (in_len) {
		size_t room = out_len - done < LZ4_LEGACY_BLOCK ? out_len - done : LZ4_LEGACY_BLOCK;
		uint32_t block;
		int n;

		if (in_len < sizeof(block))
			return "a block header is cut short";
		block = get_le32(in);
		in += sizeof(block);
		in_len -= sizeof(block);
		if (block == LZ4_LEGACY_MAGIC) /* the frame's start, or a concatenated frame's */
			continue;
		if (!block || block > in_len || block > LZ4_COMPRESSBOUND(LZ4_LEGACY_BLOCK))
			return "a block's size is out of range";
		n = LZ4_decompress_safe((const char *)in, (char *)out + done, (int)block,
					(int)room);
		if (n < 0)
			return "a block cannot be decoded";
		done += (size_t)n;
		in += block;
		in_len -= block;
	}
	return done == out_len ? NULL : too_short;
}

static const char *decode_zstd(const uint8_t *in, size_t in_len, uint8_t *out, size_t out_len)
{
	size_t n = ZSTD_decompress(out, out_len, in, in_len);

	if (ZSTD_isError(n))
		return ZSTD_getErrorName(n);
	return n == out_len ? NULL : too_short;
}

static const char *xz_reason(lzma_ret ret)
{
	switch (ret) {
	case LZMA_FORMAT_ERROR:
		return "its header is damaged";
	case LZMA_OPTIONS_ERROR:
		return "it uses a filter or an option that is not supported";
	case LZMA_DATA_ERROR:
		return "its data or its checksum is wrong";
	case LZMA_BUF_ERROR:
		return "its end is missing, or it holds more than the image claims";
	case LZMA_MEM_ERROR:
	case LZMA_MEMLIMIT_ERROR:
		return "its dictionary needs too much memory";
	default:
		return "it cannot be decoded";
	}
}

static const char *decode_xz(const uint8_t *in, size_t in_len, uint8_t *out, size_t out_len)
{
	uint64_t memory_max = XZ_MEMORY_MAX;
	size_t in_done = 0, out_done = 0;
	lzma_ret ret = lzma_stream_buffer_decode(&memory_max, 0, NULL, in, &in_done, in_len, out,
						 &out_done, out_len);

	if (ret != LZMA_OK)
		return xz_reason(ret);
	if (in_done != in_len)
		return "bytes follow its end";
	return out_done == out_len ? NULL : too_short;
}

static const char *decode_gzip(const uint8_t *in, size_t in_len, uint8_t *out, size_t out_len)
{
	z_stream z = {
		.next_in = (uint8_t *)(uintptr_t)in, /* zlib reads it only */
		.avail_in = (uInt)in_len,
		.next_out = out,
		.avail_out = (uInt)out_len,
	};
	int ret;

	if (inflateInit2(&z, 16 + MAX_WBITS) != Z_OK) /* 16: a gzip header and trailer */
		return "zlib has no memory left";
	ret = inflate(&z, Z_FINISH);
	inflateEnd(&z);
	if (ret == Z_BUF_ERROR || ret == Z_OK)
		return z.avail_out ? "its end is missing" : too_long;
	if (ret != Z_STREAM_END)
		return "its data or its checksum is wrong";
	if (z.avail_in)
		return "bytes follow its end";
	return z.avail_out ? too_short : NULL;
}

/* Magics: Linux lib/decompress.c names the same formats. */
static const struct uc_codec codecs[] = {
	{"LZ4", {0x02, 0x21, 0x4c, 0x18}, 4, true, decode_lz4},
	{"zstd", {0x28, 0xb5, 0x2f, 0xfd}, 4, true, decode_zstd},
	{"xz", {0xfd, '7', 'z', 'X', 'Z', 0x00}, 6, true, decode_xz},
	{"gzip", {0x1f, 0x8b}, 2, false, decode_gzip},
	{"bzip2", {'B', 'Z', 'h'}, 3, true, NULL},
	{"LZMA", {0x5d, 0x00, 0x00}, 3, true, NULL},
	{"LZO", {0x89, 'L', 'Z', 'O'}, 4, true, NULL},
};

const struct uc_codec *uc_codec_find(const uint8_t *data, size_t len)
{
	for (size_t i = 0; i < sizeof(codecs) / sizeof(codecs[0]); i++) {
		const struct uc_codec *c = &codecs[i];

		if (len >= c->magic_len && memcmp(data, c->magic, c->magic_len) == 0)
			return c;
	}
	return NULL;
}
