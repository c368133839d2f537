/* SPDX-License-Identifier: MIT */
/*
 * What the tests of kernel images share: a guest of 64 MiB and the result of the last load.
 * Called by image_test.c and elf_test.c.
 */
#ifndef UPCALL_TESTS_BOOT_HARNESS_H
#define UPCALL_TESTS_BOOT_HARNESS_H

#include <stddef.h>
#include <stdint.h>

#include "tests/unit/boot/make_image.h"
#include "vmm/boot/image.h"

extern struct uc_mem ram;
extern struct uc_diag diag;
extern struct uc_kernel kernel;

int set_up(void **state);
int tear_down(void **state);

/* Load the first `len` bytes, from a block of that size. */
int load(const void *data, size_t len);
/* The load failed with -expected, and its one line says `words`. */
void assert_refused(int err, int expected, int status, const char *words);
/* Fill RAM around the made kernel with 0xa5; after a load, only the kernel's bytes differ. */
void dirty_ram(void);
void assert_made_kernel_in_ram(void);
/*
 * Change each bit of data[from..to), and each byte to 0 and to 0xff: a kernel or one error, never
 * a crash.
 */
void try_changes(uint8_t *data, size_t len, size_t from, size_t to);

#endif
