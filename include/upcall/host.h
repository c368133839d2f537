/* SPDX-License-Identifier: MIT */
/*
 * The implementer's header: what a VMM, hypervisor or simulator gives to the library.
 *
 * The library reaches its host through this one table and nothing else. Calls come from whatever
 * thread entered the library; unless a member says otherwise the library holds no queue lock then,
 * but may hold a domain lock.
 */
#ifndef UPCALL_HOST_H
#define UPCALL_HOST_H

#include <stdint.h>

#include <upcall/abi.h>

struct uc_domain;
struct uc_vcpu;

enum uc_run_state {
	UC_VCPU_RUNNING,   /* on a CPU */
	UC_VCPU_BLOCKED,   /* idle: runs as soon as it is kicked */
	UC_VCPU_PREEMPTED, /* wants to run, and waits for a CPU */
};

struct uc_host_ops {
	/*
	 * Map guest frame `gfn` of `d` for reading and writing and return its address, or NULL when
	 * the frame is not the guest's own RAM. The mapping stays valid and at that address until
	 * unmap_frame() gives it back. A frame may be mapped more than once. Holds d's lock.
	 */
	void *(*map_frame)(void *ctx, struct uc_domain *d, uint64_t gfn);
	/*
	 * The library is done with a frame that map_frame() gave. Holds d's lock. After a second
	 * uc_domain_set_shared_info(), or a reset, a raise in another thread may be about to touch
	 * the old one: a host that really unmaps does so later, when threads that were in the
	 * library have left it (not here: they may wait for that lock). Until then one bit of such
	 * a frame may still be set, also where nothing is ever unmapped.
	 */
	void (*unmap_frame)(void *ctx, struct uc_domain *d, void *frame);
	/*
	 * Make vCPU `v` take its event upcall: `upcall_pending` went from 0 to 1. Must end with the
	 * guest's upcall handler running on v, even when v's interrupt controller is not yet
	 * enabled: an upcall that cannot be injected now must be retried by the host when it can
	 * be, because the library raises only the edge. May be called from any thread, must not
	 * block, must not call back into the library.
	 */
	void (*kick)(void *ctx, struct uc_vcpu *v);
	/* End v's uc_poll_begin() sleep. Same context as kick(). */
	void (*wake)(void *ctx, struct uc_vcpu *v);
	/*
	 * What v is doing, as far as the host knows without asking anybody: a stale answer costs
	 * latency, never correctness. *since: for UC_VCPU_PREEMPTED, a time that is smaller for who
	 * waits longer. Holds port and queue locks; any thread. May be NULL: all are running.
	 */
	enum uc_run_state (*run_state)(void *ctx, const struct uc_vcpu *v, uint64_t *since);
	/*
	 * An event has been queued at v that could be handed to another vCPU until the guest takes
	 * it (uc_vcpu_movable()): for a host that watches its vCPUs. Comes for each such event,
	 * after kick(), and also when there is no kick() because v has an upcall on its way. Same
	 * context as kick(). May be NULL. Also for an event that comes again while v is at work on
	 * it, as far as that can be known (uc_endpoint_more()); nothing is queued then.
	 */
	void (*queued)(void *ctx, struct uc_vcpu *v);
	/*
	 * Called now and then while the caller spins for a lock that another thread holds, which
	 * may have been preempted: give up the CPU, also to a thread of lower priority if there is
	 * such a thing. May be NULL. Must not call into the library.
	 */
	void (*relax)(void *ctx);
};

/* All domains that may be joined by channels. Owned by the caller; zero before use. */
struct uc_host {
	const struct uc_host_ops *ops;
	void *ctx;
	struct uc_domain **domains; /* by domid; nr_domains entries, NULL where there is none */
	uint32_t nr_domains;
	uint16_t virq_handler[UC_VIRQS]; /* the library's: domids */
};

#endif
