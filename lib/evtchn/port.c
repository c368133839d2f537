/* SPDX-License-Identifier: MIT */
/*
 * The life of a port: free, bound to something, closed, and free again once the guest has let go of
 * its event word. All state changes happen under the domain's lock; two domains by address.
 */
#include "private.h"

#include <xen/errno.h>
#include <xen/xen.h>

/* Of what there is memory for, the ABI can name, and the host grants. */
static uint32_t limit_of(const struct uc_domain *d)
{
	uint32_t max = uc_abi_of(d)->max_ports(d);

	if (max > d->quota)
		max = d->quota;
	return max < d->nr_ports ? max : d->nr_ports;
}

/* The lowest port that is free and whose word the guest no longer has in a queue. */
int uc_port_alloc(struct uc_domain *d, uint32_t *port)
{
	const struct uc_abi *abi = uc_abi_of(d);
	uint32_t max = limit_of(d);
	bool seen_free = false;

	for (uint32_t i = d->first_free; i < max; i++) {
		if (uc_peer_load(&d->ports[i]).kind != UC_PORT_FREE)
			continue;
		if (!seen_free)
			d->first_free = i;
		seen_free = true;
		if (i < d->valid_ports && abi->is_busy(d, i))
			continue;
		if (i >= d->valid_ports)
			uc_store_release(&d->valid_ports, i + 1);
		*port = i;
		return 0;
	}
	return -XEN_ENOSPC;
}

/* d->affinity's row for the port; its events go by it from now on. False: no vCPU is in it. */
static bool set_row(struct uc_domain *d, struct uc_port *p, const uint64_t *row)
{
	uint64_t *mine = &d->affinity[(uint64_t)(p - d->ports) * d->affinity_words], any = 0;

	for (uint32_t i = 0; i < d->affinity_words; i++) {
		uc_store(&mine[i], row[i]);
		any |= row[i];
	}
	return any != 0;
}

/* The one place that takes both locks that guard a route. */
void uc_port_set_route(struct uc_domain *d, struct uc_port *p, struct uc_route route,
		       const uint64_t *row)
{
	struct uc_route old;
	struct uc_queue *q;

	uc_lock(&p->lock, d->host);
	old = uc_route_load(p);
	q = &d->vcpus[old.last_vcpu].queue[old.last_priority];
	uc_lock(&q->lock, d->host);
	route.last_vcpu = old.last_vcpu;
	route.last_priority = old.last_priority;
	if (row)
		route.has_set = set_row(d, p, row);
	/*
	 * A late raise of the port's former life may have set PENDING; left there it would swallow
	 * the first raise of this one. One that sets it after this finds the port usable, and
	 * links.
	 */
	if (!old.usable && route.usable)
		uc_abi_of(d)->clear_pending(d, (uint32_t)(p - d->ports));
	uc_store_release(&p->route_word, uc_route_word(route));
	uc_unlock(&q->lock);
	uc_unlock(&p->lock);
}

static bool is_per_vcpu(struct uc_peer peer)
{
	return peer.kind == UC_PORT_IPI ||
	       (peer.kind == UC_PORT_VIRQ && uc_virq_is_per_vcpu(peer.index));
}

void uc_port_open(struct uc_domain *d, uint32_t port, struct uc_peer peer, uint32_t vcpu)
{
	struct uc_port *p = &d->ports[port];
	bool per_vcpu = is_per_vcpu(peer);

	uc_store(&p->events, 0);
	uc_store(&p->linked, 0);
	uc_store_seq(&p->parked, 0);
	uc_port_set_route(d, p,
			  (struct uc_route){.vcpu = (uint16_t)vcpu,
					    .priority = UC_FIFO_PRIORITY_DEFAULT,
					    .usable = 1,
					    .policy = per_vcpu ? UC_ROUTE_PER_VCPU : 0},
			  0);
	uc_peer_store(p, peer);
	d->open_ports++;
	if (per_vcpu)
		uc_store_release(&d->vcpus[vcpu].per_vcpu_ports, d->vcpus[vcpu].per_vcpu_ports + 1);
}

void uc_port_set_kept(struct uc_domain *d, struct uc_port *p, bool kept)
{
	d->kept_ports += (uint32_t)kept - p->kept;
	uc_store(&p->kept, kept);
}

void uc_port_free(struct uc_domain *d, uint32_t port)
{
	struct uc_port *p = &d->ports[port];

	uc_peer_store(p, (struct uc_peer){.kind = UC_PORT_FREE});
	uc_port_set_route(d, p, (struct uc_route){0}, 0);
	uc_abi_of(d)->clear_pending(d, port);
	uc_store_seq(&p->parked, 0);
	d->open_ports--;
	uc_port_set_kept(d, p, false);
	if (port < d->first_free)
		d->first_free = port;
}

int uc_alloc_unbound(struct uc_domain *d, uint16_t remote_domid, uint32_t *port)
{
	int rc;

	uc_lock(&d->lock, d->host);
	rc = uc_port_alloc(d, port);
	if (!rc)
		uc_port_open(d, *port,
			     (struct uc_peer){
				     .kind = UC_PORT_UNBOUND,
				     .domid = remote_domid == UC_DOMID_SELF ? d->id : remote_domid},
			     0);
	uc_unlock(&d->lock);
	return rc;
}

static bool may_bind(struct uc_domain *rd, uint32_t port, uint16_t domid)
{
	struct uc_port *p = uc_port_get(rd, port);
	struct uc_peer peer;

	if (!p)
		return false;
	peer = uc_peer_load(p);
	return peer.kind == UC_PORT_UNBOUND && peer.domid == domid;
}

int uc_bind_interdomain(struct uc_domain *d, uint16_t remote_domid, uint32_t remote_port,
			uint32_t *port)
{
	struct uc_domain *rd = remote_domid == UC_DOMID_SELF
				       ? d
				       : uc_domain_by_id(d->host, remote_domid);
	int rc = -XEN_EINVAL;

	if (!rd)
		return remote_domid == UC_DOMID_HOST ? -XEN_EINVAL : -XEN_ESRCH;

	uc_lock_two(&d->lock, &rd->lock, d->host);
	/* Looked at before the port is allocated, which could be the very one that is named. */
	if (may_bind(rd, remote_port, d->id))
		rc = uc_port_alloc(d, port);
	if (!rc) {
		uc_port_open(d, *port,
			     (struct uc_peer){.kind = UC_PORT_INTERDOMAIN,
					      .domid = rd->id,
					      .index = remote_port},
			     0);
		uc_peer_store(&rd->ports[remote_port], (struct uc_peer){.kind = UC_PORT_INTERDOMAIN,
									.domid = d->id,
									.index = *port});
		uc_raise(d, *port);
	}
	uc_unlock_two(&d->lock, &rd->lock);
	return rc;
}

int uc_bind_ipi(struct uc_domain *d, uint32_t vcpu, uint32_t *port)
{
	int rc;

	if (!uc_vcpu_get(d, vcpu))
		return -XEN_ENOENT;
	uc_lock(&d->lock, d->host);
	rc = uc_port_alloc(d, port);
	if (!rc)
		uc_port_open(d, *port, (struct uc_peer){.kind = UC_PORT_IPI}, vcpu);
	uc_unlock(&d->lock);
	return rc;
}

/* No thread is inside notify() any more, nor will enter it: kind is no longer HOST. */
void uc_endpoint_quiesce(struct uc_domain *d, struct uc_port *p)
{
	uint32_t spins = 0;

	/*
	 * Pairs with uc_send(): it counts itself in, then looks at the kind again. A
	 * read-modify-write, because a load could be served while the change of the kind is still
	 * in this CPU's store buffer.
	 */
	while (__atomic_fetch_add(&p->in_endpoint, 0, __ATOMIC_SEQ_CST))
		uc_spin(&spins, d->host);
	uc_store(&p->endpoint, (struct uc_endpoint *)0);
}

/*
 * The guest has closed a per-vCPU port. Linux closes all of them when it takes a CPU offline, right
 * after the CPU has stopped and before it drops the CPU's queues: what waits there goes to others.
 */
static void leave_vcpu(struct uc_vcpu *v)
{
	uc_store_release(&v->per_vcpu_ports, v->per_vcpu_ports - 1);
	if (v->per_vcpu_ports || v->domain->reset_next) /* that one does it at its end */
		return;
	/* A raise that chose v while it was live must not link there after this. */
	uc_pass_locks(v->domain);
	uc_vcpu_handover_all(v);
}

static void close_one(struct uc_domain *d, uint32_t port, struct uc_peer peer)
{
	struct uc_port *p = &d->ports[port];
	uint32_t vcpu = uc_route_load(p).vcpu;

	if (peer.kind == UC_PORT_VIRQ)
		uc_virq_unbind(d, peer.index, vcpu);
	if (peer.kind == UC_PORT_PIRQ)
		uc_pirq_unbind(d, peer.index);
	uc_port_free(d, port);
	if (is_per_vcpu(peer))
		leave_vcpu(&d->vcpus[vcpu]);
	if (peer.kind == UC_PORT_HOST)
		uc_endpoint_quiesce(d, p);
}

/*
 * Close with d and, for a joined port, its peer `rd` locked (rd == NULL: not known yet). Returns 0,
 * an error, or 1 with *peer_domain set: lock that one too and come again.
 */
static int close_locked(struct uc_domain *d, uint32_t port, struct uc_domain *rd,
			struct uc_domain **peer_domain)
{
	struct uc_peer peer = uc_peer_load(&d->ports[port]);

	if (peer.kind == UC_PORT_FREE || peer.kind == UC_PORT_RESERVED)
		return -XEN_EINVAL;
	if (peer.kind == UC_PORT_INTERDOMAIN) {
		*peer_domain = uc_domain_by_id(d->host, peer.domid);
		if (!*peer_domain)
			return -XEN_EINVAL;
		if (rd != *peer_domain)
			return rd ? -XEN_EINVAL : 1;
		uc_peer_store(&rd->ports[peer.index],
			      (struct uc_peer){.kind = UC_PORT_UNBOUND, .domid = d->id});
	}
	close_one(d, port, peer);
	return 0;
}

int uc_close(struct uc_domain *d, uint32_t port)
{
	struct uc_domain *rd = 0, *rd_now;
	int rc;

	if (!uc_port_get(d, port))
		return -XEN_EINVAL;
	uc_lock(&d->lock, d->host);
	rc = close_locked(d, port, 0, &rd);
	uc_unlock(&d->lock);
	if (rc <= 0)
		return rc;

	/* Joined: again with both locks. A port that changed peers meanwhile was closed meanwhile.
	 */
	uc_lock_two(&d->lock, &rd->lock, d->host);
	rc = close_locked(d, port, rd, &rd_now);
	uc_unlock_two(&d->lock, &rd->lock);
	return rc;
}

int uc_bind_vcpu(struct uc_domain *d, uint32_t port, uint32_t vcpu)
{
	struct uc_port *p = uc_port_get(d, port);
	struct uc_route route;
	struct uc_vcpu *old;
	struct uc_peer peer;
	int rc = 0;

	if (!uc_vcpu_get(d, vcpu))
		return -XEN_ENOENT;
	if (!p)
		return -XEN_EINVAL;

	uc_lock(&d->lock, d->host);
	peer = uc_peer_load(p);
	if (peer.kind == UC_PORT_UNBOUND || peer.kind == UC_PORT_INTERDOMAIN ||
	    peer.kind == UC_PORT_HOST || peer.kind == UC_PORT_PIRQ ||
	    (peer.kind == UC_PORT_VIRQ && !uc_virq_is_per_vcpu(peer.index))) {
		route = uc_route_load(p);
		old = &d->vcpus[route.vcpu];
		route.vcpu = (uint16_t)vcpu;
		uc_port_set_route(d, p, route, 0);
		/* What was raised while bound to a vCPU that could not take it yet can go now. */
		if (!old->control && uc_abi_of(d)->is_pending(d, port))
			uc_raise(d, port);
	} else {
		rc = -XEN_EINVAL;
	}
	uc_unlock(&d->lock);
	return rc;
}

int uc_set_priority(struct uc_domain *d, uint32_t port, uint32_t priority)
{
	struct uc_port *p = uc_port_get(d, port);
	struct uc_route route;
	int rc = 0;

	if (!p)
		return -XEN_EINVAL;
	uc_lock(&d->lock, d->host);
	route = uc_route_load(p);
	route.priority = (uint8_t)priority;
	if (!uc_abi_of(d)->has_priorities)
		rc = -XEN_ENOSYS;
	else if (!route.usable)
		rc = -XEN_EACCES;
	else if (priority > UC_FIFO_PRIORITY_MIN)
		rc = -XEN_EINVAL;
	else
		uc_port_set_route(d, p, route, 0);
	uc_unlock(&d->lock);
	return rc;
}

uint32_t uc_ports_valid(const struct uc_domain *d)
{
	return uc_load_acquire(&d->valid_ports);
}
