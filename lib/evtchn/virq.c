/* SPDX-License-Identifier: MIT */
/*
 * VIRQs: events that the hypervisor itself makes. Per-vCPU ones are bound on each vCPU, those of a
 * domain once, global ones in one domain of the host, their handler.
 */
#include "private.h"

#include <xen/errno.h>
#include <xen/xen.h>

bool uc_virq_is_per_vcpu(uint32_t virq)
{
	return virq == VIRQ_TIMER || virq == VIRQ_DEBUG || virq == VIRQ_XENOPROF ||
	       virq == VIRQ_XENPMU;
}

bool uc_virq_is_global(uint32_t virq)
{
	return !uc_virq_is_per_vcpu(virq) && virq != VIRQ_ARGO;
}

static int bind_locked(struct uc_domain *d, uint32_t virq, struct uc_vcpu *v, uint32_t *port)
{
	int rc;

	if (uc_virq_is_global(virq) && uc_load(&d->host->virq_handler[virq]) != d->id)
		return -XEN_EBUSY;
	if (v->virq_port[virq])
		return -XEN_EEXIST;
	rc = uc_port_alloc(d, port);
	if (rc)
		return rc;
	uc_port_open(d, *port, (struct uc_peer){.kind = UC_PORT_VIRQ, .index = virq}, v->id);
	/* Last: a VIRQ raised from now on finds a port that is ready. */
	uc_store_release(&v->virq_port[virq], *port);
	return 0;
}

int uc_bind_virq(struct uc_domain *d, uint32_t virq, uint32_t vcpu, uint32_t *port)
{
	struct uc_vcpu *v;
	int rc;

	if (virq >= UC_VIRQS)
		return -XEN_EINVAL;
	virq = uc_index_nospec(virq, UC_VIRQS);
	if (!uc_virq_is_per_vcpu(virq) && vcpu != 0)
		return -XEN_EINVAL;
	v = uc_vcpu_get(d, vcpu);
	if (!v)
		return -XEN_ENOENT;

	uc_lock(&d->lock, d->host);
	rc = bind_locked(d, virq, v, port);
	uc_unlock(&d->lock);
	return rc;
}

void uc_virq_unbind(struct uc_domain *d, uint32_t virq, uint32_t vcpu)
{
	struct uc_vcpu *v = &d->vcpus[uc_virq_is_per_vcpu(virq) ? vcpu : 0];

	uc_store_release(&v->virq_port[virq], 0);
}

static void raise_at(struct uc_vcpu *v, uint32_t virq)
{
	uint32_t port = uc_load_acquire(&v->virq_port[virq]);

	if (port)
		uc_raise(v->domain, port);
}

int uc_virq_raise(struct uc_vcpu *v, uint32_t virq)
{
	if (virq >= UC_VIRQS || uc_virq_is_global(virq))
		return -XEN_EINVAL;
	raise_at(uc_virq_is_per_vcpu(virq) ? v : &v->domain->vcpus[0], virq);
	return 0;
}

int uc_host_set_virq_handler(struct uc_host *host, uint32_t virq, uint16_t domid)
{
	if (virq >= UC_VIRQS || !uc_virq_is_global(virq))
		return -XEN_EINVAL;
	if (domid != UC_DOMID_HOST && !uc_domain_by_id(host, domid))
		return -XEN_ESRCH;
	uc_store(&host->virq_handler[virq], domid);
	return 0;
}

int uc_global_virq_raise(struct uc_host *host, uint32_t virq)
{
	struct uc_domain *d;
	uint16_t domid;

	if (virq >= UC_VIRQS || !uc_virq_is_global(virq))
		return -XEN_EINVAL;
	domid = uc_load(&host->virq_handler[virq]);
	d = domid == UC_DOMID_HOST ? 0 : uc_domain_by_id(host, domid);
	if (d)
		raise_at(&d->vcpus[0], virq);
	return 0;
}

void uc_virq_forget_handler(struct uc_domain *d)
{
	for (uint32_t virq = 0; virq < UC_VIRQS; virq++)
		if (uc_load(&d->host->virq_handler[virq]) == d->id)
			uc_store(&d->host->virq_handler[virq], UC_DOMID_HOST);
}
