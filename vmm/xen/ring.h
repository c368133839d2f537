/* SPDX-License-Identifier: MIT */
/*
 * The back end's half of a Xen I/O ring (xen/io/ring.h): one page, four indices that run freely,
 * slots that hold a request until its response is written over it.
 *
 * The page is the guest's. Each index is read once per use and checked against what this side
 * keeps for itself; a slot is copied out once, and only the copy is looked at. An impossible index
 * ends the ring: uc_ring_requests() says so and never anything else again.
 *
 * One thread per ring. The guest is the other side of every pairing named below.
 */
#ifndef UPCALL_VMM_XEN_RING_H
#define UPCALL_VMM_XEN_RING_H

#include <stdbool.h>
#include <stdint.h>

#include <upcall/abi.h>

/* The start of every struct *_sring of xen/io/ring.h; ring.c asserts it. */
struct uc_ring_page {
	uc_g32 req_prod, req_event;
	uc_g32 rsp_prod, rsp_event;
	uint32_t pad[12];
	uc_g32 slots[];
};

struct uc_ring {
	struct uc_ring_page *page;
	uint32_t size;	     /* slots, a power of two */
	uint32_t slot_words; /* 32-bit words per slot */
	uint32_t req_cons;   /* requests taken */
	uint32_t rsp_put;    /* responses written */
	uint32_t rsp_pushed; /* of these, shown to the guest; at most req_cons */
	bool broken;
};

/* `slot_bytes`: of the union of request and response, a multiple of 4. */
void uc_ring_init(struct uc_ring *r, void *page, uint32_t slot_bytes);

/* Requests that are there and not taken: 0 to size, or -EPROTO for ever after an impossible index.
 */
int uc_ring_requests(struct uc_ring *r);
/*
 * The same, and when there are fewer than `wanted` (1 or more) the guest is asked for an event:
 * then any request that this call does not see is followed by a notification.
 */
int uc_ring_wait_for(struct uc_ring *r, uint32_t wanted);

/* Copy out the request `ahead` places from the next one. The caller knows it is there. */
void uc_ring_peek(const struct uc_ring *r, uint32_t ahead, void *request);
/* `n` requests are done with: their slots may take responses. */
void uc_ring_take(struct uc_ring *r, uint32_t n);

/* Write the next response. Not more than were taken. `bytes`: a multiple of 4. */
void uc_ring_respond(struct uc_ring *r, const void *response, uint32_t bytes);
/* Show the guest what was written; whether it has asked for an event about it. */
bool uc_ring_push(struct uc_ring *r);

#endif
