/* SPDX-License-Identifier: MIT */
/*
 * Affinity sets and per-port policies: what a host, or an enlightened guest, may ask for.
 *
 * A port's row of the set table changes under the same two locks as its route (uc_port_set_route),
 * so a sender that looks at it under the lock of the queue it links into sees the old set or the
 * new one, and after the change no event goes to a vCPU outside. The domain's own set changes under
 * the domain's lock and each queue's in turn.
 */
#include "lib/evtchn/private.h"

#include <xen/errno.h>

static const uint64_t *row_of(const struct uc_domain *d, uint32_t port)
{
	return &d->affinity[(uint64_t)port * d->affinity_words];
}

static bool is_in(const uint64_t *row, uint32_t vcpu)
{
	return (uc_load(&row[vcpu / 64]) >> (vcpu % 64)) & 1;
}

bool uc_domain_may_use(const struct uc_domain *d, uint32_t vcpu)
{
	return !uc_load_acquire(&d->has_default_set) || is_in(d->default_affinity, vcpu);
}

/* Without sets, which is the common case, no row is looked at: it would be a cache line per port.
 */
bool uc_port_may_use(const struct uc_domain *d, uint32_t port, uint32_t vcpu)
{
	struct uc_route route = uc_route_load(&d->ports[port]);

	if (route.policy == UC_ROUTE_PER_VCPU)
		return true;
	return route.has_set ? is_in(row_of(d, port), vcpu) : uc_domain_may_use(d, vcpu);
}

/* The row behind the domain's own is never written: the empty set, which stands for "not set". */
static const uint64_t *no_row(const struct uc_domain *d)
{
	return &d->default_affinity[d->affinity_words];
}

/* Bits of vCPUs that there are; -EINVAL for none, -ENODEV when no vCPU of the set is live. */
static int check_set(struct uc_domain *d, const uint64_t *vcpus)
{
	bool any = false;

	for (uint32_t i = 0; i < d->nr_vcpus; i++) {
		if (!((vcpus[i / 64] >> (i % 64)) & 1))
			continue;
		any = true;
		if (uc_vcpu_is_live(&d->vcpus[i]))
			return 0;
	}
	return any ? -XEN_ENODEV : -XEN_EINVAL;
}

static bool any_is_live(const struct uc_domain *d)
{
	for (uint32_t i = 0; i < d->nr_vcpus; i++)
		if (uc_vcpu_is_live(&d->vcpus[i]))
			return true;
	return false;
}

int uc_port_set_affinity(struct uc_domain *d, uint32_t port, const uint64_t *vcpus)
{
	struct uc_port *p = uc_port_get(d, port);
	struct uc_route route;
	int rc = 0;

	if (!p)
		return -XEN_EINVAL;
	if (!d->affinity)
		return -XEN_EOPNOTSUPP;
	uc_lock(&d->lock, d->host);
	route = uc_route_load(p);
	if (!uc_domain_is_fifo(d))
		rc = -XEN_EOPNOTSUPP;
	else if (!route.usable || route.policy == UC_ROUTE_PER_VCPU)
		rc = -XEN_EINVAL;
	else if (vcpus)
		rc = check_set(d, vcpus);
	if (!rc) {
		uc_port_set_route(d, p, route, vcpus ? vcpus : no_row(d));
		/*
		 * What waits where it may not any more is taken back, if the guest has not begun.
		 * Asked only now where that is: a raise may have moved the port before the set
		 * changed, and cannot any more to a vCPU outside.
		 */
		route = uc_route_load(p);
		if (!uc_port_may_use(d, port, route.last_vcpu))
			uc_vcpu_handover_all(&d->vcpus[route.last_vcpu]);
	}
	uc_unlock(&d->lock);
	return rc;
}

void uc_pass_locks(struct uc_domain *d)
{
	for (uint32_t port = 1; port < d->valid_ports; port++) {
		uc_lock(&d->ports[port].lock, d->host);
		uc_unlock(&d->ports[port].lock);
	}
	for (uint32_t i = 0; i < d->nr_vcpus; i++) {
		for (uint32_t q = 0; q < UC_FIFO_QUEUES; q++) {
			uc_lock(&d->vcpus[i].queue[q].lock, d->host);
			uc_unlock(&d->vcpus[i].queue[q].lock);
		}
	}
}

/* A raise may see a part of both sets until it passes a lock, but never "all" on the way. */
static void set_default(struct uc_domain *d, const uint64_t *vcpus)
{
	for (uint32_t i = 0; vcpus && i < d->affinity_words; i++)
		uc_store_seq(&d->default_affinity[i], vcpus[i]);
	uc_store_seq(&d->has_default_set, vcpus ? 1 : 0);
}

int uc_domain_set_affinity(struct uc_domain *d, const uint64_t *vcpus)
{
	int rc = 0;

	if (!d->affinity)
		return -XEN_EOPNOTSUPP;
	uc_lock(&d->lock, d->host);
	if (vcpus)
		rc = check_set(d, vcpus);
	if (rc == -XEN_ENODEV && !any_is_live(d)) /* the guest has not booted */
		rc = 0;
	if (!rc) {
		set_default(d, vcpus);
		uc_pass_locks(d);
		for (uint32_t i = 0; i < d->nr_vcpus; i++)
			uc_vcpu_handover_all(&d->vcpus[i]);
	}
	uc_unlock(&d->lock);
	return rc;
}

int uc_domain_set_policy(struct uc_domain *d, enum uc_policy policy)
{
	if (policy >= UC_POLICIES)
		return -XEN_EINVAL;
	if (policy != UC_POLICY_PINNED && !uc_domain_is_fifo(d))
		return -XEN_EOPNOTSUPP;
	uc_store_seq(&d->policy, (uint16_t)policy);
	return 0;
}

int uc_port_set_policy(struct uc_domain *d, uint32_t port, enum uc_policy policy)
{
	struct uc_port *p = uc_port_get(d, port);
	struct uc_route route;
	int rc = 0;

	if (!p || policy > UC_POLICIES)
		return -XEN_EINVAL;
	uc_lock(&d->lock, d->host);
	route = uc_route_load(p);
	if (!route.usable || route.policy == UC_ROUTE_PER_VCPU)
		rc = -XEN_EINVAL;
	else if (policy != UC_POLICY_PINNED && policy != UC_POLICIES && !uc_domain_is_fifo(d))
		rc = -XEN_EOPNOTSUPP;
	if (!rc) {
		route.policy = policy == UC_POLICIES ? 0 : (uint8_t)(policy + 1);
		uc_port_set_route(d, p, route, 0);
	}
	uc_unlock(&d->lock);
	return rc;
}
