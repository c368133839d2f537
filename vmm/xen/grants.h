/* SPDX-License-Identifier: MIT */
/* The grant table's pages (version 1), and where the guest has placed them. */
#ifndef UPCALL_VMM_XEN_GRANTS_H
#define UPCALL_VMM_XEN_GRANTS_H

#include "vmm/vm.h"

#define UC_GRANT_FRAMES_MAX 64u /* as Xen's default */
#define UC_GRANT_NOWHERE    UINT64_MAX

struct uc_grants {
	int fd;	       /* memfd: frames must be mappable at a second place, over guest RAM */
	uint8_t *base; /* UC_GRANT_FRAMES_MAX pages */
	uint32_t first_slot;
	uint32_t used;			   /* frames that the guest has placed: 1 + the highest */
	uint64_t gfn[UC_GRANT_FRAMES_MAX]; /* where each is now, or UC_GRANT_NOWHERE */
};

int uc_grants_create(struct uc_vm *vm, struct uc_diag *diag);
void uc_grants_destroy(struct uc_vm *vm);
/*
 * XENMAPSPACE_grant_table: frame `index` shall be at `gfn`, and nowhere else. vm->lock held.
 * -EINVAL.
 */
int uc_grants_map(struct uc_vm *vm, uint64_t index, uint64_t gfn);

#endif
