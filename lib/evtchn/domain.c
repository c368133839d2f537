/* SPDX-License-Identifier: MIT */
/* Domains and vCPUs: their life, the guest's shared pages, the upcall edge. */
#include <string.h>

#include "private.h"

#include <xen/errno.h>

void *uc_frame_map(struct uc_domain *d, uint64_t gfn)
{
	return d->host->ops->map_frame(d->host->ctx, d, gfn);
}

/* `address` may point into the frame. */
void uc_frame_unmap(struct uc_domain *d, void *address)
{
	void *frame = (void *)((uintptr_t)address & ~(uintptr_t)(UC_FRAME_SIZE - 1));

	if (frame)
		d->host->ops->unmap_frame(d->host->ctx, d, frame);
}

struct uc_domain *uc_domain_by_id(struct uc_host *host, uint16_t id)
{
	return id < host->nr_domains
		       ? uc_load_acquire(&host->domains[uc_index_nospec(id, host->nr_domains)])
		       : 0;
}

int uc_domain_init(struct uc_domain *d, const struct uc_domain_config *config)
{
	struct uc_host *host = config->host;

	if (config->id == UC_DOMID_HOST || config->id >= host->nr_domains || config->nr_vcpus < 1 ||
	    config->nr_vcpus > 32768 || config->nr_ports < 2 || config->nr_ports > UC_FIFO_PORTS ||
	    (config->nr_pirqs && !config->pirqs))
		return -XEN_EINVAL;
	if (host->domains[config->id])
		return -XEN_EEXIST;

	d->host = host;
	d->id = config->id;
	d->ports = config->ports;
	d->nr_ports = config->nr_ports;
	d->vcpus = config->vcpus;
	d->nr_vcpus = config->nr_vcpus;
	d->affinity_words = (config->nr_vcpus + 63) / 64;
	d->affinity = config->affinity;
	if (d->affinity)
		d->default_affinity = &d->affinity[(uint64_t)d->nr_ports * d->affinity_words];
	d->pirqs = config->pirqs;
	d->nr_pirqs = config->nr_pirqs;
	d->quota = UC_FIFO_PORTS;
	d->abi = &uc_abi_2l;
	d->valid_ports = d->first_free = 1;
	uc_peer_store(&d->ports[0], (struct uc_peer){.kind = UC_PORT_RESERVED});
	for (uint32_t i = 0; i < d->nr_vcpus; i++) {
		d->vcpus[i].domain = d;
		d->vcpus[i].id = i;
		d->vcpus[i].info = &d->vcpus[i].no_info;
	}
	uc_store_release(&host->domains[d->id], d);
	return 0;
}

void uc_domain_destroy(struct uc_domain *d)
{
	struct uc_vcpu *v;

	for (uint32_t port = 1; port < uc_ports_valid(d); port++)
		uc_close(d, port);
	uc_virq_forget_handler(d);
	uc_store_release(&d->host->domains[d->id], (struct uc_domain *)0);
	for (v = d->vcpus; v < d->vcpus + d->nr_vcpus; v++) {
		if (v->info_registered)
			uc_frame_unmap(d, v->info);
		uc_frame_unmap(d, v->control);
	}
	for (uint32_t i = 0; i < d->nr_words / UC_FIFO_WORDS_PER_PAGE; i++)
		uc_frame_unmap(d, d->event_page[i]);
	uc_frame_unmap(d, d->shared_info);
}

int uc_domain_set_quota(struct uc_domain *d, uint32_t nr_ports)
{
	if (nr_ports < 2)
		return -XEN_EINVAL;
	uc_lock(&d->lock, d->host);
	d->quota = nr_ports;
	uc_unlock(&d->lock);
	return 0;
}

int uc_domain_set_compat(struct uc_domain *d, bool compat)
{
	int rc = 0;

	uc_lock(&d->lock, d->host);
	if (compat && !uc_domain_is_fifo(d) && d->valid_ports > UC_2L_COMPAT_PORTS)
		rc = -XEN_EBUSY;
	else
		uc_store_seq(&d->compat, compat);
	uc_unlock(&d->lock);
	return rc;
}

bool uc_domain_is_fifo(const struct uc_domain *d)
{
	return uc_abi_of(d) == &uc_abi_fifo;
}

void uc_ports_unpark(struct uc_domain *d, uint32_t from, uint32_t to)
{
	for (uint32_t port = from ? from : 1; port < to && port < d->valid_ports; port++)
		if (uc_xchg(&d->ports[port].parked, 0))
			uc_raise(d, port);
}

/* vCPUs without a vcpu_info of their own use the slot in shared_info, if there is one for them. */
static void use_shared_infos(struct uc_domain *d, struct uc_shared_info *s)
{
	for (uint32_t i = 0; i < d->nr_vcpus && i < UC_LEGACY_VCPUS; i++) {
		struct uc_vcpu *v = &d->vcpus[i];

		if (v->info_registered)
			continue;
		uc_store_seq(&v->info, &s->vcpu_info[i]);
		/* The edge went to words that the guest cannot see: READY is set, so none follows.
		 */
		if (uc_g8_xchg(&v->no_info.upcall_pending, 0))
			uc_vcpu_upcall(v);
	}
}

int uc_domain_set_shared_info(struct uc_domain *d, uint64_t gfn)
{
	struct uc_shared_info *s, *old;
	int rc = 0;

	uc_lock(&d->lock, d->host);
	s = uc_frame_map(d, gfn);
	old = d->shared_info;
	if (!s) {
		rc = -XEN_EINVAL;
	} else {
		if (old && old != s)
			memcpy(s, old, UC_FRAME_SIZE);
		/* First: who finds the bitmaps sets a selector, and must find the right one. */
		use_shared_infos(d, s);
		uc_store_seq(&d->shared_info, s);
		uc_frame_unmap(d, old);
		if (!uc_domain_is_fifo(d))
			uc_ports_unpark(d, 1, uc_2l_max_ports(d));
	}
	uc_unlock(&d->lock);
	return rc;
}

int uc_vcpu_set_info(struct uc_vcpu *v, uint64_t gfn, uint32_t offset)
{
	struct uc_domain *d = v->domain;
	struct uc_vcpu_info *info, old;
	uint8_t *frame = 0;
	int rc = -XEN_EBUSY;

	if (offset > UC_FRAME_SIZE - sizeof(*info))
		return -XEN_ENXIO;
	if (offset % 8)
		return -XEN_ENXIO;

	uc_lock(&d->lock, d->host);
	if (!v->info_registered) {
		frame = uc_frame_map(d, gfn);
		rc = frame ? 0 : -XEN_EINVAL;
	}
	if (frame) {
		info = (struct uc_vcpu_info *)(frame + offset);
		/* The guest may have named a place that overlaps its slot in shared_info. */
		memcpy(&old, v->info, sizeof(old));
		memcpy(info, &old, sizeof(old));
		/* Raises on the old words may have come between: mark everything. */
		uc_2l_select_all(d, info);
		__atomic_store_n(&info->upcall_pending.raw, 0, __ATOMIC_SEQ_CST);
		v->info_registered = true;
		uc_store_seq(&v->info, info);
		uc_vcpu_upcall(v);
	}
	uc_unlock(&d->lock);
	return rc;
}

void uc_vcpu_upcall(struct uc_vcpu *v)
{
	struct uc_vcpu_info *info = uc_load_acquire(&v->info);

	if (!uc_g8_xchg(&info->upcall_pending, 1)) {
		uc_count(&v->upcalls);
		v->domain->host->ops->kick(v->domain->host->ctx, v);
	}
}

bool uc_vcpu_upcall_pending(const struct uc_vcpu *v)
{
	return uc_g8_read(&uc_load_acquire(&v->info)->upcall_pending);
}
