/* SPDX-License-Identifier: MIT */
/*
 * Transactions. Each works on a snapshot of the tree and notes the paths that it read or
 * changed. Commit succeeds when no noted path has changed in the main tree since the start
 * (else -EAGAIN); the changes then appear at once, followed by their watch events.
 * Called by store_ops.c and xs_conn.c.
 */
#ifndef UPCALL_VMM_XEN_STORE_TX_H
#define UPCALL_VMM_XEN_STORE_TX_H

#include "vmm/xen/store.h"

enum uc_store_note {
	UC_STORE_NOTE_READ = 1,	   /* the result depends on the node here, or on its absence */
	UC_STORE_NOTE_PUT = 2,	   /* created or changed */
	UC_STORE_NOTE_REMOVED = 4, /* deleted, with all below it; perhaps created again */
	UC_STORE_NOTE_FIRE = 8,	   /* named by a request: watches hear of it */
};

struct uc_store_tx_note {
	char *path;
	unsigned flags; /* enum uc_store_note */
};

struct uc_store_tx {
	TAILQ_ENTRY(uc_store_tx) link;
	uint32_t id;
	bool failed;		   /* a change was lost: commit must not succeed */
	struct uc_store_tree base; /* the main tree at the start */
	struct uc_store_tree tree; /* as this transaction sees it */
	struct uc_store_tx_note *notes;
	unsigned n_notes;
	unsigned notes_room;
};

/* -ENOSPC over quota, -ENOMEM. */
int uc_store_tx_start(struct uc_store *st, struct uc_store_client *client, uint32_t *id);
struct uc_store_tx *uc_store_tx_find(struct uc_store_client *client, uint32_t id);

/* Note what was done at `path`. An error marks the transaction failed. */
int uc_store_tx_note(struct uc_store_tx *tx, const char *path, unsigned flags);

/* End it either way. 0, or for a commit -EAGAIN, -ENOSPC, -ENOMEM with nothing changed. */
int uc_store_tx_end(struct uc_store *st, struct uc_store_client *client, struct uc_store_tx *tx,
		    bool commit);
void uc_store_tx_drop_all(struct uc_store_client *client);

#endif
