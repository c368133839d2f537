/* SPDX-License-Identifier: MIT */
/*
 * Permissions of a xenstore node: the first entry names the owner, who may do anything, and
 * carries the access of every domain without an entry of its own. Domain 0 may do anything.
 * Called by store_*.c and xs_conn.c; holds no state.
 */
#ifndef UPCALL_VMM_XEN_STORE_PERM_H
#define UPCALL_VMM_XEN_STORE_PERM_H

#include <stddef.h>
#include <stdint.h>

#define UC_STORE_PERMS_MAX 5 /* xenstored's default quota "permissions" */

enum uc_store_access {
	UC_STORE_NONE = 0,
	UC_STORE_READ = 1,
	UC_STORE_WRITE = 2,
	UC_STORE_OWNER = 4, /* only ever asked for, never stored */
};

struct uc_store_perm {
	uint16_t domid;
	uint8_t access; /* enum uc_store_access */
};

struct uc_store_perms {
	unsigned n; /* 1 to UC_STORE_PERMS_MAX */
	struct uc_store_perm p[UC_STORE_PERMS_MAX];
};

/* What `domid` may do with a node that has `perms`. */
unsigned uc_store_perms_of(const struct uc_store_perms *perms, uint16_t domid);

/*
 * Parse "r1", "b0", ... -EINVAL when `text` is something else.
 * The text form needs at most UC_STORE_PERM_TEXT bytes with its NUL.
 */
#define UC_STORE_PERM_TEXT 7
int uc_store_perm_parse(struct uc_store_perm *perm, const char *text);
void uc_store_perm_format(const struct uc_store_perm *perm, char text[UC_STORE_PERM_TEXT]);

/* A decimal domain id, 0 to 65535, with nothing around it; -EINVAL otherwise. */
int uc_store_domid_parse(uint16_t *domid, const char *text);

#endif
