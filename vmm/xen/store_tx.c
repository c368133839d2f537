/* SPDX-License-Identifier: MIT */
#include "vmm/xen/store_tx.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "vmm/xen/store_watch.h"

typedef struct uc_store_tx tx_t;

int uc_store_tx_start(struct uc_store *st, struct uc_store_client *client, uint32_t *id)
{
	tx_t *tx;

	if (client->domid && client->n_txs >= UC_STORE_TX_MAX)
		return -ENOSPC;
	tx = calloc(1, sizeof(*tx));
	if (!tx)
		return -ENOMEM;
	tx->base = uc_store_tree_copy(&st->tree);
	tx->tree = uc_store_tree_copy(&st->tree);
	do /* ends: n_txs is small; 0 means "no transaction" on the wire */
		tx->id = ++client->last_tx_id;
	while (!tx->id || uc_store_tx_find(client, tx->id));
	TAILQ_INSERT_TAIL(&client->txs, tx, link);
	client->n_txs++;
	*id = tx->id;
	return 0;
}

tx_t *uc_store_tx_find(struct uc_store_client *client, uint32_t id)
{
	tx_t *tx;

	TAILQ_FOREACH(tx, &client->txs, link)
	if (tx->id == id)
		return tx;
	return NULL;
}

static size_t note_bytes(const char *path)
{
	return sizeof(struct uc_store_tx_note) + strlen(path) + 1;
}

static void tx_free(struct uc_store_client *client, tx_t *tx)
{
	for (unsigned i = 0; i < tx->n_notes; i++) {
		tx->tree.pool->live_bytes -= note_bytes(tx->notes[i].path);
		free(tx->notes[i].path);
	}
	free(tx->notes);
	uc_store_tree_release(&tx->base);
	uc_store_tree_release(&tx->tree);
	TAILQ_REMOVE(&client->txs, tx, link);
	client->n_txs--;
	free(tx);
}

void uc_store_tx_drop_all(struct uc_store_client *client)
{
	while (!TAILQ_EMPTY(&client->txs))
		tx_free(client, TAILQ_FIRST(&client->txs));
}

static int note_add(tx_t *tx, const char *path, unsigned flags)
{
	char *copy;

	if (tx->n_notes >= UC_STORE_TX_PATHS_MAX)
		return -ENOSPC;
	if (tx->tree.pool->live_bytes + note_bytes(path) > UC_STORE_BYTES_MAX)
		return -ENOMEM;
	if (tx->n_notes == tx->notes_room) {
		unsigned room = tx->notes_room ? 2 * tx->notes_room : 16;
		void *notes = realloc(tx->notes, room * sizeof(tx->notes[0]));

		if (!notes)
			return -ENOMEM;
		tx->notes = notes;
		tx->notes_room = room;
	}
	copy = strdup(path);
	if (!copy)
		return -ENOMEM;
	tx->notes[tx->n_notes++] = (struct uc_store_tx_note){.path = copy, .flags = flags};
	tx->tree.pool->live_bytes += note_bytes(path);
	return 0;
}

int uc_store_tx_note(tx_t *tx, const char *path, unsigned flags)
{
	int rc;

	for (unsigned i = 0; i < tx->n_notes; i++) {
		if (!strcmp(tx->notes[i].path, path)) {
			tx->notes[i].flags |= flags;
			return 0;
		}
	}
	rc = note_add(tx, path, flags);
	if (rc)
		tx->failed = true;
	return rc;
}

static bool conflicts(const tx_t *tx, const struct uc_store_tree *main,
		      const struct uc_store_tx_note *note)
{
	const struct uc_store_node *then = uc_store_tree_find(&tx->base, note->path);
	const struct uc_store_node *now = uc_store_tree_find(main, note->path);

	if (note->flags & UC_STORE_NOTE_REMOVED)
		return then != now; /* the same pointer: nothing below changed either */
	return (then ? then->gen : 0) != (now ? now->gen : 0);
}

/* Repeat the outcome, not the requests: one step per path, whatever the guest did to it. */
static int replay(const tx_t *tx, struct uc_store_tree *next)
{
	int rc = 0;

	for (unsigned i = 0; i < tx->n_notes && !rc; i++)
		if (tx->notes[i].flags & UC_STORE_NOTE_REMOVED)
			rc = uc_store_tree_rm(next, tx->notes[i].path);
	for (unsigned i = 0; i < tx->n_notes && !rc; i++) {
		const struct uc_store_node *node = uc_store_tree_find(&tx->tree, tx->notes[i].path);

		if (node && (tx->notes[i].flags & UC_STORE_NOTE_PUT))
			rc = uc_store_tree_put(
				next, tx->notes[i].path,
				&(struct uc_store_put){.perms = &node->perms,
						       .value = node->value ? (void *)node->value
									    : "",
						       .value_len = node->value_len});
	}
	return rc;
}

static void fire(struct uc_store *st, const tx_t *tx, const struct uc_store_tree *before)
{
	for (unsigned i = 0; i < tx->n_notes; i++) {
		const char *path = tx->notes[i].path;

		if (!(tx->notes[i].flags & UC_STORE_NOTE_FIRE))
			continue;
		/* Made and removed in here: outside it never was. */
		if (!uc_store_tree_find(&tx->base, path) && !uc_store_tree_find(&tx->tree, path))
			continue;
		uc_store_watch_fire(st, before, &st->tree, path,
				    tx->notes[i].flags & UC_STORE_NOTE_REMOVED);
	}
}

static int tx_commit(struct uc_store *st, const struct uc_store_client *client, const tx_t *tx)
{
	struct uc_store_tree next, before = st->tree;
	int rc;

	if (tx->failed)
		return -ENOMEM; /* xenstored's choice for a transaction that lost a change */
	for (unsigned i = 0; i < tx->n_notes; i++)
		if (conflicts(tx, &st->tree, &tx->notes[i]))
			return -EAGAIN;
	next = uc_store_tree_copy(&st->tree);
	rc = replay(tx, &next);
	if (!rc && client->domid && next.guest_nodes > UC_STORE_NODES_MAX &&
	    next.guest_nodes > st->tree.guest_nodes)
		rc = -ENOSPC;
	if (rc) {
		uc_store_tree_release(&next);
		return rc;
	}
	st->tree = next;
	fire(st, tx, &before);
	uc_store_tree_release(&before);
	return 0;
}

int uc_store_tx_end(struct uc_store *st, struct uc_store_client *client, tx_t *tx, bool commit)
{
	int rc = commit ? tx_commit(st, client, tx) : 0;

	tx_free(client, tx);
	return rc;
}
