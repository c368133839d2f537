/* SPDX-License-Identifier: MIT */
/*
 * The xenstore's data: a persistent tree. A node that is reachable from two roots is never
 * changed; a change clones the nodes on its path and shares the rest. So
 *  - a snapshot (a transaction's copy, the state before a change) costs one reference;
 *  - a sequence of changes is atomic: it is made on a copy that replaces the tree at the end;
 *  - two trees hold the same pointer at a path exactly when nothing at or below it changed.
 *
 * Paths are valid and absolute here (store_path.h). Recursion is as deep as a path has
 * components: at most XENSTORE_ABS_PATH_MAX / 2 = 1536.
 * Called by store_ops.c, store_tx.c, store_watch.c; not thread-safe.
 */
#ifndef UPCALL_VMM_XEN_STORE_TREE_H
#define UPCALL_VMM_XEN_STORE_TREE_H

#include <stddef.h>
#include <stdint.h>

#include "vmm/xen/store_perm.h"

struct uc_store_pool {
	uint64_t last_gen; /* last generation given to a changed node; 0 stands for "no node" */
	size_t live_bytes; /* of all nodes of all trees, and of the transactions' logs */
};

struct uc_store_node {
	unsigned refs;
	uint64_t gen; /* changes with the value, the permissions or the list of children */
	struct uc_store_perms perms;
	uint32_t value_len;
	uint32_t n_children;
	uint32_t names_len; /* of all children's names with their NULs: a DIRECTORY reply */
	uint8_t *value;
	struct uc_store_node **children; /* sorted by name; room for one more */
	char name[];			 /* last component; "" for the root */
};

struct uc_store_tree {
	struct uc_store_pool *pool;
	struct uc_store_node *root;
	unsigned guest_nodes; /* nodes whose owner is not domain 0 */
};

/* What to store; NULL `perms` or `value` keeps what the node has. */
struct uc_store_put {
	const struct uc_store_perms *perms; /* required when the node may be new */
	const void *value;
	size_t value_len;
};

/* A tree that holds only "/", owned by domain 0, closed to others. -ENOMEM. */
int uc_store_tree_init(struct uc_store_tree *tree, struct uc_store_pool *pool);
struct uc_store_tree uc_store_tree_copy(const struct uc_store_tree *tree);
void uc_store_tree_release(struct uc_store_tree *tree);

/* The node at `path`, or NULL. Valid while the tree is neither changed nor released. */
const struct uc_store_node *uc_store_tree_find(const struct uc_store_tree *tree, const char *path);
/* The nearest existing ancestor of `path`, at worst the root; `*below`: the path from there. */
const struct uc_store_node *uc_store_tree_ancestor(const struct uc_store_tree *tree,
						   const char *path, const char **below);

/* Create or change a node; missing parents get put->perms and no value. -ENOMEM: no change. */
int uc_store_tree_put(struct uc_store_tree *tree, const char *path, const struct uc_store_put *put);

/* Delete a node, not the root, and all below it. 0 when there is none. -ENOMEM: no change. */
int uc_store_tree_rm(struct uc_store_tree *tree, const char *path);

#endif
