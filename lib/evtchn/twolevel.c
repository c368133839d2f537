/* SPDX-License-Identifier: MIT */
/*
 * The 2-level ABI: a bitmap of ports in shared_info and a selector per vCPU. No queue, no lock.
 *
 * A domain leaves this ABI for FIFO once (uc_init_control), while raises may be under way: each
 * raise looks at the domain's ABI again after it set its bit, and goes the new way too if it
 * changed. The switch looks at the bits after it changed the ABI. So one of them sees the event.
 */
#include "private.h"

static void deliver(struct uc_domain *d, uint32_t port)
{
	struct uc_vcpu *v = &d->vcpus[uc_route_load(&d->ports[port]).vcpu];
	struct uc_vcpu_info *info = uc_load_acquire(&v->info);

	if (!uc_g64_test_and_set(&info->pending_sel, port / 64))
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
	struct uc_shared_info *s = shared_info_or_park(d, p);

	if (!s)
		return;
	if (uc_g64_test_and_set(&s->pending[port / 64], port % 64))
		goto switched;
	uc_count(&p->events);
	if (!((uc_g64_read(&s->mask[port / 64]) >> (port % 64)) & 1))
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
	struct uc_shared_info *s = uc_load_seq(&d->shared_info);
	bool taken = s && uc_g64_test_and_clear(&s->pending[port / 64], port % 64);

	if (taken)
		uc_dec(&d->ports[port].events);
	return taken;
}

static void unmask_2l(struct uc_domain *d, uint32_t port)
{
	struct uc_shared_info *s = uc_load_seq(&d->shared_info);

	/* In this order: a raise sets pending, then looks at the mask. */
	if (s && uc_g64_test_and_clear(&s->mask[port / 64], port % 64) &&
	    uc_abi_2l.is_pending(d, port))
		deliver(d, port);
}

static void clear_pending_2l(struct uc_domain *d, uint32_t port)
{
	struct uc_shared_info *s = uc_load_seq(&d->shared_info);

	if (s)
		uc_g64_clear(&s->pending[port / 64], port % 64);
}

static bool is_pending_2l(struct uc_domain *d, uint32_t port)
{
	struct uc_shared_info *s = uc_load_seq(&d->shared_info);

	return s && ((uc_g64_read(&s->pending[port / 64]) >> (port % 64)) & 1);
}

static bool is_masked_2l(struct uc_domain *d, uint32_t port)
{
	struct uc_shared_info *s = uc_load_seq(&d->shared_info);

	return !s || ((uc_g64_read(&s->mask[port / 64]) >> (port % 64)) & 1);
}

static bool is_busy_2l(struct uc_domain *d, uint32_t port)
{
	(void)d, (void)port;
	return false;
}

const struct uc_abi uc_abi_2l = {
	.max_ports = UC_2L_PORTS,
	.raise = raise_2l,
	.unmask = unmask_2l,
	.clear_pending = clear_pending_2l,
	.is_pending = is_pending_2l,
	.is_masked = is_masked_2l,
	.is_busy = is_busy_2l,
	.has_priorities = false,
};
