/* SPDX-License-Identifier: MIT */
/* The guest of guest.h. */
#include "guest.h"

/* vcpu_info at most half a page each: two lines, so that no two vCPUs share a pair of them. */
#define INFO_STRIDE 128u
#define PER_FRAME   (UC_FRAME_SIZE / INFO_STRIDE)

static uint32_t info_frames(const struct guest *g)
{
	return (g->shape->vcpus + PER_FRAME - 1) / PER_FRAME;
}

uint32_t guest_shared_frame(const struct guest *g)
{
	(void)g;
	return 0;
}

uint32_t guest_info_frame(const struct guest *g, uint32_t vcpu, uint32_t *offset)
{
	(void)g;
	*offset = vcpu % PER_FRAME * INFO_STRIDE;
	return 1 + vcpu / PER_FRAME;
}

uint32_t guest_control_frame(const struct guest *g, uint32_t vcpu)
{
	return 1 + info_frames(g) + vcpu;
}

uint32_t guest_event_frame(const struct guest *g, uint32_t page)
{
	return 1 + info_frames(g) + g->shape->vcpus + page;
}

void *guest_frame(const struct guest *g, uint64_t gfn)
{
	return g->frames + gfn * UC_FRAME_SIZE;
}

uint32_t guest_priority(const struct guest *g, uint32_t index)
{
	return UC_FIFO_PRIORITY_DEFAULT - index / g->shape->block % g->shape->priorities;
}

static void handle(void *ctx, uint32_t vcpu, uint32_t port)
{
	struct guest *g = ctx;
	uint32_t *done;

	(void)vcpu;
	uc_guest_clear(&g->g, port);
	if (g->done) {
		done = &g->done[port - g->first];
		__atomic_store_n(done, *done + 1, __ATOMIC_RELEASE);
	}
}

static void unmask(void *ctx, uint32_t port)
{
	struct guest *g = ctx;

	g->unmask(g->hypervisor, port);
}

static const struct uc_guest_ops ops = {.unmask = unmask, .handle = handle};

static size_t frames_size(const struct guest *g)
{
	return (size_t)guest_event_frame(g, g->pages) * UC_FRAME_SIZE;
}

static void init_vcpu(struct guest *g, uint32_t id, bool fifo)
{
	struct uc_guest_vcpu *v = &g->vcpus[id];
	uint32_t offset, info = guest_info_frame(g, id, &offset);

	v->guest = &g->g;
	v->id = id;
	v->info = (struct uc_vcpu_info *)((uint8_t *)guest_frame(g, info) + offset);
	if (fifo)
		v->control = guest_frame(g, guest_control_frame(g, id));
}

void guest_init(struct guest *g, const struct shape *shape, uint32_t ports, bool fifo)
{
	g->shape = shape;
	g->pages = fifo ? (ports + UC_FIFO_WORDS_PER_PAGE - 1) / UC_FIFO_WORDS_PER_PAGE : 0;
	g->frames = must_alloc(frames_size(g));
	g->vcpus = must_alloc(shape->vcpus * sizeof(*g->vcpus));
	if (shape->count_done)
		g->done = must_alloc(shape->ports * sizeof(*g->done));
	g->g.ops = &ops;
	g->g.ctx = g;
	g->g.fifo = fifo;
	g->g.shared_info = guest_frame(g, guest_shared_frame(g));
	for (uint32_t i = 0; i < g->pages; i++)
		g->g.event_page[i] = guest_frame(g, guest_event_frame(g, i));
	g->g.nr_words = g->pages * UC_FIFO_WORDS_PER_PAGE;
	for (uint32_t i = 0; i < shape->vcpus; i++)
		init_vcpu(g, i, fifo);
}

void guest_exit(struct guest *g)
{
	must_free(g->frames, frames_size(g));
	must_free(g->vcpus, g->shape->vcpus * sizeof(*g->vcpus));
	if (g->done)
		must_free(g->done, g->shape->ports * sizeof(*g->done));
}
