/* SPDX-License-Identifier: MIT */
/* The hot path's entrance: EVTCHNOP_send, unmask. No domain lock is taken here. */
#include "private.h"

#include <xen/errno.h>

static void send_to_endpoint(struct uc_port *p)
{
	struct uc_endpoint *e;

	uc_inc(&p->in_endpoint);
	/* Pairs with uc_endpoint_quiesce(): the kind changes first, then it waits for the count. */
	if (uc_peer_load(p).kind == UC_PORT_HOST) {
		e = uc_load(&p->endpoint);
		e->notify(e);
	}
	uc_dec(&p->in_endpoint);
}

static void send_to_domain(struct uc_host *host, struct uc_peer peer)
{
	struct uc_domain *rd = uc_domain_by_id(host, peer.domid);

	if (rd)
		uc_raise(rd, peer.index);
}

int uc_send(struct uc_domain *d, uint32_t port)
{
	struct uc_port *p = uc_port_get(d, port);
	struct uc_peer peer;

	if (!p)
		return -XEN_EINVAL;
	peer = uc_peer_load(p);
	switch (peer.kind) {
	case UC_PORT_INTERDOMAIN:
		send_to_domain(d->host, peer);
		return 0;
	case UC_PORT_HOST:
		send_to_endpoint(p);
		return 0;
	case UC_PORT_IPI:
		uc_raise(d, port);
		return 0;
	case UC_PORT_UNBOUND: /* dropped; the bind makes up for it */
		return 0;
	default:
		return -XEN_EINVAL;
	}
}

int uc_unmask(struct uc_domain *d, uint32_t port)
{
	struct uc_port *p = uc_port_get(d, port);

	if (!p)
		return -XEN_EINVAL;
	if (uc_route_load(p).usable)
		uc_abi_of(d)->unmask(d, port);
	return 0;
}

int uc_port_info(struct uc_domain *d, uint32_t port, struct uc_port_info *info)
{
	struct uc_port *p = uc_port_get(d, port);
	const struct uc_abi *abi = uc_abi_of(d);
	struct uc_route route;
	struct uc_peer peer;

	if (!p)
		return -XEN_EINVAL;
	peer = uc_peer_load(p);
	route = uc_route_load(p);
	*info = (struct uc_port_info){
		.kind = (enum uc_port_kind)peer.kind,
		.remote_domid = peer.domid,
		.index = peer.index,
		.vcpu = route.vcpu,
		.priority = route.priority,
		.pending = abi->is_pending(d, port),
		.masked = abi->is_masked(d, port),
		.linked = abi->is_busy(d, port),
		.events = uc_load(&p->events) + uc_load(&p->linked),
	};
	return 0;
}
