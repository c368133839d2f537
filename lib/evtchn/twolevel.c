/* SPDX-License-Identifier: MIT */
/*
 * The 2-level ABI: a bitmap of ports in shared_info and a selector per vCPU. No queue, no lock.
 *
 * Guests of 32 and of 64 bits differ in the size of a word: in how many ports there are, where the
 * mask begins, and what a bit of the selector stands for. The bitmaps are the same bits in the same
 * order (little-endian), so they are accessed by 32 bits for both.
 *
 * A domain leaves this ABI for FIFO (uc_init_control), while raises may be under way: each
 * raise looks at the domain's ABI again after it set its bit, and goes the new way too if it
 * changed. The switch looks at the bits after it changed the ABI. So one of them sees the event.
 * It may come back (reset.c) with ports that do not exist here: they are never raised.
 */
#include "private.h"

uint32_t uc_2l_max_ports(const struct uc_domain *d)
{
	return uc_load(&d->compat) ? UC_2L_COMPAT_PORTS : UC_2L_PORTS;
}

static uc_g32 *pending_word(struct uc_shared_info *s, uint32_t port)
{
	return &s->bits[port / 32];
}

static uc_g32 *mask_word(const struct uc_domain *d, struct uc_shared_info *s, uint32_t port)
{
	return &s->bits[(uc_2l_max_ports(d) + port) / 32];
}

static bool is_set(const uc_g32 *word, uint32_t port)
{
	return (uc_g32_read(word) >> (port % 32)) & 1;
}

/* The guest's bitmaps; NULL when it has none, or none for this port. */
static struct uc_shared_info *bitmaps(const struct uc_domain *d, uint32_t port)
{
	return port < uc_2l_max_ports(d) ? uc_load_seq(&d->shared_info)
					 : (struct uc_shared_info *)0;
}

static bool select_word(const struct uc_domain *d, struct uc_vcpu_info *info, uint32_t port)
{
	if (uc_load(&d->compat))
		return uc_g32_test_and_set(&info->compat_pending_sel, port / 32);
	return uc_g64_test_and_set(&info->pending_sel, port / 64);
}

void uc_2l_select_all(const struct uc_domain *d, struct uc_vcpu_info *info)
{
	if (uc_load(&d->compat))
		uc_g32_xchg(&info->compat_pending_sel, ~0u);
	else
		uc_g64_xchg(&info->pending_sel, ~0ull);
}

static void deliver(struct uc_domain *d, uint32_t port)
{
	struct uc_vcpu *v = &d->vcpus[uc_route_load(&d->ports[port]).vcpu];

	if (!select_word(d, uc_load_acquire(&v->info), port))
		uc_vcpu_upcall(v);
}

/* The bitmaps; or NULL, and the raise is remembered until the guest has mapped them. */
static struct uc_shared_info *shared_info_or_park(struct uc_domain *d, struct uc_port *p)
{
	struct uc_shared_info *s = uc_load_seq(&d->shared_info);

	if (s)
		return s;
	/* Pairs with uc_domain_set_shared_info(): it publishes the frame, then takes the marks. */
	uc_store_seq(&p->parked, 1);
	s = uc_load_seq(&d->shared_info);
	return s && uc_xchg(&p->parked, 0) ? s : 0;
}

static void raise_2l(struct uc_domain *d, uint32_t port)
{
	struct uc_port *p = &d->ports[port];
	struct uc_shared_info *s;

	if (port >= uc_2l_max_ports(d))
		goto switched;
	s = shared_info_or_park(d, p);
	if (!s)
		goto switched;
	if (uc_g32_test_and_set(pending_word(s, port), port % 32))
		goto switched;
	uc_count(&p->events);
	if (!is_set(mask_word(d, s, port), port))
		deliver(d, port);
	uc_check_pollers(d, port);
switched:
	if (uc_abi_of(d) != &uc_abi_2l) {
		uc_2l_take_pending(d, port);
		uc_abi_of(d)->raise(d, port);
	}
}

bool uc_2l_take_pending(struct uc_domain *d, uint32_t port)
{
	struct uc_shared_info *s = bitmaps(d, port);
	bool taken = s && uc_g32_test_and_clear(pending_word(s, port), port % 32);

	if (taken)
		uc_dec(&d->ports[port].events);
	return taken;
}

static void unmask_2l(struct uc_domain *d, uint32_t port)
{
	struct uc_shared_info *s = bitmaps(d, port);

	/* In this order: a raise sets pending, then looks at the mask. */
	if (s && uc_g32_test_and_clear(mask_word(d, s, port), port % 32) &&
	    is_set(pending_word(s, port), port))
		deliver(d, port);
}

static void clear_pending_2l(struct uc_domain *d, uint32_t port)
{
	struct uc_shared_info *s = bitmaps(d, port);

	if (s)
		uc_g32_clear(pending_word(s, port), port % 32);
}

static bool is_pending_2l(struct uc_domain *d, uint32_t port)
{
	struct uc_shared_info *s = bitmaps(d, port);

	return s && is_set(pending_word(s, port), port);
}

static bool is_masked_2l(struct uc_domain *d, uint32_t port)
{
	struct uc_shared_info *s = bitmaps(d, port);

	return !s || is_set(mask_word(d, s, port), port);
}

static bool is_busy_2l(struct uc_domain *d, uint32_t port)
{
	(void)d, (void)port;
	return false;
}

const struct uc_abi uc_abi_2l = {
	.max_ports = uc_2l_max_ports,
	.raise = raise_2l,
	.unmask = unmask_2l,
	.clear_pending = clear_pending_2l,
	.is_pending = is_pending_2l,
	.is_masked = is_masked_2l,
	.is_busy = is_busy_2l,
	.has_priorities = false,
};
