/* SPDX-License-Identifier: MIT */
#include "vmm/xen/store_ops.h"

#include <errno.h>
#include <string.h>

#include "vmm/xen/store_path.h"
#include "vmm/xen/store_tx.h"
#include "vmm/xen/store_watch.h"

typedef struct uc_store_op op_t;
typedef struct uc_store_node node_t;

void uc_store_client_init(struct uc_store *st, struct uc_store_client *client, uint16_t domid)
{
	memset(client, 0, sizeof(*client));
	client->domid = domid;
	TAILQ_INIT(&client->watches);
	TAILQ_INIT(&client->txs);
	TAILQ_INSERT_TAIL(&st->clients, client, link);
}

void uc_store_client_leave(struct uc_store *st, struct uc_store_client *client)
{
	uc_store_watch_drop_all(client);
	uc_store_tx_drop_all(client);
	TAILQ_REMOVE(&st->clients, client, link);
}

static struct uc_store_tree *tree_of(const op_t *op)
{
	return op->tx ? &op->tx->tree : &op->st->tree;
}

static int note(const op_t *op, const char *path, unsigned flags)
{
	return op->tx ? uc_store_tx_note(op->tx, path, flags) : 0;
}

static unsigned access_to(const op_t *op, const node_t *node)
{
	return uc_store_perms_of(&node->perms, op->client->domid);
}

/*
 * Find the node and check `need`. -ENOENT is for those who may look at the nearest existing
 * parent; others get -EACCES, so that a refusal does not tell what exists.
 */
static int lookup(const op_t *op, const char *path, unsigned need, char abs[UC_STORE_PATH_SIZE],
		  const node_t **node)
{
	int rc = uc_store_path_abs(abs, path, op->client->domid, false);
	const node_t *parent;
	const char *below;

	if (!rc)
		rc = note(op, abs, UC_STORE_NOTE_READ);
	if (rc)
		return rc;
	*node = uc_store_tree_find(tree_of(op), abs);
	if (*node)
		return (access_to(op, *node) & need) == need ? 0 : -EACCES;
	parent = uc_store_tree_ancestor(tree_of(op), abs, &below);
	return access_to(op, parent) & need ? -ENOENT : -EACCES;
}

/* Quotas are checked on the outcome, before anyone can see it. */
static int check_quota(const op_t *op, const struct uc_store_tree *next)
{
	if (op->client->domid == 0)
		return 0;
	if (next->guest_nodes > UC_STORE_NODES_MAX && next->guest_nodes > tree_of(op)->guest_nodes)
		return -ENOSPC;
	return next->pool->live_bytes > UC_STORE_BYTES_MAX ? -ENOMEM : 0;
}

static int note_change(const op_t *op, const char *abs, unsigned flags)
{
	return note(op, abs, flags | UC_STORE_NOTE_FIRE);
}

/* Make `next` the client's tree, or drop it when `rc` or a quota says so. */
static int adopt(const op_t *op, struct uc_store_tree *next, int rc, const char *abs,
		 unsigned flags)
{
	struct uc_store_tree before = *tree_of(op);

	if (!rc)
		rc = check_quota(op, next);
	if (!rc)
		rc = note_change(op, abs, flags);
	if (rc) {
		uc_store_tree_release(next);
		return rc;
	}
	*tree_of(op) = *next;
	if (!op->tx)
		uc_store_watch_fire(op->st, &before, next, abs, flags & UC_STORE_NOTE_REMOVED);
	uc_store_tree_release(&before);
	return 0;
}

static int put(const op_t *op, const char *abs, const struct uc_store_put *what)
{
	struct uc_store_tree next = uc_store_tree_copy(tree_of(op));
	int rc = uc_store_tree_put(&next, abs, what);

	return adopt(op, &next, rc, abs, UC_STORE_NOTE_PUT);
}

/* The parents that a creation will make are changes too; the first that exists is a premise. */
static int note_parents(const op_t *op, const char *abs)
{
	char parent[UC_STORE_PATH_SIZE];
	int rc = 0;

	if (!op->tx)
		return 0;
	strcpy(parent, abs);
	do {
		uc_store_path_to_parent(parent);
		if (uc_store_tree_find(tree_of(op), parent))
			return note(op, parent, UC_STORE_NOTE_READ);
		rc = note(op, parent, UC_STORE_NOTE_PUT);
	} while (!rc);
	return rc;
}

/* A new node has the permissions of its nearest parent; a guest owns what it creates. */
static int create(const op_t *op, const char *abs, const void *value, size_t len)
{
	const char *below;
	const node_t *parent = uc_store_tree_ancestor(tree_of(op), abs, &below);
	struct uc_store_perms perms = parent->perms;
	size_t name_size = strcspn(below, "/") + 1;
	int rc;

	if (op->client->domid) {
		perms.p[0].domid = op->client->domid;
		if (parent->names_len + parent->value_len + name_size > UC_STORE_NODE_BYTES_MAX)
			return -ENOSPC;
	}
	rc = note_parents(op, abs);
	if (rc)
		return rc;
	return put(op, abs,
		   &(struct uc_store_put){.perms = &perms, .value = value, .value_len = len});
}

int uc_store_op_get(const op_t *op, const char *path, const node_t **node)
{
	char abs[UC_STORE_PATH_SIZE];

	return lookup(op, path, UC_STORE_READ, abs, node);
}

int uc_store_op_write(const op_t *op, const char *path, const void *value, size_t len)
{
	char abs[UC_STORE_PATH_SIZE];
	const node_t *node;
	int rc = lookup(op, path, UC_STORE_WRITE, abs, &node);
	size_t names = rc ? 0 : node->names_len;

	if (rc && rc != -ENOENT)
		return rc;
	if (op->client->domid && len + names > UC_STORE_NODE_BYTES_MAX)
		return -ENOSPC;
	if (rc == -ENOENT)
		return create(op, abs, value, len);
	return put(op, abs, &(struct uc_store_put){.value = value, .value_len = len});
}

int uc_store_op_mkdir(const op_t *op, const char *path)
{
	char abs[UC_STORE_PATH_SIZE];
	const node_t *node;
	int rc = lookup(op, path, UC_STORE_WRITE, abs, &node);

	return rc == -ENOENT ? create(op, abs, "", 0) : rc;
}

static int rm_missing(const op_t *op, char abs[UC_STORE_PATH_SIZE])
{
	uc_store_path_to_parent(abs);
	if (!uc_store_tree_find(tree_of(op), abs))
		return -ENOENT;
	return note(op, abs, UC_STORE_NOTE_READ);
}

int uc_store_op_rm(const op_t *op, const char *path)
{
	char abs[UC_STORE_PATH_SIZE];
	const node_t *node;
	struct uc_store_tree next;
	int rc = lookup(op, path, UC_STORE_WRITE, abs, &node);

	if (rc == -ENOENT)
		return rm_missing(op, abs);
	if (rc)
		return rc;
	if (!strcmp(abs, "/"))
		return -EINVAL;
	next = uc_store_tree_copy(tree_of(op));
	rc = uc_store_tree_rm(&next, abs);
	return adopt(op, &next, rc, abs, UC_STORE_NOTE_REMOVED);
}

int uc_store_op_set_perms(const op_t *op, const char *path, const struct uc_store_perms *perms)
{
	char abs[UC_STORE_PATH_SIZE];
	const node_t *node;
	int rc = lookup(op, path, UC_STORE_WRITE | UC_STORE_OWNER, abs, &node);

	if (rc)
		return rc;
	if (op->client->domid && perms->p[0].domid != node->perms.p[0].domid)
		return -EPERM;
	return put(op, abs, &(struct uc_store_put){.perms = perms});
}
