/* SPDX-License-Identifier: MIT */
/*
 * Which vCPU gets an event. FIFO domains only: a 2-level guest ignores an event that arrives on
 * another vCPU than the one it bound, a FIFO guest handles it where it finds it.
 *
 * A port is either per-vCPU (IPIs, per-vCPU VIRQs), and its events never move, or per-OS: then its
 * events may go to any vCPU of its affinity set that is live, and a policy chooses.
 *
 * A vCPU is live while it has a control block and the guest holds a per-vCPU port on it. Guests
 * tell nobody when they take a vCPU offline, but they close those ports; when the last one is
 * closed, what waits there is handed over at once.
 */
#ifndef UPCALL_ROUTE_H
#define UPCALL_ROUTE_H

#include <upcall/evtchn.h>

enum uc_policy {
	UC_POLICY_PINNED = 0,  /* the vCPU that the guest bound the port to: Xen today */
	UC_POLICY_FOLLOW,      /* one that runs; else one that is blocked; else who waits longest */
	UC_POLICY_ROUND_ROBIN, /* the next of the set each time (a control group) */
	UC_POLICY_RANDOM,      /* any of the set (a control group) */
	UC_POLICIES,
};

const char *uc_policy_name(enum uc_policy policy);

/* -EINVAL; -EOPNOTSUPP for anything but PINNED while the domain is not FIFO. */
int uc_domain_set_policy(struct uc_domain *d, enum uc_policy policy);
/* The port's own policy; UC_POLICIES gives it the domain's again. -EINVAL for a per-vCPU port. */
int uc_port_set_policy(struct uc_domain *d, uint32_t port, enum uc_policy policy);
enum uc_policy uc_port_policy(const struct uc_domain *d, uint32_t port);

/*
 * The vCPUs that may get the port's events: a bitmap of d->nr_vcpus bits. (Should the guest take
 * all of them offline later, its events go to the vCPU that it bound the port to, as Linux breaks
 * an interrupt's affinity.) NULL gives it the domain's set again. On return no event of the port
 * waits at a vCPU outside the set, unless that vCPU had taken delivery of it already. -EINVAL for a
 * per-vCPU port or an empty set, -ENODEV when no vCPU of it is live, -EOPNOTSUPP in a domain that
 * is not FIFO or has no memory for sets.
 */
int uc_port_set_affinity(struct uc_domain *d, uint32_t port, const uint64_t *vcpus);
/*
 * The set of ports that have none of their own. NULL: all vCPUs. May be given before the guest has
 * booted: no -ENODEV while no vCPU is live, and -EOPNOTSUPP only without memory for sets; it counts
 * once the guest is FIFO.
 */
int uc_domain_set_affinity(struct uc_domain *d, const uint64_t *vcpus);
/* Is `vcpu` in the domain's own set? */
bool uc_domain_may_use(const struct uc_domain *d, uint32_t vcpu);
/* Is `vcpu` in the port's set? */
bool uc_port_may_use(const struct uc_domain *d, uint32_t port, uint32_t vcpu);

/*
 * Hand what waits at `v`, and may go elsewhere, to other vCPUs: all of `v`'s queues whose delivery
 * the guest has not taken. For a host that sees `v` preempted with events waiting. Returns the
 * number of events moved; looks at a bounded number
 * of events in one call, so it may be worth another one. Any thread.
 */
uint32_t uc_vcpu_handover(struct uc_vcpu *v);
/* Has the guest something to take at `v`? A bit per priority. */
uint32_t uc_vcpu_untaken(const struct uc_vcpu *v);
/* The same, of what uc_vcpu_handover() may move: timers and IPIs do not count. */
uint32_t uc_vcpu_movable(const struct uc_vcpu *v);
/*
 * Events linked into the queues of `v` and left there for it to take: FIFO only. Exact while nobody
 * raises or hands over. A guest counts at most as many interrupts there; fewer when an event was
 * linked again before the guest had cleared PENDING, which it then ignores.
 */
uint64_t uc_vcpu_delivered(const struct uc_vcpu *v);
/* Events linked into the queues of `v`, those that were handed over later too. */
uint64_t uc_vcpu_linked(const struct uc_vcpu *v);
bool uc_vcpu_is_live(const struct uc_vcpu *v);

#endif
