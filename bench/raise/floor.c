/* SPDX-License-Identifier: MIT */
/*
 * The floor: what the machine asks for the least that an event can be. Where one thread works, one
 * locked addition to a line of its own; where two do, a line that goes to and fro between their
 * CPUs, one way.
 */
#include "bench.h"

#define STRETCH 32 /* crossings there and back */

struct world {
	uint32_t line __attribute__((aligned(128)));
	uint32_t end __attribute__((aligned(128)));
};

static void *create(const struct shape *shape)
{
	(void)shape;
	return must_alloc(sizeof(struct world));
}

static void destroy(void *world)
{
	must_free(world, sizeof(struct world));
}

static void run_add(struct work *w)
{
	struct world *f = w->world;
	uint32_t before = f->line;
	uint64_t start = ticks();

	for (uint64_t n = w->events; n; n--)
		__atomic_fetch_add(&f->line, 1, __ATOMIC_SEQ_CST);
	w->ticks = ticks() - start;
	w->timed = w->expected = w->events;
	w->handled = (uint32_t)(f->line - before);
}

static void cross(struct world *f, struct work *w)
{
	while (__atomic_load_n(&f->line, __ATOMIC_ACQUIRE) % 2 != w->thread)
		threads_relax();
	__atomic_store_n(&f->line, f->line + 1, __ATOMIC_RELEASE);
	w->handled++;
}

/*
 * Thread 0 makes the line odd, thread 1 even. The quickest of some stretches counts: it takes only
 * one of the two to lose its CPU for a crossing to take milliseconds.
 */
static void run_bounce(struct work *w)
{
	uint64_t shortest = UINT64_MAX, left = w->events / 2;

	w->handled = 0;
	w->expected = left;
	w->timed = w->thread == 0 ? 2 * STRETCH : 0;
	threads_meet();
	while (left) {
		uint64_t n = left < STRETCH ? left : STRETCH, start = ticks(), took;

		for (uint64_t i = 0; i < n; i++)
			cross(w->world, w);
		took = (ticks() - start) * STRETCH / n;
		shortest = took < shortest ? took : shortest;
		left -= n;
	}
	threads_meet();
	w->ticks = w->thread == 0 ? shortest : 0;
}

const struct contender contender_floor = {
	.name = "floor",
	.title = "the floor: a locked add; a line bounced",
	.create = create,
	.destroy = destroy,
	.run = {[KIND_ONE] = run_add,
		[KIND_BURST_RAISE] = run_add,
		[KIND_BURST_CONSUME] = run_add,
		[KIND_PENDING] = run_add,
		[KIND_MASKED] = run_add,
		[KIND_CYCLE] = run_add,
		[KIND_RANDOM] = run_add,
		[KIND_SENDERS] = run_bounce,
		[KIND_PENDING_SENDERS] = run_bounce,
		[KIND_STREAM] = run_bounce},
};
