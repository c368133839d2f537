/* SPDX-License-Identifier: MIT */
/*
 * Watches: which clients hear of a change. A watch is hit by a change at or below its path, and
 * by the removal of a parent that took its node away (then with the watch's own path).
 * Called by store_ops.c, store_tx.c (on commit), store.c and xs_conn.c.
 */
#ifndef UPCALL_VMM_XEN_STORE_WATCH_H
#define UPCALL_VMM_XEN_STORE_WATCH_H

#include "vmm/xen/store.h"

struct uc_store_watch {
	TAILQ_ENTRY(uc_store_watch) link;
	unsigned prefix_len;  /* leading bytes of an event's path that the client leaves out */
	uc_store_watch_fn fn; /* the VMM's watches only */
	void *ctx;
	char *token; /* the guest's watches only; points behind path */
	char path[]; /* absolute */
};

/*
 * Register; the caller queues the first event through uc_store_watch_first() once it has
 * answered. -EEXIST for the same path and token, -ENOSPC over quota, -EINVAL, -ENOMEM.
 */
int uc_store_watch_add(struct uc_store_client *client, const char *path, const char *token,
		       struct uc_store_watch **out);
void uc_store_watch_first(struct uc_store_client *client, struct uc_store_watch *watch);
/* -ENOENT when there is none. */
int uc_store_watch_del(struct uc_store_client *client, const char *path, const char *token);
void uc_store_watch_free(struct uc_store_client *client, struct uc_store_watch *watch);
void uc_store_watch_drop_all(struct uc_store_client *client);

/*
 * `path` changed between the trees `before` and `after`; `removed`: all below it went away. A
 * client hears of it when it may read the node, or the node's parent, in either tree.
 */
void uc_store_watch_fire(struct uc_store *st, const struct uc_store_tree *before,
			 const struct uc_store_tree *after, const char *path, bool removed);

#endif
