/* SPDX-License-Identifier: MIT */
/* The lab machine's root file system; see initramfs.c. Called by lab.c. */
#ifndef UPCALL_LAB_INITRAMFS_H
#define UPCALL_LAB_INITRAMFS_H

#include "vmm/diag.h"

/*
 * An open descriptor (O_RDONLY, CLOEXEC) of an initramfs that holds this very binary, or -errno.
 * It stays valid when the file is pruned from the cache.
 */
int uc_lab_initramfs(struct uc_diag *diag);

#endif
