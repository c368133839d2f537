/* SPDX-License-Identifier: MIT */
/*
 * A back end's way to memory that the guest has granted to domain 0 (version 1 entries).
 *
 * An entry is read once, checked, and marked as in use by compare-and-swap; the guest takes a grant
 * back only when the mark is gone. Whatever a guest writes into its table, a bad grant is an error
 * of that one access: the pointers given out lie in guest RAM, which stays mapped as long as the
 * machine lives. Two accesses through one entry at once are allowed; the first to end takes the
 * mark away, so a guest that does that must not rely on it.
 *
 * Any thread.
 */
#ifndef UPCALL_VMM_XEN_GNTTAB_H
#define UPCALL_VMM_XEN_GNTTAB_H

#include <stdbool.h>
#include <stdint.h>

#include "vmm/mem.h"

struct uc_gnttab {
	void *entries; /* the table's pages, shared with the guest; those it has not placed are 0 */
	uint32_t nr_entries;
	const struct uc_mem *mem;
};

struct uc_grants;

/* The table of a machine: vmm/xen/grants.h keeps its pages. */
struct uc_gnttab uc_gnttab_of(const struct uc_grants *grants, const struct uc_mem *mem);

/*
 * The granted page's address, marked in use until uc_gnttab_end() with the same arguments; NULL
 * when there is no such grant to domain 0, it is read-only and `write` is wanted, its frame is not
 * RAM, or the guest keeps changing it.
 */
void *uc_gnttab_begin(const struct uc_gnttab *t, uint32_t ref, bool write);
void uc_gnttab_end(const struct uc_gnttab *t, uint32_t ref, bool write);

/* Copy out of or into [offset, offset + len) of one granted page. -EINVAL, -EACCES. */
int uc_gnttab_read(const struct uc_gnttab *t, uint32_t ref, uint32_t offset, void *to,
		   uint32_t len);
int uc_gnttab_write(const struct uc_gnttab *t, uint32_t ref, uint32_t offset, const void *from,
		    uint32_t len);

#endif
