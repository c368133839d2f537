/* SPDX-License-Identifier: MIT */
/*
 * Shared inside lib/evtchn/ only.
 *
 * Lock order: domain locks (by address), then a pirq's, then one port lock, then queue locks (by
 * address).
 *
 * A port's route changes only under its port lock *and* the lock of the queue it was last linked
 * into. So whoever holds either sees it stand still: a sender on the common path takes just the
 * queue's lock and compares the word; one that must move the port to another queue takes the port
 * lock first. Nobody retries, so no raise is ever given up (Xen drops one after three tries).
 */
#ifndef UPCALL_LIB_EVTCHN_PRIVATE_H
#define UPCALL_LIB_EVTCHN_PRIVATE_H

#include <upcall/evtchn.h>
#include <upcall/route.h>

#include "lib/atomic.h"

/* One of the two ABIs. `port` is a valid port number of `d` in every call. */
struct uc_abi {
	uint32_t (*max_ports)(const struct uc_domain *d);
	/* The whole raise: PENDING, queue or selector, upcall, pollers. Any thread, no locks held.
	 */
	void (*raise)(struct uc_domain *d, uint32_t port);
	/* EVTCHNOP_unmask: clears MASKED; a pending event becomes deliverable. No locks held. */
	void (*unmask)(struct uc_domain *d, uint32_t port);
	void (*clear_pending)(struct uc_domain *d, uint32_t port);
	bool (*is_pending)(struct uc_domain *d, uint32_t port);
	bool (*is_masked)(struct uc_domain *d, uint32_t port);
	/* The guest still has the closed port in a queue: it must not be reused (Xen 78e24c269b).
	 */
	bool (*is_busy)(struct uc_domain *d, uint32_t port);
	bool has_priorities;
};

extern const struct uc_abi uc_abi_2l, uc_abi_fifo;

/*
 * Clear the port's bit in the 2-level bitmap, and with it the event's count: it will be raised, and
 * counted, in the other ABI. False when there was none.
 */
bool uc_2l_take_pending(struct uc_domain *d, uint32_t port);
uint32_t uc_2l_max_ports(const struct uc_domain *d);
/* All words of the bitmap may hold something. */
void uc_2l_select_all(const struct uc_domain *d, struct uc_vcpu_info *info);

/* One turn of a loop that waits for another thread. */
void uc_spin(uint32_t *spins, const struct uc_host *host);
void uc_lock_slow(uint32_t *lock, const struct uc_host *host);

static inline void uc_lock(uint32_t *lock, const struct uc_host *host)
{
	if (__atomic_exchange_n(lock, 1, __ATOMIC_ACQUIRE))
		uc_lock_slow(lock, host);
}

static inline void uc_unlock(uint32_t *lock)
{
	uc_store_release(lock, 0);
}

/* Two locks of one rank, by address; they may be the same one. */
void uc_lock_two(uint32_t *a, uint32_t *b, const struct uc_host *host);
void uc_unlock_two(uint32_t *a, uint32_t *b);

/* The port's state, or NULL when the number was never allocated. Guest-controlled numbers pass
 * here. */
static inline struct uc_port *uc_port_get(const struct uc_domain *d, uint32_t port)
{
	/* Pairs with the release in uc_port_alloc(). */
	uint32_t valid = uc_load_acquire(&d->valid_ports);

	return port < valid ? &d->ports[uc_index_nospec(port, valid)] : (struct uc_port *)0;
}

static inline struct uc_vcpu *uc_vcpu_get(const struct uc_domain *d, uint32_t vcpu)
{
	return vcpu < d->nr_vcpus ? &d->vcpus[uc_index_nospec(vcpu, d->nr_vcpus)]
				  : (struct uc_vcpu *)0;
}

static inline struct uc_route uc_route_load(const struct uc_port *p)
{
	union {
		uint64_t word;
		struct uc_route route;
	} u = {.word = uc_load_acquire(&p->route_word)};

	return u.route;
}

/* A port's own policy, or the domain's. */
static inline enum uc_policy uc_policy_of(const struct uc_domain *d, struct uc_route route)
{
	if (route.policy == UC_ROUTE_PER_VCPU)
		return UC_POLICY_PINNED;
	return route.policy ? (enum uc_policy)(route.policy - 1)
			    : (enum uc_policy)uc_load(&d->policy);
}

static inline uint64_t uc_route_word(struct uc_route route)
{
	union {
		struct uc_route route;
		uint64_t word;
	} u = {.route = route};

	return u.word;
}

static inline struct uc_peer uc_peer_load(const struct uc_port *p)
{
	union {
		uint64_t word;
		struct uc_peer peer;
	} u = {.word = uc_load_acquire(&p->peer_word)};

	return u.peer;
}

static inline void uc_peer_store(struct uc_port *p, struct uc_peer peer)
{
	union {
		struct uc_peer peer;
		uint64_t word;
	} u = {.peer = peer};

	uc_store_release(&p->peer_word, u.word);
}

static inline const struct uc_abi *uc_abi_of(const struct uc_domain *d)
{
	return uc_load_seq(&d->abi);
}

/* Raise an event on a port of d, by whatever ABI it has. Does nothing to a port that is not bound.
 */
static inline void uc_raise(struct uc_domain *d, uint32_t port)
{
	if (uc_route_load(&d->ports[port]).usable)
		uc_abi_of(d)->raise(d, port);
}

/* The vCPU that got the port's last event has more to do for it. No locks. */
static inline void uc_tell_more(struct uc_domain *d, uint32_t port)
{
	struct uc_route route = uc_route_load(&d->ports[port]);

	if (d->host->ops->queued && uc_domain_is_fifo(d) && route.usable &&
	    route.policy != UC_ROUTE_PER_VCPU)
		d->host->ops->queued(d->host->ctx, &d->vcpus[route.last_vcpu]);
}

/*
 * fifo_setup.c: a batch registration whose places come one by one. begin() takes d's lock; stage()
 * is for the vCPUs from 0 on, in order; end() publishes those staged, or for an error forgets them,
 * gives the lock back and returns rc.
 */
void uc_controls_begin(struct uc_domain *d);
int uc_controls_stage(struct uc_domain *d, uint32_t vcpu, const struct uc_control_place *place);
int uc_controls_end(struct uc_domain *d, uint32_t nr_staged, int rc);

/* fifo.c */
uc_g32 *uc_fifo_word(struct uc_domain *d, uint32_t port);
void uc_fifo_announce(struct uc_domain *d, struct uc_vcpu *v, struct uc_route route, bool upcall);
bool uc_fifo_append(struct uc_domain *d, struct uc_vcpu *v, uint32_t priority, struct uc_queue *old,
		    uint32_t port);

/* route/policy.c: where an event of `port` shall go now. `route` is the caller's view of it. */
uint32_t uc_route_choose(struct uc_domain *d, uint32_t port, struct uc_route route);
/*
 * May the port's next event still go where the last one went? To be asked under that queue's lock,
 * where the answer stands: sets and liveness change, and then uc_pass_locks() is called.
 */
bool uc_route_may_stay(struct uc_domain *d, uint32_t port, struct uc_route route);
/* route/affinity.c: wait for all who chose a vCPU before the caller's change, until they have
 * linked. That happens under a port's lock or a queue's. d's lock held. */
void uc_pass_locks(struct uc_domain *d);
/* route/handover.c: uc_vcpu_handover() of everything, however much waits. */
uint32_t uc_vcpu_handover_all(struct uc_vcpu *v);
/* v has got `events` more. */
void uc_load_add(struct uc_domain *d, struct uc_vcpu *v, uint32_t events);

/* So many events of a queue are counted at once: its senders do not write a line that others use.
 */
#define UC_LOAD_STEP 8

/* An event has been linked at v, in q, which is locked. */
static inline void uc_count_load(struct uc_domain *d, struct uc_vcpu *v, const struct uc_queue *q)
{
	if (q->linked % UC_LOAD_STEP == 0)
		uc_load_add(d, v, UC_LOAD_STEP);
}

/* Set v's upcall_pending; on its 0 -> 1 edge, kick. No queue lock held. */
void uc_vcpu_upcall(struct uc_vcpu *v);
/* `port` has just become pending: wake who polls it. Comes after the event is linked. */
void uc_pollers_wake(struct uc_domain *d, uint32_t port);

static inline void uc_check_pollers(struct uc_domain *d, uint32_t port)
{
	/* Pairs with uc_poll_begin(): it publishes its port, then looks at PENDING. */
	if (__builtin_expect(uc_load_seq(&d->pollers) != 0, 0))
		uc_pollers_wake(d, port);
}

/* Raise what was parked, in ports [from, to) that are valid. d's lock held. */
void uc_ports_unpark(struct uc_domain *d, uint32_t from, uint32_t to);

/* port.c: d's lock held. */
int uc_port_alloc(struct uc_domain *d, uint32_t *port);
void uc_port_open(struct uc_domain *d, uint32_t port, struct uc_peer peer, uint32_t vcpu);
void uc_port_free(struct uc_domain *d, uint32_t port);
/* Shall it stay open when the guest resets? */
void uc_port_set_kept(struct uc_domain *d, struct uc_port *p, bool kept);
/* Change where a port's events go, and its affinity row when `row` is not NULL. */
void uc_port_set_route(struct uc_domain *d, struct uc_port *p, struct uc_route route,
		       const uint64_t *row);
/* Waits until no thread is inside the end point's notify(); its kind has been changed already. */
void uc_endpoint_quiesce(struct uc_domain *d, struct uc_port *p);
/* virq.c: the classes; only per-vCPU ones have a table entry on each vCPU. */
bool uc_virq_is_per_vcpu(uint32_t virq);
bool uc_virq_is_global(uint32_t virq);
void uc_virq_unbind(struct uc_domain *d, uint32_t virq, uint32_t vcpu);
/* d is going: it handles no global VIRQ any more. */
void uc_virq_forget_handler(struct uc_domain *d);
/* pirq.c: its port is being closed. d's lock held. */
void uc_pirq_unbind(struct uc_domain *d, uint32_t pirq);

/* domain.c: the frame, mapped, or NULL. d's lock held. */
void *uc_frame_map(struct uc_domain *d, uint64_t gfn);
void uc_frame_unmap(struct uc_domain *d, void *address);
struct uc_domain *uc_domain_by_id(struct uc_host *host, uint16_t id);

#endif
