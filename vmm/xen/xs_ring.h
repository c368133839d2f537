/* SPDX-License-Identifier: MIT */
/*
 * The xenstore ring: a page shared with the guest (docs/misc/xenstore-ring.txt) that carries
 * the bytes of an xs_conn. The guest is hostile: of the page, only req[], req_prod and rsp_cons
 * are ever read, each index once per step, and our own two indices are kept outside it. An
 * impossible index closes the connection for good.
 *
 * Same thread as the store. A change that another user of the store makes reaches the guest's
 * ring at once, through the connection's on_output.
 */
#ifndef UPCALL_VMM_XEN_XS_RING_H
#define UPCALL_VMM_XEN_XS_RING_H

#include "vmm/xen/xs_conn.h"

struct uc_xs_ring_ops {
	void (*notify)(void *ctx);		  /* raise the guest's store port */
	void (*log)(void *ctx, const char *text); /* rare by itself: once per incident */
};

struct uc_xs_ring {
	struct xenstore_domain_interface *page;
	const struct uc_xs_ring_ops *ops;
	void *ctx;
	uint32_t req_cons, rsp_prod; /* ours; the page's copies are only for the guest */
	bool running;
	struct uc_xs_conn conn;
};

/* Connect `domid` to the store through `page`, whose indices are set to "empty". */
void uc_xs_ring_init(struct uc_xs_ring *ring, struct uc_store *st, uint16_t domid,
		     struct xenstore_domain_interface *page, const struct uc_xs_ring_ops *ops,
		     void *ctx);
void uc_xs_ring_destroy(struct uc_xs_ring *ring);

/*
 * The guest kicked the store's port. Does a bounded amount of work (a guest can add to it
 * meanwhile); true: something moved and there may be more, call again after your other work.
 */
bool uc_xs_ring_run(struct uc_xs_ring *ring);

#endif
