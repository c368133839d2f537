/* SPDX-License-Identifier: MIT */
/* Which QEMU the lab runs on; see qemu.c. */
#ifndef UPCALL_LAB_QEMU_H
#define UPCALL_LAB_QEMU_H

#include <limits.h>
#include <stdbool.h>

#include "vmm/diag.h"

struct uc_lab_qemu {
	char path[PATH_MAX];
	char share[PATH_MAX]; /* its firmware, where it would not find that itself; else "" */
	char version[24];     /* "10.0.2"; "" when it does not tell */
	bool one_cpu;	      /* unreliable with more */
	bool wanting;	      /* one_cpu, and a better one may be downloaded */
};

/* What is there: $UPCALL_QEMU, or the best of PATH's and the cache's. -ENOENT: none. */
int uc_lab_qemu_find(struct uc_lab_qemu *qemu);
/* Get the better one if it is wanting; when that fails, what was found stays chosen. */
int uc_lab_qemu_improve(struct uc_lab_qemu *qemu, struct uc_diag *why_not);

/* "QEMU emulator version 7.2.22 (Debian ...)": the number, "" when there is none. */
void uc_lab_qemu_version(const char *line, char version[24]);

#endif
