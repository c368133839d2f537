/* SPDX-License-Identifier: MIT */
/*
 * Hand-over: take back what waits at a vCPU, and link it at others.
 *
 * A queue has one consumer, but the guest takes delivery of it by clearing READY, and READY is set
 * only when the queue was empty, so only when the guest has finished its last instance. So the bit
 * is a claim: whoever clears it owns the list. Under the queue's lock we clear it; if it was set,
 * the guest has not looked and, until READY is set again, will not. What may stay is put back in
 * order and READY is set again. What must go is a list of ours alone: its words stay LINKED, so no
 * raise links them meanwhile, and each is appended to its new queue in turn, in order.
 *
 * The list is walked through our own record (queue->head, port->next), never through the guest's
 * words. A hostile guest can make the record stale (by clearing LINKED, or setting READY), so a
 * port counts only if it was last linked into this very queue, and the walk is bounded by the
 * number of ports linked since HEAD was written, and by what the caller allows.
 */
#include "lib/evtchn/private.h"

/* Ports looked at in one call and queue by the host; the rest stays, in order, for the next. */
#define HANDOVER_MAX 256

struct list {
	uint32_t first, last, length;
};

static void push(struct uc_domain *d, struct list *list, uint32_t port)
{
	if (list->last)
		uc_store(&d->ports[list->last].next, port);
	else
		list->first = port;
	list->last = port;
	list->length++;
	uc_store(&d->ports[port].next, 0);
}

/* Was `port` linked into this queue last, and not elsewhere since? The queue is locked. */
static bool belongs(struct uc_domain *d, uint32_t port, const struct uc_vcpu *v, uint32_t priority)
{
	struct uc_route route = uc_route_load(&d->ports[port]);
	uc_g32 *word = uc_fifo_word(d, port);

	return route.last_vcpu == v->id && route.last_priority == priority && word &&
	       (uc_g32_read(word) & UC_FIFO_LINKED);
}

static bool shall_move(struct uc_domain *d, uint32_t port, const struct uc_vcpu *v)
{
	struct uc_route route = uc_route_load(&d->ports[port]);

	return route.usable && uc_route_choose(d, port, route) != v->id;
}

/*
 * Split the queue's list in what stays and what goes. Returns what lies behind `max`, to stay as
 * it is. A record that the guest made stale ends the list: what it hid there is its own
 * loss.
 */
static uint32_t sort_out(struct uc_domain *d, struct uc_vcpu *v, uint32_t priority, uint32_t max,
			 struct list *stay, struct list *go)
{
	struct uc_queue *q = &v->queue[priority];
	uint32_t port = q->head, left = q->length, looked_at;

	for (looked_at = 0; port && left; left--, looked_at++) {
		uint32_t next = uc_load(&d->ports[port].next);

		if (!belongs(d, port, v, priority))
			return 0;
		if (looked_at == max)
			return port;
		push(d, shall_move(d, port, v) ? go : stay, port);
		port = next;
	}
	return 0;
}

/* Point the word's LINK at `next`. Only ours to write: the list is claimed. */
static void relink(struct uc_domain *d, uint32_t port, uint32_t next)
{
	uc_g32 *word = uc_fifo_word(d, port);

	uc_g32_clear_bits(word, UC_FIFO_LINK_MASK);
	if (next)
		uc_g32_add(word, next);
}

/*
 * Put `stay`, and behind it `rest`, back as the queue's list. Queue locked and claimed. True: there
 * is something, so READY is set again.
 */
static bool put_back(struct uc_domain *d, struct uc_vcpu *v, uint32_t priority,
		     const struct list *stay, uint32_t rest, uint32_t moved)
{
	struct uc_queue *q = &v->queue[priority];

	if (stay->last) {
		for (uint32_t port = stay->first; port != stay->last;
		     port = uc_load(&d->ports[port].next))
			relink(d, port, uc_load(&d->ports[port].next));
		relink(d, stay->last, rest);
		uc_store(&d->ports[stay->last].next, rest);
	}
	q->head = stay->first ? stay->first : rest;
	q->length = rest ? q->length - moved : stay->length;
	if (!rest)
		q->tail = stay->last;
	if (!q->head)
		return false;
	uc_g32_write(&v->control->head[priority], q->head);
	uc_g32_set(&v->control->ready, priority);
	return true;
}

/* Claim the queue's list; what goes is in `go`. */
static void claim(struct uc_domain *d, struct uc_vcpu *v, uint32_t priority, uint32_t epoch,
		  uint32_t max, struct list *go)
{
	struct uc_queue *q = &v->queue[priority];
	struct list stay = {0};
	bool upcall = false;
	uint32_t rest;

	uc_lock(&q->lock, d->host);
	if (uc_load(&d->epoch) == epoch && v->control &&
	    uc_g32_test_and_clear(&v->control->ready, priority)) {
		rest = sort_out(d, v, priority, max, &stay, go);
		upcall = put_back(d, v, priority, &stay, rest, go->length);
		uc_store(&q->handed_over, q->handed_over + go->length);
	}
	uc_unlock(&q->lock);
	/* The guest may have taken the upcall, and found READY clear, while it was ours. */
	if (upcall)
		uc_vcpu_upcall(v);
}

/*
 * Link one claimed port where it shall go now. Its word is LINKED, so nobody else does. A port that
 * was claimed before the guest's reset is in no list any more; if it stays, it is raised again.
 */
static void deliver(struct uc_domain *d, uint32_t port, uint32_t epoch)
{
	struct uc_port *p = &d->ports[port];
	struct uc_queue *q, *old;
	struct uc_route route;
	bool upcall = false, linked;
	struct uc_vcpu *v;

	uc_lock(&p->lock, d->host);
	route = uc_route_load(p);
	/* Closed meanwhile: back to where it was, for the guest to unlink. */
	v = &d->vcpus[route.usable ? uc_route_choose(d, port, route) : route.last_vcpu];
	if (!uc_load_seq(&v->control))
		v = &d->vcpus[route.last_vcpu];
	if (!route.usable)
		route.priority = route.last_priority;
	q = &v->queue[route.priority];
	old = &d->vcpus[route.last_vcpu].queue[route.last_priority];
	uc_lock_two(&q->lock, &old->lock, d->host);
	linked = uc_load_seq(&d->epoch) == epoch;
	if (linked) {
		relink(d, port, 0);
		upcall = uc_fifo_append(d, v, route.priority, old, port);
		route.last_vcpu = (uint16_t)v->id;
		route.last_priority = route.priority;
		uc_store_release(&p->route_word, uc_route_word(route));
	}
	uc_unlock_two(&q->lock, &old->lock);
	uc_unlock(&p->lock);
	if (linked)
		uc_fifo_announce(d, v, route, upcall);
}

static uint32_t handover_queue(struct uc_domain *d, struct uc_vcpu *v, uint32_t priority,
			       uint32_t max)
{
	struct list go = {0};
	uint32_t port, next, n, epoch = uc_load_seq(&d->epoch);

	if (epoch % 2) /* all of it is about to go */
		return 0;
	claim(d, v, priority, epoch, max, &go);
	for (port = go.first, n = go.length; port && n; port = next, n--) {
		next = uc_load(&d->ports[port].next);
		deliver(d, port, epoch);
	}
	uc_store(&v->handed_over, uc_load(&v->handed_over) + go.length);
	return go.length;
}

uint32_t uc_vcpu_untaken(const struct uc_vcpu *v)
{
	const struct uc_fifo_control_block *control = uc_load_seq(&v->control);

	return control ? uc_g32_read(&control->ready) & ((1u << UC_FIFO_QUEUES) - 1) : 0;
}

/* Hints: a queue whose last movable port the guest unlinked counts until HEAD is set again. */
uint32_t uc_vcpu_movable(const struct uc_vcpu *v)
{
	uint32_t untaken = uc_vcpu_untaken(v);

	for (uint32_t priority = 0; priority < UC_FIFO_QUEUES; priority++)
		if (!uc_load(&v->queue[priority].movable))
			untaken &= ~(1u << priority);
	return untaken;
}

uint64_t uc_vcpu_linked(const struct uc_vcpu *v)
{
	uint64_t sum = 0;

	for (uint32_t i = 0; i < UC_FIFO_QUEUES; i++)
		sum += uc_load(&v->queue[i].linked);
	return sum;
}

uint64_t uc_vcpu_delivered(const struct uc_vcpu *v)
{
	uint64_t sum = 0;

	for (uint32_t i = 0; i < UC_FIFO_QUEUES; i++)
		sum += uc_load(&v->queue[i].linked) - uc_load(&v->queue[i].handed_over);
	return sum;
}

static uint32_t handover(struct uc_vcpu *v, uint32_t queues, uint32_t max)
{
	uint32_t moved = 0;

	for (uint32_t priority = 0; priority < UC_FIFO_QUEUES; priority++)
		if (queues & (1u << priority))
			moved += handover_queue(v->domain, v, priority, max);
	return moved;
}

uint32_t uc_vcpu_handover(struct uc_vcpu *v)
{
	return handover(v, uc_vcpu_movable(v), HANDOVER_MAX);
}

/*
 * For a promise rather than a hint: an affinity, a vCPU that goes. A port is in our record once,
 * also when the guest is hostile, so the number of ports is the bound.
 */
uint32_t uc_vcpu_handover_all(struct uc_vcpu *v)
{
	return handover(v, uc_vcpu_untaken(v), v->domain->nr_ports);
}
