/* SPDX-License-Identifier: MIT */
/*
 * SCHEDOP_poll: a vCPU sleeps until one of some ports is pending, masked or not.
 *
 * The poller publishes what it waits for, then looks at PENDING; a raise sets PENDING, links, then
 * looks for pollers. So either the poller does not sleep or the raise wakes it.
 */
#include "private.h"

#include <xen/errno.h>

#define MAX_PORTS 128
#define ANY_PORT  UINT32_MAX

void uc_pollers_wake(struct uc_domain *d, uint32_t port)
{
	for (uint32_t i = 0; i < d->nr_vcpus; i++) {
		struct uc_vcpu *v = &d->vcpus[i];
		uint32_t waits_for = uc_load_seq(&v->poll_port);

		if ((waits_for == ANY_PORT || waits_for == port) && uc_xchg(&v->poll_port, 0))
			d->host->ops->wake(d->host->ctx, v);
	}
}

/* 1 when any is pending, 0 when none, -EINVAL for one that cannot be polled. */
static int any_pending(struct uc_domain *d, const uint32_t *ports, uint32_t nr_ports)
{
	for (uint32_t i = 0; i < nr_ports; i++) {
		struct uc_port *p = uc_port_get(d, ports[i]);

		if (!p || !uc_route_load(p).usable)
			return -XEN_EINVAL;
		if (uc_abi_of(d)->is_pending(d, ports[i]))
			return 1;
	}
	return 0;
}

int uc_poll_begin(struct uc_vcpu *v, const uint32_t *ports, uint32_t nr_ports)
{
	struct uc_domain *d = v->domain;
	int rc;

	if (nr_ports > MAX_PORTS)
		return -XEN_EINVAL;
	uc_inc(&d->pollers);
	uc_store_seq(&v->poll_port, nr_ports == 1 ? ports[0] : ANY_PORT);
	rc = any_pending(d, ports, nr_ports);
	if (rc)
		uc_poll_end(v);
	return rc;
}

void uc_poll_end(struct uc_vcpu *v)
{
	uc_store_seq(&v->poll_port, 0);
	uc_dec(&v->domain->pollers);
}
