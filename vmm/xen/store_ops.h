/* SPDX-License-Identifier: MIT */
/*
 * What a client can do with the store, permissions, quotas and transactions included: the
 * common body of the VMM's calls (store.c) and of the guest's messages (xs_conn.c).
 * Paths come as the client gave them. All return 0 or the -errno that xenstored would send.
 */
#ifndef UPCALL_VMM_XEN_STORE_OPS_H
#define UPCALL_VMM_XEN_STORE_OPS_H

#include "vmm/xen/store.h"

struct uc_store_op {
	struct uc_store *st;
	struct uc_store_client *client;
	struct uc_store_tx *tx; /* NULL: at once */
};

void uc_store_client_init(struct uc_store *st, struct uc_store_client *client, uint16_t domid);
/* Drops its watches and transactions. */
void uc_store_client_leave(struct uc_store *st, struct uc_store_client *client);

/* For READ, DIRECTORY, GET_PERMS. `*node` is valid until the store changes. */
int uc_store_op_get(const struct uc_store_op *op, const char *path,
		    const struct uc_store_node **node);
int uc_store_op_write(const struct uc_store_op *op, const char *path, const void *value,
		      size_t len);
int uc_store_op_mkdir(const struct uc_store_op *op, const char *path);
int uc_store_op_rm(const struct uc_store_op *op, const char *path);
int uc_store_op_set_perms(const struct uc_store_op *op, const char *path,
			  const struct uc_store_perms *perms);

#endif
