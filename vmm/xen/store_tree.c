/* SPDX-License-Identifier: MIT */
#include "vmm/xen/store_tree.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "vmm/xen/store_path.h"

typedef struct uc_store_node node_t;
typedef struct uc_store_pool pool_t;

static size_t node_bytes(const node_t *node)
{
	return sizeof(*node) + strlen(node->name) + 1 + node->value_len +
	       node->n_children * sizeof(node_t *);
}

static void node_unref(pool_t *pool, node_t *node)
{
	if (!node || --node->refs)
		return;
	for (uint32_t i = 0; i < node->n_children; i++)
		node_unref(pool, node->children[i]);
	pool->live_bytes -= node_bytes(node);
	free(node->children);
	free(node->value);
	free(node);
}

static int node_set_value(node_t *node, const void *value, size_t len)
{
	uint8_t *copy = NULL;

	if (len) {
		copy = malloc(len);
		if (!copy)
			return -ENOMEM;
		memcpy(copy, value, len);
	}
	free(node->value);
	node->value = copy;
	node->value_len = (uint32_t)len;
	return 0;
}

static node_t *node_new(pool_t *pool, const char *name, size_t name_len, uint32_t n_children)
{
	node_t *node = calloc(1, sizeof(*node) + name_len + 1);

	if (!node)
		return NULL;
	node->children = malloc((n_children + 1) * sizeof(node_t *));
	if (!node->children) {
		free(node);
		return NULL;
	}
	node->refs = 1;
	node->gen = ++pool->last_gen;
	memcpy(node->name, name, name_len);
	pool->live_bytes += node_bytes(node);
	return node;
}

/* A private copy that shares the children. */
static node_t *node_clone(pool_t *pool, const node_t *old)
{
	node_t *node = node_new(pool, old->name, strlen(old->name), old->n_children);

	if (!node)
		return NULL;
	if (node_set_value(node, old->value, old->value_len)) {
		node_unref(pool, node);
		return NULL;
	}
	node->gen = old->gen;
	node->perms = old->perms;
	node->n_children = old->n_children;
	node->names_len = old->names_len;
	for (uint32_t i = 0; i < old->n_children; i++) {
		node->children[i] = old->children[i];
		node->children[i]->refs++;
	}
	pool->live_bytes += node->value_len + node->n_children * sizeof(node_t *);
	return node;
}

static int name_cmp(const char *name, const char *part, size_t part_len)
{
	int order = strncmp(name, part, part_len);

	return order ? order : (unsigned char)name[part_len];
}

/* Where the child named `part` is, or where it would go. */
static uint32_t child_slot(const node_t *node, const char *part, size_t part_len, bool *found)
{
	uint32_t low = 0, high = node->n_children;

	*found = false;
	while (low < high) {
		uint32_t mid = low + (high - low) / 2;
		int order = name_cmp(node->children[mid]->name, part, part_len);

		if (!order) {
			*found = true;
			return mid;
		}
		if (order < 0)
			low = mid + 1;
		else
			high = mid;
	}
	return low;
}

/* Next component of a path without leading slash; *rest is left at the one after it. */
static size_t next_part(const char *path, const char **rest)
{
	size_t len = strcspn(path, "/");

	*rest = path[len] ? path + len + 1 : path + len;
	return len;
}

static unsigned is_guests(const node_t *node)
{
	return node->perms.p[0].domid != 0;
}

static unsigned count_guests(const node_t *node)
{
	unsigned n = is_guests(node);

	for (uint32_t i = 0; i < node->n_children; i++)
		n += count_guests(node->children[i]);
	return n;
}

int uc_store_tree_init(struct uc_store_tree *tree, struct uc_store_pool *pool)
{
	tree->pool = pool;
	tree->guest_nodes = 0;
	tree->root = node_new(pool, "", 0, 0);
	if (!tree->root)
		return -ENOMEM;
	tree->root->perms.n = 1;
	return 0;
}

struct uc_store_tree uc_store_tree_copy(const struct uc_store_tree *tree)
{
	tree->root->refs++;
	return *tree;
}

void uc_store_tree_release(struct uc_store_tree *tree)
{
	node_unref(tree->pool, tree->root);
	tree->root = NULL;
}

static const node_t *child_of(const node_t *node, const char *part, size_t part_len)
{
	bool found;
	uint32_t slot = child_slot(node, part, part_len, &found);

	return found ? node->children[slot] : NULL;
}

const node_t *uc_store_tree_find(const struct uc_store_tree *tree, const char *path)
{
	const node_t *node = path[0] == '/' ? tree->root : NULL;
	const char *part = path + 1, *rest;

	while (node && *part) {
		size_t len = next_part(part, &rest);

		node = child_of(node, part, len);
		part = rest;
	}
	return node;
}

const node_t *uc_store_tree_ancestor(const struct uc_store_tree *tree, const char *path,
				     const char **below)
{
	const node_t *node = tree->root;
	const char *part = path + 1, *rest;

	while (*part) {
		size_t len = next_part(part, &rest);
		const node_t *child = *rest ? child_of(node, part, len) : NULL;

		if (!child)
			break;
		node = child;
		part = rest;
	}
	*below = part;
	return node;
}

static node_t *put_fresh(struct uc_store_tree *tree, const struct uc_store_put *put,
			 const char *name, size_t name_len)
{
	node_t *node = node_new(tree->pool, name, name_len, 0);

	if (!node)
		return NULL;
	node->perms = *put->perms;
	tree->guest_nodes += is_guests(node);
	return node;
}

static int put_here(struct uc_store_tree *tree, const struct uc_store_put *put, node_t *node)
{
	if (put->value) {
		tree->pool->live_bytes -= node->value_len;
		if (node_set_value(node, put->value, put->value_len)) {
			tree->pool->live_bytes += node->value_len;
			return -ENOMEM;
		}
		tree->pool->live_bytes += node->value_len;
	}
	if (put->perms) {
		tree->guest_nodes -= is_guests(node);
		node->perms = *put->perms;
		tree->guest_nodes += is_guests(node);
	}
	node->gen = ++tree->pool->last_gen;
	return 0;
}

static void insert_child(pool_t *pool, node_t *node, uint32_t slot, node_t *child)
{
	memmove(&node->children[slot + 1], &node->children[slot],
		(node->n_children - slot) * sizeof(node_t *));
	node->children[slot] = child;
	node->n_children++;
	node->names_len += (uint32_t)strlen(child->name) + 1;
	node->gen = ++pool->last_gen;
	pool->live_bytes += sizeof(node_t *);
}

static node_t *put_path(struct uc_store_tree *tree, const struct uc_store_put *put,
			const node_t *old, const char *path);

static int put_below(struct uc_store_tree *tree, const struct uc_store_put *put, node_t *node,
		     const char *path)
{
	const char *rest;
	size_t len = next_part(path, &rest);
	bool found;
	uint32_t slot = child_slot(node, path, len, &found);
	node_t *from = found ? node->children[slot] : put_fresh(tree, put, path, len);
	node_t *child = from ? put_path(tree, put, from, rest) : NULL;

	if (found && child)
		node->children[slot] = child;
	else if (child)
		insert_child(tree->pool, node, slot, child);
	if (child || !found)
		node_unref(tree->pool, from);
	return child ? 0 : -ENOMEM;
}

static node_t *put_path(struct uc_store_tree *tree, const struct uc_store_put *put,
			const node_t *old, const char *path)
{
	node_t *node = node_clone(tree->pool, old);
	int rc;

	if (!node)
		return NULL;
	rc = *path ? put_below(tree, put, node, path) : put_here(tree, put, node);
	if (!rc)
		return node;
	node_unref(tree->pool, node);
	return NULL;
}

static int replace_root(struct uc_store_tree *tree, node_t *root, unsigned guest_nodes)
{
	if (!root) {
		tree->guest_nodes = guest_nodes;
		return -ENOMEM;
	}
	node_unref(tree->pool, tree->root);
	tree->root = root;
	return 0;
}

int uc_store_tree_put(struct uc_store_tree *tree, const char *path, const struct uc_store_put *put)
{
	unsigned before = tree->guest_nodes;

	return replace_root(tree, put_path(tree, put, tree->root, path + 1), before);
}

static void drop_child(struct uc_store_tree *tree, node_t *node, uint32_t slot)
{
	node_t *child = node->children[slot];

	tree->guest_nodes -= count_guests(child);
	node->n_children--;
	node->names_len -= (uint32_t)strlen(child->name) + 1;
	memmove(&node->children[slot], &node->children[slot + 1],
		(node->n_children - slot) * sizeof(node_t *));
	node->gen = ++tree->pool->last_gen;
	tree->pool->live_bytes -= sizeof(node_t *);
	node_unref(tree->pool, child);
}

/* `path` exists below `old`. */
static node_t *rm_path(struct uc_store_tree *tree, const node_t *old, const char *path)
{
	node_t *node = node_clone(tree->pool, old), *child;
	const char *rest;
	bool found;
	uint32_t slot;

	if (!node)
		return NULL;
	slot = child_slot(node, path, next_part(path, &rest), &found);
	if (!*rest) {
		drop_child(tree, node, slot);
		return node;
	}
	child = rm_path(tree, node->children[slot], rest);
	if (!child) {
		node_unref(tree->pool, node);
		return NULL;
	}
	node_unref(tree->pool, node->children[slot]);
	node->children[slot] = child;
	return node;
}

int uc_store_tree_rm(struct uc_store_tree *tree, const char *path)
{
	unsigned before = tree->guest_nodes;

	if (!strcmp(path, "/") || !uc_store_tree_find(tree, path))
		return 0;
	return replace_root(tree, rm_path(tree, tree->root, path + 1), before);
}
