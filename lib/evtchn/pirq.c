/* SPDX-License-Identifier: MIT */
/*
 * Physical interrupts: EVTCHNOP_bind_pirq, and the lines behind it.
 *
 * An edge is an event. A level line is one event for as long as it is asserted and the guest has
 * not said that it is done (PHYSDEVOP_eoi); if the line is still asserted then, there is another.
 * A pirq's lock is held over the raise, so none reaches the port's next owner. It comes after the
 * domain's lock and before a port's.
 */
#include "private.h"

#include <xen/errno.h>

static struct uc_pirq *pirq_get(const struct uc_domain *d, uint32_t pirq)
{
	return pirq < d->nr_pirqs ? &d->pirqs[uc_index_nospec(pirq, d->nr_pirqs)]
				  : (struct uc_pirq *)0;
}

/* A level line that is asserted and not in service is due. q's lock held. */
static void deliver_level(struct uc_domain *d, struct uc_pirq *q)
{
	if (!q->port || !q->asserted || q->in_service)
		return;
	q->in_service = true;
	uc_raise(d, q->port);
}

int uc_bind_pirq(struct uc_domain *d, uint32_t pirq, uint32_t *port)
{
	struct uc_pirq *q = pirq_get(d, pirq);
	int rc;

	if (!q)
		return -XEN_EINVAL;
	if (q->trigger == UC_PIRQ_NONE)
		return -XEN_EPERM;

	uc_lock(&d->lock, d->host);
	rc = q->port ? -XEN_EEXIST : uc_port_alloc(d, port);
	if (!rc) {
		uc_port_open(d, *port, (struct uc_peer){.kind = UC_PORT_PIRQ, .index = pirq}, 0);
		uc_lock(&q->lock, d->host);
		q->port = *port;
		deliver_level(d, q);
		uc_unlock(&q->lock);
	}
	uc_unlock(&d->lock);
	return rc;
}

void uc_pirq_unbind(struct uc_domain *d, uint32_t pirq)
{
	struct uc_pirq *q = pirq_get(d, pirq);

	uc_lock(&q->lock, d->host);
	q->port = 0;
	q->in_service = false;
	uc_unlock(&q->lock);
}

int uc_pirq_raise(struct uc_domain *d, uint32_t pirq)
{
	struct uc_pirq *q = pirq_get(d, pirq);

	if (!q || q->trigger != UC_PIRQ_EDGE)
		return -XEN_EINVAL;
	uc_lock(&q->lock, d->host);
	if (q->port)
		uc_raise(d, q->port);
	uc_unlock(&q->lock);
	return 0;
}

int uc_pirq_set_level(struct uc_domain *d, uint32_t pirq, bool asserted)
{
	struct uc_pirq *q = pirq_get(d, pirq);

	if (!q || q->trigger != UC_PIRQ_LEVEL)
		return -XEN_EINVAL;
	uc_lock(&q->lock, d->host);
	q->asserted = asserted;
	deliver_level(d, q);
	uc_unlock(&q->lock);
	return 0;
}

int uc_pirq_eoi(struct uc_domain *d, uint32_t pirq)
{
	struct uc_pirq *q = pirq_get(d, pirq);

	if (!q)
		return -XEN_EINVAL;
	uc_lock(&q->lock, d->host);
	q->in_service = false;
	deliver_level(d, q);
	uc_unlock(&q->lock);
	return 0;
}

int uc_pirq_needs_eoi(struct uc_domain *d, uint32_t pirq, bool *needs)
{
	const struct uc_pirq *q = pirq_get(d, pirq);

	if (!q)
		return -XEN_EINVAL;
	*needs = q->trigger == UC_PIRQ_LEVEL;
	return 0;
}
