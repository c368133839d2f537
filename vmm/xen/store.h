/* SPDX-License-Identifier: MIT */
/*
 * The xenstore of one virtual machine: a tree of small values with owners, transactions and
 * watches. The VMM is domain 0 and uses the calls below; the guest comes in through xs_conn.h
 * and store_ops.h. Semantics and error codes are those of docs/misc/xenstore.txt and of
 * xenstored; quotas bound whatever a hostile guest can make this process hold.
 *
 * Threads: everything here, the connections and the rings on top included, belongs to one
 * thread, the VMM's control thread. Nothing locks.
 */
#ifndef UPCALL_VMM_XEN_STORE_H
#define UPCALL_VMM_XEN_STORE_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>
#include <sys/types.h>

#include "vmm/xen/store_tree.h"

/* Quotas of a guest; the counts are xenstored's defaults. Domain 0 has none. */
#define UC_STORE_NODES_MAX	1000u	   /* nodes it owns: ENOSPC */
#define UC_STORE_NODE_BYTES_MAX 2048u	   /* value and children's names of one node: ENOSPC */
#define UC_STORE_WATCHES_MAX	128u	   /* ENOSPC */
#define UC_STORE_TX_MAX		10u	   /* transactions at once: ENOSPC */
#define UC_STORE_TX_PATHS_MAX	1024u	   /* paths one transaction may touch: ENOSPC */
#define UC_STORE_BYTES_MAX	(2u << 20) /* all trees and transaction logs: ENOMEM */

struct uc_store_tx;
struct uc_store_watch;

typedef void (*uc_store_watch_fn)(void *ctx, const char *path);

/* Someone who uses the store; its user owns it, uc_store_client_*() (store_ops.h) fill it. */
struct uc_store_client {
	uint16_t domid; /* 0 is privileged */
	unsigned n_watches;
	unsigned n_txs;
	uint32_t last_tx_id;
	TAILQ_HEAD(, uc_store_watch) watches;
	TAILQ_HEAD(, uc_store_tx) txs;
	/* `watch` was hit by a change of `path` (relative when the watch is). Must only queue. */
	void (*deliver)(struct uc_store_client *client, const struct uc_store_watch *watch,
			const char *path);
	TAILQ_ENTRY(uc_store_client) link;
};

struct uc_store {
	struct uc_store_pool pool;
	struct uc_store_tree tree;
	TAILQ_HEAD(, uc_store_client) clients;
	struct uc_store_client vmm;
	TAILQ_HEAD(, uc_store_event) events; /* for the VMM's watches, not yet called */
	bool dispatching;
};

int uc_store_init(struct uc_store *st);
/* All other clients have left before. */
void uc_store_destroy(struct uc_store *st);

/* All return 0 or -errno: EINVAL no path, ENOENT, ENOMEM. */
int uc_store_write(struct uc_store *st, const char *path, const char *value);
int uc_store_writef(struct uc_store *st, const char *path, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));
int uc_store_rm(struct uc_store *st, const char *path);
int uc_store_set_perms(struct uc_store *st, const char *path, const struct uc_store_perms *perms);
/* Make the node if need be, and set its permissions. */
int uc_store_mknod(struct uc_store *st, const char *path, const struct uc_store_perms *perms);

/*
 * Copy a value to `buf` with a NUL after it; returns its length. -E2BIG when `size` is too
 * small. The guest may have put any bytes there: parse it as hostile.
 */
ssize_t uc_store_read(struct uc_store *st, const char *path, char *buf, size_t size);

/*
 * Call `fn` once now, and after each change at or below `path`. It runs on this thread, after
 * the change is complete and never nested, and may use the store. One watch per (path, fn, ctx).
 */
int uc_store_watch(struct uc_store *st, const char *path, uc_store_watch_fn fn, void *ctx);
/* No call follows, not even for a change already made. */
int uc_store_unwatch(struct uc_store *st, const char *path, uc_store_watch_fn fn, void *ctx);

/* Fire "@introduceDomain" or "@releaseDomain"; only domain 0 may see them. */
void uc_store_fire_special(struct uc_store *st, const char *name);

/* Call the VMM's watches that were hit; for xs_conn.c, once a request is answered. */
void uc_store_dispatch(struct uc_store *st);

#endif
