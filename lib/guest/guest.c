/* SPDX-License-Identifier: MIT */
/*
 * The guest's half of both ABIs.
 *
 * FIFO: taking READY takes delivery of a queue; the list is then followed from HEAD, each word's
 * LINKED cleared (that is the moment the port may be linked again) before PENDING is looked at.
 * The hypervisor is trusted here, as in every guest.
 */
#include <upcall/guest.h>

#include "lib/atomic.h"

static uc_g32 *word_of(struct uc_guest *g, uint32_t port)
{
	return &g->event_page[port / UC_FIFO_WORDS_PER_PAGE][port % UC_FIFO_WORDS_PER_PAGE];
}

/* Take the port off its queue; returns the next one. */
static uint32_t unlink_word(uc_g32 *word)
{
	uint32_t old = uc_g32_read(word);

	while (!uc_g32_cas(word, &old, old & ~(UC_FIFO_LINKED | UC_FIFO_LINK_MASK)))
		;
	return old & UC_FIFO_LINK_MASK;
}

/* Consume one event of a queue that is ready. Returns false when that was the last. */
static bool consume_one(struct uc_guest_vcpu *v, uint32_t priority, uint32_t *handled)
{
	struct uc_guest *g = v->guest;
	uint32_t port = v->head[priority];
	uc_g32 *word;

	if (!port)
		port = uc_g32_read(&v->control->head[priority]);
	word = word_of(g, port);
	v->head[priority] = unlink_word(word);
	if ((uc_g32_read(word) & (UC_FIFO_PENDING | UC_FIFO_MASKED)) == UC_FIFO_PENDING) {
		g->ops->handle(g->ctx, v->id, port);
		++*handled;
	}
	return v->head[priority] != 0;
}

static uint32_t consume_fifo(struct uc_guest_vcpu *v)
{
	uint32_t ready = uc_g32_xchg(&v->control->ready, 0), handled = 0, priority;

	while (ready) {
		priority = (uint32_t)__builtin_ctz(ready);
		if (!consume_one(v, priority, &handled))
			ready &= ~(1u << priority);
		ready |= uc_g32_xchg(&v->control->ready, 0);
	}
	return handled;
}

static uint32_t consume_2l_word(struct uc_guest_vcpu *v, uint32_t index)
{
	struct uc_guest *g = v->guest;
	uint64_t active = uc_g64_read(&g->shared_info->pending[index]) & v->bound[index] &
			  ~uc_g64_read(&g->shared_info->mask[index]);
	uint32_t handled = 0;

	for (; active; active &= active - 1, handled++)
		g->ops->handle(g->ctx, v->id, index * 64 + (uint32_t)__builtin_ctzll(active));
	return handled;
}

static uint32_t consume_2l(struct uc_guest_vcpu *v)
{
	uint64_t sel = uc_g64_xchg(&v->info->pending_sel, 0);
	uint32_t handled = 0;

	for (; sel; sel &= sel - 1)
		handled += consume_2l_word(v, (uint32_t)__builtin_ctzll(sel));
	return handled;
}

uint32_t uc_guest_upcall(struct uc_guest_vcpu *v)
{
	uint32_t handled = 0;

	/* Cleared before looking: an event raised after the look sets it again. */
	while (uc_g8_xchg(&v->info->upcall_pending, 0))
		handled += v->guest->fifo ? consume_fifo(v) : consume_2l(v);
	return handled;
}

void uc_guest_clear(struct uc_guest *g, uint32_t port)
{
	if (g->fifo)
		uc_g32_clear(word_of(g, port), UC_FIFO_PENDING_BIT);
	else
		uc_g64_clear(&g->shared_info->pending[port / 64], port % 64);
}

void uc_guest_mask(struct uc_guest *g, uint32_t port)
{
	if (g->fifo)
		uc_g32_set(word_of(g, port), UC_FIFO_MASKED_BIT);
	else
		uc_g64_set(&g->shared_info->mask[port / 64], port % 64);
}

/* False when the event is pending: then only the hypervisor can put it into a queue. */
static bool unmask_if_idle(uc_g32 *word)
{
	uint32_t old = uc_g32_read(word);

	do {
		if (old & UC_FIFO_PENDING)
			return false;
		old &= ~UC_FIFO_BUSY; /* never unmask under the hypervisor's BUSY: wait instead */
	} while (!uc_g32_cas(word, &old, old & ~UC_FIFO_MASKED));
	return true;
}

void uc_guest_unmask(struct uc_guest *g, uint32_t port)
{
	if (!g->fifo || !unmask_if_idle(word_of(g, port)))
		g->ops->unmask(g->ctx, port);
}

bool uc_guest_pending(struct uc_guest *g, uint32_t port)
{
	if (g->fifo)
		return uc_g32_read(word_of(g, port)) & UC_FIFO_PENDING;
	return (uc_g64_read(&g->shared_info->pending[port / 64]) >> (port % 64)) & 1;
}

bool uc_guest_masked(struct uc_guest *g, uint32_t port)
{
	if (g->fifo)
		return uc_g32_read(word_of(g, port)) & UC_FIFO_MASKED;
	return (uc_g64_read(&g->shared_info->mask[port / 64]) >> (port % 64)) & 1;
}
