/* SPDX-License-Identifier: MIT */
/*
 * Kernel files. A bzImage is real-mode set-up code with a header, followed by a decompressor that
 * carries the ELF kernel as its payload; the payload alone is of use to a PVH boot. The layout is
 * Linux's Documentation/arch/x86/boot.rst, the structure <asm/bootparam.h>.
 *
 * Kept true: what is read lies within the file; memory for the decompressed kernel is bounded by
 * UC_KERNEL_MAX whatever the file claims.
 */
#include "vmm/boot/image.h"

#include <asm/bootparam.h>
#include <endian.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "vmm/boot/decompress.h"
#include "vmm/boot/elf.h"
#include "vmm/boot/file.h"

#define SETUP_HEADER_AT	 0x1f1u /* offset of struct setup_header in the file */
#define SECTOR		 512u
#define BOOT_FLAG	 0xaa55u
#define HEADER_MAGIC	 0x53726448u /* "HdrS" */
#define PROTOCOL_PAYLOAD 0x208u	     /* the first boot protocol with payload_offset */
/* Less cannot hold a magic number and the appended size. */
#define PAYLOAD_MIN 8u

struct span {
	const char *name; /* of the kernel file, for messages */
	const uint8_t *data;
	size_t len;
};

/* The bytes of the set-up header that are used: up to and with payload_length. */
static size_t header_bytes(void)
{
	return offsetof(struct setup_header, setup_data);
}

static bool is_bzimage(const struct span *file)
{
	struct setup_header h;
	size_t need = offsetof(struct setup_header, version);

	if (file->len < SETUP_HEADER_AT + need)
		return false;
	memcpy(&h, file->data + SETUP_HEADER_AT, need);
	return h.boot_flag == BOOT_FLAG && h.header == HEADER_MAGIC;
}

static int truncated(const struct span *file, uint64_t need, struct uc_diag *diag)
{
	return uc_fail(diag, UC_EXIT_KERNEL, ENODATA,
		       "kernel %s is truncated: its header announces %llu bytes, the file has %zu",
		       file->name, (unsigned long long)need, file->len);
}

/* Where the payload is. 32-bit numbers in 64-bit sums: nothing wraps. */
static int bzimage_payload(const struct span *file, struct span *payload, struct uc_diag *diag)
{
	uint64_t code_at, code_len;
	struct setup_header h;

	if (file->len < SETUP_HEADER_AT + header_bytes())
		return truncated(file, SETUP_HEADER_AT + header_bytes(), diag);
	memcpy(&h, file->data + SETUP_HEADER_AT, header_bytes());
	if (h.version < PROTOCOL_PAYLOAD)
		return uc_fail(diag, UC_EXIT_KERNEL, ENOEXEC,
			       "kernel %s has boot protocol %u.%02u, older than 2.08 (Linux "
			       "2.6.26): give a newer kernel or its vmlinux",
			       file->name, h.version >> 8, h.version & 0xff);
	code_at = ((h.setup_sects ? h.setup_sects : 4u) + 1u) * SECTOR;
	code_len = (uint64_t)h.syssize * 16;
	if (file->len < code_at + code_len)
		return truncated(file, code_at + code_len, diag);
	if (h.payload_length < PAYLOAD_MIN ||
	    (uint64_t)h.payload_offset + h.payload_length > code_len)
		return uc_fail(diag, UC_EXIT_KERNEL, ENOEXEC,
			       "kernel %s is corrupt: its header places the payload outside of it",
			       file->name);
	*payload = (struct span){file->name, file->data + code_at + h.payload_offset,
				 h.payload_length};
	return 0;
}

static int find_codec(const struct span *payload, const struct uc_codec **codec,
		      struct uc_diag *diag)
{
	const uint8_t *p = payload->data;

	*codec = uc_codec_find(p, payload->len);
	if (!*codec)
		return uc_fail(diag, UC_EXIT_KERNEL, ENOEXEC,
			       "kernel %s: its payload's compression is unknown (it starts with "
			       "%02x %02x %02x %02x): LZ4, zstd, xz and gzip are known",
			       payload->name, p[0], p[1], p[2], p[3]);
	if (!(*codec)->decode)
		return uc_fail(
			diag, UC_EXIT_KERNEL, ENOTSUP,
			"kernel %s: its payload's compression is %s, which is not "
			"supported: build it with LZ4, zstd, xz or gzip, or give its vmlinux",
			payload->name, (*codec)->name);
	return 0;
}

/* Decode into a buffer that the caller frees. */
static int decompress(const struct span *payload, const struct uc_codec *codec, uint8_t **out,
		      size_t *out_len, struct uc_diag *diag)
{
	size_t in_len = payload->len - (codec->size_appended ? sizeof(uint32_t) : 0);
	const char *why;
	uint32_t claim;

	memcpy(&claim, payload->data + payload->len - sizeof(claim), sizeof(claim));
	*out_len = le32toh(claim);
	if (*out_len == 0 || *out_len > UC_KERNEL_MAX)
		return uc_fail(diag, UC_EXIT_KERNEL, EFBIG,
			       "kernel %s: its %s payload is corrupt: it claims to hold %zu bytes, "
			       "which is not between 1 and 1 GiB",
			       payload->name, codec->name, *out_len);
	*out = malloc(*out_len);
	if (!*out)
		return uc_fail(diag, UC_EXIT_INTERNAL, ENOMEM,
			       "no host memory to decompress kernel %s (%zu MiB): free some",
			       payload->name, *out_len >> 20);
	why = codec->decode(payload->data, in_len, *out, *out_len);
	if (why) {
		free(*out);
		return uc_fail(diag, UC_EXIT_KERNEL, EBADMSG,
			       "kernel %s: its %s payload is corrupt: %s", payload->name,
			       codec->name, why);
	}
	return 0;
}

static int load_bzimage(const struct span *file, const struct uc_mem *mem, struct uc_kernel *k,
			struct uc_diag *diag)
{
	const struct uc_codec *codec;
	struct span payload = {0};
	size_t elf_len = 0;
	uint8_t *elf = NULL;
	int err;

	err = bzimage_payload(file, &payload, diag);
	if (!err)
		err = find_codec(&payload, &codec, diag);
	if (!err)
		err = decompress(&payload, codec, &elf, &elf_len, diag);
	if (err)
		return err;
	if (uc_elf_is_kernel(elf, elf_len))
		err = uc_elf_load(file->name, elf, elf_len, mem, k, diag);
	else
		err = uc_fail(diag, UC_EXIT_KERNEL, ENOEXEC,
			      "kernel %s: its payload is not an ELF64 x86-64 kernel (32-bit "
			      "kernels are not supported)",
			      file->name);
	free(elf);
	k->format = codec->name;
	return err;
}

int uc_kernel_load_bytes(const char *name, const uint8_t *data, size_t len,
			 const struct uc_mem *mem, struct uc_kernel *k, struct uc_diag *diag)
{
	struct span file = {name, data, len};

	if (is_bzimage(&file))
		return load_bzimage(&file, mem, k, diag);
	if (!uc_elf_is_kernel(data, len))
		return uc_fail(diag, UC_EXIT_KERNEL, ENOEXEC,
			       "%s is not a kernel: it is neither a bzImage nor an ELF64 x86-64 "
			       "vmlinux",
			       name);
	k->format = "ELF";
	return uc_elf_load(name, data, len, mem, k, diag);
}

static int load_open_file(const struct uc_file *f, const struct uc_mem *mem, struct uc_kernel *k,
			  struct uc_diag *diag)
{
	uint8_t *data;
	int err;

	if (f->size > UC_KERNEL_MAX)
		return uc_fail(diag, UC_EXIT_KERNEL, EFBIG,
			       "kernel %s has %llu MiB, more than the 1 GiB a kernel may have",
			       f->path, (unsigned long long)(f->size >> 20));
	data = malloc(f->size);
	if (!data)
		return uc_fail(diag, UC_EXIT_INTERNAL, ENOMEM,
			       "no host memory to read kernel %s (%llu MiB): free some", f->path,
			       (unsigned long long)(f->size >> 20));
	err = uc_file_read(f, data, diag);
	if (!err)
		err = uc_kernel_load_bytes(f->path, data, f->size, mem, k, diag);
	free(data);
	return err;
}

int uc_kernel_load(const char *path, const struct uc_mem *mem, struct uc_kernel *k,
		   struct uc_diag *diag)
{
	struct uc_file f = {.what = "kernel", .path = path, .status = UC_EXIT_KERNEL};
	int err;

	memset(k, 0, sizeof(*k));
	err = uc_file_open(&f, diag);
	if (err)
		return err;
	err = load_open_file(&f, mem, k, diag);
	uc_file_close(&f);
	return err;
}
