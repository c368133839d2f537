/* SPDX-License-Identifier: MIT */
/*
 * A guest for the contenders that speak Xen's ABI: its memory, as Linux lays it out (a page for
 * each control block, a line for each vcpu_info), and lib/guest as the consumer, the same for all.
 */
#ifndef BENCH_RAISE_GUEST_H
#define BENCH_RAISE_GUEST_H

#include <upcall/guest.h>

#include "bench.h"

struct guest {
	struct uc_guest g;
	struct uc_guest_vcpu *vcpus;
	uint8_t *frames;
	const struct shape *shape;
	uint32_t pages; /* of event words */
	uint32_t first; /* the port of index 0 */
	uint32_t *done; /* by index; NULL unless the shape asks for it */
	void *hypervisor;
	void (*unmask)(void *hypervisor, uint32_t port);
};

/* `ports`: port numbers go up to this one less. */
void guest_init(struct guest *g, const struct shape *shape, uint32_t ports, bool fifo);
void guest_exit(struct guest *g);

/* Frame numbers. */
uint32_t guest_shared_frame(const struct guest *g);
uint32_t guest_info_frame(const struct guest *g, uint32_t vcpu, uint32_t *offset);
uint32_t guest_control_frame(const struct guest *g, uint32_t vcpu);
uint32_t guest_event_frame(const struct guest *g, uint32_t page);
void *guest_frame(const struct guest *g, uint64_t gfn);

uint32_t guest_priority(const struct guest *g, uint32_t index);

/* Polled by a consumer that has a CPU of its own: reads before it takes the line. */
static inline uint32_t guest_consume(struct guest *g, uint32_t vcpu)
{
	struct uc_guest_vcpu *v = &g->vcpus[vcpu];

	return __atomic_load_n(&v->info->upcall_pending.raw, __ATOMIC_RELAXED) ? uc_guest_upcall(v)
									       : 0;
}

/* The loops' operations; a world of these contenders begins with its guest. */
static inline uint32_t guest_consume_here(void *world, uint32_t vcpu)
{
	return guest_consume(world, vcpu);
}

static inline void guest_mask(void *world, uint32_t index)
{
	struct guest *g = world;

	uc_guest_mask(&g->g, g->first + index);
}

static inline void guest_unmask(void *world, uint32_t index)
{
	struct guest *g = world;

	uc_guest_unmask(&g->g, g->first + index);
}

static inline uint32_t *guest_done(void *world)
{
	return ((struct guest *)world)->done;
}

#endif
