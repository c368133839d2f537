/* SPDX-License-Identifier: MIT */
/*
 * The FIFO ABI: event words, queues, control blocks.
 *
 * A queue is a list through the guest's event words, from control_block->head to our private
 * `tail`, one per vCPU and priority. Kept true here:
 *   - a word gets LINKED, and its queue's list grows, only under the queue's lock;
 *   - the lock of the queue a port was last linked into is held too, and if the port is that
 * queue's tail, the tail is forgotten: a port linked elsewhere is never followed as a tail;
 *   - HEAD is written before READY, READY before the upcall;
 *   - the guest's words are hostile: one read each, at most LINK_TRIES compare-and-swaps.
 * Called through uc_abi_fifo by everything that raises, unmasks or reuses a port.
 */
#include "private.h"

/*
 * What a guest may still do to a linked word while BUSY forbids it to unmask: set MASKED, clear
 * PENDING, clear LINKED. One change fails the optimistic try, so four more tries are enough for
 * almost every guest that keeps the ABI (Xen dae2a1c5f9); not all, since senders set PENDING
 * without the queue's lock here.
 */
#define LINK_TRIES 5

uc_g32 *uc_fifo_word(struct uc_domain *d, uint32_t port)
{
	/* Pairs with the seq store in fifo_add_page(): a count seen means its page is seen. */
	uint32_t words = uc_load_seq(&d->nr_words);

	if (port >= words)
		return 0;
	port = uc_index_nospec(port, words);
	return &d->event_page[port / UC_FIFO_WORDS_PER_PAGE][port % UC_FIFO_WORDS_PER_PAGE];
}

/*
 * The last resort, which cannot fail: an addition. The LINK of a tail is 0, or the guest wrote it.
 * A guest that keeps the ABI gets here when it clears PENDING as often as senders set it.
 */
static bool fifo_link_by_adding(uc_g32 *tail, uint32_t port)
{
	if (uc_g32_add(tail, port) & UC_FIFO_LINKED)
		return true;
	uc_g32_clear_bits(tail, UC_FIFO_LINK_MASK); /* consumed meanwhile */
	return false;
}

static inline uint32_t with_link(uint32_t word, uint32_t port)
{
	return (word & ~(UC_FIFO_BUSY | UC_FIFO_LINK_MASK)) | port;
}

/* The guest interferes: BUSY keeps one that follows the ABI from unmasking. */
static __attribute__((noinline)) bool fifo_link_tail_slowly(uc_g32 *tail, uint32_t port)
{
	bool linked = false;
	unsigned int try;
	uint32_t word;

	uc_g32_set(tail, UC_FIFO_BUSY_BIT);
	word = uc_g32_read(tail);
	for (try = 1; try < LINK_TRIES; try++) {
		linked = word & UC_FIFO_LINKED;
		if (!linked)
			break;
		if (uc_g32_cas(tail, &word, with_link(word, port)))
			return true;
	}
	if (try == LINK_TRIES)
		linked = fifo_link_by_adding(tail, port);
	uc_g32_clear(tail, UC_FIFO_BUSY_BIT);
	return linked;
}

/*
 * Point the tail's LINK at `port` unless the guest has consumed it. True: `port` is in the list (or
 * the guest broke the ABI and has only itself to blame); false: the queue is empty.
 */
static inline bool fifo_link_tail(uc_g32 *tail, uint32_t port)
{
	uint32_t word = uc_g32_read(tail);

	if (!(word & UC_FIFO_LINKED))
		return false;
	return uc_g32_cas(tail, &word, with_link(word, port)) || fifo_link_tail_slowly(tail, port);
}

/* The word of a port that has been linked: the number is ours, so it needs no check but this. */
static inline uc_g32 *linked_word(struct uc_domain *d, uint32_t port)
{
	uc_g32 *page = uc_load(&d->event_page[port / UC_FIFO_WORDS_PER_PAGE]);

	return page ? &page[port % UC_FIFO_WORDS_PER_PAGE] : 0;
}

/* `port` is the queue's tail now; `behind`: of the list that `tail` was in. */
static inline void record(struct uc_port *ports, struct uc_queue *q, uint32_t tail, uint32_t port,
			  bool behind)
{
	bool movable = uc_route_load(&ports[port]).policy != UC_ROUTE_PER_VCPU;

	uc_store(&ports[port].next, 0);
	q->tail = port;
	uc_store(&q->linked, q->linked + 1);
	if (behind) {
		uc_store(&ports[tail].next, port);
		q->length++;
		if (movable && !q->movable)
			uc_store(&q->movable, true);
	} else {
		q->head = port;
		q->length = 1;
		uc_store(&q->movable, movable);
	}
}

/* uc_fifo_append() where each instruction counts. */
static inline __attribute__((always_inline)) bool append(struct uc_domain *d, struct uc_vcpu *v,
							 uint32_t priority, struct uc_queue *q,
							 struct uc_queue *old,
							 struct uc_port *ports, uint32_t port)
{
	uc_g32 *word;
	uint32_t tail;
	bool behind;

	if (old->tail == port)
		old->tail = 0;
	tail = q->tail;
	word = tail ? linked_word(d, tail) : 0;
	behind = word && fifo_link_tail(word, port);
	/* After the link, which would have to wait for these stores. */
	record(ports, q, tail, port, behind);
	uc_count_load(d, v, q);
	if (behind)
		return false;
	uc_g32_write(&v->control->head[priority], port);
	return !uc_g32_test_and_set(&v->control->ready, priority);
}

/*
 * Append `port`, whose word is LINKED, to the queue of `v` at `priority`. That queue and `old`,
 * which the port was in last, are locked. True: the list was empty and an upcall is due.
 */
bool uc_fifo_append(struct uc_domain *d, struct uc_vcpu *v, uint32_t priority, struct uc_queue *old,
		    uint32_t port)
{
	return append(d, v, priority, &v->queue[priority], old, d->ports, port);
}

/*
 * A port of this route was linked at `v`; `upcall`: READY was set for it. The host is told of each,
 * not only of those: one behind an IPI in the same queue waits there like one at its head. No locks
 * held.
 */
static inline void announce(struct uc_domain *d, struct uc_vcpu *v, struct uc_route route,
			    bool upcall)
{
	if (upcall)
		uc_vcpu_upcall(v);
	if (route.policy != UC_ROUTE_PER_VCPU && d->host->ops->queued)
		d->host->ops->queued(d->host->ctx, v);
}

void uc_fifo_announce(struct uc_domain *d, struct uc_vcpu *v, struct uc_route route, bool upcall)
{
	announce(d, v, route, upcall);
}

enum linked {
	LINKED_NOT, /* it was already, or the vCPU has no control block yet */
	LINKED,
	LINKED_UPCALL, /* and an upcall is due */
};

/* An event on its way into a queue: where its word was, and in which epoch. */
struct event {
	uint32_t port, epoch;
	uc_g32 *word;
};

/*
 * May what began in e's epoch be linked at `v`, whose queue is locked? Not when the guest was reset
 * since: its word and its queues are other ones then. Without a control block it stays pending, and
 * is linked when there is one (Xen drops it: XSA-107). Pairs with uc_init_control(): it publishes
 * the block, then looks for pending words.
 */
static inline bool may_link(const struct uc_domain *d, const struct uc_vcpu *v, struct event e)
{
	return uc_load_seq(&d->epoch) == e.epoch && uc_load_seq(&v->control);
}

/* Link the event at `v`. Locked as for uc_fifo_append(). */
static enum linked link_at(struct uc_domain *d, struct uc_vcpu *v, uint32_t priority,
			   struct uc_queue *old, struct event e)
{
	if (!may_link(d, v, e) || uc_g32_test_and_set(e.word, UC_FIFO_LINKED_BIT))
		return LINKED_NOT;
	return uc_fifo_append(d, v, priority, old, e.port) ? LINKED_UPCALL : LINKED;
}

/* The port must change queues, or may: with its lock held the route stands still. */
static void fifo_link_moving(struct uc_domain *d, struct event e)
{
	struct uc_port *p = &d->ports[e.port];
	enum linked done = LINKED_NOT;
	struct uc_queue *q, *old;
	struct uc_route route;
	struct uc_vcpu *v;

	uc_lock(&p->lock, d->host);
	route = uc_route_load(p);
	v = &d->vcpus[uc_route_choose(d, e.port, route)];
	q = &v->queue[route.priority];
	old = &d->vcpus[route.last_vcpu].queue[route.last_priority];
	uc_lock_two(&q->lock, &old->lock, d->host);
	if (route.usable)
		done = link_at(d, v, route.priority, old, e);
	if (done != LINKED_NOT) {
		route.last_vcpu = (uint16_t)v->id;
		route.last_priority = route.priority;
		uc_store_release(&p->route_word, uc_route_word(route));
	}
	uc_unlock_two(&q->lock, &old->lock);
	uc_unlock(&p->lock);
	if (done != LINKED_NOT)
		uc_fifo_announce(d, v, route, done == LINKED_UPCALL);
}

/* The domain has a policy or a set, and the port none of its own: they must be asked. */
static inline bool is_ruled(const struct uc_domain *d, struct uc_route route)
{
	return !route.policy && uc_load_acquire(&d->routing);
}

/* The halves of a route's word, where it goes and where it went, lie over each other. */
_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "is_at_home() shifts the word");

/*
 * The next event goes where the last one went, whoever runs: the port is bound, pinned there with
 * that priority, and no set could forbid it. Most raises find this, and ask no further.
 */
static inline bool is_at_home(const struct uc_domain *d, struct uc_route route)
{
	const uint64_t last = uc_route_word(
		(struct uc_route){.last_vcpu = UINT16_MAX, .last_priority = UINT8_MAX});
	uint64_t word = uc_route_word(route);

	if ((((word << 32) ^ word) & last) || !route.usable || route.has_set)
		return false;
	return (!route.policy || route.policy == UC_ROUTE_PER_VCPU) && !is_ruled(d, route);
}

/* The next event goes where the last one went, as far as can be told without a lock. */
static inline bool goes_again(struct uc_domain *d, uint32_t port, struct uc_route route, bool home)
{
	return home || (route.priority == route.last_priority &&
			uc_route_choose(d, port, route) == route.last_vcpu);
}

/*
 * It still does, and the queue it was in last is locked. The set and the vCPU's liveness are looked
 * at again too: changes pass this lock.
 */
static inline bool is_settled(struct uc_domain *d, uint32_t port, struct uc_route route, bool home)
{
	if (uc_load(&d->ports[port].route_word) != uc_route_word(route))
		return false;
	return (home && !is_ruled(d, route)) || uc_route_may_stay(d, port, route);
}

/*
 * The event goes where the last one went, and one lock is enough. False: it has to go elsewhere, or
 * what was read before has changed.
 */
static bool fifo_link_again(struct uc_domain *d, struct event e)
{
	struct uc_route route = uc_route_load(&d->ports[e.port]);
	struct uc_vcpu *v = &d->vcpus[route.last_vcpu];
	struct uc_queue *q = &v->queue[route.last_priority];
	bool home = is_at_home(d, route), settled;
	enum linked done = LINKED_NOT;

	if (!goes_again(d, e.port, route, home))
		return false;
	uc_lock(&q->lock, d->host);
	settled = is_settled(d, e.port, route, home);
	if (settled && route.usable)
		done = link_at(d, v, route.priority, q, e);
	uc_unlock(&q->lock);
	if (done != LINKED_NOT)
		uc_fifo_announce(d, v, route, done == LINKED_UPCALL);
	return settled;
}

/* Link a pending, unmasked event. */
static void fifo_link(struct uc_domain *d, struct event e)
{
	if (!fifo_link_again(d, e))
		fifo_link_moving(d, e);
}

static inline bool find_word(struct uc_domain *d, struct event *e)
{
	e->epoch = uc_load_seq(&d->epoch);
	e->word = uc_fifo_word(d, e->port);
	return e->word;
}

/* No word yet: the raise is remembered until the guest adds its page. */
static __attribute__((noinline)) void park(struct uc_domain *d, uint32_t port)
{
	struct uc_port *p = &d->ports[port];

	/* Pairs with fifo_add_page(): it publishes the page, then takes the marks. */
	uc_store_seq(&p->parked, 1);
	/* The mark may stand for a raise after a reset, too: by whatever ABI there is by now. */
	if (uc_fifo_word(d, port) && uc_xchg(&p->parked, 0))
		uc_raise(d, port);
}

/*
 * PENDING first, then look: a consumer clears LINKED and then tests PENDING, an unmasking guest
 * clears MASKED and then tests PENDING, so a raise that finds either bit set after its own PENDING
 * is on its way without it. No lock for those.
 *
 * A word that was pending but neither linked nor masked is linked again: mostly the guest is about
 * to clear PENDING, and then it ignores the extra link; but Linux also leaves a word like that for
 * good when it drops the queue of a CPU that goes offline.
 */
static __attribute__((noinline)) void fifo_raise_stepwise(struct uc_domain *d, struct event e)
{
	bool was_pending = uc_g32_test_and_set(e.word, UC_FIFO_PENDING_BIT);
	uint32_t w;

	if (!was_pending)
		uc_count(&d->ports[e.port].events);
	w = uc_g32_read(e.word);
	if (!(w & (UC_FIFO_LINKED | UC_FIFO_MASKED)))
		fifo_link(d, e);
	else if (!(w & UC_FIFO_LINKED))
		uc_tell_more(d, e.port); /* masked, most likely while it is handled */
	if (!was_pending)
		uc_check_pollers(d, e.port);
}

/*
 * The common raise: `w`, read from the event word, holds none of PENDING, MASKED and LINKED, and
 * the event goes where the last one went. Under that queue's lock PENDING and LINKED are set in one
 * step, if the word is still what it was. Whatever else is found: step by step.
 */
static __attribute__((noinline)) void fifo_raise_at_once(struct uc_domain *d, struct event e,
							 uint32_t w)
{
	const uint32_t port = e.port;
	struct uc_port *ports = d->ports, *p = &ports[port];
	struct uc_route route = uc_route_load(p);
	struct uc_vcpu *v = &d->vcpus[route.last_vcpu];
	struct uc_queue *q = &v->queue[route.last_priority];
	bool home = is_at_home(d, route), done, upcall = false;

	if (!goes_again(d, port, route, home)) {
		fifo_raise_stepwise(d, e);
		return;
	}
	uc_lock(&q->lock, d->host);
	done = is_settled(d, port, route, home) && route.usable && may_link(d, v, e) &&
	       uc_g32_cas(e.word, &w, w | UC_FIFO_PENDING | UC_FIFO_LINKED);
	if (__builtin_expect(done, 1)) {
		uc_store(&p->linked, p->linked + 1);
		upcall = append(d, v, route.priority, q, q, ports, port);
	}
	uc_unlock(&q->lock);
	if (__builtin_expect(done, 1)) {
		announce(d, v, route, upcall);
		uc_check_pollers(d, port);
	} else {
		fifo_raise_stepwise(d, e);
	}
}

/*
 * The first look is a hint that saves locked instructions; whatever it says, what follows would be
 * right. It must not end a raise: without a locked instruction the sender's data, written before,
 * could become visible after the guest has cleared the PENDING that was seen, and looked at its
 * data.
 */
static void fifo_raise(struct uc_domain *d, uint32_t port)
{
	struct event e = {.port = port};
	uint32_t w;

	if (__builtin_expect(!find_word(d, &e), 0)) {
		park(d, port);
		return;
	}
	w = uc_g32_read(e.word);
	if (w & (UC_FIFO_PENDING | UC_FIFO_MASKED | UC_FIFO_LINKED))
		fifo_raise_stepwise(d, e);
	else
		fifo_raise_at_once(d, e, w);
}

static void fifo_unmask(struct uc_domain *d, uint32_t port)
{
	struct event e = {.port = port};
	uint32_t w;

	if (!find_word(d, &e))
		return;
	uc_g32_clear(e.word, UC_FIFO_MASKED_BIT);
	w = uc_g32_read(e.word);
	if ((w & UC_FIFO_PENDING) && !(w & UC_FIFO_LINKED))
		fifo_link(d, e);
}

static void fifo_clear_pending(struct uc_domain *d, uint32_t port)
{
	uc_g32 *word = uc_fifo_word(d, port);

	if (word)
		uc_g32_clear(word, UC_FIFO_PENDING_BIT);
}

static bool fifo_is_pending(struct uc_domain *d, uint32_t port)
{
	uc_g32 *word = uc_fifo_word(d, port);

	return word && (uc_g32_read(word) & UC_FIFO_PENDING);
}

static bool fifo_is_masked(struct uc_domain *d, uint32_t port)
{
	uc_g32 *word = uc_fifo_word(d, port);

	return !word || (uc_g32_read(word) & UC_FIFO_MASKED);
}

static uint32_t fifo_max_ports(const struct uc_domain *d)
{
	(void)d;
	return UC_FIFO_PORTS;
}

static bool fifo_is_busy(struct uc_domain *d, uint32_t port)
{
	uc_g32 *word = uc_fifo_word(d, port);

	return word && (uc_g32_read(word) & UC_FIFO_LINKED);
}

const struct uc_abi uc_abi_fifo = {
	.max_ports = fifo_max_ports,
	.raise = fifo_raise,
	.unmask = fifo_unmask,
	.clear_pending = fifo_clear_pending,
	.is_pending = fifo_is_pending,
	.is_masked = fifo_is_masked,
	.is_busy = fifo_is_busy,
	.has_priorities = true,
};
