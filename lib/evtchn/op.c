/* SPDX-License-Identifier: MIT */
/*
 * EVTCHNOPs as a guest makes them: Xen's structures in and out, privilege checked. Called by the
 * host's hypercall handler with its own copy of the argument; a table row per operation.
 */
#include "private.h"

#include <xen/errno.h>
#include <xen/xen.h>

#include <xen/event_channel.h>

/* A guest acts on itself: 0, -ESRCH for a domain that is not there, -EPERM for one that is. */
static int check_self(struct uc_domain *d, uint16_t domid)
{
	if (domid == DOMID_SELF || domid == d->id)
		return 0;
	if (domid == UC_DOMID_HOST || uc_domain_by_id(d->host, domid))
		return -XEN_EPERM;
	return -XEN_ESRCH;
}

static int op_alloc_unbound(struct uc_domain *d, void *arg)
{
	struct evtchn_alloc_unbound *a = arg;
	int rc = check_self(d, a->dom);

	return rc ? rc : uc_alloc_unbound(d, a->remote_dom, &a->port);
}

static int op_bind_interdomain(struct uc_domain *d, void *arg)
{
	struct evtchn_bind_interdomain *a = arg;

	return uc_bind_interdomain(d, a->remote_dom, a->remote_port, &a->local_port);
}

static int op_bind_virq(struct uc_domain *d, void *arg)
{
	struct evtchn_bind_virq *a = arg;

	return uc_bind_virq(d, a->virq, a->vcpu, &a->port);
}

/* The flags say whether the line may be shared, which is the host's business here. */
static int op_bind_pirq(struct uc_domain *d, void *arg)
{
	struct evtchn_bind_pirq *a = arg;

	return uc_bind_pirq(d, a->pirq, &a->port);
}

static int op_bind_ipi(struct uc_domain *d, void *arg)
{
	struct evtchn_bind_ipi *a = arg;

	return uc_bind_ipi(d, a->vcpu, &a->port);
}

static int op_close(struct uc_domain *d, void *arg)
{
	return uc_close(d, ((struct evtchn_close *)arg)->port);
}

static int op_send(struct uc_domain *d, void *arg)
{
	return uc_send(d, ((struct evtchn_send *)arg)->port);
}

static int op_status(struct uc_domain *d, void *arg)
{
	static const uint8_t status_of[] = {
		[UC_PORT_FREE] = EVTCHNSTAT_closed,
		[UC_PORT_RESERVED] = EVTCHNSTAT_closed,
		[UC_PORT_UNBOUND] = EVTCHNSTAT_unbound,
		[UC_PORT_INTERDOMAIN] = EVTCHNSTAT_interdomain,
		[UC_PORT_HOST] = EVTCHNSTAT_interdomain,
		[UC_PORT_VIRQ] = EVTCHNSTAT_virq,
		[UC_PORT_IPI] = EVTCHNSTAT_ipi,
		[UC_PORT_PIRQ] = EVTCHNSTAT_pirq,
	};
	struct evtchn_status *a = arg;
	struct uc_port_info info;
	int rc = check_self(d, a->dom);

	if (!rc)
		rc = uc_port_info(d, a->port, &info);
	if (rc)
		return rc;
	a->status = status_of[info.kind];
	a->vcpu = info.vcpu;
	if (info.kind == UC_PORT_UNBOUND) {
		a->u.unbound.dom = info.remote_domid;
	} else if (a->status == EVTCHNSTAT_interdomain) {
		a->u.interdomain.dom = info.remote_domid;
		a->u.interdomain.port = info.index;
	} else if (info.kind == UC_PORT_VIRQ) {
		a->u.virq = info.index;
	} else if (info.kind == UC_PORT_PIRQ) {
		a->u.pirq = info.index;
	}
	return 0;
}

static int op_bind_vcpu(struct uc_domain *d, void *arg)
{
	struct evtchn_bind_vcpu *a = arg;

	return uc_bind_vcpu(d, a->port, a->vcpu);
}

static int op_unmask(struct uc_domain *d, void *arg)
{
	return uc_unmask(d, ((struct evtchn_unmask *)arg)->port);
}

static int op_init_control(struct uc_domain *d, void *arg)
{
	struct evtchn_init_control *a = arg;

	a->link_bits = UC_FIFO_LINK_BITS;
	return uc_init_control(d, a->vcpu, a->control_gfn, a->offset);
}

static int op_expand_array(struct uc_domain *d, void *arg)
{
	return uc_expand_array(d, ((struct evtchn_expand_array *)arg)->array_gfn);
}

static int op_set_priority(struct uc_domain *d, void *arg)
{
	struct evtchn_set_priority *a = arg;

	return uc_set_priority(d, a->port, a->priority);
}

static int op_set_affinity(struct uc_domain *d, void *arg)
{
	const struct uc_evtchn_set_affinity *a = arg;
	uint64_t any = 0;

	if (a->zero)
		return -XEN_EINVAL;
	if (d->nr_vcpus > UC_OP_VCPUS)
		return -XEN_EOPNOTSUPP;
	for (uint32_t i = 0; i < UC_OP_VCPUS; i++) {
		if (!((a->vcpus[i / 64] >> (i % 64)) & 1))
			continue;
		if (i >= d->nr_vcpus)
			return -XEN_EINVAL;
		if (!uc_domain_may_use(d, i))
			return -XEN_EPERM;
		any = 1;
	}
	return uc_port_set_affinity(d, a->port, any ? a->vcpus : 0);
}

#define PLACES_PER_FRAME (UC_FRAME_SIZE / sizeof(struct uc_control_place))

/* The places of one frame of the guest's list, each read once. */
static int stage_frame(struct uc_domain *d, uint64_t gfn, uint32_t nr_vcpus, uint32_t *staged)
{
	struct uc_control_place *list = uc_frame_map(d, gfn);
	int rc = list ? 0 : -XEN_EINVAL;

	for (uint32_t i = 0; i < PLACES_PER_FRAME && *staged < nr_vcpus && !rc; i++) {
		const struct uc_control_place place = {
			.gfn = uc_load(&list[i].gfn),
			.offset = uc_load(&list[i].offset),
			.zero = uc_load(&list[i].zero),
		};

		rc = uc_controls_stage(d, *staged, &place);
		*staged += !rc;
	}
	uc_frame_unmap(d, list);
	return rc;
}

static int op_init_controls(struct uc_domain *d, void *arg)
{
	struct uc_evtchn_init_controls *a = arg;
	uint64_t gfn = a->list_gfn;
	uint32_t staged = 0;
	int rc = 0;

	if (!a->nr_vcpus || a->nr_vcpus > d->nr_vcpus || a->zero[0] || a->zero[1] || a->zero[2])
		return -XEN_EINVAL;
	a->link_bits = UC_FIFO_LINK_BITS;
	uc_controls_begin(d);
	while (staged < a->nr_vcpus && !rc)
		rc = stage_frame(d, gfn++, a->nr_vcpus, &staged);
	return uc_controls_end(d, staged, rc);
}

static int reset(struct uc_domain *d, const struct evtchn_reset *a, bool resuming)
{
	int rc = check_self(d, a->dom);

	return rc ? rc : uc_reset(d, resuming);
}

static int op_reset(struct uc_domain *d, void *arg)
{
	return reset(d, arg, false);
}

static int op_reset_cont(struct uc_domain *d, void *arg)
{
	return reset(d, arg, true);
}

static const struct op {
	int (*run)(struct uc_domain *d, void *arg);
	uint8_t size;
	bool out;
} ops[] = {
	[EVTCHNOP_alloc_unbound] = {op_alloc_unbound, sizeof(struct evtchn_alloc_unbound), true},
	[EVTCHNOP_bind_interdomain] = {op_bind_interdomain, sizeof(struct evtchn_bind_interdomain),
				       true},
	[EVTCHNOP_bind_virq] = {op_bind_virq, sizeof(struct evtchn_bind_virq), true},
	[EVTCHNOP_bind_pirq] = {op_bind_pirq, sizeof(struct evtchn_bind_pirq), true},
	[EVTCHNOP_bind_ipi] = {op_bind_ipi, sizeof(struct evtchn_bind_ipi), true},
	[EVTCHNOP_close] = {op_close, sizeof(struct evtchn_close), false},
	[EVTCHNOP_send] = {op_send, sizeof(struct evtchn_send), false},
	[EVTCHNOP_status] = {op_status, sizeof(struct evtchn_status), true},
	[EVTCHNOP_bind_vcpu] = {op_bind_vcpu, sizeof(struct evtchn_bind_vcpu), false},
	[EVTCHNOP_unmask] = {op_unmask, sizeof(struct evtchn_unmask), false},
	[EVTCHNOP_init_control] = {op_init_control, sizeof(struct evtchn_init_control), true},
	[EVTCHNOP_expand_array] = {op_expand_array, sizeof(struct evtchn_expand_array), false},
	[EVTCHNOP_set_priority] = {op_set_priority, sizeof(struct evtchn_set_priority), false},
	[EVTCHNOP_reset] = {op_reset, sizeof(struct evtchn_reset), false},
	[UC_EVTCHNOP_RESET_CONT] = {op_reset_cont, sizeof(struct evtchn_reset), false},
};

/* Ours: apart, so that Xen's numbers can go on growing. */
static const struct op own_ops[] = {
	[UC_EVTCHNOP_SET_AFFINITY -
	 UC_EVTCHNOP_FIRST_OWN] = {op_set_affinity, sizeof(struct uc_evtchn_set_affinity), false},
	[UC_EVTCHNOP_INIT_CONTROLS -
		UC_EVTCHNOP_FIRST_OWN] = {op_init_controls, sizeof(struct uc_evtchn_init_controls),
					  true},
};

static const struct op *find_in(const struct op *table, uint32_t nr, uint32_t i)
{
	return i < nr && table[uc_index_nospec(i, nr)].run ? &table[uc_index_nospec(i, nr)] : 0;
}

static const struct op *find(uint32_t cmd)
{
	if (cmd >= UC_EVTCHNOP_FIRST_OWN)
		return find_in(own_ops, sizeof(own_ops) / sizeof(own_ops[0]),
			       cmd - UC_EVTCHNOP_FIRST_OWN);
	return find_in(ops, sizeof(ops) / sizeof(ops[0]), cmd);
}

int uc_evtchn_arg_size(uint32_t cmd, bool *out)
{
	const struct op *op = find(cmd);

	if (!op)
		return -XEN_ENOSYS;
	*out = op->out;
	return op->size;
}

int uc_evtchn_op(struct uc_vcpu *caller, uint32_t cmd, void *arg)
{
	const struct op *op = find(cmd);

	return op ? op->run(caller->domain, arg) : -XEN_ENOSYS;
}
