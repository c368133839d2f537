/* SPDX-License-Identifier: MIT */
/* Writes an initramfs archive ("newc", Documentation/driver-api/early-userspace/buffer-format). */
#ifndef UPCALL_LAB_CPIO_H
#define UPCALL_LAB_CPIO_H

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/types.h>

struct uc_cpio {
	FILE *to;
	uint32_t next_ino;
	int error; /* -errno of the first failure; later calls do nothing */
};

void uc_cpio_begin(struct uc_cpio *cpio, FILE *to);
/* Paths are absolute; the directories above a path come into being with it. */
void uc_cpio_data(struct uc_cpio *cpio, const char *path, mode_t mode, const void *data,
		  size_t len);
void uc_cpio_copy(struct uc_cpio *cpio, const char *path, mode_t mode, const char *from);
void uc_cpio_symlink(struct uc_cpio *cpio, const char *path, const char *target);
void uc_cpio_chardev(struct uc_cpio *cpio, const char *path, unsigned int major,
		     unsigned int minor);
/* Ends the archive. 0, or the first failure. */
int uc_cpio_end(struct uc_cpio *cpio);

#endif
