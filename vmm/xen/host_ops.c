/* SPDX-License-Identifier: MIT */
#include "vmm/xen/host_ops.h"

#include <time.h>

#include "vmm/kvm/vcpu.h"
#include "vmm/trace.h"

#define RELAX_NS 20000 /* far longer than any lock is held by a thread that runs */

/* Guest RAM is mapped for good, so mapping a frame is arithmetic and unmapping is nothing. */
static void *map_frame(void *ctx, struct uc_domain *d, uint64_t gfn)
{
	struct uc_vm *vm = ctx;

	(void)d;
	if (gfn >= UINT64_MAX / UC_PAGE_SIZE)
		return NULL;
	return uc_mem_at(&vm->mem, gfn * UC_PAGE_SIZE, UC_PAGE_SIZE);
}

static void unmap_frame(void *ctx, struct uc_domain *d, void *frame)
{
	(void)ctx, (void)d, (void)frame;
}

static void kick(void *ctx, struct uc_vcpu *v)
{
	struct uc_vm *vm = ctx;

	uc_trace_kick(v);
	uc_vcpu_kick(&vm->vcpus[v->id]);
}

static void queued(void *ctx, struct uc_vcpu *v)
{
	uc_routing_queued(ctx, v);
}

/* No vCPU sleeps in uc_poll_begin() here: KVM answers SCHEDOP_poll itself (hypercall.c). */
static void wake(void *ctx, struct uc_vcpu *v)
{
	(void)ctx, (void)v;
}

static enum uc_run_state run_state(void *ctx, const struct uc_vcpu *v, uint64_t *since)
{
	return uc_vm_run_state(ctx, v, since);
}

/*
 * Sleep, not yield: the watcher and boosted vCPUs are real-time, and would yield to nobody while
 * the holder of the lock waits for their CPU.
 */
static void relax(void *ctx)
{
	const struct timespec moment = {.tv_nsec = RELAX_NS};

	(void)ctx;
	clock_nanosleep(CLOCK_MONOTONIC, 0, &moment, NULL);
}

const struct uc_host_ops uc_vm_host_ops = {
	.map_frame = map_frame,
	.unmap_frame = unmap_frame,
	.kick = kick,
	.wake = wake,
	.run_state = run_state,
	.queued = queued,
	.relax = relax,
};
