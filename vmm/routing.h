/* SPDX-License-Identifier: MIT */
/*
 * How this VMM uses the library's routing: the policy and the affinity that the person asked for,
 * what a vCPU is doing (from the run state that KVM keeps in guest memory), and the watcher.
 *
 * The watcher is a thread that looks, now and then, at the vCPUs that got something that could move
 * and have not taken it: when one is away, its events are handed over. The first look comes after
 * UC_WATCH_PERIOD_NS, or at once where a vCPU may be boosted (boost.h), later ones at up to
 * UC_WATCH_PERIOD_MAX_NS; without such a vCPU it sleeps.
 */
#ifndef UPCALL_VMM_ROUTING_H
#define UPCALL_VMM_ROUTING_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#include <upcall/route.h>

#include "vmm/boost.h"
#include "vmm/diag.h"

struct uc_vm;
struct uc_vm_vcpu;

#define UC_WATCH_PERIOD_NS     500000u
#define UC_WATCH_PERIOD_MAX_NS 4000000u
/*
 * Between two looks, however urgent: guests say what is, and the watcher may be real-time. And so
 * many times as long as the look took.
 */
#define UC_WATCH_LEAST_NS 100000u
#define UC_WATCH_REST	  3u
#define UC_ROUTING_WORDS  2 /* a bitmap of UC_VM_MAX_VCPUS */

/* What the command line says. */
struct uc_routing_config {
	const char *policy;    /* a policy's name, or NULL: follow */
	const char *affinity;  /* "all", "guest", or a list of vCPUs; NULL: all */
	unsigned int boost_us; /* of CPU time that an event gives a vCPU the right to; 0: none */
	unsigned int slice_ms; /* that vCPUs ask for when events follow; 0: the kernel's choice */
};

struct uc_watch {
	pthread_t thread;
	bool started;
	uint32_t asleep;			/* futex */
	uint32_t fresh;				/* something was queued since the last look */
	uint32_t urgent;			/* and cannot wait for the next one */
	uint32_t ports_differ;			/* some port has had a policy of its own */
	uint64_t waiting[UC_ROUTING_WORDS];	/* vCPUs to look at */
	uint64_t got[UC_ROUTING_WORDS];		/* of them, those that got something since */
	uint64_t got_ns[64 * UC_ROUTING_WORDS]; /* when, last */
	uint64_t heirs[UC_ROUTING_WORDS];	/* those at work on what another one got */
	uint32_t exits[64 * UC_ROUTING_WORDS];	/* of each vCPU, at the last look */
	uint64_t looks, moved;			/* times it looked; events it moved */
	struct uc_boost boost;
};

/* Names and lists as the command line and the control socket give them. */
int uc_policy_parse(const char *name, enum uc_policy *policy);
/* "0,2-3" -> a bitmap. -EINVAL for a malformed or empty list, -ERANGE for a vCPU that is not there.
 */
int uc_vcpus_parse(const char *list, uint32_t nr_vcpus, uint64_t bits[UC_ROUTING_WORDS]);
void uc_vcpus_format(const uint64_t bits[UC_ROUTING_WORDS], uint32_t nr_vcpus, char *text,
		     uint32_t size);

/* Check what the command line says, before there is a machine. */
int uc_routing_check(const struct uc_routing_config *config, uint32_t nr_vcpus,
		     struct uc_diag *diag);
/* The guest has chosen the FIFO ABI: what was asked for holds from now on. Any vCPU thread. */
void uc_routing_begin(struct uc_vm *vm);

/* uc_domain_set_policy(), and what goes with it: with `follow`, vCPUs ask for short time slices. */
int uc_routing_set_policy(struct uc_vm *vm, enum uc_policy policy);
/* uc_port_set_policy(); from then on the watcher is told of pinned domains' events, too. */
int uc_routing_set_port_policy(struct uc_vm *vm, uint32_t port, enum uc_policy policy);
/* For one vCPU, by the policy there is; when its thread starts. */
void uc_routing_set_slice(const struct uc_vm_vcpu *v);
/* Something that could move is queued at `v`: see that it is not forgotten there. Any thread. */
void uc_routing_queued(struct uc_vm *vm, const struct uc_vcpu *v);
/*
 * What this thread raises until it says otherwise is nothing that anybody waits for, such as "your
 * packet is sent": it follows, but nobody is boosted for it.
 */
void uc_routing_set_calm(bool calm);
bool uc_routing_is_calm(void);
/*
 * This vCPU has sent an event of `port`: to a device, most likely with an answer, or to another
 * vCPU, which shall have a CPU for it when this one is at work on an event. Any thread.
 */
void uc_routing_sent(struct uc_vm *vm, uint32_t id, uint32_t port);

/* What a vCPU is doing, for struct uc_host_ops: a hint. Any thread. */
enum uc_run_state uc_vm_run_state(struct uc_vm *vm, const struct uc_vcpu *v, uint64_t *since);
/* Where KVM keeps vCPU `id`'s run state, as the guest registered it. */
void uc_vm_set_runstate(struct uc_vm *vm, uint32_t id, uint64_t gpa);

int uc_watch_start(struct uc_vm *vm, struct uc_diag *diag);
void uc_watch_join(struct uc_vm *vm); /* vm->end is set */
/*
 * Something that could move waits at vCPU `id`; `urgent`: look at once, not within the period. Any
 * thread; does not block.
 */
void uc_watch_queued(struct uc_vm *vm, uint32_t id, bool urgent);
/* The same, of an event that nobody waits for: no boost is owed for it. */
void uc_watch_calmly(struct uc_vm *vm, uint32_t id);
/* vCPU `id` has got an event lately and may be at work on it. Any thread. */
bool uc_watch_is_at_work(const struct uc_vm *vm, uint32_t id);
/*
 * vCPU `id` got an IPI from one at work: it is owed the same. But it does not pass that on, or a
 * guest that is busy with itself would be boosted for nothing else.
 */
void uc_watch_inherited(struct uc_vm *vm, uint32_t id, bool urgent);
bool uc_watch_may_pass_on(const struct uc_vm *vm, uint32_t id);

#endif
