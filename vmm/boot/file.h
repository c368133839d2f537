/* SPDX-License-Identifier: MIT */
/*
 * Files a person names on the command line, opened so that a mistake (a directory, a FIFO without
 * a writer, an empty file) is a message and never a hang. Called by image.c and initrd.c.
 */
#ifndef UPCALL_VMM_BOOT_FILE_H
#define UPCALL_VMM_BOOT_FILE_H

#include <stdint.h>

#include "vmm/diag.h"

struct uc_file {
	const char *what; /* "kernel", "initrd": the first word of each message */
	const char *path;
	enum uc_exit status; /* what a failure of this file makes the program exit with */
	int fd;
	uint64_t size; /* bytes, > 0 after uc_file_open() */
};

/* Open `f->path`, a regular file that is not empty. -errno with `diag` filled, or 0. */
int uc_file_open(struct uc_file *f, struct uc_diag *diag);
/* Read all `f->size` bytes into `to`; -ENODATA when the file has shrunk since it was opened. */
int uc_file_read(const struct uc_file *f, uint8_t *to, struct uc_diag *diag);
void uc_file_close(struct uc_file *f);

#endif
