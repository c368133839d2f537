/* SPDX-License-Identifier: MIT */
/* Repairs one instruction of QEMU 10's emulation of SVM; see qemu_fix.c. */
#ifndef UPCALL_LAB_QEMU_FIX_H
#define UPCALL_LAB_QEMU_FIX_H

#include <stddef.h>
#include <stdint.h>

#include "vmm/diag.h"

/* In place. -ENOENT: the code that is wrong is not there as known; -EEXIST: more than once. */
int uc_lab_qemu_fix_code(uint8_t *code, size_t bytes);
/* Make `to`, a repaired copy of `from`; it appears whole or not at all. -errno, `diag`. */
int uc_lab_qemu_fix(const char *from, const char *to, struct uc_diag *diag);

#endif
