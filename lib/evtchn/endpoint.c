/* SPDX-License-Identifier: MIT */
/* Host end points: what a device back end holds where another guest would hold a port. */
#include "private.h"

#include <xen/errno.h>

static const struct uc_peer host_peer = {.kind = UC_PORT_HOST, .domid = UC_DOMID_HOST};

static void join(struct uc_endpoint *e, struct uc_domain *d, uint32_t port)
{
	uc_store(&d->ports[port].endpoint, e);
	uc_store(&e->port, port);
	uc_store_release(&e->domain, d);
}

int uc_endpoint_bind(struct uc_endpoint *e, struct uc_domain *d, uint32_t port)
{
	struct uc_port *p = uc_port_get(d, port);
	struct uc_peer peer;
	int rc = -XEN_EINVAL;

	if (!p)
		return rc;
	uc_lock(&d->lock, d->host);
	peer = uc_peer_load(p);
	if (peer.kind == UC_PORT_UNBOUND && peer.domid == UC_DOMID_HOST) {
		join(e, d, port);
		uc_peer_store(p, host_peer);
		rc = 0;
	}
	uc_unlock(&d->lock);
	/* What the guest sent before was dropped. */
	if (!rc)
		e->notify(e);
	return rc;
}

int uc_endpoint_open(struct uc_endpoint *e, struct uc_domain *d)
{
	uint32_t port;
	int rc;

	uc_lock(&d->lock, d->host);
	rc = uc_port_alloc(d, &port);
	if (!rc) {
		join(e, d, port);
		uc_port_open(d, port, host_peer, 0);
		uc_port_set_kept(d, &d->ports[port], true);
	}
	uc_unlock(&d->lock);
	return rc;
}

/* Whether port `port` of `d`, as read from `e`, is still joined to `e`: both may be out of date. */
static inline bool connected(const struct uc_endpoint *e, struct uc_domain *d, uint32_t port)
{
	struct uc_port *p = d ? uc_port_get(d, port) : 0;

	return p && uc_peer_load(p).kind == UC_PORT_HOST && uc_load(&p->endpoint) == e;
}

int uc_endpoint_raise(struct uc_endpoint *e)
{
	struct uc_domain *d = uc_load_acquire(&e->domain);
	uint32_t port = uc_load(&e->port);

	if (!connected(e, d, port))
		return -XEN_ENOTCONN;
	uc_raise(d, port);
	return 0;
}

void uc_endpoint_more(struct uc_endpoint *e)
{
	struct uc_domain *d = uc_load_acquire(&e->domain);
	uint32_t port = uc_load(&e->port);

	if (connected(e, d, port))
		uc_tell_more(d, port);
}

void uc_endpoint_close(struct uc_endpoint *e)
{
	struct uc_domain *d = uc_load_acquire(&e->domain);
	struct uc_port *p;

	if (!d)
		return;
	uc_lock(&d->lock, d->host);
	if (connected(e, d, e->port)) {
		p = &d->ports[e->port];
		uc_peer_store(p, (struct uc_peer){.kind = UC_PORT_UNBOUND, .domid = UC_DOMID_HOST});
		uc_port_set_kept(d, p, false);
		uc_endpoint_quiesce(d, p);
	}
	uc_store_release(&e->domain, (struct uc_domain *)0);
	uc_unlock(&d->lock);
}
