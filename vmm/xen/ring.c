/* SPDX-License-Identifier: MIT */
#include "vmm/xen/ring.h"

#include <errno.h>
#include <stddef.h>
#include <string.h>

#include <xen/xen.h>

#include <xen/io/netif.h>

#include "vmm/mem.h"

_Static_assert(offsetof(struct uc_ring_page, req_event) ==
		       offsetof(struct netif_tx_sring, req_event),
	       "ring.h");
_Static_assert(offsetof(struct uc_ring_page, rsp_prod) == offsetof(struct netif_tx_sring, rsp_prod),
	       "ring.h");
_Static_assert(offsetof(struct uc_ring_page, rsp_event) ==
		       offsetof(struct netif_tx_sring, rsp_event),
	       "ring.h");
_Static_assert(offsetof(struct uc_ring_page, slots) == offsetof(struct netif_tx_sring, ring),
	       "ring.h");

void uc_ring_init(struct uc_ring *r, void *page, uint32_t slot_bytes)
{
	uint32_t fit = (UC_PAGE_SIZE - sizeof(struct uc_ring_page)) / slot_bytes;

	*r = (struct uc_ring){.page = page,
			      .slot_words = slot_bytes / 4,
			      .size = 1u << (31 - __builtin_clz(fit))};
	/* Where a back end before this one stopped: everything it took, it answered. The guest's
	 * word only decides which slots of its own page are used. */
	r->req_cons = r->rsp_put = r->rsp_pushed = __atomic_load_n(&r->page->rsp_prod.raw,
								   __ATOMIC_RELAXED);
}

int uc_ring_requests(struct uc_ring *r)
{
	/* Pairs with the barrier between filling slots and req_prod; more than an acquire for
	 * uc_ring_wait_for(). */
	uint32_t prod = __atomic_load_n(&r->page->req_prod.raw, __ATOMIC_SEQ_CST);

	/* What is not taken, and what is taken but not answered, share the slots. */
	if (prod - r->rsp_pushed > r->size || prod - r->req_cons > r->size)
		r->broken = true;
	return r->broken ? -EPROTO : (int)(prod - r->req_cons);
}

int uc_ring_wait_for(struct uc_ring *r, uint32_t wanted)
{
	int n = uc_ring_requests(r), before = -1;

	/* Again while more come, because the event asked for is the one after those seen. An honest
	 * guest's count only grows, so `wanted` rounds are enough. */
	for (uint32_t i = 0; i < wanted && n >= 0 && n != before && (uint32_t)n < wanted; i++) {
		before = n;
		/* Sequentially consistent, as is the look at req_prod that follows: our req_event
		 * comes before it. Pairs with the guest's full barrier between its req_prod and its
		 * look at req_event: one of the two sees the other. */
		__atomic_store_n(&r->page->req_event.raw, r->req_cons + (uint32_t)n + 1,
				 __ATOMIC_SEQ_CST);
		n = uc_ring_requests(r);
	}
	return n;
}

static uc_g32 *slot(const struct uc_ring *r, uint32_t index)
{
	return &r->page->slots[(index & (r->size - 1)) * r->slot_words];
}

void uc_ring_peek(const struct uc_ring *r, uint32_t ahead, void *request)
{
	const uc_g32 *from = slot(r, r->req_cons + ahead);
	uint8_t *to = request;

	for (uint32_t i = 0; i < r->slot_words; i++) {
		uint32_t word = __atomic_load_n(&from[i].raw, __ATOMIC_RELAXED);

		memcpy(to + 4 * i, &word, sizeof(word));
	}
}

void uc_ring_take(struct uc_ring *r, uint32_t n)
{
	r->req_cons += n;
}

void uc_ring_respond(struct uc_ring *r, const void *response, uint32_t bytes)
{
	uc_g32 *to = slot(r, r->rsp_put++);
	const uint8_t *from = response;

	for (uint32_t i = 0; i < bytes / 4; i++) {
		uint32_t word;

		memcpy(&word, from + 4 * i, sizeof(word));
		__atomic_store_n(&to[i].raw, word, __ATOMIC_RELAXED);
	}
}

bool uc_ring_push(struct uc_ring *r)
{
	uint32_t old = r->rsp_pushed, event;

	if (r->rsp_put == old)
		return false;
	r->rsp_pushed = r->rsp_put;
	/* The slots before the index: pairs with the guest's barrier after reading it. And the
	 * index before our look at rsp_event: pairs with its full barrier between its rsp_event and
	 * its last look at rsp_prod. */
	__atomic_store_n(&r->page->rsp_prod.raw, r->rsp_put, __ATOMIC_SEQ_CST);
	event = __atomic_load_n(&r->page->rsp_event.raw, __ATOMIC_SEQ_CST);
	return r->rsp_put - event < r->rsp_put - old;
}
