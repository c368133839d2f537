/* SPDX-License-Identifier: MIT */
/*
 * Draft A of the FIFO ABI's design (its pseudo-code for raising an event), with the locks that Xen
 * has around it today: on a send the read side of the channel's rwlock; then the queue's spin lock,
 * one ticket lock per vCPU and priority in a 24-byte queue, and all tests of the word under it.
 *
 * Written from the descriptions, not from Xen's code. Left out, in its favour: interrupts are not
 * switched off, ports are found in one flat array, there is no security module. Guest and consumer
 * are libupcall's.
 */
#include "lib/atomic.h"

#include "guest.h"
#include "loops.h"

#define PAUSES_PER_RELAX 256
#define LINK_TRIES	 4

struct ticket_lock {
	uint32_t next, serving; /* ends of 64 bits that Xen packs into 32 */
};

struct queue {
	uc_g32 *head; /* in the guest's control block */
	uint32_t tail;
	uint8_t priority;
	struct ticket_lock lock;
};

struct vcpu {
	struct uc_vcpu_info *info;
	struct uc_fifo_control_block *control;
	struct queue queue[UC_FIFO_QUEUES];
};

enum state {
	FREE,
	INTERDOMAIN,
};

/* A line each, as Xen's struct evtchn. */
struct channel {
	uint32_t readers; /* of the rwlock; a writer's bit would be the lowest */
	uint8_t state;
	uint8_t priority;
	uint16_t vcpu;
	uint32_t last_queue; /* vCPU and priority that it was linked at last */
	uint32_t remote_port;
	struct channel *remote;
	uint32_t port;
} __attribute__((aligned(64)));

struct world {
	struct guest guest; /* first */
	struct vcpu *vcpus;
	struct channel *sender, *receiver;
	uint32_t nr_ports, nr_words;
	uint32_t pollers; /* in SCHEDOP_poll: none here */
	void (*kick)(struct vcpu *v);
	const struct shape *shape;
};

/* ---- locks ---- */

static inline void lock_ticket(struct ticket_lock *lock)
{
	uint32_t mine = __atomic_fetch_add(&lock->next, 1, __ATOMIC_SEQ_CST), turns = 0;

	while (__atomic_load_n(&lock->serving, __ATOMIC_ACQUIRE) != mine)
		if (++turns % PAUSES_PER_RELAX == 0)
			threads_relax();
		else
			uc_cpu_pause();
}

static inline void unlock_ticket(struct ticket_lock *lock)
{
	__atomic_store_n(&lock->serving, lock->serving + 1, __ATOMIC_RELEASE);
}

#define WRITER	    1u
#define READER_BIAS 2u

static inline bool read_trylock(struct channel *c)
{
	if (__atomic_load_n(&c->readers, __ATOMIC_RELAXED) & WRITER)
		return false;
	if (!(__atomic_add_fetch(&c->readers, READER_BIAS, __ATOMIC_SEQ_CST) & WRITER))
		return true;
	__atomic_sub_fetch(&c->readers, READER_BIAS, __ATOMIC_SEQ_CST);
	return false;
}

static inline void read_unlock(struct channel *c)
{
	__atomic_sub_fetch(&c->readers, READER_BIAS, __ATOMIC_SEQ_CST);
}

/* ---- the event array ---- */

static uc_g32 *word_of(struct world *w, uint32_t port)
{
	if (port >= __atomic_load_n(&w->nr_words, __ATOMIC_ACQUIRE))
		return NULL;
	return &w->guest.g.event_page[port / UC_FIFO_WORDS_PER_PAGE][port % UC_FIFO_WORDS_PER_PAGE];
}

/* E[T].link = p, if the guest has not consumed T: 1 linked, 0 consumed, -1 the guest interferes. */
static int try_link(uc_g32 *tail, uint32_t *word, uint32_t port)
{
	if (!(*word & UC_FIFO_LINKED))
		return 0;
	return uc_g32_cas(tail, word, (*word & ~(UC_FIFO_BUSY | UC_FIFO_LINK_MASK)) | port) ? 1
											    : -1;
}

static bool set_link(uc_g32 *tail, uint32_t port)
{
	uint32_t word = uc_g32_read(tail);
	int linked = try_link(tail, &word, port);

	if (linked >= 0)
		return linked;
	uc_g32_set(tail, UC_FIFO_BUSY_BIT);
	word = uc_g32_read(tail);
	for (int try = 0; try < LINK_TRIES && linked < 0; try++)
		linked = try_link(tail, &word, port);
	uc_g32_clear(tail, UC_FIFO_BUSY_BIT);
	return linked > 0;
}

/* ---- raise ---- */

static uint32_t queue_id(uint32_t vcpu, uint32_t priority)
{
	return vcpu << 8 | priority;
}

static struct queue *queue_of(struct world *w, uint32_t id)
{
	return &w->vcpus[id >> 8].queue[id & 0xff];
}

static void unlock_both(struct queue *q, struct queue *old)
{
	if (old != q)
		unlock_ticket(&old->lock);
	unlock_ticket(&q->lock);
}

/* The queue that the port goes to, and the one it was in last: locked. */
static struct queue *lock_queues(struct world *w, struct channel *c, struct queue **old)
{
	struct queue *q;
	uint32_t last;

	for (int try = 0; try < 3; try++) {
		last = __atomic_load_n(&c->last_queue, __ATOMIC_ACQUIRE);
		*old = queue_of(w, last);
		q = queue_of(w, queue_id(c->vcpu, c->priority));
		lock_ticket(q < *old ? &q->lock : &(*old)->lock);
		if (q != *old)
			lock_ticket(q < *old ? &(*old)->lock : &q->lock);
		if (__atomic_load_n(&c->last_queue, __ATOMIC_ACQUIRE) == last)
			return q;
		unlock_both(q, *old);
	}
	return NULL;
}

/* Locked; the word has been LINKED. True: the queue was empty. */
static bool append(struct world *w, struct queue *q, struct queue *old, struct channel *c)
{
	bool linked = false;

	if (old->tail == c->port)
		old->tail = 0;
	if (old != q)
		__atomic_store_n(&c->last_queue, queue_id(c->vcpu, c->priority), __ATOMIC_RELEASE);
	if (q->tail)
		linked = set_link(word_of(w, q->tail), c->port);
	if (!linked)
		uc_g32_write(q->head, c->port);
	q->tail = c->port;
	return !linked;
}

static void mark_vcpu(struct world *w, struct vcpu *v)
{
	if (!uc_g8_xchg(&v->info->upcall_pending, 1))
		w->kick(v);
}

static void set_pending(struct world *w, struct channel *c)
{
	struct vcpu *v = &w->vcpus[c->vcpu];
	uc_g32 *word = word_of(w, c->port);
	struct queue *q, *old;
	bool was_pending, new_head = false;

	if (!word || !v->control)
		return;
	q = lock_queues(w, c, &old);
	if (!q)
		return;
	was_pending = uc_g32_test_and_set(word, UC_FIFO_PENDING_BIT);
	if (!(uc_g32_read(word) & UC_FIFO_MASKED) && !uc_g32_test_and_set(word, UC_FIFO_LINKED_BIT))
		new_head = append(w, q, old, c);
	unlock_both(q, old);
	if (new_head && !uc_g32_test_and_set(&v->control->ready, c->priority))
		mark_vcpu(w, v);
	if (!was_pending && __atomic_load_n(&w->pollers, __ATOMIC_RELAXED))
		w->kick(v);
}

static __attribute__((noinline)) void draft_send(struct world *w, uint32_t port)
{
	struct channel *c;

	if (port >= __atomic_load_n(&w->nr_ports, __ATOMIC_ACQUIRE))
		return;
	c = &w->sender[port];
	if (!read_trylock(c))
		return;
	if (c->state == INTERDOMAIN)
		set_pending(w, &w->receiver[c->remote_port]);
	read_unlock(c);
}

/* EVTCHNOP_unmask. */
static void draft_unmask(void *hypervisor, uint32_t port)
{
	struct world *w = hypervisor;
	struct channel *c = &w->receiver[port];
	uc_g32 *word = word_of(w, port);

	if (!word || !read_trylock(c))
		return;
	uc_g32_clear(word, UC_FIFO_MASKED_BIT);
	if (uc_g32_read(word) & UC_FIFO_PENDING)
		set_pending(w, c);
	read_unlock(c);
}

/* ---- the contender ---- */

static void no_kick(struct vcpu *v)
{
	(void)v;
}

static void init_vcpu(struct world *w, uint32_t id)
{
	struct vcpu *v = &w->vcpus[id];

	v->info = w->guest.vcpus[id].info;
	v->control = w->guest.vcpus[id].control;
	for (uint32_t i = 0; i < UC_FIFO_QUEUES; i++) {
		v->queue[i].head = &v->control->head[i];
		v->queue[i].priority = (uint8_t)i;
	}
}

static void init_channel(struct world *w, uint32_t index)
{
	uint32_t port = w->guest.first + index;
	struct channel *c = &w->receiver[port];

	*c = (struct channel){.state = INTERDOMAIN, .port = port};
	c->vcpu = (uint16_t)vcpu_of(w->shape, index);
	c->priority = (uint8_t)guest_priority(&w->guest, index);
	c->last_queue = queue_id(c->vcpu, c->priority);
	w->sender[port] = (struct channel){
		.state = INTERDOMAIN, .port = port, .remote_port = port, .remote = c};
}

static void *create(const struct shape *shape)
{
	struct world *w = must_alloc(sizeof(*w));

	w->shape = shape;
	w->guest.first = 1 + shape->vcpus; /* as in the other contenders */
	w->nr_ports = w->guest.first + shape->ports;
	w->kick = no_kick;
	guest_init(&w->guest, shape, w->nr_ports, true);
	w->nr_words = w->guest.g.nr_words;
	w->guest.hypervisor = w;
	w->guest.unmask = draft_unmask;
	w->vcpus = must_alloc(shape->vcpus * sizeof(*w->vcpus));
	w->sender = must_alloc(w->nr_ports * sizeof(*w->sender));
	w->receiver = must_alloc(w->nr_ports * sizeof(*w->receiver));
	for (uint32_t v = 0; v < shape->vcpus; v++)
		init_vcpu(w, v);
	for (uint32_t i = 0; i < shape->ports; i++)
		init_channel(w, i);
	return w;
}

static void destroy(void *world)
{
	struct world *w = world;

	guest_exit(&w->guest);
	must_free(w->vcpus, w->shape->vcpus * sizeof(*w->vcpus));
	must_free(w->sender, w->nr_ports * sizeof(*w->sender));
	must_free(w->receiver, w->nr_ports * sizeof(*w->receiver));
	must_free(w, sizeof(*w));
}

static inline void raise_event(void *world, uint32_t index)
{
	struct world *w = world;

	draft_send(w, w->guest.first + index);
}

static const struct target target = {
	.raise = raise_event,
	.mask = guest_mask,
	.unmask = guest_unmask,
	.consume = guest_consume_here,
	.done = guest_done,
};

DEFINE_LOOPS(target)
DEFINE_PENDING_LOOPS(target)
DEFINE_MASK_LOOPS(target)

const struct contender contender_draft = {
	.name = "draft-a",
	.title = "draft A with Xen's locks",
	.create = create,
	.destroy = destroy,
	.run = {RUN_LOOPS, RUN_PENDING_LOOPS, RUN_MASK_LOOPS},
};
