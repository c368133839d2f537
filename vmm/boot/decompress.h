/* SPDX-License-Identifier: MIT */
/*
 * The compression formats of a bzImage payload. The input is untrusted; the output never exceeds
 * the size that the image claims. Called by image.c.
 */
#ifndef UPCALL_VMM_BOOT_DECOMPRESS_H
#define UPCALL_VMM_BOOT_DECOMPRESS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct uc_codec {
	const char *name;
	uint8_t magic[6];
	size_t magic_len;
	/* The kernel build adds the size as 4 bytes behind the stream; gzip's own trailer is it. */
	bool size_appended;
	/*
	 * Decode the whole of `in` to exactly `out_len` bytes. NULL, or the reason why that is
	 * impossible (a static string). The member itself is NULL for a format that is known by
	 * name only.
	 */
	const char *(*decode)(const uint8_t *in, size_t in_len, uint8_t *out, size_t out_len);
};

/* The format whose magic `data` starts with, or NULL. */
const struct uc_codec *uc_codec_find(const uint8_t *data, size_t len);

#endif
