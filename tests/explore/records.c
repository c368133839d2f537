/* SPDX-License-Identifier: MIT */
/* See records.h. */
#include "records.h"

#include <stdio.h>

#include <upcall/route.h>

#define REFUSE_IF(condition)                                                                       \
	do {                                                                                       \
		if (condition)                                                                     \
			return #condition;                                                         \
	} while (0)

static const char *check_locks(const struct uc_domain *d)
{
	REFUSE_IF(d->lock);
	for (uint32_t i = 0; i < d->valid_ports; i++) {
		REFUSE_IF(d->ports[i].lock);
		REFUSE_IF(d->ports[i].in_endpoint);
	}
	for (uint32_t v = 0; v < d->nr_vcpus; v++)
		for (uint32_t q = 0; q < UC_FIFO_QUEUES; q++)
			REFUSE_IF(d->vcpus[v].queue[q].lock);
	for (uint32_t i = 0; i < d->nr_pirqs; i++)
		REFUSE_IF(d->pirqs[i].lock);
	return NULL;
}

static const char *check_route(const struct uc_domain *d, const struct uc_port *p)
{
	REFUSE_IF(p->route.vcpu >= d->nr_vcpus || p->route.last_vcpu >= d->nr_vcpus);
	REFUSE_IF(p->route.priority >= UC_FIFO_QUEUES || p->route.last_priority >= UC_FIFO_QUEUES);
	REFUSE_IF(p->route.policy > UC_POLICIES && p->route.policy != UC_ROUTE_PER_VCPU);
	REFUSE_IF(p->route.usable !=
		  (p->peer.kind != UC_PORT_FREE && p->peer.kind != UC_PORT_RESERVED));
	REFUSE_IF(p->peer.kind == UC_PORT_IPI && p->route.policy != UC_ROUTE_PER_VCPU);
	REFUSE_IF(p->parked > 1);
	return NULL;
}

static const char *check_peer(const struct uc_domain *d, uint32_t port)
{
	const struct uc_port *p = &d->ports[port], *other;
	const struct uc_domain *rd;

	if (p->peer.kind == UC_PORT_HOST) {
		REFUSE_IF(!p->endpoint || p->endpoint->domain != d || p->endpoint->port != port);
	} else if (p->peer.kind == UC_PORT_INTERDOMAIN) {
		REFUSE_IF(p->peer.domid >= d->host->nr_domains);
		rd = d->host->domains[p->peer.domid];
		REFUSE_IF(!rd || p->peer.index >= rd->valid_ports);
		other = &rd->ports[p->peer.index];
		REFUSE_IF(other->peer.kind != UC_PORT_INTERDOMAIN || other->peer.index != port ||
			  other->peer.domid != d->id);
	} else if (p->peer.kind == UC_PORT_PIRQ) {
		REFUSE_IF(p->peer.index >= d->nr_pirqs);
		REFUSE_IF(d->pirqs[p->peer.index].port != port);
	} else if (p->peer.kind == UC_PORT_VIRQ) {
		REFUSE_IF(p->peer.index >= UC_VIRQS);
		REFUSE_IF(p->route.policy == UC_ROUTE_PER_VCPU &&
			  d->vcpus[p->route.vcpu].virq_port[p->peer.index] != port);
	}
	return NULL;
}

static const char *check_ports(const struct uc_domain *d)
{
	uint32_t open = 0, kept = 0;
	const char *wrong = NULL;

	REFUSE_IF(d->valid_ports > d->nr_ports || d->first_free < 1);
	REFUSE_IF(d->ports[0].peer.kind != UC_PORT_RESERVED);
	for (uint32_t i = 1; i < d->valid_ports && !wrong; i++) {
		REFUSE_IF(i < d->first_free && d->ports[i].peer.kind == UC_PORT_FREE);
		wrong = check_route(d, &d->ports[i]);
		if (!wrong)
			wrong = check_peer(d, i);
		open += d->ports[i].peer.kind != UC_PORT_FREE;
		kept += d->ports[i].kept;
	}
	REFUSE_IF(!wrong && (d->open_ports != open || d->kept_ports != kept));
	return wrong;
}

/* The tail is forgotten when its port is linked elsewhere; the counts do not run ahead. */
static const char *check_queue(const struct uc_domain *d, const struct uc_vcpu *v, uint32_t prio)
{
	const struct uc_queue *q = &v->queue[prio];
	const struct uc_route *tail = &d->ports[q->tail].route;

	REFUSE_IF(q->tail >= d->valid_ports || q->head >= d->valid_ports);
	REFUSE_IF(q->tail && (tail->last_vcpu != v->id || tail->last_priority != prio));
	REFUSE_IF(q->length > q->linked || q->handed_over > q->linked);
	return NULL;
}

/* Our record of the list, as far as it is believed: no port twice, in this queue or another. */
static const char *check_list(const struct uc_domain *d, const struct uc_vcpu *v, uint32_t prio,
			      uint8_t *seen)
{
	const struct uc_queue *q = &v->queue[prio];
	uint32_t left = q->length;

	for (uint32_t port = q->head; port && left; port = d->ports[port].next, left--) {
		const struct uc_route *r = &d->ports[port].route;

		REFUSE_IF(port >= d->valid_ports);
		if (r->last_vcpu != v->id || r->last_priority != prio)
			break;
		REFUSE_IF(seen[port / 8] & (1u << (port % 8)));
		seen[port / 8] |= (uint8_t)(1u << (port % 8));
	}
	return NULL;
}

static const char *check_queues(const struct uc_domain *d)
{
	static uint8_t seen[UC_FIFO_PORTS / 8];
	const char *wrong = NULL;

	for (uint32_t i = 0; i <= d->valid_ports / 8; i++)
		seen[i] = 0;
	for (uint32_t v = 0; v < d->nr_vcpus; v++) {
		for (uint32_t q = 0; q < UC_FIFO_QUEUES && !wrong; q++) {
			wrong = check_queue(d, &d->vcpus[v], q);
			if (!wrong)
				wrong = check_list(d, &d->vcpus[v], q, seen);
		}
	}
	return wrong;
}

static const char *check_vcpus(const struct uc_domain *d)
{
	for (uint32_t v = 0; v < d->nr_vcpus; v++) {
		const struct uc_vcpu *vcpu = &d->vcpus[v];
		uint32_t per_vcpu = 0;

		for (uint32_t i = 1; i < d->valid_ports; i++)
			per_vcpu += d->ports[i].route.usable && d->ports[i].route.vcpu == v &&
				    d->ports[i].route.policy == UC_ROUTE_PER_VCPU;
		REFUSE_IF(vcpu->per_vcpu_ports != per_vcpu);
		for (uint32_t i = 0; i < UC_VIRQS; i++) {
			uint32_t port = vcpu->virq_port[i];

			REFUSE_IF(port >= d->valid_ports);
			REFUSE_IF(port && d->ports[port].peer.kind != UC_PORT_VIRQ);
			REFUSE_IF(port && d->ports[port].peer.index != i);
		}
	}
	return NULL;
}

static const char *check_words(const struct uc_domain *d)
{
	REFUSE_IF(d->nr_words % UC_FIFO_WORDS_PER_PAGE);
	for (uint32_t i = 0; i < d->nr_words / UC_FIFO_WORDS_PER_PAGE; i++)
		REFUSE_IF(!d->event_page[i]);
	REFUSE_IF(d->epoch % 2);
	return NULL;
}

const char *records_check(const struct uc_domain *d)
{
	static const char *(*const checks[])(const struct uc_domain *) = {
		check_locks, check_ports, check_queues, check_vcpus, check_words};
	const char *wrong = NULL;

	for (uint32_t i = 0; i < sizeof(checks) / sizeof(checks[0]) && !wrong; i++)
		wrong = checks[i](d);
	return wrong;
}
