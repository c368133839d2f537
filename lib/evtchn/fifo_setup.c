/* SPDX-License-Identifier: MIT */
/*
 * EVTCHNOP_init_control and EVTCHNOP_expand_array: how a domain gets into the FIFO ABI, and how
 * what was raised before is carried over.
 *
 * Each step publishes first and looks for left-overs second; a raise sets its mark first and looks
 * for what was published second. One of the two sees the other, so nothing falls between.
 */
#include "private.h"

#include <xen/errno.h>

/* Carry the 2-level bitmap's pending bits over. The ABI has been switched already. */
static void park_2l_pending(struct uc_domain *d)
{
	for (uint32_t port = 1; port < d->valid_ports && port < UC_2L_PORTS; port++)
		if (uc_2l_take_pending(d, port))
			uc_store_seq(&d->ports[port].parked, 1);
}

/* Events that found no control block on `v`, or on any for NULL, stayed pending without being
 * linked. */
static void relink_pending(struct uc_domain *d, const struct uc_vcpu *v)
{
	for (uint32_t port = 1; port < d->valid_ports; port++) {
		struct uc_route route = uc_route_load(&d->ports[port]);

		if (route.usable && (!v || route.vcpu == v->id) && uc_abi_fifo.is_pending(d, port))
			uc_raise(d, port);
	}
}

static bool is_place(uint64_t offset)
{
	return offset <= UC_FRAME_SIZE - sizeof(struct uc_fifo_control_block) && offset % 8 == 0;
}

/* The vCPU has its block from now on; relink_pending() must follow. d's lock held. */
static void publish(struct uc_domain *d, struct uc_vcpu *v, struct uc_fifo_control_block *control)
{
	uc_store_seq(&v->control, control);
	if (uc_abi_of(d) != &uc_abi_fifo) {
		uc_store_seq(&d->abi, &uc_abi_fifo);
		park_2l_pending(d);
	}
}

int uc_init_control(struct uc_domain *d, uint32_t vcpu, uint64_t gfn, uint32_t offset)
{
	struct uc_vcpu *v = uc_vcpu_get(d, vcpu);
	uint8_t *frame;
	int rc = 0;

	if (!v)
		return -XEN_ENOENT;
	if (!is_place(offset))
		return -XEN_EINVAL;

	uc_lock(&d->lock, d->host);
	frame = v->control ? 0 : uc_frame_map(d, gfn);
	if (frame) {
		publish(d, v, (struct uc_fifo_control_block *)(frame + offset));
		relink_pending(d, v);
	} else {
		rc = -XEN_EINVAL;
	}
	uc_unlock(&d->lock);
	return rc;
}

/* ---- all vCPUs or none: first each place is checked and mapped, then all are published ---- */

void uc_controls_begin(struct uc_domain *d)
{
	uc_lock(&d->lock, d->host);
}

int uc_controls_stage(struct uc_domain *d, uint32_t vcpu, const struct uc_control_place *place)
{
	struct uc_vcpu *v = &d->vcpus[vcpu];
	uint8_t *frame;

	if (v->control || place->zero || !is_place(place->offset))
		return -XEN_EINVAL;
	frame = uc_frame_map(d, place->gfn);
	if (!frame)
		return -XEN_EINVAL;
	v->staged = (struct uc_fifo_control_block *)(frame + place->offset);
	return 0;
}

int uc_controls_end(struct uc_domain *d, uint32_t nr_staged, int rc)
{
	for (struct uc_vcpu *v = d->vcpus; v < d->vcpus + nr_staged; v++) {
		if (rc)
			uc_frame_unmap(d, v->staged);
		else
			publish(d, v, v->staged);
		v->staged = 0;
	}
	if (!rc)
		relink_pending(d, 0); /* once, not for each: a port is looked at once a call */
	uc_unlock(&d->lock);
	return rc;
}

int uc_init_controls(struct uc_domain *d, const struct uc_control_place *places, uint32_t nr)
{
	uint32_t staged = 0;
	int rc = 0;

	if (!nr || nr > d->nr_vcpus)
		return -XEN_EINVAL;
	uc_controls_begin(d);
	while (staged < nr && !rc) {
		rc = uc_controls_stage(d, staged, &places[staged]);
		staged += !rc;
	}
	return uc_controls_end(d, staged, rc);
}

static int fifo_add_page(struct uc_domain *d, uint64_t gfn)
{
	uint32_t slot = d->nr_words / UC_FIFO_WORDS_PER_PAGE, first = d->nr_words;
	uc_g32 *page;

	if (slot >= UC_FIFO_PAGES)
		return -XEN_ENOSPC;
	page = uc_frame_map(d, gfn);
	if (!page)
		return -XEN_EINVAL;
	uc_store_seq(&d->event_page[slot], page);
	uc_store_seq(&d->nr_words, first + UC_FIFO_WORDS_PER_PAGE);
	uc_ports_unpark(d, first, first + UC_FIFO_WORDS_PER_PAGE);
	return 0;
}

int uc_expand_array(struct uc_domain *d, uint64_t gfn)
{
	int rc = -XEN_EOPNOTSUPP;

	/* The ABI is looked at under the lock (XSA-505). */
	uc_lock(&d->lock, d->host);
	if (uc_abi_of(d) == &uc_abi_fifo)
		rc = fifo_add_page(d, gfn);
	uc_unlock(&d->lock);
	return rc;
}
